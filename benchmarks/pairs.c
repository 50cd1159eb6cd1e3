/* Nanoseconds of a malloc/free pair. `pairs SECONDS-PER-CELL` prints `ROW NANOSECONDS` lines, one a cell: thread CPU
 * time, the least of several rounds. Which malloc is measured is the preloader's business.
 *
 * Compiled with -fno-builtin, so that the compiler knows nothing of malloc and removes no pair; the first byte of each
 * block is written through a volatile pointer. The loop around a pair costs about 1 ns and is included. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIVE = 1000, ROUNDS = 7 };

static unsigned char *block[LIVE];
static uint32_t order[LIVE];
static double seconds_per_cell;
static volatile unsigned char sink;

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static void shuffle(void) {
    uint64_t state = 42;
    for (uint32_t i = 0; i < LIVE; i++) order[i] = i;
    for (uint32_t i = LIVE - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(next_random(&state) % (i + 1)), kept = order[i];
        order[i] = order[j], order[j] = kept;
    }
}

/* Each body makes `pairs` pairs (a multiple of LIVE) of `size` bytes. */
typedef void body(size_t size, size_t pairs);

static void one_pair(size_t size, size_t pairs) {
    for (size_t i = 0; i < pairs; i++) {
        unsigned char *p = malloc(size);
        *(volatile unsigned char *)p = (unsigned char)i;
        free(p);
    }
}

static void allocate_all(size_t size) {
    for (size_t i = 0; i < LIVE; i++) {
        block[i] = malloc(size);
        *(volatile unsigned char *)block[i] = (unsigned char)i;
    }
}

static void lifo(size_t size, size_t pairs) {
    for (size_t done = 0; done < pairs; done += LIVE) {
        allocate_all(size);
        for (size_t i = LIVE; i-- > 0;) free(block[i]);
    }
}

static void fifo(size_t size, size_t pairs) {
    for (size_t done = 0; done < pairs; done += LIVE) {
        allocate_all(size);
        for (size_t i = 0; i < LIVE; i++) free(block[i]);
    }
}

static void random_order(size_t size, size_t pairs) {
    for (size_t done = 0; done < pairs; done += LIVE) {
        allocate_all(size);
        for (size_t i = 0; i < LIVE; i++) free(block[order[i]]);
    }
}

static void calloc_pair(size_t size, size_t pairs) {
    for (size_t i = 0; i < pairs; i++) {
        unsigned char *p = calloc(1, size);
        sink = p[size - 1];
        free(p);
    }
}

/* A string that grows by realloc from 16 bytes to 16 KiB, half as much again each time: one growth is one "pair". */
static void growth(size_t size, size_t pairs) {
    size_t done = 0;
    while (done < pairs) {
        unsigned char *p = NULL;
        for (size_t n = size; n < 16384; n += n / 2, done++) {
            p = realloc(p, n);
            *(volatile unsigned char *)(p + n - 1) = 1;
        }
        free(p);
    }
}

/* Twenty live blocks of 5 to 25 MiB, the oldest replaced in turn, the first byte of every page written. */
static void large_blocks(size_t size, size_t pairs) {
    static unsigned char *large[20];
    uint64_t state = 7;
    for (size_t i = 0; i < pairs; i++) {
        size_t bytes = size + next_random(&state) % (4 * size);
        free(large[i % 20]);
        large[i % 20] = malloc(bytes);
        for (size_t at = 0; at < bytes; at += 4096) large[i % 20][at] = 1;
    }
    for (size_t i = 0; i < 20; i++) free(large[i]), large[i] = NULL;
}

/* One thread allocates batches of 1,000 blocks, another frees them; process CPU time. */
static _Atomic(unsigned char **) handed;
static atomic_bool over;

static void *frees_batches(void *unused) {
    for (;;) {
        unsigned char **batch = atomic_exchange(&handed, NULL);
        if (!batch) {
            if (over) return unused;
            sched_yield();
            continue;
        }
        for (size_t i = 0; i < LIVE; i++) free(batch[i]);
        free(batch);
    }
}

static void producer_consumer(size_t size, size_t pairs) {
    pthread_t consumer;
    over = 0;
    if (pthread_create(&consumer, NULL, frees_batches, NULL)) abort();
    for (size_t done = 0; done < pairs; done += LIVE) {
        unsigned char **batch = malloc(LIVE * sizeof *batch);
        for (size_t i = 0; i < LIVE; i++) {
            batch[i] = malloc(size);
            batch[i][0] = (unsigned char)i;
        }
        while (atomic_load(&handed)) sched_yield();
        atomic_store(&handed, batch);
    }
    while (atomic_load(&handed)) sched_yield();
    over = 1;
    pthread_join(consumer, NULL);
}

static double once(body *run, size_t size, size_t pairs, clockid_t clock) {
    double start = now(clock);
    run(size, pairs);
    return now(clock) - start;
}

/* Choose how many pairs make seconds_per_cell / ROUNDS, then take the least of ROUNDS rounds. */
static void cell(const char *name, body *run, size_t size, size_t step, clockid_t clock) {
    size_t pairs = step;
    double spent = once(run, size, pairs, clock), wanted = seconds_per_cell / ROUNDS, least;
    while (spent < wanted / 4 && pairs < (size_t)1 << 30) spent = once(run, size, pairs *= 2, clock);
    double factor = wanted / (spent > 1e-9 ? spent : 1e-9);
    if (factor > 1) pairs = (size_t)((double)pairs * factor) / step * step;
    least = once(run, size, pairs, clock);
    for (int i = 1; i < ROUNDS; i++) {
        spent = once(run, size, pairs, clock);
        if (spent < least) least = spent;
    }
    printf("%s %.3f\n", name, least / (double)pairs * 1e9);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        body *run;
    } patterns[] = {{"pair", one_pair}, {"lifo", lifo}, {"fifo", fifo}, {"random", random_order}};
    static const size_t sizes[] = {16, 64, 256, 4096};
    if (argc != 2 || (seconds_per_cell = atof(argv[1])) <= 0) return 2;
    shuffle();
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
            char name[32];
            snprintf(name, sizeof name, "%zu-%s", sizes[s], patterns[p].name);
            cell(name, patterns[p].run, sizes[s], LIVE, CLOCK_THREAD_CPUTIME_ID);
        }
    cell("calloc-64", calloc_pair, 64, LIVE, CLOCK_THREAD_CPUTIME_ID);
    cell("calloc-4096", calloc_pair, 4096, LIVE, CLOCK_THREAD_CPUTIME_ID);
    cell("realloc-growth", growth, 16, LIVE, CLOCK_THREAD_CPUTIME_ID);
    cell("large-5-25MiB", large_blocks, 5 << 20, 20, CLOCK_THREAD_CPUTIME_ID);
    cell("producer-consumer-64", producer_consumer, 64, 100 * LIVE, CLOCK_PROCESS_CPUTIME_ID);
    return 0;
}
