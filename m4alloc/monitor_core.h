/* Between the core (monitor_core.c) and the monitor (monitor_preload.c and _monitor.pyx): two translation units of one
 * library, each made of one Cython module. */
#ifndef M4ALLOC_MONITOR_CORE_H
#define M4ALLOC_MONITOR_CORE_H

#include "_monitor.h"

struct m4_arena;
struct m4_record;

/* What the core's strategy is given for a monitor's sake; filled in by m4m_prepare_core. */
struct m4m_core_settings {
    uint64_t side_bytes;
    uint64_t quarantine_bytes; /* of each size class, and each thread's */
    uint64_t large_delay;      /* bytes of freed large blocks that wait */
    uint32_t keeps_slabs;
    uint32_t samples; /* the core's answer: some blocks lie on pages of their own */
};
extern M4M_HIDDEN struct m4m_core_settings m4m_core_settings;

/* The core asks, once, before its arena is opened. */
M4M_HIDDEN void m4m_prepare_core(void);
/* The core says: fresh slots will be handed out from there. Under its lock. */
M4M_HIDDEN void m4m_slab_made(void *start, uint64_t bytes);

M4M_HIDDEN struct m4_arena *m4m_core_arena(void);
M4M_HIDDEN void *m4m_core_malloc(size_t size);
M4M_HIDDEN void *m4m_core_calloc(size_t count, size_t size);
M4M_HIDDEN void *m4m_core_realloc(void *block, size_t size);
M4M_HIDDEN void *m4m_core_aligned(size_t alignment, size_t size);
M4M_HIDDEN int m4m_core_free(void *block); /* 0, or what was wrong (MisuseKind): somebody else has freed it meanwhile */
M4M_HIDDEN int m4m_core_free_found(struct m4_record *record, char *block, uint8_t *state); /* of a slot */
M4M_HIDDEN size_t m4m_core_usable(void *block);
M4M_HIDDEN size_t m4m_core_trim(size_t keep);
M4M_HIDDEN int m4m_core_explain(void *address);
M4M_HIDDEN void m4m_core_prepare(void); /* while the program starts: what samples need */
M4M_HIDDEN void m4m_core_limit_lowered(uint64_t limit);

#endif
