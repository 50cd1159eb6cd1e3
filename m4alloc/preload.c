/* libm4alloc.so: the core under the names that programs call.
 *
 * One translation unit with the generated C, so that malloc is the core's hot path itself and not a call to it; the
 * linker drops everything that talks to Python. What Cython cannot say is here: the public names, C++'s operators by
 * their mangled names, and the hand-over of foreign pointers.
 */
#define M4_PRELOAD 1
#ifdef M4_CHECK_COPIES
#include "_copies.h"
#endif
#include "_fast.c"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))
#define PAGE_BYTES ((size_t)4096)

/* What the recorder and `verify` ask of an allocator that is ours. */
struct m4alloc_info {
    uint32_t version;
    uint32_t quarantine;       /* frees of its size class before a slot is reused, at least */
    uint64_t quarantine_limit; /* the largest usable size to which that applies */
};

EXPORT const struct m4alloc_info *m4alloc_info(void)
{
    static struct m4alloc_info info;
    info.quarantine_limit = m4_quarantine_limit();
    info.quarantine = (uint32_t)m4_quarantine();
    info.version = 1;
    return &info;
}

EXPORT uint64_t m4alloc_misuses(void) { return m4_misuses(); }

/* Calls of this thread that were refused as misuse: what tells a recorder whether the call it watches was. */
EXPORT uint64_t m4alloc_refusals(void) { return m4_thread_refusals; }

/* The strategy's side_bytes of a block, out of line, for monitors: zero when its slab is new, then as they were left. NULL
 * when there are none: side_bytes is 0, or the block is large, sampled, or not live. */
EXPORT void *m4alloc_side(void *block) { return m4_side(block); }

/* Before main and its threads, where loading a library is safe. Earlier samples have no backtrace. */
static __attribute__((constructor)) void prepare_tracing(void) { m4_prepare_tracing(); }

EXPORT void m4alloc_stats(struct m4_totals *totals) { m4_count(totals); }

#include "_statistics.h"

/* The next allocator's functions, for M4ALLOC_OPTIONS=misuse=forward. Looked up when first needed, and only then. */
static void *next_symbol(const char *name)
{
    int before = errno;
    void *symbol = dlsym(RTLD_NEXT, name);
    errno = before;
    return symbol;
}

static __attribute__((cold, noinline)) void m4_forward_free(void *block)
{
    static void (*next)(void *);
    if (next == NULL)
        next = (void (*)(void *))next_symbol("free");
    if (next != NULL)
        next(block);
}

static __attribute__((cold, noinline)) void *forward_realloc(void *block, size_t size)
{
    static void *(*next)(void *, size_t);
    if (next == NULL)
        next = (void *(*)(void *, size_t))next_symbol("realloc");
    return next != NULL ? next(block, size) : NULL;
}

static __attribute__((cold, noinline)) size_t forward_usable_size(void *block)
{
    static size_t (*next)(void *);
    if (next == NULL)
        next = (size_t (*)(void *))next_symbol("malloc_usable_size");
    return next != NULL ? next(block) : 0;
}

static inline int forwarding(void)
{
    return __builtin_expect(m4_forwarding(), 0);
}

/* ISO C and POSIX. */

EXPORT void *malloc(size_t size) { return m4_malloc(size); }

/* The exported functions never call one another by name: with a recorder in front, that call would be the recorder's. */

EXPORT void free(void *block) { m4_free(block); }

EXPORT void cfree(void *block) { m4_free(block); }

EXPORT void free_sized(void *block, size_t size) { m4_free_sized(block, size); }

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    m4_free_aligned_sized(block, alignment, size);
}

EXPORT void *calloc(size_t count, size_t size) { return m4_calloc(count, size); }

static inline void *resize_block(void *block, size_t size)
{
    if (forwarding() && m4_is_foreign(block))
        return forward_realloc(block, size);
    return m4_realloc(block, size);
}

EXPORT void *realloc(void *block, size_t size) { return resize_block(block, size); }

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return resize_block(block, bytes);
}

static inline int is_power_of_two(size_t n) { return n != 0 && (n & (n - 1)) == 0; }

