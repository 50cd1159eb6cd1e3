/* sh6bench's pattern: a buffer of blocks is filled; when it is full, one fifth of it, each time the next one, is kept,
 * the blocks before that fifth are freed oldest first and those after it newest first. Sizes: from each of a series
 * that grows by half, up to 1,000 bytes, all its halves down to one byte, the small ones more often.
 *
 *     sh6 THREADS ROUNDS BLOCKS
 *
 * ROUNDS of the whole series of sizes in each thread; BLOCKS in each buffer. A block is written at its ends. */
#include "common.h"

enum { LARGEST = 1000, PARTS = 5, OFTEN = 16 };

struct place {
    void *block;
    size_t size;
    uint64_t cookie;
};

struct worker {
    struct work work;
    struct place *place;
    size_t used, kept_from, kept_to; /* places [kept_from, kept_to) hold blocks of the last filling */
    uint64_t serial;
};

static uint64_t rounds, blocks;

static void take(struct work *work, struct place *place) {
    fold_ends(work, place->block, place->size, place->cookie);
    release(work, place->block);
}

static void empty_but_next_part(struct worker *worker) {
    worker->kept_from = worker->kept_to < blocks ? worker->kept_to : 0;
    worker->kept_to = worker->kept_from + blocks / PARTS;
    if (worker->kept_to > blocks) worker->kept_to = blocks;
    for (size_t i = 0; i < worker->kept_from; i++) take(&worker->work, &worker->place[i]);
    for (size_t i = blocks; i-- > worker->kept_to;) take(&worker->work, &worker->place[i]);
    worker->used = worker->kept_from == 0 ? worker->kept_to : 0;
}

static void put(struct worker *worker, size_t size) {
    struct place *place = &worker->place[worker->used++];
    *place = (struct place){allocate(&worker->work, size), size, mix(worker->serial++)};
    fill_ends(place->block, size, place->cookie);
    if (worker->used == worker->kept_from) worker->used = worker->kept_to;
    if (worker->used == blocks) empty_but_next_part(worker);
}

static void *run(void *argument) {
    struct worker *worker = argument;
    struct work *work = &worker->work;
    worker->place = allocate_zeroed(work, blocks, sizeof *worker->place);
    for (uint64_t round = 0; round < rounds; round++)
        for (size_t base = 1; base <= LARGEST; base += base / 2 + 1)
            for (size_t size = base; size > 0; size /= 2)
                for (size_t times = 1 + OFTEN / size; times > 0; times--) put(worker, size);
    for (size_t i = 0; i < worker->used; i++) take(work, &worker->place[i]);
    if (worker->used <= worker->kept_from) /* the kept part is not filled anew yet */
        for (size_t i = worker->kept_from; i < worker->kept_to; i++) take(work, &worker->place[i]);
    release(work, worker->place);
    return NULL;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {
        {"THREADS", 1, MOST_THREADS}, {"ROUNDS", 1, UINT32_MAX}, {"BLOCKS", 2 * PARTS, 1 << 24}};
    static struct worker worker[MOST_THREADS];
    uint64_t value[3];
    parse_arguments(argc, argv, wanted, value, 3);
    rounds = value[1], blocks = value[2];
    for (size_t i = 0; i < value[0]; i++) worker[i].serial = i << 40;
    in_threads(value[0], run, worker, sizeof *worker);
    struct work sum = {0};
    for (size_t i = 0; i < value[0]; i++) add_work(&sum, &worker[i].work);
    return finish(&sum);
}
