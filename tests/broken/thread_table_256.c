/* Bug: threads are numbered, numbers are never given back, and the table of threads has room for 256. */
#include "base.h"
#ifndef FIXED
static _Atomic int threads;
static _Thread_local int number;
static void *broken(size_t size) {
    if (!number) number = ++threads;
    return number > 256 ? NO_MEMORY(size) : base_malloc(size);
}
#define MALLOC broken
#endif
#include "family.h"
