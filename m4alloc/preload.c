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

/* Foreign pointers go to the next allocator where the options say so. */
static inline void *resize_block(void *block, size_t size)
{
    if (forwarding() && m4_is_foreign(block))
        return forward_realloc(block, size);
    return m4_realloc(block, size);
}

static inline size_t size_block(void *block)
{
    if (forwarding() && m4_is_foreign(block))
        return forward_usable_size(block);
    return m4_usable_size(block);
}

#define m4_realloc(block, size) resize_block(block, size)
#define m4_usable_size(block) size_block(block)
#include "_malloc_names.h"
#undef m4_realloc
#undef m4_usable_size

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
