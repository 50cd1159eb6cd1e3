/* Makes known numbers of calls and says how many: `calls threads N ROUNDS`, `calls fork ROUNDS`, `calls close ROUNDS`.
 * Each image writes one line `PID LOW HIGH NAME=COUNT ...`; LOW and HIGH bound its own code, so that its calls can be
 * told from those of the C library. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char __executable_start, etext;

enum { MALLOC, CALLOC, REALLOC, REALLOCARRAY, FREE, ALIGNED, MEMALIGN, POSIX, VALLOC, USABLE, KINDS };
static const char *const names[KINDS] = {"malloc",        "calloc",   "realloc",        "reallocarray", "free",
                                         "aligned_alloc", "memalign", "posix_memalign", "valloc",       "usable_size"};
static atomic_long counts[KINDS];
#define COUNTED(kind, call) (atomic_fetch_add(&counts[kind], 1), (call))

static long rounds;

static void *work(void *unused)
{
    (void)unused;
    for (long i = 0; i < rounds; i++) {
        char *p = COUNTED(MALLOC, malloc(1 + i % 300));
        p = COUNTED(REALLOC, realloc(p, 400));
        p = COUNTED(REALLOCARRAY, reallocarray(p, 10, 100));
        char *q = COUNTED(CALLOC, calloc(3, 50));
        COUNTED(USABLE, malloc_usable_size(q));
        COUNTED(FREE, free(p));
        COUNTED(FREE, free(q));
        COUNTED(FREE, free(NULL));
        if (i % 16 == 0) {
            void *r = NULL;
            COUNTED(POSIX, posix_memalign(&r, 64, 100));
            COUNTED(FREE, free(r));
            COUNTED(FREE, free(COUNTED(ALIGNED, aligned_alloc(32, 64))));
            COUNTED(FREE, free(COUNTED(MEMALIGN, memalign(128, 1))));
            COUNTED(FREE, free(COUNTED(VALLOC, valloc(10))));
        }
    }
    return NULL;
}

static void say(void)
{
    char line[1000];
    int length = snprintf(line, sizeof line, "%d %ld %ld", (int)getpid(), (long)&__executable_start, (long)&etext);
    for (int kind = 0; kind < KINDS; kind++)
        length += snprintf(line + length, sizeof line - length, " %s=%ld", names[kind], atomic_load(&counts[kind]));
    line[length++] = '\n';
    if (write(1, line, length) != length)
        abort();
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "threads")) {
        pthread_t threads[64];
        int count = atoi(argv[2]);
        rounds = atol(argv[3]);
        for (int i = 0; i < count; i++)
            pthread_create(&threads[i], NULL, work, NULL);
        for (int i = 0; i < count; i++)
            pthread_join(threads[i], NULL);
    } else if (argc == 3 && !strcmp(argv[1], "fork")) {
        rounds = atol(argv[2]);
        work(NULL);
        char *inherited = COUNTED(MALLOC, malloc(1000));
        for (int child = 0; child < 2; child++)
            if (fork() == 0) {
                for (int kind = 0; kind < KINDS; kind++)
                    atomic_store(&counts[kind], 0);
                work(NULL);
                COUNTED(FREE, free(inherited));
                say();
                if (child == 1)
                    execl(argv[0], argv[0], "threads", "2", argv[2], NULL);
                _exit(0);
            }
        while (wait(NULL) > 0)
            ;
        work(NULL);
    } else if (argc == 3 && !strcmp(argv[1], "close")) {
        rounds = atol(argv[2]);
        work(NULL);
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        work(NULL);
    } else
        return 2;
    say();
    return 0;
}
