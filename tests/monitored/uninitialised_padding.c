/* Structs with padding are copied whole, which is no use of it; a member that was never set is one.
 *
 * report: uninitialised-read
 * seen: rebuild
 * options: uninitialised=1
 * asan: nothing
 * valgrind: uninitialised-read
 */
#include <stdio.h>
#include <stdlib.h>

struct padded {
    char letter;
    long number;
    char other;
};

int main(void)
{
    struct padded *from = malloc(sizeof *from), *to = malloc(sizeof *to); /* MALLOC */
    from->letter = 'l';
    from->other = 'o';
#ifdef FIXED
    from->number = 1;
#endif
    *to = *from;
    if (to->number == 2) /* REPORT */
        puts("two");
    free(from);
    free(to);
    return to == from;
}
