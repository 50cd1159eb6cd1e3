/* The length of a wide text is asked for when the text is freed.
 *
 * report: use-after-free
 * seen: preload
 * function: wcslen
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static size_t (*volatile length)(const wchar_t *) = wcslen;

int main(void)
{
    wchar_t *name = malloc(10 * sizeof *name); /* MALLOC */
    wcscpy(name, L"a name");
#ifdef FIXED
    printf("%zu\n", length(name));
    free(name);
#else
    free(name);                    /* FREED */
    printf("%zu\n", length(name)); /* REPORT */
#endif
    return 0;
}
