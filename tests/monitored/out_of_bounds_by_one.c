/* A loop runs to the number of elements, one too far.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 48
 * offset: 48
 * hooks: thread
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

int main(void)
{
    int count = 12, *numbers = malloc((size_t)count * sizeof *numbers); /* MALLOC */
#ifdef FIXED
    for (int i = 0; i < count; i++)
#else
    for (int i = 0; i <= count; i++)
#endif
        numbers[i] = i; /* REPORT */
    free(numbers);
    return 0;
}
