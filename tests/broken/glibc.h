/* glibc's own allocator, under the names that family.h expects: for bugs that need no allocator of ours. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LOCAL static __attribute__((unused))

extern void *__libc_malloc(size_t), __libc_free(void *), *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

LOCAL void *base_malloc(size_t size) { return __libc_malloc(size); }
LOCAL void base_free(void *p) { __libc_free(p); }
LOCAL void *base_calloc(size_t count, size_t size) { return __libc_calloc(count, size); }
LOCAL void *base_realloc(void *p, size_t size) { return __libc_realloc(p, size); }
LOCAL void *base_aligned(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }

#define HIDE_USABLE_SIZE /* glibc gives it no second name */
