"""The C of reproducers: how a program says what is wrong, and how it runs threads, forks and ends.

A line that ends in `//trait` stands only in programs of that trait: `threads` or `single`, `refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping

BASICS: Mapping[str, str] = {
    "refusals": """\
static uint64_t (*refusals)(void); /* libm4alloc.so: the calls of this thread that it refused as misuse */
static _Thread_local uint64_t refused_before;
""",
    "step": """\
/* Say what comes next, and preset errno, so that what a call leaves there shows. */
static void step(const char *text)
{
    now = text;
    begun++;
    latest = text; //threads
    misused = misused ? 2 : 0; //misuse
    refused_before = refusals ? refusals() : 0; //refusals
    errno = SENTINEL;
}
""",
    "say": """\
/* Written without stdio's buffers, which would come from the allocator under test. */
__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments)
{
    char line[600];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    length = length < (int)sizeof line - 1 ? length : (int)sizeof line - 2;
    line[length++] = '\\n';
    if (write(STDOUT_FILENO, line, (size_t)length) < 0)
        _exit(3);
}
""",
    "end": """\
__attribute__((noreturn, format(printf, 2, 3))) static void end(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    _exit(status);
}
""",
    "WRONG": """\
#define WRONG(rule, format, ...) end(1, "%s: at \\"%s\\": " format, rule, now, __VA_ARGS__)
""",
    "on_signal": """\
/* A crash, or no step begun for so long that a call hangs. */
static void on_signal(int number)
{
    static unsigned before;
    if (number == SIGALRM && (begun != before || waiting)) {
        before = begun;
        alarm(SECONDS);
        return;
    }
    if (misused == 1 || (misused && !ENDS))
        end(0, "not reproduced: ended by signal %d at \\"%s\\", after the client broke its side", number, now);
    if (number == SIGALRM)
        end(1, "call-returns: no answer within %d s; the last step begun: \\"%s\\"", SECONDS, latest); //threads
        end(1, "call-returns: no answer within %d s at \\"%s\\"", SECONDS, now); //single
    WRONG(touching ? "block-accessible" : "call-returns", "signal %d%s", number,
          touching ? " when the client used its block" : "");
}
""",
    "watch": """\
static void watch(void)
{
    static _Thread_local char stack[1 << 14]; /* the thread's own may be used up when it crashes */
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (const int *one = (int[]){SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGALRM, 0}; *one; one++)
        sigaction(*one, &(struct sigaction){.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART}, NULL);
}
""",
    "same_addresses": """\
/* Addresses are then the same at each run, as they were when this was found. Where it is not allowed they are not. */
static void same_addresses(void)
{
    static const char again[] = "reproduce, again";
    int set = personality(0xffffffff);
    if (set >= 0 && !(set & ADDR_NO_RANDOMIZE) && strcmp(program_invocation_name, again) &&
        personality((unsigned long)set | ADDR_NO_RANDOMIZE) >= 0)
        execl("/proc/self/exe", again, (char *)NULL);
}
""",
    "find": """\
static void *find(const char *symbol)
{
    void *found = dlsym(RTLD_DEFAULT, symbol);
    if (!found)
        end(2, "this allocator exports no %s", symbol);
    return found;
}
""",
    "preloaded": """\
/* Whether any other malloc than the C library's is in use: without one nothing is shown, or of the wrong allocator. */
static void preloaded(void)
{
    Dl_info own, libc;
    if (dladdr(find("malloc"), &own) && dladdr(find("abort"), &libc) && own.dli_fbase == libc.dli_fbase)
        end(2, "%s", "malloc is the C library's own: run it with LD_PRELOAD, as the comment at the top says");
}
""",
}
"""Saying where the program is and what is wrong, each below what it needs."""
RUNNERS: Mapping[str, str] = {
    "limit_memory": """\
/* From here on the process may map so many bytes more than now. */
static void limit_memory(size_t more)
{
    char text[64] = {0};
    int file = open("/proc/self/statm", O_RDONLY);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0)
        end(2, "%s", "/proc/self/statm cannot be read");
    close(file);
    rlim_t in_use = strtoull(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
    setrlimit(RLIMIT_AS, &(struct rlimit){in_use + more, RLIM_INFINITY});
}
""",
    "wait_for_child": """\
