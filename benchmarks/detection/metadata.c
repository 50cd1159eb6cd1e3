/* Attempts at the allocator's own records: those of an allocator that keeps sizes and links in and between the blocks.
 * Where it keeps none there, the same writes fall into slack or a neighbour. The goal of each is that the heap hands
 * out memory that is no heap's (the prize) or that is somebody's. */
#include "harness.h"
#include <fcntl.h>
#include <unistd.h>

static _Alignas(64) size_t prize[64];
static _Alignas(64) size_t fake[64];

static void set(void *at, size_t value) { *(volatile size_t *)hidden(at) = value; }
static size_t got(const void *at) { return *(const volatile size_t *)at; }

/* An attempt that changed nothing did not reach its goal. */
static enum outcome unless_reached(enum outcome ended) { return ended == HARMLESS ? verdict(false) : ended; }

static enum outcome goal(size_t size) {
    if (shares_memory(size, prize, sizeof prize)) return NOT_CAUGHT;
    return unless_reached(consequences(size));
}

/* A freed block's first word becomes the prize's address, as a link. by: 1, mixed with the word's own address. */
static enum outcome poison_link(size_t size, long by) {
    unsigned char *p = surround(size);
    give_back(block[3]);
    give_back(p);
    block[3] = NULL;
    DO_WRONG(set(p, (uintptr_t)&prize[16] ^ (by ? (uintptr_t)p >> 12 : 0)));
    return goal(size);
}

/* Only the lowest two bytes of the link: it then names a live neighbour. */
static enum outcome poison_link_partly(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    give_back(block[3]);
    give_back(p);
    block[3] = NULL;
    uint16_t low = (uint16_t)(uintptr_t)block[5];
    DO_WRONG(memcpy(hidden(p), &low, sizeof low));
    return goal(size);
}

/* The same link, reached from the live block before it. */
static enum outcome overflow_into_link(size_t size, long by) {
    unsigned char *p = surround(size), *from = NULL;
    for (int i = 0; i < BLOCKS; i++)
        if (i != VICTIM && i != 3 && block[i] < p && (!from || block[i] > from)) from = block[i];
    if (!from || p - from > 65536) return PREVENTED; /* no neighbour to come from */
    give_back(block[3]);
    give_back(p);
    block[3] = NULL;
    DO_WRONG(for (unsigned char *at = from + size; at < p; at++) *(volatile unsigned char *)at = 'A';
             set(p, (uintptr_t)&prize[16] ^ (by ? (uintptr_t)p >> 12 : 0)));
    return goal(size);
}

/* Two links of a freed block, so that taking it out of a list writes to the prize; then its neighbours are freed. */
static enum outcome unlink_write(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    give_back(p);
    DO_WRONG(set(p, (uintptr_t)&prize[13]); set(p + 8, (uintptr_t)&prize[14]));
    give_back(block[VICTIM - 1]);
    give_back(block[VICTIM + 1]);
    block[VICTIM - 1] = block[VICTIM + 1] = NULL;
    enum outcome ended = goal(size);
    return holds(prize, 0, sizeof prize) ? ended : NOT_CAUGHT;
}

static enum outcome back_link(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    give_back(p);
    DO_WRONG(set(p + 8, (uintptr_t)&prize[14]));
    enum outcome ended = goal(size);
    return holds(prize, 0, sizeof prize) ? ended : NOT_CAUGHT;
}

/* A larger block than the victim is taken, filled and given back: it covers a neighbour if the heap was deceived. */
static enum outcome covers(size_t size, size_t larger) {
    give_back(block[VICTIM]);
    unsigned char *all[8];
    for (int i = 0; i < 8; i++) memset(all[i] = take(larger), 'X', larger);
    bool damage = !neighbours_whole();
    for (int i = 0; i < 8; i++) give_back(all[i]);
    return consequences(size) == NOT_CAUGHT || damage ? NOT_CAUGHT : verdict(false);
}

/* The word before the block says that it is three times as large. */
static enum outcome larger_header(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    size_t whole = (size + 8 + 15) & ~15UL;
    DO_WRONG(set(p - 8, 3 * whole | 1));
    refill_neighbours();
    return covers(size, 3 * whole - 8);
}

/* The same in the header of the next block, by an overflow of the victim; the next block is freed. */
static enum outcome next_header(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    size_t whole = (size + 8 + 15) & ~15UL;
    DO_WRONG(set(p + malloc_usable_size(p), 3 * whole | 1));
    refill_neighbours();
    give_back(block[VICTIM + 1]);
    block[VICTIM + 1] = NULL;
    return covers(size, 3 * whole - 8);
}

/* The next block's header says that the victim is free and begins elsewhere, so that the next free joins the two. */
static enum outcome previous_is_free(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    size_t whole = (size + 8 + 15) & ~15UL;
    unsigned char *after = p + malloc_usable_size(p);
    DO_WRONG(set(after - 8, whole); *(volatile unsigned char *)after &= 0xfe);
    refill_neighbours();
    give_back(block[VICTIM + 1]);
    block[VICTIM + 1] = NULL;
    return covers(size, 2 * whole - 8);
}

/* The header says that the block has a mapping of its own. */
static enum outcome says_mapped(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    DO_WRONG(set(p - 8, got(p - 8) ^ 2));
    refill_neighbours();
    give_back(p);
    return unless_reached(consequences(size));
}

/* What follows the last block of the heap becomes a huge size, and then a huge block is asked for. */
static enum outcome end_of_heap(size_t size, long by) {
    (void)by;
    unsigned char *p = take(size);
    DO_WRONG(set(p + malloc_usable_size(p), ~0UL));
    void *large = malloc((size_t)1 << 20);
    void *huge = malloc((size_t)1 << 62);
    enum outcome ended = huge ? NOT_CAUGHT : HARMLESS;
    give_back(large);
    give_back(huge);
    give_back(p);
    return consequences(size) == NOT_CAUGHT ? NOT_CAUGHT : unless_reached(ended);
}

