/* Signals, jumps and stacks of the program's own. The first word names a case; a right one ends with status 0. */
#define _GNU_SOURCE
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>
#include <m4alloc_label.h>

static char *volatile p;
static volatile sig_atomic_t hits;
static sigjmp_buf back;

static void every(int microseconds, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    if (handler != NULL)
        sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void access_it(int number)
{
    (void)number;
    p[hits++ % 32]++;
}

static void label_it(int number)
{
    (void)number;
    m4alloc_label("tick", NULL);
    m4alloc_label("tock", p);
    hits++;
}

static int storm(void (*handler)(int))
{
    p = malloc(32);
    every(50, handler);
    for (int i = 0; i < 100000; i++) {
        char *block = malloc((size_t)(10 + i % 700));
        block[i % 10] = 1;
        m4alloc_label("seen", p);
        if (i % 7 == 0)
            block = realloc(block, 1000);
        free(block);
    }
    every(0, NULL);
    free(p);
    return hits < 10;
}

static int accesses(void) { return storm(access_it); }

static int labels(void) { return storm(label_it); }

static void jump_back(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

static int jumps_out_of_handlers(void)
{
    char *block = malloc(16);
    for (volatile int i = 0; i < 100; i++)
        if (sigsetjmp(back, 1) == 0) {
            struct itimerval once = {{0, 0}, {0, 100}};
            signal(SIGALRM, jump_back);
            setitimer(ITIMER_REAL, &once, NULL);
            for (;;)
                block[i % 16]++;
        }
    free(block);
    return 0;
}

static void make_writable(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    hits++;
    if (info->si_addr == NULL)
        siglongjmp(back, 1);
    mprotect((void *)((uintptr_t)info->si_addr & ~UINT64_C(4095)), 4096, PROT_READ | PROT_WRITE);
}

static int faults_of_its_own(void)
{
    struct sigaction action = {.sa_sigaction = make_writable, .sa_flags = SA_SIGINFO};
    char *pages = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGSEGV, &action, NULL);
    pages[3] = 1;
    pages[4100] = 2;
    if (sigsetjmp(back, 1) == 0)
        *(volatile char *volatile)NULL = 1;
    return hits != 3;
}

static int recurse(int depth)
{
    char *block = malloc(20);
    int below;
    block[2] = 1;
    below = depth == 0 ? 0 : recurse(depth - 1) + block[2];
    free(block);
    return below;
}

static int deep(void) { return recurse(40000) != 40000; }

static void allocate(int number)
{
    (void)number;
    hits += recurse(20) == 20;
}

static int handlers_on_the_heap(void)
{
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536}, off = {.ss_flags = SS_DISABLE};
    struct sigaction action = {.sa_handler = allocate, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 200; i++)
        raise(SIGUSR1);
    sigaltstack(&off, NULL);
    free(stack.ss_sp);
    return hits != 200;
}

/* Coroutines whose stacks are blocks. */
enum { ROUTINES = 8, STACK = 64 << 10 };
static ucontext_t caller, routine[ROUTINES];
static char *stacks[ROUTINES];
static volatile int running;

static void work(int number)
{
    for (size_t i = 0; i < 50; i++) {
        char *block = malloc(10 + i);
        block[0] = 1;
        block = realloc(block, 200);
        swapcontext(&routine[number], &caller);
        block[100] = 2;
        free(block);
        recurse(30);
    }
    running--;
    swapcontext(&routine[number], &caller);
}

static void free_twice(int number)
{
    (void)number;
    p = malloc(10);
    free(p);
    free(p);
}

static void begin(int number, void (*what)(int))
{
    getcontext(&routine[number]);
    stacks[number] = malloc(STACK);
    routine[number].uc_stack.ss_sp = stacks[number];
    routine[number].uc_stack.ss_size = STACK;
    routine[number].uc_link = &caller;
    makecontext(&routine[number], (void (*)(void))what, 1, number);
    running++;
}

static int coroutines(void)
{
    for (int i = 0; i < ROUTINES; i++)
        begin(i, work);
    while (running != 0)
        for (int i = 0; i < ROUTINES; i++) {
            int before = running;
            if (stacks[i] == NULL)
                continue;
            swapcontext(&caller, &routine[i]);
            if (running < before) {
                free(stacks[i]);
                stacks[i] = NULL;
            }
        }
    return 0;
}

static int finding_in_a_coroutine(void)
{
    begin(0, free_twice);
    swapcontext(&caller, &routine[0]);
    free(stacks[0]);
    return 0;
}

static jmp_buf above;

static void go_down(int depth)
{
    volatile char array[depth + 1];
    char *more = alloca((size_t)depth + 8);
    array[depth] = 1;
    more[depth] = array[depth];
    p = malloc(8);
    p[0] = more[depth];
    free(p);
    if (depth == 0)
        longjmp(above, 1);
    go_down(depth - 1);
}

static int jumps(void)
{
    for (volatile int i = 0; i < 100; i++)
        if (setjmp(above) == 0)
            go_down(100);
    return 0;
}

static int finding_in_a_handler(void)
{
    signal(SIGUSR1, free_twice);
    raise(SIGUSR1);
    return 0;
}

int main(int count, char **words)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } cases[] = {{"accesses", accesses}, {"labels", labels}, {"jumps_out_of_handlers", jumps_out_of_handlers},
                 {"faults_of_its_own", faults_of_its_own}, {"deep", deep},
                 {"handlers_on_the_heap", handlers_on_the_heap}, {"coroutines", coroutines},
                 {"finding_in_a_coroutine", finding_in_a_coroutine}, {"jumps", jumps},
                 {"finding_in_a_handler", finding_in_a_handler}};
    for (size_t i = 0; count > 1 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(words[1], cases[i].name) == 0)
            return cases[i].run();
    return 99;
}
