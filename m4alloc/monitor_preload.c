/* libm4monitor.so: the monitor under the names that programs call. monitor_core.c is the heap, monitor_hooks.c what
 * instrumented code calls, monitor_libc.c the functions of the C library that access memory for their callers.
 */
#define M4_PRELOAD 1
#include "_monitor.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <threads.h>
#define memcpy m4m_plain_memcpy
#define memmove m4m_plain_memmove
#define memset m4m_plain_memset
#define memcmp m4m_plain_memcmp
#define strlen m4m_plain_strlen

#include "monitor_core.h"
#include "monitor_libc.h"
#include "monitor_start.h"
#include "monitor_thread.h"
#include "_monitor_table.h"
#include "_monitor.c"
static void m4_forward_free(void *block) { (void)block; }

#define EXPORT M4M_EXPORT
#define HERE __builtin_return_address(0), __builtin_frame_address(0)

M4M_HIDDEN __thread struct m4m_thread *m4m_self __attribute__((tls_model("initial-exec")));
M4M_HIDDEN int m4m_shadow_on;
M4M_HIDDEN char *m4m_arena_base;
M4M_HIDDEN uint64_t m4m_arena_bytes;

static const char several_threads;
M4M_HIDDEN const char *m4m_single_threaded = &several_threads;

/* malloc by name. The stack is unwound from the frame of the function that was called, so it has to be there still: what
 * follows the call keeps it from being a jump. */
#define FRAME_STAYS __asm__ volatile("")
#define ANSWER(call)                                                                                                   \
    ({                                                                                                                 \
        void *answer_ = (call);                                                                                        \
        FRAME_STAYS;                                                                                                   \
        answer_;                                                                                                       \
    })
#define m4_malloc(size) ANSWER(m4m_request(1, (size), 0, HERE))
#define m4_calloc(count, size) ANSWER(counted_request((count), (size), HERE))
#define m4_realloc(block, size) ANSWER(m4m_resize((block), (size), HERE))
#define m4_aligned(alignment, size) ANSWER(m4m_request((alignment), (size), 0, HERE))
#define m4_free(block)                                                                                                 \
    do {                                                                                                               \
        m4m_release((block), HERE);                                                                                    \
        FRAME_STAYS;                                                                                                   \
    } while (0)
#define m4_free_sized(block, size)                                                                                     \
    do {                                                                                                               \
        (void)(size);                                                                                                  \
        m4_free(block);                                                                                                \
    } while (0)
#define m4_free_aligned_sized(block, alignment, size)                                                                  \
    do {                                                                                                               \
        (void)(alignment);                                                                                             \
        m4_free_sized(block, size);                                                                                    \
    } while (0)
#define m4_usable_size(block) m4m_size(block)
#define m4_trim(keep) m4m_core_trim(keep)

M4M_INLINE void *counted_request(size_t count, size_t size, const void *site, const void *frame)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX; /* more than there can be: fails with ENOMEM, as a call like any other */
    return m4m_request(1, bytes, 1, site, frame);
}

#include "_malloc_names.h"

/* The shadow: of the whole address space, whose untouched pages are zero, that is open. */
#if defined(__aarch64__)
#define ADDRESS_BITS 48
#else
#define ADDRESS_BITS 47
#endif
#define SHADOW_BYTES (UINT64_C(1) << (ADDRESS_BITS - M4M_SHADOW_SHIFT))

static void map_shadow(void)
{
    void *wanted = (void *)M4M_SHADOW_OFFSET;
    if (m4m_shadow_on)
        return;
    if (mmap(wanted, SHADOW_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != wanted)
        m4m_refuse("the monitor", "there is no address space for its shadow (ulimit -v?)");
    madvise(wanted, SHADOW_BYTES, MADV_DONTDUMP);
    m4m_shadow_on = 1;
    m4m_shadow_comes();
}

void m4alloc_monitored(const void *table, size_t size)
{
    (void)table;
    (void)size;
    map_shadow();
}

void m4m_access(const volatile void *address, size_t size, unsigned how, const void *site, const void *frame,
                const char *function)
{
    char *at = (char *)(uintptr_t)address;
    if ((uint64_t)(at - m4m_arena_base) < m4m_arena_bytes)
        m4m_access_arena(at, size, how, site, frame, function);
    else if (m4m_shadow_on && !m4m_is_range_open(address, size)) /* m4alloc cc --stack: code shows its own arrays there */
        m4m_tell_stack(at, size, how, NULL, site, frame, function);
}

void m4m_decided(const char *address, size_t size, const void *site, const void *frame)
{
    m4m_decide(address, size, site, frame);
}

void m4m_stack_smashed(const void *site, const void *frame)
{
    m4m_tell_stack((char *)(uintptr_t)frame, 0, M4M_WRITE, "overrun", site, frame, NULL);
}

/* The stream is about to be closed, and its file with it. */
void m4m_keep_stderr(int file)
{
    int kept = file == 2 && m4m_kept_file == 0 ? (int)syscall(SYS_fcntl, 2, F_DUPFD_CLOEXEC, 64) : -1;
    if (kept < 0)
        return;
    m4m_identify(kept, m4m_kept_identity);
    m4m_kept_file = kept;
}

/* Before a thread begins: what calls here may be the first thing that a thread does. */
EXPORT int pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*begin)(void *), void *argument)
{
    static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (next == NULL)
        next = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    m4m_second_thread();
    return next(thread, attributes, begin, argument);
}

