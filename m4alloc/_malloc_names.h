/* malloc by name: the family of ISO C, POSIX and glibc, and C++'s operators by their mangled names.
 *
 * Whoever includes this says what m4_malloc, m4_calloc, m4_realloc, m4_aligned, m4_free, m4_free_sized,
 * m4_free_aligned_sized, m4_usable_size and m4_trim are, and EXPORT: the core's own in preload.c, a monitor's in
 * monitor_preload.c. These functions never call one another by name: with a recorder in front, that call would be the
 * recorder's; and what is between them and these is inlined, so that the return address is the caller's.
 */
#ifndef M4ALLOC_MALLOC_NAMES_H
#define M4ALLOC_MALLOC_NAMES_H

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE_BYTES ((size_t)4096)
#define PART static inline __attribute__((always_inline))

/* ISO C and POSIX. */

EXPORT void *malloc(size_t size) { return m4_malloc(size); }

EXPORT void free(void *block) { m4_free(block); }

EXPORT void cfree(void *block) { m4_free(block); }

EXPORT void free_sized(void *block, size_t size) { m4_free_sized(block, size); }

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    m4_free_aligned_sized(block, alignment, size);
}

EXPORT void *calloc(size_t count, size_t size) { return m4_calloc(count, size); }

EXPORT void *realloc(void *block, size_t size) { return m4_realloc(block, size); }

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return m4_realloc(block, bytes);
}

PART int is_power_of_two(size_t n) { return n != 0 && (n & (n - 1)) == 0; }

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
    return m4_usable_size(block);
}

EXPORT int malloc_trim(size_t pad) { return m4_trim(pad) != 0; }

EXPORT int mallopt(int parameter, int value)
{
    (void)parameter;
    (void)value;
    return 1; /* glibc's knobs mean nothing here; M4ALLOC_STRATEGY has ours */
}

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

PART void *new_block(size_t size)
{
    void *block = m4_malloc(size);
    return __builtin_expect(block != NULL, 1) ? block : new_failed(1, size);
}

PART void *new_aligned(size_t size, size_t alignment)
{
    void *block = m4_aligned(alignment, size);
    return __builtin_expect(block != NULL, 1) ? block : new_failed(alignment, size);
}

PART void *new_block_nothrow(size_t size, const void *tag)
{
    void *block = m4_malloc(size);
    return __builtin_expect(block != NULL, 1) ? block : new_failed_nothrow(1, size, tag);
}

PART void *new_aligned_nothrow(size_t size, size_t alignment, const void *tag)
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

#endif
