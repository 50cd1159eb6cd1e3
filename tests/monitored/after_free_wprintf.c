/* A wide text is freed and then printed, as an argument of %ls.
 *
 * report: use-after-free
 * seen: preload
 * function: wprintf
 * asan: nothing
 * valgrind: use-after-free
 */
#include <stdlib.h>
#include <wchar.h>

int main(void)
{
    wchar_t *name = malloc(10 * sizeof *name); /* MALLOC */
    wcscpy(name, L"a name");
#ifdef FIXED
    wprintf(L"%ls has %d\n", name, 6);
    free(name);
#else
    free(name);                        /* FREED */
    wprintf(L"%ls has %d\n", name, 6); /* REPORT */
#endif
    return 0;
}
