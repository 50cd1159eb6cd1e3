/* A soak: threads that come and go exchange blocks made by every function of the family, and forked children go on
 * with what they inherit. Each block holds a pattern derived from its address, its size and the thread that made it,
 * checked whenever the block changes hands and before it is freed.
 *
 * `soak THREADS SECONDS SEED` prints what was done; status 1 when a byte was lost. */
#define main unused_main
#include "check.h"
#undef main

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#ifndef SOAK_INSIDE /* not when sanitized.c puts the core's own functions in the place of the C library's */
extern void free_sized(void *, size_t) __attribute__((weak)); /* C23; not every C library has them */
extern void free_aligned_sized(void *, size_t, size_t) __attribute__((weak));
enum { FORKS = 1 };
#endif

enum { SLOTS = 2048, OWN = 48, THREADS = 64, CALLS = 20000, CHILD_CALLS = 1500 };
enum how { PLAIN, ALIGNED, WHOLE }; /* how a block may be freed: by its size, by alignment and size, by free alone */

struct held {
    uint64_t seed;
    size_t size; /* of the whole block, as asked for */
    uint32_t owner;
    uint16_t how, shift; /* its alignment is 1 << shift */
    uint64_t words[];
};

static _Atomic(struct held *) shared[SLOTS];
static atomic_bool stopping;
static atomic_ulong checked, lost, threads_run, children;
static atomic_uint owners;
static uint64_t first_seed;

static void complain(const char *what, const struct held *block) {
    if (atomic_fetch_add(&lost, 1) < 10)
        dprintf(2, "%s: %zu bytes at %p, made by thread %u\n", what, block->size, (const void *)block, block->owner);
}

static uint64_t seed_of(const struct held *block, size_t size, uint32_t owner) {
    uint64_t seed = ((uintptr_t)block ^ size * 0x9e3779b97f4a7c15u ^ (uint64_t)owner << 40) * 0xd6e8feb86659fd93u;
    return seed ^ seed >> 32;
}

static size_t words_in(size_t size) { return (size - sizeof(struct held)) / 8; }

static struct held *fill_block(struct held *block, size_t size, uint32_t owner, enum how how, int shift) {
    uint64_t seed = seed_of(block, size, owner);
    *block = (struct held){seed, size, owner, (uint16_t)how, (uint16_t)shift};
    for (size_t i = 0; i < words_in(size); i++) block->words[i] = seed + i * 0x2545f4914f6cdd1du;
    memset(block->words + words_in(size), (int)(seed & 0xff), size % 8); /* the header is a multiple of 8 bytes */
    return block;
}

/* Checks the first `size` bytes of what was filled at the address `at`. */
static void verify(const struct held *block, const struct held *at, size_t size, const char *where) {
    uint64_t seed = seed_of(at, block->size, block->owner);
    atomic_fetch_add_explicit(&checked, 1, memory_order_relaxed);
    if (block->seed != seed) return complain(where, block);
    for (size_t i = 0; i < words_in(size); i++)
        if (block->words[i] != seed + i * 0x2545f4914f6cdd1du) return complain(where, block);
    for (size_t i = 0; size == block->size && i < size % 8; i++)
        if (((const unsigned char *)(block->words + words_in(size)))[i] != (seed & 0xff)) return complain(where, block);
}

static size_t some_size(uint64_t *state) {
    uint64_t kind = next_random(state) % 4096;
    size_t most = kind == 0 ? 6 * MIB : kind < 16 ? 400000 : kind < 120 ? 70000 : kind < 800 ? 4000 : 300;
    return sizeof(struct held) + next_random(state) % most;
}

static struct held *make(uint64_t *state, uint32_t owner) {
    size_t size = some_size(state);
    int shift = 4 + (int)(next_random(state) % (size > 100000 ? 13 : 9));
    enum how how = PLAIN;
    void *made = NULL;
    switch (next_random(state) % 12) {
    case 0: made = calloc(1, size); break;
    case 1: made = calloc(size / 8 + 1, 8), size = (size / 8 + 1) * 8; break;
    case 2: made = aligned_alloc((size_t)1 << shift, size), how = ALIGNED; break;
    case 3: how = posix_memalign(&made, (size_t)1 << shift, size) ? PLAIN : ALIGNED; break;
    case 4: made = memalign((size_t)1 << shift, size), how = ALIGNED; break;
    case 5: made = realloc(NULL, size); break;
    case 6: made = reallocarray(NULL, size / 16 + 1, 16), size = (size / 16 + 1) * 16; break;
    case 7:
        made = malloc(size);
        if (made) size = malloc_usable_size(made), how = WHOLE; /* every usable byte belongs to the block */
        break;
    default: made = malloc(size);
    }
    if (!made) abort();
    if (how != ALIGNED) shift = 4;
    if ((uintptr_t)made & (((uintptr_t)1 << shift) - 1)) atomic_fetch_add(&lost, 1), dprintf(2, "%p: not aligned\n", made);
    return fill_block(made, size, owner, how, shift);
}

static struct held *make_zeroed(uint64_t *state, uint32_t owner) {
    size_t size = some_size(state);
    unsigned char *made = calloc(1, size);
    if (!made) abort();
    if (zeroes(made, size) != size) atomic_fetch_add(&lost, 1), dprintf(2, "calloc(%zu): not zero\n", size);
    return fill_block((struct held *)made, size, owner, PLAIN, 4);
}

