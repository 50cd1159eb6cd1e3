/* realloc has moved the block, and so freed the old one; the program frees the old one as well.
 *
 * report: double-free
 * seen: preload
 * block: 32
 * asan: double-free
 * valgrind: double-free
 */
#include <stdlib.h>

int main(void)
{
    char *small = malloc(32);              /* MALLOC */
    char *large = realloc(small, 1 << 20); /* FREED */
    large[0] = 'l';
#ifndef FIXED
    if (large != small)
        free(small); /* REPORT */
#endif
    free(large);
    return 0;
}
