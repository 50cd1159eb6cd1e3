/* A number is written into a buffer that was freed.
 *
 * report: use-after-free
 * seen: preload
 * function: sprintf
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words)
{
    (void)words;
    char *digits = malloc(32); /* MALLOC */
#ifndef FIXED
    free(digits); /* FREED */
#endif
    int length = sprintf(digits, "%d and %d", count, 1 << 20); /* REPORT */
#ifdef FIXED
    free(digits);
#endif
    return length == 0;
}
