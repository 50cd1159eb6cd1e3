/* The length of a text is asked for that nobody has written.
 *
 * report: uninitialised-read
 * seen: rebuild
 * function: strlen
 * options: uninitialised=1
 * asan: nothing
 * valgrind: uninitialised-read
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t (*volatile length)(const char *) = strlen;

int main(void)
{
    char *text = malloc(64); /* MALLOC */
#ifdef FIXED
    text[0] = '\0';
#endif
    text[63] = '\0';
    printf("%d\n", length(text) > 100); /* REPORT */
    free(text);
    return 0;
}
