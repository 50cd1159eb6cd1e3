/* A pointer one page into a large block is freed. */
#include "misuse.h"

int main(void) {
    char *block = malloc(3000000);
    block_is(block, block + 4096);
    free(block + 4096);
    free(block);
    return went_on();
}
