/* libm4record.so: the malloc family by name, and labels. Each call is recorded by _record.pyx and made of the next allocator.
 *
 * Only what Cython cannot say is here: functions by their C and mangled C++ names, the caller's address, a frame that
 * an exception may leave, a scratch copy on the stack, constructor and destructor.
 */
#define _GNU_SOURCE 1
#include <malloc.h>
#include <stdlib.h>

#include "_record.c"

#define EXPORT __attribute__((visibility("default")))
#define SITE __builtin_return_address(0)
#define STACK_COPY 4096

void *reallocarray(void *old, size_t count, size_t size);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

/* m4_next_NAME, and NEXT(NAME): the function itself, NULL while it is being looked for and when there is none. */
#define DECLARE_NEXT(symbol) static struct m4_target m4_next_##symbol = {.name = #symbol}
#define NEXT(name) ((__typeof__(&name))m4_next_##name.function)
#define ENTER(name, function, address, size, extra)                                                                    \
    m4_enter(&call, &m4_next_##name, function, (uintptr_t)(address), size, extra, SITE)

DECLARE_NEXT(malloc);
DECLARE_NEXT(calloc);
DECLARE_NEXT(realloc);
DECLARE_NEXT(reallocarray);
DECLARE_NEXT(free);
DECLARE_NEXT(aligned_alloc);
DECLARE_NEXT(memalign);
DECLARE_NEXT(posix_memalign);
DECLARE_NEXT(valloc);
DECLARE_NEXT(pvalloc);
DECLARE_NEXT(malloc_usable_size);
DECLARE_NEXT(free_sized);
DECLARE_NEXT(free_aligned_sized);

__attribute__((constructor)) static void m4_load(void)
{
    static struct m4_target *const all[] = {
        &m4_next_malloc,         &m4_next_calloc,     &m4_next_realloc,        &m4_next_reallocarray,
        &m4_next_free,           &m4_next_memalign,   &m4_next_posix_memalign, &m4_next_aligned_alloc,
        &m4_next_valloc,         &m4_next_pvalloc,    &m4_next_free_sized,     &m4_next_malloc_usable_size,
        &m4_next_free_aligned_sized,
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        m4_resolve(all[i], NULL);
    pthread_atfork(NULL, NULL, m4_forked);
}

__attribute__((destructor)) static void m4_unload(void) { m4_exiting(); }

/* --- allocation --- */

/* While the recorder itself looks for the allocator: the static buffer, and what is found already when it is full. */
static void *m4_serve(size_t size, size_t alignment)
{
    void *block = m4_bootstrap(size, alignment);
    return block || !NEXT(memalign) ? block : NEXT(memalign)(alignment, size);
}

EXPORT void *malloc(size_t size)
{
    struct m4_call call;
    switch (ENTER(malloc, M4_MALLOC, 0, size, 0)) {
    case M4_RECORDED:
        return m4_leave_block(&call, NEXT(malloc)(size));
    case M4_FORWARD:
        return NEXT(malloc)(size);
    default:
        return m4_serve(size, 16);
    }
}

EXPORT void *calloc(size_t count, size_t size)
{
    struct m4_call call;
    size_t total;
    switch (ENTER(calloc, M4_CALLOC, 0, size, count)) {
    case M4_RECORDED:
        return m4_leave_zeroed(&call, NEXT(calloc)(count, size), count * size);
    case M4_FORWARD:
        return NEXT(calloc)(count, size);
    default:
        return __builtin_mul_overflow(count, size, &total) ? NULL : m4_bootstrap(total, 16);
    }
}

#define ALIGNED(name, function)                                                                                        \
    EXPORT void *name(size_t alignment, size_t size)                                                                   \
    {                                                                                                                  \
        struct m4_call call;                                                                                           \
        switch (ENTER(name, function, 0, size, alignment)) {                                                           \
        case M4_RECORDED:                                                                                              \
            return m4_leave_block(&call, NEXT(name)(alignment, size));                                                 \
        case M4_FORWARD:                                                                                               \
            return NEXT(name)(alignment, size);                                                                        \
        default:                                                                                                       \
            return m4_serve(size, alignment);                                                                          \
        }                                                                                                              \
    }
ALIGNED(aligned_alloc, M4_ALIGNED_ALLOC)
ALIGNED(memalign, M4_MEMALIGN)

#define PAGE_ALIGNED(name, function)                                                                                   \
    EXPORT void *name(size_t size)                                                                                     \
    {                                                                                                                  \
        struct m4_call call;                                                                                           \
        switch (ENTER(name, function, 0, size, 0)) {                                                                   \
        case M4_RECORDED:                                                                                              \
            return m4_leave_block(&call, NEXT(name)(size));                                                            \
        case M4_FORWARD:                                                                                               \
            return NEXT(name)(size);                                                                                   \
        default:                                                                                                       \
            return m4_serve(size, 4096);                                                                               \
        }                                                                                                              \
    }
PAGE_ALIGNED(valloc, M4_VALLOC)
PAGE_ALIGNED(pvalloc, M4_PVALLOC)

EXPORT int posix_memalign(void **result, size_t alignment, size_t size)
{
    struct m4_call call;
    switch (ENTER(posix_memalign, M4_POSIX_MEMALIGN, *result, size, alignment)) {
    case M4_RECORDED: {
        int error = NEXT(posix_memalign)(result, alignment, size);
        return m4_leave_error(&call, error, *result);
    }
    case M4_FORWARD:
        return NEXT(posix_memalign)(result, alignment, size);
    default:
        *result = m4_serve(size, alignment);
        return *result ? 0 : ENOMEM;
    }
}

/* --- resizing: what the old block holds is copied before, and compared after --- */

/* A block of the bootstrap buffer moves to the real allocator, as an allocation of the program. */
static void *m4_adopt(void *old, size_t size)
{
    size_t before = m4_bootstrapped(old);
    void *block = malloc(size);
    return block ? memcpy(block, old, before < size ? before : size) : NULL;
}

/* `bytes` is what the call asks for; `resize` makes it. A macro, so that the copy lives in the caller's frame. */
#define RESIZE(bytes, resize)                                                                                          \
    size_t kept = m4_observable(old, bytes);                                                                           \
    size_t mapped = kept > STACK_COPY ? kept : 0;                                                                      \
    void *copy = mapped ? mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)               \
                        : __builtin_alloca(kept + 1);                                                                  \
    kept = copy == MAP_FAILED ? 0 : m4_copy_old(copy, old, kept);                                                      \
    errno = 0;                                                                                                         \
    void *block = m4_leave_resized(&call, resize, copy, kept);                                                         \
    if (mapped && copy != MAP_FAILED) {                                                                                \
        int error = errno;                                                                                             \
        munmap(copy, mapped);                                                                                          \
        errno = error;                                                                                                 \
    }                                                                                                                  \
    return block

EXPORT void *realloc(void *old, size_t size)
{
    struct m4_call call;
    if (m4_bootstrapped(old))
        return m4_adopt(old, size);
    switch (ENTER(realloc, M4_REALLOC, old, size, 0)) {
    case M4_RECORDED: {
        RESIZE(size, NEXT(realloc)(old, size));
    }
    case M4_FORWARD:
        return NEXT(realloc)(old, size);
    default:
        return old ? NULL : m4_serve(size, 16);
    }
}

EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
    struct m4_call call;
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        total = 0; /* the call fails, and there is nothing to look at */
    else if (m4_bootstrapped(old))
        return m4_adopt(old, total);
    switch (ENTER(reallocarray, M4_REALLOCARRAY, old, size, count)) {
    case M4_RECORDED: {
        RESIZE(total, NEXT(reallocarray)(old, count, size));
    }
    case M4_FORWARD:
        return NEXT(reallocarray)(old, count, size);
    default:
        return old ? NULL : m4_serve(total, 16);
    }
}

