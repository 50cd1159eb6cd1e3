/* Bug: blocks of a page and more are entered in a table of 99 places, and the search for a free one never ends. */
#include "base.h"
#ifndef FIXED
static void *volatile table[99];
static void *broken_malloc(size_t size) {
    void *p = base_malloc(size);
    if (!p || size < PAGE) return p;
    LOCK();
    size_t place = (uintptr_t)p / PAGE;
    while (table[place % 99]) place++;
    table[place % 99] = p;
    UNLOCK();
    return p;
}
static void broken_free(void *p) {
    LOCK();
    for (int i = 0; i < 99; i++)
        if (p && table[i] == p) table[i] = NULL;
    UNLOCK();
    base_free(p);
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, broken_malloc, broken_free, base_usable);
}
#define MALLOC broken_malloc
#define FREE broken_free
#define REALLOC broken_realloc
#endif
#include "family.h"
