/* A pointer is rounded up to a multiple of 64 by hand, and the rounded one is freed.
 *
 * report: invalid-free
 * seen: preload
 * block: 303
 * asan: invalid-free
 * valgrind: invalid-free, leak
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *block = malloc(303); /* MALLOC */
    char *aligned = (char *)(((uintptr_t)block + 64) & ~(uintptr_t)63);
    memset(aligned, 0, 200);
#ifdef FIXED
    free(block);
#else
    free(aligned); /* REPORT */
#endif
    return 0;
}
