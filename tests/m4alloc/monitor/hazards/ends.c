/* Processes: how they are made, what they are denied, and how they end. The first word names a case. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <m4alloc_monitor.h>

extern char **environ;
static char *volatile p;
static const char *hook = "";
static int hook_calls;
static sigjmp_buf back;

int m4alloc_on_violation(const struct m4alloc_violation *what)
{
    hook_calls++;
    if (strcmp(hook, "allocates") == 0) {
        free(strdup(what->report_class));
        return M4ALLOC_GO_ON;
    }
    if (strcmp(hook, "jumps") == 0)
        siglongjmp(back, 1);
    if (strcmp(hook, "exits") == 0)
        exit(9);
    if (strcmp(hook, "violates") == 0) {
        char *volatile block = malloc(5);
        free(block);
        if (hook_calls < 3)
            free(block);
        return M4ALLOC_GO_ON;
    }
    return M4ALLOC_AS_CONFIGURED;
}

static void free_twice(void)
{
    p = malloc(10);
    free(p);
    free(p);
}

static int status_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status); }

static int twice(void)
{
    puts("before");
    free_twice();
    return 3;
}

static int child_of_vfork(void)
{
    char *words[] = {"none", NULL};
    int status = 0;
    pid_t child;
    free_twice();
    child = vfork();
    if (child == 0) {
        execv("/no/such/program", words);
        _exit(127);
    }
    waitpid(child, &status, 0);
    return status_of(status) == 127 ? 0 : 5;
}

static int starts_others(void)
{
    char *words[] = {"sh", "-c", "exit 3", NULL};
    char line[20] = "";
    FILE *pipe;
    pid_t child;
    int status = 0;
    for (int i = 0; i < 10; i++)
        if (posix_spawn(&child, "/bin/sh", NULL, NULL, words, environ) != 0 || waitpid(child, &status, 0) != child ||
            status_of(status) != 3)
            return 5;
    if (status_of(system("exit 4")) != 4)
        return 6;
    pipe = popen("echo hello; exit 6", "r");
    if (pipe == NULL || fgets(line, sizeof line, pipe) == NULL || status_of(pclose(pipe)) != 6)
        return 7;
    return strcmp(line, "hello\n") != 0;
}

static int quick(void)
{
    free_twice();
    quick_exit(0);
}

static void close_stderr(void) { fclose(stderr); }

/* As GNU's tools end. */
static int closes_stderr(void)
{
    p = malloc(33);
    p = NULL;
    atexit(close_stderr);
    return 0;
}

static int closes_stderr_and_opens(void)
{
    FILE *file;
    fclose(stderr);
    file = fopen("data", "w"); /* its number is 2 */
    fputs("data", file);
    fflush(file);
    free_twice();
    fclose(file);
    return 0;
}

static int locks_memory(void)
{
    struct rlimit limit = {8 << 20, 8 << 20};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || (geteuid() == 0 && setuid(65534) != 0))
        return 77;
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        return 5;
    p = malloc(1 << 20);
    memset(p, 1, 1 << 20);
    free(p);
    return munlockall() != 0;
}

static int huge(void)
{
    const size_t gib = 1 << 30; /* of which few pages are touched */
    char *block = malloc(3 * gib);
    if (block == NULL)
        return 5;
    block[0] = block[3 * gib - 1] = 2;
    block = realloc(block, 4 * gib);
    if (block == NULL || block[3 * gib - 1] != 2)
        return 6;
    free(block);
    block = aligned_alloc(gib, 100);
    if (block == NULL || ((uintptr_t)block & (gib - 1)) != 0)
        return 7;
    block[99] = 1;
    free(block);
    block = malloc(1);
    for (size_t size = 2; size <= gib; size *= 2)
        (block = realloc(block, size))[size - 1] = 1;
    for (size_t size = gib; size != 0; size /= 2)
        (block = realloc(block, size))[size - 1] = 2;
    free(block);
    p = malloc(SIZE_MAX / 2);
    return p != NULL || calloc(gib * 8, gib * 8) != NULL ? 8 : 0;
}

static int many_blocks(void)
{
    enum { BLOCKS = 300000 };
    char **block = malloc(BLOCKS * sizeof *block);
    for (size_t i = 0; i < BLOCKS; i++) {
        block[i] = malloc(i % 100);
        if (i % 100 != 0)
            block[i][i % 100 - 1] = 1;
    }
    for (size_t i = 0; i < BLOCKS; i++)
        free(block[i]);
    free(block);
    return 0;
}

static void give_up(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

static __attribute__((noinline)) void free_twice_later(void) { free_twice(); }

/* A read that takes too long is left by a jump. */
static int gives_up_a_read(void)
{
    int ends[2];
    char *line = NULL;
    size_t room = 0;
    FILE *never = pipe(ends) == 0 ? fdopen(ends[0], "r") : NULL;
    signal(SIGALRM, give_up);
    if (sigsetjmp(back, 1) == 0) {
        ualarm(20000, 0);
        return getline(&line, &room, never) < 0 ? 5 : 6;
    }
    free_twice_later();
    return 0;
}

static int has_a_hook(void)
{
    for (volatile int i = 0; i < 5; i++)
        if (sigsetjmp(back, 1) == 0) {
            p = malloc((size_t)(10 + i));
            free(p);
            free(p);
        }
    return 0;
}

int main(int count, char **words)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } cases[] = {{"twice", twice}, {"child_of_vfork", child_of_vfork}, {"starts_others", starts_others},
                 {"quick", quick}, {"closes_stderr", closes_stderr},
                 {"closes_stderr_and_opens", closes_stderr_and_opens}, {"locks_memory", locks_memory},
                 {"huge", huge}, {"many_blocks", many_blocks}, {"gives_up_a_read", gives_up_a_read},
                 {"has_a_hook", has_a_hook}};
    if (count > 2)
        hook = words[2];
    for (size_t i = 0; count > 1 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(words[1], cases[i].name) == 0)
            return cases[i].run();
    return 99;
}
