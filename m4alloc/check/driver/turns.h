/* Real threads: by turns, one instruction at a time, or all at once between `parallel` and `join`. */
#ifndef M4_TURNS_H
#define M4_TURNS_H
#include "perform.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKER_FAILED = 71 };
struct worker {
    pthread_t handle;
    sem_t go, done;
    uint32_t thread, from, to; /* what to carry out next: its own instructions of [from, to); none: the thread ends */
    int running, leaves;       /* leaves: what comes next it does in a destructor */
};
static struct worker workers[THREADS];
static _Atomic uint32_t at_start; /* threads of a parallel section that have not begun */
static pthread_key_t leaving;     /* made when a thread leaves first: then it comes behind the library's own keys */
static int leaving_made;
/* Whether the plan has threads that end. None of those is the first to call the library, which some take for the main
 * one: in a program whose malloc it is, pthread_create has asked it for memory before, on the first thread. */
static int threads_end;

static void await_turn(const struct instruction *i)
{
    if (i->uses_slot && concurrent)
        for (int spins = 0; atomic_load(&slots[i->slot % SLOTS].uses) != i->turn; spins++)
            if (spins > 1000)
                sched_yield();
}

/* The turn goes to the next that uses the slot, though nothing was done. */
static void pass_over(const struct instruction *i)
{
    await_turn(i);
    if (i->uses_slot)
        atomic_fetch_add(&slots[i->slot % SLOTS].uses, 1);
}

static void carry_out(const struct instruction *i)
{
    await_turn(i);
    request(i);
    if (i->uses_slot)
        atomic_fetch_add(&slots[i->slot % SLOTS].uses, 1);
}

/* No child outlives its parent: a test that is killed leaves no hanging call behind. */
static pid_t bound(pid_t child)
{
    if (child == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return child;
}

/* The driver's own forks do not run the library's fork handlers: what these do wrong would be done to the driver. */
#if __GLIBC_PREREQ(2, 34)
#define own_fork() bound(_Fork())
#else
#define own_fork() bound((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))
#endif

/* The end of a child as this process's own: what waits for this one then sees what happened there. */
static void end_as(int status)
{
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, WTERMSIG(status));
        sigprocmask(SIG_UNBLOCK, &one, NULL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : WORKER_FAILED);
}

static int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void mark(const struct instruction *i, uint64_t value)
{
    struct record *r = claim(LABEL, i->thread, i->count, value, 0);
    if (concurrent)
        r->begin = r->end = 0;
}

/* Fork in the middle of a parallel section, on the thread of `i`: the child carries out that thread's instructions of
 * [next, to), alone, as the events of a generation of its own; the parent's thread waits for it. */
static void fork_in_section(const struct instruction *i, uint32_t next, uint32_t to)
{
    uint32_t child_generation = ++board->forks;
    struct record *r = claim(LABEL, i->thread, i->count, child_generation, 0);
    r->begin = atomic_fetch_add(&board->number, 1) + 1;
    pid_t child = bound(fork());
    if (child == 0) {
        generation = child_generation;
        for (uint32_t n = next; n < to; n++) {
            struct instruction mine = board->instruction[n];
            if (mine.thread != i->thread || mine.function == LABEL)
                continue;
            mine.turn = mine.uses_slot ? atomic_load(&slots[mine.slot % SLOTS].uses) : 0; /* nobody to wait for */
            carry_out(&mine);
        }
        _exit(0);
    }
    r->end = atomic_fetch_add(&board->number, 1) + 1;
    int status = child < 0 ? 0 : wait_for(child);
    if (status)
        end_as(status);
}

static void carry_out_range(uint32_t thread, uint32_t from, uint32_t to)
{
    for (uint32_t n = from; n < to; n++) {
        const struct instruction *i = &board->instruction[n];
        if (i->thread != thread)
            continue;
        if (i->function != LABEL)
            carry_out(i);
        else if (concurrent && i->count == FORK_PARENT)
            fork_in_section(i, to, to);
        else if (concurrent && i->count == FORK_CHILD) { /* up to the thread's next directive */
            uint32_t stop = n + 1;
            while (stop < to && !(board->instruction[stop].thread == thread && board->instruction[stop].function == LABEL))
                stop++;
            fork_in_section(i, n + 1, stop);
            for (n++; n < stop; n++)
                if (board->instruction[n].thread == thread)
                    pass_over(&board->instruction[n]);
            n = stop - 1;
        }
    }
}

