/* The pointer that was moved past the leading blanks is freed, not the one that malloc returned.
 *
 * report: invalid-free
 * seen: preload
 * block: 40
 * offset: 3
 * hooks: thread
 * asan: invalid-free
 * valgrind: invalid-free, leak
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *line = malloc(40), *text = line; /* MALLOC */
    strcpy(line, "   indented");
    while (*text == ' ')
        text++;
#ifdef FIXED
    free(line);
#else
    free(text); /* REPORT */
#endif
    return 0;
}
