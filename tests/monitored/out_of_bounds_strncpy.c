/* strncpy is told the size of the source, and fills the rest with zeros, beyond the block.
 *
 * report: out-of-bounds
 * seen: preload
 * function: strncpy
 * block: 16
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

static char record[64] = "short";

int main(int count, char **words)
{
    (void)words;
    size_t limit = sizeof record + (size_t)count - 1;
    char *name = malloc(16); /* MALLOC */
#ifdef FIXED
    limit = 16;
#endif
    strncpy(name, record, limit); /* REPORT */
    free(name);
    return 0;
}
