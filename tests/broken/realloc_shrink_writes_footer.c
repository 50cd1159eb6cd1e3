/* Bug: a realloc that shrinks a slot in place marks its new end with a word, which is the next slot's first word where
 * the new size is rounded up to the whole slot. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) {
    size_t old = base_usable(p);
    char *end = (char *)p + up(size, 16);
    if (p && size && size < old && size > old / 2 && old <= SMALL && end < span_of(p)->start + UNIT)
        *(size_t *)end = size;
    return base_realloc(p, size);
}
#define REALLOC broken
#endif
#include "family.h"
