/* What the knobs of hardening and sampling do to a correct program; run with the M4ALLOC_STRATEGY that the test names. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

void *m4alloc_side(void *block) __attribute__((weak));

CHECK(the_usable_size_is_the_size_asked_for) {
    for (size_t size = 0; size < 300000; size += size < 200 ? 1 : size < 3000 ? 37 : 4093) {
        unsigned char *block = malloc(size);
        EXPECT(malloc_usable_size(block) == size, "%zu of %zu", malloc_usable_size(block), size);
        fill(block, size, size);
        for (size_t other = size / 2 + 1; other < size + 40; other += 7) {
            size_t kept = malloc_usable_size(block) < other ? malloc_usable_size(block) : other;
            block = realloc(block, other);
            EXPECT(malloc_usable_size(block) == other, "%zu of %zu", malloc_usable_size(block), other);
            EXPECT(intact(block, kept < size ? kept : size, size) >= kept || kept > size / 2, "%zu lost", kept);
            fill(block, other, size);
            if (size > 3000) break;
        }
        free(block);
    }
    for (size_t alignment = 16; alignment <= 1 << 16; alignment *= 2) {
        void *block = aligned_alloc(alignment, 100);
        EXPECT(malloc_usable_size(block) == 100 && (uintptr_t)block % alignment == 0, "%p, %zu", block, alignment);
        memset(block, 1, 100);
        free(block);
    }
}

CHECK(blocks_of_zero_bytes_are_distinct_and_can_grow) {
    enum { MANY = 10000 };
    static void *block[MANY];
    for (int i = 0; i < MANY; i++) {
        block[i] = i % 3 ? malloc(0) : calloc(i, 0);
        EXPECT(block[i] && (i == 0 || block[i] != block[i - 1]), "block %d is %p", i, block[i]);
        EXPECT(malloc_usable_size(block[i]) == 0, "%zu usable", malloc_usable_size(block[i]));
    }
    for (int i = 0; i < MANY; i++) {
        if (i % 2 == 0) {
            block[i] = realloc(block[i], 24);
            memset(block[i], 1, 24);
        }
        free(block[i]);
    }
}

CHECK(blocks_in_a_row_lie_all_over_their_slab) {
    enum { MANY = 100, SLOT = 64, SLAB = 1 << 16 };
    uintptr_t low = UINTPTR_MAX, high = 0;
    for (int i = 0; i < MANY; i++) {
        uintptr_t block = (uintptr_t)malloc(SLOT);
        low = block < low ? block : low, high = block > high ? block : high;
    }
    EXPECT(high - low > SLAB / 2, "100 blocks lie within %zu bytes", (size_t)(high - low));
}

CHECK(addresses_of_large_blocks_are_not_used_again) {
    enum { MANY = 100 };
    static void *seen[MANY];
    for (int i = 0; i < MANY; i++) {
        seen[i] = malloc(200000);
        memset(seen[i], 1, 200000);
        for (int j = 0; j < i; j++) EXPECT(seen[i] != seen[j], "block %d lies where block %d lay", i, j);
        free(seen[i]);
    }
    EXPECT(process_bytes(RESIDENT) < 20 * MIB, "%zu bytes are resident", process_bytes(RESIDENT));
}

CHECK(side_bytes_are_a_blocks_own_and_stay_with_its_slot) {
    enum { MANY = 3000, BYTES = 24 };
    static char *block[MANY];
    for (int i = 0; i < MANY; i++) {
        block[i] = malloc((size_t)i + 1);
        unsigned char *side = m4alloc_side(block[i]);
        EXPECT(side && zeroes(side, BYTES) == BYTES, "the side bytes of block %d at %p", i, (void *)side);
        if (side) fill(side, BYTES, (uint64_t)i);
        memset(block[i], 0xff, (size_t)i + 1);
    }
    for (int i = 0; i < MANY; i++) {
        unsigned char *side = m4alloc_side(block[i]);
        EXPECT(side && intact(side, BYTES, (uint64_t)i) == BYTES, "the side bytes of block %d", i);
        EXPECT(!m4alloc_side(block[i] + 8), "an interior pointer has side bytes");
        free(block[i]);
        EXPECT(!m4alloc_side(block[i]), "a freed block has side bytes");
    }
    void *large = malloc(100000);
    EXPECT(!m4alloc_side(large) && !m4alloc_side(&large) && !m4alloc_side(NULL), "what is no slot has side bytes");
    free(large);
}

static void on_fault(int number) { _exit(number == SIGSEGV ? 7 : 8); }

/* A program's own handler gets its faults, whether it was installed before or after the allocator's. */
CHECK(the_programs_own_faults_go_where_they_went) {
    for (int handles = 0; handles < 2; handles++) {
        pid_t child = fork();
        if (child == 0) {
            if (handles) signal(SIGSEGV, on_fault);
            free(malloc(10));
            *(volatile int *)16 = 1;
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        if (handles) EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %#x", status);
        else EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x", status);
    }
}

static void *life(void *argument) {
    uint64_t state = (uintptr_t)argument * 77 + 1;
    static _Atomic(void *) shared[64];
    for (int i = 0; i < 20000; i++) {
        size_t size = next_random(&state) % (i % 50 ? 400 : 50000);
        unsigned char *block = next_random(&state) % 8 ? malloc(size) : aligned_alloc(64, size);
        memset(block, 0xa5, size);
        if (next_random(&state) % 8 == 0) {
            size_t other = next_random(&state) % 700 + 1;
            block = realloc(block, other);
            EXPECT(block[0] == 0xa5 || size == 0, "realloc lost byte 0 of %zu", size);
            memset(block, 0x5a, other);
        }
        free(atomic_exchange(&shared[next_random(&state) % 64], block));
    }
    return NULL;
}

CHECK(threads_that_free_each_others_blocks_and_fork_are_unharmed) {
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, life, (void *)i);
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
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
}
