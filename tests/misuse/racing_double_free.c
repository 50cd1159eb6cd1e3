/* Two threads free the same block at the same moment, 20,000 times; `racing_double_free owner`: one is its owner.
 * Each time exactly one of the two frees is a misuse. */
#include "misuse.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { ROUNDS = 20000 };
static _Atomic(void *) block;
static atomic_int round_number, finished;

static void *frees(void *unused) {
    for (int round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&round_number) < round) sched_yield();
        free(atomic_load(&block));
        atomic_fetch_add(&finished, 1);
    }
    return unused;
}

int main(int argc, char **argv) {
    int owner_races = argc > 1 && !strcmp(argv[1], "owner"), racers = owner_races ? 1 : 2;
    pthread_t thread[2];
    for (int i = 0; i < racers; i++) pthread_create(&thread[i], NULL, frees, NULL);
    for (int round = 1; round <= ROUNDS; round++) {
        block = malloc(60);
        atomic_store(&round_number, round);
        if (owner_races) free(block);
        while (atomic_load(&finished) < round * racers) sched_yield();
    }
    for (int i = 0; i < racers; i++) pthread_join(thread[i], NULL);
    printf("rounds %d\n", ROUNDS);
    return went_on();
}
