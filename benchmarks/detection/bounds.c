/* Writes and reads outside a block. The neighbours' contents tell whether a write reached them and a read came from
 * them; what fell into slack or metadata nobody owns is called harmless. */
#include "harness.h"

enum { MIB = 1 << 20 };

static enum outcome aftermath(size_t size) {
    bool damage = !neighbours_whole();
    give_back(block[VICTIM]);
    release_neighbours();
    damage |= churn(size);
    return damage ? NOT_CAUGHT : HARMLESS;
}

/* by > 0: that many bytes from the end of the block on; by < 0: that many before its start. */
static void write_outside(unsigned char *p, size_t size, long by) {
    DO_WRONG(if (by > 0) scribble(p + size, (size_t)by); else scribble(p + by, (size_t)-by));
}

static enum outcome writes(size_t size, long by) {
    write_outside(surround(size), size, by);
    return aftermath(size);
}

static enum outcome writes_its_size(size_t size, long sign) { return writes(size, sign * (long)size); }

/* One byte at a distance. */
static enum outcome jumps(size_t size, long by) {
    unsigned char *p = surround(size);
    DO_WRONG(scribble(by > 0 ? p + size - 1 + by : p + by, 1));
    return aftermath(size);
}

static enum outcome past_usable(size_t size, long by) {
    unsigned char *p = surround(size);
    DO_WRONG(scribble(p + malloc_usable_size(p), (size_t)by));
    return aftermath(size);
}

/* A string one byte too long: its final 0, at sizes that leave no slack with a header of 8 bytes. */
static enum outcome terminator(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    memset(p, 'a', size);
    DO_WRONG(((volatile unsigned char *)p)[size] = 0);
    return aftermath(size);
}

static enum outcome without_free(size_t size, long by) {
    write_outside(surround(size), size, by);
    return neighbours_whole() ? HARMLESS : NOT_CAUGHT;
}

/* 4 MiB of blocks, and from one in the middle on, `by` bytes in a row: far past whatever slab or span it is in. */
static unsigned char *amidst(size_t size) {
    for (size_t i = 0, count = (4 << 20) / size; i < count; i++) {
        unsigned char *p = take(size);
        memset(p, FILL, size);
        if (i == count / 2) block[VICTIM] = p;
    }
    return block[VICTIM];
}

static enum outcome overruns(size_t size, long by) {
    unsigned char *p = amidst(size);
    DO_WRONG(scribble(p + size, (size_t)by));
    give_back(p);
    churn(size);
    return wrong ? NOT_CAUGHT : HARMLESS;
}

/* The only block of the heap; nobody's neighbour, so a miss is at least harmless to other blocks. */
static enum outcome alone(size_t size, long by) {
    unsigned char *p = take(size);
    write_outside(p, size, by);
    give_back(p);
    return churn(size) ? NOT_CAUGHT : HARMLESS;
}

static enum outcome of_aligned(size_t size, long by) {
    write_outside(surround_aligned(64, size), size, by);
    return aftermath(size);
}

static enum outcome after_shrinking(size_t size, long by) {
    unsigned char *p = surround(size);
    size_t less = size / 4 * 3;
    block[VICTIM] = p = must(realloc(p, less));
    write_outside(p, less, by);
    return aftermath(size);
}

/* The copy's length is wrong, as in most overflows; a memcpy that knows the heap would refuse it. */
static enum outcome copies(size_t size, long by) {
    static unsigned char from[262144 + 4096];
    unsigned char *p = surround(size);
    memset(from, 'c', sizeof from);
    memcpy(p, from, size);
    DO_WRONG(memcpy(by > 0 ? p : p + by, from, size + (size_t)(by > 0 ? by : 0)));
    return aftermath(size);
}

static enum outcome by_another_thread_freed(size_t size, long by) {
    write_outside(surround(size), size, by);
    bool damage = !neighbours_whole();
    in_thread(give_back, block[VICTIM]);
    release_neighbours();
    return churn(size) || damage ? NOT_CAUGHT : HARMLESS;
}

/* Does one of these bytes look like a neighbour's? */
static bool reveals(const unsigned char *at, size_t length) {
    bool revealed = false;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = ((const volatile unsigned char *)at)[i];
        revealed |= byte >= FILL && byte < FILL + BLOCKS && byte != FILL + VICTIM;
    }
    return revealed;
}

static enum outcome reads(size_t size, long by) {
    unsigned char *p = surround(size);
    bool revealed = false;
    DO_WRONG(revealed = by > 0 ? reveals(p + size, (size_t)by) : reveals(p + by, (size_t)-by));
    aftermath(size);
    return revealed ? NOT_CAUGHT : HARMLESS;
}

static enum outcome overreads(size_t size, long by) {
    unsigned char *p = amidst(size);
    bool revealed = false;
    DO_WRONG(revealed = reveals(p + size, (size_t)by));
    give_back(p);
    return revealed ? NOT_CAUGHT : HARMLESS;
}

