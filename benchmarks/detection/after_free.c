/* A block is written to or read after it was freed. */
#include "harness.h"

enum where { FIRST, MIDDLE, LAST, WHOLE };

static void change(unsigned char *p, size_t size, enum where where) {
    if (where == WHOLE) scribble(p, size);
    else scribble(p + (where == FIRST ? 0 : where == LAST ? size - 8 : size / 2 / 8 * 8), 8);
}

static enum outcome writes(size_t size, long where) {
    unsigned char *p = surround(size);
    give_back(p);
    DO_WRONG(change(p, size, (enum where)where));
    return consequences(size);
}

/* Nothing follows: only a fault at the write itself can stop it. */
static enum outcome writes_last(size_t size, long where) {
    unsigned char *p = surround(size);
    give_back(p);
    DO_WRONG(change(p, size, (enum where)where));
    return wrong ? NOT_CAUGHT : HARMLESS;
}

static enum outcome writes_after_moving(size_t size, long where) {
    unsigned char *p = surround(size);
    void *stale = hidden(p);
    unsigned char *moved = must(realloc(p, 16 * size));
    if (moved == stale) {
        give_back(moved);
        moved = NULL;
    }
    DO_WRONG(change(stale, size, (enum where)where));
    bool damage = moved && !holds(moved, FILL + VICTIM, size);
    give_back(moved);
    return consequences(size) == NOT_CAUGHT || damage ? NOT_CAUGHT : HARMLESS;
}

static enum outcome writes_after_a_thread_freed(size_t size, long where) {
    unsigned char *p = surround(size);
    in_thread(give_back, p);
    DO_WRONG(change(p, size, (enum where)where));
    return consequences(size);
}

/* Blocks are taken and freed, 16 of them live at a time, until one of them is the victim's; NULL: none was. Does what
 * an attacker does who wants something of their own where a stale pointer points. */
static unsigned char *owner_again(size_t size, const unsigned char *victim) {
    enum { TRIES = 4000, LIVE = 16 };
    unsigned char *live[LIVE] = {0}, *found = NULL;
    for (int i = 0; i < TRIES && !found; i++) {
        unsigned char *p = take(size);
        if (p == victim) found = p;
        else give_back(live[i % LIVE]), live[i % LIVE] = p;
    }
    for (int i = 0; i < LIVE; i++) give_back(live[i]);
    return found;
}

static enum outcome writes_to_new_owner(size_t size, long where) {
    unsigned char *p = surround(size);
    void *stale = hidden(p);
    give_back(p);
    unsigned char *owner = owner_again(size, stale);
    if (owner) memset(owner, 'o', size);
    else if (wrong) return PREVENTED;
    DO_WRONG(change(stale, size, (enum where)where));
    bool damage = owner && !holds(owner, 'o', size);
    give_back(owner);
    return consequences(size) == NOT_CAUGHT || damage ? NOT_CAUGHT : HARMLESS;
}

/* The stale pointer is freed, which takes the block from its new owner; the new owner's own free may be noticed. */
static enum outcome frees_new_owners(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    void *stale = hidden(p);
    give_back(p);
    unsigned char *owner = owner_again(size, stale);
    if (!owner && wrong) return PREVENTED;
    DO_WRONG(give_back(stale));
    if (owner) give_back(owner);
    return consequences(size);
}

static enum outcome deleted(size_t size, long where) {
    unsigned char *p = obtain(SCALAR, size);
    memset(p, 'd', size);
    dispose(SCALAR, p, size);
    DO_WRONG(change(p, size, (enum where)where));
    return consequences(size);
}

