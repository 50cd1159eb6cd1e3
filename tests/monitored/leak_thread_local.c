/* A buffer of each thread is held by a thread-local variable, and lost with it when the thread ends.
 *
 * report: leak
 * seen: preload
 * block: 333
 * asan: leak
 * valgrind: leak
 */
#include <pthread.h>
#include <stdlib.h>

static _Thread_local char *buffer;

static void *work(void *unused)
{
    if (buffer == NULL)
        buffer = malloc(333); /* MALLOC */
    buffer[0] = 'b';
#ifdef FIXED
    free(buffer);
#endif
    return unused;
}

int main(void)
{
    pthread_t worker;
    pthread_create(&worker, NULL, work, NULL);
    pthread_join(worker, NULL);
    return 0;
}
