/* A timer is registered with a context; the context is freed, and the timer is not cancelled.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

typedef void callback(void *context);

static struct {
    callback *call;
    void *context;
} timers[4];

static void tick(void *context)
{
    ++*(int *)context; /* REPORT */
}

static void run_timers(void)
{
    for (int i = 0; i < 4; i++)
        if (timers[i].call != NULL)
            timers[i].call(timers[i].context);
}

int main(void)
{
    int *ticks = calloc(1, sizeof *ticks); /* MALLOC */
    timers[2].call = tick;
    timers[2].context = ticks;
    run_timers();
#ifdef FIXED
    timers[2].call = NULL;
#endif
    free(ticks); /* FREED */
    run_timers();
    return 0;
}
