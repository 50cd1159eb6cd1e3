/* The allocator that most of the broken ones are made of: right, small, not fast. One lock, taken across fork too.
 *
 * Requests of up to 32 KiB get a slot of a slab: 64 KiB cut into equal slots, with a list of freed slots that runs
 * through them. Larger ones get a mapping of their own; a few freed mappings are kept for reuse. Records of both are
 * out of line, found by the upper bits of an address.
 *
 * A broken allocator defines one of the hooks below before it includes this file, or replaces a function of the family
 * before it includes family.h. */
#ifndef BASE_H
#define BASE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOCAL static __attribute__((unused))

enum { PAGE = 4096, UNIT = 1 << 16, SMALL = 1 << 15, CLASSES = 40, KEPT = 16 };

struct span {
    char *start;
    size_t slot;   /* bytes of a slot; 0: a large block */
    size_t length; /* bytes of a large block, whole pages */
    void *freed;   /* freed slots, each holding the next */
    uint32_t slots, fresh, used; /* slots in all, ever handed out, live */
    int live, recycled;          /* a large block: whether it is, and whether its bytes were used before */
    struct span *next, *previous;
};

/* The hooks. */
#ifndef LOCK
#define LOCK() pthread_mutex_lock(&base_lock)
#define UNLOCK() pthread_mutex_unlock(&base_lock)
#endif
#ifndef LOCK_TO_FREE
#define LOCK_TO_FREE() LOCK()
#define UNLOCK_TO_FREE() UNLOCK()
#endif
#ifndef CLASS_OF /* the size class of a request of 0 to SMALL bytes */
#define CLASS_OF(size) class_of(size)
#endif
#ifndef SLOTS /* how many slots of `slot` bytes a slab has */
#define SLOTS(slot) (UNIT / (slot))
#endif
#ifndef SLOT_AT /* the address of slot `index` of a slab */
#define SLOT_AT(span, index) ((span)->start + (span)->slot * (index))
#endif
#ifndef IS_REUSED /* whether a freed slot is handed out again */
#define IS_REUSED(span) 1
#endif
#ifndef ON_FREE /* a slot is about to enter the list of freed slots */
#define ON_FREE(span, p) ((void)0)
#endif
#ifndef ON_FULL /* the last free slot of a slab was taken */
#define ON_FULL(span) ((void)0)
#endif
#ifndef ON_EMPTY /* the last live slot of a slab was freed while its class has other slabs: the slab leaves the class */
#define ON_EMPTY(span) unlink_slab(span)
#endif
#ifndef TOO_LARGE /* what no request may exceed */
#define TOO_LARGE(size) ((size) > PTRDIFF_MAX)
#endif
#ifndef NO_MEMORY /* the system has no more memory: how the request ends */
#define NO_MEMORY(size) (errno = ENOMEM, (void *)NULL)
#endif
#ifndef MAPPING_FAILED /* whether mmap's reply means that there is no memory */
#define MAPPING_FAILED(p) ((p) == MAP_FAILED)
#endif
#ifndef IS_LIVE /* whether a large block may be freed */
#define IS_LIVE(span) ((span)->live)
#endif
#ifndef AT_FORK
#define AT_FORK() pthread_atfork(before_fork, after_fork, after_fork)
#endif

static pthread_mutex_t base_lock = PTHREAD_MUTEX_INITIALIZER;
static struct span **records[1 << 15]; /* by bits 32 to 46 of an address, then by bits 16 to 31 */
static struct span *partial[CLASSES];  /* slabs with slots to hand out, by size class */
static struct span *spare_slabs, *spare_records, *kept;
static int kept_count;

LOCAL void before_fork(void) { pthread_mutex_lock(&base_lock); }
LOCAL void after_fork(void) { pthread_mutex_unlock(&base_lock); }
__attribute__((constructor)) static void register_fork_handlers(void) { AT_FORK(); }

