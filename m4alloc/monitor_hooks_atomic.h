/* Atomics: -fsanitize=thread replaces every atomic operation by a call, which has to carry it out.
 *
 * An operation that reads and writes is one access, a write. The memory orders are C11's own numbers; where a switch
 * would cost more than it saves, the operation is as strong as sequential consistency, which is always allowed.
 * Part of monitor_hooks.c.
 */
#ifndef M4ALLOC_MONITOR_HOOKS_ATOMIC_H
#define M4ALLOC_MONITOR_HOOKS_ATOMIC_H

/* Atomic objects are aligned: up to eight bytes have one byte of shadow. m4m_is_open is right of others, too. */
#define IS_OPEN(at, size) ((size) <= 8 ? m4m_is_open(at, size) : m4m_is_range_open((const void *)(at), size))

#define ATOMIC_ACCESS(at, size, how)                                                                                   \
    do {                                                                                                               \
        if (__builtin_expect(!IS_OPEN(at, size), 0))                                                                   \
            m4m_access(at, size, (how) | M4M_ATOMIC, SITE, FRAME, NULL);                                               \
    } while (0)

/* The expected value of a compare-exchange is the program's memory, too; it is accessed plainly. */
#define PLAIN_ACCESS(at, size, how)                                                                                    \
    do {                                                                                                               \
        if (__builtin_expect(!IS_OPEN(at, size), 0))                                                                   \
            m4m_access(at, size, how, SITE, FRAME, NULL);                                                              \
    } while (0)

#define IS_SEQUENTIAL(order) ((order) == __ATOMIC_SEQ_CST)

#define ATOMIC_UPDATE(bits, type, name, operation)                                                                     \
    M4M_EXPORT type __tsan_atomic##bits##_##name(volatile type *at, type value, int order)                             \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        ATOMIC_ACCESS(at, sizeof(type), M4M_WRITE);                                                                    \
        return operation(at, value, __ATOMIC_SEQ_CST);                                                                 \
    }

#define ATOMIC_COMPARE(bits, type, name, swap)                                                                         \
    M4M_EXPORT int __tsan_atomic##bits##_compare_exchange_##name(volatile type *at, type *expected, type desired,      \
                                                                 int order, int failing)                               \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        (void)failing;                                                                                                 \
        PLAIN_ACCESS(expected, sizeof(type), M4M_READ);                                                                \
        ATOMIC_ACCESS(at, sizeof(type), M4M_WRITE);                                                                    \
        type wanted = *expected, found = swap(at, wanted, desired);                                                    \
        if (found == wanted)                                                                                           \
            return 1;                                                                                                  \
        PLAIN_ACCESS(expected, sizeof(type), M4M_WRITE);                                                               \
        *expected = found;                                                                                             \
        return 0;                                                                                                      \
    }

