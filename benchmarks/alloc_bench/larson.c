/* A server: each thread replaces blocks of 8 to 1,000 bytes at random places of an array that it inherited, and after
 * some rounds starts its successor and ends. So most blocks are freed by another thread than the one that made them,
 * often by one whose maker is gone.
 *
 *     larson CHAINS GENERATIONS BLOCKS ROUNDS SEED
 *
 * CHAINS of threads at once, GENERATIONS one after another in each, BLOCKS of each chain; a thread makes ROUNDS times
 * BLOCKS replacements. */
#include "common.h"
#include <stdbool.h>

enum { LEAST = 8, MOST = 1000 };

struct place {
    void *block;
    size_t size;
    uint64_t cookie;
};

struct chain {
    struct work work;
    struct place *place;
    uint64_t serial, generations_left;
    pthread_t thread, predecessor;
    bool has_predecessor;
};

static uint64_t blocks, rounds;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t chain_ended = PTHREAD_COND_INITIALIZER;
static size_t running;

static void put(struct chain *chain, struct place *place) {
    place->size = LEAST + random_below(&chain->work, MOST - LEAST);
    place->block = allocate(&chain->work, place->size);
    place->cookie = mix(chain->serial++);
    fill_ends(place->block, place->size, place->cookie);
}

static void take(struct chain *chain, struct place *place) {
    fold_ends(&chain->work, place->block, place->size, place->cookie);
    release(&chain->work, place->block);
}

static void replace(struct chain *chain, uint64_t times) {
    for (uint64_t i = 0; i < times; i++) {
        struct place *place = &chain->place[random_below(&chain->work, blocks)];
        take(chain, place);
        put(chain, place);
    }
}

/* Allocate all, in an order that is then shuffled, and replace each about four times. */
static void prepare(struct chain *chain) {
    chain->place = allocate(&chain->work, blocks * sizeof *chain->place);
    for (uint64_t i = 0; i < blocks; i++) put(chain, &chain->place[i]);
    for (uint64_t i = blocks - 1; i > 0; i--) {
        uint64_t j = random_below(&chain->work, i + 1);
        struct place kept = chain->place[i];
        chain->place[i] = chain->place[j], chain->place[j] = kept;
    }
    replace(chain, 4 * blocks);
}

static void *serve(void *argument) {
    struct chain *chain = argument;
    if (chain->has_predecessor) pthread_join(chain->predecessor, NULL);
    replace(chain, rounds * blocks);
    if (--chain->generations_left > 0) {
        chain->predecessor = pthread_self();
        chain->has_predecessor = true;
        if (pthread_create(&chain->thread, NULL, serve, chain)) fail(1, "no more threads can be started");
        return NULL;
    }
    pthread_mutex_lock(&lock);
    running--;
    pthread_cond_signal(&chain_ended);
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {{"CHAINS", 1, MOST_THREADS},
                                             {"GENERATIONS", 1, UINT32_MAX},
                                             {"BLOCKS", 1, 1 << 24},
                                             {"ROUNDS", 1, UINT32_MAX},
                                             {"SEED", 0, UINT32_MAX}};
    static struct chain chain[MOST_THREADS];
    uint64_t value[5];
    parse_arguments(argc, argv, wanted, value, 5);
    running = value[0];
    blocks = value[2], rounds = value[3];
    for (size_t i = 0; i < value[0]; i++) {
        chain[i] = (struct chain){.work = new_work(value[4], i), .serial = i << 40, .generations_left = value[1]};
        prepare(&chain[i]);
    }
    for (size_t i = 0; i < value[0]; i++)
        if (pthread_create(&chain[i].thread, NULL, serve, &chain[i])) fail(1, "no more threads can be started");
    pthread_mutex_lock(&lock);
    while (running > 0) pthread_cond_wait(&chain_ended, &lock);
    pthread_mutex_unlock(&lock);
    struct work sum = {0};
    for (size_t i = 0; i < value[0]; i++) {
        pthread_join(chain[i].thread, NULL);
        for (uint64_t j = 0; j < blocks; j++) take(&chain[i], &chain[i].place[j]);
        release(&chain[i].work, chain[i].place);
        add_work(&sum, &chain[i].work);
    }
    return finish(&sum);
}
