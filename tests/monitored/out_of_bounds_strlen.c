/* A text without its terminating zero: strlen reads on behind the block.
 *
 * report: out-of-bounds
 * seen: preload
 * function: strlen
 * block: 16
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

static size_t (*volatile length)(const char *) = strlen;

int main(void)
{
    char *text = malloc(16); /* MALLOC */
#ifdef FIXED
    memset(text, 'x', 15);
    text[15] = '\0';
#else
    memset(text, 'x', 16);
#endif
    size_t found = length(text); /* REPORT */
    free(text);
    return found < 15;
}
