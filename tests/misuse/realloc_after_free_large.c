/* A large block is resized after it was freed. */
#include "misuse.h"

int main(void) {
    char *block = malloc(3000000);
    block_is(block, block);
    free(block);
    printf("result %p\n", realloc(block, 6000000));
    return went_on();
}
