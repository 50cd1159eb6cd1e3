/* A small block is freed twice in a row. */
#include "misuse.h"

int main(void) {
    char *block = malloc(60);
    block_is(block, block);
    free(block);
    free(block);
    return went_on();
}
