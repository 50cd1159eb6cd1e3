/* A block is freed again after its slot was handed out again: the late free looks right and hits the new owner. */
#include "misuse.h"

int main(void) {
    char *block = malloc(100), *next = NULL;
    free(block);
    for (int i = 0; i < 100000 && next != block; i++) {
        free(next);
        next = malloc(100);
    }
    if (next != block) return 3;
    block_is(block, block);
    free(block); /* the misuse */
    puts("late free");
    fflush(stdout);
    free(next); /* the new owner's own free */
    return went_on();
}
