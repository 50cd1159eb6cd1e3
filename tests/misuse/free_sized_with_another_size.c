/* free_sized is told 500 bytes of a block of 60. */
#include "misuse.h"

void free_sized(void *, size_t) __attribute__((weak));

int main(void) {
    char *block = malloc(60);
    block_is(block, block);
    free_sized(block, 500);
    return went_on();
}
