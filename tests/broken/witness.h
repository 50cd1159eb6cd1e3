/* What a witness uses: the library under test as `lib`, and few helpers. A witness is a function named after its bug:
 * show_NAME returns whether it saw the bug; dies_NAME ends or hangs where the bug is; breaks_NAME may do either. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct family {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void *(*reallocarray)(void *, size_t, size_t);
    void (*free_sized)(void *, size_t);
    void (*free_aligned_sized)(void *, size_t, size_t);
    size_t (*malloc_usable_size)(void *); /* may be absent */
};

extern struct family lib;
extern volatile size_t huge; /* PTRDIFF_MAX + 1: a size that the compiler does not know */

int aligned(void *p, size_t alignment);
int overlap(void *p, size_t p_size, void *q, size_t q_size);
void fill(void *p, int byte, size_t size);
int holds(void *p, int byte, size_t size);       /* whether every byte is still `byte` */
void *dirty(size_t size);                        /* frees a block full of 0xdd: where it lay */
size_t mapped(void);                             /* bytes of address space in use */
void limit(size_t more);                         /* RLIMIT_AS: what is in use, and `more` bytes */
int grows(void (*round)(void), int rounds);      /* whether the process does, by a tenth of a KiB a round */
void *in_thread(void *(*body)(void *), void *argument); /* runs in a thread that then ends */
int in_child(int (*body)(void));                 /* runs in a forked child: what it returned */
int hammer(int threads, void *(*body)(void *));  /* at the same time: whether any did not return null */
