/* What instrumented code calls: the hooks of -fsanitize=thread and of -fsanitize=kernel-address, of GCC and Clang.
 *
 * Most accesses change nothing: one byte of the shadow says so, and the hook returns. Everything else is m4m_access's,
 * which is told where the program was and from where to unwind. In kernel-address mode the compiler looks at the shadow
 * itself, and calls only when it says more than "open".
 *
 * No hook asks whether there is a shadow: the object that `m4alloc cc` adds to whatever it links maps it before the
 * first constructor runs (m4alloc/monitor/start.py). Only a resolver of an indirect function would be earlier.
 *
 * A hook that finds nothing to do is five instructions, therefore:
 * - the test is of one byte, 0 or not; what the other values mean is asked out of line;
 * - what is out of line is reached by a jump, so that its return address and its frame are those of the hook.
 * An access whose type says that it is aligned though it is not is judged by its first byte, as AddressSanitizer does.
 */
#include "_monitor.h"

#define OUT_OF_LINE static M4M_COLD void
#define SITE __builtin_return_address(0)
#define FRAME __builtin_frame_address(0)
/* Behind a call that was given FRAME: keeps it from becoming a jump, before which the frame would be taken down. */
#define FRAME_STAYS __asm__ volatile("")

/* ---- accesses of 1 to 16 bytes, named by their size ------------------------------------------------------------- */

typedef const struct __attribute__((packed, may_alias)) {
    uint16_t word;
} any_two_bytes;

#define IS_CLEAR_1(at) (*m4m_shadow_of(at) == 0)
#define IS_CLEAR_2(at) IS_CLEAR_1(at)
#define IS_CLEAR_4(at) IS_CLEAR_1(at)
#define IS_CLEAR_8(at) IS_CLEAR_1(at)
#define IS_CLEAR_16(at) (((any_two_bytes *)m4m_shadow_of(at))->word == 0)

#define PERHAPS_OPEN(kind, size, how)                                                                                  \
    OUT_OF_LINE kind##size(void *at)                                                                                   \
    {                                                                                                                  \
        if (m4m_is_range_open(at, size))                                                                               \
            return;                                                                                                    \
        m4m_access(at, size, how, SITE, FRAME, NULL);                                                                  \
        FRAME_STAYS;                                                                                                   \
    }

