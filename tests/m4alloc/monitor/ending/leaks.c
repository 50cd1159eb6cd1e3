/* Where a program may keep a pointer, and where not: a case for each, by the first word. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <m4alloc_label.h>
#include <dlfcn.h>
#include <err.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#define NEW(...) (keep = malloc(sizeof(__VA_ARGS__)), (void *)keep)
#define IS(name) (strcmp(argv[1], name) == 0)

static char *volatile p, *volatile q; /* so that no compiler sees what becomes of a block */
static void *volatile keep;
struct node { struct node *left, *right; long value; };
char *global;
__thread char *mine;
static pthread_key_t key;
static sem_t ready;
extern size_t m4alloc_check_leaks(void) __attribute__((weak));
extern void m4alloc_ignore(const void *) __attribute__((weak));

#define FORGET(size) (q = malloc(size), q = NULL)

static struct node *tree(int depth)
{
    struct node *made = malloc(sizeof *made);
    made->left = depth == 0 ? NULL : tree(depth - 1);
    made->right = depth == 0 ? NULL : tree(depth - 1);
    return made;
}

__attribute__((noinline)) static void stale(void)
{
    char *volatile block = malloc(1101);
    block[0] = 1;
}

__attribute__((noinline)) static void leave(int how, char *held)
{
    char *volatile live = held;
    if (how == 0)
        exit(0);
    if (how == 1)
        errx(0, "leaves");
    _exit(live != NULL);
}

static void *hold(void *how)
{
    char *volatile on_stack = malloc(1201);
    mine = malloc(1202);
    pthread_setspecific(key, malloc(1203));
    if (how != NULL) {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL);
    }
    sem_post(&ready);
    if (how == (void *)2)
        for (volatile long i = 0;; i++)
            on_stack[0] = (char)i;
    for (;;)
        pause();
}

static void *lose(void *late)
{
    if (late != NULL)
        usleep(50000);
    char *volatile on_stack = malloc(1301);
    mine = malloc(1302);
    on_stack[0] = 1;
    return NULL;
}

static void with_threads(int count)
{
    pthread_t thread;
    sem_init(&ready, 0, 0);
    pthread_key_create(&key, NULL);
    for (long i = 0; i < count; i++) {
        pthread_create(&thread, NULL, hold, (void *)i);
        sem_wait(&ready);
    }
}

int main(int argc, char **argv)
{
    if (IS("forgotten")) {
        for (int i = 0; i < 3; i++) FORGET(1001);
    } else if (IS("freed")) {
        p = malloc(1001);
        free((void *)p);
    } else if (IS("global")) {
        global = malloc(1001);
    } else if (IS("interior")) {
        global = (char *)malloc(1001) + 500;
    } else if (IS("past")) {
        global = (char *)malloc(1001) + 1001;
    } else if (IS("empty")) {
        global = malloc(0);
    } else if (IS("tls")) {
        mine = malloc(1001);
    } else if (IS("chain")) {
        char **a = malloc(1001);
        a[0] = malloc(1002);
        *(char **)a[0] = malloc(1003);
        global = (char *)a;
        a = NULL;
    } else if (IS("tree")) {
        q = (char *)tree(9);
        q = NULL;
    } else if (IS("ring")) {
        struct node *a = tree(0), *b = tree(0);
        a->left = b;
        b->left = a;
        q = (char *)a;
        q = NULL;
    } else if (IS("merged")) {
        char **a = malloc(1001);
        char **b = malloc(1002);
        b[0] = (char *)a;
        q = (char *)b;
        q = NULL;
    } else if (IS("stale")) {
        stale();
    } else if (IS("main")) {
        char *volatile held = malloc(1001);
        held[0] = 1;
    } else if (IS("exit")) {
        leave(0, malloc(1001));
    } else if (IS("errx")) {
        leave(1, malloc(1001));
    } else if (IS("_exit")) {
        FORGET(1001);
        leave(2, NULL);
    } else if (IS("threads")) {
        with_threads(3);
    } else if (IS("ended")) {
        pthread_t t;
        pthread_create(&t, NULL, lose, NULL);
        pthread_join(t, NULL);
    } else if (IS("main ended")) {
        pthread_t t;
        char *volatile held = malloc(1401);
        held[0] = 1;
        pthread_create(&t, NULL, lose, (void *)1);
        pthread_exit(NULL);
    } else if (IS("protected")) {
        char *b = valloc(12288);
        mprotect(b + 4096, 4096, PROT_NONE);
        global = b;
        ((char **)b)[0] = malloc(1001);
        ((char **)(b + 8192))[0] = malloc(1002);
    } else if (IS("library")) {
        void *l = dlopen("./kept.so", RTLD_NOW);
        ((void (*)(void))dlsym(l, "keep"))();
        dlopen("none.so", 1);
        dlerror();
    } else if (IS("libc")) {
        setenv("A", "b", 1);
        FILE *f = fopen("/dev/null", "w");
        fputs("x", f);
        char *s = strdup("twelve chars");
        s = NULL;
    } else if (IS("large")) {
        FORGET(5000000);
        global = malloc(6000000);
        ((char **)(global + 5999992))[0] = malloc(1001);
    } else if (IS("check")) {
        for (int i = 0; i < 4; i++) FORGET(1001);
        return m4alloc_check_leaks() == 4 && m4alloc_check_leaks() == 4 ? 0 : 8;
    } else if (IS("ignored")) {
        char **b = malloc(1001);
        b[0] = malloc(1002);
        m4alloc_ignore(b);
        q = (char *)b;
        q = NULL;
        b = NULL;
        FORGET(1003);
    } else if (IS("many")) {
        struct node **all = malloc(1000000 * sizeof *all);
        for (int i = 0; i < 1000000; i++) all[i] = tree(0);
        global = (char *)all;
        FORGET(1001);
    } else {
        return 9;
    }
    return 0;
}
