/* A key is wiped after it was freed, when its memory is no longer the program's.
 *
 * report: use-after-free
 * seen: preload
 * function: memset
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>
#include <string.h>

static void *(*volatile wipe)(void *, int, size_t) = memset;

int main(void)
{
    char *key = malloc(32); /* MALLOC */
    strcpy(key, "correct horse battery staple");
#ifdef FIXED
    wipe(key, 0, 32);
    free(key);
#else
    free(key);        /* FREED */
    wipe(key, 0, 32); /* REPORT */
#endif
    return 0;
}
