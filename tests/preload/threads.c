/* Threads which come and go, free each other's blocks, or only free; nothing they leave behind piles up. */
#include "check.h"

#include <pthread.h>
#include <semaphore.h>

static void run_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument)) abort();
    pthread_join(thread, NULL);
}

static void *uses_and_frees(void *seed) {
    uint64_t state = (uintptr_t)seed * 31 + 7;
    void *block[60];
    for (size_t i = 0; i < COUNT(block); i++) {
        size_t size = next_random(&state) % (i % 20 ? 1000 : 50000);
        block[i] = malloc(size);
        memset(block[i], 1, size);
    }
    for (size_t i = 0; i < COUNT(block); i++) free(block[i]);
    return NULL;
}

CHECK(ten_thousand_short_threads_leave_nothing_behind) {
    for (uintptr_t i = 0; i < 1000; i++) run_thread(uses_and_frees, (void *)i);
    size_t resident = process_bytes(RESIDENT), space = process_bytes(ADDRESS_SPACE);
    for (uintptr_t i = 0; i < 10000; i++) run_thread(uses_and_frees, (void *)i);
    size_t more = process_bytes(RESIDENT) - resident, wider = process_bytes(ADDRESS_SPACE) - space;
    EXPECT(process_bytes(RESIDENT) < resident + 8 * MIB, "%zu bytes more resident", more);
    EXPECT(process_bytes(ADDRESS_SPACE) < space + 64 * MIB, "%zu bytes more address space", wider);
}

enum { LEFT = 400 };
static unsigned char *left[LEFT];

static void *leaves_blocks(void *seed) {
    for (size_t i = 0; i < LEFT; i++) fill(left[i] = malloc(i * 5), i * 5, i + (uintptr_t)seed);
    return NULL;
}

CHECK(blocks_outlive_their_thread_and_are_reused_when_freed) {
    size_t resident = 0;
    for (uintptr_t round = 0; round < 2000; round++) {
        run_thread(leaves_blocks, (void *)round);
        for (size_t i = 0; i < LEFT; i++) {
            EXPECT(intact(left[i], i * 5, i + round) == i * 5, "round %lu, block %zu", (unsigned long)round, i);
            free(left[i]);
        }
        if (round == 200) resident = process_bytes(RESIDENT);
    }
    size_t after = process_bytes(RESIDENT);
    EXPECT(after < resident + 16 * MIB, "1,800 rounds of 400 kB left %zu bytes resident", after - resident);
}

enum { SLOTS = 1024, MESSAGES = 1000000 };
static unsigned char *queue[SLOTS];
static sem_t filled_slots, empty_slots;
static size_t size_of_message(size_t number) { return number % 5000 ? 16 + number * 37 % 500 : 100000; }

static void *consumes(void *wrong) {
    for (size_t i = 0; i < MESSAGES; i++) {
        sem_wait(&filled_slots);
        unsigned char *block = queue[i % SLOTS];
        sem_post(&empty_slots);
        if (intact(block, 16, i) != 16) ++*(size_t *)wrong;
        free(block);
    }
    return NULL;
}

CHECK(what_one_thread_makes_another_frees_without_growth) {
    size_t wrong = 0, resident = 0, peak = 0;
    pthread_t consumer;
    sem_init(&filled_slots, 0, 0), sem_init(&empty_slots, 0, SLOTS);
    if (pthread_create(&consumer, NULL, consumes, &wrong)) abort();
    for (size_t i = 0; i < MESSAGES; i++) {
        unsigned char *block = malloc(size_of_message(i));
        fill(block, 16, i);
        sem_wait(&empty_slots);
        queue[i % SLOTS] = block;
        sem_post(&filled_slots);
        if (i == MESSAGES / 10) resident = process_bytes(RESIDENT);
        if (i % 10000 == 0 && process_bytes(RESIDENT) > peak) peak = process_bytes(RESIDENT);
    }
    pthread_join(consumer, NULL);
    EXPECT(wrong == 0, "%zu messages arrived changed", wrong);
    EXPECT(peak < resident + 24 * MIB, "resident %zu bytes after a tenth, %zu at the peak", resident, peak);
}

enum { BATCH = 20000 };
static unsigned char *batch[BATCH];
static sem_t batch_is_full, batch_is_empty;

