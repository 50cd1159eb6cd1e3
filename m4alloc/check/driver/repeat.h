/* The batch over and over, everything freed after each round: how much memory that takes in all. */
#ifndef M4_REPEAT_H
#define M4_REPEAT_H
#include "plan.h"
#include <sys/mman.h>

enum { ROUNDS = 1 << 14, PLACES = 1 << 21 };
struct usage { uint64_t total, distinct, live, late_total, late; }; /* late: since an early round of a power of two */
struct place { uint64_t address, most, now; }; /* usable bytes of the blocks there: the largest, and the live one */

static struct place *place_of(struct place *places, uint64_t address)
{
    uint64_t at = address * 0x9e3779b97f4a7c15u >> 43;
    while (places[at].address && places[at].address != address)
        at = (at + 1) % PLACES;
    places[at].address = address;
    return &places[at];
}

static struct usage repeat(uint32_t count, uint64_t limit)
{
    struct usage u = {0};
    struct place *places = mmap(NULL, PLACES * sizeof *places, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (places == MAP_FAILED)
        _exit(WORKER_FAILED);
    uint64_t seen = 0, live = 0;
    struct { uint64_t total, distinct; } older = {0}, newer = {0};
    for (int round = 0; round < ROUNDS && seen < PLACES / 2; round++) {
        atomic_store(&board->events, 0);
        carry_out_all(0, count);
        uint32_t events = atomic_load(&board->events);
        for (uint32_t n = 0; n < events; n++) {
            const struct record *r = &board->event[n];
            int resized = takes(r->function) && (r->result || !r->error);
            if (r->address && r->function != POSIX_MEMALIGN && (gives_up(r->function) || resized)) {
                struct place *old = place_of(places, r->address);
                live -= old->now;
                old->now = 0;
            }
            if ((allocates(r->function) || takes(r->function)) && r->result && !r->error) {
                struct place *new = place_of(places, r->result);
                new->now = r->usable >= 0 ? (uint64_t)r->usable : counted(r->function) ? r->size * r->extra : r->size;
                if (new->most < new->now) {
                    u.distinct += new->now - new->most;
                    new->most = new->now;
                }
                live += new->now;
                u.total += new->now;
                u.live = u.live > live ? u.live : live;
                seen++;
            }
        }
        atomic_store(&board->events, 0);
        for (uint32_t n = 0; n < used_slots; n++)
            if (slots[n].live) {
                struct instruction release = {.function = FREE, .aim = AIM_LIVE, .slot = n, .uses_slot = 1};
                carry_out(&release);
            }
        events = atomic_load(&board->events); /* the frees of this round's end */
        for (uint32_t n = 0; n < events; n++)
            if (gives_up(board->event[n].function)) {
                struct place *old = place_of(places, board->event[n].address);
                live -= old->now;
                old->now = 0;
            }
        if (!(round & (round - 1))) {
            older = newer;
            newer.total = u.total, newer.distinct = u.distinct;
        }
        if (u.total >= limit || !u.total)
            break;
    }
    u.late_total = u.total - older.total, u.late = u.distinct - older.distinct;
    return u;
}
#endif
