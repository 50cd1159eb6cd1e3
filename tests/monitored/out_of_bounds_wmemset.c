/* A line of a screen is filled with blanks, one column too many.
 *
 * report: out-of-bounds
 * seen: preload
 * function: wmemset
 * block: 320
 * asan: nothing
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <wchar.h>

int main(int count, char **words)
{
    (void)words;
    size_t columns = 79 + (size_t)count;
    wchar_t *line = malloc(columns * sizeof *line); /* MALLOC */
#ifndef FIXED
    columns++;
#endif
    wmemset(line, L' ', columns); /* REPORT */
    free(line);
    return 0;
}
