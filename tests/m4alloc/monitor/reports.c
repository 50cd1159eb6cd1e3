/* One program with a bug for each argument; tests/m4alloc/monitor/reports.py builds and runs it. */
#include <m4alloc_monitor.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))

char some_table[64];
static volatile int sink;

static APART char *make(size_t size) { char *made = malloc(size); made[0] = 1; return made; }
static APART void drop(char *block) { free(block); sink++; }
static inline __attribute__((always_inline)) int peek(const char *block) { return block[12]; }
static APART int use(const char *block) { int found = peek(block) + 1; sink++; return found; }
static APART void through_one(char *block) { drop(block); sink++; }
static APART void through_another(char *block) { drop(block); sink++; }

static APART int deep(int levels, char *block)
{
    int found;
    if (levels == 0)
        return use(block);
    found = deep(levels - 1, block) + 1;
    sink++;
    return found;
}

static void *drop_twice(void *block)
{
    for (int i = 0; i < 100; i++)
        drop(make(1 + i % 7));
    drop(block);
    drop(block);
    return NULL;
}

static void on_signal(int number)
{
    char *block = make(30);
    drop(block);
    drop(block);
}

static void handle(void (*handler)(int), int number, int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(number, &action, NULL);
}

static void ends_by_itself(int number) { _exit(9); }

#ifdef HOOK
static jmp_buf out;
static int calls;

int m4alloc_on_violation(const struct m4alloc_violation *what)
{
    calls++;
    printf("%s|%s|%s|%zu|%zu\n", what->report_class, what->property, what->verb, what->bytes, what->block_bytes);
    fflush(stdout);
    if (HOOK == 2)
        longjmp(out, 1);
    return HOOK;
}
#endif

static int is(const char *wanted, const char *given) { return strcmp(wanted, given) == 0; }

int main(int count, char **words)
{
    const char *what = words[1];
    char *block = make(20);
    char local[64];
    printf("buffered ");
#ifdef HOOK
    if (HOOK == 2 && setjmp(out) != 0) {
        printf("back after %d", calls);
        return 0;
    }
#endif
    if (is(what, "use")) {
        drop(block);
        return use(block);
    }
    if (is(what, "uses")) { /* the same of five blocks, and another */
        char *same[6];
        for (int i = 0; i < 6; i++)
            same[i] = make(24);
        for (int i = 0; i < 6; i++)
            drop(same[i]);
        for (int i = 0; i < 5; i++)
            use(same[i]);
        sink = same[5][3];
    }
    if (is(what, "many")) {
        for (int i = 0; i < 130; i++) {
            char *one = make(200 + i);
            drop(one);
            use(one);
        }
    }
    if (is(what, "deep")) {
        drop(block);
        return deep(20, block);
    }
    if (is(what, "behind")) {
        block[23] = 1;
    }
    if (is(what, "directly-behind"))
        block[20] = 1;
    if (is(what, "before")) {
        char *highest = make(3000);
        for (int i = 0; i < 8; i++) {
            char *other = make(3000);
            highest = other > highest ? other : highest;
        }
        sink = highest[-4];
    }
    if (is(what, "across"))
        memset(block + 15, 0, 8);
    if (is(what, "strlen")) {
        strcpy(block, "0123456789");
        drop(block);
        sink = (int)strlen(block);
    }
    if (is(what, "twice")) {
        drop(block);
        drop(block);
        block = NULL;
    }
    if (is(what, "inside"))
        free(block + 8);
    if (is(what, "local"))
        free(local + 16);
    if (is(what, "global"))
        free(some_table + 4);
    if (is(what, "mapped"))
        free((char *)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 64);
    if (is(what, "nowhere"))
        free((void *)0x1234560);
    if (is(what, "realloc")) {
        drop(block);
        block = realloc(block, 100);
    }
    if (is(what, "leak"))
        block = NULL;
    if (is(what, "callers")) { /* one site, one frame, two callers */
        char *other[40];
        for (int i = 0; i < 40; i++)
            other[i] = make(100);
        for (int i = 0; i < 40; i++)
            i % 2 ? through_one(other[i]) : through_another(other[i]);
        sink = other[38][0];
        sink = other[39][0];
    }
    if (is(what, "threads")) {
        pthread_t thread[8];
        for (int i = 0; i < 8; i++)
            pthread_create(&thread[i], NULL, drop_twice, make(64 + i));
        for (int i = 0; i < 8; i++)
            pthread_join(thread[i], NULL);
    }
    if (is(what, "fork")) {
        int status;
        drop(block);
        drop(block);
        block = NULL;
        if (fork() == 0)
            exit(5);
        wait(&status);
        printf("the child: %d", WEXITSTATUS(status));
    }
    if (is(what, "signal")) {
        static char stack[65536];
        stack_t alternate = {stack, 0, sizeof stack};
        sigaltstack(&alternate, NULL);
        handle(on_signal, SIGUSR1, SA_ONSTACK);
        raise(SIGUSR1);
    }
    if (is(what, "null"))
        *(volatile int *)8 = 1;
    if (is(what, "wild"))
        sink = *(volatile char *)0x200000000000;
    if (is(what, "own-handler")) {
        handle(ends_by_itself, SIGSEGV, 0);
        *(volatile int *)8 = 1;
    }
    if (is(what, "sent"))
        raise(SIGSEGV);
    if (is(what, "child-handler"))
        handle(ends_by_itself, SIGCHLD, 0);
    if (is(what, "child-handler") || is(what, "twice-and-exit")) {
        drop(block);
        drop(block);
        block = NULL;
    }
    if (is(what, "twice-and-exit"))
        exit(count > 2 ? atoi(words[2]) : 0);
    if (block != NULL)
        drop(block);
    return 0;
}
