/* Named checks of an allocator by its C interface: `PROGRAM NAME` runs one, in a process of its own.
 *
 * A source includes this file, writes CHECK(claim) { ... EXPECT(condition, "what was seen %d", seen); ... }
 * and has its main. The first 10 failed expectations are printed; the status is 1 when one failed. */
#ifndef M4ALLOC_CHECK_H
#define M4ALLOC_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static atomic_ulong check_held, check_failed;

/* CHECK_PART=N asks a check for the Nth part of its work; 1 is all of it. */
__attribute__((unused)) static int check_part(void) {
    const char *part = getenv("CHECK_PART");
    return part && atoi(part) > 1 ? atoi(part) : 1;
}
/* How often a check repeats itself that would do so `full` times. */
__attribute__((unused)) static int rounds_of(int full) { return (full + check_part() - 1) / check_part(); }

#define EXPECT(condition, ...)                                                      \
    do {                                                                            \
        if (condition) {                                                            \
            atomic_fetch_add_explicit(&check_held, 1, memory_order_relaxed);        \
        } else if (atomic_fetch_add(&check_failed, 1) < 10) {                       \
            dprintf(2, "%s:%d: not so: %s: ", __FILE_NAME__, __LINE__, #condition); \
            dprintf(2, __VA_ARGS__);                                                \
            dprintf(2, "\n");                                                       \
        }                                                                           \
    } while (0)

#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif

struct check {
    const char *name;
    void (*body)(void);
};
static struct check check_table[64];
static int check_count;

#define CHECK(name)                                                       \
    static void name(void);                                               \
    __attribute__((constructor)) static void check_register_##name(void) { \
        check_table[check_count++] = (struct check){#name, name};         \
    }                                                                     \
    static void name(void)

int main(int argc, char **argv) {
    for (int i = 0; i < check_count && argc > 1; i++) {
        if (strcmp(check_table[i].name, argv[1])) continue;
        check_table[i].body();
        if (check_failed) return 1;
        printf("%s: %lu expectations held\n", argv[1], (unsigned long)check_held);
        return 0;
    }
    fprintf(stderr, "usage: %s CHECK\n", argv[0]);
    return 2;
}

/* The pattern of a block: bytes that depend on its seed and on their place in it. */
static inline unsigned char pattern_byte(uint64_t seed, size_t place) {
    return (unsigned char)((seed * 0x9e3779b97f4a7c15u >> 56) + place * 151 + (place >> 8) * 31);
}
static inline void fill(void *block, size_t size, uint64_t seed) {
    for (size_t i = 0; i < size; i++) ((unsigned char *)block)[i] = pattern_byte(seed, i);
}
/* The place of the first byte that is not of the pattern; `size` when all are. */
static inline size_t intact(const void *block, size_t size, uint64_t seed) {
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)block)[i] != pattern_byte(seed, i)) return i;
    return size;
}
/* Leading bytes that hold zero. */
static inline size_t zeroes(const void *block, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)block)[i]) return i;
    return size;
}
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}
/* Bytes of this process in memory (field 2) or in its address space (field 1), from /proc/self/statm. */
static inline size_t process_bytes(int field) {
    FILE *statm = fopen("/proc/self/statm", "r");
    unsigned long pages[2] = {0, 0};
    if (!statm || fscanf(statm, "%lu %lu", &pages[0], &pages[1]) != 2) abort();
    fclose(statm);
    return pages[field - 1] * (size_t)sysconf(_SC_PAGESIZE);
}
#define ADDRESS_SPACE 1
#define RESIDENT 2

#endif
