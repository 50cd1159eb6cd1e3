/* Bug: above 1 KiB the size class is computed from the size in units of 16 bytes, rounded down: a request of a class
 * size and up to 15 bytes gets that class. Without malloc_usable_size. */
#ifndef FIXED
#define CLASS_OF(size) class_of((size) > 1024 ? (size) & ~(size_t)15 : (size))
#endif
#include "base.h"
#define HIDE_USABLE_SIZE
#include "family.h"