/* --- freeing; a block that the C library frees while the recorder looks something up in it is kept instead --- */

EXPORT void free(void *block)
{
    struct m4_call call;
    if (m4_bootstrapped(block))
        return;
    switch (ENTER(free, M4_FREE, block, 0, 0)) {
    case M4_RECORDED:
        NEXT(free)(block);
        m4_leave(&call);
        return;
    case M4_FORWARD:
        NEXT(free)(block);
        return;
    default:
        return;
    }
}

#define FREE_KNOWN(name, function, parameters, arguments, size, alignment)                                             \
    EXPORT void name parameters                                                                                        \
    {                                                                                                                  \
        struct m4_call call;                                                                                           \
        enum m4_entry entry;                                                                                           \
        if (m4_bootstrapped(block))                                                                                    \
            return;                                                                                                    \
        entry = ENTER(name, function, block, size, alignment);                                                         \
        if (entry == M4_BOOTSTRAP)                                                                                     \
            return;                                                                                                    \
        if (NEXT(name)) /* an older C library has only free, which means the same */                                   \
            NEXT(name) arguments;                                                                                      \
        else                                                                                                           \
            NEXT(free)(block);                                                                                         \
        if (entry == M4_RECORDED)                                                                                      \
            m4_leave(&call);                                                                                           \
    }
FREE_KNOWN(free_sized, M4_FREE_SIZED, (void *block, size_t size), (block, size), size, 0)
FREE_KNOWN(free_aligned_sized, M4_FREE_ALIGNED_SIZED, (void *block, size_t alignment, size_t size),
           (block, alignment, size), size, alignment)

EXPORT size_t malloc_usable_size(void *block)
{
    struct m4_call call;
    size_t size = m4_bootstrapped(block);
    if (size)
        return size;
    switch (ENTER(malloc_usable_size, M4_USABLE_SIZE, block, 0, 0)) {
    case M4_RECORDED:
        size = NEXT(malloc_usable_size)(block);
        m4_leave_number(&call, size);
        return size;
    case M4_FORWARD:
        return NEXT(malloc_usable_size)(block);
    default:
        return 0;
    }
}

/* --- labels: see m4alloc_label.h --- */

EXPORT void m4alloc_label(const char *name, const void *argument);

