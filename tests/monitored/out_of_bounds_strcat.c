/* Words are joined in a buffer that holds all but the last of them.
 *
 * report: out-of-bounds
 * seen: preload
 * function: strcat
 * block: 12
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    static const char *const words[] = {"one ", "two ", "three "};
#ifdef FIXED
    char *line = calloc(15, 1);
#else
    char *line = calloc(12, 1); /* MALLOC */
#endif
    for (int i = 0; i < 3; i++)
        strcat(line, words[i]); /* REPORT */
    free(line);
    return 0;
}
