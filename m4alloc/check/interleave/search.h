/* How main asks for schedules to be run. */
#ifndef M4ALLOC_INTERLEAVE_SEARCH_H
#define M4ALLOC_INTERLEAVE_SEARCH_H

#include "model.h"

typedef struct {
    int bound;              /* preemptions, at most */
    int stale;              /* reads of another value than the latest, at most */
    uint64_t limit;         /* schedules, at most; 0: no limit */
} m4_bounds;

typedef struct {
    uint64_t schedules;
    uint64_t points;        /* scheduling points in all of them */
    int longest;            /* most points in one */
    int shared;             /* addresses that are shared */
    bool complete;          /* every schedule within the bounds was run */
    bool failed;
    char failure[TEXT];
    char *schedule;         /* of the failure; written until the next search */
} m4_findings;

void search_open(void);
void search_bounded(const scenario *s, m4_bounds bounds, m4_findings *found);
void search_random(const scenario *s, int stale, uint64_t schedules, uint64_t seed, m4_findings *found);
void search_replay(const scenario *s, const char *schedule, bool tell_it, m4_findings *found); /* exits 2: malformed */

#endif
