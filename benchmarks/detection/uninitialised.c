/* A fresh block is read before it is written: does it show what somebody else left there? */
#include "harness.h"

enum { SECRET = 0x5e, MOST = 200, BYTES = 16 << 20 };

/* How many blocks of a size a case takes: 200, but not more than 16 MiB. */
static int many(size_t size) { return size * MOST > BYTES ? (int)(BYTES / size) : MOST; }

static bool shows(const unsigned char *at, size_t length) {
    size_t run = 0;
    for (size_t i = 0; i < length; i++) {
        run = ((const volatile unsigned char *)at)[i] == SECRET ? run + 1 : 0;
        if (run == 4) return true;
    }
    return false;
}

/* Blocks full of a secret are freed. */
static void leave_secrets(size_t size) {
    static unsigned char *all[MOST];
    for (int i = 0; i < many(size); i++) memset(all[i] = take(size), SECRET, size);
    for (int i = 0; i < many(size); i++) give_back(all[i]);
}

static void leaves_secrets(void *size) { leave_secrets(*(size_t *)size); }

/* by: 0 malloc, 1 new, 2 an aligned request, 3 after another thread's frees; as many blocks as were freed. */
static enum outcome recycled(size_t size, long by) {
    static unsigned char *all[MOST];
    bool found = false;
    if (by == 3) in_thread(leaves_secrets, &size);
    else leave_secrets(size);
    armed();
    for (int i = 0; i < many(size); i++) {
        all[i] = by == 2 ? must(aligned_alloc(64, (size + 63) & ~63UL)) : obtain(by == 1 ? SCALAR : PLAIN, size);
        if (wrong) found |= shows(all[i], size);
    }
    returned();
    for (int i = 0; i < many(size); i++) give_back(all[i]);
    return verdict(found);
}

static enum outcome first_only(size_t size, long by) {
    (void)by;
    bool found = false;
    leave_secrets(size);
    unsigned char *p = take(size);
    DO_WRONG(found = shows(p, size));
    give_back(p);
    return verdict(found);
}

/* Smaller blocks from where larger ones were, or the reverse: `eighths` of the size. */
static enum outcome other_size(size_t size, long eighths) {
    static unsigned char *all[MOST];
    bool found = false;
    size_t now = size / 8 * (size_t)eighths;
    leave_secrets(size);
    armed();
    for (int i = 0; i < many(size); i++) {
        all[i] = take(now);
        if (wrong) found |= shows(all[i], now);
    }
    returned();
    for (int i = 0; i < many(size); i++) give_back(all[i]);
    return verdict(found);
}

static enum outcome realloc_tail(size_t size, long by) {
    static unsigned char *all[MOST];
    (void)by;
    bool found = false;
    leave_secrets(size);
    armed();
    for (int i = 0; i < many(size); i++) {
        memset(all[i] = take(size / 4), 0, size / 4);
        all[i] = must(realloc(all[i], size));
        if (wrong) found |= shows(all[i] + size / 4, size - size / 4);
    }
    returned();
    for (int i = 0; i < many(size); i++) give_back(all[i]);
    return verdict(found);
}

/* Bytes that malloc_usable_size adds to what was asked for. */
static enum outcome slack(size_t size, long by) {
    static unsigned char *all[MOST];
    (void)by;
    bool found = false;
    leave_secrets(malloc_usable_size(block[0] = take(size)));
    armed();
    for (int i = 0; i < many(size); i++) {
        all[i] = take(size);
        if (wrong) found |= shows(all[i] + size, malloc_usable_size(all[i]) - size);
    }
    returned();
    for (int i = 0; i < many(size); i++) give_back(all[i]);
    give_back(block[0]);
    return verdict(found);
}

/* A word of a fresh block that is an address of the heap tells an attacker where the heap is. */
static enum outcome address_leak(size_t size, long by) {
    static unsigned char *all[MOST];
    (void)by;
    bool found = false;
    leave_secrets(size);
    armed();
    for (int i = 0; i < many(size); i++) {
        all[i] = take(size);
        for (size_t at = 0; wrong && at + 8 <= size; at += 8) {
            uintptr_t word;
            memcpy(&word, all[i] + at, sizeof word);
            uintptr_t distance = word > (uintptr_t)all[i] ? word - (uintptr_t)all[i] : (uintptr_t)all[i] - word;
            found |= distance < 1UL << 32;
        }
    }
    returned();
    for (int i = 0; i < many(size); i++) give_back(all[i]);
    return verdict(found);
}

#define ZERO "zero on free"
static const struct wrong table[] = {
    {"first block", "up to 200 blocks are freed; the next one shows old contents", ZERO, first_only, 0, THREE},
    {"recycled", "up to 200 blocks are freed and as many taken: one shows old contents", ZERO, recycled, 0,
     SIZES(8, 64, 4096, 32768, 262144)},
    {"recycled by new", "as before, with new", ZERO, recycled, 1, THREE},
    {"recycled aligned", "as before, with aligned_alloc", ZERO, recycled, 2, THREE},
    {"recycled after a thread", "another thread frees; this one sees the contents", ZERO, recycled, 3, THREE},
    {"smaller", "half the size, where larger blocks were", ZERO, other_size, 4, SIZES(64, 4096, 262144)},
    {"larger", "twice the size, where smaller blocks were", ZERO, other_size, 16, SIZES(64, 4096, 262144)},
    {"realloc's tail", "what realloc adds to a block", ZERO, realloc_tail, 0, SIZES(64, 4096, 262144)},
    {"slack", "what lies between the size and the usable size", ZERO, slack, 0, SIZES(100, 1100, 5000)},
    {"addresses", "a fresh block holds an address of the heap", "lists out of line", address_leak, 0, THREE},
};
CATEGORY(uninitialised, "uninitialised read", table);
