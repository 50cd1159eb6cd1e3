/* Threads that live for one round: each allocates, keeps some blocks to its end, frees others at random and exchanges a
 * quarter with the other threads through 1,000 shared slots, of which half survive a round. Sizes are powers of two of
 * words, with rare blocks a hundred, a thousand and ten thousand times as large. Every word is written and checked.
 *
 *     mstress THREADS SCALE ROUNDS SEED
 *
 * 100 SCALE allocations of the first thread in a round, twice that of the second ... eight times of the eighth. */
#include "common.h"
#include <stdatomic.h>

enum { SHARED = 1000, STEP = 100000, SPREAD = 5, SPREAD_OF_KEPT = 7 };

static _Atomic(uint64_t *) shared[SHARED];
static uint64_t scale;

struct worker {
    struct work work;
    uint64_t number;
};

static int chance(struct work *work, unsigned percent) { return random_below(work, 100) < percent; }

/* Word 0 holds the number of words below a serial number, so that whoever gets the block knows how to read it. */
static uint64_t *make(struct work *work, uint64_t words, uint64_t serial) {
    if (chance(work, 1)) words *= chance(work, 1) ? 10000 : chance(work, 10) ? 1000 : 100;
    uint64_t *block = allocate(work, words * sizeof *block);
    block[0] = serial << 24 | words;
    fill(block + 1, (words - 1) * sizeof *block, mix(block[0]));
    return block;
}

static void dispose(struct work *work, uint64_t *block) {
    if (block) {
        uint64_t words = block[0] & 0xffffff;
        work->digest += mix(block[0]);
        fold(work, block + 1, (words - 1) * sizeof *block, mix(block[0]));
    }
    release(work, block);
}

static void *run(void *argument) {
    struct worker *worker = argument;
    struct work *work = &worker->work;
    uint64_t left = 100 * scale * (worker->number % 8 + 1), to_keep = left / 2;
    uint64_t serial = next_random(work) >> 44 << 20;
    uint64_t **kept = allocate(work, to_keep * sizeof *kept), **data = NULL;
    size_t kept_count = 0, count = 0, room = 0;
    while (left > 0 || to_keep > 0) {
        if (to_keep == 0 || (left > 0 && chance(work, 50))) {
            left--;
            if (count == room) data = reallocate(work, data, (room += STEP) * sizeof *data);
            data[count++] = make(work, (uint64_t)1 << random_below(work, SPREAD), serial++);
        } else {
            to_keep--;
            kept[kept_count++] = make(work, (uint64_t)1 << random_below(work, SPREAD_OF_KEPT), serial++);
        }
        if (count > 0 && chance(work, 66)) {
            size_t i = random_below(work, count);
            dispose(work, data[i]);
            data[i] = NULL;
        }
        if (count > 0 && chance(work, 25)) {
            size_t i = random_below(work, count);
            data[i] = atomic_exchange(&shared[random_below(work, SHARED)], data[i]);
        }
    }
    for (size_t i = 0; i < kept_count; i++) dispose(work, kept[i]);
    for (size_t i = 0; i < count; i++) dispose(work, data[i]);
    release(work, kept);
    release(work, data);
    return NULL;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {
        {"THREADS", 1, MOST_THREADS}, {"SCALE", 1, 1 << 20}, {"ROUNDS", 1, UINT32_MAX}, {"SEED", 0, UINT32_MAX}};
    static struct worker worker[MOST_THREADS];
    uint64_t value[4];
    parse_arguments(argc, argv, wanted, value, 4);
    scale = value[1];
    struct work work = new_work(value[3], MOST_THREADS);
    for (size_t i = 0; i < value[0]; i++) worker[i] = (struct worker){new_work(value[3], i), i};
    for (uint64_t round = 1; round <= value[2]; round++) {
        in_threads(value[0], run, worker, sizeof *worker);
        for (size_t i = 0; i < SHARED; i++)
            if (round == value[2] || chance(&work, 50)) dispose(&work, atomic_exchange(&shared[i], NULL));
    }
    for (size_t i = 0; i < value[0]; i++) add_work(&work, &worker[i].work);
    return finish(&work);
}
