/* A pointer into a small block is resized. */
#include "misuse.h"

int main(void) {
    char *block = malloc(96);
    block_is(block, block + 32);
    printf("result %p\n", realloc(block + 32, 500));
    free(block);
    return went_on();
}
