/* The globals of the end of the run and of uninitialised reads (_watch/leak.pxd, exit.pxd, initial.pxd), as
 * monitor_state.h has those of the others. */
#ifndef M4ALLOC_MONITOR_LEAK_STATE_H
#define M4ALLOC_MONITOR_LEAK_STATE_H
static struct m4m_ignorance ignorance;
static struct m4m_ending ending;
static struct m4m_initial initial;
#endif
