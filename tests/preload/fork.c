/* fork at any moment of any thread: the child goes on with the heap it inherits. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

enum { SLOTS = 256, OWN = 150, THREADS = 4 };
struct held {
    size_t size;
    unsigned char bytes[];
};
static _Atomic(struct held *) shared[SLOTS];
static atomic_bool stopping;

static struct held *make(size_t size) {
    struct held *block = malloc(sizeof *block + size);
    if (!block) abort();
    block->size = size;
    fill(block->bytes, size, size);
    return block;
}

static int verify(const struct held *block) { return intact(block->bytes, block->size, block->size) == block->size; }

static size_t some_size(uint64_t *state) {
    uint64_t kind = next_random(state) % 200;
    return next_random(state) % (kind == 0 ? 150000 : kind < 20 ? 6000 : 400);
}

/* Replace random shared blocks; most are freed by another thread than made them. */
static void *exchange(void *seed) {
    uint64_t state = (uintptr_t)seed * 7919 + 1;
    while (!stopping) {
        size_t slot = next_random(&state) % SLOTS;
        struct held *block = atomic_exchange(&shared[slot], make(some_size(&state)));
        if (block) {
            if (!verify(block)) abort();
            free(block);
        }
    }
    return NULL;
}

static int waited(pid_t child) {
    int status;
    return waitpid(child, &status, 0) == child ? status : -1;
}

/* In a child: everything inherited is intact and can be freed, and the heap works; then once more in its child.
 * Returns the exit status. */
static int use_the_inherited_heap(struct held **own, int depth) {
    alarm(20);
    for (int i = 0; i < OWN; i++) {
        if (!verify(own[i])) return 10 + depth;
        free(own[i]);
    }
    for (int i = 0; i < SLOTS; i++) {
        struct held *block = atomic_exchange(&shared[i], NULL);
        if (block && !verify(block)) return 20 + depth;
        free(block);
    }
    uint64_t state = 5;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < OWN; i++) own[i] = make(some_size(&state));
        for (int i = 0; i < OWN && round < 2; i++) {
            if (!verify(own[i])) return 30 + depth;
            free(own[i]);
        }
    }
    if (depth) return 0;
    pid_t child = fork();
    if (child == 0) _exit(use_the_inherited_heap(own, 1));
    int status = waited(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 40 + WTERMSIG(status);
}

static void expect_clean_exit(pid_t child, const char *where) {
    int status = waited(child);
    EXPECT(status == 0, "%s: exit status %d, signal %d (14: it hung)", where, WEXITSTATUS(status), WTERMSIG(status));
}

static pthread_t workers[THREADS];
static void start_workers(void) {
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&workers[i], NULL, exchange, (void *)(i + 1))) abort();
}
static void stop_workers(void) {
    stopping = 1;
    for (int i = 0; i < THREADS; i++) pthread_join(workers[i], NULL);
}

CHECK(a_child_goes_on_while_four_threads_were_in_mid_call) {
    static struct held *own[OWN];
    uint64_t state = 99;
    start_workers();
    for (int round = 0, last = rounds_of(200); round < last; round++) {
        for (int i = 0; i < OWN; i++) own[i] = make(some_size(&state));
        pid_t child = fork();
        if (child == 0) _exit(use_the_inherited_heap(own, 0));
        expect_clean_exit(child, "child");
        for (int i = 0; i < OWN; i++) {
            EXPECT(verify(own[i]), "round %d: block %d of the parent", round, i);
            free(own[i]);
        }
    }
    stop_workers();
}

static void *forks_from_a_thread(void *seed) {
    struct held *own[OWN];
    uint64_t state = (uintptr_t)seed;
    for (int round = 0, last = rounds_of(30); round < last; round++) {
        for (int i = 0; i < OWN; i++) own[i] = make(some_size(&state));
        pid_t child = fork();
        if (child == 0) _exit(use_the_inherited_heap(own, 0));
        expect_clean_exit(child, "child of a thread");
        for (int i = 0; i < OWN; i++) free(own[i]);
    }
    return NULL;
}

CHECK(threads_fork_while_threads_allocate) {
    pthread_t forking[2];
    start_workers();
    for (uintptr_t i = 0; i < 2; i++) pthread_create(&forking[i], NULL, forks_from_a_thread, (void *)(i + 1));
    for (int i = 0; i < 2; i++) pthread_join(forking[i], NULL);
    stop_workers();
}

static void *verify_own_blocks(void *seed) {
    uint64_t state = (uintptr_t)seed + 3;
    intptr_t wrong = 0;
    for (int round = 0; round < 20; round++) {
        struct held *block[100];
        for (int i = 0; i < 100; i++) block[i] = make(some_size(&state));
        for (int i = 0; i < 100; i++) wrong += !verify(block[i]), free(block[i]);
    }
    return (void *)wrong;
}

CHECK(a_child_can_start_threads_and_exit_normally) {
    start_workers();
    for (int round = 0, last = rounds_of(40); round < last; round++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            pthread_t thread[3];
            intptr_t wrong = 0;
            void *result;
            for (uintptr_t i = 0; i < 3; i++)
                if (pthread_create(&thread[i], NULL, verify_own_blocks, (void *)i)) exit(5);
            for (int i = 0; i < 3; i++) pthread_join(thread[i], &result), wrong += (intptr_t)result;
            exit(wrong ? 6 : 0);
        }
        expect_clean_exit(child, "child with threads");
    }
    stop_workers();
}

static struct held *around[3];
static void in_prepare(void) { around[0] = make(100); }
static void in_parent(void) { around[1] = make(2000), free(around[0]); }
static void in_child(void) { around[2] = make(70000), free(around[0]); }

CHECK(handlers_of_atfork_may_allocate_and_free) {
    if (pthread_atfork(in_prepare, in_parent, in_child)) abort();
    start_workers();
    for (int round = 0, last = rounds_of(50); round < last; round++) {
        pid_t child = fork();
        if (child == 0) _exit(verify(around[2]) ? 0 : 7);
        expect_clean_exit(child, "child of atfork");
        EXPECT(verify(around[1]), "the parent's block of round %d", round);
        free(around[1]);
    }
    stop_workers();
}

CHECK(other_ways_to_start_a_process_work_while_threads_allocate) {
    extern char **environ;
    char *argv[] = {"true", NULL};
    start_workers();
    for (int round = 0; round < 20; round++) {
        pid_t child;
        EXPECT(posix_spawnp(&child, "true", NULL, NULL, argv, environ) == 0, "posix_spawnp in round %d", round);
        expect_clean_exit(child, "posix_spawnp");
        EXPECT(system("exit 3") == 3 << 8, "system in round %d", round);
    }
    stop_workers();
}
