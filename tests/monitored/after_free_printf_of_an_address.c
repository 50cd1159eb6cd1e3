/* The address of a freed block may be printed; what it points to may not.
 *
 * report: use-after-free
 * seen: preload
 * function: printf
 * asan: nothing
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    char *volatile word = calloc(16, 1); /* MALLOC */
    word[0] = 'w';
    free(word); /* FREED */
#ifdef FIXED
    printf("%p is free, precision %.*s\n", (void *)word, 0, "");
#else
    printf("%p is free: %.*s\n", (void *)word, 4, word); /* REPORT */
#endif
    return 0;
}
