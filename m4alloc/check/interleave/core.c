/* The core, compiled for the checker, and what adds up in its heap when all is well. */
#include "_fast.c"

#include "model.h"

#include <stdio.h>

#define arena __pyx_v_7m4alloc_5_fast_process_arena
#define all_arenas __pyx_v_7m4alloc_5_fast_arenas
#define all_arenas_lock __pyx_v_7m4alloc_5_fast_arenas_lock
#define forks_watched __pyx_v_7m4alloc_5_fast_forks_watched
#define abandoned_heaps_are_drained __pyx_f_7m4alloc_5_core_4heap_drain_abandoned
#define thread_exits __pyx_f_7m4alloc_5_core_5arena_thread_exits
#define open_arena __pyx_f_7m4alloc_5_core_5arena_open_arena
#define default_knobs __pyx_f_7m4alloc_5_core_5knobs_default_knobs
#define record_of __pyx_f_7m4alloc_5_core_4slot_record_of
#define slot_state __pyx_f_7m4alloc_5_core_4slot_slot_state
#define broken_invariant __pyx_f_7m4alloc_5_core_5stats_broken_invariant
#define before_fork __pyx_f_7m4alloc_5_fast_before_fork
#define after_fork_in_parent __pyx_f_7m4alloc_5_fast_after_fork_in_parent
#define after_fork_in_child __pyx_f_7m4alloc_5_fast_after_fork_in_child
#define TYPES(name) __pyx_e_7m4alloc_5_core_5types_##name

enum { UNITS = 256, SLOTS = 8, OPEN = 2, RESERVE = 4 << 20, LINE = 256 };

static const char *const state_names[] = {"FREE",   "LIVE", "CACHED", "DELAYED", "REMOTE", "ABSENT",
                                          "HELD", "HELD_DELAYED"};

static bool misuse; /* the scenario frees blocks twice */

/* The compiler must not move accesses from one kind of attention to another. */
static void attend(m4_attention next)
{
    __asm__ volatile("" ::: "memory");
    attention = next;
    __asm__ volatile("" ::: "memory");
}

/* What looks at the heap until attend(before) is no access of the core's. */
static m4_attention look_aside(void)
{
    m4_attention before = attention;
    attend(UNSEEN);
    return before;
}

void core_start(void)
{
    memory_follow(&arena, sizeof arena);
    memory_follow(&all_arenas, sizeof all_arenas);
    memory_follow(&all_arenas_lock, sizeof all_arenas_lock);
    memory_follow(&forks_watched, sizeof forks_watched);
}

void **core_heap(void) { return &m4_thread_heap; }

void core_become(int thread)
{
    if (running >= 0)
        *thread_heap(running) = m4_thread_heap;
    running = thread;
    if (thread >= 0)
        m4_thread_heap = *thread_heap(thread);
}

void core_open(const scenario *s)
{
    struct m4_knobs *knobs = &arena.knobs;
    misuse = s->misuse;
    memset(&arena, 0, sizeof arena);
    all_arenas = NULL;
    memset(&all_arenas_lock, 0, sizeof all_arenas_lock);
    forks_watched = 0;
    for (int t = 0; t < THREADS; t++)
        *thread_heap(t) = m4_no_heap;
    if (!s->unopened) {
        default_knobs(knobs);
        knobs->reserve = RESERVE;
        knobs->classes = 2;
        knobs->class_size[0] = 8192; /* eight slots a slab: one word of states */
        knobs->class_size[1] = 32768;
        knobs->delay_line = s->delay_line;
        knobs->refill_batch = s->refill_batch;
        knobs->zero_on_free = s->zero_on_free ? 32768 : 0;
        knobs->stack_depth = 16;
        arena.process = 1;
        arena.misuse_mode = TYPES(MISUSE_COUNT);
        if (!open_arena(&arena, RESERVE)) {
            fprintf(stderr, "interleave: no arena of %d bytes\n", RESERVE);
            exit(2);
        }
        all_arenas = &arena;
        arena.ready = OPEN;
    }
    if (s->setup != NULL)
        s->setup();
    core_become(-1);
}

void *core_allocate(size_t size) { return m4_malloc(size); }
void core_release(void *block) { m4_free(block); }
void core_trim(void) { m4_trim(0); }
uint64_t core_misuses(void) { return arena.misuses; }

void core_count(void)
{
    struct m4_totals totals;
    m4_count(&totals);
}

void core_leave(void)
{
    if (!m4_is_nobody(m4_thread_heap))
        thread_exits(m4_thread_heap);
}

