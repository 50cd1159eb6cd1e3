/* A thread frees the result that it was to fill; who waited for the thread reads it.
 *
 * report: use-after-free
 * seen: rebuild
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *work(void *argument)
{
    long *sum = argument;
    for (long i = 0; i < 100; i++)
        *sum += i;
#ifndef FIXED
    free(sum); /* FREED */
#endif
    return NULL;
}

int main(void)
{
    pthread_t worker;
    long *sum = calloc(1, sizeof *sum); /* MALLOC */
    pthread_create(&worker, NULL, work, sum);
    pthread_join(worker, NULL);
    printf("%ld\n", *sum); /* REPORT */
#ifdef FIXED
    free(sum);
#endif
    return 0;
}
