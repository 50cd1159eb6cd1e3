/* Threads that begin in other ways than by pthread_create, and threads that end. The first word says what happens. */
#define _GNU_SOURCE
#include <m4alloc_label.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static char *volatile shared;
static volatile int has_run;

static int touch(void *unused)
{
    (void)unused;
    shared[0] = 2;
    return 0;
}

static void touch_in_time(union sigval unused)
{
    (void)unused;
    free(malloc(1)); /* the runtime hears of the thread */
    shared[0] = 2;
    has_run = 1;
}

static void *leave_something(void *key)
{
    pthread_setspecific(*(pthread_key_t *)key, malloc(10));
    return NULL;
}

static void *open_something(void *unused)
{
    M4ALLOC_LABEL("opened");
    free(malloc(20));
    return unused;
}

static void *ask_for_the_stack(void *unused)
{
    pthread_attr_t attributes; /* the first thing that the thread does, before any malloc */
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_destroy(&attributes);
    return unused;
}

static long kilobytes(const char *key)
{
    char line[200];
    long value = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            sscanf(line + strlen(key), "%ld", &value);
    fclose(file);
    return value;
}

static void churn(int threads)
{
    static pthread_key_t key;
    pthread_t thread;
    if (key == 0)
        pthread_key_create(&key, free);
    for (int i = 0; i < threads; i++) {
        pthread_create(&thread, NULL, leave_something, &key);
        pthread_join(thread, NULL);
    }
}

int main(int count, char **words)
{
    const char *what = words[count - 1];
    alarm(60);
    if (strcmp(what, "churn") == 0) {
        churn(2000);
        long size = kilobytes("VmSize:"), resident = kilobytes("VmRSS:");
        churn(4000);
        printf("%ld %ld\n", kilobytes("VmSize:") - size, kilobytes("VmRSS:") - resident);
        return 0;
    }
    if (strcmp(what, "owing") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, open_something, NULL);
        pthread_join(thread, NULL);
        churn(1500); /* somebody else has its memory by now */
        return 0;
    }
    if (strcmp(what, "ask") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, ask_for_the_stack, NULL);
        pthread_join(thread, NULL);
        return 0;
    }
    shared = malloc(16);
    shared[0] = 1;
    if (strcmp(what, "timer") == 0) {
        struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = touch_in_time};
        struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
        timer_t timer;
        timer_create(CLOCK_MONOTONIC, &event, &timer);
        timer_settime(timer, 0, &soon, NULL);
        while (!has_run)
            usleep(1000);
    } else if (strcmp(what, "thrd") == 0) {
        thrd_t thread;
        thrd_create(&thread, touch, NULL);
        thrd_join(thread, NULL);
    }
    M4ALLOC_LABEL("done");
    free(shared);
    return 0;
}