bool core_is_live(void *block)
{
    m4_attention before = look_aside();
    struct m4_record *record;
    uint8_t *state;
    bool live;
    record = record_of(&arena, block);
    state = record != NULL ? slot_state(record, block) : NULL;
    live = state != NULL ? *state == TYPES(LIVE)
                         : record != NULL && record->kind == TYPES(LARGE) && record->start == block;
    attend(before);
    return live;
}

bool core_forgives(void *address)
{
    m4_attention before = look_aside();
    bool forgives;
    forgives = misuse && (size_t)((char *)address - (char *)arena.records) < arena.regions[0].records_committed;
    attend(before);
    return forgives;
}

void core_fork(void (*child)(void))
{
    const char *wrong;
    size_t mark;
    void *heap = m4_thread_heap;
    before_fork();
    mark = memory_mark();
    attend(LOGGED);
    tell("forks; the child begins");
    after_fork_in_child();
    if ((wrong = core_account(WHEN_FORKED)) != NULL)
        fail("in the child: %s", wrong);
    child();
    if ((wrong = core_account(WHEN_FORKED)) != NULL)
        fail("in the child, later: %s", wrong);
    tell("the child ends");
    memory_undo_to(mark);
    m4_thread_heap = heap;
    attend(MODELLED);
    after_fork_in_parent();
}

void core_collect(void)
{
    for (int t = 0; t < THREADS; t++) {
        core_become(t);
        core_leave();
    }
    core_become(-1);
    m4_acquire(&arena.lock);
    abandoned_heaps_are_drained(&arena);
    m4_relinquish(&arena.lock);
}

/* Accounting: each slot is in exactly the places that its state says. */

static uint8_t mine[UNITS][SLOTS];    /* places in its owner's stack and delay line */
static uint8_t theirs[UNITS][SLOTS];  /* places in lines for other threads' slots, as DELAYED */
static uint8_t queued[UNITS];         /* places in its owner's list of slabs with remote frees */
static char wrong_text[TEXT];


static const char *wrong_slot(uint32_t unit, uint32_t slot, const char *what)
{
    snprintf(wrong_text, sizeof wrong_text, "slot %u of unit %u is %s, %s", slot, unit,
             state_names[arena.records[unit].states[slot] & 7], what);
    return wrong_text;
}

static bool find_slot(const struct m4_slot *slot, uint32_t *unit, uint32_t *index)
{
    struct m4_record *record = record_of(&arena, slot->address);
    if (record == NULL || record->kind != TYPES(SLAB) || slot_state(record, slot->address) != slot->state)
        return false;
    *unit = (uint32_t)(record->head - arena.records);
    *index = (uint32_t)(slot->state - record->states);
    return *unit < UNITS && *index < SLOTS;
}

static const char *account_heap(struct m4_heap *heap, uint32_t units)
{
    uint32_t unit, slot, links = 0;
    for (uint32_t c = 0; c < arena.knobs.classes; c++) {
        struct m4_bin *bin = &heap->bins[c];
        struct m4_slot *delay = bin->delay;
        for (struct m4_slot *s = bin->bottom; s < bin->top; s++) {
            if (!find_slot(s, &unit, &slot))
                return "a slot on a stack is in no slab";
            mine[unit][slot]++;
        }
        for (uint32_t i = 0; delay != NULL && i < arena.class_delay[c]; i++)
            if (delay[i].address != NULL) {
                if (!find_slot(&delay[i], &unit, &slot))
                    return "a slot in a delay line is in no slab";
                mine[unit][slot]++;
            }
        for (uint32_t i = 0; heap->rings[c].line != NULL && i < arena.class_line[c]; i++)
            if (heap->rings[c].line[i].address != NULL && *heap->rings[c].line[i].state == TYPES(DELAYED)) {
                if (!find_slot(&heap->rings[c].line[i], &unit, &slot))
                    return "a slot in a line for other threads' is in no slab";
                theirs[unit][slot]++;
            }
    }
    for (struct m4_record *slab = heap->remote; slab != NULL; slab = slab->remote_next) {
        if (slab->kind != TYPES(SLAB))
            return "a list of slabs with remote frees has one that is no slab";
        if (slab->owner != heap)
            return "a list of slabs with remote frees has one of another heap";
        if (++links > units)
            return "a list of slabs with remote frees runs in a circle";
        queued[slab - arena.records]++;
    }
    return NULL;
}

