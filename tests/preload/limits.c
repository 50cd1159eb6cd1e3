/* Under resource limits malloc fails with ENOMEM or works; nothing crashes and nothing else is starved. */
#include "check.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* Take blocks of `size` bytes until malloc fails or `limit` bytes are held, and free them; returns the bytes held.
 * At most the first page of each is written. */
static size_t exhaust(size_t size, size_t limit) {
    void **first = NULL, **block;
    size_t held = 0;
    errno = 0;
    while (held < limit && (block = malloc(size))) {
        memset(block, 0x5a, size < 4096 ? size : 4096);
        *block = first, first = block;
        held += size;
    }
    EXPECT(held >= limit || errno == ENOMEM, "malloc(%zu) failed with errno %d", size, errno);
    while (first) {
        block = *first;
        free(first);
        first = block;
    }
    return held;
}

static void *some_work(void *unused) {
    for (size_t size = 1; size < 100000; size += size / 9 + 1) {
        unsigned char *block = malloc(size);
        EXPECT(block, "malloc(%zu) in a thread", size);
        if (!block) break;
        fill(block, size, size);
        EXPECT(intact(block, size, size) == size, "contents of %zu bytes", size);
        free(block);
    }
    return unused;
}

static int with_a_thread(void *(*body)(void *)) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, body, NULL);
    if (!error) pthread_join(thread, NULL);
    return error;
}

/* RLIMIT_AS as it was set before the start; without one, a check that fills memory must not begin. */
static size_t address_space_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur > 4096 * MIB) {
        fputs("set RLIMIT_AS to at most 4 GiB first\n", stderr);
        exit(2);
    }
    return limit.rlim_cur;
}

CHECK(a_quarter_of_the_limit_can_be_had_in_any_size) {
    const size_t limit = address_space_limit();
    some_work(NULL);
    int error = with_a_thread(some_work);
    EXPECT(error == 0, "pthread_create gave %d", error);
    static const size_t sizes[] = {48, 4096, 100000, 1000000, 4000000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t held = exhaust(sizes[i], sizes[i] > 4096 || limit <= 128 * MIB ? limit : limit / 4);
        EXPECT(held >= limit / 4, "of %zu bytes only %zu in blocks of %zu", limit, held, sizes[i]);
    }
    some_work(NULL);
}

CHECK(a_program_may_map_half_of_the_limit_itself) {
    const size_t limit = address_space_limit();
    some_work(NULL);
    void *mapped = mmap(NULL, limit / 2 - 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(mapped != MAP_FAILED, "mmap of half of %zu bytes less 16 MiB", limit);
    some_work(NULL);
}

static void lower_address_space_to(size_t bytes) {
    struct rlimit limit = {bytes, bytes};
    EXPECT(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
}

static void *allocates_until_it_fails(void *unused) {
    static const size_t sizes[] = {100, 5000, 300000};
    for (size_t i = 0; i < COUNT(sizes); i++) exhaust(sizes[i], sizes[i] > 5000 ? 512 * MIB : 32 * MIB);
    return unused;
}

CHECK(lowering_the_limit_to_what_is_mapped_leaves_malloc_failing_cleanly) {
    some_work(NULL);
    lower_address_space_to(process_bytes(ADDRESS_SPACE));
    allocates_until_it_fails(NULL);
    some_work(NULL);
}

CHECK(lowering_the_limit_below_what_is_mapped_leaves_malloc_failing_cleanly) {
    unsigned char *kept = malloc(5000), *grown = malloc(300000);
    fill(kept, 5000, 1), fill(grown, 300000, 2);
    lower_address_space_to(8 * MIB);
    allocates_until_it_fails(NULL);
    for (size_t size = 400000; size < 100 * MIB; size *= 2) {
        unsigned char *moved = realloc(grown, size);
        if (moved) grown = moved;
        EXPECT(intact(grown, 300000, 2) == 300000, "contents after realloc to %zu", size);
    }
    EXPECT(intact(kept, 5000, 1) == 5000, "contents of a kept block");
    free(kept), free(grown);
}

CHECK(after_lowering_the_limit_threads_and_mmap_work_up_to_it) {
    some_work(NULL);
    lower_address_space_to(process_bytes(ADDRESS_SPACE) + 256 * MIB);
    void *mapped = mmap(NULL, 128 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(mapped != MAP_FAILED, "mmap of 128 MiB with 256 MiB left");
    for (int i = 0; i < 20; i++) {
        int error = with_a_thread(some_work);
        EXPECT(error == 0, "pthread_create gave %d", error);
    }
    allocates_until_it_fails(NULL);
    if (mapped != MAP_FAILED) munmap(mapped, 128 * MIB);
    int error = with_a_thread(allocates_until_it_fails);
    EXPECT(error == 0, "after malloc took what it could, pthread_create gave %d", error);
}

CHECK(a_program_which_limits_itself_to_one_gibibyte_can_use_half_of_it) {
    some_work(NULL);
    lower_address_space_to(1024 * MIB);
    void *mapped = mmap(NULL, 256 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(mapped != MAP_FAILED, "mmap of 256 MiB");
    size_t held = exhaust(10000, 256 * MIB);
    EXPECT(held >= 256 * MIB, "only %zu bytes by malloc", held);
    int error = with_a_thread(some_work);
    EXPECT(error == 0, "pthread_create gave %d", error);
}

/* Run where the system commits memory strictly (vm.overcommit_memory = 2). */
CHECK(half_a_gibibyte_can_be_had_when_memory_is_committed_strictly) {
    some_work(NULL);
    static const size_t sizes[] = {100, 5000, 300000, 30000000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t held = exhaust(sizes[i], 512 * MIB);
        EXPECT(held >= 512 * MIB, "only %zu bytes in blocks of %zu", held, sizes[i]);
    }
    int error = with_a_thread(some_work);
    EXPECT(error == 0, "pthread_create gave %d", error);
}
