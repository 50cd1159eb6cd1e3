/* The batch over and over, everything freed after each round: how much memory that takes in all. */
#ifndef M4_REPEAT_H
#define M4_REPEAT_H
#include "plan.h"
#include <sys/mman.h>

enum { ROUNDS = 1 << 14, PLACES = 1 << 21 };
/* late: since an early round of a power of two; memory: by how much the process's resident pages grew since then. */
struct usage { uint64_t total, distinct, live, late_total, late, memory; };
struct place { uint64_t address, most, now; }; /* usable bytes of the blocks there: the largest, and the live one */

/* Pages of the table of places that are in use: the process takes them, and not the library. */
static uint8_t table_page[PLACES * sizeof(struct place) / 4096 + 1];
static uint64_t table_pages;

static struct place *place_of(struct place *places, uint64_t address)
{
    uint64_t at = address * 0x9e3779b97f4a7c15u >> 43;
    while (places[at].address && places[at].address != address)
        at = (at + 1) % PLACES;
    uint64_t page = at * sizeof(struct place) / 4096;
    table_pages += !table_page[page];
    table_page[page] = 1;
    places[at].address = address;
    return &places[at];
}

static uint64_t resident_now(void)
{
    char text[128] = {0}, *rest;
    int file = open("/proc/self/statm", O_RDONLY);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    if (length <= 0)
        return 0;
    strtoull(text, &rest, 10); /* what is mapped, which a quarantine of addresses may be as well */
    return strtoull(rest, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) - table_pages * 4096;
}

static struct usage repeat(uint32_t count, uint64_t limit)
{
    struct usage u = {0};
    struct place *places = mmap(NULL, PLACES * sizeof *places, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (places == MAP_FAILED)
        _exit(WORKER_FAILED);
    uint64_t seen = 0, live = 0;
    struct { uint64_t total, distinct, resident; } older = {0}, newer = {0};
    newer.resident = resident_now();
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
            newer.total = u.total, newer.distinct = u.distinct, newer.resident = resident_now();
        }
        if (u.total >= limit || !u.total)
            break;
    }
    uint64_t now = resident_now();
    u.late_total = u.total - older.total, u.late = u.distinct - older.distinct;
    u.memory = now > older.resident ? now - older.resident : 0;
    return u;
}
#endif