/* The child has said what was wrong: this process ends as it did. */
static void wait_for_child(pid_t child)
{
    int status = 0;
    if (child < 0)
        end(2, "%s", "fork failed");
    waiting = 1; /* the child looks after itself */
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    waiting = 0;
    if (WIFSIGNALED(status))
        WRONG("call-returns", "signal %d in the child", WTERMSIG(status));
    if (WEXITSTATUS(status))
        _exit(WEXITSTATUS(status));
}
""",
    "fork_here": """\
static pid_t fork_here(void)
{
    lock(); //threads
    pid_t child = fork();
    unlock(); //threads
    if (child == 0) {
        waiting = 0;
        alarm(SECONDS); /* a child does not inherit it */
    }
    return child;
}
""",
    "go_on_in_child": """\
static void go_on_in_child(void)
{
    pid_t child = fork_here();
    if (child == 0) {
        memset(worker, 0, sizeof worker); /* the threads stayed behind */ //threads
        return;
    }
    wait_for_child(child);
    _exit(0);
}
""",
    "go_on_in_parent": """\
static void go_on_in_parent(void)
{
    pid_t child = fork_here();
    if (child == 0)
        _exit(0);
    wait_for_child(child);
}
""",
    "serve": """\
static pthread_key_t leaving; //leaves
static void serve(void *argument)
{
    struct worker *self = argument;
    for (;;) {
        while (sem_wait(&self->go))
            ;
        if (self->leaves) { //leaves
            self->leaves = 0; //leaves
            pthread_setspecific(leaving, self); //leaves
            sem_post(&self->done); //leaves
            return; //leaves
        } //leaves
        if (!self->work)
            return;
        self->work();
        sem_post(&self->done);
    }
}
""",
    "run": """\
static void *run(void *argument)
{
    watch();
    serve(argument);
    return NULL;
}
""",
    "start": """\
static void start(int thread, void (*work)(void))
{
    struct worker *one = &worker[thread];
    one->work = work;
    if (!one->running) {
        sem_init(&one->go, 0, 0);
        sem_init(&one->done, 0, 0);
        pthread_attr_t small; /* a limit on memory may be in force */
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 1 << 18);
        if (pthread_create(&one->handle, &small, run, one))
            end(2, "%s", "no thread could be created");
        one->running = 1;
    }
    sem_post(&one->go);
}
""",
    "wait_until_done": """\
static void wait_until_done(int thread)
{
    while (sem_wait(&worker[thread].done))
        ;
}
""",
    "on_thread": """\
/* One step by its turn: nothing else runs meanwhile. */
static void on_thread(int thread, void (*work)(void))
{
    start(thread, work);
    wait_until_done(thread);
}
""",
    "end_thread": """\
static void end_thread(int thread)
{
    if (!worker[thread].running)
        return;
    start(thread, NULL);
    pthread_join(worker[thread].handle, NULL);
    worker[thread].running = 0;
}
""",
    "leave_thread": """\
/* The thread returns; it goes on in a destructor of its own data, whose key is younger than the allocator's. */
static void leave_thread(int thread)
{
    static int made;
    if (!made && pthread_key_create(&leaving, serve))
        end(2, "%s", "no key for thread-specific data");
    made = 1;
    worker[thread].leaves = 1;
    on_thread(thread, NULL);
}
""",
    "meet": """\
/* Wait until every thread of the section is here, so that they run at the same time. */
static atomic_int absent;
static void meet(void)
{
    atomic_fetch_sub(&absent, 1);
    for (int spins = 0; atomic_load(&absent) > 0; spins++)
        if (spins > 100000) /* a processor for each thread, if there are as many */
            sched_yield();
}
""",
    "uses": """\
static atomic_int uses[BLOCKS]; /* steps of the section that have touched a block */
""",
    "await": """\
/* Wait for the `count` earlier steps of the section that touch the same block. */
static void await(int which, int count)
{
    for (int spins = 0; atomic_load(&uses[which]) < count; spins++)
        if (spins > 1000)
            sched_yield();
}
""",
}
"""Threads, forks and limits, each below what it needs."""
