/* What the client wrote stays, what calloc gives is zero, and no two blocks share a byte. */
#include "check.h"

/* The largest size of each size class in turn, as malloc_usable_size shows them, up to `limit`. */
static size_t boundaries(size_t *table, size_t room, size_t limit) {
    size_t count = 0;
    for (size_t size = 1; size <= limit && count < room; size = table[count - 1] + 1) {
        void *block = malloc(size);
        table[count++] = malloc_usable_size(block);
        free(block);
    }
    return count;
}

static unsigned char *filled(size_t size) {
    unsigned char *block = malloc(size);
    memset(block, 0xa5, malloc_usable_size(block));
    return block;
}

CHECK(calloc_zeroes_reused_memory_at_every_small_size) {
    enum { MANY = 150 };
    static unsigned char *used[MANY], *clean[MANY];
    size_t reused = 0;
    for (size_t size = 1; size <= 3000; size++) {
        for (int i = 0; i < MANY; i++) used[i] = filled(size);
        for (int i = 0; i < MANY; i++) free(used[i]);
        for (int i = 0; i < MANY; i++) {
            clean[i] = calloc(1, size);
            EXPECT(zeroes(clean[i], size) == size, "calloc(1, %zu): byte %zu", size, zeroes(clean[i], size));
            for (int j = 0; j < MANY; j++) reused += clean[i] == used[j];
        }
        for (int i = 0; i < MANY; i++) free(clean[i]);
    }
    EXPECT(reused > 3000, "only %zu blocks lay where an old one did: the check saw too little", reused);
}

CHECK(calloc_zeroes_reused_memory_at_large_sizes) {
    enum { MANY = 4 };
    static unsigned char *used[MANY], *clean[MANY];
    size_t reused = 0;
    for (int round = 0, last = rounds_of(3); round < last; round++) {
        for (size_t size = 3000; size < 12 * MIB; size += size / 5 + 13) {
            for (int i = 0; i < MANY; i++) used[i] = filled(size);
            for (int i = 0; i < MANY; i++) free(used[i]);
            for (int i = 0; i < MANY; i++) {
                clean[i] = i % 2 ? calloc(size, 1) : calloc(7, size / 7 + 1);
                EXPECT(zeroes(clean[i], size) == size, "calloc of %zu: byte %zu", size, zeroes(clean[i], size));
                for (int j = 0; j < MANY; j++) reused += clean[i] == used[j];
            }
            for (int i = 0; i < MANY; i++) free(clean[i]);
        }
    }
    EXPECT(reused > 10, "only %zu blocks lay where an old one did: the check saw too little", reused);
}

CHECK(realloc_keeps_contents_between_every_two_size_classes) {
    static size_t class[400];
    size_t count = boundaries(class, COUNT(class), 40000);
    EXPECT(count >= 8, "only %zu size classes up to 40,000 bytes", count);
    for (size_t from = 0; from < count; from++) {
        for (size_t to = 0; to < count; to++) {
            for (int step = 0; step < 4; step++) {
                size_t old = class[from] + (size_t)(step & 1), new = class[to] + (size_t)(step >> 1);
                size_t kept = old < new ? old : new;
                unsigned char *block = malloc(old), *neighbour = malloc(old);
                fill(block, old, from), fill(neighbour, old, to + 1000);
                block = realloc(block, new);
                size_t good = intact(block, kept, from);
                EXPECT(good == kept, "realloc from %zu to %zu: byte %zu", old, new, good);
                fill(block, new, 7);
                good = intact(neighbour, old, to + 1000);
                EXPECT(good == old, "realloc from %zu to %zu: byte %zu of a neighbour", old, new, good);
                free(block), free(neighbour);
            }
        }
    }
}

CHECK(realloc_keeps_contents_between_small_and_large) {
    static const size_t sizes[] = {1,     16,    1000,  4095,   4096,   4097,   30000,       32768,      32769,     65535,
                                   65536, 65537, 98304, 131071, 131072, 131073, 262144,      262145,     MIB - 1,   MIB,
                                   MIB + 1, 2 * MIB, 2 * MIB + 1, 4 * MIB - 1, 4 * MIB + 4097, 9 * MIB};
    const size_t step = (size_t)check_part();
    for (size_t from = 0; from < COUNT(sizes); from++) {
        for (size_t to = from % step; to < COUNT(sizes); to += step) {
            size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
            unsigned char *block = malloc(sizes[from]);
            fill(block, sizes[from], from + 3);
            block = realloc(block, sizes[to]);
            size_t good = intact(block, kept, from + 3);
            EXPECT(good == kept, "realloc from %zu to %zu: byte %zu", sizes[from], sizes[to], good);
            memset(block, 0xee, malloc_usable_size(block));
            free(block);
        }
    }
}

