/* The old pointer is freed after realloc moved the block. */
#include "misuse.h"

int main(void) {
    char *block = malloc(60);
    block_is(block, block);
    char *moved = realloc(block, 60000);
    free(block);
    free(moved);
    return went_on();
}
