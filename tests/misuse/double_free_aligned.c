/* A block aligned to a page is freed twice. */
#include "misuse.h"

int main(void) {
    char *block = aligned_alloc(4096, 300);
    block_is(block, block);
    free(block);
    free(block);
    return went_on();
}
