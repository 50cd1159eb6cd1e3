/* Requests that no allocator can fulfil, blocks of no bytes, and blocks given to the wrong function. */
#include "harness.h"
#include <errno.h>

/* A block where there can be none is what the case looks for; the control run asks for 64 bytes. */
static size_t unknown(size_t number) { return (size_t)(uintptr_t)hidden((void *)number); } /* to the compiler */
enum impossible {
    MALLOC,
    CALLOC,
    CALLOC_WRAPS,
    REALLOC,
    REALLOCARRAY,
    ALIGNED_ALLOC,
    POSIX,
    ALIGNED_WRAPS,
    STRANGE_ALIGNMENT
};

static enum outcome too_large(size_t size, long function) {
    unsigned char *old = take(64);
    void *made = NULL;
    size_t asked = wrong ? size : 64;
    memset(old, 'o', 64);
    armed();
    switch ((enum impossible)function) {
    case MALLOC: made = malloc(asked); break;
    case CALLOC: made = calloc(asked, 1); break;
    case CALLOC_WRAPS: made = wrong ? calloc(unknown((size_t)1 << 33), ((size_t)1 << 31) + 1) : calloc(8, 8); break;
    case REALLOC: made = realloc(hidden(old), asked); break;
    case REALLOCARRAY: made = reallocarray(hidden(old), unknown(wrong ? SIZE_MAX / 8 + 2 : 8), 8); break;
    case ALIGNED_ALLOC: made = aligned_alloc(64, asked & -64UL); break;
    case POSIX:
        if (posix_memalign(&made, 4096, asked)) made = NULL;
        break;
    case ALIGNED_WRAPS:
        made = aligned_alloc(unknown(wrong ? (size_t)1 << 62 : 64), unknown(wrong ? (size_t)3 << 62 : 64));
        break;
    case STRANGE_ALIGNMENT: /* 24 is no power of two */
        if (posix_memalign(&made, wrong ? 24 : 32, 64)) made = NULL;
        break;
    }
    returned();
    bool moved = function == REALLOC || function == REALLOCARRAY;
    if (moved && made) old = made;
    bool whole = holds(old, 'o', 64);
    if (!moved) give_back(made);
    give_back(old);
    return !whole ? NOT_CAUGHT : verdict(made != NULL);
}

#define CHECKED "checked sizes"
#define HUGE_SIZES SIZES(SIZE_MAX - 1, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096)
static const struct wrong sizes[] = {
    {"malloc of almost all", "malloc of nearly 2^64 bytes", CHECKED, too_large, MALLOC, HUGE_SIZES},
    {"calloc of almost all", "calloc of nearly 2^64 bytes", CHECKED, too_large, CALLOC, HUGE_SIZES},
    {"calloc that wraps", "calloc whose product wraps round", CHECKED, too_large, CALLOC_WRAPS, SIZES(ANY_SIZE)},
    {"realloc to almost all", "realloc to nearly 2^64 bytes", CHECKED, too_large, REALLOC, HUGE_SIZES},
    {"reallocarray that wraps", "reallocarray whose product wraps round", CHECKED, too_large, REALLOCARRAY,
     SIZES(ANY_SIZE)},
    {"aligned, almost all", "aligned_alloc of nearly 2^64 bytes", CHECKED, too_large, ALIGNED_ALLOC, HUGE_SIZES},
    {"posix_memalign of almost all", "posix_memalign of nearly 2^64 bytes", CHECKED, too_large, POSIX, HUGE_SIZES},
    {"alignment that wraps", "size and alignment wrap round together", CHECKED, too_large, ALIGNED_WRAPS,
     SIZES(ANY_SIZE)},
    {"alignment of 24", "posix_memalign with no power of two", CHECKED, too_large, STRANGE_ALIGNMENT, SIZES(ANY_SIZE)},
};
CATEGORY(request_size, "request size", sizes);

/* How a block of no bytes is come by. */
enum empty { BY_MALLOC, BY_CALLOC, BY_NEW, BY_ALIGNED, BY_REALLOC };

static unsigned char *nothing(enum empty how) {
    switch (how) {
    case BY_MALLOC: return malloc(0);
    case BY_CALLOC: return calloc(0, 16);
    case BY_NEW: return obtain(SCALAR, 0);
    case BY_ALIGNED: return aligned_alloc(64, 0);
    case BY_REALLOC: return realloc(NULL, 0);
    }
    return NULL;
}

static enum outcome empty_read(size_t size, long how) {
    (void)size;
    unsigned char *p = nothing((enum empty)how);
    if (!p) return PREVENTED;
    DO_WRONG((void)*(volatile unsigned char *)p);
    give_back(p);
    return wrong ? NOT_CAUGHT : HARMLESS;
}

