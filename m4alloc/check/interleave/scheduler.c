/* Logical threads, of which one runs at a time, and the search through the choices which one and what it reads.
 *
 * A logical thread is a stack that _setjmp and _longjmp switch to, 10 ns a switch. It runs until the next access to
 * an address that several threads share, where it asks who goes on: a scheduling point. Accesses to other addresses
 * commute with everything, so nothing is lost by not stopping there. Which addresses are shared is learnt: when one turns
 * out to be, what has been explored was too little, and the search starts again.
 *
 * A schedule is the list of choices. It is run from the start each time, the memory restored by undo, and the choices
 * replayed up to the last one that has an alternative (depth first). A thread that is taken off while it could go on is
 * preempted; a bounded search runs every schedule with at most so many preemptions and so many reads of older values.
 * A random search draws a priority for each thread and lowers it at random points (probabilistic concurrency testing). */
#define _GNU_SOURCE
#include "search.h"

#include <errno.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

enum {
    STACK = 256 << 10,
    CHOICES = 2 * STEPS,
    UNITS = 16 * STEPS,     /* atomic accesses of a schedule that is replayed, at most */
    LOWERINGS = 3           /* of priorities, in a random schedule */
};

typedef enum { FRESH, READY, YIELDED, BLOCKED, WAITING, DONE } state;

typedef struct {
    jmp_buf base, here;
    ucontext_t born;
    char *stack;
    state state;
    uint32_t *futex;        /* BLOCKED: on this word */
    bool (*ready)(void *);  /* WAITING: for this */
    void *of;
    void *heap;             /* m4_thread_heap while it does not run */
    int priority;
} fiber;

typedef struct {
    uint8_t thread;
    uint8_t older;          /* what its read chose */
    uint16_t length;        /* atomic accesses in it, the first of them perhaps to a shared address */
} step;

typedef struct {
    uint8_t options, taken;
} choice;

int running = -1;
bool telling;

static fiber fibers[THREADS];
static jmp_buf outside;
static const scenario *now_running;
static step steps[UNITS];
static int step_count;
static char failure[TEXT];
static bool failed;

static enum { BOUNDED, RANDOM, REPLAY } mode;
static choice choices[CHOICES];
static int choice_count, choice_next; /* how many are prescribed; which comes next */
static int preemptions_left, stale_left;
static uint64_t random_state;
static int lower_at[LOWERINGS], lowest;
static step *script;
static int script_length;

static uint64_t draw(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state * 0x2545F4914F6CDD1Du >> 32) % below;
}

/* Telling. */

void tell(const char *format, ...)
{
    va_list list;
    if (!telling)
        return;
    printf("%4d  ", step_count);
    for (int i = 0; i < running; i++)
        printf("                              ");
    printf("%c ", running >= 0 ? 'A' + running : ' ');
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
}

void tell_access(const m4_access *a)
{
    char name[TEXT], before[64], after[64], stale[32] = "";
    if (!telling)
        return;
    core_name(a->address, name, sizeof name);
    core_value(a->address, a->size, a->before, before, sizeof before);
    core_value(a->address, a->size, a->after, after, sizeof after);
    if (a->stale)
        snprintf(stale, sizeof stale, " (stale by %d)", a->stale);
    if (a->order == NULL)
        tell("  %s %s", a->kind, name);
    else if (a->kind[0] == 'l')
        tell("  load %s: %s%s, %s", name, before, stale, a->order);
    else if (a->refused)
        tell("  swap %s refused: it is %s%s, %s", name, before, stale, a->order);
    else
        tell("  %s %s: %s -> %s, %s", a->kind, name, before, after, a->order);
}

void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(failure, sizeof failure, format, list);
    va_end(list);
    failed = true;
    if (telling)
        tell("FAILED: %s", failure);
    attention = UNSEEN;
    _longjmp(outside, 1);
}

/* Choices. */

static int choose(int options)
{
    choice *c = &choices[choice_next];
    if (choice_next == CHOICES)
        fail("no end: the threads make choices for ever");
    if (choice_next >= choice_count) {
        c->taken = 0;
        choice_count = choice_next + 1;
    }
    c->options = (uint8_t)options;
    choice_next++;
    return c->taken;
}

int choose_read(int visible)
{
    int older = 0;
    if (mode == REPLAY)
        older = step_count <= script_length ? script[step_count - 1].older : 0;
    else if (mode == RANDOM)
        older = stale_left > 0 && draw(4) == 0 ? (int)draw((uint64_t)visible) : 0;
    else if (stale_left > 0)
        older = choose(visible);
    if (older >= visible)
        fail("the schedule does not fit: at step %d only %d values are visible", step_count, visible);
    if (older != 0) {
        stale_left--;
        steps[step_count - 1].older = (uint8_t)older;
    }
    return older;
}

