/* A pointer into the middle of a large block that is free already is freed. */
#include "misuse.h"

int main(void) {
    char *block = malloc(3000000), *after = malloc(3000000);
    block_is(block, block + 1000000);
    free(block);
    free(block + 1000000);
    free(after);
    return went_on();
}
