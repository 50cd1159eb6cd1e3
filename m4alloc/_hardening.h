/* What the hardened and the sampled presets ask of the system: randomness, the thread's id. */
#ifndef M4ALLOC_HARDENING_H
#define M4ALLOC_HARDENING_H

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define M4_GRND_NONBLOCK 1

/* Words at any address, in one instruction each. */
static inline uint64_t m4_load_word(const char *p)
{
    uint64_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return word;
}
static inline void m4_store_word(char *p, uint64_t word) { __builtin_memcpy(p, &word, sizeof word); }

/* Short fills and comparisons, mostly of 16 to 128 bytes: in line, where a call of memset would take longer. The empty
 * asm keeps the compiler from making that call of the loop. */
static inline void m4_fill(char *p, uint64_t bytes, uint64_t byte)
{
    uint64_t word = byte * 0x0101010101010101u, i = 0;
    for (; i + 8 <= bytes; i += 8) {
        __asm__("" : "+r"(p));
        m4_store_word(p + i, word);
    }
    for (; i < bytes; i++) {
        __asm__("" : "+r"(p));
        p[i] = (char)byte;
    }
}

static inline uint64_t m4_first_unlike(const char *p, uint64_t bytes, uint64_t byte)
{
    uint64_t word = byte * 0x0101010101010101u, i = 0;
    while (i + 8 <= bytes && m4_load_word(p + i) == word)
        i += 8;
    while (i < bytes && (unsigned char)p[i] == (unsigned char)byte)
        i++;
    return i;
}

typedef uint64_t m4_pair __attribute__((vector_size(16), may_alias));

/* Slots and what of them is zeroed are multiples of 16 bytes, and aligned to 16. */
static inline void m4_zero(char *p, uint64_t bytes)
{
    if (bytes > 512) {
        memset(p, 0, bytes);
        return;
    }
    for (char *end = p + bytes; p != end; p += 16) {
        __asm__("" : "+r"(p));
        *(m4_pair *)p = (m4_pair){0, 0};
    }
}

static inline uint64_t m4_any_of_32(const char *p)
{
    m4_pair any = ((const m4_pair *)p)[0] | ((const m4_pair *)p)[1];
    return any[0] | any[1];
}

static inline int m4_is_zero(const char *p, uint64_t bytes)
{
    m4_pair any = {0, 0};
    const char *end = p + (bytes & ~(uint64_t)63);
    for (; p != end; p += 64) {
        const m4_pair *four = (const m4_pair *)p;
        any |= four[0] | four[1] | four[2] | four[3];
    }
    for (end = p + (bytes & 63); p != end; p += 16)
        any |= *(const m4_pair *)p;
    return (any[0] | any[1]) == 0;
}

/* Random bytes from the kernel; before it has any, what it gave this process at exec, and the clock. */
static __attribute__((unused)) void m4_entropy(void *into, size_t bytes)
{
    int before = errno;
    unsigned char *to = into;
    const unsigned char *at_exec;
    struct timespec now;
    if (syscall(SYS_getrandom, into, bytes, M4_GRND_NONBLOCK) != (long)bytes) {
        at_exec = (const unsigned char *)getauxval(AT_RANDOM); /* 16 bytes */
        clock_gettime(CLOCK_MONOTONIC, &now);
        for (size_t i = 0; i < bytes; i++)
            to[i] = (unsigned char)((at_exec != NULL ? at_exec[i % 16] : 0) ^ (now.tv_nsec >> (i % 4 * 8)) ^ i * 151);
    }
    errno = before;
}

static __attribute__((unused)) uint32_t m4_thread_id(void) { return (uint32_t)syscall(SYS_gettid); }

#endif
