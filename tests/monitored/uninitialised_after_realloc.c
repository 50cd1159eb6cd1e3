/* calloc's zeros end where the old block ended: what realloc adds is not zero.
 *
 * report: uninitialised-read
 * seen: rebuild
 * options: uninitialised=1
 * asan: nothing
 * valgrind: uninitialised-read
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *flags = calloc(16, 1), *more = realloc(flags, 32); /* MALLOC */
    int set = 0;
#ifdef FIXED
    memset(more + 16, 0, 16);
#endif
    for (int i = 0; i < 32; i++)
        if (more[i]) /* REPORT */
            set = 1;
    free(more);
    printf("%s\n", set ? "some" : "none");
    return 0;
}
