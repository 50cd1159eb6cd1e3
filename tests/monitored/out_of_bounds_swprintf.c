/* swprintf wants a number of wide characters, and is given one of bytes.
 *
 * report: out-of-bounds
 * seen: preload
 * function: swprintf
 * block: 40
 * asan: nothing
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <wchar.h>

int main(void)
{
    size_t size = 10 * sizeof(wchar_t);
    wchar_t *line = malloc(size); /* MALLOC */
#ifdef FIXED
    size /= sizeof(wchar_t);
#endif
    swprintf(line, size, L"%d-%d", 123456, 654321); /* REPORT */
    free(line);
    return 0;
}
