/* The memory model, a race detector, and undo.
 *
 * The core is compiled with -fsanitize=thread, so every access to memory arrives here: plain accesses at __tsan_read8 and
 * the like, atomic ones at __tsan_atomic8_load and the like with their memory order. There is no other instrumentation.
 *
 * Atomics. A location keeps the values it had, in modification order, which is the order in which the stores run. A
 * thread's view says of each location the oldest value that it may still read; a load reads any value from there on, the
 * explorer chooses which. Release stores keep the storing thread's view with the value, acquire loads take it over; a
 * read-modify-write reads the latest value and goes on the release sequence of what it read. So store buffering (SB),
 * stale reads, message passing that fails without release and acquire (MP), and threads that disagree on the order of
 * independent writes (RWC) all occur; litmus.c shows it. What does not: a store ordered before one that ran earlier
 * (2+2W), a load that reads what is stored later (LB), fences, and seq_cst as more than acquire and release; the core has
 * neither of the last two.
 *
 * Plain accesses read what is in memory. That is exact as long as they do not race, and whether they do is checked with
 * vector clocks, byte by byte: an access that is not ordered by happens-before after a conflicting one, of which at least
 * one is plain, is a failure. Thus a plain access in the core that should be a named helper is found too. */
#define _GNU_SOURCE
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    LINE = 256,                     /* bytes that undo copies at once */
    LOCATIONS = 4096,               /* atomic locations of a scenario */
    SHARED = 192,                   /* of these, accessed by several threads */
    HISTORY = 32,                   /* values that a location remembers */
    MESSAGES = 8                    /* that threads pass each other outside the allocator */
};

typedef union {                     /* by thread: its clock when it last did so */
    uint16_t of[THREADS + 1];
    uint64_t all;
} stamps;

typedef struct {
    uint32_t generation;            /* the stamps are of this schedule, or mean nothing */
    int32_t location;               /* index + 1 of the atomic location that starts here; 0: none */
    stamps at[4];                   /* plain reads, plain writes, atomic reads, atomic writes */
} shadow;

enum { PLAIN_READ, PLAIN_WRITE, ATOMIC_READ, ATOMIC_WRITE };

typedef struct {                    /* eight bytes of memory, followed as one until a smaller access comes */
    shadow whole;
    shadow *parts;                  /* by byte; of those only every fourth counts while the grain is 4 */
    uint8_t grain;                  /* 0: 8, or 4, or 1 */
    bool atomic;                    /* a location starts here */
} word_shadow;

typedef struct {
    uint64_t value;
    bool released;                  /* view and clock mean something */
    uint16_t clock[THREADS + 1];
    uint16_t view[SHARED];
} message;

typedef struct {
    void *address;
    int size;
    int shared;                     /* index + 1 in views; 0: only one thread has accessed it, or nobody writes */
    uint32_t generation;
    uint8_t readers, writers;       /* bit sets of threads, in this schedule */
    uint16_t first, count;          /* the history holds the values first .. first + count - 1 */
    message *history;
} location;

typedef struct {
    uint16_t clock[THREADS + 1];
    uint16_t view[SHARED];
} knowledge;

typedef struct {
    char *start;
    size_t length;                  /* from `start`, which is the start of a line, */
    char *first;                    /* though the range itself begins here */
    word_shadow *words;
    uint32_t *lines;                /* generation in which the line was written down for undo */
} range;

typedef struct {                    /* clipped to its range: what shares a line with it may be the checker's own */
    char *at;
    size_t length;
    char bytes[LINE];
} line;

m4_attention attention = UNSEEN;
bool plain_points, learnt;

static range ranges[8];
static int range_count;
static char *pool, *pool_next;
static uint32_t generation = 1, line_generation = 1;
static location locations[LOCATIONS];
static int location_count, shared_count;
static knowledge known[THREADS];
static knowledge mailed;
static line *undo;
static size_t undo_count, undo_room;

static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        fprintf(stderr, "interleave: no %zu bytes of address space\n", bytes);
        exit(2);
    }
    return p;
}

