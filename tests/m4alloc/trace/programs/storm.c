/* Forks again and again while other threads are in the middle of calls: `storm FORKS`. Exits with 0 when every child
 * did. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int stop;

static void *churn(void *unused)
{
    void *kept[32] = {0};
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        free(kept[i % 32]);
        kept[i % 32] = i % 3 ? malloc(1 + i % 2000) : realloc(malloc(100), 50 + i % 900);
    }
    for (int i = 0; i < 32; i++)
        free(kept[i]);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t threads[3];
    int failed = 0, forks = argc > 1 ? atoi(argv[1]) : 1;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, churn, NULL);
    for (int i = 0; i < forks; i++) {
        char *own = malloc(777);
        pid_t child = fork();
        if (child == 0) {
            pthread_t thread;
            free(own);
            for (int j = 0; j < 500; j++)
                free(malloc(j));
            atomic_store(&stop, 1);
            pthread_create(&thread, NULL, churn, NULL);
            pthread_join(thread, NULL);
            if (i % 2)
                exit(0);
            _exit(0);
        }
        free(own);
        int status;
        waitpid(child, &status, 0);
        failed += status != 0;
        usleep(1000);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    printf("%d failed\n", failed);
    return failed != 0;
}
