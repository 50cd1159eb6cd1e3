/* Carry out one instruction as a client does that trusts nothing: every block is filled to its last usable byte as
 * soon as it is handed out and compared before it is given up; calloc's zeros and the bytes that realloc keeps are
 * looked at inside the call. A byte that another call changed becomes a LOAD event whose `intact` is less than its
 * size. The readable form of the same is m4alloc/check/executor.py; tests hold the two equal. */
#ifndef M4_PERFORM_H
#define M4_PERFORM_H
#include "board.h"
#include "contents.h"
#include "library.h"
#include <sched.h>

struct slot {
    uint64_t address, size, alignment, filled;
    uint64_t tail; /* where the last TAIL bytes of a block begin that is filled in part; 0: it is filled to its end */
    int64_t usable; /* -1: the library has no malloc_usable_size */
    uint32_t seed;
    uint8_t live, maker; /* maker: the function that handed it out last */
    _Atomic uint32_t uses; /* instructions that have used the slot */
};
static struct slot *slots; /* SLOTS of them */
static uint32_t used_slots; /* those that an instruction has named */
static _Atomic uint32_t made;
static struct board *board;
static int first_has_called; /* whether the library was called on the first thread of the process */
static int concurrent;      /* whether calls may overlap: begin and end are then drawn */
static int stale_frees;     /* whether blocks are freed twice in this parallel section */
/* Calls that may hand out a block that is not noted yet, and stale frees: one excludes the other. */
static _Atomic uint32_t acquiring, stale;
static uint64_t generation; /* of the forked child that writes the events; 0: no child of the driver's own making */
static uint64_t node, depth; /* of the exploration; 0: none is going on */

static void doing(uint32_t thread, uint32_t what, uint64_t address, uint64_t size)
{
    struct activity *activity = &board->activity[thread % THREADS];
    activity->thread = thread;
    activity->address = address;
    activity->size = size;
    atomic_signal_fence(memory_order_seq_cst);
    activity->doing = what;
}

/* A line for one event. What does not fit any more is given out twice: the caller keeps batches small enough. */
static struct record *claim(int function, uint32_t thread, uint64_t address, uint64_t size, uint64_t extra)
{
    uint32_t at = atomic_fetch_add(&board->events, 1);
    atomic_fetch_add_explicit(&board->steps, 1, memory_order_relaxed);
    struct record *r = &board->event[at < EVENTS ? at : EVENTS - 1];
    *r = (struct record){.address = address, .size = size, .extra = extra, .usable = -1, .intact = -1,
                         .time_ns = node, .site = node ? depth : generation, .thread = thread, .function = (uint8_t)function};
    return r;
}

static void begins(struct record *r)
{
    if (concurrent)
        r->begin = atomic_fetch_add(&board->number, 1) + 1;
}

static void ends(struct record *r)
{
    if (concurrent)
        r->end = atomic_fetch_add(&board->number, 1) + 1;
}

static int takes(int function) { return function == REALLOC || function == REALLOCARRAY; }
static int gives_up(int function)
{
    return function == FREE || function == FREE_SIZED || function == FREE_ALIGNED_SIZED || function == DELETE;
}
static int allocates(int function)
{
    return function != USABLE_SIZE && !takes(function) && !gives_up(function) && function < LOAD;
}
static int counted(int function) { return function == CALLOC || function == REALLOCARRAY; }

static void compare_part(const struct slot *s, uint32_t thread, uint64_t address, uint64_t size)
{
    doing(thread, LOADING, address, size);
    uint64_t good = intact((const unsigned char *)address, size, s->seed);
    doing(thread, NOTHING, 0, 0);
    if (good < size) {
        struct record *r = claim(LOAD, thread, address, size, 0);
        r->intact = (int64_t)good;
        begins(r), ends(r);
    }
}

/* The function that gives a block up by its size: free_sized takes those of malloc, calloc and realloc,
 * free_aligned_sized those of aligned_alloc, and for any other block they are undefined (ISO C23 7.24.3.4, 7.24.3.5). */
static int sized(const struct slot *s)
{
    if (s->maker == ALIGNED_ALLOC && s->alignment)
        return FREE_ALIGNED_SIZED;
    return s->maker == MALLOC || s->maker == CALLOC || takes(s->maker) ? FREE_SIZED : FREE;
}

/* A LOAD event when the contents of a live block are not what the client wrote last. */
static void compare(const struct slot *s, uint32_t thread)
{
    compare_part(s, thread, s->address, s->filled);
    if (s->tail)
        compare_part(s, thread, s->tail, TAIL);
}