static enum outcome empty_write(size_t size, long how) {
    (void)size;
    unsigned char *p = nothing((enum empty)how);
    if (!p) return PREVENTED;
    DO_WRONG(scribble(p, 1));
    give_back(p);
    return consequences(8);
}

static enum outcome empty_write_last(size_t size, long how) {
    (void)size;
    unsigned char *p = nothing((enum empty)how);
    if (!p) return PREVENTED;
    DO_WRONG(scribble(p, 1));
    return wrong ? NOT_CAUGHT : HARMLESS;
}

static enum outcome shrunk_to_nothing(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size), *rest = realloc(p, 0);
    if (!rest && wrong) return PREVENTED; /* and p is free: then this is a write after free, which has its own cases */
    DO_WRONG(scribble(rest, 1));
    give_back(rest);
    return consequences(size);
}

#define NO_ACCESS "no access to empty blocks"
static const struct wrong empties[] = {
    {"read malloc(0)", "the first byte of malloc(0) is read", NO_ACCESS, empty_read, BY_MALLOC, SIZES(0)},
    {"read calloc(0, 16)", "the first byte of calloc(0, 16) is read", NO_ACCESS, empty_read, BY_CALLOC, SIZES(0)},
    {"read new char[0]", "the first byte of operator new(0) is read", NO_ACCESS, empty_read, BY_NEW, SIZES(0)},
    {"read aligned_alloc(64, 0)", "the first byte of aligned_alloc(64, 0) is read", NO_ACCESS, empty_read, BY_ALIGNED,
     SIZES(0)},
    {"read realloc(NULL, 0)", "the first byte of realloc(NULL, 0) is read", NO_ACCESS, empty_read, BY_REALLOC,
     SIZES(0)},
    {"write malloc(0)", "the first byte of malloc(0) is changed", NO_ACCESS, empty_write, BY_MALLOC, SIZES(0)},
    {"write calloc(0, 16)", "the first byte of calloc(0, 16) is changed", NO_ACCESS, empty_write, BY_CALLOC, SIZES(0)},
    {"write new char[0]", "the first byte of operator new(0) is changed", NO_ACCESS, empty_write, BY_NEW, SIZES(0)},
    {"write aligned_alloc(64, 0)", "the first byte of aligned_alloc(64, 0) is changed", NO_ACCESS, empty_write,
     BY_ALIGNED, SIZES(0)},
    {"write malloc(0), never freed", "as before, and nothing follows", NO_ACCESS, empty_write_last, BY_MALLOC,
     SIZES(0)},
    {"write after realloc to 0", "realloc(p, 0) gives a block, which is written to", NO_ACCESS, shrunk_to_nothing, 0,
     SIZES(8, 4096)},
};
CATEGORY(zero_size, "zero size", empties);

/* realloc of what is no live block. A NULL without a word is harmless; a block is not. */
static enum outcome resized(void *p, size_t size) {
    void *made = NULL;
    DO_WRONG(made = realloc(hidden(p), 2 * size));
    give_back(made);
    enum outcome rest = consequences(size);
    return made ? NOT_CAUGHT : rest;
}

static enum outcome realloc_freed(size_t size, long pairs) {
    unsigned char *p = surround(size);
    give_back(p);
    for (long i = 0; i < pairs; i++) give_back(take(size));
    return resized(p, size);
}

static enum outcome realloc_interior(size_t size, long by) { return resized(surround(size) + by, size); }

static enum outcome realloc_moved(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    void *stale = hidden(p);
    unsigned char *moved = must(realloc(p, 16 * size));
    if (moved == stale) {
        give_back(moved);
        moved = NULL;
    }
    enum outcome ended = resized(stale, size);
    give_back(moved);
    return ended;
}

static _Alignas(64) unsigned char global[4096];

static enum outcome realloc_static(size_t size, long by) {
    (void)by;
    return resized(global + 64, size);
}

static enum outcome realloc_stack(size_t size, long by) {
    _Alignas(64) unsigned char local[4096];
    (void)by;
    memset(hidden(local), 0, sizeof local);
    return resized(local + 64, size);
}

static enum outcome realloc_code(size_t size, long by) {
    (void)by;
    return resized((void *)(uintptr_t)realloc_code, size);
}

/* malloc_usable_size of what is no live block: whatever it says but 0 is an invention. */
static enum outcome usable_size(size_t size, long by) {
    unsigned char *p = surround(size);
    size_t said = 0;
    if (by == 0) give_back(p);
    DO_WRONG(said = malloc_usable_size(by < 0 ? hidden(global + 64) : p + by));
    consequences(size);
    return verdict(said != 0);
}

