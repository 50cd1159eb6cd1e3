/* An extension is appended to what strdup returned, which has no room for it.
 *
 * report: out-of-bounds
 * seen: preload
 * function: strcat
 * block: 9
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
#ifdef FIXED
    char *path = malloc(strlen("document") + strlen(".text") + 1);
    strcpy(path, "document");
#else
    char *path = strdup("document"); /* MALLOC */
#endif
    const char *volatile extension = ".text";
    strcat(path, extension); /* REPORT */
    free(path);
    return 0;
}