void memory_follow(void *start, size_t length)
{
    range *r = &ranges[range_count++];
    r->start = (char *)((uintptr_t)start & ~(uintptr_t)(LINE - 1));
    r->length = (size_t)((char *)start + length - r->start);
    r->first = start;
    r->words = reserve((r->length / 8 + 1) * sizeof *r->words);
    r->lines = reserve((r->length / LINE + 1) * sizeof *r->lines);
}

void memory_open(void)
{
    pool = reserve(POOL);
    pool_next = pool;
    memory_follow(pool, POOL);
}

void *memory_map(size_t length)
{
    void *mapping = pool_next;
    if (length > (size_t)(pool + POOL - pool_next))
        return NULL;
    pool_next += (length + 65535) & ~(size_t)65535;
    return mapping;
}

void memory_forget(void)
{
    for (int i = 0; i < location_count; i++)
        locations[i].shared = 0, locations[i].generation = 0;
    shared_count = 0;
    learnt = false;
    if (madvise(pool, POOL, MADV_DONTNEED) != 0)
        exit(2);
    pool_next = pool;
}

int memory_shared(void) { return shared_count; }

static inline range *range_of(const void *address)
{
    for (int i = 0; i < range_count; i++)
        if ((const char *)address >= ranges[i].first && (const char *)address < ranges[i].start + ranges[i].length)
            return &ranges[i];
    return NULL;
}

/* Undo: each line is copied before it is written for the first time since memory_begin or memory_mark. */

static inline void log_line(range *r, char *address)
{
    size_t index = (size_t)(address - r->start) / LINE;
    if (r->lines[index] == line_generation)
        return;
    r->lines[index] = line_generation;
    if (undo_count == undo_room) {
        undo_room = undo_room ? 2 * undo_room : 1024;
        undo = realloc(undo, undo_room * sizeof *undo);
        if (undo == NULL)
            exit(2);
    }
    char *at = r->start + index * LINE, *end = at + LINE;
    at = at < r->first ? r->first : at;
    end = end > r->start + r->length ? r->start + r->length : end;
    undo[undo_count].at = at;
    undo[undo_count].length = (size_t)(end - at);
    memcpy(undo[undo_count++].bytes, at, (size_t)(end - at));
}

size_t memory_mark(void)
{
    line_generation++;
    return undo_count;
}

void memory_undo_to(size_t mark)
{
    while (undo_count > mark) {
        undo_count--;
        memcpy(undo[undo_count].at, undo[undo_count].bytes, undo[undo_count].length);
    }
    line_generation++;
}

static char *pool_kept;

void memory_begin(void)
{
    generation++;
    undo_count = 0;
    line_generation++;
    pool_kept = pool_next;
    memset(known, 0, sizeof known);
    memset(&mailed, 0, sizeof mailed);
    for (int t = 0; t < THREADS; t++)
        known[t].clock[t] = 1;
}

void memory_undo(void)
{
    memory_undo_to(0);
    pool_next = pool_kept;
}

/* Happens-before. */

static inline void join(knowledge *into, const uint16_t *clock, const uint16_t *view)
{
    for (int t = 0; t < THREADS; t++)
        if (clock[t] > into->clock[t])
            into->clock[t] = clock[t];
    for (int i = 0; i < shared_count; i++)
        into->view[i] = view[i] > into->view[i] ? view[i] : into->view[i];
}

void memory_transfer(int from)
{
    join(&mailed, known[from].clock, known[from].view);
    known[from].clock[from]++;
}

void memory_receive(int into) { join(&known[into], mailed.clock, mailed.view); }

/* A plain read races. In a scenario that frees a block twice one of a record is forgiven: the wrong free looks for what is
 * not there any more, while somebody changes it, and that race is the program's. */
static void race(const char *access, const char *other, int thread, void *address, bool reads)
{
    char name[TEXT];
    if (reads && core_forgives(address))
        return;
    fail("data race: %s of %s by %c, not ordered after the %s by %c", access, core_name(address, name, sizeof name),
         'A' + running, other, 'A' + thread);
}