static void sweep(void)
{
    for (uint32_t i = 0; i < used_slots; i++)
        if (slots[i].live)
            compare(&slots[i], 0);
}

static void write_all(struct slot *s, uint32_t thread)
{
    s->seed = (atomic_fetch_add(&made, 1) + 1) * 7 % SEEDS;
    doing(thread, STORING, s->address, s->filled);
    fill((unsigned char *)s->address, s->filled, s->seed);
    if (s->tail) {
        doing(thread, STORING, s->tail, TAIL);
        fill((unsigned char *)s->tail, TAIL, s->seed);
    }
    doing(thread, NOTHING, 0, 0);
}

/* How many of the first bytes of a block are as they were, where it has to keep `kept`; -1: those that were looked at
 * are, and there are more. */
static int64_t kept_of(uint64_t address, uint64_t kept, const struct slot *old)
{
    uint64_t looked = kept < old->filled ? kept : old->filled;
    uint64_t good = intact((const unsigned char *)address, looked, old->seed);
    return good < looked || looked == kept ? (int64_t)good : -1;
}

/* Look at the block handed out, note it in its slot, and fill it. `old` is what a realloc was handed in. */
static void acquired(struct slot *s, struct record *r, uint64_t wanted, uint64_t alignment, const struct slot *old)
{
    uint64_t address = r->result;
    if (entry[USABLE_SIZE]) {
        doing(r->thread, MEASURING, address, 0);
        uint64_t usable = ((size_t(*)(void *))entry[USABLE_SIZE])((void *)address);
        r->usable = usable > INT64_MAX ? INT64_MAX : (int64_t)usable;
    }
    /* The size a client may rely on: what usable_size says, and never less than it asked for. */
    uint64_t whole = r->usable > 0 && (uint64_t)r->usable > wanted ? (uint64_t)r->usable : wanted;
    uint64_t size = whole < CHECKED ? whole : CHECKED;
    doing(r->thread, LOADING, address, size);
    if (r->function == CALLOC) {
        uint64_t good = zeros((const unsigned char *)address, size);
        if (good < size || size >= wanted) /* else what is beyond CHECKED was not looked at */
            r->intact = (int64_t)good;
        if (size >= wanted && r->usable >= 0 && size >= (uint64_t)r->usable)
            r->flags |= WHOLE_SCANNED;
    }
    if (old && old->live)
        r->intact = kept_of(address, old->size < wanted ? old->size : wanted, old);
    s->tail = whole > CHECKED + TAIL ? address + whole - TAIL : 0;
    s->address = address, s->size = wanted, s->usable = r->usable, s->alignment = alignment, s->filled = size;
    s->maker = r->function;
    s->live = 1;
    write_all(s, r->thread);
}

static void access_block(const struct instruction *i, struct slot *s, uint64_t address)
{
    struct record *r;
    if (i->aim == AIM_LIVE && i->function == LOAD) { /* all of it, against what was written */
        r = claim(LOAD, i->thread, address, s->filled, 0);
        begins(r);
        doing(i->thread, LOADING, address, s->filled);
        r->intact = (int64_t)intact((const unsigned char *)address, s->filled, s->seed);
        ends(r);
    } else if (i->aim == AIM_LIVE) {
        r = claim(i->function, i->thread, address, s->filled, 0);
        begins(r);
        write_all(s, i->thread);
        ends(r);
    } else if (i->function == LOAD) { /* the first eight bytes found go into `result` */
        r = claim(LOAD, i->thread, address, i->size, 0);
        r->flags |= NEVER_RETURNED;
        uint64_t seen = 0;
        for (uint64_t at = 0; at < i->size; at++) {
            unsigned char byte = *(volatile unsigned char *)(address + at);
            if (at < 8)
                seen |= (uint64_t)byte << 8 * at;
        }
        r->result = seen;
        r->flags &= (uint8_t)~NEVER_RETURNED;
    } else {
        r = claim(i->function, i->thread, address, i->size, 0);
        r->result = i->count & 255;
        r->flags |= NEVER_RETURNED;
        for (uint64_t at = 0; at < i->size; at++)
            *(volatile unsigned char *)(address + at) = (unsigned char)i->count;
        r->flags &= (uint8_t)~NEVER_RETURNED;
        if (s && s->live && i->offset >= 0 && (uint64_t)i->offset < s->filled)
            s->filled = (uint64_t)i->offset; /* its own contents, changed by the client itself */
    }
    doing(i->thread, NOTHING, 0, 0);
}

