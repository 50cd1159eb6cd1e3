/* Bug: a realloc that moves a slot takes the new one without the lock. */
#include "base.h"
#ifndef FIXED
static void *unlocked(size_t size) {
    void *p = size <= SMALL ? take_slot(class_of(size)) : base_malloc(size);
    if (!p) errno = ENOMEM;
    return p;
}
static void *broken(void *p, size_t size) {
    return p ? realloc_by(p, size, unlocked, base_free, base_usable) : base_malloc(size);
}
#define REALLOC broken
#endif
#include "family.h"
