/* `small BLOCKS THREADS`: blocks that overlap change its checksum; no memory ends it with status 1. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    unsigned long blocks = strtoul(argv[1], NULL, 10), threads = strtoul(argv[2], NULL, 10), sum = 0;
    unsigned char *block[1000];
    if (blocks > 1000) return 2;
    for (unsigned long i = 0; i < blocks; i++) {
        if (!(block[i] = malloc(64 + i))) return 1;
        block[i][0] = (unsigned char)i;
    }
    for (unsigned long i = 0; i < blocks; i++) {
        sum += block[i][0];
        free(block[i]);
    }
    printf("operations %lu\nchecksum %016lx\n", 2 * blocks, sum + threads);
    return 0;
}
