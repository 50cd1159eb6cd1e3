/* %s of sscanf has no limit, and the word is longer than the block.
 *
 * report: out-of-bounds
 * seen: preload
 * function: sscanf
 * block: 8
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words)
{
    const char *line = count > 1 ? words[1] : "user administrator";
    char *name = malloc(8); /* MALLOC */
#ifdef FIXED
    int found = sscanf(line, "user %7s", name);
#else
    int found = sscanf(line, "user %s", name); /* REPORT */
#endif
    free(name);
    return found != 1;
}