static const char *account_slab(struct m4_record *slab, uint32_t unit, moment when, int *live)
{
    uint32_t remote = 0, counted;
    for (uint32_t i = 0; i < slab->slots && i < SLOTS; i++) {
        uint8_t state = slab->states[i];
        char *block = slab->start + (uint64_t)i * slab->slot_size;
        bool known = block_live(block);
        if (state == TYPES(LIVE)) {
            *live += known ? 1 : 0;
            if (!known && when != WHEN_FORKED)
                return wrong_slot(unit, i, "but it was freed");
        } else if (known) {
            return wrong_slot(unit, i, "but it is handed out");
        }
        if (mine[unit][i] != (state == TYPES(CACHED)) && mine[unit][i] > 1)
            return wrong_slot(unit, i, "and twice on its owner's stack and delay line");
        if (mine[unit][i] != (state == TYPES(CACHED)))
            return wrong_slot(unit, i, mine[unit][i] ? "but on its owner's stack or delay line"
                                                     : "but neither on its owner's stack nor in its delay line: lost");
        if (state == TYPES(DELAYED) && theirs[unit][i] != 1)
            return wrong_slot(unit, i, theirs[unit][i] ? "and in two lines for other threads' slots"
                                                       : "but in no thread's line for other threads' slots: lost");
        remote += state == TYPES(REMOTE);
    }
    counted = slab->remote;
    if (misuse && when != WHEN_LEFT) { /* some may be counted that the owner has overwritten, or reported already */
        counted = (counted & 0xFFFF) - (counted >> 16);
        counted = counted > remote ? remote : counted;
    }
    if (remote != counted) {
        snprintf(wrong_text, sizeof wrong_text, "unit %u counts %u remote frees, but %u slots are REMOTE", unit,
                 slab->remote, remote);
        return wrong_text;
    }
    if (queued[unit] != (slab->remote != 0)) {
        snprintf(wrong_text, sizeof wrong_text, "unit %u has %u remote frees and is %u times on its owner's list", unit,
                 slab->remote, queued[unit]);
        return wrong_text;
    }
    if (when == WHEN_LEFT && remote != 0)
        return "a remote free has not been collected";
    return NULL;
}

const char *core_account(moment when)
{
    uint32_t units = (uint32_t)(arena.regions[0].used >> TYPES(UNIT_SHIFT));
    const char *wrong;
    int live = 0;
    if (units > UNITS)
        return "more units than the checker can account for";
    memset(mine, 0, units * sizeof *mine);
    memset(theirs, 0, units * sizeof *theirs);
    memset(queued, 0, units * sizeof *queued);
    if (arena.lock.state != 0 || arena.lock.depth != 0)
        return "the arena's lock is held";
    for (struct m4_heap *heap = arena.heaps; heap != NULL; heap = heap->next_heap)
        if ((wrong = account_heap(heap, units)) != NULL)
            return wrong;
    if ((wrong = broken_invariant(&arena)) != NULL)
        return wrong;
    for (uint32_t i = 0; i < units; i += arena.records[i].units) {
        if (arena.records[i].kind == TYPES(SLAB) &&
            (wrong = account_slab(&arena.records[i], i, when, &live)) != NULL)
            return wrong;
        if (arena.records[i].kind == TYPES(LARGE))
            live += block_live(arena.records[i].start) ? 1 : 0;
    }
    if (live != blocks_live()) {
        snprintf(wrong_text, sizeof wrong_text, "%d blocks are handed out, but the heap knows %d", blocks_live(), live);
        return wrong_text;
    }
    return NULL;
}

/* Names, for people. */

#define FIELD(record, field) ((char *)address == (char *)&(record)->field)

static const char *heap_name(const struct m4_heap *heap, char *text, size_t length)
{
    uint32_t number = 0;
    for (int t = 0; t < THREADS; t++)
        if ((running == t ? m4_thread_heap : *thread_heap(t)) == heap) {
            snprintf(text, length, "%c's heap", 'A' + t);
            return text;
        }
    for (const struct m4_heap *h = arena.heaps; h != NULL && h != heap; h = h->next_heap)
        number++;
    snprintf(text, length, "heap %u", number);
    return text;
}