#define REUSE "check at reuse"
#define FENCE "no access to freed memory"
#define WAIT "quarantine"
static const struct wrong writing[] = {
    {"first word", "the first 8 bytes of a freed block are changed", REUSE, writes, FIRST, THREE},
    {"middle word", "8 bytes in the middle are changed", REUSE, writes, MIDDLE, SIZES(64, 4096, 262144)},
    {"last word", "the last 8 bytes are changed", REUSE, writes, LAST, SIZES(64, 4096, 262144)},
    {"all of it", "every byte is changed", REUSE, writes, WHOLE, THREE},
    {"no call follows", "every byte is changed and the program ends", FENCE, writes_last, WHOLE, THREE},
    {"after moving", "what a realloc left is changed", REUSE, writes_after_moving, WHOLE, THREE},
    {"freed by a thread", "what another thread freed is changed", REUSE, writes_after_a_thread_freed, WHOLE, THREE},
    {"after delete", "a deleted object is changed", REUSE, deleted, WHOLE, THREE},
    {"of the new owner", "a stale pointer changes the next owner's block", WAIT, writes_to_new_owner, FIRST, THREE},
    {"freeing the new owner's", "a stale pointer is freed after its block was handed out again", WAIT,
     frees_new_owners, 0, THREE},
};
CATEGORY(write_after_free, "write after free", writing);

/* Is an old byte still there? A run of four, so that a random pattern is not taken for one. */
static bool shows(const unsigned char *at, size_t length, unsigned char value) {
    size_t run = 0;
    for (size_t i = 0; i < length; i++) {
        run = ((const volatile unsigned char *)at)[i] == value ? run + 1 : 0;
        if (run == 4) return true;
    }
    return false;
}

static bool shows_part(const unsigned char *p, size_t size, enum where where, unsigned char value) {
    if (where == WHOLE) return shows(p, size, value);
    return shows(p + (where == FIRST ? 0 : where == LAST ? size - 8 : size / 2 / 8 * 8), 8, value);
}

static enum outcome reads(size_t size, long where) {
    unsigned char *p = surround(size);
    bool found = false;
    give_back(p);
    DO_WRONG(found = shows_part(p, size, (enum where)where, FILL + VICTIM));
    consequences(size);
    return verdict(found);
}

static enum outcome reads_what_realloc_left(size_t size, long eighths) {
    unsigned char *p = surround(size);
    void *stale = hidden(p);
    bool found = false;
    unsigned char *moved = must(realloc(p, size / 8 * (size_t)eighths));
    if (moved == stale) give_back(moved);
    DO_WRONG(found = shows(stale, size, FILL + VICTIM));
    if (moved != stale) give_back(moved);
    consequences(size);
    return verdict(found);
}

static enum outcome reads_what_a_thread_freed(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    bool found = false;
    in_thread(give_back, p);
    DO_WRONG(found = shows(p, size, FILL + VICTIM));
    consequences(size);
    return verdict(found);
}

static enum outcome reads_new_owners(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    void *stale = hidden(p);
    bool found = false;
    give_back(p);
    unsigned char *owner = owner_again(size, stale);
    if (owner) memset(owner, 'o', size);
    else if (wrong) return PREVENTED;
    DO_WRONG(found = shows(stale, size, 'o'));
    give_back(owner);
    consequences(size);
    return verdict(found);
}

#define ZERO "zero on free"
static const struct wrong reading[] = {
    {"old first word", "the first 8 bytes of a freed block are read", ZERO, reads, FIRST, THREE},
    {"old last word", "the last 8 bytes are read", ZERO, reads, LAST, SIZES(64, 4096, 262144)},
    {"old contents", "a freed block is searched for what was in it", ZERO, reads, WHOLE,
     SIZES(64, 4096, 32768, 262144)},
    {"old contents after growth", "what realloc left is searched", ZERO, reads_what_realloc_left, 128, THREE},
    {"old contents after a thread's free", "what another thread freed is searched", ZERO, reads_what_a_thread_freed, 0,
     THREE},
    {"new owner's contents", "a stale pointer shows the next owner's contents", WAIT, reads_new_owners, 0, THREE},
};
CATEGORY(read_after_free, "read after free", reading);