static struct held *resize(struct held *block, uint64_t *state, uint32_t owner) {
    size_t size = next_random(state) % 8 ? some_size(state) : block->size + next_random(state) % 64;
    size_t kept = size < block->size ? size : block->size;
    const struct held *before = block;
    uint64_t by_array = next_random(state) % 3;
    if (by_array == 0) size = (size + 15) / 16 * 16;
    block = by_array == 0 ? reallocarray(block, size / 16, 16) : realloc(block, size);
    if (!block) abort();
    verify(block, before, kept, "after realloc");
    return fill_block(block, size, owner, PLAIN, 4);
}

static void give_back(struct held *block, uint64_t *state) {
    verify(block, block, block->size, "before free");
    uint64_t kind = next_random(state) % 4;
    if (kind == 0 && block->how == PLAIN && free_sized) free_sized(block, block->size);
    else if (kind == 0 && block->how == ALIGNED && free_aligned_sized)
        free_aligned_sized(block, (size_t)1 << block->shift, block->size);
    else if (kind == 1 && block->how == PLAIN && next_random(state) % 8 == 0)
        free(realloc(block, 0)); /* NULL, or a new block of no size */
    else free(block);
}

static void exchanges(uint64_t *state, uint32_t owner, size_t calls) {
    struct held *own[OWN] = {0};
    for (size_t call = 0; call < calls && !stopping; call++) {
        struct held **mine = &own[next_random(state) % OWN];
        if (!*mine) *mine = next_random(state) % 64 ? make(state, owner) : make_zeroed(state, owner);
        if (next_random(state) % 4 == 0) *mine = resize(*mine, state, owner);
        *mine = atomic_exchange(&shared[next_random(state) % SLOTS], *mine);
        if (*mine && next_random(state) % 2) {
            give_back(*mine, state);
            *mine = NULL;
        }
    }
    for (size_t i = 0; i < OWN; i++) { /* what finds a free slot outlives its thread */
        struct held *left = own[i] ? atomic_exchange(&shared[next_random(state) % SLOTS], own[i]) : NULL;
        if (left) give_back(left, state);
    }
}

static void *thread_of_child(void *state) {
    exchanges(state, atomic_fetch_add(&owners, 1), CHILD_CALLS);
    return NULL;
}

/* The child has this thread only: it checks and uses what it inherits, alone and with new threads, and frees it all. */
static int child_goes_on(uint64_t *state, uint32_t owner) {
    pthread_t thread[2];
    uint64_t states[2] = {next_random(state), next_random(state)};
    atomic_store(&lost, 0);
    atomic_store(&stopping, 0);
    exchanges(state, owner, CHILD_CALLS);
    for (size_t i = 0; i < COUNT(thread); i++)
        if (pthread_create(&thread[i], NULL, thread_of_child, &states[i])) abort();
    exchanges(state, owner, CHILD_CALLS);
    for (size_t i = 0; i < COUNT(thread); i++) pthread_join(thread[i], NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        struct held *block = atomic_exchange(&shared[i], NULL);
        if (block) give_back(block, state);
    }
    return lost ? 1 : 0;
}

static void fork_child(uint64_t *state, uint32_t owner) {
    pid_t child = fork();
    int status;
    if (child < 0) return; /* the system allows no more processes just now */
    if (child == 0) _exit(child_goes_on(state, owner));
    if (waitpid(child, &status, 0) != child) abort();
    if (status != 0 && atomic_fetch_add(&lost, 1) < 10) dprintf(2, "a child ended with status %#x\n", (unsigned)status);
    atomic_fetch_add(&children, 1);
}

static void *lives(void *number) {
    uint32_t owner = atomic_fetch_add(&owners, 1);
    uint64_t state = (first_seed + owner) * 0x9e3779b97f4a7c15u | 1;
    exchanges(&state, owner, CALLS / 4 + next_random(&state) % CALLS);
    if (FORKS && owner % 4 == 0 && !stopping) fork_child(&state, owner);
    atomic_fetch_add(&threads_run, 1);
    return number;
}

/* Keeps one place among the threads occupied: as soon as its thread has exited, there is a new one. */
static void *keeps_place(void *number) {
    while (!stopping) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, lives, number)) abort();
        pthread_join(thread, NULL);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    pthread_t place[THREADS];
    size_t threads = (size_t)atoi(argv[1]);
    double seconds = atof(argv[2]);
    first_seed = strtoull(argv[3], NULL, 0);
    if (!threads || threads > THREADS) return 2;
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&place[i], NULL, keeps_place, NULL)) abort();
    nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
    stopping = 1;
    for (size_t i = 0; i < threads; i++) pthread_join(place[i], NULL);
    uint64_t state = first_seed | 1;
    for (size_t i = 0; i < SLOTS; i++)
        if (shared[i]) give_back(shared[i], &state);
    printf("%lu blocks checked, %lu lost, %lu threads, %lu children\n", (unsigned long)checked, (unsigned long)lost,
           (unsigned long)threads_run, (unsigned long)children);
    return lost ? 1 : 0;
}
