/* A whole struct is copied out of a freed block.
 *
 * report: use-after-free
 * seen: rebuild
 * block: 128
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    int values[32];
};

int main(void)
{
    struct settings *loaded = malloc(sizeof *loaded); /* MALLOC */
    memset(loaded, 1, sizeof *loaded);
#ifndef FIXED
    free(loaded); /* FREED */
#endif
    struct settings mine = *loaded; /* REPORT */
#ifdef FIXED
    free(loaded);
#endif
    printf("%d\n", mine.values[31]);
    return 0;
}
