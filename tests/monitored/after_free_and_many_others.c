/* A block is used when five hundred blocks of its size were handed out and freed since it was.
 *
 * report: use-after-free
 * seen: rebuild
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

int main(void)
{
    volatile char *old = malloc(100); /* MALLOC */
    old[0] = 'o';
#ifndef FIXED
    free((void *)old); /* FREED */
#endif
    for (int i = 0; i < 500; i++) {
        char *volatile other = malloc(100);
        other[0] = 'n';
        free(other);
    }
    int kept = old[0]; /* REPORT */
#ifdef FIXED
    free((void *)old);
#endif
    return kept == 'n';
}
