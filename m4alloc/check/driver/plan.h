/* A batch of instructions in order, with what its directives ask for. */
#ifndef M4_PLAN_H
#define M4_PLAN_H
#include "turns.h"
#include <fcntl.h>
#include <sys/resource.h>

static void hand_over_page(void); /* when the lines for events run out: main.c */

static void limit_memory(uint64_t more)
{
    char text[64] = {0};
    int file = open("/proc/self/statm", O_RDONLY);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    if (length <= 0)
        _exit(WORKER_FAILED);
    uint64_t in_use = strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit = {in_use + more, RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &limit);
}

/* Go on in the child, or in the parent while the child is gone already. */
static void forked(int goes_on_in_child)
{
    pid_t child = bound(fork());
    if (child < 0)
        return;
    if (child == 0) {
        if (!goes_on_in_child)
            _exit(0);
        memset(workers, 0, sizeof workers); /* the threads stayed behind */
        return;
    }
    int status = wait_for(child);
    if (goes_on_in_child || status)
        end_as(status);
}

static uint32_t matching(uint32_t from, uint32_t end, uint64_t closing)
{
    while (from < end && !(board->instruction[from].function == LABEL && board->instruction[from].count == closing))
        from++;
    return from;
}

static void carry_out_all(uint32_t from, uint32_t end);

static void obey(uint32_t *at, uint32_t end)
{
    const struct instruction i = board->instruction[*at];
    uint32_t from = *at + 1, to;
    mark(&i, i.size);
    switch (i.count) {
    case THREAD_END:
        end_thread(i.thread);
        break;
    case PAUSE:
        usleep((useconds_t)(i.size < 60000 ? i.size : 60000) * 1000);
        atomic_fetch_add(&board->steps, 1);
        break;
    case THREAD_LEAVES:
        leave_thread(i.thread);
        break;
    case PARALLEL:
        to = matching(from, end, JOIN);
        hand_over_page();
        in_parallel(from, to);
        *at = to - 1;
        break;
    case FORK_CHILD: case FORK_PARENT:
        forked(i.count == FORK_CHILD);
        break;
    case LIMIT_MEMORY:
        limit_memory(i.size);
        break;
    case REPEAT:
        to = matching(from, end, END_REPEAT);
        for (uint64_t round = 0; round < i.size && !board->stop; round++)
            carry_out_all(from, to);
        *at = to - 1;
        break;
    }
}

/* Instructions [from, end) by turns, each on its thread. */
static void carry_out_all(uint32_t from, uint32_t end)
{
    for (uint32_t at = from; at < end; at++) {
        const struct instruction *i = &board->instruction[at];
        if (atomic_load(&board->events) > EVENTS - SPARE_EVENTS)
            hand_over_page();
        if (i->function == LABEL)
            obey(&at, end);
        else if (i->thread == 0 || !started(i->thread))
            carry_out(i);
        else {
            set_off(i->thread, at, at + 1);
            wait_until_done(i->thread);
        }
    }
}

static void know_slots(uint32_t count)
{
    for (uint32_t n = 0; n < count; n++)
        threads_end |= board->instruction[n].function == LABEL && board->instruction[n].count == THREAD_END;
    for (uint32_t n = 0; n < count; n++)
        if (board->instruction[n].uses_slot && board->instruction[n].slot % SLOTS >= used_slots)
            used_slots = board->instruction[n].slot % SLOTS + 1;
}
#endif
