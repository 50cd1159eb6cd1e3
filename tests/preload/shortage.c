/* What is promised holds while memory is out: when a freed slot is reused, that a block can be made smaller. */
#include "check.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { PROMISED = 16, SIZE = 64, BLOCKS = 256 };

static sem_t wanted, done;
static void *volatile to_free;
static void *volatile own;

/* Frees what it is given, one block at a time. Its first call of the library is a free, unless `allocates`. */
static void *frees(void *allocates) {
    if (allocates) own = malloc(200);
    sem_post(&done);
    for (;;) {
        sem_wait(&wanted);
        if (!to_free) return NULL;
        free(to_free);
        sem_post(&done);
    }
}

/* From now on the system gives nothing: set behind the library's back, so that it keeps its address space. */
static void take_all_memory(void) {
    static const size_t sizes[] = {16, SIZE, 32768, 40};
    struct rlimit limit = {1, RLIM_INFINITY};
    syscall(SYS_prlimit64, 0, RLIMIT_AS, &limit, NULL);
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t held = 0; malloc(sizes[i]) && held < 256 * MIB; held += sizes[i]) {
        }
    EXPECT(!malloc(SIZE) && errno == ENOMEM, "memory is not out");
}

/* Between the free of a block and its reuse lie PROMISED others of its class; and they do come back. */
static void frees_of_another_thread_wait(int allocates) {
    static void *block[BLOCKS];
    pthread_t thread;
    int reused = 0;
    sem_init(&wanted, 0, 0), sem_init(&done, 0, 0);
    pthread_create(&thread, NULL, frees, allocates ? block : NULL);
    sem_wait(&done);
    for (int i = 0; i < BLOCKS; i++) block[i] = malloc(SIZE);
    take_all_memory();
    for (int i = 0; i < BLOCKS; i++) {
        void *got;
        to_free = block[i];
        sem_post(&wanted), sem_wait(&done);
        while ((got = malloc(SIZE)))
            for (int j = 0; j <= i; j++)
                if (block[j] == got) {
                    EXPECT(i - j >= PROMISED, "block %d is reused after %d frees", j, i - j);
                    reused++;
                }
    }
    EXPECT(reused >= BLOCKS / 2, "only %d of %d blocks were reused", reused, BLOCKS);
    to_free = NULL;
    sem_post(&wanted);
    pthread_join(thread, NULL);
}

CHECK(frees_of_a_thread_that_can_have_no_heap_wait_as_long_as_any) { frees_of_another_thread_wait(0); }
CHECK(frees_of_a_thread_that_can_have_no_line_wait_as_long_as_any) { frees_of_another_thread_wait(1); }

CHECK(a_block_can_always_be_made_smaller) {
    static const size_t sizes[] = {100, 1000, 20000, 30000, 100000, 3000000};
    unsigned char *block[COUNT(sizes)];
    for (size_t i = 0; i < COUNT(sizes); i++) {
        block[i] = malloc(sizes[i]);
        fill(block[i], sizes[i], i);
    }
    take_all_memory();
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t size = sizes[i]; size; size /= 3) {
            errno = EBADF;
            unsigned char *moved = realloc(block[i], size);
            EXPECT(moved, "realloc from %zu to %zu bytes", sizes[i], size);
            EXPECT(!moved || errno == EBADF, "errno is %d", errno);
            if (moved) block[i] = moved;
            EXPECT(malloc_usable_size(block[i]) >= size, "%zu usable bytes", malloc_usable_size(block[i]));
            EXPECT(intact(block[i], size, i) == size, "contents of %zu bytes", size);
        }
        free(block[i]);
    }
}

/* The program lowers its limit below what it has mapped: pages cannot be moved then, and must not get lost. */
static void a_large_block_moves_under(int resource) {
    enum { LARGE = 8 << 20 };
    struct rlimit limit = {8 * MIB, RLIM_INFINITY};
    unsigned char *block = malloc(LARGE), *between = malloc(MIB), *room = malloc(3 * LARGE), *end = malloc(MIB);
    fill(block, LARGE, 1);
    memset(room, 1, 3 * LARGE);
    free(room);
    EXPECT(setrlimit(resource, &limit) == 0, "setrlimit");
    unsigned char *moved = realloc(block, 2 * LARGE);
    EXPECT(moved && moved != block, "there was room elsewhere");
    EXPECT(intact(moved, LARGE, 1) == LARGE, "contents");
    fill(moved, 2 * LARGE, 2);
    EXPECT(intact(moved, 2 * LARGE, 2) == 2 * LARGE, "contents of all of it");
    free(moved), free(between), free(end);
}

CHECK(a_large_block_moves_under_an_exceeded_limit_of_address_space) { a_large_block_moves_under(RLIMIT_AS); }
CHECK(a_large_block_moves_under_an_exceeded_limit_of_data) { a_large_block_moves_under(RLIMIT_DATA); }

/* A process may have few mappings (vm.max_map_count, 65,530). */
CHECK(what_is_kept_of_many_blocks_takes_few_mappings) {
    enum { MANY = 400000 };
    int mappings = 0, byte;
    for (int i = 0; i < MANY; i++) EXPECT(malloc(16), "malloc");
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && (byte = fgetc(maps)) != EOF) mappings += byte == '\n';
    EXPECT(maps && mappings < 150, "%d mappings", mappings);
    fclose(maps);
}