static bool can_run(fiber *f)
{
    if (f->state == WAITING && f->ready(f->of))
        f->state = READY;
    return f->state == FRESH || f->state == READY;
}

static int by_priority(const int *able, int count)
{
    int best = able[0];
    for (int i = 0; i < LOWERINGS; i++)
        if (step_count == lower_at[i] && running >= 0)
            fibers[running].priority = --lowest;
    for (int i = 1; i < count; i++)
        if (fibers[able[i]].priority > fibers[best].priority)
            best = able[i];
    return best;
}

/* Which thread makes the next step; -1: none can. */
static int decide(void)
{
    int able[THREADS], count = 0, next;
    bool goes_on = running >= 0 && can_run(&fibers[running]);
    if (goes_on)
        able[count++] = running;
    for (int t = 0; t < now_running->threads; t++)
        if (t != running && can_run(&fibers[t]))
            able[count++] = t;
    if (count == 0) /* then those that only gave way may go on */
        for (int t = 0; t < now_running->threads; t++)
            if (fibers[t].state == YIELDED) {
                fibers[t].state = READY;
                able[count++] = t;
            }
    if (count == 0)
        return -1;
    if (step_count == (mode == REPLAY ? UNITS : STEPS))
        fail("no end: the threads make steps for ever");
    if (mode == REPLAY && step_count < script_length) {
        next = script[step_count].thread;
        for (int i = 0; i <= count; i++)
            if (i == count)
                fail("the schedule does not fit: at step %d thread %c cannot run", step_count + 1, 'A' + next);
            else if (able[i] == next)
                break;
    } else if (mode == RANDOM) {
        next = by_priority(able, count);
    } else if (mode == REPLAY || count == 1 || (goes_on && preemptions_left == 0)) {
        next = able[0];
    } else {
        next = able[choose(count)];
    }
    if (goes_on && next != running)
        preemptions_left--;
    steps[step_count++] = (step){.thread = (uint8_t)next, .length = 1};
    for (int t = 0; t < now_running->threads; t++) /* somebody else moved: those that gave way may look again */
        if (t != next && fibers[t].state == YIELDED)
            fibers[t].state = READY;
    return next;
}

static void resume(int next) __attribute__((noreturn));
static void resume(int next)
{
    fiber *f = &fibers[next];
    running = next;
    *core_heap() = f->heap;
    if (f->state == FRESH) {
        f->state = READY;
        _longjmp(f->base, 1);
    }
    _longjmp(f->here, 1);
}

static void leave(int next)
{
    fiber *f = &fibers[running];
    f->heap = *core_heap();
    if (_setjmp(f->here) == 0)
        resume(next);
}

void **thread_heap(int thread) { return &fibers[thread].heap; }

void point(bool shared)
{
    int next;
    if (!shared && mode != REPLAY) {
        steps[step_count - 1].length++;
        return;
    }
    next = decide();
    if (next != running)
        leave(next);
}

/* The running thread cannot go on. */
static void pause_here(void)
{
    int next = decide();
    if (next < 0) {
        char who[THREADS + 1] = "";
        for (int t = 0, n = 0; t < now_running->threads; t++)
            if (fibers[t].state != DONE)
                who[n++] = (char)('A' + t), who[n] = 0;
        fail("deadlock: %s wait%s", who, who[1] ? "" : "s");
    }
    if (next != running)
        leave(next);
}

void wait_until(bool (*ready)(void *), void *of)
{
    fiber *f = &fibers[running];
    f->ready = ready;
    f->of = of;
    f->state = WAITING;
    pause_here();
}

/* Waiting: what schedule.h puts in the place of the system's. */

void *m4_schedule_self(void) { return (void *)(uintptr_t)(running < 0 ? 'A' : 'A' + running); }

static long schedule_futex(uint32_t *word, int operation, uint32_t value)
{
    if (running < 0 || attention != MODELLED)
        fail("a lock is held that nobody will release");
    point(true);
    if (operation == FUTEX_WAIT_PRIVATE) {
        if (*word != value) { /* the kernel reads the latest value */
            tell("  futex: the value has changed");
            return -1;
        }
        tell("  futex: sleeps");
        fibers[running].state = BLOCKED;
        fibers[running].futex = word;
        pause_here();
        return 0;
    }
    for (int t = 0; t < now_running->threads; t++)
        if (fibers[t].state == BLOCKED && fibers[t].futex == word) {
            fibers[t].state = READY;
            tell("  futex: wakes %c", 'A' + t);
            return 1;
        }
    tell("  futex: nobody sleeps");
    return 0;
}

