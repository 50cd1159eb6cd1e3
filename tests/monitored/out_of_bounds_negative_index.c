/* A search that finds nothing returns -1, which is used as an index of longs.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 80
 * offset: -8
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

static int find(const long *among, int count, long wanted)
{
    for (int i = 0; i < count; i++)
        if (among[i] == wanted)
            return i;
    return -1;
}

int main(void)
{
    long *numbers = calloc(10, sizeof *numbers); /* MALLOC */
    int place = find(numbers, 10, 5);
#ifdef FIXED
    if (place >= 0)
#endif
        numbers[place] = 6; /* REPORT */
    free(numbers);
    return 0;
}
