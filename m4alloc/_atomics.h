/* What Cython cannot say: atomics, thread-local storage, a 128-bit product, Linux constants that old headers lack. */
#ifndef M4ALLOC_ATOMICS_H
#define M4ALLOC_ATOMICS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The interleaving checker puts its own scheduler, memory and clock in the place of the system's. */
#ifdef M4_SCHEDULE
#include "check/interleave/schedule.h"
#endif

/* A seeded fault (1 to 10, see _core/fault.pxd), for the mutants that the property tests must find; 0 is the real core. */
#ifndef M4_FAULT
#define M4_FAULT 0
#endif

/* A seeded fault of concurrency, for the mutants that the interleaving checker must kill (_core/fault.pxd has the rest);
 * M4_ORDER is a memory order, or relaxed in the mutant of that number. */
#ifndef M4_ORDER_FAULT
#define M4_ORDER_FAULT 0
#endif
#define M4_ORDER(fault, order) (M4_ORDER_FAULT == (fault) ? __ATOMIC_RELAXED : (order))

/* 1 in libm4alloc.so, where malformed settings in the environment end the program; the extension reads none. */
#ifndef M4_PRELOAD
#define M4_PRELOAD 0
#endif

/* The strategy a library is built with, as M4ALLOC_STRATEGY has it; the environment's comes on top, knob by knob. */
#ifndef M4_STRATEGY
#define M4_STRATEGY ""
#endif

/* 1 in libm4monitor.so, whose runtime wants to know a few things that happen inside (monitor_core.c). */
#ifndef M4_MONITOR
#define M4_MONITOR 0
#endif
#if !M4_MONITOR
struct m4_arena;
static inline void m4_prepare_monitored(struct m4_arena *arena) { (void)arena; }
static inline void m4_slab_made(void *start, uint64_t bytes) { (void)start; (void)bytes; }
#endif

/* Where preload.c puts the next allocator's free, for pointers that are not ours; unused elsewhere. */
static void m4_forward_free(void *block);
#if !M4_PRELOAD
static void m4_forward_free(void *block) { (void)block; }
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0x4000
#endif
#ifndef MAP_FIXED_NOREPLACE /* Linux 4.17 */
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP /* Linux 5.7 */
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_GUARD_INSTALL /* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

/* Two words only: a library with a large initial-exec block could not be loaded by dlopen. */
static char m4_no_heap[66 * 64] __attribute__((aligned(64)));     /* a heap with empty stacks: malloc needs no test */
static char m4_exited_heap[66 * 64] __attribute__((aligned(64))); /* the same, of a thread whose destructor has run */
static __thread void *m4_thread_heap __attribute__((tls_model("initial-exec"))) = m4_no_heap;
static __thread uint64_t m4_thread_refusals __attribute__((tls_model("initial-exec"))); /* calls refused as misuse */

static inline void m4_set_errno(int code) { errno = code; }
static inline int m4_errno(void) { return errno; }
static inline void m4_count_refusal(void) { m4_thread_refusals++; }
static inline void m4_set_thread_heap(void *heap) { m4_thread_heap = heap; }

static inline int m4_is_nobody(const void *heap) { return heap == m4_no_heap || heap == m4_exited_heap; }
static inline void *m4_nobody(void) { return m4_no_heap; }
static inline void *m4_exited(void) { return m4_exited_heap; }

static inline uint64_t m4_multiply(uint64_t a, uint64_t b, uint64_t *low)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
}

/* Accesses that race by design: of the states, which their owner reads and writes without a lock while others exchange
 * them, and of what a free reads to find them. Relaxed: whoever draws a conclusion from one beyond the byte itself orders
 * it by other means, which m4alloc/check/interleave checks. Here they are plain, so that the compiler can fold them
 * into a comparison, as it does not with atomics; a byte and an aligned word are read and written whole on every machine
 * that we support. A build with -fsanitize=thread, for the race detector or for the checker, sees what they are. */
#if defined(__SANITIZE_THREAD__)
#define M4_READ(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define M4_WRITE(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#else
#define M4_READ(p) (*(p))
#define M4_WRITE(p, v) (*(p) = (v))
#endif
static inline uint8_t m4_read8(const uint8_t *p) { return M4_READ(p); }
static inline uint64_t m4_read64(const uint64_t *p) { return M4_READ(p); }
static inline void *m4_read_pointer(void **p) { return M4_READ(p); }
static inline void m4_write8(uint8_t *p, uint8_t v) { M4_WRITE(p, v); }

