/* `latency CALLS BLOCKS SEED` times single calls of malloc and of free under a mixed random load: BLOCKS blocks live, a
 * random one of them replaced each time. Prints `ticks TICKS NANOSECONDS`, `timer MEDIAN MEAN STEP` in ticks, then
 * `malloc BUCKET COUNT` and `free BUCKET COUNT` lines, and last `operations N` and `checksum HEX`.
 *
 * A bucket is a power of two of ticks cut in 32 equal parts, so that a value is known to 3 %; below 64 ticks it is exact.
 * The values contain one reading of the clock, which costs MEDIAN, on average MEAN; STEP is by how much it advances at
 * least. Sizes: 3 in 4 up to 128 bytes, 1 in 5 up to 1 KiB, the rest up to 16 KiB, and 1 in 1,024 up to 256 KiB. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PARTS = 32, BUCKETS = 64 * PARTS, READINGS = 10001 };

static uint64_t counts[2][BUCKETS];

#if defined __x86_64__
#include <x86intrin.h>
/* The fences keep earlier work before the reading, and later work behind it. */
static inline uint64_t ticks(void) {
    _mm_lfence();
    uint64_t value = __rdtsc();
    _mm_lfence();
    return value;
}
#elif defined __aarch64__
static inline uint64_t ticks(void) {
    uint64_t value;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(value)::"memory");
    return value;
}
#else
static inline uint64_t ticks(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}
#endif

static double nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static size_t random_size(uint64_t *state) {
    uint64_t draw = next_random(state), which = draw % 1024, rest = draw >> 20;
    if (which == 0) return 1 + rest % (256 << 10);
    if (which < 50) return 1 + rest % (16 << 10);
    if (which < 256) return 1 + rest % 1024;
    return 1 + rest % 128;
}

static unsigned bucket_of(uint64_t value) {
    if (value < PARTS) return (unsigned)value;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(value);
    return (exponent - 4) * PARTS + (unsigned)(value >> (exponent - 5)) - PARTS;
}

static int ascending(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

/* Of many readings one after the other: the median and the mean without the slowest hundredth, which was interrupted, and
 * the greatest common divisor of all. */
static uint64_t timer_cost(double *mean, uint64_t *step) {
    static uint64_t taken[READINGS];
    uint64_t sum = 0;
    for (int i = 0; i < READINGS; i++) {
        uint64_t before = ticks();
        taken[i] = ticks() - before;
    }
    qsort(taken, READINGS, sizeof *taken, ascending);
    *step = 0;
    for (int i = 0; i < READINGS; i++)
        for (uint64_t rest = taken[i], other; rest; rest = other) other = *step % rest, *step = rest;
    for (int i = 0; i < READINGS * 99 / 100; i++) sum += taken[i];
    *mean = (double)sum / (READINGS * 99 / 100);
    return taken[READINGS / 2];
}

int main(int argc, char **argv) {
    static const char *const kinds[] = {"malloc", "free"};
    if (argc != 4) return 2;
    uint64_t calls = strtoull(argv[1], NULL, 10), blocks = strtoull(argv[2], NULL, 10), checksum = 0;
    uint64_t state = strtoull(argv[3], NULL, 10) * 2 + 0x9e3779b97f4a7c15u;
    if (calls == 0 || blocks == 0) return 2;
    unsigned char **block = calloc(blocks, sizeof *block);
    if (!block) return 1;
    for (uint64_t i = 0; i < blocks; i++) {
        if (!(block[i] = malloc(random_size(&state)))) return 1;
        *(volatile unsigned char *)block[i] = (unsigned char)i;
    }
    double mean;
    uint64_t step, cost = timer_cost(&mean, &step);
    double start = nanoseconds();
    uint64_t first = ticks();
    for (uint64_t i = 0; i < calls; i++) {
        uint64_t which = next_random(&state) % blocks;
        size_t size = random_size(&state);
        unsigned char *old = block[which];
        checksum = checksum * 31 + *(volatile unsigned char *)old;
        uint64_t a = ticks();
        free(old);
        uint64_t b = ticks();
        unsigned char *fresh = malloc(size);
        uint64_t c = ticks();
        if (!fresh) return 1;
        *(volatile unsigned char *)fresh = (unsigned char)(i ^ which);
        block[which] = fresh;
        counts[1][bucket_of(b - a)]++;
        counts[0][bucket_of(c - b)]++;
    }
    printf("ticks %llu %.0f\n", (unsigned long long)(ticks() - first), nanoseconds() - start);
    printf("timer %llu %.3f %llu\n", (unsigned long long)cost, mean, (unsigned long long)step);
    for (uint64_t i = 0; i < blocks; i++) free(block[i]);
    free(block);
    for (int kind = 0; kind < 2; kind++)
        for (unsigned i = 0; i < BUCKETS; i++)
            if (counts[kind][i]) printf("%s %u %llu\n", kinds[kind], i, (unsigned long long)counts[kind][i]);
    printf("operations %llu\nchecksum %016llx\n", (unsigned long long)(2 * calls), (unsigned long long)checksum);
    return 0;
}
