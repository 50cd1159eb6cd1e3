/* A byte of a freed block is written; under a quarantine that shows when the block leaves it. */
#include "misuse.h"

int main(void) {
    volatile char *block = malloc(100);
    block_is((void *)block, (void *)block);
    free((void *)block);
    block[10] = 1;
    for (int i = 0; i < 1000; i++) free(malloc(100));
    return went_on();
}