/* Eight states at once, the first in the lowest byte on the machines that we support. */
static inline uint64_t m4_read_states(const uint8_t *p)
{
#if defined(__SANITIZE_THREAD__)
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word |= (uint64_t)M4_READ(p + i) << (8 * i);
    return word;
#else
    return *(const uint64_t *)p;
#endif
}

/* The link that takes the place of a state array's first eight states while nobody uses the array. */
static inline uint8_t *m4_read_link(uint8_t *p)
{
#if defined(__SANITIZE_THREAD__)
    return (uint8_t *)m4_read_states(p);
#else
    return *(uint8_t **)p;
#endif
}

static inline void m4_write_link(uint8_t *p, uint8_t *next)
{
#if defined(__SANITIZE_THREAD__)
    for (int i = 0; i < 8; i++)
        M4_WRITE(p + i, (uint8_t)((uintptr_t)next >> (8 * i)));
#else
    *(uint8_t **)p = next;
#endif
}

static inline void m4_fill8(uint8_t *p, uint8_t v, size_t count)
{
#if defined(__SANITIZE_THREAD__)
    for (size_t i = 0; i < count; i++)
        M4_WRITE(p + i, v);
#else
    memset(p, v, count);
#endif
}

/* A slab of more slots than this has marks: which parts of it, of so many slots each (a power of two), have remote frees. */
#ifndef M4_UNMARKED_MAX
#define M4_UNMARKED_MAX 4096
#define M4_PART_SHIFT 9
#endif

/* What the orders are for, and the seeded faults that show it. m4_add32, on the counts of remote frees: what freeing
 * threads did before they counted comes before what a drain does after (2, 3). m4_swap_pointer and m4_exchange_pointer, on
 * the lists of slabs: a slab's link and its list (5, 7). m4_store_pointer, on the mark of publishing: the states are set when
 * it is cleared (6). m4_store32: an arena is whole when it is open (4). m4_swap8, on states, needs to be an exchange (1). */