static void *only_frees(void *rounds) {
    for (size_t round = 0; round < (uintptr_t)rounds; round++) {
        sem_wait(&batch_is_full);
        for (size_t i = 0; i < BATCH; i++) free(batch[i]);
        sem_post(&batch_is_empty);
    }
    return NULL;
}

CHECK(a_thread_which_only_frees_returns_all_memory_to_use) {
    const size_t rounds = 60;
    size_t resident = 0;
    pthread_t thread;
    sem_init(&batch_is_full, 0, 0), sem_init(&batch_is_empty, 0, 0);
    if (pthread_create(&thread, NULL, only_frees, (void *)rounds)) abort();
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < BATCH; i++) {
            batch[i] = malloc(i % 997);
            memset(batch[i], 1, i % 997);
        }
        sem_post(&batch_is_full);
        sem_wait(&batch_is_empty);
        if (round == 5) resident = process_bytes(RESIDENT);
    }
    pthread_join(thread, NULL);
    size_t after = process_bytes(RESIDENT);
    EXPECT(after < resident + 16 * MIB, "%zu rounds of 10 MB left %zu bytes resident", rounds, after - resident);
}

static _Atomic(unsigned char *) handed[256];
static atomic_bool done;

static void *frees_what_is_handed(void *unused) {
    (void)unused;
    while (!done)
        for (size_t i = 0; i < COUNT(handed); i++) {
            unsigned char *block = atomic_exchange(&handed[i], NULL);
            if (!block) continue;
            EXPECT(intact(block, 200, i) == 200, "a handed block changed");
            free(block);
        }
    return NULL;
}

static void *hands_over_and_exits(void *unused) {
    for (size_t i = 0; i < COUNT(handed); i++) {
        unsigned char *block = malloc(200);
        fill(block, 200, i);
        free(atomic_exchange(&handed[i], block));
    }
    return unused;
}

CHECK(blocks_freed_while_their_thread_exits_are_not_lost) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, frees_what_is_handed, NULL)) abort();
    size_t resident = 0;
    for (int round = 0; round < 8000; round++) {
        if (round == 1000) resident = process_bytes(RESIDENT);
        run_thread(hands_over_and_exits, NULL);
    }
    done = 1;
    pthread_join(thread, NULL);
    size_t after = process_bytes(RESIDENT);
    EXPECT(after < resident + 16 * MIB, "7,000 threads with 50 kB each left %zu bytes resident", after - resident);
}

/* A destructor of thread-specific data which allocates and frees, and asks to be called again as often as allowed. */
static pthread_key_t keys[3];
static atomic_ulong destructor_calls;
struct specific {
    int calls;
    pthread_key_t key;
    unsigned char *block;
};

static void destroys(void *data) {
    struct specific *old = data, *again = malloc(sizeof *again);
    atomic_fetch_add(&destructor_calls, 1);
    EXPECT(intact(old->block, 700, (uint64_t)old->calls) == 700, "call %d", old->calls);
    *again = (struct specific){old->calls + 1, old->key, malloc(700)};
    fill(again->block, 700, (uint64_t)again->calls);
    free(old->block), free(old);
    for (int i = 0; i < 100; i++) free(malloc((size_t)i * 50));
    if (again->calls < 4) pthread_setspecific(again->key, again);
    else free(again->block), free(again);
}

__attribute__((constructor)) static void make_a_key_early(void) { pthread_key_create(&keys[0], destroys); }

static void *sets_specific_data(void *unused) {
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct specific *data = malloc(sizeof *data);
        *data = (struct specific){0, keys[i], malloc(700)};
        fill(data->block, 700, 0);
        pthread_setspecific(keys[i], data);
    }
    return unused;
}

CHECK(destructors_of_thread_specific_data_may_allocate_and_free) {
    pthread_key_create(&keys[1], destroys), pthread_key_create(&keys[2], destroys);
    size_t resident = 0;
    for (int round = 0; round < 4000; round++) {
        if (round == 1000) resident = process_bytes(RESIDENT);
        run_thread(sets_specific_data, NULL);
    }
    EXPECT(destructor_calls >= 4000 * 3 * 4, "%lu calls of the destructor", (unsigned long)destructor_calls);
    size_t after = process_bytes(RESIDENT);
    EXPECT(after < resident + 8 * MIB, "3,000 threads left %zu bytes resident", after - resident);
}
