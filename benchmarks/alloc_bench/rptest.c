/* Zeroed blocks whose size falls off linearly from 8 to 16,000 bytes: in a loop each thread frees and allocates 30 to
 * 100 at scattered places, and every second time allocates as many more and posts them to another thread, which frees
 * them. A block is written at its ends and once a page.
 *
 *     rptest THREADS CROSS LOOPS PLACES LEAST MOST SEED
 *
 * CROSS: a parcel is posted every CROSS loops, 0 for never. PLACES: blocks a thread can hold. LEAST, MOST: sizes. */
#include "common.h"
#include <stdatomic.h>

enum { PAGE = 4096, FEWEST = 30, MOST_AT_ONCE = 100, FREE_STRIDE = 41, ALLOCATION_STRIDE = 67, IN_STEP = 32 };

struct parcel {
    struct parcel *next;
    size_t count;
    unsigned char **block;
};

struct worker {
    struct work work;
    size_t number;
    uint64_t serial;
    _Atomic(struct parcel *) mail;
};

static struct worker worker[MOST_THREADS];
static pthread_barrier_t in_step; /* so that no thread's mail can pile up: they meet every IN_STEP loops */
static uint64_t threads, cross, loops, places, least, most;

/* The smaller of two uniform draws: the density falls off linearly. */
static size_t draw_size(struct work *work) {
    uint64_t range = most - least + 1, one = random_below(work, range), other = random_below(work, range);
    return least + (one < other ? one : other);
}

static void put_page(unsigned char *block, size_t at, size_t size) { block[at] = (unsigned char)(at / PAGE + size); }

static unsigned char *make(struct worker *self) {
    size_t size = draw_size(&self->work);
    unsigned char *block = allocate_zeroed(&self->work, 1, size);
    for (size_t at = 0; at < size; at += PAGE / 4)
        if (block[at]) contents_changed(size, at); /* calloc's promise */
    uint64_t head = ++self->serial << 20 | size;
    for (size_t at = PAGE; at + 8 < size; at += PAGE) put_page(block, at, size);
    block[size - 1] = 0xff;
    __builtin_memcpy(block, &head, sizeof head);
    return block;
}

static void dispose(struct work *work, unsigned char *block) {
    if (block) {
        uint64_t head;
        __builtin_memcpy(&head, block, sizeof head);
        size_t size = head & 0xfffff;
        if (size > sizeof head && block[size - 1] != 0xff) contents_changed(size, size - 1);
        for (size_t at = PAGE; at + 8 < size; at += PAGE)
            if (block[at] != (unsigned char)(at / PAGE + size)) contents_changed(size, at);
        work->digest += mix(head);
    }
    release(work, block);
}

static size_t how_many(struct work *work) { return FEWEST + random_below(work, MOST_AT_ONCE - FEWEST); }

static void open_mail(struct worker *self) {
    struct parcel *parcel = atomic_exchange(&self->mail, NULL), *next;
    for (; parcel; parcel = next) {
        next = parcel->next;
        for (size_t i = 0; i < parcel->count; i++) dispose(&self->work, parcel->block[i]);
        release(&self->work, parcel->block);
        release(&self->work, parcel);
    }
}

static void post(struct worker *self, struct worker *to, size_t count) {
    struct parcel *parcel = allocate(&self->work, sizeof *parcel);
    parcel->count = count;
    parcel->block = allocate(&self->work, count * sizeof *parcel->block);
    for (size_t i = 0; i < count; i++) parcel->block[i] = make(self);
    parcel->next = atomic_load(&to->mail);
    while (!atomic_compare_exchange_weak(&to->mail, &parcel->next, parcel));
}

static void *run(void *argument) {
    struct worker *self = argument;
    struct work *work = &self->work;
    unsigned char **place = allocate_zeroed(work, places, sizeof *place);
    size_t free_at = 0, allocate_at = 0;
    uint64_t posted = 0;
    for (uint64_t loop = 0; loop < loops; loop++) {
        size_t frees = how_many(work), allocations = how_many(work);
        for (size_t i = 0; i < frees; i++, free_at = (free_at + FREE_STRIDE) % places) {
            dispose(work, place[free_at]);
            place[free_at] = NULL;
        }
        open_mail(self);
        for (size_t i = 0; i < allocations; i++, allocate_at = (allocate_at + ALLOCATION_STRIDE) % places) {
            dispose(work, place[allocate_at]);
            place[allocate_at] = make(self);
        }
        if (cross && loop % cross == 0) {
            size_t away = threads > 1 ? 1 + posted++ % (threads - 1) : 0;
            post(self, &worker[(self->number + away) % threads], allocations);
        }
        if (loop % IN_STEP == IN_STEP - 1) pthread_barrier_wait(&in_step);
    }
    pthread_barrier_wait(&in_step);
    open_mail(self);
    for (size_t i = 0; i < places; i++) dispose(work, place[i]);
    release(work, place);
    return NULL;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {
        {"THREADS", 1, MOST_THREADS}, {"CROSS", 0, UINT32_MAX}, {"LOOPS", 1, UINT32_MAX}, {"PLACES", 1, 1 << 24},
        {"LEAST", 8, 1 << 19},        {"MOST", 8, 1 << 19},     {"SEED", 0, UINT32_MAX}};
    uint64_t value[7];
    parse_arguments(argc, argv, wanted, value, 7);
    threads = value[0], cross = value[1], loops = value[2], places = value[3], least = value[4], most = value[5];
    if (most < least) fail(2, "MOST: want at least LEAST");
    for (size_t i = 0; i < threads; i++)
        worker[i].work = new_work(value[6], i), worker[i].number = i, worker[i].serial = i << 32;
    pthread_barrier_init(&in_step, NULL, (unsigned)threads);
    in_threads(threads, run, worker, sizeof *worker);
    struct work sum = {0};
    for (size_t i = 0; i < threads; i++) add_work(&sum, &worker[i].work);
    return finish(&sum);
}
