/* A wide text is copied into a block that has as many bytes as the text has characters.
 *
 * report: out-of-bounds
 * seen: preload
 * function: wcscpy
 * asan: nothing
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <wchar.h>

int main(void)
{
    const wchar_t *text = L"ten letter";
#ifdef FIXED
    wchar_t *copy = malloc((wcslen(text) + 1) * sizeof *copy);
#else
    wchar_t *copy = malloc(wcslen(text) + 1); /* MALLOC */
#endif
    wcscpy(copy, text); /* REPORT */
    free(copy);
    return 0;
}
