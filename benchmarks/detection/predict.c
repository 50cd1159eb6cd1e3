/* What an attacker can rely on: that the same calls give the same places, that what is freed is handed out next, that
 * blocks lie side by side, and that the heap can be executed. */
#include "predict.h"
#include "harness.h"
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAYOUT = 64 };
struct layout {
    intptr_t base;            /* of the first block */
    intptr_t from_library;    /* its distance from the C library's code */
    intptr_t offset[LAYOUT];  /* from the first block, for a mixture of calls */
};

int print_layout(size_t size) {
    struct layout layout = {0};
    unsigned char *all[LAYOUT];
    for (int i = 0; i < LAYOUT; i++) {
        if (i % 5 == 4) give_back(all[i - 3]), all[i - 3] = NULL;
        all[i] = take(size);
        layout.offset[i] = all[i] - all[0];
    }
    layout.base = (intptr_t)all[0];
    layout.from_library = layout.base - (intptr_t)memcpy;
    return write(STDOUT_FILENO, &layout, sizeof layout) != sizeof layout;
}

/* The layout that a new process with the same preloaded library and environment has. */
static struct layout layout_of_a_run(size_t size) {
    struct layout layout = {0};
    int ends[2];
    char number[32];
    snprintf(number, sizeof number, "%zu", size);
    if (pipe(ends)) must(NULL);
    pid_t child = fork();
    if (!child) {
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "cases", "--layout", number, (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    if (read(ends[0], &layout, sizeof layout) != sizeof layout) must(NULL);
    close(ends[0]);
    waitpid(child, NULL, 0);
    return layout;
}

enum same { BASE, FROM_LIBRARY, OFFSETS };

static enum outcome same_in_two_runs(size_t size, long what) {
    bool same = false;
    DO_WRONG(struct layout one = layout_of_a_run(size); struct layout two = layout_of_a_run(size);
             same = what == BASE           ? one.base == two.base
                    : what == FROM_LIBRARY ? labs(one.from_library - two.from_library) < 1 << 20
                                           : !memcmp(one.offset, two.offset, sizeof one.offset));
    return verdict(same);
}

/* Three of four blocks lie at the same distance from the one before. */
static enum outcome side_by_side(size_t size, long by) {
    enum { COUNT = 64 };
    (void)by;
    unsigned char *all[COUNT];
    int most = 0;
    armed();
    for (int i = 0; i < COUNT; i++) all[i] = take(size);
    for (int i = 1; i < COUNT; i++) {
        int alike = 0;
        for (int j = 1; j < COUNT; j++) alike += all[j] - all[j - 1] == all[i] - all[i - 1];
        if (alike > most) most = alike;
    }
    returned();
    for (int i = 0; i < COUNT; i++) give_back(all[i]);
    return verdict(most >= COUNT * 3 / 4);
}

/* Within so many pairs of malloc and free, the freed block's address comes back. */
static enum outcome again_within(size_t size, long pairs) {
    unsigned char *p = surround(size);
    void *stale = hidden(p);
    bool again = false;
    give_back(p);
    armed();
    for (long i = 0; i < pairs; i++) {
        unsigned char *q = take(size);
        again |= q == stale;
        give_back(q);
    }
    returned();
    return verdict(again);
}

/* So many blocks are taken and kept, of `size` bytes where the victim had twice, the same or half as many. */
enum { SPRAY = 256 };
static enum outcome sprayed(size_t size, size_t victim_size) {
    static unsigned char *all[SPRAY];
    unsigned char *p = surround(victim_size);
    uintptr_t stale = (uintptr_t)p;
    bool again = false;
    for (int i = 0; i < BLOCKS; i++) give_back(block[i]);
    armed();
    for (int i = 0; i < SPRAY; i++) {
        all[i] = take(size);
        again |= (uintptr_t)all[i] < stale + victim_size && stale < (uintptr_t)all[i] + size;
    }
    returned();
    for (int i = 0; i < SPRAY; i++) give_back(all[i]);
    return verdict(again);
}

static enum outcome spray(size_t size, long eighths) { return sprayed(size, size / 8 * (size_t)eighths); }

static enum outcome executed(size_t size, long by) {
    (void)by;
    unsigned char *p = surround(size);
    static const unsigned char returns[] = {
#if defined(__x86_64__)
        0xc3
#elif defined(__aarch64__)
        0xc0, 0x03, 0x5f, 0xd6
#endif
    };
    if (!sizeof returns) return NOT_OFFERED;
    memcpy(p, returns, sizeof returns);
    __builtin___clear_cache((char *)p, (char *)p + sizeof returns);
    void (*code)(void) = (void (*)(void))(uintptr_t)hidden(p);
    DO_WRONG(code());
    return wrong ? NOT_CAUGHT : HARMLESS;
}

#define RANDOM "random slots"
#define WAIT "delay line, quarantine"
static const struct wrong table[] = {
    {"same offsets", "two runs place the same calls alike", RANDOM, same_in_two_runs, OFFSETS, THREE},
    {"same address", "two runs have the heap at the same address", "random base", same_in_two_runs, BASE, THREE},
    {"same distance from the library", "two runs have the heap at the same distance from the C library, within 1 MiB",
     "random base", same_in_two_runs, FROM_LIBRARY, THREE},
    {"side by side", "three of four blocks lie at one distance from the last", RANDOM, side_by_side, 0, THREE},
    {"next malloc", "what is freed is handed out next", WAIT, again_within, 1, THREE},
    {"within 16", "what is freed is handed out within 16 pairs", WAIT, again_within, 16, THREE},
    {"within 256", "what is freed is handed out within 256 pairs", WAIT, again_within, 256, THREE},
    {"spray", "256 blocks are taken: one of them lies where a freed one was", WAIT, spray, 8, THREE},
    {"spray of half", "the same with blocks half as large as the freed one", "a place for each class", spray, 16,
     THREE},
    {"spray of double", "the same with blocks twice as large", "a place for each class", spray, 4,
     SIZES(64, 4096, 262144)},
    {"code", "a block is executed", "no execution", executed, 0, THREE},
};
CATEGORY(predictability, "predictability", table);
