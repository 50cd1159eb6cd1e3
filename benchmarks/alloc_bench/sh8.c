/* sh8bench's pattern: each thread fills a buffer with blocks of random sizes, mostly small, and when it is full frees
 * the first part oldest first and the last part newest first; the middle fifth is handed over in a shared slot, in
 * exchange for what another thread left there, which is freed here. So a fifth of the blocks is freed by another
 * thread.
 *
 *     sh8 THREADS FILLINGS BLOCKS SEED
 *
 * FILLINGS of the buffer of BLOCKS in each thread. A block is written at its ends. */
#include "common.h"
#include <stdatomic.h>

enum { PARTS = 5, SLOTS = 16 };

struct place {
    void *block;
    size_t size;
    uint64_t cookie;
};

struct parcel {
    size_t count;
    struct place place[];
};

struct worker {
    struct work work;
    uint64_t serial;
};

static _Atomic(struct parcel *) slot[SLOTS];
static uint64_t fillings, blocks;

/* Five of eight sizes are at most 64, one in eight is above 500. */
static size_t draw_size(struct work *work) {
    static const uint16_t most[] = {16, 32, 32, 64, 64, 128, 500, 1000};
    return 1 + random_below(work, most[random_below(work, sizeof most / sizeof *most)]);
}

static void take(struct work *work, struct place *place) {
    fold_ends(work, place->block, place->size, place->cookie);
    release(work, place->block);
}

static void open_parcel(struct work *work, struct parcel *parcel) {
    if (parcel)
        for (size_t i = 0; i < parcel->count; i++) take(work, &parcel->place[i]);
    release(work, parcel);
}

static void *run(void *argument) {
    struct worker *worker = argument;
    struct work *work = &worker->work;
    struct place *place = allocate(work, blocks * sizeof *place);
    size_t count = blocks / PARTS, from = 2 * count, to = from + count;
    for (uint64_t filling = 0; filling < fillings; filling++) {
        for (size_t i = 0; i < blocks; i++) {
            size_t size = draw_size(work);
            place[i] = (struct place){allocate(work, size), size, mix(worker->serial++)};
            fill_ends(place[i].block, size, place[i].cookie);
        }
        for (size_t i = 0; i < from; i++) take(work, &place[i]);
        for (size_t i = blocks; i-- > to;) take(work, &place[i]);
        struct parcel *parcel = allocate(work, sizeof *parcel + count * sizeof *parcel->place);
        parcel->count = count;
        for (size_t i = 0; i < count; i++) parcel->place[i] = place[from + i];
        open_parcel(work, atomic_exchange(&slot[random_below(work, SLOTS)], parcel));
    }
    release(work, place);
    return NULL;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {{"THREADS", 1, MOST_THREADS},
                                             {"FILLINGS", 1, UINT32_MAX},
                                             {"BLOCKS", PARTS, 1 << 24},
                                             {"SEED", 0, UINT32_MAX}};
    static struct worker worker[MOST_THREADS];
    uint64_t value[4];
    parse_arguments(argc, argv, wanted, value, 4);
    fillings = value[1], blocks = value[2];
    for (size_t i = 0; i < value[0]; i++) worker[i] = (struct worker){new_work(value[3], i), i << 40};
    in_threads(value[0], run, worker, sizeof *worker);
    struct work sum = {0};
    for (size_t i = 0; i < SLOTS; i++) open_parcel(&sum, atomic_load(&slot[i]));
    for (size_t i = 0; i < value[0]; i++) add_work(&sum, &worker[i].work);
    return finish(&sum);
}
