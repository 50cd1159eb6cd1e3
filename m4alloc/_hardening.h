/* What the hardened and the sampled presets ask of the system: randomness, the thread's id. */
#ifndef M4ALLOC_HARDENING_H
#define M4ALLOC_HARDENING_H

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define M4_GRND_NONBLOCK 1

/* What looks at the bytes of the block beside, whose client or owner may write them meanwhile: it asks for that block's
 * state again afterwards and believes only what a state vouches for. ThreadSanitizer cannot know. */
#if defined(__SANITIZE_THREAD__)
#define M4_BESIDE __attribute__((noinline, no_sanitize("thread")))
#else
#define M4_BESIDE inline
#endif

/* Words at any address, in one instruction each. */
static inline uint64_t m4_load_word(const char *p)
{
    uint64_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return word;
}
/* The last word of the slot before, aligned to 8: read before the state is asked for again, hence acquire. */
static M4_BESIDE uint64_t m4_load_beside(const char *p) { return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE); }
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

static M4_BESIDE uint64_t m4_any_of_32(const char *p)
{
    m4_pair any = ((const m4_pair *)p)[0] | ((const m4_pair *)p)[1];
    return any[0] | any[1];
}

/* Fetch the first lines of a slot and the one its canary is on; NULL or any other address does no harm. */
static inline void m4_prefetch_slot(const char *p, uint64_t slot_size)
{
    __builtin_prefetch(p, 1);
    __builtin_prefetch(p + slot_size - 8, 1);
    if (slot_size > 64) {
        __builtin_prefetch(p + 64, 1);
        if (slot_size > 128)
            __builtin_prefetch(p + 128, 1);
    }
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

/* Backtraces. The unwinder of glibc loads libgcc_s at its first use, which allocates and takes the loader's lock; so it
 * is used once while the program starts, and before that a backtrace has no frames. */
static int m4_unwinder_ready;

static __attribute__((unused)) void m4_prepare_backtrace(void)
{
    void *frame[2];
    if (!m4_unwinder_ready) {
        backtrace(frame, 2);
        __atomic_store_n(&m4_unwinder_ready, 1, __ATOMIC_RELEASE);
    }
}

/* Where this library's code lies, by the linker. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

/* The calls that led here, without those inside the allocator. */
static __attribute__((unused)) uint32_t m4_backtrace(void **frames, uint32_t most)
{
    int count = 0, own = 0;
    if (!__atomic_load_n(&m4_unwinder_ready, __ATOMIC_ACQUIRE))
        return 0;
    count = backtrace(frames, (int)most);
    while (own < count && (const char *)frames[own] >= __ehdr_start && (const char *)frames[own] < etext)
        own++;
    for (int i = own; i < count; i++)
        frames[i - own] = frames[i];
    return (uint32_t)(count - own);
}

static __attribute__((unused)) void m4_write_frames(void **frames, uint32_t count)
{
    backtrace_symbols_fd(frames, (int)count, 2);
}

/* The handler of SIGSEGV and SIGBUS explains faults at addresses of ours and leaves the rest to whoever was there before:
 * by returning, so that the access faults again under the old handler, or kills the program as it always would. */
static int m4_explain(void *address);
static struct sigaction m4_before_segv, m4_before_bus;

static void m4_on_fault(int number, siginfo_t *info, void *context)
{
    struct sigaction *before = number == SIGBUS ? &m4_before_bus : &m4_before_segv;
    int errno_before = errno;
    if (m4_explain(info->si_addr) || before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN) {
        sigaction(number, before, NULL);
        if (info->si_code <= 0) /* sent by kill: nothing faults again */
            raise(number);
    } else if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(number, info, context);
    } else {
        before->sa_handler(number);
    }
    errno = errno_before;
}

static __attribute__((unused)) void m4_explain_faults(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = m4_on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &m4_before_segv);
    sigaction(SIGBUS, &action, &m4_before_bus);
}

#endif
