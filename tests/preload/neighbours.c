/* A stranger maps and unmaps all the while as large blocks move and grow: no block overlaps a stranger's mapping. */
#include "check.h"

#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

enum { MAPPINGS = 24, LARGE = 12, SECONDS = 2 };
struct range {
    _Atomic uintptr_t base;
    _Atomic size_t size;
};
/* A range is entered after it was obtained and removed before it is given back, so that at any moment all that
 * are entered must be disjoint. */
static struct range mapping[MAPPINGS], large[LARGE];
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool stopping;
static atomic_ulong mapped_count, grown_count;

static void enter(struct range *into, void *base, size_t size, const char *what) {
    pthread_mutex_lock(&table);
    struct range *all[2] = {mapping, large};
    const size_t count[2] = {MAPPINGS, LARGE};
    uintptr_t start = (uintptr_t)base;
    for (int kind = 0; kind < 2; kind++)
        for (size_t i = 0; i < count[kind]; i++) {
            uintptr_t other = all[kind][i].base;
            size_t length = all[kind][i].size;
            EXPECT(!other || start + size <= other || other + length <= start, "%s [%zx,+%zx) overlaps %s [%zx,+%zx)",
                   what, (size_t)start, size, kind ? "a block" : "a mapping", (size_t)other, length);
        }
    into->size = size;
    into->base = start;
    pthread_mutex_unlock(&table);
}

static void withdraw(struct range *from) {
    pthread_mutex_lock(&table);
    from->base = 0;
    pthread_mutex_unlock(&table);
}

static void touch(void *base, size_t size, uint64_t seed) {
    for (size_t at = 0; at < size; at += 4096) ((unsigned char *)base)[at] = pattern_byte(seed, at);
}
static int touched(const void *base, size_t size, uint64_t seed) {
    for (size_t at = 0; at < size; at += 4096)
        if (((const unsigned char *)base)[at] != pattern_byte(seed, at)) return 0;
    return 1;
}

static void *maps_and_unmaps(void *unused) {
    uint64_t state = 77;
    while (!stopping) {
        size_t i = next_random(&state) % MAPPINGS;
        if (mapping[i].base) {
            void *base = (void *)mapping[i].base;
            EXPECT(touched(base, mapping[i].size, i), "the stranger's mapping at %p changed", base);
            withdraw(&mapping[i]);
            munmap(base, mapping[i].size);
        }
        size_t size = (1 + next_random(&state) % 400) * 4096;
        void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED) abort();
        EXPECT(zeroes(base, 4096) == 4096, "a new mapping is not zero");
        touch(base, size, i);
        enter(&mapping[i], base, size, "a mapping");
        atomic_fetch_add(&mapped_count, 1);
    }
    return unused;
}

CHECK(no_large_block_overlaps_what_a_thread_maps_all_the_while) {
    pthread_t stranger;
    uint64_t state = 3;
    if (pthread_create(&stranger, NULL, maps_and_unmaps, NULL)) abort();
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += SECONDS;
    do {
        size_t i = next_random(&state) % LARGE, seed = 1000 + i, old = large[i].size;
        void *block = (void *)large[i].base;
        size_t size = 20000 + next_random(&state) % (next_random(&state) % 4 ? 2000000 : 20000000);
        if (block) EXPECT(touched(block, old, seed), "the block at %p of %zu bytes changed", block, old);
        if (block) withdraw(&large[i]);
        if (block && next_random(&state) % 3) {
            size_t kept = old < size ? old : size;
            block = realloc(block, size);
            EXPECT(block && touched(block, kept, seed), "realloc from %zu to %zu lost contents", old, size);
        } else {
            free(block);
            block = i % 2 ? malloc(size) : calloc(1, size);
            EXPECT(block && (i % 2 || zeroes(block, 20000) == 20000), "calloc(1, %zu)", size);
        }
        if (!block) break;
        touch(block, size, seed);
        enter(&large[i], block, size, "a block");
        atomic_fetch_add(&grown_count, 1);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
    stopping = 1;
    pthread_join(stranger, NULL);
    EXPECT(mapped_count > 200 && grown_count > 200, "only %lu mappings and %lu blocks", (unsigned long)mapped_count,
           (unsigned long)grown_count);
}