/* futex is modelled, all threads have the id 1, and random bytes are all the same: schedules must replay. */
long m4_schedule_system(long number, ...)
{
    va_list more;
    uint32_t *word, value;
    int operation;
    va_start(more, number);
    if (number == SYS_getrandom) {
        void *bytes = va_arg(more, void *);
        size_t length = va_arg(more, size_t);
        va_end(more);
        memset(bytes, 7, length);
        return (long)length;
    }
    if (number == SYS_gettid) {
        va_end(more);
        return 1;
    }
    word = va_arg(more, uint32_t *);
    operation = va_arg(more, int);
    value = va_arg(more, uint32_t);
    va_end(more);
    return schedule_futex(word, operation, value);
}

int m4_schedule_yield(void)
{
    if (running < 0)
        return 0;
    tell("  gives way");
    fibers[running].state = YIELDED;
    pause_here();
    fibers[running].state = READY;
    return 0;
}

/* One schedule. */

static void fiber_main(int index)
{
    int next;
    if (_setjmp(fibers[index].base) == 0)
        _longjmp(outside, 1);
    tell("begins");
    now_running->body[running]();
    fibers[running].heap = *core_heap();
    fibers[running].state = DONE;
    tell("ends");
    next = decide();
    if (next >= 0)
        resume(next);
    for (int t = 0; t < now_running->threads; t++)
        if (fibers[t].state != DONE)
            pause_here(); /* says who waits */
    attention = UNSEEN;
    _longjmp(outside, 1);
}

static void crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    fail("signal %d: access to %p", number, info->si_addr);
}

