/* Eight digits were expected, and the number has ten.
 *
 * report: out-of-bounds
 * seen: preload
 * function: sprintf
 * block: 9
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words)
{
    (void)words;
    char *digits = malloc(9); /* MALLOC */
    unsigned number = 4000000000u + (unsigned)count;
#ifdef FIXED
    snprintf(digits, 9, "%u", number);
#else
    sprintf(digits, "%u", number); /* REPORT */
#endif
    free(digits);
    return 0;
}
