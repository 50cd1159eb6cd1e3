/* So many blocks, spread over a slab, are freed by another thread, a batch at a time; their owner collects each batch. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

enum { SLOTS = 4000, BATCH = 16 };

static void *block[SLOTS];
static sem_t wanted, done;
static int at;

static void *frees(void *unused) {
    for (;;) {
        sem_wait(&wanted);
        if (at < 0) return unused;
        for (int i = 0; i < BATCH; i++) {
            free(block[at]);
            block[at] = NULL;
            at = (at + 257) % SLOTS;
        }
        sem_post(&done);
    }
}

int main(int argc, char **argv) {
    pthread_t thread;
    int count = argc > 1 ? atoi(argv[1]) : 0;
    sem_init(&wanted, 0, 0), sem_init(&done, 0, 0);
    pthread_create(&thread, NULL, frees, NULL);
    for (int i = 0; i < SLOTS; i++) block[i] = malloc(16);
    for (int freed = 0; freed < count; freed += BATCH) {
        int start = at;
        sem_post(&wanted), sem_wait(&done);
        /* As many again; whenever the 64 at hand are used up, the owner looks what has been freed. */
        for (int i = start; i != at; i = (i + 257) % SLOTS) block[i] = malloc(16);
    }
    at = -1;
    sem_post(&wanted);
    return pthread_join(thread, NULL);
}
