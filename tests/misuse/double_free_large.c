/* A large block is freed twice in a row. */
#include "misuse.h"

int main(void) {
    char *block = malloc(3000000);
    memset(block, 1, 3000000);
    block_is(block, block);
    free(block);
    free(block);
    return went_on();
}
