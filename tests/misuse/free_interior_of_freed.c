/* A pointer into a block that is free already is freed. */
#include "misuse.h"

int main(void) {
    char *block = malloc(96);
    block_is(block, block + 32);
    free(block);
    free(block + 32);
    return went_on();
}
