/* A gap is opened in a full array by moving its tail one element up.
 *
 * report: out-of-bounds
 * seen: preload
 * function: memmove
 * block: 40
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

static int *insert(int *into, size_t count, size_t place, int value)
{
#ifdef FIXED
    into = realloc(into, (count + 1) * sizeof *into);
#endif
    memmove(into + place + 1, into + place, (count - place) * sizeof *into); /* REPORT */
    into[place] = value;
    return into;
}

int main(void)
{
    int *numbers = calloc(10, sizeof *numbers); /* MALLOC */
    numbers = insert(numbers, 10, 4, 44);
    free(numbers);
    return 0;
}
