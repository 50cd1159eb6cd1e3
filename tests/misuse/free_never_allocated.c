/* A pointer far beyond the only block of its size, where no block ever was, is freed. */
#include "misuse.h"

int main(void) {
    char *block = malloc(500);
    block_is(block, block + 48000000);
    free(block + 48000000);
    free(block);
    return went_on();
}
