/* Sets labels in the way named: `labels HOW`. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <m4alloc_label.h>

enum { THREADS = 4, ROUNDS = 500, NAMES = 60, SPARE = 4100 };

static char *volatile kept;
static pthread_key_t key;
static volatile sig_atomic_t handled;

static void request(int leak)
{
    M4ALLOC_LABEL_SCOPE("request");
    char *block = malloc(24);
    M4ALLOC_LABEL_OF("parsed", block + 8);
    if (leak)
        kept = block;
    else
        free(block);
}

/* A pool of one block, which marks what it does as an allocator. */
static char pool[64];

static void *pool_take(void)
{
    M4ALLOC_MEM_ALLOCATE_START();
    M4ALLOC_MEM_ALLOCATE_END(pool);
    return pool;
}

static void pool_give(void *block)
{
    M4ALLOC_MEM_FREE_START(block);
    M4ALLOC_MEM_FREE_END(block);
}

static void say(const char *prefix, long number)
{
    char name[40]; /* another text in the same place each time */
    snprintf(name, sizeof name, "%s%ld", prefix, number);
    M4ALLOC_LABEL(name);
}

/* All threads meet each name for the first time together. */
static void *one_thread(void *meeting)
{
    for (long i = 0; i < NAMES; i++) {
        pthread_barrier_wait(meeting);
        say("shared", i);
    }
    for (int i = 0; i < ROUNDS; i++) {
        M4ALLOC_LABEL("work_start");
        free(malloc(16));
        M4ALLOC_LABEL("work_end");
    }
    return NULL;
}

static void on_thread_exit(void *unused)
{
    (void)unused;
    M4ALLOC_LABEL("last_words");
}

static void *short_thread(void *unused)
{
    pthread_setspecific(key, &key);
    return unused;
}

static void interrupt(int number)
{
    (void)number;
    M4ALLOC_LABEL("interrupt_start");
    handled++;
    M4ALLOC_LABEL("interrupt_end");
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    if (!strcmp(how, "requests") || !strcmp(how, "leak")) {
        request(0);
        request(!strcmp(how, "leak"));
        request(0);
    }
    if (!strcmp(how, "pool")) {
        pool_give(pool_take());
        pool_give(pool_take());
    }
    if (!strcmp(how, "overlap")) /* a second request before the first is answered */
        for (int i = 0; i < 2; i++)
            M4ALLOC_MEM_ALLOCATE_START();
    if (!strcmp(how, "inside") || !strcmp(how, "beside")) {
        M4ALLOC_LABEL("interrupt_start");
        kept = !strcmp(how, "inside") ? malloc(8) : NULL;
        M4ALLOC_LABEL("interrupt_end");
        free(kept);
        free(malloc(8));
    }
    if (!strcmp(how, "threads")) {
        pthread_t threads[THREADS];
        pthread_barrier_t meeting;
        pthread_barrier_init(&meeting, NULL, THREADS);
        for (int i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, one_thread, &meeting);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    if (!strcmp(how, "exits")) {
        pthread_t thread;
        pthread_key_create(&key, on_thread_exit);
        for (int i = 0; i < 40; i++) {
            pthread_create(&thread, NULL, short_thread, NULL);
            pthread_join(thread, NULL);
        }
    }
    if (!strcmp(how, "fork")) {
        M4ALLOC_LABEL("before");
        M4ALLOC_LABEL("both");
        if (fork() == 0) {
            M4ALLOC_LABEL("child");
            M4ALLOC_LABEL("both");
            _exit(0);
        }
        wait(NULL);
        M4ALLOC_LABEL("parent");
        M4ALLOC_LABEL("both");
    }
    if (!strcmp(how, "kill")) {
        free(malloc(1));
        M4ALLOC_LABEL("first");
        M4ALLOC_LABEL("doomed");
        raise(SIGKILL);
    }
    if (!strcmp(how, "many"))
        for (int round = 0; round < 2; round++)
            for (long i = 0; i < SPARE; i++) {
                errno = 77;
                say("n", i);
                if (errno != 77)
                    return 1;
            }
    if (!strcmp(how, "names")) {
        char name[101];
        memset(name, 'x', 100);
        name[100] = 0;
        M4ALLOC_LABEL(name);          /* 100 bytes */
        memcpy(name + 61, "\xe2\x82\xac", 3); /* a character of three bytes, of which one would fit */
        M4ALLOC_LABEL(name);
        name[61] = 0;
        M4ALLOC_LABEL(name);
        M4ALLOC_LABEL("\xff");
        M4ALLOC_LABEL("gr\xc3\xbc\xc3\x9f" "e");
        M4ALLOC_LABEL("");
    }
    if (!strcmp(how, "interrupts")) {
        struct itimerval often = {{0, 200}, {0, 200}};
        signal(SIGALRM, interrupt);
        setitimer(ITIMER_REAL, &often, NULL);
        for (int i = 0; i < 200000 && handled < 400; i++) {
            free(malloc(32));
            M4ALLOC_LABEL("main");
        }
        memset(&often, 0, sizeof often);
        setitimer(ITIMER_REAL, &often, NULL);
        return handled > 0 ? 0 : 1;
    }
    return 0;
}
