/* What each knob of a strategy does, seen from a program; run with the M4ALLOC_STRATEGY that the test names. */
#include "check.h"

#include <setjmp.h>
#include <signal.h>

/* Reads and writes of freed memory on purpose: through volatile, so that the compiler leaves them. */
typedef volatile unsigned char byte;

CHECK(freed_small_blocks_are_zeroed) {
    for (size_t size = 1; size <= 256; size += 15) {
        byte *block = malloc(size);
        for (size_t i = 0; i < size; i++) block[i] = 0xa5;
        free((void *)block);
        size_t at = 0;
        while (at < size && block[at] == 0) at++;
        EXPECT(at == size, "byte %zu of a freed block of %zu bytes is %d", at, size, block[at]);
    }
}

CHECK(freed_blocks_keep_their_contents_for_a_while) {
    byte *block = malloc(200);
    for (size_t i = 0; i < 200; i++) block[i] = 0xa5;
    free((void *)block);
    EXPECT(block[0] == 0xa5 && block[199] == 0xa5, "bytes 0 and 199 are %d and %d", block[0], block[199]);
}

/* Between a free and the reuse of its slot lie at least 100 other frees of the class, and not for ever. */
CHECK(a_slot_is_reused_after_its_hundred_frees_and_not_before) {
    static const size_t sizes[] = {16, 100, 500, 1000};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        void *first = malloc(sizes[s]);
        free(first);
        size_t frees = 0;
        while (frees < 100000) {
            void *next = malloc(sizes[s]);
            if (next == first) break;
            free(next);
            frees++;
        }
        EXPECT(frees >= 100 && frees < 100000, "a slot of %zu bytes was reused after %zu frees", sizes[s], frees);
    }
}

CHECK(blocks_in_a_row_lie_in_no_order) {
    enum { MANY = 1000 };
    static uintptr_t block[MANY];
    size_t ascending = 0;
    for (size_t i = 0; i < MANY; i++) block[i] = (uintptr_t)malloc(64);
    for (size_t i = 1; i < MANY; i++) ascending += block[i] > block[i - 1];
    EXPECT(ascending > 300 && ascending < 700, "%zu of 999 blocks lie above the one before", ascending);
}

static sigjmp_buf faulted;
static void on_fault(int number) { siglongjmp(faulted, number); }

CHECK(a_write_past_a_large_block_faults) {
    struct sigaction action = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &action, NULL);
    for (size_t size = 100000; size < 10 * MIB; size *= 3) {
        byte *block = malloc(size);
        size_t usable = malloc_usable_size((void *)block);
        block[usable - 1] = 1;
        int number = sigsetjmp(faulted, 1);
        if (!number) block[usable] = 1;
        EXPECT(number == SIGSEGV, "a write to byte %zu of %zu went through", usable, usable);
        free((void *)block);
    }
}

CHECK(freed_memory_is_returned_at_once) {
    size_t start = process_bytes(RESIDENT);
    for (size_t size = 100000; size < 60 * MIB; size *= 2) {
        void *block = malloc(size);
        memset(block, 1, size);
        EXPECT(process_bytes(RESIDENT) >= start + size, "%zu written bytes are not resident", size);
        free(block);
        size_t after = process_bytes(RESIDENT);
        EXPECT(after < start + MIB, "%zu bytes resident after the free of %zu", after - start, size);
    }
}

CHECK(every_request_lies_in_one_of_the_three_classes) {
    for (size_t size = 1; size <= 32768; size += 61) {
        void *block = malloc(size);
        size_t usable = malloc_usable_size(block), wanted = size <= 48 ? 48 : size <= 1008 ? 1008 : 32768;
        EXPECT(usable == wanted, "malloc(%zu) has %zu usable bytes", size, usable);
        free(block);
    }
}