EXPORT int thrd_create(thrd_t *, thrd_start_t, void *);

int thrd_create(thrd_t *thread, thrd_start_t begin, void *argument)
{
    static int (*next)(thrd_t *, thrd_start_t, void *);
    if (next == NULL)
        next = (int (*)(thrd_t *, thrd_start_t, void *))dlsym(RTLD_NEXT, "thrd_create");
    m4m_second_thread();
    return next(thread, begin, argument);
}

char *m4m_stack_end_here(void) { return m4m_stack_high(); }

/* glibc allocates for the answer with a lock of the thread held. The first call of malloc in a thread asks the same. */
EXPORT int pthread_getattr_np(pthread_t, pthread_attr_t *);

int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
    static int (*next)(pthread_t, pthread_attr_t *);
    if (next == NULL)
        next = (int (*)(pthread_t, pthread_attr_t *))dlsym(RTLD_NEXT, "pthread_getattr_np");
    m4m_stack_high();
    return next(thread, attributes);
}

EXPORT void m4alloc_label(const char *name, const void *argument);

void m4alloc_label(const char *name, const void *argument)
{
    m4m_say(name, argument, HERE);
    FRAME_STAYS;
}

/* A program that lowers RLIMIT_AS must not find our reservation above it. */
#define LIMIT_FUNCTION(type, symbol, ...) EXPORT type m4m_##symbol(__VA_ARGS__) __asm__(#symbol)

LIMIT_FUNCTION(int, prlimit, pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old_limit);
LIMIT_FUNCTION(int, prlimit64, pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old_limit);
LIMIT_FUNCTION(int, setrlimit, int resource, const struct rlimit *limit);
LIMIT_FUNCTION(int, setrlimit64, int resource, const struct rlimit *limit);

static int change_limit(pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old_limit)
{
    if ((pid == 0 || pid == getpid()) && resource == RLIMIT_AS && limit != NULL && limit->rlim_cur != RLIM_INFINITY) {
        if (m4m_shadow_on) { /* the shadow alone is larger */
            if (old_limit != NULL)
                return (int)syscall(SYS_prlimit64, pid, resource, NULL, old_limit);
            return 0;
        }
        m4m_core_limit_lowered((uint64_t)limit->rlim_cur);
    }
    return (int)syscall(SYS_prlimit64, pid, resource, limit, old_limit);
}

int m4m_prlimit(pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old_limit)
{
    return change_limit(pid, resource, limit, old_limit);
}

int m4m_prlimit64(pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old_limit)
{
    return change_limit(pid, resource, limit, old_limit);
}

int m4m_setrlimit(int resource, const struct rlimit *limit) { return change_limit(0, resource, limit, NULL); }

int m4m_setrlimit64(int resource, const struct rlimit *limit) { return change_limit(0, resource, limit, NULL); }

/* All memory, locked: that would be all of the shadow and of what is reserved for stories, page by page, which takes more
 * memory than there is. Nothing is locked; the program's own pages are swapped like any other's. */
EXPORT int mlockall(int flags);
EXPORT int munlockall(void);

int mlockall(int flags)
{
    if (flags == 0 || (flags & ~7) != 0) { /* MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT */
        errno = EINVAL;
        return -1;
    }
    return 0;
}

int munlockall(void) { return 0; }

/* How it begins. */

void m4m_refuse(const char *what, const char *why)
{
    char line[512];
    int length = snprintf(line, sizeof line, "m4alloc: %s: %s\n", what, why);
    if (length > 0 && write(2, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1) < 0)
        _exit(2);
    _exit(2);
}

