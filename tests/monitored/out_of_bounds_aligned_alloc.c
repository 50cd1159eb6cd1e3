/* A block on a boundary of 64 bytes is written to at the next boundary.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 64
 * offset: 64
 * hooks: thread
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

int main(void)
{
    double *lane = aligned_alloc(64, 64); /* MALLOC */
#ifdef FIXED
    const int count = 8;
#else
    const int count = 9;
#endif
    for (int i = 0; i < count; i++)
        lane[i] = i; /* REPORT */
    free(lane);
    return 0;
}