/* Seven frees fill a thread cache of seven; then a, b, a. */
static enum outcome past_the_cache(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    for (int i = 0; i < 8; i++) give_back(block[i]), block[i] = NULL;
    give_back(p);
    give_back(block[8]);
    block[8] = NULL;
    DO_WRONG(give_back(p));
    return consequences(size);
}

/* A mark that says "this block is free" is wiped out by a write after free, then the block is freed again. */
static enum outcome wiped_mark(size_t size, long by) {
    unsigned char *p = surround(size);
    give_back(p);
    DO_WRONG(set(p + by, 0); give_back(p));
    return consequences(size);
}

/* Something that looks like a block with a header is freed; then a request of its size gets it. by: 0 static, 1 stack,
 * 2 inside a live block. */
static enum outcome spirit(size_t size, long by) {
    _Alignas(64) size_t local[64] = {0};
    unsigned char *p = surround(4096);
    size_t *where = by == 0 ? fake : by == 1 ? hidden(local) : (size_t *)(void *)p;
    size_t whole = (size + 8 + 15) & ~15UL;
    armed();
    if (wrong) {
        memset(where, 0, 64 * sizeof *where);
        where[1] = whole | 1;
        where[1 + whole / 8] = whole | 1;
        give_back(&where[2]);
    }
    returned();
    if (shares_memory(size, where, sizeof local)) return NOT_CAUGHT;
    return consequences(4096);
}

/* Does a word of the heap's mapping name the freed block, plainly or mixed with its own address? Then an overflow can
 * reach it. Read through /proc, so that pages without access are passed over. */
static enum outcome link_in_reach(size_t size, long by) {
    enum { REACH = 1 << 18 };
    static size_t page[512];
    unsigned char *start, *end, *p = surround(size);
    bool found = false;
    (void)by;
    for (int i = 1; i < BLOCKS; i += 2)
        if (i != VICTIM) give_back(block[i]), block[i] = NULL;
    give_back(p);
    give_back(block[VICTIM + 1]);
    block[VICTIM + 1] = NULL;
    if (!mapping_of(p, false, &start, &end)) return verdict(false); /* the freed block is no memory any more */
    if (start < p - REACH) start = (unsigned char *)((uintptr_t)(p - REACH) & ~4095UL);
    if (end > p + REACH) end = p + REACH;
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    armed();
    for (unsigned char *at = start; wrong && at < end; at += sizeof page) {
        if (pread(memory, page, sizeof page, (off_t)(uintptr_t)at) != (ssize_t)sizeof page) continue;
        for (size_t i = 0; i < 512; i++) {
            uintptr_t here = (uintptr_t)at + 8 * i;
            found |= page[i] == (uintptr_t)p || (page[i] ^ here >> 12) == (uintptr_t)p ||
                     page[i] == (uintptr_t)p - 16 || (page[i] ^ here >> 12) == (uintptr_t)p - 16;
        }
    }
    returned();
    close(memory);
    consequences(size);
    return verdict(found);
}

#define LINKS "lists out of line"
#define HEADERS "sizes out of line"
#define STATE "state of the block"
#define SMALL SIZES(24, 104, 1000)
static const struct wrong table[] = {
    {"link", "a freed block's first word becomes another address", LINKS, poison_link, 0, SMALL},
    {"mixed link", "as before, mixed with the word's own address", LINKS, poison_link, 1, SMALL},
    {"link, partly", "the lowest two bytes of the first word are those of a live block", LINKS, poison_link_partly, 0,
     SMALL},
    {"overflow into a link", "the same word, by an overflow from the block before", LINKS, overflow_into_link, 0,
     SMALL},
    {"overflow into a mixed link", "as before, mixed", LINKS, overflow_into_link, 1, SMALL},
    {"unlink", "a freed block's two links name the prize, and its neighbours are freed", LINKS, unlink_write, 0,
     SIZES(104, 2000)},
    {"back link", "a freed block's second word names the prize", LINKS, back_link, 0, SIZES(104, 2000)},
    {"larger header", "the word before a block triples its size", HEADERS, larger_header, 0, SIZES(24, 104, 2008)},
    {"next header", "the word after a block triples the next one's size", HEADERS, next_header, 0, SIZES(24, 104,
     2008)},
    {"previous is free", "the next block is told that this one is free", HEADERS, previous_is_free, 0, SIZES(1032,
     2040)},
    {"says it is mapped", "the word before a block says that it is a mapping", HEADERS, says_mapped, 0, SIZES(24,
     2008, 262144)},
    {"end of the heap", "the word after the last block becomes huge, then 2^62 bytes are asked for", HEADERS,
     end_of_heap, 0, SIZES(24, 2008)},
    {"past the cache", "seven frees, then a, b, a", STATE, past_the_cache, 0, SIZES(24, 104)},
    {"wiped mark", "a freed block's second word is zeroed and it is freed again", STATE, wiped_mark, 8, SMALL},
    {"wiped link", "a freed block's first word is zeroed and it is freed again", STATE, wiped_mark, 0, SMALL},
    {"forged block, static", "an array made to look like a block is freed", "range of the heap", spirit, 0, SIZES(24,
     104)},
    {"forged block, stack", "the same on the stack", "range of the heap", spirit, 1, SIZES(24, 104)},
    {"forged block, inside", "the same inside a live block", STATE, spirit, 2, SIZES(24, 104)},
    {"link in reach", "an address of a free block lies among the blocks", LINKS, link_in_reach, 0, SIZES(24, 4096,
     262144)},
};
CATEGORY(metadata, "metadata", table);
