/* Witnesses of bugs between threads, and across fork. */
#include "witness.h"

/* Each thread fills its blocks with its number, and returns itself when a byte changed. */
static void *churn(void *me, size_t size, int resize) {
    enum { BLOCKS = 8 };
    int byte = (int)(intptr_t)me;
    char *p[BLOCKS];
    for (int round = 0; round < 40000; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            p[i] = lib.malloc(size);
            if (resize) p[i] = lib.realloc(p[i], 3 * size);
            memset(p[i], byte, 32);
        }
        for (int i = 0; i < BLOCKS; i++) {
            for (int j = 0; j < 32; j++)
                if (p[i][j] != byte) return me;
            lib.free(p[i]);
        }
    }
    return NULL;
}

static void *churn_small(void *me) { return churn(me, 32, 0); }
static void *churn_resized(void *me) { return churn(me, 32, 1); }

static void *churn_large(void *me) {
    for (int round = 0; round < 300000; round++) {
        char *p = lib.malloc(40000);
        if (!p) return me;
        p[0] = (char)(intptr_t)me;
        for (volatile int i = 0; i < 20; i++) continue;
        if (p[0] != (char)(intptr_t)me) return me;
        lib.free(p);
    }
    return NULL;
}

int breaks_free_without_lock(void) { return hammer(4, churn_small); }
int breaks_realloc_without_lock(void) { return hammer(4, churn_resized); }
int breaks_large_without_lock(void) { return hammer(4, churn_large); }

static void *allocates(void *size) { return lib.malloc((size_t)size); }
static void *swaps(void *p) { return lib.free(p), lib.malloc(100); }
static void *leaves_one(void *unused) { return (void)unused, lib.free(lib.malloc(100)), NULL; }

static void *frees_all(void *list) {
    for (void **p = list; *p; p++) lib.free(*p);
    return NULL;
}

static void freed_elsewhere(void) {
    void *p[101] = {0};
    for (int i = 0; i < 100; i++) p[i] = lib.malloc(100);
    in_thread(frees_all, p);
}

int show_remote_free_never_taken_back(void) { return grows(freed_elsewhere, 300); }

int show_remote_free_twice(void) {
    void *theirs = in_thread(swaps, lib.malloc(100));
    return lib.malloc(100) == theirs;
}

int show_exited_cache_reused(void) {
    in_thread(leaves_one, NULL);
    void *mine = lib.malloc(100);
    return in_thread(allocates, (void *)100) == mine;
}

int dies_exited_owner_unmapped(void) {
    lib.malloc(100); /* a cache of ours, so that it does not take the place of theirs */
    lib.free(in_thread(allocates, (void *)100));
    return 0;
}

static void *live;

static int child_cache(void) {
    void *a = lib.malloc(100), *b = lib.malloc(100);
    return a == b;
}

int show_fork_child_cache_twice(void) {
    lib.free(lib.malloc(100));
    return in_child(child_cache);
}

static int child_reuses(void) { return lib.malloc(100) == live; }

int show_fork_child_starts_over(void) {
    live = lib.malloc(100);
    return in_child(child_reuses);
}

static int nothing(void) { return 0; }

int dies_fork_parent_stays_locked(void) {
    lib.malloc(100);
    in_child(nothing);
    alarm(1);
    lib.malloc(100);
    return 0;
}

static volatile int stop;

static void *until_stopped(void *unused) {
    while (!stop) lib.free(lib.malloc(100));
    return (void)unused, NULL;
}

static int child_allocates(void) { return lib.free(lib.malloc(100)), 0; }

int show_fork_while_locked(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, until_stopped, NULL);
    int hung = 0;
    for (int i = 0; i < 300 && !hung; i++) hung = in_child(child_allocates) != 0;
    stop = 1;
    return hung;
}

static void *measures(void *p) { return (void *)lib.malloc_usable_size(p); }

int show_usable_of_anothers(void) { return (size_t)in_thread(measures, lib.malloc(100)) < 100; }

int show_thread_table_256(void) {
    for (int i = 0; i < 300; i++)
        if (!in_thread(allocates, (void *)100)) return 1;
    return 0;
}

static void *churn_tiny(void *me) {
    for (int round = 0; round < 1000000; round++) {
        volatile char *p = lib.malloc(16);
        *p = (char)(intptr_t)me;
        for (volatile int i = 0; i < 20; i++) continue;
        if (*p != (char)(intptr_t)me) return me;
        lib.free((void *)p);
    }
    return NULL;
}

int breaks_ninth_thread_shares(void) { return hammer(16, churn_tiny); }

int dies_fork_registers_again(void) { /* this process is the child of a fork already */
    alarm(1);
    return in_child(nothing), 0;
}

static void *forks(void *unused) {
    (void)unused;
    lib.free(lib.malloc(100));
    return (void *)(intptr_t)in_child(child_cache);
}

int show_fork_by_later_thread(void) {
    lib.malloc(100); /* the first cache is this thread's */
    return in_thread(forks, NULL) != NULL;
}

static pthread_key_t leaving;
static void *late; /* what a thread frees when its cache is gone */

static void leaves(void *p) { lib.free(late = p); }

static void *ends_with(void *p) {
    lib.free(lib.malloc(16));
    pthread_key_create(&leaving, leaves); /* younger than the library's */
    return pthread_setspecific(leaving, p), NULL;
}

static void *takes_two(void *unused) {
    void *a = lib.malloc(16), *b = lib.malloc(16);
    return (void)unused, (void *)(intptr_t)(a == b);
}

int show_dying_thread_keeps_cache(void) {
    in_thread(ends_with, lib.malloc(16));
    return in_thread(takes_two, NULL) != NULL;
}