/* The pointer that the instruction hands in; 0 in *found when there is no such block. */
static uint64_t pointer(const struct instruction *i, const struct slot *s, int *found)
{
    *found = 1;
    switch (i->aim) {
    case AIM_LIVE:
        *found = s->live;
        return s->address;
    case AIM_DEAD:
        *found = !s->live && s->address;
        for (uint32_t n = 0; *found && n < used_slots; n++)
            *found = !(slots[n].live && slots[n].address == s->address); /* else it is somebody's block again */
        return s->address;
    case AIM_INSIDE:
        *found = s->live && s->usable > 1;
        return *found ? s->address + 1 + (uint64_t)i->offset % (uint64_t)(s->usable - 1) : 0;
    case AIM_RAW:
        *found = s->address != 0;
        return s->address + (uint64_t)i->offset;
    case AIM_ABSOLUTE:
        return (uint64_t)i->offset;
    }
    return 0;
}

/* A stale free looks whether its address is somebody's block again, and frees it: nobody may be handed one in between,
 * or one that he has not noted yet, else the block is his, and no allocator can tell. */
static void shut_out(_Atomic uint32_t *mine, _Atomic uint32_t *others)
{
    for (;;) {
        atomic_fetch_add(mine, 1);
        if (!atomic_load(others))
            return;
        atomic_fetch_sub(mine, 1);
        while (atomic_load(others))
            sched_yield();
    }
}

static void request_alone(const struct instruction *i)
{
    struct slot *s = i->uses_slot ? &slots[i->slot % SLOTS] : NULL, before;
    int function = i->function, found;
    uint64_t address = pointer(i, s, &found), size = i->size, alignment = i->alignment;
    int owned = found && s && i->aim == AIM_LIVE;
    if (!found)
        return;
    if (function >= LOAD) {
        access_block(i, s, address);
        return;
    }
    if (owned && gives_up(function)) {
        if (s->maker == NEW)
            function = DELETE; /* what operator new made, operator delete gives back */
        else if (function != FREE) {
            size = s->size, alignment = s->alignment;
            function = sized(s);
        }
        function = entry[function] ? function : FREE;
        if (function == FREE || function == DELETE)
            size = alignment = 0;
    } else if (owned && takes(function) && s->maker == NEW)
        return;
    if (!entry[function])
        return;
    if (owned) {
        before = *s;
        if (function != USABLE_SIZE)
            compare(s, i->thread);
    }
    struct record *r = claim(function, i->thread, address, size, counted(function) ? i->count : alignment);
    if (function == POSIX_MEMALIGN)
        r->address = 0x10; /* what *memptr holds before: a pointer that nobody hands out */
    r->flags = NEVER_RETURNED;
    doing(i->thread, CALLING, address, size);
    begins(r);
    if (!i->thread)
        first_has_called = 1;
    call(r, i->count, alignment);
    ends(r);
    r->flags &= (uint8_t)~NEVER_RETURNED;
    doing(i->thread, NOTHING, 0, 0);
    uint64_t wanted = counted(function) ? size * i->count : size;
    if (gives_up(function)) {
        if (s && address == s->address)
            s->live = 0;
    } else if (takes(function)) {
        int nothing = size == 0 || (counted(function) && i->count == 0);
        if (r->result) {
            if (s)
                acquired(s, r, wanted, 0, owned ? &before : NULL);
        } else if (owned && nothing && !r->error)
            s->live = 0;
        else if (owned && !nothing) { /* it failed: the old block is as it was */
            doing(i->thread, LOADING, before.address, before.filled);
            r->intact = kept_of(before.address, before.size, &before);
        }
    } else if (allocates(function) && r->result && !(function == POSIX_MEMALIGN && r->error)) {
        uint64_t named = function == CALLOC || function == MALLOC ? 0 : alignment;
        if (s)
            acquired(s, r, wanted, named, NULL);
    }
    doing(i->thread, NOTHING, 0, 0);
}

/* One request, its reply, and what the client does with it. */
static void request(const struct instruction *i)
{
    if (!concurrent || !stale_frees || (i->aim != AIM_DEAD && !allocates(i->function) && !takes(i->function))) {
        request_alone(i);
        return;
    }
    _Atomic uint32_t *mine = i->aim == AIM_DEAD ? &stale : &acquiring;
    shut_out(mine, i->aim == AIM_DEAD ? &acquiring : &stale);
    request_alone(i);
    atomic_fetch_sub(mine, 1);
}
#endif
