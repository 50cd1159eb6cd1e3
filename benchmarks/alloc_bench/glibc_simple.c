/* Waves of 25, 100, 400 and 1,600 blocks of one size, written whole; the first half of a wave is freed oldest first,
 * the second half newest first. Each size has four passes: two in a process that never had a second thread (the first
 * of them to warm up), one in a thread of its own, one in the main thread after that.
 *
 *     glibc_simple SIZE BLOCKS
 *
 * Sizes SIZE, 2 SIZE and 4 SIZE; BLOCKS for each pass and each length of wave. */
#include "common.h"

enum { LONGEST = 1600 };

struct pass {
    struct work work;
    size_t size;
    uint64_t blocks;
};

static void wave(struct work *work, size_t size, size_t length, uint64_t cookie) {
    unsigned char *block[LONGEST];
    for (size_t i = 0; i < length; i++) {
        block[i] = allocate(work, size);
        fill(block[i], size, mix(cookie + i));
    }
    for (size_t i = 0; i < length / 2; i++) {
        fold(work, block[i], size, mix(cookie + i));
        release(work, block[i]);
    }
    for (size_t i = length; i-- > length / 2;) {
        fold(work, block[i], size, mix(cookie + i));
        release(work, block[i]);
    }
}

static void *run_pass(void *argument) {
    static const size_t lengths[] = {25, 100, 400, LONGEST};
    struct pass *pass = argument;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (uint64_t done = 0; done + lengths[l] <= pass->blocks; done += lengths[l])
            wave(&pass->work, pass->size, lengths[l], done * LONGEST + l);
    return NULL;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {{"SIZE", 1, 1 << 20}, {"BLOCKS", 25, UINT32_MAX}};
    uint64_t value[2];
    parse_arguments(argc, argv, wanted, value, 2);
    struct pass pass = {.blocks = value[1]};
    for (int doubled = 0; doubled < 3; doubled++) {
        pass.size = value[0] << doubled;
        run_pass(&pass);
        run_pass(&pass);
        in_threads(1, run_pass, &pass, sizeof pass);
        run_pass(&pass);
    }
    return finish(&pass.work);
}
