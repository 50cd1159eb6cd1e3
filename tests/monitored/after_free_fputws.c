/* A wide text is written to a file after it was freed.
 *
 * report: use-after-free
 * seen: preload
 * function: fputws
 * asan: nothing
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

int main(void)
{
    wchar_t *line = calloc(20, sizeof *line); /* MALLOC */
    wcscpy(line, L"a line\n");
#ifndef FIXED
    free(line); /* FREED */
#endif
    fputws(line, stdout); /* REPORT */
#ifdef FIXED
    free(line);
#endif
    return 0;
}