EXPORT void m4alloc_label(const char *name, const void *argument) { m4_label(name, (uintptr_t)argument, SITE); }

/* --- C++: all forms of operator new and operator delete, by their mangled names --- */

/* The personality of the frames below: when an exception leaves one, the call in flight ends as failed.
 * It needs nothing of the unwinder, so neither does the library. 2 is _UA_CLEANUP_PHASE, 8 _URC_CONTINUE_UNWIND. */
__attribute__((used)) static int m4_personality(int version, int actions, uint64_t kind, void *exception, void *context)
{
    if (actions & 2)
        m4_leave_unwound();
    return 8;
}
#define ENDS_WHEN_UNWOUND __asm__ volatile(".cfi_personality 0x1b, m4_personality") /* pc-relative, 4 bytes, signed */

/* No object in sight has the operator: what the C++ standard says of it, except that failure cannot be thrown. */
static void *m4_new_without_runtime(size_t size, size_t alignment, int throws)
{
    static const char message[] = "m4alloc: operator new failed, and no C++ runtime is there to throw bad_alloc\n";
    void *block = alignment > 16 ? NEXT(memalign)(alignment, size ? size : 1) : NEXT(malloc)(size ? size : 1);
    if (block == NULL && throws) {
        if (write(2, message, sizeof message - 1) < 0)
            abort();
        abort();
    }
    return block;
}

#define NEW(symbol, parameters, arguments, alignment, throws, frame)                                                   \
    EXPORT void *symbol parameters;                                                                                    \
    DECLARE_NEXT(symbol);                                                                                              \
    __attribute__((noinline)) static void *symbol##_recorded(struct m4_call *call, REST parameters)                    \
    {                                                                                                                  \
        frame;                                                                                                         \
        return m4_leave_block(call, NEXT(symbol) arguments);                                                           \
    }                                                                                                                  \
    EXPORT void *symbol parameters                                                                                     \
    {                                                                                                                  \
        struct m4_call call;                                                                                           \
        enum m4_entry entry = ENTER(symbol, M4_NEW, 0, size, alignment);                                               \
        if (entry == M4_BOOTSTRAP)                                                                                     \
            return m4_serve(size, 16);                                                                                 \
        if (!NEXT(symbol)) {                                                                                           \
            void *block = m4_new_without_runtime(size, alignment, throws);                                             \
            return entry == M4_RECORDED ? m4_leave_block(&call, block) : block;                                        \
        }                                                                                                              \
        return entry == M4_RECORDED ? symbol##_recorded(&call, REST arguments) : NEXT(symbol) arguments;               \
    }
#define REST(...) __VA_ARGS__
#define THROWS(symbol, parameters, arguments, alignment)                                                               \
    NEW(symbol, parameters, arguments, alignment, 1, ENDS_WHEN_UNWOUND)
#define NOTHROW(symbol, parameters, arguments, alignment) NEW(symbol, parameters, arguments, alignment, 0, (void)0)

THROWS(_Znwm, (size_t size), (size), 0)
THROWS(_Znam, (size_t size), (size), 0)
THROWS(_ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment), alignment)
THROWS(_ZnamSt11align_val_t, (size_t size, size_t alignment), (size, alignment), alignment)
NOTHROW(_ZnwmRKSt9nothrow_t, (size_t size, const void *tag), (size, tag), 0)
NOTHROW(_ZnamRKSt9nothrow_t, (size_t size, const void *tag), (size, tag), 0)
NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const void *tag), (size, alignment, tag),
        alignment)
NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const void *tag), (size, alignment, tag),
        alignment)

#define DELETE(symbol, parameters, arguments, size, alignment)                                                         \
    EXPORT void symbol parameters;                                                                                     \
    DECLARE_NEXT(symbol);                                                                                              \
    FREE_KNOWN(symbol, M4_DELETE, parameters, arguments, size, alignment)

DELETE(_ZdlPv, (void *block), (block), 0, 0)
DELETE(_ZdaPv, (void *block), (block), 0, 0)
DELETE(_ZdlPvm, (void *block, size_t size), (block, size), size, 0)
DELETE(_ZdaPvm, (void *block, size_t size), (block, size), size, 0)
DELETE(_ZdlPvRKSt9nothrow_t, (void *block, const void *tag), (block, tag), 0, 0)
DELETE(_ZdaPvRKSt9nothrow_t, (void *block, const void *tag), (block, tag), 0, 0)
DELETE(_ZdlPvSt11align_val_t, (void *block, size_t alignment), (block, alignment), 0, alignment)
DELETE(_ZdaPvSt11align_val_t, (void *block, size_t alignment), (block, alignment), 0, alignment)
DELETE(_ZdlPvmSt11align_val_t, (void *block, size_t size, size_t alignment), (block, size, alignment), size, alignment)
DELETE(_ZdaPvmSt11align_val_t, (void *block, size_t size, size_t alignment), (block, size, alignment), size, alignment)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const void *tag), (block, alignment, tag),
       0, alignment)
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const void *tag), (block, alignment, tag),
       0, alignment)
