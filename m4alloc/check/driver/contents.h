/* What the client writes into its blocks: random bytes that say which block and which offset they belong to. The block
 * of seed s holds the pattern from its byte s on, repeated every PERIOD bytes, so that no byte is right elsewhere. */
#ifndef M4_CONTENTS_H
#define M4_CONTENTS_H
#include <stdint.h>
#include <string.h>

enum { PERIOD = 1 << 16, SEEDS = 4093 };
#define CHECKED ((uint64_t)1 << 26) /* contents are written and read up to this many bytes of a block, */
#define TAIL ((uint64_t)1 << 12)    /* and of a longer one so many at its end */
static unsigned char pattern[2 * PERIOD];

static void make_pattern(void)
{
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < PERIOD; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        pattern[i] = pattern[i + PERIOD] = (unsigned char)(state >> 32);
    }
}

static void fill(unsigned char *at, uint64_t size, uint32_t seed)
{
    for (uint64_t done = 0; done < size; done += PERIOD)
        memcpy(at + done, pattern + seed, size - done < PERIOD ? size - done : PERIOD);
}

/* How many leading bytes agree. */
static uint64_t agree(const unsigned char *a, const unsigned char *b, uint64_t size)
{
    uint64_t n = 0;
    while (n < size && a[n] == b[n])
        n++;
    return n;
}

/* How many leading bytes still hold the pattern. */
static uint64_t intact(const unsigned char *at, uint64_t size, uint32_t seed)
{
    for (uint64_t done = 0; done < size; done += PERIOD) {
        uint64_t length = size - done < PERIOD ? size - done : PERIOD;
        if (memcmp(at + done, pattern + seed, length))
            return done + agree(at + done, pattern + seed, length);
    }
    return size;
}

/* How many leading bytes are zero. */
static uint64_t zeros(const unsigned char *at, uint64_t size)
{
    static const unsigned char nothing[4096];
    for (uint64_t done = 0; done < size; done += sizeof nothing) {
        uint64_t length = size - done < sizeof nothing ? size - done : sizeof nothing;
        if (memcmp(at + done, nothing, length))
            return done + agree(at + done, nothing, length);
    }
    return size;
}
#endif
