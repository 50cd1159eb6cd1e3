/* Memory that is no longer used goes back to the system. */
#include "check.h"

#include <time.h>

enum { BLOCKS = 200000 };
static void *block[BLOCKS];

/* A spike: `count` blocks of `size` bytes, written and freed again; the resident bytes at its top. */
static size_t spike(size_t count, size_t size) {
    for (size_t i = 0; i < count; i++) {
        block[i] = malloc(size);
        if (!block[i]) abort();
        memset(block[i], 1, size);
    }
    size_t top = process_bytes(RESIDENT);
    for (size_t i = 0; i < count; i++) free(block[(i * 7919) % count]);
    return top;
}

/* What may stay after a spike, however high it was: the amount that is retained for the next one, and some. */
#define KEPT (64 * MIB)

/* Half a second of a program's usual small change, during which an allocator may find time to return memory. */
static void small_change(void) {
    struct timespec pause = {0, 5000000};
    for (int i = 0; i < 100; i++) {
        for (size_t size = 1; size < 3000; size += 7) free(malloc(size));
        nanosleep(&pause, NULL);
    }
}

CHECK(malloc_trim_returns_freed_small_blocks) {
    size_t top = spike(64000, 1000), before = process_bytes(RESIDENT);
    int returned = malloc_trim(0);
    size_t after = process_bytes(RESIDENT);
    EXPECT(after < top - 48 * MIB, "resident %zu at the top, %zu before malloc_trim, %zu after", top, before, after);
    EXPECT(returned == 1 || before < top - 48 * MIB, "malloc_trim said %d", returned);
}

CHECK(malloc_trim_with_nothing_to_return_says_so) {
    malloc_trim(0);
    malloc_trim(0);
    EXPECT(malloc_trim(0) == 0, "the third call in a row returned memory again");
}

CHECK(malloc_trim_keeps_what_is_in_use) {
    static unsigned char *kept[2000];
    for (size_t i = 0; i < COUNT(kept); i++) {
        void *other = malloc(i * 3 + 1);
        fill(kept[i] = malloc(i * 3), i * 3, i);
        free(other);
    }
    malloc_trim(0);
    for (size_t i = 0; i < COUNT(kept); i++) {
        EXPECT(intact(kept[i], i * 3, i) == i * 3, "block of %zu bytes", i * 3);
        free(kept[i]);
    }
}

CHECK(a_spike_of_small_blocks_is_returned_without_being_asked) {
    size_t start = process_bytes(RESIDENT), top = spike(200000, 1000);
    small_change();
    size_t after = process_bytes(RESIDENT);
    EXPECT(top > start + 180 * MIB, "no spike: %zu to %zu", start, top);
    EXPECT(after < start + KEPT, "resident %zu at the start, %zu at the top, %zu after", start, top, after);
}

CHECK(a_spike_of_medium_blocks_is_returned_without_being_asked) {
    size_t start = process_bytes(RESIDENT), top = spike(6000, 40000);
    small_change();
    size_t after = process_bytes(RESIDENT);
    EXPECT(top > start + 200 * MIB && after < start + KEPT, "resident %zu at the start, %zu at the top, %zu after", start, top, after);
}

CHECK(a_spike_of_large_blocks_is_returned_without_being_asked) {
    size_t start = process_bytes(RESIDENT), top = spike(60, 5 * MIB);
    small_change();
    size_t after = process_bytes(RESIDENT);
    EXPECT(top > start + 200 * MIB && after < start + KEPT, "resident %zu at the start, %zu at the top, %zu after", start, top, after);
}

CHECK(the_next_spike_reuses_the_address_space_of_the_last) {
    spike(60000, 2000);
    size_t space = process_bytes(ADDRESS_SPACE), resident = 0;
    for (int round = 0; round < 10; round++) {
        resident = spike(60000, 2000);
        spike(40, 3 * MIB);
    }
    size_t wider = process_bytes(ADDRESS_SPACE);
    EXPECT(wider < space + 300 * MIB, "address space went from %zu to %zu in ten spikes of 120 MB", space, wider);
    EXPECT(resident < 400 * MIB, "%zu bytes resident at the top of the tenth", resident);
}

CHECK(waves_of_different_sizes_do_not_add_up) {
    size_t most = 0;
    for (size_t size = 100; size < 1000000; size = size * 3 / 2) {
        size_t top = spike(40 * MIB / size < BLOCKS ? 40 * MIB / size : BLOCKS, size);
        if (top > most) most = top;
    }
    EXPECT(most < 160 * MIB, "%zu bytes resident at the most, with 40 MiB live", most);
}