static inline int m4_swap8(uint8_t *p, uint8_t expected, uint8_t v)
{
    if (M4_ORDER_FAULT == 1) {
        if (__atomic_load_n(p, __ATOMIC_ACQUIRE) != expected)
            return 0;
        __atomic_store_n(p, v, __ATOMIC_RELEASE);
        return 1;
    }
    return __atomic_compare_exchange_n(p, &expected, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline uint8_t m4_load8(const uint8_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint8_t m4_exchange8(uint8_t *p, uint8_t v) { return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL); }
static inline uint32_t m4_exchange32(uint32_t *p, uint32_t v) { return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL); }
static inline uint32_t m4_add32(uint32_t *p, uint32_t v)
{
    return __atomic_fetch_add(p, v, M4_ORDER_FAULT == 2   ? __ATOMIC_ACQUIRE
                                    : M4_ORDER_FAULT == 3 ? __ATOMIC_RELEASE
                                                          : __ATOMIC_ACQ_REL);
}
static inline uint64_t m4_add64(uint64_t *p, uint64_t v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
static inline uint32_t m4_load32(uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint64_t m4_load64(uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void m4_store64(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void m4_store32(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, M4_ORDER(4, __ATOMIC_RELEASE)); }
static inline void *m4_exchange_pointer(void **p, void *v)
{
    return __atomic_exchange_n(p, v, M4_ORDER(5, __ATOMIC_ACQ_REL));
}
static inline void *m4_load_pointer(void **p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void m4_store_pointer(void **p, void *v) { __atomic_store_n(p, v, M4_ORDER(6, __ATOMIC_RELEASE)); }
static inline int m4_swap32(uint32_t *p, uint32_t expected, uint32_t v)
{
    return __atomic_compare_exchange_n(p, &expected, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline int m4_swap_pointer(void **p, void **expected, void *v)
{
    return __atomic_compare_exchange_n(p, expected, v, 0, M4_ORDER(7, __ATOMIC_ACQ_REL), M4_ORDER(7, __ATOMIC_ACQUIRE));
}

/* Top-byte-ignore architectures may hand us a pointer with a tag in its top byte; the address is what is left. */
static inline char *m4_untag(void *p)
{
#if defined(__aarch64__)
    return (char *)((uintptr_t)p & (((uintptr_t)1 << 56) - 1));
#else
    return (char *)p;
#endif
}

/* A recursive futex lock. Recursive, since what runs under it may release a slab, and other libraries' fork handlers may
 * allocate. Not a pthread mutex, since one of those forgets its owner in a forked child, whose thread has another id;
 * here the owner is the address of its thread-local storage, which the child keeps. */
#ifndef M4_SCHEDULE
#define M4_SELF ((void *)&m4_thread_heap)
#define M4_SPINS 100
#endif
static inline void *m4_self(void) { return M4_SELF; } /* unlike any other live thread's, and kept by a forked child */

typedef struct m4_lock {
    uint32_t state; /* 0 free, 1 held, 2 held and somebody waits */
    uint32_t depth;
    void *owner;
} m4_lock;

static inline void m4_acquire(m4_lock *lock)
{
    void *me = M4_SELF;
    uint32_t state = 0;
    int before, spins = M4_SPINS;
    if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == me) {
        lock->depth++;
        return;
    }
    while (!__atomic_compare_exchange_n(&lock->state, &state, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        if (spins-- > 0) {
            state = 0;
            continue;
        }
        before = errno;
        while (__atomic_exchange_n(&lock->state, M4_ORDER_FAULT == 9 ? 1 : 2, __ATOMIC_ACQUIRE) != 0)
            syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
        errno = before;
        break;
    }
    lock->depth = 1;
    __atomic_store_n(&lock->owner, me, __ATOMIC_RELAXED);
}

static inline void m4_relinquish(m4_lock *lock)
{
    int before;
    if (--lock->depth != 0)
        return;
    __atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
    if (__atomic_exchange_n(&lock->state, 0, M4_ORDER(8, __ATOMIC_RELEASE)) == 2) {
        before = errno;
        syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        errno = before;
    }
}

/* fork takes the lock of stdio's list of streams after it has run the handlers. If we held the arena's lock by then, a
 * thread in getline, which holds its stream's lock, would wait for us in malloc, fflush(NULL), which holds the list's, for
 * the stream's, and fork for the list's. So the list's lock, which is recursive, comes first. */
extern char __libc_single_threaded __attribute__((weak)); /* glibc 2.32 */
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));

static int m4_streams_locked; /* by the thread that forks, under the list's lock */

static inline void m4_lock_streams(void)
{
    if (_IO_list_lock == NULL || (&__libc_single_threaded != NULL && __libc_single_threaded))
        return;
    _IO_list_lock();
    m4_streams_locked = 1;
}

static inline void m4_unlock_streams(int child)
{
    if (!m4_streams_locked)
        return;
    m4_streams_locked = 0;
    if (child)
        _IO_list_resetlock(); /* as fork itself has done; with an older C library it may not have */
    else
        _IO_list_unlock();
}

/* write is a cancellation point, and a thread must not end inside malloc or free. */
static inline void m4_say(const char *text, size_t length)
{
#ifdef M4_SCHEDULE
    if (write(2, text, length) < 0)
        return;
#else
    syscall(SYS_write, 2, text, length);
#endif
}

static inline int m4_floor_log2(uint64_t n) { return 63 - __builtin_clzll(n); }
static inline int m4_lowest_bit(uint64_t n) { return __builtin_ctzll(n); }

/* In the extension a replay may put the clock of what it replays in the place of the system's; UINT64_MAX: it does not. */
#if !M4_PRELOAD && !defined(M4_SCHEDULE)
static uint64_t m4_clock = UINT64_MAX;
static inline void m4_set_clock(uint64_t ms) { m4_store64(&m4_clock, ms); }
static inline uint64_t m4_given_ms(void) { return m4_load64(&m4_clock); }
#else
static inline void m4_set_clock(uint64_t ms) { (void)ms; }
static inline uint64_t m4_given_ms(void) { return UINT64_MAX; }
#endif

static inline uint64_t m4_coarse_ms(void)
{
    struct timespec now;
    if (m4_given_ms() != UINT64_MAX)
        return m4_given_ms();
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline uint64_t m4_address_space_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return (uint64_t)limit.rlim_cur;
}

/* Is there a limit that counts mappings, or some of them? */
static inline int m4_memory_is_limited(void)
{
    struct rlimit limit;
    return m4_address_space_limit() != UINT64_MAX ||
           (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY);
}

#endif
