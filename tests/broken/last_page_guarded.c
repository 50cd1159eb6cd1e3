/* Bug: a large block of whole pages has its guard page one page too early: its last page cannot be touched. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t size) {
    void *p = base_malloc(size);
    if (p && size > SMALL && size % PAGE == 0) mprotect((char *)p + size - PAGE, PAGE, PROT_NONE);
    return p;
}
static void opened(void *p) {
    size_t usable = p ? base_usable(p) : 0;
    if (usable > SMALL) mprotect(p, usable, PROT_READ | PROT_WRITE);
    base_free(p);
}
#define MALLOC broken
#define FREE opened
#endif
#include "family.h"
