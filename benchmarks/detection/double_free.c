/* A block is freed that has been freed already. */
#include "harness.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static enum outcome twice(size_t size, long others_between) {
    unsigned char *p = surround(size);
    give_back(p);
    for (long i = 0; i < others_between; i++) {
        give_back(block[i]);
        block[i] = NULL;
    }
    DO_WRONG(give_back(p));
    return consequences(size);
}

static enum outcome pairs_between(size_t size, long pairs) {
    unsigned char *p = surround(size);
    give_back(p);
    for (long i = 0; i < pairs; i++) give_back(take(size));
    DO_WRONG(give_back(p));
    return consequences(size);
}

/* Many are freed before it and after it, and memory may have gone back to the system. */
static enum outcome of_many(size_t size, long many) {
    static unsigned char *all[1000];
    for (long i = 0; i < many; i++) memset(all[i] = take(size), 1, size < 64 ? size : 64);
    for (long i = 0; i < many; i++) give_back(all[i]);
    DO_WRONG(give_back(all[many / 2]));
    return consequences(size);
}

static enum outcome of_calloc(size_t size, long by) {
    (void)by;
    unsigned char *p = must(calloc(1, size));
    give_back(p);
    DO_WRONG(give_back(p));
    return consequences(size);
}

static enum outcome of_aligned(size_t size, long alignment) {
    unsigned char *p = surround_aligned((size_t)alignment, size);
    give_back(p);
    DO_WRONG(give_back(p));
    return consequences(size);
}

static enum outcome of_strdup(size_t size, long by) {
    (void)by;
    char *text = (char *)take(size);
    memset(text, 'a', size - 1);
    text[size - 1] = 0;
    char *p = must(strdup(text));
    give_back(p);
    DO_WRONG(give_back(p));
    give_back(text);
    return consequences(size);
}

/* `numerator` eighths of the size: realloc grows or shrinks; a block that stays where it is is freed by its owner. */
static enum outcome after_realloc(size_t size, long eighths) {
    unsigned char *p = surround(size);
    void *stale = hidden(p);
    unsigned char *moved = must(realloc(p, size / 8 * (size_t)eighths));
    if (moved == stale) give_back(moved);
    DO_WRONG(give_back(stale));
    if (moved != stale) give_back(moved);
    return consequences(size);
}

static enum outcome after_realloc_to_zero(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    void *stale = hidden(p);
    void *rest = realloc(p, 0);
    if (rest == stale) give_back(rest);
    DO_WRONG(give_back(stale));
    if (rest != stale) give_back(rest);
    return consequences(size);
}

/* by: bit 0, the first free is another thread's; bit 1, the second is. */
static enum outcome by_threads(size_t size, long by) {
    unsigned char *p = surround(size);
    if (by & 1) in_thread(give_back, p);
    else give_back(p);
    DO_WRONG(if (by & 2) in_thread(give_back, p); else give_back(p));
    return consequences(size);
}

static void frees_twice(void *p) {
    give_back(p);
    DO_WRONG(give_back(p));
}

static enum outcome twice_by_a_thread(size_t size, long by) {
    (void)by;
    in_thread(frees_twice, surround(size));
    return consequences(size);
}

static size_t thread_size;
static void takes(void *into) { *(unsigned char **)into = take(thread_size); }

static enum outcome after_its_thread_exited(size_t size, long by) {
    (void)by;
    unsigned char *p;
    thread_size = size;
    in_thread(takes, &p);
    give_back(p);
    DO_WRONG(give_back(p));
    return consequences(size);
}

static enum outcome in_the_child(size_t size, long by) {
    (void)by;
    int status;
    unsigned char *p = surround(size);
    give_back(p);
    armed();
    pid_t child = fork();
    if (!child) {
        if (wrong) give_back(p);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) raise(WTERMSIG(status));
    returned();
    return wrong ? NOT_CAUGHT : HARMLESS;
}

/* by: the way of the first free, and of the second. */
static enum outcome by_delete(size_t size, long by) {
    enum way first = by >> 4, second = by & 15;
    void *p = obtain(first, size);
    dispose(first, p, size);
    DO_WRONG(dispose(second, p, size));
    return consequences(size);
}

/* The neighbours on both sides are freed first, so that what is free may have been joined into one. */
static enum outcome coalesced(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    for (int i = VICTIM - 2; i <= VICTIM + 2; i++) {
        if (i == VICTIM) continue;
        give_back(block[i]);
        block[i] = NULL;
    }
    give_back(p);
    DO_WRONG(give_back(p));
    return consequences(size);
}

