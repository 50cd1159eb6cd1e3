/* Places of which a few are used much: each step picks a place by the 80/20 rule, applied six times over, frees the
 * block there or, when there is none, allocates one. Sizes follow a power law, half of them below 9 bytes, none above
 * 1,024; blocks are written and read whole.
 *
 *     alloc_test THREADS PLACES STEPS SEED
 *
 * PLACES are divided among the threads; each makes STEPS steps, after it filled every second place. */
#include "common.h"

enum { LEVELS = 6, DOUBLINGS = 7 };

struct place {
    void *block;
    size_t size;
};

struct worker {
    struct work work;
    uint64_t number;
};

static uint64_t places, steps;

/* Half of the sizes in 5..8, a quarter in 9..16, and so on; what is left goes to 513..1,024. */
static size_t draw_size(struct work *work) {
    uint64_t bits = next_random(work) >> 32;
    int doublings = __builtin_ctzll(bits | 1 << DOUBLINGS);
    return ((size_t)4 << doublings) + 1 + (bits >> (DOUBLINGS + 1)) % ((size_t)4 << doublings);
}

static uint64_t draw_place(struct work *work) {
    uint64_t first = 0, length = places;
    for (int level = 0; level < LEVELS && length >= 5; level++) {
        uint64_t hot = length / 5;
        if (random_below(work, 5) > 0)
            length = hot;
        else
            first += hot, length -= hot;
    }
    return first + random_below(work, length);
}

static void put(struct worker *worker, struct place *place, uint64_t index) {
    place->size = draw_size(&worker->work);
    place->block = allocate(&worker->work, place->size);
    fill(place->block, place->size, mix(worker->number << 32 | index));
}

static void take(struct worker *worker, struct place *place, uint64_t index) {
    fold(&worker->work, place->block, place->size, mix(worker->number << 32 | index));
    release(&worker->work, place->block);
    place->block = NULL;
}

static void *run(void *argument) {
    struct worker *worker = argument;
    struct place *place = allocate_zeroed(&worker->work, places, sizeof *place);
    for (uint64_t i = 0; i < places; i++)
        if (next_random(&worker->work) >> 63) put(worker, &place[i], i);
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t index = draw_place(&worker->work);
        if (place[index].block)
            take(worker, &place[index], index);
        else
            put(worker, &place[index], index);
    }
    for (uint64_t i = 0; i < places; i++)
        if (place[i].block) take(worker, &place[i], i);
    release(&worker->work, place);
    return NULL;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {{"THREADS", 1, MOST_THREADS},
                                             {"PLACES", MOST_THREADS, 1 << 28},
                                             {"STEPS", 1, (uint64_t)1 << 40},
                                             {"SEED", 0, UINT32_MAX}};
    static struct worker worker[MOST_THREADS];
    uint64_t value[4];
    parse_arguments(argc, argv, wanted, value, 4);
    places = value[1] / value[0];
    steps = value[2];
    for (size_t i = 0; i < value[0]; i++) worker[i] = (struct worker){new_work(value[3], i), i};
    in_threads(value[0], run, worker, sizeof *worker);
    struct work sum = {0};
    for (size_t i = 0; i < value[0]; i++) add_work(&sum, &worker[i].work);
    return finish(&sum);
}
