/* An array is made smaller in place, and used at its old size.
 *
 * report: out-of-bounds
 * seen: rebuild
 * hooks: thread
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 * note: where realloc moves the block, it is a use after free
 */
#include <stdlib.h>

int main(void)
{
    int count = 30;
    char *letters = calloc(32, 1);
    char *fewer = realloc(letters, 28); /* MALLOC */
#ifdef FIXED
    count = 28;
#endif
    for (int i = 0; i < count; i++)
        fewer[i] = 'l'; /* REPORT */
    free(fewer);
    return 0;
}
