/* realloc(p, 0) has freed the block; the program frees it again.
 *
 * report: double-free
 * seen: preload
 * asan: double-free
 * valgrind: double-free
 */
#include <stdlib.h>

int main(int count, char **words)
{
    (void)words;
    size_t size = (size_t)count - 1;
    char *list = malloc(16);          /* MALLOC */
    char *rest = realloc(list, size); /* FREED */
#ifdef FIXED
    list = rest;
#else
    (void)rest;
#endif
    free(list); /* REPORT */
    return 0;
}
