/* One block at a time of a random multiple of 8 bytes, from 0 to 8,184, written at both ends and freed at once.
 *
 *     random_mixed BLOCKS SEED */
#include "common.h"

int main(int argc, char **argv) {
    static const struct argument wanted[] = {{"BLOCKS", 1, UINT64_MAX}, {"SEED", 0, UINT32_MAX}};
    uint64_t value[2];
    parse_arguments(argc, argv, wanted, value, 2);
    struct work work = new_work(value[1], 0);
    for (uint64_t i = 0; i < value[0]; i++) {
        size_t size = random_below(&work, 1024) * 8;
        void *block = allocate(&work, size);
        fill_ends(block, size, i);
        fold_ends(&work, block, size, i);
        release(&work, block);
    }
    return finish(&work);
}