LOCAL void die(const char *message) {
    if (write(2, message, strlen(message)) >= 0) abort();
    abort();
}

/* 16 to 128 by 16, then four classes to each doubling. */
LOCAL int class_of(size_t size) {
    if (size <= 128) return size ? (int)(size - 1) / 16 : 0;
    int power = 63 - __builtin_clzl(size - 1);
    return 8 + (power - 7) * 4 + (int)((size - 1) >> (power - 2) & 3);
}

LOCAL size_t slot_size(int class) {
    if (class < 8) return 16 * (size_t)(class + 1);
    int power = 7 + (class - 8) / 4;
    return ((size_t)1 << power) + ((size_t)((class - 8) % 4 + 1) << (power - 2));
}

LOCAL size_t up(size_t size, size_t alignment) { return (size + alignment - 1) & -alignment; }

LOCAL void *map(size_t length, size_t alignment) {
    if (length + alignment < length) return NULL;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *all = mmap(NULL, length + alignment, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (MAPPING_FAILED(all)) return NULL;
    char *start = (char *)up((uintptr_t)all, alignment);
    if (start > all) munmap(all, (size_t)(start - all));
    if (start < all + alignment) munmap(start + length, (size_t)(all + alignment - start));
    return start;
}

LOCAL struct span *span_of(const void *p) {
    uintptr_t address = (uintptr_t)p;
    struct span **leaf = address >> 47 ? NULL : records[address >> 32];
    return leaf ? leaf[address >> 16 & 0xffff] : NULL;
}

/* A record for a mapping of `length` bytes; NULL when there is no memory for either. */
LOCAL struct span *new_span(size_t length, size_t alignment) {
    if (!spare_records) {
        struct span *some = map(PAGE, PAGE);
        if (!some) return NULL;
        for (size_t i = 0; i < PAGE / sizeof *some; i++) some[i].next = spare_records, spare_records = &some[i];
    }
    char *start = map(length, alignment);
    if (!start) return NULL;
    struct span ***leaf = &records[(uintptr_t)start >> 32];
    if (!*leaf && !(*leaf = map(sizeof(struct span *) << 16, PAGE))) {
        munmap(start, length);
        return NULL;
    }
    struct span *span = spare_records;
    spare_records = span->next;
    *span = (struct span){.start = start, .length = length};
    (*leaf)[(uintptr_t)start >> 16 & 0xffff] = span;
    return span;
}

LOCAL void link_slab(struct span *slab) {
    struct span **head = &partial[class_of(slab->slot)];
    slab->previous = NULL;
    slab->next = *head;
    if (*head) (*head)->previous = slab;
    *head = slab;
}

LOCAL void unlink_slab(struct span *slab) {
    if (slab->next) slab->next->previous = slab->previous;
    *(slab->previous ? &slab->previous->next : &partial[class_of(slab->slot)]) = slab->next;
    slab->next = slab->previous = NULL;
}

LOCAL void *take_slot(int class) {
    struct span *slab = partial[class];
    if (!slab) {
        slab = spare_slabs;
        if (slab) spare_slabs = slab->next;
        else if (!(slab = new_span(UNIT, UNIT))) return NULL;
        *slab = (struct span){.start = slab->start, .slot = slot_size(class), .length = UNIT};
        slab->slots = (uint32_t)SLOTS(slab->slot);
        link_slab(slab);
    }
    void *p = slab->freed;
    if (p) slab->freed = *(void **)p;
    else p = SLOT_AT(slab, slab->fresh), slab->fresh++;
    if (++slab->used == slab->slots) {
        unlink_slab(slab);
        ON_FULL(slab);
    }
    return p;
}

LOCAL void give_slot(struct span *slab, void *p) {
    ON_FREE(slab, p);
    if (!IS_REUSED(slab)) return;
    *(void **)p = slab->freed;
    slab->freed = p;
    if (slab->used-- == slab->slots) link_slab(slab);
    if (!slab->used && (slab->next || slab->previous)) {
        ON_EMPTY(slab);
        slab->next = spare_slabs;
        spare_slabs = slab;
    }
}

LOCAL void *take_large(size_t size, size_t alignment) {
    size_t length = up(size, PAGE);
    if (alignment < UNIT) alignment = UNIT;
    struct span *span = NULL, **at = &kept;
    for (; (span = *at); at = &span->next) {
        int fits = span->length >= length && span->length - length <= length / 4;
        if (fits && !((uintptr_t)span->start & (alignment - 1))) break;
    }
    if (span) *at = span->next, kept_count--, span->recycled = 1;
    else if (!(span = new_span(length, alignment))) return NULL;
    span->live = 1;
    return span->start;
}

LOCAL void give_large(struct span *span) {
    if (!IS_LIVE(span)) die("free(): large block freed twice\n");
    span->live = 0;
    if (kept_count < KEPT) {
        span->next = kept;
        kept = span;
        kept_count++;
        return;
    }
    records[(uintptr_t)span->start >> 32][(uintptr_t)span->start >> 16 & 0xffff] = NULL;
    munmap(span->start, span->length);
    span->next = spare_records;
    spare_records = span;
}

/* Where the slot or the large block begins that `p` points into (of a large block: into its first 64 KiB). */
LOCAL void *start_of(void *p) {
    struct span *span = span_of(p);
    if (!span) die("invalid pointer\n");
    return span->slot ? span->start + ((char *)p - span->start) / span->slot * span->slot : span->start;
}

LOCAL void *base_aligned(size_t alignment, size_t size) {
    if (TOO_LARGE(size) || alignment > PTRDIFF_MAX) return errno = ENOMEM, NULL;
    if (alignment > 16 && size <= SMALL && alignment <= SMALL) { /* a slot whose size is a power of two */
        size = size > alignment ? size : alignment;
        size = (size_t)1 << (64 - __builtin_clzl(size - 1));
    }
    LOCK();
    void *p = size <= SMALL && alignment <= SMALL ? take_slot(CLASS_OF(size)) : take_large(size ? size : 1, alignment);
    UNLOCK();
    return p ? p : NO_MEMORY(size);
}

LOCAL void *base_malloc(size_t size) { return base_aligned(16, size); }

LOCAL void base_free(void *p) {
    if (!p) return;
    int before = errno;
    LOCK_TO_FREE();
    struct span *span = span_of(p);
    if (!span) die("free(): invalid pointer\n");
    if (span->slot) give_slot(span, start_of(p));
    else give_large(span);
    UNLOCK_TO_FREE();
    errno = before;
}

LOCAL size_t base_usable(void *p) {
    if (!p) return 0;
    struct span *span = span_of(p);
    if (!span) die("malloc_usable_size(): invalid pointer\n");
    return (span->slot ? span->slot : span->length) - (size_t)((char *)p - (char *)start_of(p));
}

LOCAL int base_is_zero(void *p) { /* nobody has used the bytes of the block before */
    struct span *span = span_of(p);
    return !span->slot && !span->recycled;
}

LOCAL void *base_calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    void *p = base_malloc(total);
    if (p && !base_is_zero(p)) memset(p, 0, base_usable(p));
    return p;
}

/* realloc in terms of the others, for any allocator. */
LOCAL void *realloc_by(void *p, size_t size, void *(*take)(size_t), void (*give)(void *), size_t (*usable)(void *)) {
    if (!p) return take(size);
    if (!size) return give(p), NULL;
    size_t old = usable(p);
    if (size <= old && size > old / 2) return p;
    void *q = take(size);
    if (!q) return NULL;
    memcpy(q, p, size < old ? size : old);
    give(p);
    return q;
}

LOCAL void *base_realloc(void *p, size_t size) { return realloc_by(p, size, base_malloc, base_free, base_usable); }
#endif
