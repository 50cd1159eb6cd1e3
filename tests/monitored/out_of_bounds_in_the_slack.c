/* The terminating zero is written one byte behind the request, where most allocators have a few bytes to spare.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 21
 * offset: 21
 * hooks: thread
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

int main(void)
{
    int length = 21;
#ifdef FIXED
    char *text = malloc((size_t)length + 1);
#else
    char *text = malloc((size_t)length); /* MALLOC */
#endif
    for (int i = 0; i < length; i++)
        text[i] = 't';
    text[length] = '\0'; /* REPORT */
    free(text);
    return 0;
}