/* Another thread that did so, not before what the running thread knows; -1: none. */
static inline int unordered(stamps s)
{
    if ((s.all & ~((uint64_t)0xFFFF << (16 * running))) == 0)
        return -1;
    for (int t = 0; t < THREADS; t++)
        if (s.of[t] > known[running].clock[t] && t != running)
            return t;
    return -1;
}

static inline void follow(shadow *s, void *address, int what)
{
    static const char *const names[] = {"plain read", "plain write", "atomic read", "atomic write"};
    static const uint8_t conflicts[4][4] = {{0, 1, 0, 1}, {1, 1, 1, 1}, {0, 1, 0, 0}, {1, 1, 0, 0}};
    uint16_t now = known[running].clock[running];
    int t;
    if (s->generation != generation) {
        s->generation = generation;
        memset(s->at, 0, sizeof s->at);
    }
    if (s->at[what].of[running] == now) /* if somebody came in between, he has been found out */
        return;
    for (int other = 0; other < 4; other++)
        if (conflicts[what][other] && (t = unordered(s->at[other])) >= 0)
            race(names[what], names[other], t, address, what == PLAIN_READ || other == PLAIN_READ);
    s->at[what].of[running] = now;
}

/* Follow the parts of a word from now on. */
static void refine(word_shadow *w, uint8_t grain)
{
    if (w->parts == NULL && (w->parts = calloc(8, sizeof *w->parts)) == NULL)
        exit(2);
    for (int i = 0; i < 8; i += grain) {
        const shadow *from = w->grain == 0 ? &w->whole : &w->parts[i & ~3];
        w->parts[i].generation = from->generation;
        memcpy(w->parts[i].at, from->at, sizeof from->at);
    }
    w->grain = grain;
}

/* A plain write ends the history of a location that it covers: whoever reads it next is ordered after it. */
static void end_history(const shadow *s)
{
    if (s->location != 0) {
        location *l = &locations[s->location - 1];
        l->first = (uint16_t)(l->first + l->count);
        l->count = 0;
    }
}

static void end_histories(word_shadow *w, size_t from, size_t to)
{
    end_history(&w->whole);
    for (size_t i = from; w->parts != NULL && i < to; i++)
        end_history(&w->parts[i]);
}

static void access_word(range *r, size_t offset, size_t size, int what)
{
    word_shadow *w = &r->words[offset / 8];
    size_t at = offset % 8;
    if (size == 8 && w->grain == 0) {
        follow(&w->whole, r->start + offset, what);
    } else {
        if (size < 8 && (w->grain == 0 || (w->grain == 4 && size < 4)))
            refine(w, size == 4 ? 4 : 1);
        for (size_t i = at; i < at + size; i += w->grain)
            follow(&w->parts[i], r->start + offset, what);
    }
    if (what == PLAIN_WRITE && w->atomic)
        end_histories(w, at, at + size);
}

static void access_range(void *address, size_t size, bool writes, bool atomic)
{
    range *r = range_of(address);
    size_t offset, end, part;
    int what = writes + 2 * atomic;
    if (r == NULL)
        return;
    offset = (size_t)((char *)address - r->start);
    end = offset + size;
    if (writes)
        for (size_t line_at = offset; line_at < end; line_at = (line_at | (LINE - 1)) + 1)
            log_line(r, r->start + line_at);
    for (; attention == MODELLED && offset < end; offset += part) {
        part = 8 - offset % 8 < end - offset ? 8 - offset % 8 : end - offset;
        access_word(r, offset, part, what);
    }
    if (writes && !atomic && plain_points && attention == MODELLED) {
        m4_access a = {.kind = "plain write", .address = address, .size = (int)size};
        tell_access(&a);
    }
}

void memory_access(void *address, size_t size, bool writes)
{
    if (attention == UNSEEN)
        return;
    if (writes && plain_points && attention == MODELLED && range_of(address) != NULL)
        point(true);
    access_range(address, size, writes, false);
}

