/* The monitor's globals, which its layers share; defined in monitor_preload.c. Their types are Cython's, so that this file
 * is for the one translation unit that has them. */
#ifndef M4ALLOC_MONITOR_STATE_H
#define M4ALLOC_MONITOR_STATE_H
static struct m4m_stories stories;
static struct m4m_depot depot;
static struct m4m_threads threads;
static struct m4m_machines machines;
static struct m4m_all_cohorts cohorts;
static struct m4m_watch watch;
#include "monitor_leak_state.h"
#endif
