/* A signal handler counts in a block that main has freed before the signal came.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <signal.h>
#include <stdlib.h>

static volatile long *volatile signals;

static void count(int number)
{
    (void)number;
    if (signals != NULL)
        ++*signals; /* REPORT */
}

int main(void)
{
    signals = calloc(1, sizeof *signals); /* MALLOC */
    signal(SIGUSR1, count);
    raise(SIGUSR1);
    free((void *)signals); /* FREED */
#ifdef FIXED
    signals = NULL;
#endif
    raise(SIGUSR1);
    return 0;
}
