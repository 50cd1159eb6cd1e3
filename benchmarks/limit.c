/* What malloc and free cost at least when they test what they must: one size class, one thread, no slow path. It is a
 * measure for benchmarks/pairs.py, not an allocator to use.
 *
 *     cc -std=gnu17 -O2 -fPIC -shared -fno-builtin -DSLOT=64 benchmarks/limit.c -o liblimit64.so
 *     python benchmarks/pairs.py --library limit64=./liblimit64.so
 *
 * Requests of at most SLOT bytes (a power of two) are slots of one mapping, numbered on a stack out of line; a byte for
 * each slot, out of line too, says whether it is live. free tests the range, that the pointer is the begin of a slot,
 * and that byte: what it refuses aborts. An empty stack is refilled by carving fresh slots. Everything else goes to
 * libc.
 *
 * The stack is the thread's that frees, so a second thread breaks nothing; there are no remote frees, and what lies
 * on the stack of a thread that ended is lost. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef SLOT
#define SLOT 64
#endif
_Static_assert(SLOT >= 16 && (SLOT & (SLOT - 1)) == 0, "SLOT: a power of two, at least 16");

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { SLOTS = 1 << 26, CARVED = 1024, DEPTH = 1 << 20, FREE = 0, LIVE = 1 };

static char *base;           /* of the slots */
static size_t area;          /* bytes of them, 0 before the first refill */
static unsigned char *state; /* a byte a slot */
static atomic_size_t carved; /* slots taken from the area so far */

static __thread __attribute__((tls_model("initial-exec"))) struct {
    uint32_t *top, *bottom, *end;
} stack;

static void *map(size_t size) {
    void *fresh = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fresh == MAP_FAILED) abort();
    return fresh;
}

static __attribute__((cold, noinline)) void *refill(void) {
    if (!area) {
        state = map(SLOTS);
        base = map((size_t)SLOTS * SLOT);
        area = (size_t)SLOTS * SLOT;
    }
    if (!stack.bottom) {
        stack.top = stack.bottom = map(DEPTH * sizeof *stack.top);
        stack.end = stack.bottom + DEPTH;
    }
    size_t first = atomic_fetch_add(&carved, CARVED);
    if (first + CARVED > SLOTS) return __libc_malloc(SLOT);
    for (size_t i = CARVED; i-- > 0;) *stack.top++ = (uint32_t)(first + i);
    return malloc(SLOT);
}

static __attribute__((cold, noinline)) void free_elsewhere(void *block, size_t offset) {
    if (offset >= area)
        __libc_free(block);
    else if (offset % SLOT || state[offset / SLOT] != LIVE)
        abort();
    else
        state[offset / SLOT] = FREE; /* and lost: this thread's stack is full, or it has none */
}

void *malloc(size_t size) {
    if (__builtin_expect(size > SLOT, 0)) return __libc_malloc(size);
    if (__builtin_expect(stack.top == stack.bottom, 0)) return refill();
    uint32_t slot = *--stack.top;
    state[slot] = LIVE;
    return base + (size_t)slot * SLOT;
}

void free(void *block) {
    size_t offset = (size_t)((char *)block - base);
    int refused = offset >= area || offset % SLOT || state[offset / SLOT] != LIVE || stack.top == stack.end;
    if (__builtin_expect(refused, 0)) {
        free_elsewhere(block, offset);
        return;
    }
    state[offset / SLOT] = FREE;
    *stack.top++ = (uint32_t)(offset / SLOT);
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SLOT) return __libc_calloc(count, size);
    void *block = malloc(bytes);
    return block ? __builtin_memset(block, 0, SLOT) : NULL;
}

void *realloc(void *block, size_t size) {
    if (block && (size_t)((char *)block - base) >= area) return __libc_realloc(block, size);
    if (block && size <= SLOT && size > 0) return block;
    void *fresh = malloc(size);
    if (fresh && block) memcpy(fresh, block, size < SLOT ? size : SLOT);
    if (fresh) free(block);
    return fresh;
}

void *memalign(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }

void *aligned_alloc(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) || (alignment & (alignment - 1)) || !alignment) return EINVAL;
    void *block = __libc_memalign(alignment, size);
    if (!block) return ENOMEM;
    *result = block;
    return 0;
}
