/* Between the two frees, other blocks of the same size class are freed; none is allocated. */
#include "misuse.h"

int main(void) {
    char *block = malloc(100), *others[40];
    for (int i = 0; i < 40; i++) others[i] = malloc(100);
    block_is(block, block);
    for (int i = 0; i < 20; i++) free(others[i]);
    free(block);
    for (int i = 20; i < 40; i++) free(others[i]);
    free(block);
    return went_on();
}