static const void *map_file(const char *path, uint64_t *size)
{
    struct stat about;
    void *table;
    long file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        m4m_refuse(path, "this file of compiled properties cannot be opened");
    if (fstat((int)file, &about) != 0 || about.st_size == 0)
        m4m_refuse(path, "this is no file of compiled properties");
    table = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, (int)file, 0);
    syscall(SYS_close, file);
    if (table == MAP_FAILED)
        m4m_refuse(path, "this file of compiled properties cannot be mapped");
    *size = (uint64_t)about.st_size;
    return table;
}

const void *m4m_table(const char *path, uint64_t *size)
{
    if (path != NULL)
        return map_file(path, size);
    if (&m4alloc_program != NULL && m4alloc_program.size != 0) {
        *size = m4alloc_program.size;
        return m4alloc_program.table;
    }
    *size = sizeof m4m_built_in_table;
    return m4m_built_in_table;
}

void m4m_prepare_core(void)
{
    if (&m4alloc_program != NULL)
        map_shadow(); /* before there is a heap to show in it */
    m4m_prepare();
}

void m4m_slab_made(void *start, uint64_t bytes)
{
    if (m4m_shadow_on)
        m4m_fence(start, bytes);
}

/* The main thread's stack grows down from where the loader found it, as far as its limit lets it; of the others glibc
 * knows, who may allocate for the answer. */
extern void *__libc_stack_end __attribute__((weak));

void m4m_stack_bounds(char **low, char **high)
{
    pthread_attr_t attributes;
    struct rlimit limit;
    void *start;
    size_t size;
    *low = *high = NULL;
    if (getpid() == (pid_t)syscall(SYS_gettid)) {
        uint64_t bytes = 8 << 20;
        if (&__libc_stack_end == NULL || __libc_stack_end == NULL)
            return;
        if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
            bytes = limit.rlim_cur;
        *high = (char *)(((uintptr_t)__libc_stack_end + 4095) & ~UINT64_C(4095)) + 4096; /* the arguments are above */
        *low = (uintptr_t)*high > bytes ? *high - bytes : NULL;
        return;
    }
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &start, &size) == 0) {
        *low = start;
        *high = (char *)start + size;
    }
    pthread_attr_destroy(&attributes);
}

void m4m_thread_found(void) { m4m_further_thread(); }

static pthread_key_t thread_key;
static int thread_key_made;

/* After the destructors of the program's own keys, which free: in the last but one of the rounds that there are. */
static void thread_exits(void *thread)
{
    static __thread int rounds __attribute__((tls_model("initial-exec")));
    if (++rounds < PTHREAD_DESTRUCTOR_ITERATIONS - 1)
        pthread_setspecific(thread_key, thread);
    else
        m4m_thread_ends(thread);
}

void m4m_watch_thread_exit(void)
{
    if (thread_key_made)
        pthread_setspecific(thread_key, m4m_self);
}

static void after_fork_in_parent(void) { m4m_after_fork(0); }

static void after_fork_in_child(void) { m4m_after_fork(1); }

static void quick_exit_status(void)
{
    int status = m4m_end_status(0);
    if (status != 0)
        syscall(SYS_exit_group, status);
}

/* When the library is loaded: after the first mallocs, which are the loader's, and before the program's constructors. */
static __attribute__((constructor(101))) void start(void)
{
    if (&__libc_single_threaded != NULL)
        m4m_single_threaded = &__libc_single_threaded;
    m4m_resolve_libc();
    m4m_watch_faults();
    m4m_core_prepare();
    thread_key_made = pthread_key_create(&thread_key, thread_exits) == 0;
    m4m_open();
    m4m_watch_thread_exit();
    at_quick_exit(quick_exit_status);
    pthread_atfork(m4m_before_fork, after_fork_in_parent, after_fork_in_child);
}

/* How it ends: M4M_LIVE_HERE puts the registers of whoever calls into this frame, from which the search for leaks begins. */
static __attribute__((destructor(101))) void end(void)
{
    int status;
    m4m_end_run(M4M_LIVE_HERE);
    status = m4m_end_status(0);
    if (status != 0) {
        fflush(NULL);
        syscall(SYS_exit_group, status);
    }
}

EXPORT void _exit(int status);
EXPORT void _Exit(int status);

void _exit(int status)
{
    syscall(SYS_exit_group, m4m_end_status(status));
    __builtin_unreachable();
}

void _Exit(int status)
{
    syscall(SYS_exit_group, m4m_end_status(status));
    __builtin_unreachable();
}

M4M_EXPORT size_t m4alloc_check_leaks(void);
size_t m4alloc_check_leaks(void) { return m4m_check_leaks(M4M_LIVE_HERE); }

M4M_EXPORT void m4alloc_ignore(const void *block);
void m4alloc_ignore(const void *block) { m4m_ignore((const char *)block); }
