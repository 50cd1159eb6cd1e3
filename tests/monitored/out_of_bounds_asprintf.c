/* The text that asprintf made is made longer by hand.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 7
 * offset: 7
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words)
{
    (void)words;
    char *text;
#ifdef FIXED
    int length = asprintf(&text, "%06d ", count) - 1;
#else
    int length = asprintf(&text, "%06d", count); /* MALLOC */
#endif
    text[length] = '!';
    text[length + 1] = '\0'; /* REPORT */
    free(text);
    return 0;
}
