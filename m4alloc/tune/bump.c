/* An allocator that keeps no books: a block is the next free address, and free does nothing.
 *
 * It shows what a program takes when allocating is as cheap as it can be, blocks lie in the order in which they were
 * made, and no memory is ever used twice. A thread takes chunks of 1 MiB from one mapping of M4ALLOC_BUMP_LIMIT bytes,
 * and when that is used up the program ends with status 97 and a line that says so. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)

enum { ALIGNMENT = 16, HEADER = 8, DOES_NOT_FIT = 97 };
static const size_t CHUNK = 1 << 20, DEFAULT_LIMIT = (size_t)1 << 30;

static char *volatile base; /* of the mapping; NULL before the first malloc */
static size_t limit;
static atomic_size_t taken;
static atomic_flag starting = ATOMIC_FLAG_INIT;
static __thread char *at __attribute__((tls_model("initial-exec")));
static __thread char *end __attribute__((tls_model("initial-exec")));

static void does_not_fit(void) {
    static const char told[] = "m4alloc bump: does not fit\n";
    ssize_t written = write(2, told, sizeof told - 1);
    (void)written;
    _exit(DOES_NOT_FIT);
}

/* Not atol: it may not be ready this early. */
static size_t number(const char *text) {
    size_t value = 0;
    for (; text && *text >= '0' && *text <= '9'; text++) value = 10 * value + (size_t)(*text - '0');
    return value;
}

static void start(void) {
    while (atomic_flag_test_and_set(&starting)) {
    }
    if (!base) {
        size_t wanted = number(getenv("M4ALLOC_BUMP_LIMIT"));
        limit = wanted ? (wanted + CHUNK - 1) / CHUNK * CHUNK : DEFAULT_LIMIT;
        void *mapped = mmap(NULL, limit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped == MAP_FAILED) does_not_fit();
        base = mapped;
    }
    atomic_flag_clear(&starting);
}

/* So many bytes of the mapping, a multiple of CHUNK. */
static char *take(size_t bytes) {
    if (!base) start();
    size_t offset = atomic_fetch_add(&taken, bytes);
    if (offset > limit || bytes > limit - offset) does_not_fit();
    return base + offset;
}

static size_t *header(const void *block) { return (size_t *)(uintptr_t)block - 1; }

/* The slow path: a new chunk, of its own for what would fill half of one. */
static __attribute__((noinline)) void *allocate_slowly(size_t size, size_t alignment) {
    if (size > PTRDIFF_MAX || alignment > PTRDIFF_MAX / 4) {
        errno = ENOMEM;
        return NULL;
    }
    size_t needed = size + alignment + HEADER;
    char *from;
    if (needed >= CHUNK / 2) {
        from = take((needed + CHUNK - 1) / CHUNK * CHUNK);
    } else {
        from = take(CHUNK);
        end = from + CHUNK;
    }
    char *block = (char *)(((uintptr_t)from + HEADER + alignment - 1) & -(uintptr_t)alignment);
    if (needed < CHUNK / 2) at = block + size;
    *header(block) = size;
    return block;
}

static inline void *allocate(size_t size, size_t alignment) {
    char *block = (char *)(((uintptr_t)at + HEADER + alignment - 1) & -(uintptr_t)alignment);
    if (LIKELY(block <= end && size <= (size_t)(end - block) && at)) {
        at = block + size;
        *header(block) = size;
        return block;
    }
    return allocate_slowly(size, alignment);
}

PUBLIC void *malloc(size_t size) { return allocate(size, ALIGNMENT); }

PUBLIC void free(void *block) { (void)block; }

/* What was never used is zero. */
PUBLIC void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return allocate(bytes, ALIGNMENT);
}

PUBLIC size_t malloc_usable_size(void *block) { return block ? *header(block) : 0; }

/* A block that shrinks keeps its size, so that what it gives up is not given out as zero. */
PUBLIC void *realloc(void *old, size_t size) {
    if (!old) return malloc(size);
    size_t before = *header(old);
    if (size <= before) return old;
    if ((char *)old + before == at && size <= (size_t)(end - (char *)old)) {
        at = (char *)old + size;
        *header(old) = size;
        return old;
    }
    void *block = malloc(size);
    if (block) memcpy(block, old, before);
    return block;
}

PUBLIC void *reallocarray(void *old, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

PUBLIC void *memalign(size_t alignment, size_t size) {
    if (alignment == 0 || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    return allocate(size, alignment < ALIGNMENT ? ALIGNMENT : alignment);
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

PUBLIC int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1))) return EINVAL;
    int before = errno;
    void *block = memalign(alignment, size);
    errno = before;
    if (!block) return ENOMEM;
    *result = block;
    return 0;
}

PUBLIC void *valloc(size_t size) { return memalign((size_t)sysconf(_SC_PAGESIZE), size); }

PUBLIC void *pvalloc(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return memalign(page, (size + page - 1) & -page);
}
