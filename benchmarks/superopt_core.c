/* Pieces of the core before and after what docs/superopt-core.md says of them, side by side in one program.
 *
 * Each run_ function does `turns` turns of one form on one pattern and returns nanoseconds of CPU time a slot (or call).
 * What a turn changes is put back outside the time that is measured. The records are the core's, cut down. */
#include <stdint.h>
#include <string.h>
#include <time.h>

#define GROUPS 512
#define LANES UINT64_C(0x8080808080808080)
enum { FREE, LIVE, CACHED, DELAYED, REMOTE };

struct slot { char *address; uint8_t *state; };
struct slab { char *start; uint8_t *states; uint32_t slot_size, slots, free_slots, first_free; };

static uint8_t states[8 * GROUPS] __attribute__((aligned(64)));
static uint8_t pattern[8 * GROUPS];
static struct slot stack[8 * GROUPS];

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t eight(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static inline int any_zero(uint64_t word)
{
    return ((word - UINT64_C(0x0101010101010101)) & ~word & LANES) != 0;
}

static inline uint64_t lanes_in(uint64_t word, uint64_t state)
{
    return (LANES - (word ^ state * UINT64_C(0x0101010101010101))) & LANES;
}

static inline void lower_first_free(struct slab *slab, const uint8_t *state)
{
    uint32_t group = (uint32_t)(state - slab->states) >> 3;
    if (group < slab->first_free)
        slab->first_free = group;
}

__attribute__((noinline)) static uint32_t take_before(struct slab *slab, struct slot *into, uint32_t most)
{
    uint32_t group = slab->first_free, taken;
    if (most > slab->free_slots)
        most = slab->free_slots;
    if (most == 0)
        return 0;
    taken = most;
    struct slot *place = into + most;
    for (;; group++) {
        uint8_t *eight_states = slab->states + 8 * group;
        if (!any_zero(eight(eight_states)))
            continue;
        char *address = slab->start + (uint64_t)(8 * group) * slab->slot_size;
        for (int j = 0; j < 8; j++, address += slab->slot_size)
            if (eight_states[j] == FREE) {
                eight_states[j] = CACHED;
                place--;
                place->address = address;
                place->state = eight_states + j;
                if (--most == 0) {
                    slab->first_free = group;
                    slab->free_slots -= taken;
                    return taken;
                }
            }
    }
}

__attribute__((noinline)) static uint32_t take_after(struct slab *slab, struct slot *into, uint32_t most)
{
    uint32_t group = slab->first_free;
    if (most > slab->free_slots)
        most = slab->free_slots;
    if (most == 0)
        return 0;
    struct slot *place = into + most;
    for (;; group++) {
        uint8_t *eight_states = slab->states + 8 * group;
        char *address = slab->start + (uint64_t)(8 * group) * slab->slot_size;
        uint64_t lanes = lanes_in(eight(eight_states), FREE);
        if (lanes == LANES && place - into >= 8) {
            for (int i = 0; i < 8; i++) {
                eight_states[i] = CACHED;
                place--;
                place->address = address;
                place->state = eight_states + i;
                address += slab->slot_size;
            }
        } else {
            while (lanes != 0 && place != into) {
                uint64_t at = (uint64_t)__builtin_ctzll(lanes) >> 3;
                eight_states[at] = CACHED;
                place--;
                place->address = address + at * slab->slot_size;
                place->state = eight_states + at;
                lanes &= lanes - 1;
            }
        }
        if (place == into) {
            slab->first_free = group;
            slab->free_slots -= most;
            return most;
        }
    }
}

__attribute__((noinline)) static uint32_t collect_before(struct slab *slab)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < slab->slots; i += 8)
        if (any_zero(eight(slab->states + i) ^ REMOTE * UINT64_C(0x0101010101010101)))
            for (uint32_t j = i; j < i + 8; j++)
                if (slab->states[j] == REMOTE) {
                    slab->states[j] = FREE;
                    lower_first_free(slab, slab->states + j);
                    found++;
                }
    slab->free_slots += found;
    return found;
}

