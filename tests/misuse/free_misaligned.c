/* A pointer one byte into a small block is freed. */
#include "misuse.h"

int main(void) {
    char *block = malloc(40);
    block_is(block, block + 1);
    free(block + 1);
    free(block);
    return went_on();
}
