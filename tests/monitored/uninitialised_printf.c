/* A text is printed that has a beginning and an end, and nothing between them.
 *
 * report: uninitialised-read
 * seen: rebuild
 * function: printf
 * options: uninitialised=1
 * asan: nothing
 * valgrind: uninitialised-read
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *text = malloc(16); /* MALLOC */
#ifdef FIXED
    memset(text, '.', 15);
#endif
    text[0] = 't';
    text[15] = '\0';
    printf("text: %s, %d\n", text, 1); /* REPORT */
    free(text);
    return 0;
}
