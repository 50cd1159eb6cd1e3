/* Between the two frees, blocks of the class are freed and allocated as often as the window promises to last. */
#include "misuse.h"

struct m4alloc_info {
    uint32_t version, quarantine;
    uint64_t quarantine_limit;
};
const struct m4alloc_info *m4alloc_info(void) __attribute__((weak));

int main(void) {
    uint32_t window = m4alloc_info ? m4alloc_info()->quarantine : 0;
    char *block = malloc(100), *others[4096];
    if (window > 4096) window = 4096;
    for (uint32_t i = 0; i < window; i++) others[i] = malloc(100);
    printf("window %u\n", window);
    block_is(block, block);
    free(block);
    for (uint32_t i = 0; i + 1 < window; i++) {
        free(others[i]);
        others[i] = malloc(100);
        if (others[i] == block) printf("reused after %u frees\n", i + 1);
    }
    fflush(stdout);
    free(block);
    return went_on();
}
