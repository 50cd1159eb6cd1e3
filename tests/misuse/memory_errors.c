/* `memory_errors ERROR SIZE`: one error in the use of a block of SIZE bytes, or with ERROR `none` the same calls without
 * it. Prints the block first; what the hardened and the sampled presets say of it is on stderr. */
#include "misuse.h"

#include <pthread.h>
#include <unistd.h>

typedef volatile unsigned char byte;

static byte *block;
static size_t size;

static void *free_it(void *unused) {
    free((void *)block);
    return unused;
}

static void overflow_by_one(void) { block[size] ^= 1, free((void *)block); }
static void overflow_by_a_zero(void) { block[size] = 0, free((void *)block); }
static void overflow_by_32(void) { block[size + 31] ^= 1, free((void *)block); }
static void underflow_by_one(void) { block[-1] ^= 1, free((void *)block); }
static void underflow_by_32(void) { block[-32] ^= 1, free((void *)block); }
static void overflow_by_a_mebibyte(void) { block[size + (1 << 20)] ^= 1; }
static void read_after_free(void) { free((void *)block), printf("read %d\n", block[size / 2]); }
static void read_of_nothing(void) { printf("read %d\n", block[0]); }
static void write_to_nothing(void) { block[0] = 1; }
static void none(void) { free((void *)block); }

static void write_after_free_in_the_slot_beside(void) {
    char *beside = NULL;
    for (int i = 0; i < 64; i++) {
        char *other = malloc(size);
        if (other > (char *)block && (!beside || other < beside)) beside = other;
    }
    free(beside), *(volatile char *)beside ^= 1, free((void *)block);
}

static void overflow_seen_by_realloc(void) {
    block[size] ^= 1;
    block = realloc((void *)block, size + 1000);
}

static void overflow_seen_by_another_thread(void) {
    pthread_t thread;
    block[size] ^= 1;
    pthread_create(&thread, NULL, free_it, NULL);
    pthread_join(thread, NULL);
}

static void write_after_free_at_once(void) {
    free((void *)block);
    block[size / 2] ^= 1;
    free(malloc(1));
}

static void write_after_free_long_before_its_reuse(void) {
    free((void *)block);
    for (int i = 0; i < 8; i++) free(malloc(1)); /* it is not the block freed last any more */
    block[size / 2] ^= 1;
    for (int i = 0; i < 5000; i++) free(malloc(size));
}

static void double_free(void) { free((void *)block), free((void *)block); }

static void write_behind_the_slabs(void) {
    for (size_t i = 0; i < 1 << 18; i += 4096) block[i] = block[i];
}

static void copy_over_by_one(void) {
    static char from[100000];
    memcpy((void *)block, from, size + 1);
}

static void copy_from_before(void) {
    static char from[100000];
    memcpy((void *)(block - 1), from, size);
}

static void fill_over_by_one(void) { memset((void *)block, 0, size + 1); }

static void move_from_behind(void) { memmove((void *)block, (void *)(block + 1), size); }

#define ERROR(name) {#name, name}
static const struct {
    const char *name;
    void (*commit)(void);
} errors[] = {
    ERROR(none), ERROR(overflow_by_one), ERROR(overflow_by_a_zero), ERROR(overflow_by_32), ERROR(underflow_by_one),
    ERROR(underflow_by_32), ERROR(overflow_by_a_mebibyte), ERROR(read_after_free), ERROR(read_of_nothing),
    ERROR(write_to_nothing), ERROR(overflow_seen_by_realloc), ERROR(overflow_seen_by_another_thread),
    ERROR(write_after_free_at_once), ERROR(write_after_free_long_before_its_reuse), ERROR(double_free),
    ERROR(write_behind_the_slabs), ERROR(copy_over_by_one), ERROR(copy_from_before), ERROR(fill_over_by_one),
    ERROR(move_from_behind), ERROR(write_after_free_in_the_slot_beside),
};

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    size = strtoul(argv[2], NULL, 10);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(errors[i].name, argv[1])) continue;
        setvbuf(stdout, NULL, _IONBF, 0); /* so that printf allocates nothing */
        block = malloc(size);
        memset((void *)block, 0x5a, size);
        printf("block %p\nthread %d\n", (void *)block, getpid());
        errors[i].commit();
        printf("went on\n");
        return 0;
    }
    return 2;
}
