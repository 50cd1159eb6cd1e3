/* Two structs of which the padding was never set are compared byte by byte.
 *
 * report: uninitialised-read
 * seen: rebuild
 * function: memcmp
 * options: uninitialised=1
 * asan: nothing
 * valgrind: uninitialised-read
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct padded {
    char letter;
    long number;
};

static int (*volatile compare)(const void *, const void *, size_t) = memcmp;

static struct padded *padded(void)
{
#ifdef FIXED
    struct padded *one = calloc(1, sizeof *one);
#else
    struct padded *one = malloc(sizeof *one); /* MALLOC */
#endif
    one->letter = 'l';
    one->number = 1;
    return one;
}

int main(void)
{
    struct padded *one = padded(), *other = padded();
    printf("%d\n", compare(one, other, sizeof *one) == 77); /* REPORT */
    free(one);
    free(other);
    return 0;
}
