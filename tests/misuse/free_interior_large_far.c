/* A pointer two mebibytes into a large block is freed. */
#include "misuse.h"

int main(void) {
    char *block = malloc(3000000);
    block_is(block, block + (2 << 20) + 8);
    free(block + (2 << 20) + 8);
    free(block);
    return went_on();
}
