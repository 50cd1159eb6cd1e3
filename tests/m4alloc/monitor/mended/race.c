/* Two threads free the same blocks at the same moments: of each block one free is wrong, whichever comes second. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS = 20000 };

static void *block[BLOCKS];
static volatile int turn[2];

static void *work(void *mine)
{
    int me = (int)(long)mine;
    for (int i = 0; i < BLOCKS; i++) {
        turn[me] = i + 1;
        for (int spins = 0; turn[!me] < i + 1 && spins < 2000; spins++)
            ;
        free(block[i]);
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[2];
    for (int i = 0; i < BLOCKS; i++)
        block[i] = malloc(16 + i % 4 * 16);
    for (long i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, work, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < BLOCKS; i++)
        free(malloc(16 + i % 4 * 16));
    puts("done");
    return 0;
}
