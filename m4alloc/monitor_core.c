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
M4M_HIDDEN int m4m_core_free_found(struct m4_record *record, char *block, uint8_t *state)
{
    return m4_free_found(record, block, state);
}
M4M_HIDDEN size_t m4m_core_usable(void *block) { return m4_usable_size(block); }
M4M_HIDDEN size_t m4m_core_trim(size_t keep) { return m4_trim(keep); }
M4M_HIDDEN int m4m_core_explain(void *address) { return m4_explain(address); }
M4M_HIDDEN void m4m_core_limit_lowered(uint64_t limit) { m4_limit_lowered(limit); }
M4M_HIDDEN void m4m_core_prepare(void) { m4_prepare_tracing(); }
