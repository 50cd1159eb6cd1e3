/* Bug: calloc takes a slot that was never handed out for zero, also where its slab was one of another class before. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    if (total > SMALL) return base_calloc(count, size);
    LOCK();
    struct span *slab = partial[class_of(total)];
    int fresh = !slab || !slab->freed;
    void *p = take_slot(class_of(total));
    UNLOCK();
    return !p ? NO_MEMORY(total) : fresh ? p : memset(p, 0, base_usable(p));
}
#define CALLOC broken
#endif
#include "family.h"
