/* A wide number is written into a buffer that was freed.
 *
 * report: use-after-free
 * seen: preload
 * function: swprintf
 * asan: nothing
 * valgrind: use-after-free
 */
#include <stdlib.h>
#include <wchar.h>

int main(int count, char **words)
{
    (void)words;
    wchar_t *digits = malloc(32 * sizeof *digits); /* MALLOC */
#ifndef FIXED
    free(digits); /* FREED */
#endif
    int length = swprintf(digits, 32, L"%d and %d", count, 1 << 20); /* REPORT */
#ifdef FIXED
    free(digits);
#endif
    return length < 0;
}
