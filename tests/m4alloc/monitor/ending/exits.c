/* What may be left to do when a program ends. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <m4alloc_label.h>
#define NEW(...) (keep = malloc(sizeof(__VA_ARGS__)), (void *)keep)
#define IS(name) (strcmp(argv[1], name) == 0)

static char *volatile p, *volatile q; /* so that no compiler sees what becomes of a block */
static void *volatile keep;
char *global;
#define FORGET(size) (q = malloc(size), q = NULL)
#define TOUCH(size) (keep = malloc(size), ((char *)keep)[0] = 1)

static void *forget(void *unused) { FORGET(2003); return NULL; }

static void *count_up(void *unused)
{
    for (int i = 0; i < 50000; i++) {
        q = malloc(8);
        free((void *)q);
    }
    FORGET(2004);
    return NULL;
}

static void late(void) { free(global); }

static void fork_and(void (*child)(void))
{
    int status;
    pid_t id = fork();
    if (id == 0) {
        child();
        exit(0);
    }
    waitpid(id, &status, 0);
    free((void *)p);
    exit(WIFEXITED(status) ? 10 + WEXITSTATUS(status) : 99);
}

static void nothing(void) {}
static void loses(void) { pthread_t t; FORGET(2002); pthread_create(&t, NULL, forget, NULL); pthread_join(t, NULL); }
static void touches(void) { TOUCH(2005); }
static void opens(void) { M4ALLOC_LABEL("opened"); }
static void *a_thread(void *unused) { M4ALLOC_LABEL("opened"); return NULL; }

int main(int argc, char **argv)
{
    if (IS("touched")) {
        for (int i = 1; i <= 3; i++) TOUCH(100 * i);
        p = malloc(50);
    } else if (IS("done")) {
        TOUCH(100);
        free(keep);
    } else if (IS("wiped")) {
        char *a = malloc(10);
        M4ALLOC_LABEL_OF("taken", a);
        free(a);
        keep = malloc(20);
        M4ALLOC_LABEL_OF("taken", keep);
    } else if (IS("opened")) {
        M4ALLOC_LABEL("opened");
    } else if (IS("closed")) {
        M4ALLOC_LABEL("opened");
        M4ALLOC_LABEL("closed");
    } else if (IS("thread")) {
        pthread_t t;
        pthread_create(&t, NULL, a_thread, NULL);
        pthread_join(t, NULL);
    } else if (IS("late")) {
        global = malloc(1001);
        atexit(late);
        q = global;
        q = NULL;
    } else if (IS("abort")) {
        FORGET(1001);
        fflush(stdout);
        abort();
    } else if (IS("_exit")) {
        FORGET(1001);
        _exit(0);
    } else if (IS("inherited")) {
        p = malloc(1001);
        FORGET(1002);
        fork_and(nothing);
    } else if (IS("child")) {
        FORGET(1002);
        fork_and(loses);
    } else if (IS("ahead")) {
        pthread_t t;
        pthread_create(&t, NULL, count_up, NULL);
        pthread_join(t, NULL);
        fork_and(loses);
    } else if (IS("child touches")) {
        TOUCH(1003);
        fork_and(touches);
    } else if (IS("child opens")) {
        fork_and(opens);
    } else if (IS("opened before")) {
        M4ALLOC_LABEL("opened");
        fork_and(nothing);
    } else {
        return 9;
    }
    return 0;
}
