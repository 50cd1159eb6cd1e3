/* fgets is told that the buffer has the size of a line, which it has not.
 *
 * report: out-of-bounds
 * seen: preload
 * function: fgets
 * block: 16
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
#ifdef FIXED
    char *line = malloc(128);
#else
    char *line = malloc(16); /* MALLOC */
#endif
    char *got = fgets(line, 128, file); /* REPORT */
    free(line);
    fclose(file);
    return got == NULL;
}
