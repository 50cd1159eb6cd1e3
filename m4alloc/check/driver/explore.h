/* Every sequence over a small alphabet, depth first, by forking at each node: each sequence begins with a fresh heap,
 * and what one of them does to the heap no other sees.
 *
 * At a node with n slots taken there are: each of the `makers` into the lowest slot that is not (if one is left); a
 * free of each slot taken; each of the `resizers` on each slot taken. A slot holds whatever came back, null included,
 * so that how many sequences there are does not depend on the allocator. Blocks are told apart by when they were asked
 * for alone: sequences that differ in names only are one. */
#ifndef M4_EXPLORE_H
#define M4_EXPLORE_H
#include "plan.h"
#include <sys/time.h>

enum { MAX_DEPTH = 32, MAX_SLOTS = 32 };
enum { TOLD_EVENTS = 4096 }; /* events after which the test is asked whether to go on: some tenths of a second */
struct exploration { /* as in m4alloc/check/board.py */
    uint32_t depth, slots, makers, resizers, prefix_length, milliseconds;
    uint16_t prefix[MAX_DEPTH];
};
static struct exploration plan;
static uint8_t taken[MAX_SLOTS];

static uint32_t alternatives(void)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < plan.slots; s++)
        n += taken[s];
    return (n < plan.slots ? plan.makers : 0) + n * (1 + plan.resizers);
}

/* The instruction of alternative number `which` at this node. */
static struct instruction alternative(uint32_t which)
{
    uint32_t n = 0, slot = 0;
    for (uint32_t s = 0; s < plan.slots; s++)
        n += taken[s];
    struct instruction i;
    if (n < plan.slots) {
        if (which < plan.makers) {
            while (taken[slot])
                slot++;
            i = board->instruction[which];
            i.slot = slot, i.uses_slot = 1;
            return i;
        }
        which -= plan.makers;
    }
    for (uint32_t nth = which % n; !taken[slot] || nth; slot++)
        nth -= taken[slot];
    which /= n;
    i = which ? board->instruction[plan.makers + which - 1] : (struct instruction){.function = FREE};
    i.aim = AIM_LIVE, i.slot = slot, i.uses_slot = 1;
    if (!slots[slot].live) { /* the slot holds the null pointer that a request came back with */
        i.aim = AIM_NULL;
        i.uses_slot = i.function != FREE;
    }
    return i;
}

static void patience(uint32_t milliseconds)
{
    struct itimerval timer = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void take(uint32_t which, uint32_t at_depth)
{
    struct instruction i = alternative(which);
    node = ++board->nodes;
    depth = board->depth = at_depth;
    if (i.slot >= used_slots)
        used_slots = i.slot + 1;
    patience(plan.milliseconds);
    request(&i);
    sweep();
    patience(0);
    taken[i.slot] = i.function != FREE;
}

/* A child did not come back: what it was doing with a block is an event, too; a call in flight is one already. */
static void tell_end(int status)
{
    struct activity *was = &board->activity[0];
    if (!WIFSIGNALED(status)) {
        if (status)
            end_as(status);
        return;
    }
    node = board->nodes, depth = board->depth; /* the last thing that a process does is to die */
    if (was->doing == LOADING || was->doing == STORING)
        claim(was->doing == LOADING ? LOAD : STORE, 0, was->address, was->size, 0)->flags = NEVER_RETURNED;
    else if (was->doing == MEASURING)
        claim(USABLE_SIZE, 0, was->address, 0, 0)->flags = NEVER_RETURNED;
    was->doing = NOTHING;
}

static void explore(uint32_t at)
{
    if (at == plan.depth) {
        board->leaves++;
        return;
    }
    uint32_t from = 0, to = alternatives();
    if (at < plan.prefix_length) {
        from = plan.prefix[at];
        to = from + 1;
    }
    for (uint32_t which = from; which < to && !board->stop; which++) {
        if (atomic_load(&board->events) > TOLD_EVENTS)
            hand_over_page();
        if (which + 1 == to) { /* the last alternative needs no process of its own: nothing comes after it */
            take(which, at + 1);
            explore(at + 1);
            return;
        }
        pid_t child = own_fork();
        if (child < 0)
            _exit(WORKER_FAILED);
        if (child == 0) {
            take(which, at + 1);
            explore(at + 1);
            _exit(0);
        }
        int status = wait_for(child);
        if (status)
            tell_end(status);
    }
}

/* The whole of it in children, so that the last alternative's end is seen as well. */
static void explore_all(void)
{
    pid_t child = own_fork();
    if (child == 0) {
        explore(0);
        _exit(0);
    }
    int status = wait_for(child);
    if (status)
        tell_end(status);
    node = depth = 0;
}
#endif
