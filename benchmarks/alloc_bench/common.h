/* What the programs of alloc_bench share: arguments, a generator, blocks whose contents are known, threads, the result.
 *
 * Compiled with -fno-builtin, so that the compiler knows nothing of malloc and removes no call. Each program does a
 * fixed amount of work, given by its arguments, and ends by printing two lines:
 *
 *     operations N      calls of malloc, calloc, realloc and free in the program's own text, free(NULL) included
 *     checksum HEX      a digest of what was computed and of what stood in the blocks when they were freed
 *
 * Both depend on the arguments only; what threads contribute is added up, so that the order of their turns does not
 * matter. Exit status: 1 no memory or no thread, 2 bad arguments, 3 the contents of a block changed. */
#ifndef ALLOC_BENCH_COMMON_H
#define ALLOC_BENCH_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_THREADS = 256 };

/* What one thread has at hand, and what it contributes to the result. */
struct work {
    uint64_t random; /* state of the generator, never 0 */
    uint64_t operations;
    uint64_t digest;
};

/* One positional argument: an integer of [least, most]. */
struct argument {
    const char *name;
    uint64_t least, most;
};

static inline uint64_t mix(uint64_t x) {
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 29) * 0xa0761d6478bd642fu;
    return x ^ x >> 32;
}

static inline struct work new_work(uint64_t seed, uint64_t number) {
    return (struct work){.random = mix(seed * 1000003 + number + 1) | 1};
}

/* Marsaglia's xorshift with a multiplication after it: the upper bits are the good ones. */
static inline uint64_t next_random(struct work *work) {
    uint64_t x = work->random;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    work->random = x;
    return x * 0x9e3779b97f4a7c15u;
}

/* An integer of [0, bound), bound at most 2^32. */
static inline uint64_t random_below(struct work *work, uint64_t bound) {
    return (next_random(work) >> 32) * bound >> 32;
}

static inline _Noreturn void fail(int status, const char *message) {
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, message);
    exit(status);
}

static inline _Noreturn void out_of_memory(size_t size) {
    fprintf(stderr, "%s: no memory for a block of %zu bytes\n", program_invocation_short_name, size);
    exit(1);
}

static inline _Noreturn void contents_changed(size_t size, size_t offset) {
    fprintf(stderr, "%s: the contents of a block of %zu bytes changed, first at byte %zu\n",
            program_invocation_short_name, size, offset);
    exit(3);
}

static inline void *allocate(struct work *work, size_t size) {
    void *block = malloc(size);
    if (__builtin_expect(!block, 0)) out_of_memory(size);
    work->operations++;
    return block;
}

static inline void *allocate_zeroed(struct work *work, size_t count, size_t size) {
    void *block = calloc(count, size);
    if (__builtin_expect(!block, 0)) out_of_memory(count * size);
    work->operations++;
    return block;
}

static inline void *reallocate(struct work *work, void *block, size_t size) {
    block = realloc(block, size);
    if (__builtin_expect(!block, 0)) out_of_memory(size);
    work->operations++;
    return block;
}

static inline void release(struct work *work, void *block) {
    work->operations++;
    free(block);
}

static inline unsigned char tail_byte(uint64_t cookie, size_t index) { return (unsigned char)(cookie >> 8 * index); }

/* Write a whole block: word i is cookie + i; the bytes after the last word are those of the cookie. */
static inline void fill(void *block, size_t size, uint64_t cookie) {
    uint64_t *word = block;
    size_t words = size / sizeof *word;
    for (size_t i = 0; i < words; i++) word[i] = cookie + i;
    unsigned char *tail = (unsigned char *)(word + words);
    for (size_t i = 0; i < size % sizeof *word; i++) tail[i] = tail_byte(cookie, i);
}

/* Read the block that fill wrote and add what stands there to the digest. */
static inline void fold(struct work *work, const void *block, size_t size, uint64_t cookie) {
    const uint64_t *word = block;
    size_t words = size / sizeof *word;
    uint64_t sum = 0;
    for (size_t i = 0; i < words; i++) {
        if (__builtin_expect(word[i] != cookie + i, 0)) contents_changed(size, i * sizeof *word);
        sum += word[i];
    }
    const unsigned char *tail = (const unsigned char *)(word + words);
    for (size_t i = 0; i < size % sizeof *word; i++) {
        if (__builtin_expect(tail[i] != tail_byte(cookie, i), 0)) contents_changed(size, words * sizeof *word + i);
        sum += tail[i];
    }
    work->digest += mix(sum + size);
}

/* Write only the first and the last word (the same one in a block of less than 16 bytes, single bytes below 8). */
static inline void fill_ends(void *block, size_t size, uint64_t cookie) {
    if (size < sizeof cookie) {
        fill(block, size, cookie);
        return;
    }
    uint64_t last = ~cookie;
    __builtin_memcpy((char *)block + size - sizeof last, &last, sizeof last);
    if (size >= 2 * sizeof cookie) __builtin_memcpy(block, &cookie, sizeof cookie);
}

static inline void fold_ends(struct work *work, const void *block, size_t size, uint64_t cookie) {
    if (size < sizeof cookie) {
        fold(work, block, size, cookie);
        return;
    }
    uint64_t first = cookie, last;
    __builtin_memcpy(&last, (const char *)block + size - sizeof last, sizeof last);
    if (size >= 2 * sizeof cookie) __builtin_memcpy(&first, block, sizeof first);
    if (__builtin_expect(first != cookie, 0)) contents_changed(size, 0);
    if (__builtin_expect(last != ~cookie, 0)) contents_changed(size, size - sizeof last);
    work->digest += mix(first + size) ^ last;
}

/* Read the positional arguments; anything else ends the program with status 2 and its usage. */
static inline void parse_arguments(int argc, char **argv, const struct argument *wanted, uint64_t *values, int count) {
    if (argc != count + 1) {
        fprintf(stderr, "usage: %s", program_invocation_short_name);
        for (int i = 0; i < count; i++) fprintf(stderr, " %s", wanted[i].name);
        fprintf(stderr, " (%d given, want %d)\n", argc > 0 ? argc - 1 : 0, count);
        exit(2);
    }
    for (int i = 0; i < count; i++) {
        const char *word = argv[i + 1];
        char *end;
        errno = 0;
        values[i] = strtoull(word, &end, 10);
        if (*word < '0' || *word > '9' || *end || errno || values[i] < wanted[i].least || values[i] > wanted[i].most) {
            fprintf(stderr, "%s: %s: %s: want an integer from %llu to %llu\n", program_invocation_short_name,
                    wanted[i].name, word, (unsigned long long)wanted[i].least, (unsigned long long)wanted[i].most);
            exit(2);
        }
    }
}

/* Run body(first), body(first + each) ... in `count` threads of their own and wait for them. */
static inline void in_threads(size_t count, void *(*body)(void *), void *first, size_t each) {
    pthread_t thread[MOST_THREADS];
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&thread[i], NULL, body, (char *)first + i * each)) fail(1, "no more threads can be started");
    for (size_t i = 0; i < count; i++) pthread_join(thread[i], NULL);
}

static inline void add_work(struct work *sum, const struct work *part) {
    sum->operations += part->operations;
    sum->digest += part->digest;
}

/* Print the result. Formatted here and written by write: stdio would allocate its buffer with the malloc measured. */
static inline int finish(const struct work *work) {
    char text[96];
    int length = snprintf(text, sizeof text, "operations %llu\nchecksum %016llx\n",
                          (unsigned long long)work->operations, (unsigned long long)mix(work->digest));
    return write(STDOUT_FILENO, text, (size_t)length) == length ? 0 : 1;
}

#endif
