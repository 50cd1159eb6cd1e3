/* A small block is resized after it was freed. */
#include "misuse.h"

int main(void) {
    char *block = malloc(60);
    block_is(block, block);
    free(block);
    printf("result %p\n", realloc(block, 500));
    return went_on();
}
