/* The size of the source is copied, not the size of the destination.
 *
 * report: out-of-bounds
 * seen: preload
 * function: memcpy
 * block: 24
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

static const char source[40] = "a text of forty bytes, zeros included";

int main(int count, char **words)
{
    (void)words;
    size_t room = 24, size = sizeof source - 1 + (size_t)count;
    char *copy = malloc(room); /* MALLOC */
#ifdef FIXED
    size = size < room ? size : room;
#endif
    memcpy(copy, source, size); /* REPORT */
    free(copy);
    return 0;
}
