/* A pointer 16 bytes into a small block is freed. */
#include "misuse.h"

int main(void) {
    char *other = malloc(96), *block = malloc(96);
    block_is(block, block + 16);
    free(block + 16);
    free(block);
    free(other);
    return went_on();
}
