/* The length of a name is asked for when the name is freed.
 *
 * report: use-after-free
 * seen: preload
 * function: strlen
 * block: 20
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t (*volatile length)(const char *) = strlen;

int main(void)
{
    char *name = malloc(20); /* MALLOC */
    strcpy(name, "a name");
#ifdef FIXED
    printf("%zu\n", length(name));
    free(name);
#else
    free(name);                    /* FREED */
    printf("%zu\n", length(name)); /* REPORT */
#endif
    return 0;
}
