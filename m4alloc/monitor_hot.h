/* What every malloc and free of the program does is one function each, in which their parts are laid out in line; what
 * few of them do is apart, so that they need not save registers for it. Declared before Cython defines them. */
#ifndef M4ALLOC_MONITOR_HOT_H
#define M4ALLOC_MONITOR_HOT_H

#include "_monitor.h"

#define M4M_PART static inline __attribute__((always_inline))
#define M4M_RARE static __attribute__((noinline, cold))
#define M4M_AWAY static __attribute__((noinline))

struct m4m_event_ring;
struct m4m_stack;
struct m4m_story;
struct m4m_thread;

M4M_PART void m4m_note(struct m4m_thread *, uint32_t, uint32_t, const void *, uint64_t, uint32_t);
M4M_PART uint32_t m4m_capture(struct m4m_thread *, const void *, const void *);
M4M_PART int m4m_leads_here(const struct m4m_stack *, const void *, uint64_t, uint64_t);
M4M_PART void m4m_be_born(struct m4m_thread *, char *, uint64_t, const void *, const void *);
M4M_PART int m4m_free_slot(struct m4m_thread *, char *, uint32_t, const void *, const void *);

M4M_RARE struct m4m_event_ring *m4m_open_ring(struct m4m_thread *);
M4M_RARE struct m4m_thread *m4m_make_thread(void);
M4M_RARE void m4m_open(void);
M4M_RARE struct m4m_story *m4m_large_story(char *, uint64_t, uint64_t *);
M4M_AWAY uint32_t m4m_capture_anew(struct m4m_thread *, const void *, const void *, uint32_t *);
M4M_AWAY uint32_t m4m_capture_unremembered(struct m4m_thread *, const void *, const void *);
M4M_AWAY uint32_t m4m_keep_new_stack(uint64_t, uint32_t, void *const *, uint32_t);
M4M_AWAY void m4m_show_born(struct m4m_thread *, char *, uint64_t, uint64_t, struct m4m_story *, const void *,
                            const void *);
M4M_AWAY void m4m_release_slowly(struct m4m_thread *, void *, const void *, const void *);
M4M_AWAY void m4m_tell_call(struct m4m_thread *, uint32_t, void *, const void *, const void *);

#endif
