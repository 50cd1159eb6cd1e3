/* Memory that the program has locked (mlock): the system does not drop such pages, and puts no guard markers there. */
#include "check.h"

#include <sys/mman.h>

/* Locks a part of each block and never unlocks it; calloc still gives zeros. */
static void recycle_locked(size_t size, int rounds) {
    size_t old = 0;
    for (int i = 0; i < rounds; i++) {
        unsigned char *block = calloc(1, size);
        if (block == NULL) abort();
        for (size_t at = 0; at < size; at++) old += block[at] != 0;
        mlock(block, size / 4); /* what RLIMIT_MEMLOCK forbids is left unlocked */
        memset(block, 42, size);
        free(block);
    }
    EXPECT(old == 0, "%zu bytes of old contents", old);
}

CHECK(locked_large_blocks_come_back_zeroed) { recycle_locked(1 << 18, 400); }

CHECK(locked_small_blocks_come_back_zeroed) { recycle_locked(4000, 1000); }

CHECK(small_blocks_lie_where_locked_large_ones_were) {
    for (int i = 0; i < 400; i++) {
        unsigned char *block = malloc(1 << 18);
        if (block == NULL) abort();
        mlock(block, 1 << 16);
        memset(block, 42, 1 << 18);
        free(block);
    }
    for (int i = 0; i < 50000; i++) {
        unsigned char *block = malloc(1000);
        if (block == NULL) abort();
        *(volatile unsigned char *)block = 1;
    }
    EXPECT(1, "no access faults");
}

/* Resident memory in bytes. */
static size_t resident(void) {
    size_t pages = 0, all = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%zu %zu", &all, &pages) != 2) abort();
    fclose(statm);
    return pages * 4096;
}

CHECK(a_locked_page_keeps_no_other_memory_from_going_back) {
    unsigned char *locked = malloc(1 * MIB), *between = malloc(1 * MIB), *other = malloc(64 * MIB);
    if (locked == NULL || between == NULL || other == NULL) abort();
    mlock(locked, 4096);
    memset(other, 1, 64 * MIB);
    size_t full = resident();
    free(locked);
    errno = 5;
    free(other);
    EXPECT(errno == 5, "errno %d", errno);
    malloc_trim(0);
    EXPECT(resident() + 50 * MIB < full, "%zu bytes before, %zu after", full, resident());
    free(between);
}
