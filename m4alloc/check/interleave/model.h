/* The checker's parts and what they know of each other: memory (the memory model, the race detector, undo), scheduler
 * (logical threads, choices, search), core (the allocator under test and the state of its heap), scenarios, main. */
#ifndef M4ALLOC_INTERLEAVE_MODEL_H
#define M4ALLOC_INTERLEAVE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    THREADS = 3,        /* logical threads of a scenario, at most: A, B, C */
    BLOCKS = 24,        /* blocks that a scenario names */
    POOL = 16 << 20,    /* bytes that the core may map */
    TEXT = 256,         /* longest description of a failure */
    STEPS = 4000        /* of one schedule, at most: more is a failure, "no end" */
};

/* memory.c */

typedef struct {
    const char *kind;   /* what is done: "load", "store", "swap" ... */
    void *address;
    int size;
    uint64_t before, after;
    int stale;          /* how many values older than the latest the one read was */
    bool refused;       /* a compare-exchange that found another value than it expected */
    const char *order;
} m4_access;

typedef enum { UNSEEN, LOGGED, MODELLED } m4_attention;

extern m4_attention attention; /* UNSEEN: accesses are not looked at; LOGGED: written down for undo; MODELLED: all */
extern bool plain_points;      /* are plain writes scheduling points? (they are when a fork may copy them) */
extern bool learnt;            /* an address turned out to be shared: what was explored is too little */

void memory_open(void);                           /* once: the pool */
void memory_forget(void);                         /* before a scenario: an empty pool, no address shared */
void memory_follow(void *start, size_t length);   /* the core's static data */
void memory_begin(void);                          /* before a schedule */
void memory_undo(void);                           /* after it: everything is as it was at memory_begin */
size_t memory_mark(void);                         /* where undo stands, for */
void memory_undo_to(size_t mark);                 /* undoing a part: what a forked child did */
void memory_transfer(int from);                   /* a message of the scenario's own: what a receiver joins */
void memory_receive(int into);
void *memory_map(size_t length);                  /* from the pool; NULL: it is used up */
void memory_access(void *address, size_t size, bool writes); /* a plain access of the running thread's */
uint64_t memory_load(void *address, int size, int order);
uint64_t memory_update(const char *kind, void *address, int size, uint64_t value, bool reads, bool adds, int order);
bool memory_swap(void *address, int size, void *expected, uint64_t value, int order, int failed_order);
void memory_touch(void *block);                   /* the running thread writes to its block: a plain access */
int memory_shared(void);                          /* how many addresses are shared */

/* scheduler.c */

typedef struct scenario scenario;

extern int running;            /* the logical thread that runs; -1: none */
extern bool telling;           /* write the schedule down in words */

void point(bool shared);                          /* before an atomic access: here, if shared, another thread may go on */
int choose_read(int visible);                     /* 0: the latest value; i: the i-th older one */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tell_access(const m4_access *access);
void **thread_heap(int thread);                   /* where the scheduler keeps a thread's heap while it does not run */
void wait_until(bool (*ready)(void *), void *of); /* block the running thread */

/* core.c */

typedef enum {
    WHEN_QUIET,                 /* every thread is outside the core */
    WHEN_LEFT,                  /* and has left, and every heap is drained: nothing is on its way */
    WHEN_FORKED                 /* in a child: others were in the middle of something when they vanished */
} moment;

void core_start(void);                            /* once */
void **core_heap(void);                           /* m4_thread_heap */
void core_open(const scenario *s);                /* a fresh heap, as the scenario's setup leaves it */
void core_become(int thread);                     /* in a setup: who runs */
void *core_allocate(size_t size);
void core_release(void *block);
void core_leave(void);                            /* the running thread exits */
void core_fork(void (*child)(void));              /* the running thread forks; the child runs `child`, then is undone */
void core_count(void);
void core_trim(void);
uint64_t core_misuses(void);
bool core_is_live(void *block);                   /* by its state byte */
bool core_forgives(void *address);                /* see memory.c */
const char *core_account(moment when);            /* what does not add up, or NULL */
void core_collect(void);                          /* every thread exits and every heap is drained */
const char *core_name(void *address, char *text, size_t length);
const char *core_value(void *address, int size, uint64_t value, char *text, size_t length);

/* scenarios.c */

struct scenario {
    const char *name;
    const char *about;
    int threads;
    unsigned delay_line, refill_batch;
    bool zero_on_free;
    bool plain_points;          /* see memory.c */
    bool unopened;              /* the arena is not open when the threads begin */
    bool misuse;                /* blocks are freed twice, so threads do not write to them */
    void (*setup)(void);
    void (*body[THREADS])(void);
    void (*after)(void);        /* after a schedule, in the place of looking at the heap */
};

extern const scenario scenarios[];
extern const int scenario_count;
extern const scenario litmus[]; /* litmus.c: what the memory model allows */
extern const int litmus_count;

void blocks_reset(const scenario *s);        /* before a setup: there are none */
void blocks_keep(void);         /* after it */
void blocks_begin(void);        /* before a schedule: the blocks are as the setup left them */
bool block_live(void *block);   /* is it handed out? */
int blocks_live(void);
void litmus_start(void);        /* once */
void litmus_print(void);        /* the outcomes that were seen, as JSON */

void blocks_check(void);        /* after a schedule: misuse was reported as often as there was any */

#endif
