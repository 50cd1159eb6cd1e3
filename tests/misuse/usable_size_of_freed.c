/* The usable size of a freed block is asked for. */
#include "misuse.h"

int main(void) {
    char *block = malloc(60);
    block_is(block, block);
    free(block);
    printf("result %zu\n", malloc_usable_size(block));
    return went_on();
}
