/* How many blocks are samples, and how samples behave in a correct program; run with the M4ALLOC_STRATEGY of the test. */
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>

/* The usable size of a sample is what was asked for; of any other block it is the size of its class, here 160. */
enum { SIZE = 136, CALLS = 400000 };

static int is_sample(void *block) { return malloc_usable_size(block) == SIZE; }

static void expect_share(int rate) {
    static void *held[512];
    long samples = 0;
    /* One block at a time, then many. */
    for (int i = 0; i < CALLS; i++) {
        void *block = malloc(SIZE);
        samples += is_sample(block);
        free(block);
    }
    EXPECT(samples > CALLS / rate / 3 && samples < CALLS / rate * 3, "%ld samples of one block at a time", samples);
    samples = 0;
    for (int i = 0; i < CALLS; i++) {
        void **place = &held[i * 7919u % COUNT(held)];
        free(*place);
        *place = malloc(SIZE);
        samples += is_sample(*place);
    }
    EXPECT(samples > CALLS / rate / 3 && samples < CALLS / rate * 3, "%ld samples of many blocks", samples);
}

CHECK(about_one_block_of_a_hundred_is_a_sample) { expect_share(100); }

CHECK(about_one_block_of_a_thousand_is_a_sample) { expect_share(1000); }

CHECK(about_one_block_of_five_thousand_is_a_sample) { expect_share(5000); }

CHECK(a_sample_is_reused_last) {
    void *seen[8];
    int samples = 0;
    for (int i = 0; i < 64; i++) {
        void *block = malloc(SIZE);
        if (!is_sample(block)) continue;
        void *page = (void *)((uintptr_t)block & ~(uintptr_t)4095);
        for (int j = 0; j < samples && j < 7; j++)
            EXPECT(seen[(samples - 1 - j) % 8] != page, "page %p again, after %d others", page, j);
        seen[samples++ % 8] = page;
        free(block);
    }
    EXPECT(samples > 40, "%d samples", samples);
}

CHECK(aligned_blocks_are_sampled_as_they_should_lie) {
    int samples = 0;
    for (size_t alignment = 16; alignment <= 1 << 14; alignment *= 2) {
        for (int i = 0; i < 40; i++) {
            void *block = aligned_alloc(alignment, SIZE);
            samples += is_sample(block);
            EXPECT((uintptr_t)block % alignment == 0, "%p is no multiple of %zu", block, alignment);
            memset(block, 1, SIZE);
            block = realloc(block, SIZE + 1);
            EXPECT(((unsigned char *)block)[SIZE - 1] == 1, "realloc lost the last byte of %d", SIZE);
            memset(block, 2, SIZE + 1);
            free(block);
        }
    }
    EXPECT(samples > 100, "%d samples", samples);
}

static void *life(void *argument) {
    static _Atomic(void *) shared[64];
    uint64_t state = (uintptr_t)argument * 77 + 1;
    for (int i = 0; i < 5000; i++) {
        size_t size = next_random(&state) % 6000;
        unsigned char *block = malloc(size);
        fill(block, size, size);
        EXPECT(intact(block, size, size) == size, "a block of %zu", size);
        free(atomic_exchange(&shared[next_random(&state) % 64], block));
    }
    return NULL;
}

CHECK(samples_and_threads_and_forks_go_together) {
    pthread_t thread[4];
    for (uintptr_t i = 0; i < COUNT(thread); i++) pthread_create(&thread[i], NULL, life, (void *)i);
    for (int i = 0; i < 5; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            life((void *)99);
            _exit(check_failed != 0);
        }
        waitpid(child, &status, 0);
        EXPECT(status == 0, "the child ended with status %#x", status);
    }
    for (size_t i = 0; i < COUNT(thread); i++) pthread_join(thread[i], NULL);
}
