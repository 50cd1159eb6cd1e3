/* Threads that come, go, are cancelled and fork. The first word names a case; each is right, and ends with status 0. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

enum { SLOTS = 512, KEPT = 64 };

/* Blocks go through a table: whoever finds one reads and frees it. */
static _Atomic(char *) shared[SLOTS];

static unsigned next_number(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return *seed / 65536;
}

static void *trade(void *number)
{
    unsigned seed = (unsigned)(size_t)number * 7919 + 1;
    for (int i = 0; i < 3000; i++) {
        size_t size = 8 + next_number(&seed) % 300;
        char *block = malloc(size), *old;
        for (size_t k = 0; k < size; k++)
            block[k] = (char)k;
        old = atomic_exchange(&shared[next_number(&seed) % SLOTS], block);
        if (old != NULL && old[7] != 7)
            abort();
        free(old);
    }
    return NULL;
}

static int traders(void)
{
    pthread_t thread[16];
    for (size_t i = 0; i < 16; i++)
        pthread_create(&thread[i], NULL, trade, (void *)i);
    for (size_t i = 0; i < 16; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < SLOTS; i++)
        free(shared[i]);
    return 0;
}

/* Threads whose keys' destructors free, when much of the thread is gone already. */
static pthread_key_t key;

static void destroy(void *block)
{
    ((char *)block)[0]++;
    free(block);
    free(malloc(40));
}

static void *brief(void *unused)
{
    char *block = malloc(100);
    pthread_setspecific(key, block);
    for (int i = 0; i < 100; i++) {
        char *volatile other = malloc((size_t)(10 + i));
        other[0] = 1;
        free(other);
    }
    (void)unused;
    return malloc(30);
}

/* Prints by how many KiB the process has grown in the second half of its threads. */
static int churn(void)
{
    enum { THREADS = 3000 };
    struct rusage before, after;
    pthread_key_create(&key, destroy);
    for (int i = 0; i < 2 * THREADS; i++) {
        pthread_t thread;
        void *result;
        if (i == THREADS)
            getrusage(RUSAGE_SELF, &before);
        if (pthread_create(&thread, NULL, brief, NULL) != 0)
            return 3;
        pthread_join(thread, &result);
        free(result);
    }
    getrusage(RUSAGE_SELF, &after);
    printf("%ld\n", after.ru_maxrss - before.ru_maxrss);
    return 0;
}

static void *wait_to_be_cancelled(void *busy)
{
    char *block = malloc(20);
    pthread_cleanup_push(free, block);
    while (busy != NULL) {
        free(malloc(10));
        pthread_testcancel();
    }
    for (;;)
        pause();
    pthread_cleanup_pop(1);
    return NULL;
}

static int cancel(void)
{
    for (size_t i = 0; i < 100; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, wait_to_be_cancelled, (void *)(i & 1));
        usleep(50);
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    return 0;
}

/* It has been cancelled and does not know yet; what it has printed is sent before its finding is told. */
static char *volatile freed;
static atomic_int stage;

static void *free_again(void *unused)
{
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    printf("printed");
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    stage = 1;
    while (stage != 2)
        ;
    free(freed);
    return unused;
}

static int cancel_a_report(void)
{
    char *volatile other = malloc(12);
    pthread_t thread;
    freed = malloc(10);
    free(freed);
    pthread_create(&thread, NULL, free_again, NULL);
    while (stage != 1)
        ;
    pthread_cancel(thread);
    stage = 2;
    pthread_join(thread, NULL);
    free(other);
    free(other);
    return 0;
}

static void *free_late(void *block)
{
    usleep(20000);
    free(block);
    return NULL;
}

static int main_ends_first(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, free_late, malloc(10));
    pthread_exit(NULL);
}

static int take(void *block)
{
    free(block);
    return 0;
}

static int threads_of_c11(void)
{
    thrd_t thread;
    int result = 1;
    if (thrd_create(&thread, take, malloc(10)) != thrd_success)
        return 3;
    return thrd_join(thread, &result) == thrd_success ? result : 4;
}

static void *free_often(void *unused)
{
    for (int i = 0; i < 100; i++)
        free(freed);
    return unused;
}

static int many_findings(void)
{
    pthread_t thread[32];
    freed = malloc(30);
    free(freed);
    for (int i = 0; i < 32; i++)
        pthread_create(&thread[i], NULL, free_often, NULL);
    for (int i = 0; i < 32; i++)
        pthread_join(thread[i], NULL);
    return 0;
}

/* Children are made while other threads allocate, and allocate themselves; one that hangs is ended by its alarm. */
static atomic_int stop;

static void *allocate(void *number)
{
    unsigned seed = (unsigned)(size_t)number;
    char *kept[KEPT] = {0};
    while (!stop) {
        char **one = &kept[next_number(&seed) % KEPT];
        size_t size = next_number(&seed) % 7 != 0 ? 16 + next_number(&seed) % 2000 : 40000 + next_number(&seed) % 60000;
        free(*one);
        *one = NULL;
        *one = malloc(size);
        (*one)[size - 1] = 1;
    }
    for (int i = 0; i < KEPT; i++)
        free(kept[i]);
    return NULL;
}

static void be_child(int number)
{
    char *volatile block[200];
    alarm(10);
    for (size_t i = 0; i < 200; i++) {
        block[i] = malloc(i == 100 ? 300000 : 10 + i * 40);
        block[i][0] = 1;
    }
    for (int i = 0; i < 200; i++)
        free(block[i]);
    if (number % 10 == 0)
        exit(0);
    _exit(0);
}

static int forks(void)
{
    pthread_t thread[4];
    int status = 0;
    for (size_t i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, allocate, (void *)(i + 1));
    for (int i = 0; i < 60 && status == 0; i++) {
        pid_t child = fork();
        if (child == 0)
            be_child(i);
        waitpid(child, &status, 0);
    }
    stop = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    return status != 0;
}

/* Others allocate when main returns. */
static int main_returns(void)
{
    pthread_t thread;
    for (size_t i = 0; i < 4; i++)
        pthread_create(&thread, NULL, allocate, (void *)(i + 1));
    usleep(20000);
    return 0;
}

/* A thread that has never been in the monitor forks. */
static void *fork_first(void *result)
{
    pid_t child = fork();
    if (child == 0) {
        char *volatile block = malloc(10);
        block[1] = 2;
        free(block);
        exit(0);
    }
    waitpid(child, result, 0);
    return NULL;
}

static int fork_in_a_new_thread(void)
{
    int status = 1;
    pthread_t thread;
    pthread_create(&thread, NULL, fork_first, &status);
    pthread_join(thread, NULL);
    return status;
}

int main(int count, char **words)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } cases[] = {{"traders", traders}, {"churn", churn}, {"cancel", cancel}, {"cancel_a_report", cancel_a_report},
                 {"main_ends_first", main_ends_first}, {"threads_of_c11", threads_of_c11},
                 {"many_findings", many_findings}, {"forks", forks}, {"main_returns", main_returns},
                 {"fork_in_a_new_thread", fork_in_a_new_thread}};
    for (size_t i = 0; count > 1 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(words[1], cases[i].name) == 0)
            return cases[i].run();
    return 99;
}
