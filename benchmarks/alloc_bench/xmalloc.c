/* Producers fill batches of 4,096 blocks, consumers free them: every block is freed by a thread that did not allocate
 * it. The batches wait in a list under one mutex with two condition variables and a flag that says all is produced.
 *
 *     xmalloc PAIRS BATCHES SIZE
 *
 * PAIRS producers and as many consumers; BATCHES of each producer; SIZE of a block in bytes, of which at most the first
 * 128 are written. The consumer reads every seventh block only: to read them all would fetch each from the producer's
 * cache, a price that some allocators pay in free and others do not. */
#include "common.h"
#include <stdbool.h>

enum { BLOCKS = 4096, MOST_WAITING = 100, MOST_WRITTEN = 128, READ_EVERY = 7 };

struct batch {
    struct batch *next;
    uint64_t cookie; /* of the first block; the others count on from it */
    void *block[BLOCKS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static struct batch *waiting;
static size_t waiting_count, producing;
static bool done;

static size_t size, written;
static uint64_t batches;

struct worker {
    struct work work;
    size_t number;
    bool produces;
};

static void put(struct batch *batch) {
    pthread_mutex_lock(&lock);
    while (waiting_count >= MOST_WAITING) pthread_cond_wait(&not_full, &lock);
    batch->next = waiting;
    waiting = batch;
    waiting_count++;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&lock);
}

/* The newest batch; NULL when all is produced and taken. */
static struct batch *take(void) {
    pthread_mutex_lock(&lock);
    while (!waiting && !done) pthread_cond_wait(&not_empty, &lock);
    struct batch *batch = waiting;
    if (batch) {
        waiting = batch->next;
        waiting_count--;
        pthread_cond_signal(&not_full);
    }
    pthread_mutex_unlock(&lock);
    return batch;
}

static void produce(struct worker *worker) {
    struct work *work = &worker->work;
    for (uint64_t i = 0; i < batches; i++) {
        struct batch *batch = allocate(work, sizeof *batch);
        batch->cookie = (worker->number * batches + i) * BLOCKS;
        for (size_t j = 0; j < BLOCKS; j++) {
            batch->block[j] = allocate(work, size);
            fill(batch->block[j], written, mix(batch->cookie + j));
        }
        put(batch);
    }
    pthread_mutex_lock(&lock);
    if (--producing == 0) {
        done = true;
        pthread_cond_broadcast(&not_empty);
    }
    pthread_mutex_unlock(&lock);
}

static void consume(struct worker *worker) {
    struct work *work = &worker->work;
    for (struct batch *batch; (batch = take());) {
        for (size_t j = 0; j < BLOCKS; j++) {
            if (j % READ_EVERY == 0) fold(work, batch->block[j], written, mix(batch->cookie + j));
            release(work, batch->block[j]);
        }
        release(work, batch);
    }
}

static void *run(void *argument) {
    struct worker *worker = argument;
    if (worker->produces)
        produce(worker);
    else
        consume(worker);
    return NULL;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {
        {"PAIRS", 1, MOST_THREADS / 2}, {"BATCHES", 1, UINT32_MAX}, {"SIZE", 1, 1 << 20}};
    static struct worker worker[MOST_THREADS];
    uint64_t value[3];
    parse_arguments(argc, argv, wanted, value, 3);
    size_t pairs = producing = value[0];
    batches = value[1];
    size = value[2];
    written = size < MOST_WRITTEN ? size : MOST_WRITTEN;
    for (size_t i = 0; i < 2 * pairs; i++) worker[i].number = i / 2, worker[i].produces = i % 2;
    in_threads(2 * pairs, run, worker, sizeof *worker);
    struct work sum = {0};
    for (size_t i = 0; i < 2 * pairs; i++) add_work(&sum, &worker[i].work);
    return finish(&sum);
}
