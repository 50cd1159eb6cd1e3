/* The destructor of a thread's value uses the registry, which the thread has freed as its last act.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <pthread.h>
#include <stdlib.h>

struct registry {
    int threads;
};

static pthread_key_t key;

static void leave(void *value)
{
    struct registry *registry = value;
    registry->threads--; /* REPORT */
#ifdef FIXED
    free(registry);
#endif
}

static void *work(void *unused)
{
    struct registry *registry = malloc(sizeof *registry); /* MALLOC */
    registry->threads = 1;
    pthread_setspecific(key, registry);
#ifndef FIXED
    free(registry); /* FREED */
#endif
    return unused;
}

int main(void)
{
    pthread_t worker;
    pthread_key_create(&key, leave);
    pthread_create(&worker, NULL, work, NULL);
    pthread_join(worker, NULL);
    return 0;
}
