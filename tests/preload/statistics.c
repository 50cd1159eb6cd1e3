/* Known numbers of calls, between two snapshots (m4alloc_stats_json, one line each on descriptor 1) that show them.
 *
 * Slots of 20,480 bytes and more are used by nobody else here. No stdio: it would allocate.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern int m4alloc_stats_json(int) __attribute__((weak));

enum { THREADS = 4, OWN = 300, PASSED = 200, KEPT = 7 };

static void show(void) {
    if (m4alloc_stats_json == NULL || m4alloc_stats_json(1) != 0) abort();
}

static pthread_barrier_t barrier;
static void *passed[THREADS][PASSED];

/* Each thread frees 300 blocks of its own and 200 of its neighbour's, and keeps 7. Nobody leaves, nor begins to free the
 * neighbour's, before all are there: a thread that comes late would inherit the heap of one that has gone. */
static void *works(void *argument) {
    int me = (int)(intptr_t)argument;
    void *own[OWN];
    for (int i = 0; i < OWN; i++) own[i] = malloc(20000);
    for (int i = 0; i < OWN; i++) free(own[i]);
    for (int i = 0; i < KEPT; i++)
        if (malloc(24000) == NULL) abort();
    for (int i = 0; i < PASSED; i++) passed[me][i] = malloc(28000);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < PASSED; i++) free(passed[(me + 1) % THREADS][i]);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void threads(void) {
    pthread_t thread[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, works, (void *)(intptr_t)i)) abort();
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
}

/* Four large blocks, one of them resized in place and one moved down to a slot; three are freed. */
static void large(void) {
    char *a = malloc(100000), *b = calloc(1000, 200), *c = aligned_alloc(1 << 20, 300000), *d = malloc(500000);
    d = realloc(d, 400000);
    free(a), free(b);
    c = realloc(c, 20000);
    free(c);
    if (d == NULL) abort();
}

/* Of the class of 20,480 bytes: three mallocs and three frees, one of each by the realloc that moves. */
static void resizes(void) {
    char *block = malloc(20000);
    block = realloc(block, 20400); /* fits: neither */
    block = realloc(block, 24000); /* moves: the new one is of another class */
    block = realloc(block, 20000); /* fits still */
    free(block);
    free(calloc(2, 10000));
    free(realloc(NULL, 20001));
}

static void small(void) {
    for (int i = 0; i < 1000; i++) free(malloc(100));
    free(malloc(0));
    free(NULL);
}

static void full_stacks(void) {
    static void *blocks[5000];
    for (int i = 0; i < 5000; i++) blocks[i] = malloc(100);
    for (int i = 0; i < 5000; i++) free(blocks[i]);
    malloc_trim(0);
}

static void double_free(void) {
    char *block = malloc(20000);
    free(block);
    free(block);
}

static const struct {
    const char *name;
    void (*body)(void);
} parts[] = {
    {"threads", threads}, {"large", large},           {"resizes", resizes},         {"small", small},
    {"nothing", show},    {"full_stacks", full_stacks}, {"double_free", double_free},
};

/* What is not between two snapshots but ends: the file that M4ALLOC_OPTIONS names shows it. */

static void *late;

__attribute__((destructor)) static void frees_late(void) { free(late); }

static int ends(const char *how, char **argv) {
    int status = 0;
    pid_t child;
    if (!strcmp(how, "late")) {
        late = malloc(20000);
    } else if (!strcmp(how, "killed")) {
        raise(SIGKILL);
    } else if (!strcmp(how, "_exit")) {
        _exit(malloc(20000) == NULL);
    } else if (!strcmp(how, "fork")) { /* the child has the parent's block and one of its own */
        late = malloc(20000);
        child = fork();
        if (child == 0) _exit(malloc(24000) == NULL);
        waitpid(child, &status, 0);
    } else if (!strcmp(how, "vfork")) { /* what it would write were its parent's */
        child = vfork();
        if (child == 0) _exit(3);
        waitpid(child, &status, 0);
    } else if (!strcmp(how, "exec")) {
        argv[1] = (char *)"late";
        execv("/proc/self/exe", argv);
    } else {
        return 2;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strcmp(argv[1], parts[i].name)) {
            show();
            parts[i].body();
            show();
            return 0;
        }
    return ends(argv[1], argv);
}
