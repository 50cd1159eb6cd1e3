/* `heap_size BLOCKS REPLACED SEED`: what a call costs, and what memory it takes, when BLOCKS blocks are live. Allocates them,
 * replaces REPLACED random ones, frees them all, and prints `NAME NUMBER` lines:
 *   build, replace, clear   nanoseconds of CPU time an allocation, a free with its allocation, a free
 *   live                    bytes requested and live at the end of the replacing
 *   resident                bytes in memory then, without what this program itself needs
 *   freed, settled          the same after all is freed; and 2.2 s with 4,000 small pairs later, for those who purge at calls
 * and last `operations N` and `checksum HEX`.
 *
 * A size is a random power of two from 16 to 512 bytes and up to as much again, 253 on average: a heap of many small blocks.
 * Each block's first bytes hold a cookie, which is checked when it is freed, and its last byte is written, so that every
 * page is touched. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct slot {
    unsigned char *block;
    uint32_t size;
    uint32_t cookie;
};

static uint64_t state;
static struct slot *slots;
static uint64_t live, checksum;

static uint64_t next_random(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

static uint32_t random_size(void) {
    uint64_t draw = next_random();
    uint32_t base = 16u << (draw % 6);
    return base + (uint32_t)((draw >> 32) % base) + 1;
}

static double cpu_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Bytes of this process in memory, read without any call of malloc. */
static long long resident(void) {
    char text[128] = "";
    long long pages = 0;
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0 || sscanf(text, "%*d %lld", &pages) != 1) return 0;
    return pages * sysconf(_SC_PAGESIZE);
}

static void fill(struct slot *slot) {
    slot->size = random_size();
    slot->cookie = (uint32_t)next_random();
    slot->block = malloc(slot->size);
    if (!slot->block) {
        fputs("malloc returned NULL\n", stderr);
        _exit(1);
    }
    memcpy(slot->block, &slot->cookie, sizeof slot->cookie);
    slot->block[slot->size - 1] = (unsigned char)slot->size;
    live += slot->size;
}

static void clear(struct slot *slot) {
    if (memcmp(slot->block, &slot->cookie, sizeof slot->cookie) != 0 ||
        slot->block[slot->size - 1] != (unsigned char)slot->size) {
        fputs("a live block was overwritten\n", stderr);
        _exit(1);
    }
    checksum = checksum * 31 + slot->cookie;
    live -= slot->size;
    free(slot->block);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    uint64_t blocks = strtoull(argv[1], NULL, 10), replaced = strtoull(argv[2], NULL, 10);
    state = strtoull(argv[3], NULL, 10) * 2 + 0x9e3779b97f4a7c15u;
    if (blocks == 0 || replaced == 0) return 2;
    size_t bytes = blocks * sizeof *slots;
    slots = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (slots == MAP_FAILED) return 1;
    long long own = resident();

    double begun = cpu_nanoseconds();
    for (uint64_t i = 0; i < blocks; i++) fill(&slots[i]);
    double built = cpu_nanoseconds();
    for (uint64_t i = 0; i < replaced; i++) {
        struct slot *slot = &slots[next_random() % blocks];
        clear(slot);
        fill(slot);
    }
    double turned = cpu_nanoseconds();
    uint64_t held = live;
    long long full = resident() - own;
    double before = cpu_nanoseconds();
    for (uint64_t i = 0; i < blocks; i++) clear(&slots[i]);
    double ended = cpu_nanoseconds();
    long long freed = resident() - own;
    for (int turn = 0; turn < 2; turn++) {
        nanosleep(&(struct timespec){1, 100000000}, NULL);
        for (int i = 0; i < 2000; i++) {
            unsigned char *volatile p = malloc(64);
            free(p);
        }
    }
    long long settled = resident() - own;
    printf("build %.3f\nreplace %.3f\nclear %.3f\n", (built - begun) / (double)blocks, (turned - built) / (double)replaced,
           (ended - before) / (double)blocks);
    printf("live %llu\nresident %lld\nfreed %lld\nsettled %lld\n", (unsigned long long)held, full, freed, settled);
    printf("operations %llu\nchecksum %016llx\n", (unsigned long long)(2 * (blocks + replaced)),
           (unsigned long long)checksum);
    return 0;
}
