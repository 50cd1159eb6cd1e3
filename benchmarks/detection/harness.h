/* What the cases share. A case prepares a heap, does one thing that no program may do, and goes on using the heap, so
 * that what is noticed late is noticed as well. Nothing here calls stdio: its buffers would come from the heap. */
#ifndef DETECTION_HARNESS_H
#define DETECTION_HARNESS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* How a case ends that was not stopped. */
enum outcome {
    NOT_CAUGHT,  /* the wrong operation had its effect, or may have had */
    HARMLESS,    /* nobody objected, and nothing that was looked at had changed: an ignored free, a write into slack */
    PREVENTED,   /* what the case is after cannot be had: no old contents, another address, no such block */
    NOT_OFFERED, /* the allocator has no such function */
};

#define ANY_SIZE 0 /* of a case in which sizes play no part */
#define END SIZE_MAX
#define SIZES(...) {__VA_ARGS__, END}
#define THREE SIZES(8, 4096, 262144) /* small; a page; with a mapping or a span of its own */

struct wrong {
    const char *name;
    const char *does;    /* what is done, for the reader of the list */
    const char *catcher; /* a mechanism that can catch or prevent it */
    enum outcome (*run)(size_t size, long by);
    long by; /* what tells apart the cases that share a function: mostly a distance in bytes */
    size_t sizes[6];
};

struct category {
    const char *name;
    const struct wrong *cases;
    size_t count;
};
#define CATEGORY(variable, title, table) \
    const struct category variable = {title, table, sizeof(table) / sizeof(table)[0]}

/* False in a control run, which takes all the steps but the wrong one. */
extern bool wrong;
void armed(void);
void returned(void);
#define DO_WRONG(...)        \
    do {                     \
        armed();             \
        if (wrong) {         \
            __VA_ARGS__;     \
        }                    \
        returned();          \
    } while (0)

/* What a case says that looks for something: found, or not to be had. A control run does not look. */
static inline enum outcome verdict(bool found) { return !wrong ? HARMLESS : found ? NOT_CAUGHT : PREVENTED; }

/* The compiler knows nothing of these, so it neither removes a call nor warns of what is done with a pointer. */
unsigned char *take(size_t size); /* malloc that succeeds */
void *must(void *block);          /* ends the program if there is none: the case cannot be prepared */
void give_back(void *block);      /* free */
void *hidden(void *pointer);      /* the same pointer, its origin forgotten */
void scribble(void *at, size_t length); /* change every byte */
bool holds(const void *at, unsigned char value, size_t length); /* is every byte `value`? */

/* BLOCKS live blocks of one size, each full of a byte of its own; the victim is from the middle. */
enum { BLOCKS = 24, VICTIM = 11, FILL = 0xb0 };
extern unsigned char *block[BLOCKS];
unsigned char *surround(size_t size);
unsigned char *surround_aligned(size_t alignment, size_t size); /* the victim is, the others need not be */
bool neighbours_whole(void);
void refill_neighbours(void); /* as a program may; what is lost after that is not lost by the wrong write itself */
void release_neighbours(void);

/* Allocate and free until every queue and list of the class has turned over. True: a block lost its contents. */
bool churn(size_t size);
/* Take many blocks at once, then free them. True: two of them share memory, or one lies in [from, from + length), which
 * ends it there and then, for somebody has got what they wanted. */
bool shares_memory(size_t size, const void *from, size_t length);
/* What became of the heap after a wrong free: all of the above, and the neighbours are given back. */
enum outcome consequences(size_t size);

void in_thread(void (*run)(void *), void *argument); /* and wait for it */
/* The mapping of this process that `address` lies in; with `other`, the nearest one beside it that can be written. */
bool mapping_of(const void *address, bool other, unsigned char **start, unsigned char **end);

/* The pairs that C and C++ have for a block: malloc and free, new and delete, new[] and delete[], new and delete with
 * the size, new and delete with an alignment of 64. C++'s are the allocator's own, else the C++ library's. */
enum way { PLAIN, SCALAR, ARRAY, SIZED, ALIGNED };
void *obtain(enum way way, size_t size);
void dispose(enum way way, void *block, size_t size);
#define WAYS(first, second) ((first) << 4 | (second)) /* two of them as a case's `by` */
#endif
