/* A large block is freed again after another large block was freed and allocated. */
#include "misuse.h"

int main(void) {
    char *block = malloc(3000000), *other = malloc(20000000);
    block_is(block, block);
    free(block);
    free(other);
    other = malloc(25000000);
    free(block);
    free(other);
    return went_on();
}
