/* Each thread has 1,024 places and replaces the block at a random one of them, over and over; the size is drawn with
 * density proportional to size^-2 between 4 and 32,768 bytes, and the block is written whole.
 *
 *     glibc_thread THREADS REPLACEMENTS SEED
 *
 * REPLACEMENTS of each thread. Sizes and places come from tables of 8,000 and 4,096 entries, the same for all. */
#include "common.h"

enum { PLACES = 1024, SIZES = 8000, OFFSETS = 4 * PLACES, SMALLEST = 4, LARGEST = 32768 };

static uint32_t size_table[SIZES], place_table[OFFSETS];
static uint64_t replacements;

struct place {
    void *block;
    size_t size;
    uint64_t cookie;
};

struct worker {
    struct work work;
    uint64_t number;
    struct place place[PLACES];
};

/* The inverse of the distribution function: 1 / size is uniform. */
static uint32_t draw_size(struct work *work) {
    double uniform = (double)(next_random(work) >> 11) * 0x1p-53;
    return (uint32_t)(1 / (1.0 / SMALLEST - uniform * (1.0 / SMALLEST - 1.0 / LARGEST)));
}

static void empty(struct work *work, struct place *place) {
    if (place->block) fold(work, place->block, place->size, place->cookie);
    release(work, place->block);
}

static void *run(void *argument) {
    struct worker *worker = argument;
    struct work *work = &worker->work;
    for (uint64_t i = 0; i < replacements; i++) {
        struct place *place = &worker->place[place_table[i % OFFSETS]];
        empty(work, place);
        place->size = size_table[i % SIZES];
        place->block = allocate(work, place->size);
        place->cookie = mix(worker->number << 40 | i);
        fill(place->block, place->size, place->cookie);
    }
    for (size_t i = 0; i < PLACES; i++) empty(work, &worker->place[i]);
    return NULL;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {
        {"THREADS", 1, MOST_THREADS}, {"REPLACEMENTS", 1, (uint64_t)1 << 40}, {"SEED", 0, UINT32_MAX}};
    static struct worker worker[MOST_THREADS];
    uint64_t value[3];
    parse_arguments(argc, argv, wanted, value, 3);
    replacements = value[1];
    struct work sum = new_work(value[2], 0);
    for (size_t i = 0; i < SIZES; i++) size_table[i] = draw_size(&sum);
    for (size_t i = 0; i < OFFSETS; i++) place_table[i] = (uint32_t)random_below(&sum, PLACES);
    for (size_t i = 0; i < value[0]; i++) worker[i].number = i;
    in_threads(value[0], run, worker, sizeof *worker);
    for (size_t i = 0; i < value[0]; i++) add_work(&sum, &worker[i].work);
    return finish(&sum);
}