#define ATOMIC_ALL(bits, type, get, put, swap, update)                                                                 \
    M4M_EXPORT type __tsan_atomic##bits##_load(const volatile type *at, int order)                                     \
    {                                                                                                                  \
        ATOMIC_ACCESS(at, sizeof(type), M4M_READ);                                                                     \
        return get(at, order);                                                                                         \
    }                                                                                                                  \
    M4M_EXPORT void __tsan_atomic##bits##_store(volatile type *at, type value, int order)                              \
    {                                                                                                                  \
        ATOMIC_ACCESS(at, sizeof(type), M4M_WRITE);                                                                    \
        put(at, value, order);                                                                                         \
    }                                                                                                                  \
    ATOMIC_UPDATE(bits, type, exchange, update##exchange_n)                                                            \
    ATOMIC_UPDATE(bits, type, fetch_add, update##fetch_add)                                                            \
    ATOMIC_UPDATE(bits, type, fetch_sub, update##fetch_sub)                                                            \
    ATOMIC_UPDATE(bits, type, fetch_and, update##fetch_and)                                                            \
    ATOMIC_UPDATE(bits, type, fetch_or, update##fetch_or)                                                              \
    ATOMIC_UPDATE(bits, type, fetch_xor, update##fetch_xor)                                                            \
    ATOMIC_UPDATE(bits, type, fetch_nand, update##fetch_nand)                                                          \
    ATOMIC_COMPARE(bits, type, strong, swap)                                                                           \
    ATOMIC_COMPARE(bits, type, weak, swap)                                                                             \
    M4M_EXPORT type __tsan_atomic##bits##_compare_exchange_val(volatile type *at, type wanted, type desired,           \
                                                               int order, int failing)                                 \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        (void)failing;                                                                                                 \
        ATOMIC_ACCESS(at, sizeof(type), M4M_WRITE);                                                                    \
        return swap(at, wanted, desired);                                                                              \
    }

#define LOAD(at, order)                                                                                                \
    (IS_SEQUENTIAL(order) ? __atomic_load_n(at, __ATOMIC_SEQ_CST) : __atomic_load_n(at, __ATOMIC_ACQUIRE))
#define STORE(at, value, order)                                                                                        \
    (IS_SEQUENTIAL(order) ? __atomic_store_n(at, value, __ATOMIC_SEQ_CST)                                              \
                          : __atomic_store_n(at, value, __ATOMIC_RELEASE))
#define EXCHANGE(at, wanted, desired) __sync_val_compare_and_swap(at, wanted, desired)

ATOMIC_ALL(8, uint8_t, LOAD, STORE, EXCHANGE, __atomic_)
ATOMIC_ALL(16, uint16_t, LOAD, STORE, EXCHANGE, __atomic_)
ATOMIC_ALL(32, uint32_t, LOAD, STORE, EXCHANGE, __atomic_)
ATOMIC_ALL(64, uint64_t, LOAD, STORE, EXCHANGE, __atomic_)

/* 128 bits: everything is made of one instruction, which compilers would leave to libatomic. */
typedef unsigned __int128 uint128;

#if defined(__x86_64__)
M4M_INLINE uint128 wide_exchange(volatile uint128 *at, uint128 wanted, uint128 desired)
{
    uint64_t low = (uint64_t)wanted, high = (uint64_t)(wanted >> 64);
    __asm__ volatile("lock cmpxchg16b %0"
                     : "+m"(*at), "+a"(low), "+d"(high)
                     : "b"((uint64_t)desired), "c"((uint64_t)(desired >> 64))
                     : "cc", "memory");
    return (uint128)high << 64 | low;
}
#else
M4M_INLINE uint128 wide_exchange(volatile uint128 *at, uint128 wanted, uint128 desired)
{
    return __sync_val_compare_and_swap(at, wanted, desired);
}
#endif

/* What is found at first may be torn; then the exchange fails, and says what is there. */
#define WIDE_UPDATE(name, result)                                                                                      \
    M4M_INLINE uint128 wide_##name(volatile uint128 *at, uint128 value, int order)                                     \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        uint128 wanted = *at;                                                                                          \
        for (;;) {                                                                                                     \
            uint128 found = wide_exchange(at, wanted, result);                                                         \
            if (found == wanted)                                                                                       \
                return found;                                                                                          \
            wanted = found;                                                                                            \
        }                                                                                                              \
    }

WIDE_UPDATE(exchange_n, value)
WIDE_UPDATE(fetch_add, wanted + value)
WIDE_UPDATE(fetch_sub, wanted - value)
WIDE_UPDATE(fetch_and, wanted & value)
WIDE_UPDATE(fetch_or, wanted | value)
WIDE_UPDATE(fetch_xor, wanted ^ value)
WIDE_UPDATE(fetch_nand, ~(wanted & value))

#define WIDE_LOAD(at, order) ((void)(order), wide_exchange((volatile uint128 *)(at), 0, 0))
#define WIDE_STORE(at, value, order) ((void)wide_exchange_n(at, value, order))

ATOMIC_ALL(128, uint128, WIDE_LOAD, WIDE_STORE, wide_exchange, wide_)

M4M_EXPORT void __tsan_atomic_thread_fence(int order)
{
    if (order != __ATOMIC_RELAXED)
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

M4M_EXPORT void __tsan_atomic_signal_fence(int order)
{
    (void)order;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#endif /* M4ALLOC_MONITOR_HOOKS_ATOMIC_H */