/* As above, and then a block four times as large is taken, which may begin before it and cover it. */
static enum outcome swallowed(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    for (int i = VICTIM - 2; i <= VICTIM + 2; i++) {
        give_back(block[i]);
        if (i != VICTIM) block[i] = NULL;
    }
    unsigned char *large = take(4 * size);
    if (large == p) {
        give_back(large);
        large = NULL;
    }
    DO_WRONG(give_back(p));
    give_back(large);
    return consequences(size);
}

static enum outcome of_zero_size(size_t size, long by) {
    (void)by;
    unsigned char *p = malloc(size);
    give_back(p);
    DO_WRONG(give_back(p));
    return consequences(8);
}

#define STATE "state of the block"
static const struct wrong table[] = {
    {"twice", "free twice in a row", STATE, twice, 0, SIZES(8, 64, 1000, 4096, 262144)},
    {"one between", "free a, b, a", STATE, twice, 1, THREE},
    {"eight between", "eight other frees between the two", STATE, twice, 8, THREE},
    {"pairs between", "1,000 pairs of malloc and free between", STATE, pairs_between, 1000, THREE},
    {"one of many", "1,000 blocks are freed, then one from the middle again", STATE, of_many, 1000, SIZES(8, 64)},
    {"after trimming", "40 blocks are freed, then one from the middle again", STATE, of_many, 40,
     SIZES(4096, 262144, 1048576)},
    {"calloc", "a block of calloc is freed twice", STATE, of_calloc, 0, THREE},
    {"aligned to 64", "a block aligned to 64 bytes is freed twice", STATE, of_aligned, 64, THREE},
    {"aligned to a page", "a block aligned to 4,096 bytes is freed twice", STATE, of_aligned, 4096, THREE},
    {"aligned to 1 MiB", "a block aligned to 1 MiB is freed twice", STATE, of_aligned, 1 << 20, SIZES(8, 262144)},
    {"strdup", "a copy of a string is freed twice", STATE, of_strdup, 0, SIZES(8, 4096)},
    {"after growth", "realloc moves a block, then its old address is freed", STATE, after_realloc, 128, THREE},
    {"after shrinking", "realloc shrinks a block; what it left is freed", STATE, after_realloc, 1, THREE},
    {"after realloc to 0", "realloc(p, 0), then free(p)", STATE, after_realloc_to_zero, 0, THREE},
    {"thread second", "freed, then freed by another thread", STATE, by_threads, 2, THREE},
    {"thread first", "freed by another thread, then by its owner", STATE, by_threads, 1, THREE},
    {"two threads", "freed by one thread, then by another; neither owns it", STATE, by_threads, 3, THREE},
    {"twice by a thread", "freed twice by a thread that does not own it", STATE, twice_by_a_thread, 0, THREE},
    {"of an exited thread", "its thread exited; freed twice by another", STATE, after_its_thread_exited, 0, THREE},
    {"in the child", "freed, and freed again by a forked child", STATE, in_the_child, 0, THREE},
    {"delete twice", "delete, delete", STATE, by_delete, WAYS(SCALAR, SCALAR), THREE},
    {"delete, free", "delete, then free", STATE, by_delete, WAYS(SCALAR, PLAIN), SIZES(8, 262144)},
    {"free, delete", "free, then delete", STATE, by_delete, WAYS(PLAIN, SCALAR), SIZES(8, 262144)},
    {"delete[] twice", "delete[], delete[]", STATE, by_delete, WAYS(ARRAY, ARRAY), SIZES(8, 262144)},
    {"sized delete twice", "delete with the size, twice", STATE, by_delete, WAYS(SIZED, SIZED), SIZES(8, 262144)},
    {"aligned delete twice", "delete with an alignment, twice", STATE, by_delete, WAYS(ALIGNED, ALIGNED),
     SIZES(8, 262144)},
    {"coalesced", "freed after its neighbours, so that they may be one; freed again", STATE, coalesced, 0, THREE},
    {"swallowed", "as before, and a larger block is taken that may cover it", STATE, swallowed, 0,
     SIZES(1000, 4096, 262144)},
    {"zero size", "a block of zero bytes is freed twice", STATE, of_zero_size, 0, SIZES(0)},
};
CATEGORY(double_free, "double free", table);
