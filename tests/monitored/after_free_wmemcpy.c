/* A row of wide characters is copied out of a freed screen.
 *
 * report: use-after-free
 * seen: preload
 * function: wmemcpy
 * asan: nothing
 * valgrind: use-after-free
 */
#include <stdlib.h>
#include <wchar.h>

static wchar_t row[80];

int main(void)
{
    size_t columns = sizeof row / sizeof *row;
    wchar_t *screen = malloc(2 * sizeof row); /* MALLOC */
    wmemset(screen, L' ', 2 * columns);
#ifdef FIXED
    wmemcpy(row, screen + columns, columns);
    free(screen);
#else
    free(screen);                            /* FREED */
    wmemcpy(row, screen + columns, columns); /* REPORT */
#endif
    return row[0] != L' ';
}
