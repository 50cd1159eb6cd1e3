/* What the parts of libm4monitor.so share: the compiler's hooks (monitor_hooks.c), the wrappers of the C library
 * (monitor_libc.c), the names of malloc (monitor_preload.c) and the runtime proper (_monitor.pyx over _watch/).
 *
 * The *shadow* has one byte for eight bytes of address space, where AddressSanitizer has its own, so that compilers can
 * look at it inline. It is a cache of the truth, which is in the blocks' stories: SHADOW_OPEN says that an access of
 * these bytes changes nothing, no state of a property, so that nobody needs to hear of it. Anything else sends the
 * access to m4m_access, which knows. A byte that is too strict costs time; one that is too lenient would lose events.
 */
#ifndef M4ALLOC_MONITOR_H
#define M4ALLOC_MONITOR_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define M4M_HIDDEN __attribute__((visibility("hidden")))
#define M4M_EXPORT __attribute__((visibility("default")))
#define M4M_INLINE static inline __attribute__((always_inline, unused))
#define M4M_COLD __attribute__((cold, noinline))

/* m4alloc cc passes the offset to the compiler as well (m4alloc/monitor/compiler.py; a test holds the two together). */
#define M4M_SHADOW_SHIFT 3
#if defined(__aarch64__)
#define M4M_SHADOW_OFFSET UINT64_C(0x1000000000)
#else
#define M4M_SHADOW_OFFSET UINT64_C(0x7fff8000)
#endif

enum m4m_shadow {
    M4M_SHADOW_OPEN = 0,       /* all eight bytes may be accessed, and nothing changes by it; 1 to 7: the first so many */
    M4M_SHADOW_STEP = 0xf8,    /* in a live block, whose properties want to hear of every access */
    M4M_SHADOW_OUTSIDE = 0xfa, /* in the arena, in no block: behind a request, or never handed out */
    M4M_SHADOW_FREED = 0xfd    /* in a block that was freed */
};

/* How memory is accessed: one of the first two, and what else is true. */
enum m4m_how {
    M4M_READ = 0,
    M4M_WRITE = 1,
    M4M_LIBC = 2,   /* by a function of the C library, for its caller */
    M4M_COPY = 4,   /* of a whole struct or range: what is copied may be uninitialised */
    M4M_ATOMIC = 8,
    M4M_SUSPECT = 16 /* in a finding: nothing is known to depend on what was read */
};

/* Where the heap is: what is not there is nobody's block. 0 bytes before there is an arena. */
extern M4M_HIDDEN char *m4m_arena_base;
extern M4M_HIDDEN uint64_t m4m_arena_bytes; /* of address space that blocks may lie in */

/* Is there a shadow? Only where instrumented code runs; without it everything is m4m_access's. */
extern M4M_HIDDEN int m4m_shadow_on;

/* The truth about an access of `size` bytes, size > 0: steps the block's properties, reports what is wrong, opens the
 * shadow where it can be opened. `site`: the address of the code (a return address); `frame`: from where to unwind
 * (__builtin_frame_address(0) of the function that `site` returns from); `function`: of the C library, or NULL.
 * May return after a violation (on_violation=continue). Keeps errno. */
M4M_HIDDEN void m4m_access(const volatile void *address, size_t size, unsigned how, const void *site, const void *frame,
                           const char *function);

/* The guard behind the arrays of a stack frame was overwritten: found when the function that `site` is in returns. */
M4M_HIDDEN void m4m_stack_smashed(const void *site, const void *frame);

/* A function of the C library that allocates for its caller (getline) says whose call it is, for the story of the block:
 * the library itself has no frame pointers to go on by. site NULL: nobody's. In monitor_libc.c. */
struct m4m_place_of_call {
    const void *site, *frame;
};
extern M4M_HIDDEN __thread struct m4m_place_of_call m4m_for_caller __attribute__((tls_model("initial-exec")));

/* Instrumented code is there: every program and library built by `m4alloc cc` calls it before its constructors. `table`:
 * the compiled properties it was built with (m4alloc/monitor/table.py), or NULL. Exported; idempotent. */
M4M_EXPORT void m4alloc_monitored(const void *table, size_t size);

/* The C library's own functions, for whoever may not be seen accessing memory: the runtime and the core. They work at any
 * moment, before main too. In monitor_libc.c. */
M4M_HIDDEN void *m4m_plain_memcpy(void *to, const void *from, size_t size);
M4M_HIDDEN void *m4m_plain_memmove(void *to, const void *from, size_t size);
M4M_HIDDEN void *m4m_plain_memset(void *to, int byte, size_t size);
M4M_HIDDEN int m4m_plain_memcmp(const void *a, const void *b, size_t size);
M4M_HIDDEN size_t m4m_plain_strlen(const char *text);

M4M_INLINE const int8_t *m4m_shadow_of(const volatile void *address)
{
    return (const int8_t *)(((uintptr_t)address >> M4M_SHADOW_SHIFT) + M4M_SHADOW_OFFSET);
}

/* May the shadow be trusted to say that nothing changes? For accesses of 1, 2, 4 or 8 bytes that may be unaligned. */
M4M_INLINE int m4m_is_open(const volatile void *address, size_t size)
{
    int8_t first = *m4m_shadow_of(address);
    uintptr_t at = (uintptr_t)address & 7;
    if (__builtin_expect(first != 0, 0) && (first < 0 || at + size > (size_t)first))
        return 0;
    return at + size <= 8 || m4m_shadow_of(address)[1] == 0 || m4m_shadow_of(address)[1] >= (int8_t)(at + size - 8);
}

/* The same of any range. Cost: a byte of shadow for eight bytes, eight bytes of it at a time. */
M4M_INLINE int m4m_is_range_open(const volatile void *address, size_t size)
{
    const int8_t *shadow = m4m_shadow_of(address);
    uintptr_t end = (uintptr_t)address + size;
    const int8_t *last = m4m_shadow_of((const void *)end); /* of what is behind it: the bytes before `end` in it count */
    if (shadow == last)
        return *shadow == 0 || (*shadow > 0 && (int8_t)(end & 7) <= *shadow);
    for (; last - shadow >= 8; shadow += 8) {
        uint64_t word;
        __builtin_memcpy(&word, shadow, 8);
        if (word != 0)
            return 0;
    }
    for (; shadow != last; shadow++)
        if (*shadow != 0)
            return 0;
    return (end & 7) == 0 || *last == 0 || (*last > 0 && (int8_t)(end & 7) <= *last);
}

#endif /* M4ALLOC_MONITOR_H */