__attribute__((noinline)) static uint32_t collect_after(struct slab *slab)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < slab->slots; i += 8) {
        uint64_t lanes = lanes_in(eight(slab->states + i), REMOTE);
        if (lanes == 0)
            continue;
        lower_first_free(slab, slab->states + i);
        for (; lanes != 0; lanes &= lanes - 1, found++)
            slab->states[i + ((uint64_t)__builtin_ctzll(lanes) >> 3)] = FREE;
    }
    slab->free_slots += found;
    return found;
}

__attribute__((noinline)) static int aligned_before(const uint32_t *sizes, uint32_t classes, uint32_t c, uint64_t alignment)
{
    for (; c < classes; c++)
        if (sizes[c] % alignment == 0)
            return (int)c;
    return -1;
}

__attribute__((noinline)) static int aligned_after(const uint32_t *sizes, uint32_t classes, uint32_t c, uint64_t alignment)
{
    for (; c < classes; c++)
        if ((sizes[c] & (alignment - 1)) == 0)
            return (int)c;
    return -1;
}

/* tenths: of the slots that are `state`, drawn anew in each turn, so that no branch can be learnt; the rest is LIVE. */
static uint32_t draw(uint64_t *seed, unsigned tenths, uint8_t state)
{
    uint32_t count = 0;
    for (int i = 0; i < 8 * GROUPS; i++) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        pattern[i] = (*seed >> 33) % 10 < tenths ? state : LIVE;
        count += pattern[i] == state;
    }
    memcpy(states, pattern, sizeof states);
    return count;
}

/* Slots taken by 64, as a refill takes them. */
double run_take(int after, unsigned tenths, unsigned turns, uint64_t seed)
{
    uint64_t spent = 0, slots = 0;
    for (unsigned turn = 0; turn < turns; turn++) {
        uint32_t count = draw(&seed, tenths, FREE);
        struct slab slab = {(char *)4096, states, 48, 8 * GROUPS, count, 0};
        uint64_t began = now();
        while (slab.free_slots != 0)
            (after ? take_after : take_before)(&slab, stack, 64);
        spent += now() - began;
        slots += count;
    }
    return (double)spent / (double)slots;
}

double run_collect(int after, unsigned tenths, unsigned turns, uint64_t seed)
{
    uint64_t spent = 0, slots = 0;
    for (unsigned turn = 0; turn < turns; turn++) {
        uint32_t count = draw(&seed, tenths, REMOTE);
        struct slab slab = {(char *)4096, states, 48, 8 * GROUPS, 0, GROUPS};
        uint64_t began = now();
        (after ? collect_after : collect_before)(&slab);
        spent += now() - began;
        slots += count;
    }
    return (double)spent / (double)slots;
}

/* Calls for requests of up to 512 bytes, each class as likely; the classes are those of the default strategy. */
double run_aligned(int after, const uint32_t *sizes, uint32_t classes, uint64_t alignment, unsigned turns)
{
    volatile int keep = 0;
    uint64_t began = now();
    for (unsigned turn = 0; turn < turns; turn++)
        keep += (after ? aligned_after : aligned_before)(sizes, classes, turn % (classes / 2), alignment);
    return (double)(now() - began) / turns;
}

/* Both forms do the same on this pattern: states, slots, counts. */
int same(unsigned tenths, uint64_t seed, uint32_t most)
{
    static uint8_t first[8 * GROUPS];
    static struct slot taken[8 * GROUPS];
    uint64_t drawn = seed;
    uint32_t count = draw(&drawn, tenths, FREE);
    struct slab one = {(char *)4096, states, 48, 8 * GROUPS, count, 0}, two = one;
    uint32_t a = take_before(&one, taken, most);
    memcpy(first, states, sizeof states);
    memcpy(states, pattern, sizeof states);
    uint32_t b = take_after(&two, stack, most);
    if (a != b || memcmp(&one, &two, sizeof one) || memcmp(first, states, sizeof states) || memcmp(taken, stack, a * sizeof *taken))
        return 0;
    draw(&drawn, tenths, REMOTE);
    one.first_free = two.first_free = GROUPS;
    a = collect_before(&one);
    memcpy(first, states, sizeof states);
    memcpy(states, pattern, sizeof states);
    b = collect_after(&two);
    return a == b && !memcmp(&one, &two, sizeof one) && !memcmp(first, states, sizeof states);
}
