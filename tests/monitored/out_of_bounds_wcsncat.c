/* wcsncat appends a zero besides the characters that it is allowed to append.
 *
 * report: out-of-bounds
 * seen: preload
 * function: wcsncat
 * block: 32
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <wchar.h>

int main(void)
{
    size_t room = 8;
    wchar_t *line = calloc(room, sizeof *line); /* MALLOC */
    wcscpy(line, L"abc");
#ifdef FIXED
    wcsncat(line, L"defghijkl", room - wcslen(line) - 1);
#else
    wcsncat(line, L"defghijkl", room - wcslen(line)); /* REPORT */
#endif
    free(line);
    return 0;
}
