/* What was accessed is freed in the end: a block that lives until exit is no leak, but it breaks this promise.
 *
 * report: property
 * property: accessed-then-freed
 * seen: rebuild
 * block: 56
 * asan: nothing
 * valgrind: nothing
 */
#include <stdlib.h>

static long *volatile table, *volatile unused;

int main(void)
{
    unused = malloc(40);
    table = malloc(56); /* MALLOC */
    table[2] = 2;
#ifdef FIXED
    free(table);
#endif
    return 0;
}
