/* Two threads do to one block, at the same moment, what only one of them may do. */
#include "harness.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { ROUNDS = 300 };
enum race { FREE_FREE, OWNER_FREE, FREE_REALLOC, REALLOC_REALLOC };

static _Atomic(unsigned char *) contested[2]; /* what each thread is to free; the same one, or one each */
static atomic_int go, ready, done;
static enum race race;
static size_t race_size;

static void act(int who) {
    unsigned char *p = atomic_load(&contested[who]);
    bool resizes = race == REALLOC_REALLOC || (race == FREE_REALLOC && who == 1);
    if (resizes) p = realloc(hidden(p), race_size * 4);
    give_back(p);
}

static void *acts(void *who) {
    for (int round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&go) < round) sched_yield();
        atomic_fetch_add(&ready, 1);
        while (atomic_load(&ready) < 2 * round) sched_yield(); /* both at once */
        act(who != NULL);
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static enum outcome at_once(size_t size, long which) {
    pthread_t thread[2];
    go = ready = done = 0;
    race = (enum race)which;
    race_size = size;
    surround(size);
    bool owner = race == OWNER_FREE;
    for (int i = owner; i < 2; i++)
        if (pthread_create(&thread[i], NULL, acts, i ? &race : NULL)) must(NULL);
    armed();
    for (int round = 1; round <= ROUNDS; round++) {
        contested[0] = take(size);
        contested[1] = wrong ? contested[0] : take(size);
        atomic_store(&go, round);
        if (owner) {
            atomic_fetch_add(&ready, 1);
            while (atomic_load(&ready) < 2 * round) sched_yield();
            act(0);
            atomic_fetch_add(&done, 1);
        }
        while (atomic_load(&done) < 2 * round) sched_yield();
    }
    returned();
    for (int i = owner; i < 2; i++) pthread_join(thread[i], NULL);
    give_back(block[VICTIM]);
    return consequences(size);
}

#define STATE "state of the block, exchanged atomically"
static const struct wrong table[] = {
    {"two free", "two threads free one block at once, 300 times", STATE, at_once, FREE_FREE, THREE},
    {"owner and another free", "its owner and another thread free it at once", STATE, at_once, OWNER_FREE, THREE},
    {"free and realloc", "one thread frees, another resizes", STATE, at_once, FREE_REALLOC, THREE},
    {"two realloc", "two threads resize one block at once", STATE, at_once, REALLOC_REALLOC, THREE},
};
CATEGORY(races, "races", table);
