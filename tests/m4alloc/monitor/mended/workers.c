/* Threads that all do the same wrong thing: use a block after its free, or lose one. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *what;

static void *work(void *unused)
{
    long *volatile block = malloc(32);
    (void)unused;
    block[1] = 1;
    if (strcmp(what, "lose") != 0)
        free(block);
    if (strcmp(what, "touch") == 0)
        block[1] = 2;
    block = NULL;
    return NULL;
}

int main(int count, char **words)
{
    pthread_t thread[4];
    what = words[count - 1];
    for (int i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, work, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    return 0;
}