CHECK(realloc_keeps_contents_when_a_block_grows_by_single_bytes) {
    unsigned char *block = NULL;
    for (size_t size = 1; size <= 20000; size++) {
        block = realloc(block, size);
        block[size - 1] = pattern_byte(1, size - 1);
        if (size % 64 == 0) EXPECT(intact(block, size, 1) == size, "at %zu bytes: byte %zu", size, intact(block, size, 1));
    }
    for (size_t size = 20000; size > 0; size--) {
        block = realloc(block, size);
        if (size % 64 == 0) EXPECT(intact(block, size, 1) == size, "back at %zu: byte %zu", size, intact(block, size, 1));
    }
    free(block);
}

CHECK(large_blocks_which_grow_in_turn_keep_their_contents) {
    enum { MANY = 5 };
    unsigned char *block[MANY] = {0};
    const size_t step = 70000, last = 40 * step;
    for (size_t size = step; size <= last; size += step) {
        for (int i = 0; i < MANY; i++) {
            block[i] = realloc(block[i], size);
            for (size_t at = size - step; at < size; at++) block[i][at] = pattern_byte((uint64_t)i + 40, at);
        }
        for (int i = 0; i < MANY; i++) {
            size_t good = intact(block[i], size, (uint64_t)i + 40);
            EXPECT(good == size, "block %d at %zu bytes: byte %zu", i, size, good);
        }
    }
    for (int i = 0; i < MANY; i++) {
        block[i] = realloc(block[i], 100);
        EXPECT(intact(block[i], 100, (uint64_t)i + 40) == 100, "block %d shrunk to 100 bytes", i);
        free(block[i]);
    }
}

CHECK(every_usable_byte_of_every_block_is_its_own) {
    enum { MANY = 6000 };
    static unsigned char *block[MANY];
    static size_t usable[MANY];
    uint64_t state = 1;
    for (int round = 0, last = rounds_of(4); round < last || round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            size_t size = i < 3000 ? (size_t)i : next_random(&state) % (i % 50 ? 5000 : 300000);
            block[i] = i % 7 ? malloc(size) : memalign((size_t)16 << i % 8, size);
            usable[i] = malloc_usable_size(block[i]);
            fill(block[i], usable[i], (uint64_t)i);
        }
        for (int i = 0; i < MANY; i++) {
            size_t good = intact(block[i], usable[i], (uint64_t)i);
            EXPECT(good == usable[i], "block %d: byte %zu of %zu was overwritten", i, good, usable[i]);
        }
        for (int i = 0; i < MANY; i++) free(block[(i * 7919) % MANY]);
    }
}

CHECK(a_random_history_never_loses_a_byte) {
    enum { LIVE = 2000 };
    static unsigned char *block[LIVE];
    static size_t size[LIVE];
    uint64_t state = 12345;
    for (int step = 0, last = rounds_of(250000); step < last; step++) {
        size_t i = next_random(&state) % LIVE, kind = next_random(&state) % 16;
        size_t wanted = next_random(&state) % (kind < 12 ? 200 : kind < 15 ? 5000 : 200000);
        if (block[i]) {
            size_t looked = size[i] < 256 ? size[i] : 256;
            EXPECT(intact(block[i], looked, i) == looked, "step %d: block of %zu bytes", step, size[i]);
        }
        if (block[i] && kind % 3 == 0) {
            size_t kept = size[i] < wanted ? size[i] : wanted;
            unsigned char *moved = realloc(block[i], wanted + 1);
            EXPECT(intact(moved, kept, i) == kept, "step %d: realloc from %zu to %zu", step, size[i], wanted + 1);
            block[i] = moved, size[i] = wanted + 1;
        } else {
            free(block[i]);
            block[i] = kind == 1 ? calloc(1, wanted) : kind == 2 ? aligned_alloc(128, wanted) : malloc(wanted);
            size[i] = wanted;
            if (kind == 1) EXPECT(zeroes(block[i], wanted) == wanted, "step %d: calloc(1, %zu)", step, wanted);
        }
        fill(block[i], size[i], i);
    }
}
