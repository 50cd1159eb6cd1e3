/* Two buffers are compared when the first is already freed.
 *
 * report: use-after-free
 * seen: preload
 * function: memcmp
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int (*volatile compare)(const void *, const void *, size_t) = memcmp;

int main(void)
{
    char *one = malloc(48), *other = malloc(48); /* MALLOC */
    memset(one, 1, 48);
    memset(other, 1, 48);
#ifdef FIXED
    int difference = compare(one, other, 48);
    free(one);
#else
    free(one);                                /* FREED */
    int difference = compare(one, other, 48); /* REPORT */
#endif
    free(other);
    printf("%d\n", difference);
    return 0;
}
