/* Many threads exchange blocks of all sizes for a while; each block carries its own pattern, checked before it goes.
 * `stress THREADS SECONDS` prints the blocks checked; status 1 when a byte was lost. */
#define main unused_main
#include "check.h"
#undef main

#include <pthread.h>
#include <time.h>

enum { SLOTS = 4096 };
struct held {
    uint64_t seed;
    size_t size;
    unsigned char bytes[];
};
static _Atomic(struct held *) shared[SLOTS];
static atomic_bool stopping;
static atomic_ulong checked, lost, serial;

static size_t some_size(uint64_t *state) {
    uint64_t kind = next_random(state) % 1000;
    return next_random(state) % (kind == 0 ? 2 * MIB : kind < 20 ? 100000 : kind < 150 ? 4000 : 300);
}

static void verify(const struct held *block, const char *where) {
    atomic_fetch_add_explicit(&checked, 1, memory_order_relaxed);
    size_t good = intact(block->bytes, block->size, block->seed);
    if (good == block->size) return;
    if (atomic_fetch_add(&lost, 1) < 10)
        dprintf(2, "%s: byte %zu of the %zu at %p was lost\n", where, good, block->size, (const void *)block);
}

static struct held *make(uint64_t *state) {
    size_t size = some_size(state), whole = sizeof(struct held) + size;
    uint64_t how = next_random(state) % 8;
    struct held *block = how == 0   ? calloc(1, whole)
                         : how == 1 ? aligned_alloc((size_t)16 << next_random(state) % 9, whole)
                                    : malloc(whole);
    if (!block) abort();
    if (how == 0 && zeroes(block, whole) != whole) atomic_fetch_add(&lost, 1), dprintf(2, "calloc(%zu): not zero\n", whole);
    block->seed = atomic_fetch_add(&serial, 1), block->size = size;
    fill(block->bytes, size, block->seed);
    return block;
}

static struct held *resize(struct held *block, uint64_t *state) {
    size_t size = some_size(state), kept = size < block->size ? size : block->size;
    block = realloc(block, sizeof *block + size);
    if (!block) abort();
    size_t good = intact(block->bytes, kept, block->seed);
    if (good != kept) atomic_fetch_add(&lost, 1), dprintf(2, "realloc to %zu: byte %zu lost\n", size, good);
    block->size = size;
    fill(block->bytes, size, block->seed);
    return block;
}

static void *exchanges(void *number) {
    uint64_t state = ((uintptr_t)number + 1) * 0x9e3779b97f4a7c15u;
    struct held *own[64] = {0};
    while (!stopping) {
        struct held **mine = &own[next_random(&state) % COUNT(own)];
        if (!*mine) *mine = make(&state);
        verify(*mine, "own block");
        if (next_random(&state) % 4 == 0) *mine = resize(*mine, &state);
        *mine = atomic_exchange(&shared[next_random(&state) % SLOTS], *mine);
        if (*mine && next_random(&state) % 2) {
            verify(*mine, "taken block");
            free(*mine);
            *mine = NULL;
        }
    }
    for (size_t i = 0; i < COUNT(own); i++) {
        if (own[i]) verify(own[i], "last block");
        free(own[i]);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    pthread_t thread[256];
    size_t threads = (size_t)atoi(argv[1]);
    double seconds = atof(argv[2]);
    if (!threads || threads > COUNT(thread)) return 2;
    for (uintptr_t i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, exchanges, (void *)i)) abort();
    nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
    stopping = 1;
    for (size_t i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        if (shared[i]) verify(shared[i], "shared block");
        free(shared[i]);
    }
    printf("%lu blocks checked, %lu lost\n", (unsigned long)checked, (unsigned long)lost);
    return lost ? 1 : 0;
}
