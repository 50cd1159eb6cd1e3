/* A thread ends without freeing what only its stack points to.
 *
 * report: leak
 * seen: preload
 * block: 777
 * asan: leak
 * valgrind: leak
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *work(void *unused)
{
    char *volatile scratch = malloc(777); /* MALLOC */
    memset(scratch, 's', 777);
#ifdef FIXED
    free(scratch);
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
