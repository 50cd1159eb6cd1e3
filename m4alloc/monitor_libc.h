/* How a wrapper of a C library function is written: WRAP or QUICK defines it, READS and WRITES check, REAL calls.
 *
 * A wrapper has the function's name only in the object file (an asm label), because headers redirect names (sscanf is
 * __isoc23_sscanf from glibc 2.38 on) and declare things of arguments that a checker must not believe. */
#ifndef M4ALLOC_MONITOR_LIBC_H
#define M4ALLOC_MONITOR_LIBC_H

#include "_monitor.h"

#define M4M_LIKELY(condition) __builtin_expect(!!(condition), 1)

/* The memory that can hold blocks: so many bytes from the base; none before there is an arena. */
extern M4M_HIDDEN char *m4m_arena_base;
extern M4M_HIDDEN uint64_t m4m_arena_bytes;

/* Finds all functions of the C library that wrappers stand before. The library's constructor calls it. */
M4M_HIDDEN void m4m_resolve_libc(void);

/* Reports go on to the file of stderr, whose stream is about to be closed. In monitor_preload.c. */
M4M_HIDDEN void m4m_keep_stderr(int file);

/* One function behind a wrapper. The linker gathers them: a wrapper is in no second list. */
struct m4m_real {
    const char *name;
    void *pointer;
} __attribute__((aligned(16)));

M4M_HIDDEN void *m4m_resolve_one(struct m4m_real *real);

/* A function that stays one: it is jumped to with the arguments as they stand. */
#if defined(__clang__)
#define M4M_APART __attribute__((noinline))
#else
#define M4M_APART __attribute__((noinline, noclone))
#endif

/* Who called the wrapper. */
struct m4m_caller {
    const void *site, *frame;
    const char *function;
};

#define M4M_REAL_(name)                                                                                                \
    static struct m4m_real m4m_real_##name __attribute__((section("m4m_real"), used)) = {#name, NULL}

/* WRAP(type, name, (parameters)) { body }: the function `name` of this library. */
#define WRAP(type, name, params) M4M_WRAP_(type, name, params)
#define M4M_WRAP_(type, name, params)                                                                                  \
    typedef type m4m_type_##name params;                                                                               \
    M4M_REAL_(name);                                                                                                   \
    M4M_EXPORT type m4m_wrap_##name params __asm__(#name);                                                             \
    type m4m_wrap_##name params

/* QUICK(type, name, (parameters), (arguments), condition) { body }: the body is for the condition, otherwise the real
 * function is jumped to, once it is known. The body is a function that is jumped to as well, so that it has the return
 * address of the caller, and only it pays for a frame: to be compiled with -O2 or -O3. */
#define QUICK(type, name, params, args, condition) M4M_QUICK_(type, name, params, args, condition)
#define M4M_QUICK_(type, name, params, args, condition)                                                                \
    static M4M_APART type m4m_slow_##name params;                                                                      \
    M4M_WRAP_(type, name, params)                                                                                      \
    {                                                                                                                  \
        m4m_type_##name *real = (m4m_type_##name *)__atomic_load_n(&m4m_real_##name.pointer, __ATOMIC_RELAXED);        \
        if (M4M_LIKELY(real != NULL && !(condition)))                                                                  \
            return real args;                                                                                          \
        return m4m_slow_##name args;                                                                                   \
    }                                                                                                                  \
    static type m4m_slow_##name params

/* A function that is called here and wrapped in another file, or nowhere. */
#define USES(type, name, params) M4M_USES_(type, name, params)
#define M4M_USES_(type, name, params)                                                                                  \
    typedef type m4m_type_##name params;                                                                               \
    M4M_REAL_(name)

#define REAL(name) M4M_CALL_(name)
#define M4M_CALL_(name) ((m4m_type_##name *)m4m_real_pointer(&m4m_real_##name))

M4M_INLINE void *m4m_real_pointer(struct m4m_real *real)
{
    void *pointer = __atomic_load_n(&real->pointer, __ATOMIC_RELAXED);
    return M4M_LIKELY(pointer != NULL) ? pointer : m4m_resolve_one(real);
}

/* Unsigned wrap-around makes it one comparison, false for everything while there is no arena. */
M4M_INLINE int m4m_in_arena(const volatile void *address)
{
    return (uintptr_t)address - (uintptr_t)m4m_arena_base < m4m_arena_bytes;
}
#define IN(address) m4m_in_arena(address)

M4M_INLINE void m4m_check(const volatile void *address, size_t size, unsigned how, const void *site, const void *frame,
                          const char *function)
{
    if (size == 0 || !m4m_in_arena(address))
        return;
    if (m4m_shadow_on && m4m_is_range_open(address, size))
        return;
    m4m_access(address, size, how | M4M_LIBC, site, frame, function);
}

/* The prefixes m4m_wrap_ and m4m_slow_ are equally long: the rest is the function's name. */
#define HERE __builtin_return_address(0), __builtin_frame_address(0), __func__ + sizeof "m4m_wrap_" - 1
/* A call of the C library that may allocate. */
#define FOR_CALLER(call, at_site, at_frame)                                                                            \
    ({                                                                                                                 \
        m4m_for_caller = (struct m4m_place_of_call){(at_site), (at_frame)};                                            \
        __typeof__(call) answer_ = (call);                                                                             \
        m4m_for_caller.site = NULL;                                                                                    \
        answer_;                                                                                                       \
    })
#define READS(address, size) m4m_check(address, size, M4M_READ, HERE)
#define WRITES(address, size) m4m_check(address, size, M4M_WRITE, HERE)
#define READS_COPY(address, size) m4m_check(address, size, M4M_READ | M4M_COPY, HERE)
#define WRITES_COPY(address, size) m4m_check(address, size, M4M_WRITE | M4M_COPY, HERE)

/* For a helper of several wrappers, which has the caller as `at`. */
#define M4M_AT at->site, at->frame, at->function

/* A string that may be NULL: up to its NUL. Needs USES(size_t, strlen, ...). */
#define READS_TEXT(text)                                                                                               \
    do {                                                                                                               \
        if (m4m_in_arena(text))                                                                                        \
            m4m_check(text, REAL(strlen)(text) + 1, M4M_READ, HERE);                                                   \
    } while (0)

/* units * size, or as much as there is */
M4M_INLINE size_t m4m_times(size_t units, size_t size)
{
    size_t product;
    return __builtin_mul_overflow(units, size, &product) ? SIZE_MAX : product;
}

/* Is what follows the first `size` bytes in no live block? A fortified function that overflows such an object has been
 * reported, and need not abort; inside a block it overflows a member, which only the C library knows to be wrong. */
M4M_INLINE int m4m_ends_block(const volatile void *address, size_t size)
{
    const volatile char *behind = (const volatile char *)address + size;
    int8_t shadow;
    if (!m4m_shadow_on || !m4m_in_arena(behind))
        return 0;
    shadow = *m4m_shadow_of(behind);
    return shadow > 0 ? (int8_t)((uintptr_t)behind & 7) >= shadow
                      : shadow == (int8_t)M4M_SHADOW_OUTSIDE || shadow == (int8_t)M4M_SHADOW_FREED;
}

#endif /* M4ALLOC_MONITOR_LIBC_H */