#define STATE "state of the block"
#define RANGE "range of the heap"
static const struct wrong reallocs[] = {
    {"realloc freed", "a freed block is resized", STATE, realloc_freed, 0, THREE},
    {"realloc freed long ago", "a block freed 1,000 pairs ago is resized", STATE, realloc_freed, 1000, THREE},
    {"realloc interior", "an address 8 bytes into a block is resized", STATE, realloc_interior, 8,
     SIZES(64, 4096, 262144)},
    {"realloc 16 inside", "an address 16 bytes into a block is resized", STATE, realloc_interior, 16,
     SIZES(64, 4096, 262144)},
    {"realloc twice", "a block that realloc moved is resized at its old address", STATE, realloc_moved, 0, THREE},
    {"realloc static", "an array of the program is resized", RANGE, realloc_static, 0, SIZES(64)},
    {"realloc stack", "an array on the stack is resized", RANGE, realloc_stack, 0, SIZES(64)},
    {"realloc code", "a function is resized", RANGE, realloc_code, 0, SIZES(64)},
    {"usable size of freed", "malloc_usable_size of a freed block", STATE, usable_size, 0, THREE},
    {"usable size of interior", "malloc_usable_size of an address inside", STATE, usable_size, 8,
     SIZES(64, 4096, 262144)},
    {"usable size of static", "malloc_usable_size of an array of the program", RANGE, usable_size, -1, SIZES(64)},
};
CATEGORY(realloc_misuse, "realloc and usable size", reallocs);

/* C23's, where the library has them. */
void free_sized(void *block, size_t size) __attribute__((weak));
void free_aligned_sized(void *block, size_t alignment, size_t size) __attribute__((weak));

static enum outcome sized_delete(size_t size, long eighths) {
    surround(size);
    void *p = obtain(SIZED, size);
    armed();
    dispose(SIZED, p, wrong ? size / 8 * (size_t)eighths : size);
    returned();
    return consequences(size);
}

static enum outcome sized_free(size_t size, long eighths) {
    unsigned char *p = surround(size);
    if (!free_sized) return NOT_OFFERED;
    armed();
    free_sized(p, wrong ? size / 8 * (size_t)eighths : size);
    returned();
    return consequences(size);
}

static enum outcome aligned_sized_free(size_t size, long eighths) {
    unsigned char *p = surround_aligned(64, size);
    if (!free_aligned_sized) return NOT_OFFERED;
    armed();
    free_aligned_sized(p, 64, wrong ? size / 8 * (size_t)eighths : size);
    returned();
    return consequences(size);
}

/* by: how the block is obtained, and how it is disposed of. */
static enum outcome mixed(size_t size, long by) {
    enum way first = by >> 4, second = by & 15;
    surround(size);
    void *p = obtain(first, size);
    armed();
    dispose(wrong ? second : first, p, size);
    returned();
    return consequences(size);
}

#define CLAIM "claimed size against the block's"
#define ORIGIN "origin kept for each block"
static const struct wrong mismatches[] = {
    {"deleted as larger", "delete with twice the size", CLAIM, sized_delete, 16, THREE},
    {"deleted as 16 times larger", "delete with 16 times the size", CLAIM, sized_delete, 128, THREE},
    {"deleted as smaller", "delete with a quarter of the size", CLAIM, sized_delete, 2, SIZES(256, 4096, 262144)},
    {"free_sized as larger", "free_sized with 16 times the size", CLAIM, sized_free, 128, THREE},
    {"free_sized as smaller", "free_sized with a quarter of the size", CLAIM, sized_free, 2, SIZES(256, 4096, 262144)},
    {"free_aligned_sized as larger", "free_aligned_sized with 16 times the size", CLAIM, aligned_sized_free, 128,
     SIZES(64, 4096, 262144)},
    {"malloc, delete", "malloc, then delete", ORIGIN, mixed, WAYS(PLAIN, SCALAR), SIZES(8, 262144)},
    {"new, free", "new, then free", ORIGIN, mixed, WAYS(SCALAR, PLAIN), SIZES(8, 262144)},
    {"new[], delete", "new[], then delete", ORIGIN, mixed, WAYS(ARRAY, SCALAR), SIZES(8, 262144)},
    {"new, delete[]", "new, then delete[]", ORIGIN, mixed, WAYS(SCALAR, ARRAY), SIZES(8, 262144)},
    {"new, aligned delete", "new, then delete with an alignment", ORIGIN, mixed, WAYS(SCALAR, ALIGNED),
     SIZES(8, 262144)},
    {"aligned new, delete", "new with an alignment, then delete without", ORIGIN, mixed, WAYS(ALIGNED, SCALAR),
     SIZES(8, 262144)},
};
CATEGORY(mismatch, "mismatched free", mismatches);
