/* Carries out a script (argv[1]): each step in a function of its own, so that the place in the code says which it was.
 * A log of what was done goes to stdout, with the addresses that it was done to.
 *
 * m SLOT SIZE | c SLOT SIZE | r SLOT SIZE | f SLOT BYTES | l SLOT OFFSET WIDTH | s SLOT OFFSET WIDTH | L NAME |
 * B NAME SLOT | t THREAD: the next steps are that thread's
 */
#include <m4alloc_label.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS 48
#define SLOTS 8
#define THREADS 3

struct step {
    char what, name[23];
    long first, second, third;
};

static struct step steps[STEPS];
static int count;
static char *slot[SLOTS];
static char *baton;
static char text[1 << 16];
static size_t filled;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn, at;

#define TELL(...) filled += (size_t)snprintf(text + filled, sizeof text - filled, __VA_ARGS__)

static inline __attribute__((always_inline)) void touch(int is_store, char *where, long width)
{
    if (is_store)
        switch (width) {
        case 1: *(volatile uint8_t *)where = 0; return;
        case 2: *(volatile uint16_t *)where = 0; return;
        case 4: *(volatile uint32_t *)where = 0; return;
        default: *(volatile uint64_t *)where = 0; return;
        }
    switch (width) {
    case 1: (void)*(volatile uint8_t *)where; return;
    case 2: (void)*(volatile uint16_t *)where; return;
    case 4: (void)*(volatile uint32_t *)where; return;
    default: (void)*(volatile uint64_t *)where; return;
    }
}

/* The log is written beforehand where the pointer will be gone. */
static inline __attribute__((always_inline)) void carry_out(int number, struct step *step)
{
    char *old = step->what == 'L' || step->what == 'B' || step->what == 't' ? NULL : slot[step->first];
    switch (step->what) {
    case 'm':
        slot[step->first] = malloc((size_t)step->second);
        TELL("%d %d m %ld %p\n", number, turn, step->second, slot[step->first]);
        break;
    case 'c':
        slot[step->first] = calloc(1, (size_t)step->second);
        TELL("%d %d c %ld %p\n", number, turn, step->second, slot[step->first]);
        break;
    case 'r': {
        char *moved = realloc(old, (size_t)step->second);
        TELL("%d %d r %ld %p %p\n", number, turn, step->second, moved, old);
        if (moved)
            slot[step->first] = moved;
        break;
    }
    case 'f':
        TELL("%d %d f %p\n", number, turn, old ? old + step->second : old);
        free(old ? old + step->second : old);
        break;
    case 'l':
    case 's':
        TELL("%d %d %c %ld %p\n", number, turn, step->what, step->third, old + step->second);
        touch(step->what == 's', old + step->second, step->third);
        break;
    case 'L':
        TELL("%d %d L %s\n", number, turn, step->name);
        M4ALLOC_LABEL(step->name);
        break;
    case 'B':
        TELL("%d %d B %s %p\n", number, turn, step->name, slot[step->first]);
        M4ALLOC_LABEL_OF(step->name, slot[step->first]);
        break;
    }
    __asm__ volatile("" ::: "memory");
}

#define STEP(n)                                                                                                        \
    __attribute__((noinline)) void step_##n(struct step *step) { carry_out(n, step); }
#define EIGHT(f, a, b, c, d, e, g, h, i) f(a) f(b) f(c) f(d) f(e) f(g) f(h) f(i)
#define ALL(f)                                                                                                         \
    EIGHT(f, 0, 1, 2, 3, 4, 5, 6, 7)                                                                                   \
    EIGHT(f, 8, 9, 10, 11, 12, 13, 14, 15)                                                                             \
    EIGHT(f, 16, 17, 18, 19, 20, 21, 22, 23)                                                                           \
    EIGHT(f, 24, 25, 26, 27, 28, 29, 30, 31)                                                                           \
    EIGHT(f, 32, 33, 34, 35, 36, 37, 38, 39)                                                                           \
    EIGHT(f, 40, 41, 42, 43, 44, 45, 46, 47)
ALL(STEP)
#define POINTER(n) step_##n,
static void (*const carry[])(struct step *) = {ALL(POINTER)};

/* A block goes from thread to thread, so that whatever one of them does is known to be later than what others did. */
__attribute__((noinline)) static void give(void)
{
    baton = malloc(8);
    TELL("-1 %d m 8 %p\n", turn, baton);
}

__attribute__((noinline)) static void take(void)
{
    if (baton == NULL)
        return;
    TELL("-1 %d f %p\n", turn, baton);
    free(baton);
    baton = NULL;
}

static void *work(void *argument)
{
    int me = (int)(intptr_t)argument;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (turn != me && at < count)
            pthread_cond_wait(&changed, &lock);
        if (turn != me)
            break;
        take();
        while (at < count && turn == me) {
            struct step *step = &steps[at++];
            if (step->what != 't') {
                carry[at - 1](step);
            } else if (step->first != turn) {
                give();
                turn = (int)step->first;
            }
        }
        if (turn == me)
            break;
        pthread_cond_broadcast(&changed);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(int argc, char **argv)
{
    static pthread_t threads[THREADS];
    int used = 1;
    char *here = argc > 1 ? argv[1] : "";
    TELL("%p\n", (void *)step_0);
    while (count < STEPS && *here) {
        struct step *step = &steps[count];
        step->what = *here++;
        if (step->what == 'L' || step->what == 'B') {
            size_t length;
            here++;
            length = strcspn(here, " ;");
            memcpy(step->name, here, length < 22 ? length : 22);
            here += length;
        }
        step->first = strtol(here, &here, 10);
        step->second = strtol(here, &here, 10);
        step->third = strtol(here, &here, 10);
        if (step->what == 't' && step->first >= used)
            used = (int)step->first + 1;
        here += *here == ';';
        count++;
    }
    for (int i = 1; i < used; i++)
        pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i);
    work(NULL);
    for (int i = 1; i < used; i++)
        pthread_join(threads[i], NULL);
    if (write(1, text, filled) != (ssize_t)filled)
        return 9;
    return 0;
}