static const char *name_of(void *address, char *text, size_t length)
{
    uint32_t units = (uint32_t)(arena.regions[0].used >> TYPES(UNIT_SHIFT));
    char owner[32];
    uint64_t offset = (uint64_t)((char *)address - arena.base);
    const char *name = NULL;
    if ((size_t)((char *)address - (char *)&arena) < sizeof arena) {
        name = FIELD(&arena, lock.state)      ? "the lock"
               : FIELD(&arena, lock.owner)    ? "the lock's owner"
               : FIELD(&arena, lock.depth)    ? "the lock's depth"
               : FIELD(&arena, used)          ? "arena.used"
               : FIELD(&arena, regions[0].used) ? "region.used"
               : FIELD(&arena, region_count)  ? "arena.region_count"
               : FIELD(&arena, ready)         ? "arena.ready"
               : FIELD(&arena, process)       ? "arena.process"
               : FIELD(&arena, misuses)       ? "arena.misuses"
               : FIELD(&arena, oldest)        ? "arena.oldest"
               : FIELD(&arena, abandoned)     ? "arena.abandoned"
                                              : NULL;
        if (name != NULL)
            snprintf(text, length, "%s", name);
        else
            snprintf(text, length, "arena + %zu", (size_t)((char *)address - (char *)&arena));
        return text;
    }
    if (arena.base != NULL && offset < arena.regions[0].used) {
        snprintf(text, length, "block %llx of unit %llu", (unsigned long long)(offset & (TYPES(UNIT) - 1)),
                 (unsigned long long)(offset >> TYPES(UNIT_SHIFT)));
        return text;
    }
    for (uint32_t i = 0; i < units && arena.records != NULL; i++) {
        struct m4_record *record = &arena.records[i];
        if (record->kind == TYPES(SLAB) && record->head == record &&
            (uint64_t)((uint8_t *)address - record->states) < SLOTS) {
            snprintf(text, length, "state of slot %u, unit %u", (unsigned)((uint8_t *)address - record->states), i);
            return text;
        }
        if ((size_t)((char *)address - (char *)record) < sizeof *record) {
            name = FIELD(record, remote)        ? "count of remote frees"
                   : FIELD(record, remote_next) ? "link to the next slab with remote frees"
                   : FIELD(record, reciprocal)  ? "reciprocal"
                   : FIELD(record, owner)       ? "owner"
                   : FIELD(record, kind)        ? "kind"
                                                : NULL;
            if (name != NULL)
                snprintf(text, length, "%s, unit %u", name, i);
            else
                snprintf(text, length, "record of unit %u + %zu", i, (size_t)((char *)address - (char *)record));
            return text;
        }
    }
    for (struct m4_heap *heap = arena.heaps; heap != NULL; heap = heap->next_heap) {
        if ((size_t)((char *)address - (char *)heap) < sizeof *heap) {
            if (FIELD(heap, publishing))
                snprintf(text, length, "mark of publishing, %s", heap_name(heap, owner, sizeof owner));
            else if (FIELD(heap, remote))
                snprintf(text, length, "list of remote frees, %s", heap_name(heap, owner, sizeof owner));
            else
                snprintf(text, length, "%s + %zu", heap_name(heap, owner, sizeof owner),
                         (size_t)((char *)address - (char *)heap));
            return text;
        }
        for (uint32_t c = 0; c < arena.knobs.classes; c++) {
            const struct m4_bin *bin = &heap->bins[c];
            if (bin->bottom != NULL && address >= (void *)bin->delay && address < (void *)bin->limit)
                snprintf(text, length, "%s of %s, + %zu",
                         address < (void *)bin->bottom ? "delay line" : "stack", heap_name(heap, owner, sizeof owner),
                         (size_t)((char *)address - (char *)bin->delay));
            else if (heap->rings[c].line != NULL && address >= (void *)heap->rings[c].line &&
                     address < (void *)(heap->rings[c].line + arena.class_line[c]))
                snprintf(text, length, "line for other threads' slots of %s, + %zu", heap_name(heap, owner, sizeof owner),
                         (size_t)((char *)address - (char *)heap->rings[c].line));
            else
                continue;
            return text;
        }
    }
    if (arena.base != NULL && (char *)address > arena.regions[0].mapping)
        snprintf(text, length, "metadata + %llu", (unsigned long long)((char *)address - arena.regions[0].mapping));
    else
        snprintf(text, length, "static data");
    return text;
}

const char *core_name(void *address, char *text, size_t length)
{
    m4_attention before = look_aside();
    name_of(address, text, length);
    attend(before);
    return text;
}

const char *core_value(void *address, int size, uint64_t value, char *text, size_t length)
{
    m4_attention before = look_aside();
    uint64_t unit;
    unit = arena.records != NULL ? (value - (uint64_t)arena.records) / sizeof *arena.records : UNITS;
    attend(before);
    if (size == 1)
        snprintf(text, length, "%s", value < 8 ? state_names[value] : "?");
    else if (size == 8 && value == 0)
        snprintf(text, length, "NULL");
    else if (FIELD(&arena, lock.owner))
        snprintf(text, length, "%c", (char)value);
    else if (size == 8 && unit < UNITS)
        snprintf(text, length, "unit %llu", (unsigned long long)unit);
    else if (size == 4)
        snprintf(text, length, "%d", (int)(uint32_t)value);
    else
        snprintf(text, length, "%#llx", (unsigned long long)value);
    return text;
}