void memory_touch(void *block) { memory_access(block, 8, true); }

/* Atomics. */

static location *locate(void *address, int size)
{
    range *r = range_of(address);
    shadow *s;
    word_shadow *w;
    location *l;
    if (r == NULL)
        return NULL;
    w = &r->words[(size_t)((char *)address - r->start) / 8];
    if (size != 8 && (w->grain == 0 || (w->grain == 4 && size < 4)))
        refine(w, size == 4 ? 4 : 1);
    s = size == 8 ? &w->whole : &w->parts[(uintptr_t)address % 8];
    if (s->location == 0) {
        w->atomic = true;
        if (location_count == LOCATIONS) {
            fprintf(stderr, "interleave: more than %d atomic locations\n", LOCATIONS);
            exit(2);
        }
        s->location = ++location_count;
        l = &locations[s->location - 1];
        l->address = address;
        l->size = size;
    }
    l = &locations[s->location - 1];
    if (l->generation != generation) {
        l->generation = generation;
        l->readers = l->writers = 0;
        l->first = l->count = 0;
    }
    return l;
}

/* Write down who accesses the location; once a second thread does and somebody writes, it is shared from now on. */
static inline void meet(location *l, bool writes)
{
    uint8_t all;
    l->readers |= (uint8_t)(1 << running);
    if (writes)
        l->writers |= (uint8_t)(1 << running);
    all = l->readers | l->writers;
    if (l->shared == 0 && l->writers != 0 && (all & (all - 1)) != 0) {
        if (shared_count == SHARED) {
            fprintf(stderr, "interleave: more than %d shared locations\n", SHARED);
            exit(2);
        }
        if (l->history == NULL && (l->history = calloc(HISTORY, sizeof *l->history)) == NULL)
            exit(2);
        l->shared = ++shared_count;
        learnt = true;
    }
}

static inline uint64_t peek(const void *address, int size)
{
    uint64_t value = 0;
    memcpy(&value, address, (size_t)size);
    return value;
}

static inline void poke(void *address, int size, uint64_t value) { memcpy(address, &value, (size_t)size); }

static message *latest(location *l)
{
    if (l->count == 0) {
        l->history[0].value = peek(l->address, l->size);
        l->history[0].released = false;
        l->count = 1;
    }
    return &l->history[l->count - 1];
}

static inline void acquire(const message *m)
{
    if (m->released)
        join(&known[running], m->clock, m->view);
}

/* Append a value; `before` is what a read-modify-write read, whose release sequence goes on. */
static void append(location *l, uint64_t value, bool release, const message *before)
{
    message *m;
    knowledge *me = &known[running];
    int i = l->shared - 1;
    message kept;
    if (before != NULL && before->released)
        memcpy(&kept, before, offsetof(message, view) + sizeof(uint16_t) * (size_t)shared_count);
    else
        kept.released = false;
    if (l->count == HISTORY) {
        memmove(l->history, l->history + HISTORY / 2, HISTORY / 2 * sizeof *l->history);
        l->first += HISTORY / 2;
        l->count = HISTORY / 2;
    }
    m = &l->history[l->count++];
    me->view[i] = (uint16_t)(l->first + l->count - 1);
    m->value = value;
    m->released = release || kept.released;
    if (release) {
        memcpy(m->clock, me->clock, sizeof m->clock);
        memcpy(m->view, me->view, sizeof(uint16_t) * (size_t)shared_count);
        if (kept.released)
            for (int t = 0; t < THREADS; t++)
                if (kept.clock[t] > m->clock[t])
                    m->clock[t] = kept.clock[t];
        for (int j = 0; kept.released && j < shared_count; j++)
            m->view[j] = kept.view[j] > m->view[j] ? kept.view[j] : m->view[j];
        me->clock[running]++;
    } else if (kept.released) {
        memcpy(m->clock, kept.clock, sizeof m->clock);
        memcpy(m->view, kept.view, sizeof(uint16_t) * (size_t)shared_count);
    }
    poke(l->address, l->size, value);
}

