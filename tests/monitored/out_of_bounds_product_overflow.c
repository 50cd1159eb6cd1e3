/* The product of count and size is computed in 32 bits and wraps around; calloc would have refused it.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 32
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    uint32_t count = 0x10000002, size = 16;
#ifdef FIXED
    long *numbers = calloc(count, UINT64_MAX / 2);
#else
    long *numbers = malloc(count * size); /* MALLOC */
#endif
    if (numbers == NULL)
        return puts("too many") < 0;
    for (uint32_t i = 0; i < 100; i++)
        numbers[i] = (long)size; /* REPORT */
    free(numbers);
    return 0;
}