static enum outcome reads_its_size(size_t size, long sign) { return reads(size, sign * (long)size); }

static enum outcome reads_far(size_t size, long by) {
    unsigned char *p = surround(size);
    bool revealed = false;
    DO_WRONG(revealed = reveals(p + by, 1));
    aftermath(size);
    return revealed ? NOT_CAUGHT : HARMLESS;
}

#define CANARY "canary"
#define GUARD "guard page"
#define SLOTS "guard slab"
#define BEFORE "canary of the block before"
#define COPY "checked memcpy"
static const struct wrong writing[] = {
    {"over by 1", "the byte after the block is changed", CANARY, writes, 1, THREE},
    {"over by 8", "the 8 bytes after the block are changed", CANARY, writes, 8, THREE},
    {"over by 16", "the 16 bytes after the block are changed", CANARY, writes, 16, THREE},
    {"over by 32", "the 32 bytes after the block are changed", CANARY, writes, 32, THREE},
    {"over by a page", "4,096 bytes after the block are changed", CANARY, writes, 4096, THREE},
    {"over by its size", "as many bytes as the block has are changed after it", CANARY, writes_its_size, 1,
     SIZES(64, 1000, 262144)},
    {"under by 1", "the byte before the block is changed", BEFORE, writes, -1, THREE},
    {"under by 8", "the 8 bytes before the block are changed", BEFORE, writes, -8, THREE},
    {"under by 16", "the 16 bytes before the block are changed", BEFORE, writes, -16, THREE},
    {"under by 32", "the 32 bytes before the block are changed", BEFORE, writes, -32, THREE},
    {"under by a page", "4,096 bytes before the block are changed", BEFORE, writes, -4096, THREE},
    {"under by its size", "as many bytes as the block has are changed before it", BEFORE, writes_its_size, -1,
     SIZES(64, 1000, 262144)},
    {"overrun", "512 KiB in a row after a block are changed, in the midst of 4 MiB of blocks", SLOTS, overruns, MIB / 2,
     SIZES(64, 1024, 4096)},
    {"1 MiB after", "one byte 1 MiB after the block's end is changed", SLOTS, jumps, MIB, THREE},
    {"1 MiB before", "one byte 1 MiB before the block is changed", SLOTS, jumps, -MIB, THREE},
    {"1 GiB after", "one byte 1 GiB after the block's end is changed", GUARD, jumps, 1 << 30, THREE},
    {"past the usable size", "the byte after malloc_usable_size is changed", CANARY, past_usable, 1, THREE},
    {"16 past the usable size", "the 16 bytes after malloc_usable_size are changed", CANARY, past_usable, 16, THREE},
    {"a string's 0", "the byte after the block becomes 0", CANARY, terminator, 0, SIZES(24, 1032, 4088)},
    {"over, never freed", "16 bytes after the block are changed; nothing follows", GUARD, without_free, 16, THREE},
    {"under, never freed", "16 bytes before the block are changed; nothing follows", GUARD, without_free, -16, THREE},
    {"alone, over", "the 16 bytes after the heap's only block are changed", GUARD, alone, 16, THREE},
    {"alone, under", "the 16 bytes before the heap's only block are changed", GUARD, alone, -16, THREE},
    {"aligned, over", "the 16 bytes after a block aligned to 64 are changed", CANARY, of_aligned, 16, THREE},
    {"shrunk, over", "16 bytes past what realloc left are changed", CANARY, after_shrinking, 16, THREE},
    {"copy over", "a memcpy that is 32 bytes too long", COPY, copies, 32, THREE},
    {"copy under", "a memcpy that begins 32 bytes too early", COPY, copies, -32, THREE},
    {"over, freed elsewhere", "over by 16; another thread frees the block", CANARY, by_another_thread_freed, 16, THREE},
};
CATEGORY(bounds_write, "overflow and underflow", writing);

static const struct wrong reading[] = {
    {"read over by 1", "the byte after the block is read", GUARD, reads, 1, THREE},
    {"read over by 16", "the 16 bytes after the block are read", GUARD, reads, 16, THREE},
    {"read over by a page", "4,096 bytes after the block are read", GUARD, reads, 4096, THREE},
    {"read over by its size", "as many bytes as the block has are read after it", GUARD, reads_its_size, 1,
     SIZES(64, 1000, 262144)},
    {"read under by 1", "the byte before the block is read", GUARD, reads, -1, THREE},
    {"read under by 16", "the 16 bytes before the block are read", GUARD, reads, -16, THREE},
    {"overread", "512 KiB in a row after a block are read, in the midst of 4 MiB of blocks", SLOTS, overreads, MIB / 2,
     SIZES(64, 1024, 4096)},
    {"read 1 MiB after", "a byte 1 MiB after the block is read", SLOTS, reads_far, MIB, THREE},
};
CATEGORY(bounds_read, "read outside", reading);