#define ALIGNED_HOOK(name, kind, size)                                                                                 \
    M4M_EXPORT void name(void *at)                                                                                     \
    {                                                                                                                  \
        if (__builtin_expect(!IS_CLEAR_##size(at), 0))                                                                 \
            kind##size(at);                                                                                            \
    }

/* Of any address: the last byte may have another byte of shadow than the first. */
#define UNALIGNED_HOOK(name, kind, size)                                                                               \
    M4M_EXPORT void name(void *at)                                                                                     \
    {                                                                                                                  \
        if (__builtin_expect(*m4m_shadow_of(at) != 0 || *m4m_shadow_of((char *)at + ((size)-1)) != 0, 0))             \
            kind##size(at);                                                                                            \
    }

/* The compiler has seen that the shadow is not all open. */
#define TOLD_HOOK(name, kind, size)                                                                                    \
    M4M_EXPORT void name(void *at) { kind##size(at); }

/* -fsanitize=thread: plain, unaligned, volatile (--param tsan-distinguish-volatile=1), and with the code's address. */
#define THREAD_HOOKS(word, kind, size)                                                                                 \
    ALIGNED_HOOK(__tsan_##word##size, kind, size)                                                                      \
    ALIGNED_HOOK(__tsan_volatile_##word##size, kind, size)                                                             \
    UNALIGNED_HOOK(__tsan_unaligned_##word##size, kind, size)                                                          \
    UNALIGNED_HOOK(__tsan_unaligned_volatile_##word##size, kind, size)                                                 \
    ALIGNED_HOOK(__tsan_##word##size##_pc, kind, size)                                                                 \
    UNALIGNED_HOOK(__tsan_unaligned_##word##size##_pc, kind, size)

/* -fsanitize=kernel-address: with and without calls for every access. All of ours may return. */
#define ADDRESS_HOOKS(word, kind, size)                                                                                \
    UNALIGNED_HOOK(__asan_##word##size, kind, size)                                                                    \
    UNALIGNED_HOOK(__asan_##word##size##_noabort, kind, size)                                                          \
    TOLD_HOOK(__asan_report_##word##size, kind, size)                                                                  \
    TOLD_HOOK(__asan_report_##word##size##_noabort, kind, size)                                                        \
    EXPERIMENT_HOOK(__asan_report_exp_##word##size, kind, size)                                                        \
    EXPERIMENT_HOOK(__asan_report_exp_##word##size##_noabort, kind, size)

/* Clang with -mllvm -asan-force-experiment=1. */
#define EXPERIMENT_HOOK(name, kind, size)                                                                              \
    M4M_EXPORT void name(void *at, uint32_t experiment)                                                                \
    {                                                                                                                  \
        (void)experiment;                                                                                              \
        kind##size(at);                                                                                                \
    }

#define HOOKS_OF_SIZE(size)                                                                                            \
    PERHAPS_OPEN(read, size, M4M_READ)                                                                                 \
    PERHAPS_OPEN(write, size, M4M_WRITE)                                                                               \
    THREAD_HOOKS(read, read, size)                                                                                     \
    THREAD_HOOKS(write, write, size)                                                                                   \
    THREAD_HOOKS(read_write, write, size)                                                                              \
    ADDRESS_HOOKS(load, read, size)                                                                                    \
    ADDRESS_HOOKS(store, write, size)

HOOKS_OF_SIZE(1)
HOOKS_OF_SIZE(2)
HOOKS_OF_SIZE(4)
HOOKS_OF_SIZE(8)
HOOKS_OF_SIZE(16)

/* C++: the constructor of each class in a hierarchy sets the pointer to its table of virtual functions. */
ALIGNED_HOOK(__tsan_vptr_read, read, 8)

M4M_EXPORT void __tsan_vptr_update(void **at, void *table)
{
    (void)table;
    if (__builtin_expect(!IS_CLEAR_8(at), 0))
        write8(at);
}

/* ---- accesses of any size: struct copies, wide vectors, parts of packed structs ---------------------------------- */

OUT_OF_LINE read_range(const void *at, size_t size)
{
    m4m_access(at, size, M4M_READ | M4M_COPY, SITE, FRAME, NULL);
    FRAME_STAYS;
}

OUT_OF_LINE write_range(const void *at, size_t size)
{
    m4m_access(at, size, M4M_WRITE | M4M_COPY, SITE, FRAME, NULL);
    FRAME_STAYS;
}

#define RANGE_HOOK(name, kind)                                                                                         \
    M4M_EXPORT void name(void *at, size_t size)                                                                        \
    {                                                                                                                  \
        if (size != 0 && !m4m_is_range_open(at, size))                                                                 \
            kind##_range(at, size);                                                                                    \
    }

RANGE_HOOK(__tsan_read_range, read)
RANGE_HOOK(__tsan_write_range, write)
RANGE_HOOK(__tsan_read_range_pc, read)
RANGE_HOOK(__tsan_write_range_pc, write)
RANGE_HOOK(__asan_loadN, read)
RANGE_HOOK(__asan_storeN, write)
RANGE_HOOK(__asan_loadN_noabort, read)
RANGE_HOOK(__asan_storeN_noabort, write)
RANGE_HOOK(__asan_report_load_n, read)
RANGE_HOOK(__asan_report_store_n, write)
RANGE_HOOK(__asan_report_load_n_noabort, read)
RANGE_HOOK(__asan_report_store_n_noabort, write)

/* Clang looks at the first and at the last byte, and calls for each of them with the size of all: what is known is that
 * the one byte is accessed. */
#define END_HOOK(name, kind)                                                                                           \
    M4M_EXPORT void name(void *at, size_t size, uint32_t experiment)                                                   \
    {                                                                                                                  \
        (void)size;                                                                                                    \
        (void)experiment;                                                                                              \
        if (!m4m_is_range_open(at, 1))                                                                                 \
            kind##_range(at, 1);                                                                                       \
    }

END_HOOK(__asan_report_exp_load_n, read)
END_HOOK(__asan_report_exp_store_n, write)
END_HOOK(__asan_report_exp_load_n_noabort, read)
END_HOOK(__asan_report_exp_store_n_noabort, write)

/* Clang calls these where a program copies by memcpy, memmove, memset or by assignment of a struct. */
#define CHECK(at, size, how)                                                                                           \
    do {                                                                                                               \
        if ((size) != 0 && __builtin_expect(!m4m_is_range_open(at, size), 0))                                          \
            m4m_access(at, size, (how) | M4M_COPY, SITE, FRAME, NULL);                                                 \
    } while (0)

#define COPY_HOOK(name, plain)                                                                                         \
    M4M_EXPORT void *name(void *to, const void *from, size_t size)                                                     \
    {                                                                                                                  \
        CHECK(from, size, M4M_READ);                                                                                   \
        CHECK(to, size, M4M_WRITE);                                                                                    \
        return plain(to, from, size);                                                                                  \
    }

#define FILL_HOOK(name)                                                                                                \
    M4M_EXPORT void *name(void *to, int byte, size_t size)                                                             \
    {                                                                                                                  \
        CHECK(to, size, M4M_WRITE);                                                                                    \
        return m4m_plain_memset(to, byte, size);                                                                       \
    }

COPY_HOOK(__tsan_memcpy, m4m_plain_memcpy)
COPY_HOOK(__tsan_memmove, m4m_plain_memmove)
FILL_HOOK(__tsan_memset)
COPY_HOOK(__asan_memcpy, m4m_plain_memcpy)
COPY_HOOK(__asan_memmove, m4m_plain_memmove)
FILL_HOOK(__asan_memset)

#include "monitor_hooks_atomic.h"

/* ---- what is called and is no access ----------------------------------------------------------------------------- */

#define NOTHING(name, ...)                                                                                             \
    M4M_EXPORT void name(__VA_ARGS__) {}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

NOTHING(__tsan_init, void)
NOTHING(__tsan_func_entry, void *call)
NOTHING(__tsan_func_exit, void)
NOTHING(__tsan_ignore_thread_begin, void)
NOTHING(__tsan_ignore_thread_end, void)

/* What programs call by themselves where a sanitizer announces itself (sanitizer/tsan_interface.h, asan_interface.h).
 * `m4alloc cc` does not announce one; these are for sources that are told of one by hand. */
NOTHING(__tsan_acquire, void *at)
NOTHING(__tsan_release, void *at)
NOTHING(__tsan_flush_memory, void)
NOTHING(__tsan_mutex_create, void *at, unsigned flags)
NOTHING(__tsan_mutex_destroy, void *at, unsigned flags)
NOTHING(__tsan_mutex_pre_lock, void *at, unsigned flags)
NOTHING(__tsan_mutex_post_lock, void *at, unsigned flags, int recursion)
NOTHING(__tsan_mutex_post_unlock, void *at, unsigned flags)
NOTHING(__tsan_mutex_pre_signal, void *at, unsigned flags)
NOTHING(__tsan_mutex_post_signal, void *at, unsigned flags)
NOTHING(__tsan_mutex_pre_divert, void *at, unsigned flags)
NOTHING(__tsan_mutex_post_divert, void *at, unsigned flags)

M4M_EXPORT int __tsan_mutex_pre_unlock(void *at, unsigned flags) { return 1; }

NOTHING(__asan_init, void)
NOTHING(__asan_version_mismatch_check_v8, void)
NOTHING(__asan_before_dynamic_init, const char *module)
NOTHING(__asan_after_dynamic_init, void)
/* Clang counts functions where it is to tell of comparisons (monitor_hooks_compare.c). */
NOTHING(__sanitizer_cov_trace_pc_guard, uint32_t *guard)
NOTHING(__sanitizer_cov_trace_pc_guard_init, uint32_t *begin, uint32_t *end)
/* Globals are open, whoever asks; for the stack see monitor_hooks_stack.c. */
NOTHING(__asan_register_globals, void *globals, size_t count)
NOTHING(__asan_unregister_globals, void *globals, size_t count)
NOTHING(__asan_register_elf_globals, void *flag, void *begin, void *end)
NOTHING(__asan_unregister_elf_globals, void *flag, void *begin, void *end)
NOTHING(__asan_register_image_globals, void *flag)
NOTHING(__asan_unregister_image_globals, void *flag)
NOTHING(__asan_alloca_poison, void *at, size_t size)
NOTHING(__asan_allocas_unpoison, void *top, void *bottom)
NOTHING(__asan_poison_memory_region, const volatile void *at, size_t size)
NOTHING(__asan_unpoison_memory_region, const volatile void *at, size_t size)
NOTHING(__asan_poison_cxx_array_cookie, void *at)
M4M_EXPORT int __asan_address_is_poisoned(const volatile void *at) { return 0; }
M4M_EXPORT void *__asan_region_is_poisoned(void *at, size_t size) { return NULL; }

M4M_EXPORT uintptr_t __asan_load_cxx_array_cookie(uintptr_t *at) { return *at; }

#pragma GCC diagnostic pop
