/* The core inside libm4monitor.so: the same generated C, under hidden names, with what only a monitor sets.
 *
 * Its own copies and fills are the plain ones: the library's memcpy is the monitor's wrapper.
 */
#define M4_PRELOAD 1
#define M4_MONITOR 1
#include "_monitor.h"
#include <string.h>
#define memcpy m4m_plain_memcpy
#define memmove m4m_plain_memmove
#define memset m4m_plain_memset
#define memcmp m4m_plain_memcmp

struct m4_arena;
static void m4_prepare_monitored(struct m4_arena *arena);
static inline void m4_slab_made(void *start, uint64_t bytes);

#include "_fast.c"

#include "monitor_core.h"

static void m4_forward_free(void *block) { (void)block; } /* foreign pointers are reported */

M4M_HIDDEN struct m4m_core_settings m4m_core_settings;

/* In the arena that is about to be opened. Misuse is the monitor's to report: it sees it before the core does, but for
 * two threads that free one block at the same moment. */
static void m4_prepare_monitored(struct m4_arena *arena)
{
    m4m_core_settings.samples = arena->knobs.sample_rate != 0;
    m4m_prepare_core();
    arena->monitored = 1;
    arena->keeps_slabs = m4m_core_settings.keeps_slabs;
    arena->misuse_mode = 3 /* MISUSE_RAISE */;
    arena->knobs.canaries = 0;
    arena->knobs.check_on_reuse = 0;
    arena->knobs.history = 0;
    arena->knobs.guard_empty = 0;
    arena->knobs.check_copies = 0;
    arena->knobs.side_bytes = m4m_core_settings.side_bytes;
    arena->knobs.delay_line = 0; /* the quarantine is one */
    if (arena->knobs.quarantine == 0) {
        arena->knobs.quarantine = m4m_core_settings.quarantine_bytes != 0 ? 4096 : 0; /* its ring is read when a thread exits */
        arena->knobs.quarantine_bytes = m4m_core_settings.quarantine_bytes;
    }
    if (arena->knobs.large_quarantine == 0)
        arena->knobs.large_delay = m4m_core_settings.large_delay;
}

static inline void m4_slab_made(void *start, uint64_t bytes) { m4m_slab_made(start, bytes); }

M4M_HIDDEN struct m4_arena *m4m_core_arena(void)
{
    return m4_process_arena();
}

M4M_HIDDEN void *m4m_core_malloc(size_t size) { return m4_malloc(size); }
M4M_HIDDEN void *m4m_core_calloc(size_t count, size_t size) { return m4_calloc(count, size); }
M4M_HIDDEN void *m4m_core_realloc(void *block, size_t size) { return m4_realloc(block, size); }
M4M_HIDDEN void *m4m_core_aligned(size_t alignment, size_t size) { return m4_aligned(alignment, size); }
M4M_HIDDEN int m4m_core_free(void *block) { return m4_free(block); }

/* m4_free_found for nearly all frees: of a slot of this thread's, in a class that does nothing but keep it in
 * quarantine, at no moment at which there is more to do. What release_hooked does then (_core/malloc.pxd), in its order. */
static __attribute__((noinline)) int free_found_slowly(struct m4_record *record, char *block, uint8_t *state)
{
    return m4_free_found(record, block, state);
}

#define CORE(module, name) __pyx_e_7m4alloc_5_core_##module##_##name
M4M_HIDDEN int m4m_core_free_found(struct m4_record *record, char *block, uint8_t *state)
{
    enum { ONLY_KEPT = CORE(5types, HOOK_NO_DELAY) | CORE(5types, HOOK_QUARANTINE) | CORE(5types, HOOK_KEEP) };
    struct m4_bin *bin = record->bin;
    struct m4_ring *ring;
    struct m4_slot *place, *top;
    char *oldest;
    uint32_t next;
    if (__builtin_expect((struct m4_heap *)m4_thread_heap != record->owner || *state != CORE(5types, LIVE) ||
                             bin->hooks != ONLY_KEPT || ((bin->freed + sizeof *place) & CORE(5stack, TICK_MASK)) == 0 ||
                             bin->top == bin->limit,
                         0))
        return free_found_slowly(record, block, state);
    ring = &record->owner->rings[record->size_class];
    *state = CORE(5types, CACHED);
    bin->freed += sizeof *place;
    next = ring->next;
    place = ring->slots + next;
    ring->next = ++next == __pyx_v_7m4alloc_5_fast_process_arena.class_quarantine[record->size_class] ? 0 : next;
    oldest = place->address;
    if (__builtin_expect(oldest != NULL, 1)) { /* word by word: one wide load would wait for the two stores */
        top = bin->top;
        top->state = place->state;
        top->address = oldest;
        bin->top = top + 1;
    }
    place->address = block;
    place->state = state;
    return 0;
}
M4M_HIDDEN size_t m4m_core_usable(void *block) { return m4_usable_size(block); }
M4M_HIDDEN size_t m4m_core_trim(size_t keep) { return m4_trim(keep); }
M4M_HIDDEN int m4m_core_explain(void *address) { return m4_explain(address); }
M4M_HIDDEN void m4m_core_limit_lowered(uint64_t limit) { m4_limit_lowered(limit); }
M4M_HIDDEN void m4m_core_prepare(void) { m4_prepare_tracing(); }
