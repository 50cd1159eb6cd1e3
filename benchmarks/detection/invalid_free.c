/* What is freed was never handed out. */
#include "harness.h"
#include <sys/mman.h>

static enum outcome freed(void *p) {
    DO_WRONG(give_back(hidden(p)));
    return consequences(64);
}

static enum outcome interior(size_t size, long by) {
    unsigned char *p = surround(size);
    DO_WRONG(give_back(p + by));
    return consequences(size);
}

/* by: in eighths of the size. */
static enum outcome interior_part(size_t size, long by) { return interior(size, (long)(size / 8) * by); }
static enum outcome last_byte(size_t size, long by) { return interior(size, (long)size + by); }

static enum outcome interior_of_freed(size_t size, long by) {
    unsigned char *p = surround(size);
    give_back(p);
    DO_WRONG(give_back(p + size / 8 * (size_t)by));
    return consequences(size);
}

/* Two or more neighbours are freed; then an address inside what they may have become. */
static enum outcome inside_coalesced(size_t size, long by) {
    unsigned char *p = surround(size);
    for (int i = VICTIM - 3; i <= VICTIM + 3; i++) {
        give_back(block[i]);
        if (i != VICTIM) block[i] = NULL;
    }
    DO_WRONG(give_back(p + by));
    return consequences(size);
}

/* What a delete instead of a delete[] passes: past or before the count that the compiler keeps in front of objects. */
static enum outcome array_cookie(size_t size, long by) {
    unsigned char *p = obtain(ARRAY, size + 16);
    DO_WRONG(if (by > 0) dispose(SCALAR, p + by, size); else dispose(ARRAY, p + 16 + by, size));
    dispose(ARRAY, p, size);
    return consequences(size);
}

static enum outcome never_handed_out(size_t size, long by) {
    unsigned char *p = surround(size);
    DO_WRONG(give_back(p + 64 * (size < 64 ? 64 : size)));
    (void)by;
    return consequences(size);
}

/* by: a distance from the lowest of the first blocks. */
static enum outcome before_the_first(size_t size, long by) {
    surround(size);
    unsigned char *lowest = block[0];
    for (int i = 1; i < BLOCKS; i++)
        if (block[i] < lowest) lowest = block[i];
    DO_WRONG(give_back(lowest + by));
    return consequences(size);
}

static enum outcome of_aligned(size_t size, long by) {
    unsigned char *p = surround_aligned(4096, size);
    DO_WRONG(give_back(p + by));
    return consequences(size);
}

static enum outcome stack(size_t size, long by) {
    _Alignas(64) unsigned char buffer[262144 + 64];
    unsigned char *p = hidden(buffer);
    memset(p, 0, size);
    return freed(p + by);
}

static void frees_its_stack(void *unused) {
    _Alignas(64) unsigned char buffer[256];
    (void)unused;
    memset(hidden(buffer), 0, sizeof buffer);
    DO_WRONG(give_back(hidden(buffer)));
}

static enum outcome thread_stack(size_t size, long by) {
    (void)size, (void)by;
    in_thread(frees_its_stack, NULL);
    return consequences(64);
}

extern char **environ;
static _Alignas(64) unsigned char zeroes[4096], values[4096] = {1, 2, 3};
static _Thread_local _Alignas(64) unsigned char local[256];
enum static_place { BSS, DATA, THREAD_LOCAL, LITERAL, CODE, LIBRARY_CODE, ENVIRONMENT };

static enum outcome static_memory(size_t size, long place) {
    (void)size;
    void *const places[] = {[BSS] = zeroes + 64,
                            [DATA] = values + 64,
                            [THREAD_LOCAL] = local + 64,
                            [LITERAL] = hidden((void *)(uintptr_t) "a string of the program"),
                            [CODE] = (void *)(uintptr_t)static_memory,
                            [LIBRARY_CODE] = (void *)(uintptr_t)memcpy,
                            [ENVIRONMENT] = environ[0]};
    return freed(places[place]);
}

