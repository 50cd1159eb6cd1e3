/* Bytes are summed eight at a time, the last few too: the last load crosses the end of the block.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 20
 * offset: 16
 * hooks: thread
 * asan: out-of-bounds
 * valgrind: nothing
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t sum(const unsigned char *bytes, size_t size)
{
    uint64_t total = 0;
    size_t i = 0;
#ifdef FIXED
    for (; i + 8 <= size; i += 8)
#else
    for (; i < size; i += 8)
#endif
        total += *(const uint64_t *)(bytes + i); /* REPORT */
    for (; i < size; i++)
        total += bytes[i];
    return total;
}

int main(void)
{
    unsigned char *bytes = calloc(20, 1); /* MALLOC */
    uint64_t total = sum(bytes, 20);
    free(bytes);
    return (int)total;
}
