/* The parts of harness.h. */
#include "harness.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#define OPAQUE __attribute__((noipa))

bool wrong = true;
unsigned char *block[BLOCKS];
static size_t block_size;

static void say(const char *line) {
    if (write(STDOUT_FILENO, line, strlen(line)) < 0) _exit(3);
}

void armed(void) { say("ARMED\n"); }
void returned(void) { say("RETURNED\n"); }

OPAQUE void *must(void *made) {
    if (made) return made;
    say("NO_MEMORY\n");
    _exit(3);
}

OPAQUE unsigned char *take(size_t size) { return must(malloc(size)); }
OPAQUE void give_back(void *freed) { free(freed); }
OPAQUE void *hidden(void *pointer) { return pointer; }

OPAQUE void scribble(void *at, size_t length) {
    for (size_t i = 0; i < length; i++) ((volatile unsigned char *)at)[i] ^= 0x5a;
}

OPAQUE bool holds(const void *at, unsigned char value, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (((const volatile unsigned char *)at)[i] != value) return false;
    return true;
}

static unsigned char *surround_by(size_t size, size_t alignment) {
    block_size = size;
    for (int i = 0; i < BLOCKS; i++) {
        void *aligned = NULL;
        if (alignment && i == VICTIM && posix_memalign(&aligned, alignment, size)) must(NULL);
        block[i] = aligned ? aligned : take(size);
        memset(block[i], FILL + i, size);
    }
    return block[VICTIM];
}

unsigned char *surround(size_t size) { return surround_by(size, 0); }
unsigned char *surround_aligned(size_t alignment, size_t size) { return surround_by(size, alignment); }

bool neighbours_whole(void) {
    for (int i = 0; i < BLOCKS; i++)
        if (i != VICTIM && block[i] && !holds(block[i], (unsigned char)(FILL + i), block_size)) return false;
    return true;
}

void refill_neighbours(void) {
    for (int i = 0; i < BLOCKS; i++)
        if (i != VICTIM && block[i]) memset(block[i], FILL + i, block_size);
}

void release_neighbours(void) {
    for (int i = 0; i < BLOCKS; i++) {
        if (i != VICTIM) give_back(block[i]);
        block[i] = NULL;
    }
}

/* 2,000 frees, of large blocks 300 (75 MiB at 262,144 bytes): more than the delay lines and quarantines known of hold.
 * A control run makes a tenth of that do, for it comes after those of all other cases. */
bool churn(size_t size) {
    enum { SMALL = 1 << 15, LIVE = 8, PROBE = 64 };
    int rounds = (size > SMALL ? 300 : 2000) / (wrong ? 1 : 10);
    unsigned char *live[LIVE] = {0};
    bool lost = false;
    size_t looked_at = size < PROBE ? size : PROBE;
    for (int i = 0; i < rounds; i++) {
        unsigned char **slot = &live[i % LIVE];
        if (*slot) lost |= !holds(*slot, (unsigned char)(i - LIVE), looked_at);
        give_back(*slot);
        *slot = take(size);
        memset(*slot, (unsigned char)i, looked_at);
    }
    for (int i = 0; i < LIVE; i++) give_back(live[i]);
    return lost;
}

bool shares_memory(size_t size, const void *from, size_t length) {
    enum { MOST = 20000, LEAST = 64, BYTES = 8 << 20 };
    static unsigned char *held[MOST];
    if (size < sizeof(size_t)) size = sizeof(size_t);
    size_t count = BYTES / size / (wrong ? 1 : 10);
    count = count > MOST ? MOST : count < LEAST ? LEAST : count;
    bool shared = false;
    for (size_t i = 0; i < count; i++) {
        held[i] = take(size);
        if ((uintptr_t)held[i] - (uintptr_t)from < length) return true;
        memcpy(held[i], &i, sizeof i);
        memcpy(held[i] + size - sizeof i, &i, sizeof i);
    }
    for (size_t i = 0; i < count; i++)
        shared |= memcmp(held[i], &i, sizeof i) || memcmp(held[i] + size - sizeof i, &i, sizeof i);
    for (size_t i = 0; i < count; i++) give_back(held[i]);
    return shared;
}

enum outcome consequences(size_t size) {
    bool damage = shares_memory(size, NULL, 0);
    damage |= !neighbours_whole();
    damage |= churn(size);
    release_neighbours();
    return damage ? NOT_CAUGHT : HARMLESS;
}

struct errand {
    void (*run)(void *);
    void *argument;
};

static void *runs(void *given) {
    struct errand *errand = given;
    errand->run(errand->argument);
    return NULL;
}

void in_thread(void (*run)(void *), void *argument) {
    pthread_t thread;
    struct errand errand = {run, argument};
    if (pthread_create(&thread, NULL, runs, &errand)) must(NULL);
    pthread_join(thread, NULL);
}

bool mapping_of(const void *address, bool other, unsigned char **start, unsigned char **end) {
    static char text[1 << 18];
    uintptr_t wanted = (uintptr_t)address, nearest = UINTPTR_MAX;
    size_t length = 0;
    ssize_t got;
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while ((got = read(file, text + length, sizeof text - 1 - length)) > 0) length += (size_t)got;
    close(file);
    text[length] = 0;
    for (char *line = text, *next; *line; line = next) {
        char *rest;
        next = strchr(line, '\n');
        next = next ? next + 1 : line + strlen(line);
        uintptr_t from = strtoull(line, &rest, 16), to = strtoull(rest + 1, &rest, 16);
        bool inside = wanted - from < to - from;
        uintptr_t distance = inside ? 0 : wanted < from ? from - wanted : wanted - to;
        bool writable = rest[2] == 'w', ours = memchr(line, '/', (size_t)(next - line)) == NULL &&
                                               memmem(line, (size_t)(next - line), "[stack", 6) == NULL;
        if (other ? inside || !writable || !ours || distance >= nearest : !inside) continue;
        nearest = distance;
        *start = (unsigned char *)from, *end = (unsigned char *)to;
    }
    return nearest != UINTPTR_MAX;
}

/* The C++ library is loaded when a case asks for the first time: it allocates as it starts, and the other cases are to
 * have a heap of their own. */
static void *cxx(const char *mangled) {
    void *found = dlsym(RTLD_DEFAULT, mangled);
    if (!found) {
        void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_GLOBAL);
        found = library ? dlsym(library, mangled) : NULL;
    }
    return must(found);
}

void *obtain(enum way way, size_t size) {
    if (way == PLAIN) return take(size);
    if (way == ARRAY) return ((void *(*)(size_t))cxx("_Znam"))(size);
    if (way == ALIGNED) return ((void *(*)(size_t, size_t))cxx("_ZnwmSt11align_val_t"))(size, 64);
    return ((void *(*)(size_t))cxx("_Znwm"))(size);
}

void dispose(enum way way, void *block, size_t size) {
    if (way == PLAIN) give_back(block);
    else if (way == ARRAY) ((void (*)(void *))cxx("_ZdaPv"))(block);
    else if (way == SIZED) ((void (*)(void *, size_t))cxx("_ZdlPvm"))(block, size);
    else if (way == ALIGNED) ((void (*)(void *, size_t))cxx("_ZdlPvSt11align_val_t"))(block, 64);
    else ((void (*)(void *))cxx("_ZdlPv"))(block);
}