/* Carry out what it is told until there is nothing more; or until it leaves, to go on as a destructor. */
static void serve(void *argument)
{
    struct worker *self = argument;
    for (;;) {
        while (sem_wait(&self->go))
            ;
        if (self->leaves) {
            self->leaves = 0;
            pthread_setspecific(leaving, self);
            sem_post(&self->done);
            return;
        }
        if (self->from == self->to)
            return;
        if (concurrent)
            for (atomic_fetch_sub(&at_start, 1); atomic_load(&at_start);)
                ;
        carry_out_range(self->thread, self->from, self->to);
        sem_post(&self->done);
    }
}

static void *work(void *argument)
{
    serve(argument);
    return NULL;
}

/* Whether the thread is there; it cannot always be started once memory is limited. */
static int started(uint32_t thread)
{
    struct worker *w = &workers[thread % THREADS];
    if (threads_end && !first_has_called) {
        first_has_called = 1;
        ((void *(*)(size_t))entry[MALLOC])(4080); /* a page with its header: no alignment that comes after it changes */
    }
    if (!w->running) {
        sem_init(&w->go, 0, 0);
        sem_init(&w->done, 0, 0);
        w->running = !create_thread(&w->handle, NULL, work, w);
    }
    return w->running;
}

static void set_off(uint32_t thread, uint32_t from, uint32_t to)
{
    struct worker *w = &workers[thread % THREADS];
    w->thread = thread, w->from = from, w->to = to;
    sem_post(&w->go);
}

static void wait_until_done(uint32_t thread)
{
    while (sem_wait(&workers[thread % THREADS].done))
        ;
}

/* The thread returns from its function; what it does from here on it does while its thread-specific data are destroyed,
 * after the library's destructors. */
static void leave_thread(uint32_t thread)
{
    struct worker *w = &workers[thread % THREADS];
    if (!leaving_made)
        leaving_made = !pthread_key_create(&leaving, serve);
    if (!thread || !leaving_made || !started(thread))
        return;
    w->leaves = 1;
    sem_post(&w->go);
    wait_until_done(thread);
}

static void end_thread(uint32_t thread)
{
    struct worker *w = &workers[thread % THREADS];
    if (!thread || !w->running)
        return;
    w->from = w->to = 0;
    sem_post(&w->go);
    pthread_join(w->handle, NULL);
    w->running = 0;
}

/* The instructions of [from, to) at the same time, each on its own thread; one after the other where there are no threads
 * to be had. */
static void in_parallel(uint32_t from, uint32_t to)
{
    uint8_t takes_part[THREADS] = {[0] = 1};
    uint32_t count = 0;
    for (uint32_t n = from; n < to; n++)
        takes_part[board->instruction[n].thread % THREADS] = 1;
    stale_frees = 0;
    for (uint32_t n = from; n < to; n++)
        stale_frees |= board->instruction[n].function != LABEL && board->instruction[n].aim == AIM_DEAD;
    for (uint32_t t = 0; t < THREADS; t++)
        if (takes_part[t] && (t == 0 || started(t)))
            count++;
        else if (takes_part[t]) {
            for (uint32_t n = from; n < to; n++)
                if (board->instruction[n].function != LABEL)
                    carry_out(&board->instruction[n]);
            return;
        }
    concurrent = 1;
    atomic_store(&at_start, count);
    for (uint32_t t = 1; t < THREADS; t++)
        if (takes_part[t])
            set_off(t, from, to);
    for (atomic_fetch_sub(&at_start, 1); atomic_load(&at_start);)
        ;
    carry_out_range(0, from, to);
    for (uint32_t t = 1; t < THREADS; t++)
        if (takes_part[t])
            wait_until_done(t);
    concurrent = 0;
}
#endif