/* by: 0 its start, 1 its middle, 2 unmapped before, 3 without access. */
static enum outcome mapped(size_t size, long by) {
    (void)size;
    enum { LENGTH = 1 << 20 };
    give_back(take(64)); /* the heap is there first */
    int access = by == 3 ? PROT_NONE : PROT_READ | PROT_WRITE;
    unsigned char *p = mmap(NULL, LENGTH, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) must(NULL);
    if (by == 2) munmap(p, LENGTH);
    return freed(by == 1 ? p + LENGTH / 2 : p);
}

static enum outcome number(size_t size, long value) {
    (void)size;
    return freed((void *)(uintptr_t)value);
}

/* A live block's address with bits of its upper half wrong. */
static enum outcome wrong_bits(size_t size, long bits) {
    unsigned char *p = surround(size);
    DO_WRONG(give_back((void *)((uintptr_t)p ^ (uintptr_t)bits)));
    return consequences(size);
}

/* A live block's address of which the lower `bits` bits were overwritten, as a short overflow does to a pointer. */
static enum outcome partly_overwritten(size_t size, long bits) {
    unsigned char *p = surround(size);
    uintptr_t mask = ((uintptr_t)1 << bits) - 1;
    DO_WRONG(give_back((void *)(((uintptr_t)p & ~mask) | (0x4141414141414141 & mask))));
    return consequences(size);
}

static enum outcome cut_to_32_bits(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    DO_WRONG(give_back((void *)(uintptr_t)(uint32_t)(uintptr_t)p));
    return consequences(size);
}

/* An address rounded to an alignment that the block does not have. by > 0: up; by < 0: down. */
static enum outcome rounded(size_t size, long by) {
    unsigned char *p = surround(size);
    uintptr_t mask = (uintptr_t)(by < 0 ? -by : by) - 1, address = (uintptr_t)p;
    if (!(address & mask)) address += 8; /* as if the object stood behind a header */
    address = by < 0 ? (address & ~mask) + 8 : ((address + mask) & ~mask) - 8;
    DO_WRONG(give_back((void *)address));
    return consequences(size);
}

/* Eight bytes past a granule, where no block starts: in the heap's mapping and in the nearest other one. */
static enum outcome in_mapping(size_t size, long other) {
    unsigned char *p = surround(size), *start, *end;
    if (!mapping_of(p, other, &start, &end)) return NOT_OFFERED;
    DO_WRONG(give_back(start + 8));
    return consequences(size);
}

