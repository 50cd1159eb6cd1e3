/* Thread-specific keys: the program has used them all, or its destructors allocate and free after the library's has run. */
#include "check.h"

#include <pthread.h>

enum { KEYS_MAX = 1024 };

static void *another_thread(void *key) {
    int mine;
    pthread_setspecific(*(pthread_key_t *)key, &mine);
    free(malloc(100));
    EXPECT(pthread_getspecific(*(pthread_key_t *)key) == &mine, "the program's own value is gone");
    free(malloc(100000));
    EXPECT(pthread_getspecific(*(pthread_key_t *)key) == &mine, "the program's own value is gone");
    pthread_setspecific(*(pthread_key_t *)key, NULL);
    return NULL;
}

static pthread_key_t keys[KEYS_MAX];
static int key_count;

/* Before the library's first call: a static program's main has not allocated yet. */
__attribute__((constructor(101))) static void take_all_keys(void) {
    if (!getenv("TAKE_ALL_KEYS")) return;
    while (key_count < KEYS_MAX && !pthread_key_create(&keys[key_count], NULL)) key_count++;
}

CHECK(a_program_that_uses_every_key_keeps_their_values) {
    pthread_t thread;
    EXPECT(key_count > 900, "only %d keys", key_count);
    for (int i = 0; i < key_count; i++) {
        int error = pthread_create(&thread, NULL, another_thread, &keys[i]);
        EXPECT(error == 0, "pthread_create");
        pthread_join(thread, NULL);
    }
}

static pthread_key_t late;
static atomic_int runs;

/* Each run allocates, frees, and asks for another; the system stops after PTHREAD_DESTRUCTOR_ITERATIONS. */
static void allocates_when_its_thread_exits(void *block) {
    unsigned char *fresh = malloc(500);
    runs++;
    fill(fresh, 500, 1);
    EXPECT(intact(block, 500, 1) == 500, "contents");
    free(block);
    pthread_setspecific(late, fresh);
}

static void *leaves_a_block(void *unused) {
    unsigned char *block = malloc(500);
    fill(block, 500, 1);
    pthread_setspecific(late, block);
    return unused;
}

CHECK(a_destructor_that_allocates_each_time_it_runs_costs_no_heap_a_thread) {
    free(malloc(100)); /* the library's key comes first, so its destructor does, too */
    pthread_key_create(&late, allocates_when_its_thread_exits);
    size_t before = 0;
    for (int i = 0; i < 1500; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, leaves_a_block, NULL);
        pthread_join(thread, NULL);
        if (i == 499) before = process_bytes(RESIDENT);
    }
    size_t after = process_bytes(RESIDENT);
    EXPECT(runs >= 3000, "%d runs", runs);
    EXPECT(after < before + 4 * MIB, "%zu bytes more after a thousand threads", after - before);
}

enum { HANDED = 64 };
static _Atomic(unsigned char *) handed[HANDED];

/* Hands on blocks that it allocates as late as a thread can, and frees others' in their place. */
static void hands_on_when_its_thread_exits(void *runs_left) {
    uint64_t random = (uintptr_t)&random | 1;
    if ((uintptr_t)runs_left > 1) pthread_setspecific(late, (void *)((uintptr_t)runs_left - 1));
    for (int i = 0; i < 100; i++) {
        size_t size = 2 + next_random(&random) % 2000;
        unsigned char *block = i % 3 ? malloc(size) : aligned_alloc(64, size);
        block = realloc(block, size + i);
        block[0] = (unsigned char)size, block[1] = (unsigned char)(size >> 8);
        fill(block + 2, size - 2, size);
        block = atomic_exchange(&handed[next_random(&random) % HANDED], block);
        if (!block) continue;
        size = block[0] | block[1] << 8;
        EXPECT(intact(block + 2, size - 2, size) == size - 2, "contents of %zu bytes", size);
        free(block);
    }
}

static void *exits(void *unused) {
    pthread_setspecific(late, (void *)4);
    free(malloc(100));
    return unused;
}

static size_t usable_at_exit;

static void measures_when_its_thread_exits(void *unused) {
    (void)unused;
    void *block = malloc(17);
    usable_at_exit = malloc_usable_size(block);
    free(block);
}

static void *leaves_a_value(void *unused) {
    pthread_setspecific(late, &usable_at_exit);
    free(malloc(17));
    return unused;
}

/* Unwinding may want the loader's lock. */
CHECK(no_stack_is_unwound_under_the_lock_that_exiting_threads_share) {
    pthread_t thread;
    void *block = malloc(17);
    EXPECT(malloc_usable_size(block) == 17, "the block is no sample: %zu bytes", malloc_usable_size(block));
    free(block);
    pthread_key_create(&late, measures_when_its_thread_exits);
    pthread_create(&thread, NULL, leaves_a_value, NULL);
    pthread_join(thread, NULL);
    EXPECT(usable_at_exit > 17, "%zu bytes, as only a sample has", usable_at_exit);
}

CHECK(blocks_of_exiting_threads_keep_their_bytes_and_can_be_freed_by_any) {
    free(malloc(100));
    pthread_key_create(&late, hands_on_when_its_thread_exits);
    for (int round = 0; round < 100; round++) {
        pthread_t threads[4];
        for (size_t i = 0; i < COUNT(threads); i++) pthread_create(&threads[i], NULL, exits, NULL);
        for (size_t i = 0; i < COUNT(threads); i++) pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < HANDED; i++) free(handed[i]);
}
