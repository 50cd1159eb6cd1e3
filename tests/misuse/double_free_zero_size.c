/* A block of no bytes is a block: it is freed twice. */
#include "misuse.h"

int main(void) {
    char *block = malloc(0);
    block_is(block, block);
    free(block);
    free(block);
    return went_on();
}
