/* Nanoseconds of CPU time a malloc, where slots come out of slabs with holes, or a memalign and its free.
 *
 * usage: superopt_core_program aligned|"in order"|shuffled|half|"remote half"|remote BLOCKS SIZE ALIGNMENT
 * half: of the blocks, other ones in each round; remote: another thread frees them, this one allocates. */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 5, WARM = 2 };

static void **blocks;
static uint32_t *order;
static size_t count, part;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void shuffle(void)
{
    static uint64_t seed = 88172645463325252u;
    for (size_t i = count - 1; i > 0; i--) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        size_t j = seed % (i + 1);
        uint32_t other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
}

static void *release_part(void *unused)
{
    for (size_t k = 0; k < part; k++)
        free(blocks[order[k]]);
    return unused;
}

static double aligned(size_t size, size_t alignment)
{
    uint64_t spent = 0;
    for (int round = 0; round < WARM + ROUNDS; round++) {
        uint64_t began = now();
        for (size_t i = 0; i < count; i++) {
            char *block = memalign(alignment, size);
            *(volatile char *)block = 1;
            free(block);
        }
        spent += round < WARM ? 0 : now() - began;
    }
    return (double)spent / (double)(ROUNDS * count);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const char *what = argv[1];
    size_t size = strtoul(argv[3], NULL, 10);
    uint64_t spent = 0;
    count = strtoul(argv[2], NULL, 10);
    if (strcmp(what, "aligned") == 0) {
        printf("%.3f\n", aligned(size, strtoul(argv[4], NULL, 10)));
        return 0;
    }
    blocks = calloc(count, sizeof *blocks);
    order = calloc(count, sizeof *order);
    part = strstr(what, "half") != NULL ? count / 2 : count;
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
        blocks[i] = malloc(size);
    }
    for (int round = 0; round < WARM + ROUNDS; round++) {
        if (strcmp(what, "in order") != 0)
            shuffle();
        if (strncmp(what, "remote", 6) == 0) {
            pthread_t thread;
            pthread_create(&thread, NULL, release_part, NULL);
            pthread_join(thread, NULL);
        } else {
            release_part(NULL);
        }
        uint64_t began = now();
        for (size_t k = 0; k < part; k++)
            blocks[order[k]] = malloc(size);
        spent += round < WARM ? 0 : now() - began;
    }
    printf("%.3f\n", (double)spent / (double)(ROUNDS * part));
    return 0;
}