static const char *order_name(int order)
{
    static const char *const names[] = {"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};
    return names[order];
}

static inline bool acquires(int order) { return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE; }
static inline bool releases(int order) { return order >= __ATOMIC_RELEASE; }

/* Which of the values that the thread may read it reads: an index into the history. */
static int read_choice(location *l, const message **m)
{
    int floor, visible, older;
    latest(l);
    floor = known[running].view[l->shared - 1] - l->first;
    if (floor < 0)
        floor = 0;
    visible = l->count - floor;
    older = visible > 1 ? choose_read(visible) : 0;
    *m = &l->history[l->count - 1 - older];
    known[running].view[l->shared - 1] = (uint16_t)(l->first + l->count - 1 - older);
    return older;
}

uint64_t memory_load(void *address, int size, int order)
{
    location *l = attention == MODELLED ? locate(address, size) : NULL;
    const message *m;
    m4_access a = {.kind = "load", .address = address, .size = size, .order = order_name(order)};
    if (l == NULL)
        return peek(address, size);
    point(l->shared != 0);
    access_range(address, (size_t)size, false, true);
    meet(l, false);
    if (l->shared == 0)
        return peek(address, size);
    a.stale = read_choice(l, &m);
    if (acquires(order))
        acquire(m);
    a.before = a.after = m->value;
    tell_access(&a);
    return m->value;
}

/* Store, exchange or add; the value before. */
uint64_t memory_update(const char *kind, void *address, int size, uint64_t value, bool reads, bool adds, int order)
{
    location *l = attention == MODELLED ? locate(address, size) : NULL;
    message *m;
    m4_access a = {.kind = kind, .address = address, .size = size, .order = order_name(order)};
    uint64_t mask = size == 8 ? ~(uint64_t)0 : ((uint64_t)1 << (8 * size)) - 1;
    if (l == NULL) {
        if (attention == LOGGED)
            access_range(address, (size_t)size, true, true);
        a.before = peek(address, size);
        poke(address, size, (adds ? a.before + value : value) & mask);
        return a.before;
    }
    point(l->shared != 0);
    access_range(address, (size_t)size, true, true);
    meet(l, true);
    a.before = peek(address, size);
    a.after = (adds ? a.before + value : value) & mask;
    if (l->shared == 0) {
        poke(address, size, a.after);
        return a.before;
    }
    m = latest(l);
    if (reads && acquires(order))
        acquire(m);
    append(l, a.after, releases(order), reads ? m : NULL);
    tell_access(&a);
    return a.before;
}

bool memory_swap(void *address, int size, void *expected, uint64_t value, int order, int failed_order)
{
    location *l = attention == MODELLED ? locate(address, size) : NULL;
    const message *m;
    m4_access a = {.kind = "swap", .address = address, .size = size, .order = order_name(order)};
    uint64_t wanted = peek(expected, size);
    if (l != NULL)
        point(l->shared != 0);
    if (l != NULL)
        meet(l, true);
    if (l == NULL || l->shared == 0) {
        if (attention != UNSEEN)
            access_range(address, (size_t)size, true, true);
        a.before = peek(address, size);
        if (a.before == wanted)
            poke(address, size, value);
        else
            poke(expected, size, a.before);
        return a.before == wanted;
    }
    a.stale = read_choice(l, &m);
    a.before = m->value;
    if (a.before == wanted) { /* it succeeds, and so has read the latest value */
        a.stale = 0;
        m = latest(l);
        a.before = m->value;
        known[running].view[l->shared - 1] = (uint16_t)(l->first + l->count - 1);
    }
    if (a.before == wanted) {
        access_range(address, (size_t)size, true, true);
        if (acquires(order))
            acquire(m);
        append(l, value, releases(order), m);
        a.after = value;
    } else {
        access_range(address, (size_t)size, false, true);
        if (acquires(failed_order))
            acquire(m);
        poke(expected, size, a.before);
        a.after = a.before;
        a.refused = true;
        a.order = order_name(failed_order);
    }
    tell_access(&a);
    return !a.refused;
}