void search_open(void)
{
    stack_t aside = {.ss_sp = malloc(STACK), .ss_size = STACK};
    struct sigaction action = {.sa_sigaction = crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    if (aside.ss_sp == NULL || sigaltstack(&aside, NULL) != 0 || sigaction(SIGSEGV, &action, NULL) != 0 ||
        sigaction(SIGBUS, &action, NULL) != 0)
        exit(2);
    for (volatile int t = 0; t < THREADS; t++) {
        fiber *f = &fibers[t];
        f->stack = malloc(STACK);
        if (f->stack == NULL || getcontext(&f->born) != 0)
            exit(2);
        f->born.uc_stack.ss_sp = f->stack;
        f->born.uc_stack.ss_size = STACK;
        f->born.uc_link = NULL;
        makecontext(&f->born, (void (*)(void))fiber_main, 1, t);
        if (_setjmp(outside) == 0)
            setcontext(&f->born);
    }
}

/* Nobody is inside the core: does the heap add up, and again when all have left it? */
static void check_heap(void)
{
    const char *wrong = core_account(WHEN_QUIET);
    if (wrong != NULL)
        fail("at the end: %s", wrong);
    core_collect();
    wrong = core_account(WHEN_LEFT);
    if (wrong != NULL)
        fail("when all threads have left: %s", wrong);
    blocks_check();
}

/* Run one schedule with the choices prescribed, the rest by default, and check what it leaves behind. */
static void run(const scenario *s)
{
    static void *heaps[THREADS];
    for (int t = 0; t < THREADS; t++) {
        heaps[t] = fibers[t].heap;
        fibers[t].state = FRESH;
    }
    step_count = choice_next = 0;
    failed = false;
    running = -1;
    plain_points = s->plain_points;
    memory_begin();
    blocks_begin();
    if (_setjmp(outside) == 0) {
        attention = MODELLED;
        resume(decide());
    }
    running = -1;
    if (!failed && _setjmp(outside) == 0) {
        attention = LOGGED;
        if (s->after != NULL)
            s->after();
        else
            check_heap();
    }
    attention = UNSEEN;
    memory_undo();
    running = -1;
    for (int t = 0; t < THREADS; t++)
        fibers[t].heap = heaps[t];
}

static void begin(const scenario *s, m4_findings *found)
{
    free(found->schedule);
    memset(found, 0, sizeof *found);
    now_running = s;
    attention = UNSEEN;
    running = -1;
    memory_forget();
    blocks_reset(s);
    core_open(s);
    running = -1;
    blocks_keep();
}

/* Write the schedule in single accesses, so that it does not depend on what the search knew to be shared. */
static void write_schedule(m4_findings *found)
{
    char *text = malloc((size_t)step_count * 16 + 1), *at = text;
    int length = 0;
    if (text == NULL)
        exit(2);
    for (int i = 0; i < step_count; i++) {
        const step *s = &steps[i];
        if (s->older) {
            at += sprintf(at, "%c%d~%d,", 'A' + s->thread, length + 1, s->older);
            length = s->length - 1;
        } else {
            length += s->length;
        }
        if (length != 0 && (i + 1 == step_count || steps[i + 1].thread != s->thread)) {
            at += sprintf(at, "%c%d,", 'A' + s->thread, length);
            length = 0;
        }
    }
    if (at > text)
        at--;
    *at = 0;
    found->schedule = text;
}

static void tally(m4_findings *found)
{
    found->schedules++;
    found->points += (uint64_t)step_count;
    if (step_count > found->longest)
        found->longest = step_count;
    if (failed) {
        found->failed = true;
        memcpy(found->failure, failure, sizeof failure);
        write_schedule(found);
    }
}

/* To the next schedule: the deepest choice with an alternative left takes it. */
static bool advance(void)
{
    choice_count = choice_next;
    while (choice_count > 0) {
        choice *c = &choices[choice_count - 1];
        if (c->taken + 1 < c->options) {
            c->taken++;
            return true;
        }
        choice_count--;
    }
    return false;
}

void search_bounded(const scenario *s, m4_bounds bounds, m4_findings *found)
{
    begin(s, found);
    mode = BOUNDED;
    choice_count = 0;
    for (;;) {
        preemptions_left = bounds.bound;
        stale_left = bounds.stale;
        run(s);
        if (learnt) { /* from the beginning, with more points */
            learnt = false;
            found->schedules = found->points = 0;
            found->longest = choice_count = 0;
            continue;
        }
        tally(found);
        if (found->failed)
            break;
        if (!advance()) {
            found->complete = true;
            break;
        }
        if (bounds.limit != 0 && found->schedules >= bounds.limit)
            break;
    }
    found->shared = memory_shared();
}

void search_random(const scenario *s, int stale, uint64_t schedules, uint64_t seed, m4_findings *found)
{
    uint64_t drawn;
    int length = 1;
    begin(s, found);
    mode = RANDOM;
    random_state = seed * 0x9E3779B97F4A7C15u | 1;
    while (found->schedules < schedules && !found->failed) {
        drawn = random_state;
        for (int t = 0; t < s->threads; t++)
            fibers[t].priority = (int)draw(1 << 20);
        for (int i = 0; i < LOWERINGS; i++)
            lower_at[i] = (int)draw((uint64_t)length);
        lowest = 0;
        stale_left = stale;
        run(s);
        if (learnt) { /* the same again, with more points */
            learnt = false;
            random_state = drawn;
            continue;
        }
        if (step_count > length)
            length = step_count;
        tally(found);
    }
    found->shared = memory_shared();
}

static void read_script(const char *text)
{
    const char *at = text;
    script = realloc(script, sizeof *script * UNITS);
    if (script == NULL)
        exit(2);
    script_length = 0;
    while (*at != 0) {
        char *end;
        long count = *at >= 'A' && *at < 'A' + THREADS ? strtol(at + 1, &end, 10) : 0, older = 0;
        if (count < 1 || count > UNITS - script_length)
            break;
        if (*end == '~' && (older = strtol(end + 1, &end, 10)) < 1)
            break;
        if ((*end != ',' && *end != 0) || older < 0 || older > 255)
            break;
        for (long i = 0; i < count; i++)
            script[script_length++] = (step){.thread = (uint8_t)(*at - 'A')};
        script[script_length - 1].older = (uint8_t)older;
        at = *end == ',' ? end + 1 : end;
    }
    if (*at != 0 || script_length == 0) {
        fprintf(stderr, "interleave: \"%.40s\" in the schedule is not a thread, its steps and perhaps ~ and what it reads, "
                        "as in A7,B3~1\n", at);
        exit(2);
    }
}

void search_replay(const scenario *s, const char *schedule, bool tell_it, m4_findings *found)
{
    read_script(schedule);
    begin(s, found);
    mode = REPLAY;
    do { /* until the addresses that are shared are known: they are the steps */
        learnt = false;
        preemptions_left = stale_left = UNITS;
        run(s);
    } while (learnt);
    telling = tell_it;
    preemptions_left = stale_left = UNITS;
    run(s);
    telling = false;
    if (failed && strncmp(failure, "the schedule does not fit", 25) == 0) {
        fprintf(stderr, "interleave: %s\n", failure);
        exit(2);
    }
    tally(found);
    found->shared = memory_shared();
}
