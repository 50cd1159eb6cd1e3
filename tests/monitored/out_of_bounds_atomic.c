/* Each thread has a counter in a block; the third thread of two counts behind it, atomically.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 16
 * offset: 16
 * hooks: thread
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

static atomic_long *counters;

static void *count(void *number)
{
    atomic_fetch_add(&counters[(intptr_t)number], 1); /* REPORT */
    return NULL;
}

int main(void)
{
#ifdef FIXED
    const int threads = 2;
#else
    const int threads = 3;
#endif
    counters = calloc(2, sizeof *counters); /* MALLOC */
    for (intptr_t i = 0; i < threads; i++) {
        pthread_t one;
        pthread_create(&one, NULL, count, (void *)i);
        pthread_join(one, NULL);
    }
    free(counters);
    return 0;
}
