/* Twenty live blocks of LEAST to 5 LEAST MiB, a random one replaced at a time, the new one allocated before the old one
 * is freed; each is cleared as a whole, and a word of every page is written and read back.
 *
 *     malloc_large REPLACEMENTS LEAST SEED */
#include "common.h"

enum { LIVE = 20, PAGE = 4096 };

static size_t least;

struct large {
    unsigned char *block;
    size_t size;
    uint64_t cookie;
};

/* The whole pages of a block, of which there are at least that many wherever it lies: two blocks that share a page
 * write the same word of it. */
static unsigned char *first_page(const struct large *large) {
    return large->block + (-(uintptr_t)large->block & (PAGE - 1));
}

static size_t pages(const struct large *large) { return large->size / PAGE - 1; }

static struct large make(struct work *work, uint64_t serial) {
    struct large large = {.size = least + random_below(work, 4 * least + 1), .cookie = mix(serial)};
    large.block = allocate(work, large.size);
    memset(large.block, 0, large.size);
    for (size_t i = 0; i < pages(&large); i++) fill(first_page(&large) + i * PAGE, 8, large.cookie + i);
    return large;
}

static void dispose(struct work *work, const struct large *large) {
    for (size_t i = 0; i < pages(large); i++) fold(work, first_page(large) + i * PAGE, 8, large->cookie + i);
    release(work, large->block);
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {
        {"REPLACEMENTS", 0, UINT32_MAX}, {"LEAST", 1, 512}, {"SEED", 0, UINT32_MAX}};
    uint64_t value[3];
    parse_arguments(argc, argv, wanted, value, 3);
    least = value[1] << 20;
    struct work work = new_work(value[2], 0);
    struct large live[LIVE];
    for (uint64_t i = 0; i < LIVE; i++) live[i] = make(&work, i);
    for (uint64_t i = 0; i < value[0]; i++) {
        struct large *old = &live[random_below(&work, LIVE)], fresh = make(&work, LIVE + i);
        dispose(&work, old);
        *old = fresh;
    }
    for (size_t i = 0; i < LIVE; i++) dispose(&work, &live[i]);
    return finish(&work);
}