#define STATE "state of the block"
#define RANGE "range of the heap"
static const struct wrong table[] = {
    {"interior by 1", "free(p + 1)", STATE, interior, 1, THREE},
    {"interior by 8", "free(p + 8)", STATE, interior, 8, SIZES(32, 4096, 262144)},
    {"interior by 16", "free(p + 16)", STATE, interior, 16, SIZES(64, 4096, 262144)},
    {"middle", "the middle of the block is freed", STATE, interior_part, 4, THREE},
    {"last byte", "the last byte of the block is freed", STATE, last_byte, -1, THREE},
    {"interior by a page", "free(p + 4096)", STATE, interior, 4096, SIZES(32768, 262144, 2097152)},
    {"middle of a freed block", "the middle of a block that is free", STATE, interior_of_freed, 4, THREE},
    {"inside coalesced", "16 bytes into a block freed with all its neighbours", STATE, inside_coalesced, 16,
     SIZES(64, 4096, 262144)},
    {"8 before", "free(p - 8), where some keep a header", STATE, interior, -8, THREE},
    {"16 before", "free(p - 16), where some keep a header", STATE, interior, -16, SIZES(4096, 262144)},
    {"past the cookie", "delete where new[] kept a count in front", STATE, array_cookie, 8, THREE},
    {"before the start", "delete[] of what has no count in front", STATE, array_cookie, -8, THREE},
    {"never handed out", "64 blocks further on", STATE, never_handed_out, 0, THREE},
    {"before the first", "4,096 bytes before the first block of the heap", STATE, before_the_first, -4096, THREE},
    {"aligned, 16 before", "16 bytes before a block aligned to a page", STATE, of_aligned, -16, THREE},
    {"aligned, 16 after", "16 bytes into a block aligned to a page", STATE, of_aligned, 16, SIZES(64, 4096, 262144)},
    {"1 GiB further", "free(p + 1 GiB)", RANGE, interior, 1 << 30, THREE},
    {"stack", "an array on the stack", RANGE, stack, 0, THREE},
    {"stack, misaligned", "one byte into an array on the stack", RANGE, stack, 1, SIZES(8, 4096)},
    {"thread's stack", "an array on a thread's stack", RANGE, thread_stack, 0, SIZES(ANY_SIZE)},
    {"zeroes", "an array of the program without a value", RANGE, static_memory, BSS, SIZES(ANY_SIZE)},
    {"data", "an array of the program with a value", RANGE, static_memory, DATA, SIZES(ANY_SIZE)},
    {"thread-local", "a thread-local array", RANGE, static_memory, THREAD_LOCAL, SIZES(ANY_SIZE)},
    {"string literal", "a string literal", RANGE, static_memory, LITERAL, SIZES(ANY_SIZE)},
    {"code", "a function of the program", RANGE, static_memory, CODE, SIZES(ANY_SIZE)},
    {"library code", "a function of the C library", RANGE, static_memory, LIBRARY_CODE, SIZES(ANY_SIZE)},
    {"environment", "a string of the environment", RANGE, static_memory, ENVIRONMENT, SIZES(ANY_SIZE)},
    {"mapping", "the start of the program's own mapping", RANGE, mapped, 0, SIZES(ANY_SIZE)},
    {"inside a mapping", "the middle of the program's own mapping", RANGE, mapped, 1, SIZES(ANY_SIZE)},
    {"unmapped", "where a mapping was", RANGE, mapped, 2, SIZES(ANY_SIZE)},
    {"no access", "a mapping without access", RANGE, mapped, 3, SIZES(ANY_SIZE)},
    {"one", "free((void *)1)", RANGE, number, 1, SIZES(ANY_SIZE)},
    {"sixteen", "free((void *)16)", RANGE, number, 16, SIZES(ANY_SIZE)},
    {"minus sixteen", "free((void *)-16)", RANGE, number, -16, SIZES(ANY_SIZE)},
    {"kernel's half", "an address of the system's half", RANGE, number, (long)0xffff888000000000, SIZES(ANY_SIZE)},
    {"non-canonical", "an address that no process can have", RANGE, number, 0x00dead0123456780, SIZES(ANY_SIZE)},
    {"wild tag", "a live block's address with its top byte changed", RANGE, wrong_bits, (long)0xa5 << 56, THREE},
    {"bit 46 wrong", "a live block's address with bit 46 flipped", RANGE, wrong_bits, 1L << 46, THREE},
    {"cut to 32 bits", "the lower half of a live block's address", RANGE, cut_to_32_bits, 0, THREE},
    {"low byte overwritten", "the lowest byte of the address is 'A'", STATE, partly_overwritten, 8, THREE},
    {"two low bytes overwritten", "the lowest two bytes are 'A'", STATE, partly_overwritten, 16, THREE},
    {"rounded up", "8 before the next multiple of 64", STATE, rounded, 64, THREE},
    {"rounded down", "8 behind the last multiple of 4,096", STATE, rounded, -4096, THREE},
    {"the heap's mapping", "8 bytes into the mapping that holds the block", STATE, in_mapping, false, THREE},
    {"the metadata's mapping", "8 bytes into the nearest other mapping", RANGE, in_mapping, true, THREE},
};
CATEGORY(invalid_free, "invalid free", table);