/* Any size: C17 took back C11's demand that it be a multiple of the alignment (DR 460). */
EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return m4_aligned(alignment, size);
}

EXPORT int posix_memalign(void **result, size_t alignment, size_t size)
{
    int before = errno;
    void *block;
    if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    block = m4_aligned(alignment, size);
    if (block == NULL)
        return ENOMEM; /* and errno says so as well, as glibc's does */
    errno = before;
    *result = block;
    return 0;
}

/* glibc's: an alignment that is no power of two is rounded up to one. */
EXPORT void *memalign(size_t alignment, size_t size)
{
    if (alignment > (SIZE_MAX >> 1) + 1) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment < 16)
        alignment = 16;
    if (!is_power_of_two(alignment))
        alignment = (size_t)2 << m4_floor_log2(alignment);
    return m4_aligned(alignment, size);
}

EXPORT void *valloc(size_t size) { return m4_aligned(PAGE_BYTES, size); }

EXPORT void *pvalloc(size_t size)
{
    if (size > SIZE_MAX - PAGE_BYTES) {
        errno = ENOMEM;
        return NULL;
    }
    return m4_aligned(PAGE_BYTES, size == 0 ? PAGE_BYTES : (size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
}

EXPORT size_t malloc_usable_size(void *block)
{
    if (forwarding() && m4_is_foreign(block))
        return forward_usable_size(block);
    return m4_usable_size(block);
}

EXPORT int malloc_trim(size_t pad) { return m4_trim(pad) != 0; }

EXPORT int mallopt(int parameter, int value)
{
    (void)parameter;
    (void)value;
    return 1; /* glibc's knobs mean nothing here; M4ALLOC_STRATEGY has ours */
}

static struct mallinfo2 wide_info(void)
{
    struct m4_totals totals;
    struct mallinfo2 info;
    m4_count(&totals);
    memset(&info, 0, sizeof info);
    info.arena = totals.spans - totals.large + totals.dirty;
    info.ordblks = totals.slabs;
    info.hblks = totals.large_blocks;
    info.hblkhd = totals.large;
    info.usmblks = totals.spans_peak;
    info.fsmblks = totals.cached;
    info.uordblks = totals.live - totals.large;
    info.fordblks = info.arena - info.uordblks;
    info.keepcost = totals.dirty;
    return info;
}

EXPORT struct mallinfo2 mallinfo2(void) { return wide_info(); }

static int saturated(size_t n) { return n > INT32_MAX ? INT32_MAX : (int)n; }

EXPORT struct mallinfo mallinfo(void)
{
    struct mallinfo2 wide = wide_info();
    struct mallinfo info;
    info.arena = saturated(wide.arena);
    info.ordblks = saturated(wide.ordblks);
    info.smblks = 0;
    info.hblks = saturated(wide.hblks);
    info.hblkhd = saturated(wide.hblkhd);
    info.usmblks = saturated(wide.usmblks);
    info.fsmblks = saturated(wide.fsmblks);
    info.uordblks = saturated(wide.uordblks);
    info.fordblks = saturated(wide.fordblks);
    info.keepcost = saturated(wide.keepcost);
    return info;
}

#ifdef M4_CHECK_COPIES
/* A copy that would leave its block is reported before it is made. */
EXPORT void *m4_checked_memcpy(void *to, const void *from, size_t bytes) __asm__("memcpy");
EXPORT void *m4_checked_memmove(void *to, const void *from, size_t bytes) __asm__("memmove");
EXPORT void *m4_checked_memset(void *to, int byte, size_t bytes) __asm__("memset");

void *m4_checked_memcpy(void *to, const void *from, size_t bytes)
{
    m4_check_copy(to, bytes);
    m4_check_copy((void *)(uintptr_t)from, bytes);
    return m4_plain_memcpy(to, from, bytes);
}

void *m4_checked_memmove(void *to, const void *from, size_t bytes)
{
    m4_check_copy(to, bytes);
    m4_check_copy((void *)(uintptr_t)from, bytes);
    return m4_plain_memmove(to, from, bytes);
}

void *m4_checked_memset(void *to, int byte, size_t bytes)
{
    m4_check_copy(to, bytes);
    return m4_plain_memset(to, byte, bytes);
}

static __attribute__((constructor)) void find_plain_copies(void)
{
    m4_next_memmove = (void *(*)(void *, const void *, size_t))dlsym(RTLD_NEXT, "memmove");
    m4_next_memset = (void *(*)(void *, int, size_t))dlsym(RTLD_NEXT, "memset");
    m4_next_memcpy = (void *(*)(void *, const void *, size_t))dlsym(RTLD_NEXT, "memcpy");
}
#endif

/* Limits: a program that lowers RLIMIT_AS must not find our reservation above it. */

static void limit_changes(int resource, const struct rlimit *limit)
{
    if (resource == RLIMIT_AS && limit != NULL && limit->rlim_cur != RLIM_INFINITY)
        m4_limit_lowered((uint64_t)limit->rlim_cur);
}

/* glibc's headers may rename these to their 64-bit twins, so they are defined by their symbols. On 64-bit machines
 * both twins take the same struct. */
#define LIMIT_FUNCTION(type, symbol, ...) EXPORT type m4_##symbol(__VA_ARGS__) __asm__(#symbol)

LIMIT_FUNCTION(int, prlimit, pid_t pid, int resource, const struct rlimit *new_limit, struct rlimit *old_limit);
LIMIT_FUNCTION(int, prlimit64, pid_t pid, int resource, const struct rlimit *new_limit, struct rlimit *old_limit);
LIMIT_FUNCTION(int, setrlimit, int resource, const struct rlimit *limit);
LIMIT_FUNCTION(int, setrlimit64, int resource, const struct rlimit *limit);

static int change_limit(pid_t pid, int resource, const struct rlimit *new_limit, struct rlimit *old_limit)
{
    if (pid == 0 || pid == getpid())
        limit_changes(resource, new_limit);
    return (int)syscall(SYS_prlimit64, pid, resource, new_limit, old_limit);
}

int m4_prlimit(pid_t pid, int resource, const struct rlimit *new_limit, struct rlimit *old_limit)
{
    return change_limit(pid, resource, new_limit, old_limit);
}

int m4_prlimit64(pid_t pid, int resource, const struct rlimit *new_limit, struct rlimit *old_limit)
{
    return change_limit(pid, resource, new_limit, old_limit);
}

int m4_setrlimit(int resource, const struct rlimit *limit) { return change_limit(0, resource, limit, NULL); }

int m4_setrlimit64(int resource, const struct rlimit *limit) { return change_limit(0, resource, limit, NULL); }

/* C++: operator new and delete in all forms, by their Itanium names. libstdc++ is found only when memory is out. */

typedef void (*new_handler)(void);

static void *cplusplus_symbol(const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    if (symbol == NULL) { /* loaded late and locally, as a dependency of a plug-in */
        void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
        if (library != NULL) {
            symbol = dlsym(library, name);
            dlclose(library);
        }
    }
    return symbol;
}

static __attribute__((cold, noinline)) void *new_failed(size_t alignment, size_t size)
{
    new_handler (*get_handler)(void) = (new_handler(*)(void))cplusplus_symbol("_ZSt15get_new_handlerv");
    void (*throw_bad_alloc)(void) = (void (*)(void))cplusplus_symbol("_ZSt17__throw_bad_allocv");
    static const char message[] = "m4alloc: operator new: out of memory\n";
    for (;;) {
        new_handler handler = get_handler != NULL ? get_handler() : NULL;
        void *block;
        if (handler == NULL)
            break;
        handler();
        block = m4_aligned(alignment, size);
        if (block != NULL)
            return block;
    }
    if (throw_bad_alloc != NULL)
        throw_bad_alloc();
    if (write(2, message, sizeof message - 1) < 0)
        abort();
    abort();
}

/* What a new_handler throws must not leave a nothrow form, and C cannot catch it. libstdc++'s own nothrow forms call
 * operator new, which is ours, and catch. */
static __attribute__((cold, noinline)) void *new_failed_nothrow(size_t alignment, size_t size, const void *tag)
{
    new_handler (*get_handler)(void) = (new_handler(*)(void))cplusplus_symbol("_ZSt15get_new_handlerv");
    void *library;
    void *block = NULL;
    if (get_handler == NULL || get_handler() == NULL)
        return NULL;
    library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL)
        return NULL;
    if (alignment > 1) {
        void *(*next)(size_t, size_t, const void *) =
            (void *(*)(size_t, size_t, const void *))dlsym(library, "_ZnwmSt11align_val_tRKSt9nothrow_t");
        if (next != NULL)
            block = next(size, alignment, tag);
    } else {
        void *(*next)(size_t, const void *) = (void *(*)(size_t, const void *))dlsym(library, "_ZnwmRKSt9nothrow_t");
        if (next != NULL)
            block = next(size, tag);
    }
    dlclose(library);
    return block;
}

static inline void *new_block(size_t size)
{
    void *block = m4_malloc(size);
    return __builtin_expect(block != NULL, 1) ? block : new_failed(1, size);
}

static inline void *new_aligned(size_t size, size_t alignment)
{
    void *block = m4_aligned(alignment, size);
    return __builtin_expect(block != NULL, 1) ? block : new_failed(alignment, size);
}

static inline void *new_block_nothrow(size_t size, const void *tag)
{
    void *block = m4_malloc(size);
    return __builtin_expect(block != NULL, 1) ? block : new_failed_nothrow(1, size, tag);
}

static inline void *new_aligned_nothrow(size_t size, size_t alignment, const void *tag)
{
    void *block = m4_aligned(alignment, size);
    return __builtin_expect(block != NULL, 1) ? block : new_failed_nothrow(alignment, size, tag);
}

#define NEW(name) EXPORT void *name(size_t size) { return new_block(size); }
#define NEW_NOTHROW(name) EXPORT void *name(size_t size, const void *tag) { return new_block_nothrow(size, tag); }
#define NEW_ALIGNED(name) EXPORT void *name(size_t size, size_t a) { return new_aligned(size, a); }
#define NEW_ALIGNED_NOTHROW(name) \
    EXPORT void *name(size_t size, size_t a, const void *tag) { return new_aligned_nothrow(size, a, tag); }
#define DELETE(name) EXPORT void name(void *block) { m4_free(block); }
#define DELETE_SIZED(name) EXPORT void name(void *block, size_t size) { m4_free_sized(block, size); }
#define DELETE_OTHER(name) EXPORT void name(void *block, size_t other) { (void)other; m4_free(block); }
#define DELETE_SIZED_ALIGNED(name) \
    EXPORT void name(void *block, size_t size, size_t a) { m4_free_aligned_sized(block, a, size); }
#define DELETE_ALIGNED_NOTHROW(name) \
    EXPORT void name(void *block, size_t a, const void *tag) { (void)a; (void)tag; m4_free(block); }

NEW(_Znwm)
NEW(_Znam)
NEW_NOTHROW(_ZnwmRKSt9nothrow_t)
NEW_NOTHROW(_ZnamRKSt9nothrow_t)
NEW_ALIGNED(_ZnwmSt11align_val_t)
NEW_ALIGNED(_ZnamSt11align_val_t)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)
DELETE(_ZdlPv)
DELETE(_ZdaPv)
DELETE_SIZED(_ZdlPvm)
DELETE_SIZED(_ZdaPvm)
DELETE_OTHER(_ZdlPvRKSt9nothrow_t) /* the second argument is a tag or an alignment: neither matters to free */
DELETE_OTHER(_ZdaPvRKSt9nothrow_t)
DELETE_OTHER(_ZdlPvSt11align_val_t)
DELETE_OTHER(_ZdaPvSt11align_val_t)
DELETE_SIZED_ALIGNED(_ZdlPvmSt11align_val_t)
DELETE_SIZED_ALIGNED(_ZdaPvmSt11align_val_t)
DELETE_ALIGNED_NOTHROW(_ZdlPvSt11align_val_tRKSt9nothrow_t)
DELETE_ALIGNED_NOTHROW(_ZdaPvSt11align_val_tRKSt9nothrow_t)
