/* Trailing blanks are cut off from the end; of a text of blanks only, the byte before the block is read.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 8
 * offset: -1
 * hooks: thread
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *text = malloc(8); /* MALLOC */
    strcpy(text, "   ");
    char *end = text + strlen(text);
#ifdef FIXED
    while (end > text && end[-1] == ' ')
        end--;
#else
    while (end[-1] == ' ') /* REPORT */
        end--;
#endif
    *end = '\0';
    free(text);
    return 0;
}
