/* The witness `correct`: in the small, an allocator is right. It says what is not. */
#include "witness.h"

#define RIGHT(what) \
    do { \
        if (!(what)) return fprintf(stderr, "not right: %s, line %d\n", #what, __LINE__), 0; \
    } while (0)

static const size_t sizes[] = {0,    1,    8,    16,   17,    24,    48,    64,    100,   112,
                               160,  224,  256,  500,  1024,  1030,  1600,  4096,  5000,  20480,
                               28672, 32768, 32769, 65536, 90000, 200000, 1 << 20, 2 << 20};
enum { SIZES = sizeof sizes / sizeof *sizes, ROUNDS = 4, BLOCKS = SIZES * ROUNDS };

static size_t usable(void *p, size_t size) { return lib.malloc_usable_size ? lib.malloc_usable_size(p) : size; }

/* Fills blocks of every size, frees every third and fills the gaps, and finds in each what was stored there. */
static int keeps_contents(int base) {
    char *p[BLOCKS];
    size_t size[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        RIGHT(p[i] = lib.malloc(sizes[i % SIZES]));
        RIGHT(aligned(p[i], 16));
        RIGHT((size[i] = usable(p[i], sizes[i % SIZES])) >= sizes[i % SIZES]);
        memset(p[i], base + i, size[i]);
    }
    for (int i = 0; i < BLOCKS; i += 3) lib.free(p[i]);
    for (int i = 0; i < BLOCKS; i += 3) {
        RIGHT(p[i] = lib.calloc(7, size[i] = sizes[i % SIZES] / 7));
        RIGHT(holds(p[i], 0, size[i] *= 7));
        memset(p[i], base + i, size[i]);
    }
    for (int i = 1; i < BLOCKS; i += 3) {
        size_t now = sizes[i * 5 % SIZES] + 1, kept = now < size[i] ? now : size[i];
        RIGHT(p[i] = lib.realloc(p[i], now));
        RIGHT(holds(p[i], base + i, kept));
        memset(p[i], base + i, size[i] = usable(p[i], now));
    }
    for (int i = 0; i < BLOCKS; i++) {
        RIGHT(holds(p[i], base + i, size[i]));
        errno = 77;
        if (i % 2) lib.free(p[i]);
        else lib.free_sized(p[i], sizes[i % SIZES]);
        RIGHT(errno == 77);
    }
    return 1;
}

static int aligns(void) {
    for (size_t alignment = 8; alignment <= 1 << 20; alignment *= 2)
        for (int i = 0; i < SIZES; i += 3) {
            void *p[4] = {lib.aligned_alloc(alignment, sizes[i]), lib.memalign(alignment, sizes[i])};
            p[2] = lib.valloc(sizes[i]);
            RIGHT(lib.posix_memalign(&p[3], alignment, sizes[i]) == 0);
            for (int j = 0; j < 4; j++) {
                RIGHT(p[j] && aligned(p[j], j == 2 ? 4096 : alignment));
                memset(p[j], j, usable(p[j], sizes[i]));
            }
            for (int j = 0; j < 4; j++) {
                RIGHT(holds(p[j], j, sizes[i]));
                if (j == 1) RIGHT((p[j] = lib.realloc(p[j], sizes[i] + 100)) && holds(p[j], j, sizes[i]));
                if (j) lib.free(p[j]);
                else lib.free_aligned_sized(p[j], alignment, sizes[i]);
            }
        }
    void *page = lib.pvalloc(10);
    RIGHT(aligned(page, 4096) && usable(page, 4096) >= 4096);
    return 1;
}

static int refuses(void) {
    void *p = &p, *kept = lib.malloc(64);
    fill(kept, 7, 64);
#define FAILS(call, error) RIGHT((errno = 77, !(call)) && errno == (error))
    FAILS(lib.malloc(huge), ENOMEM);
    FAILS(lib.malloc(huge + PTRDIFF_MAX - 5), ENOMEM);
    FAILS(lib.calloc(huge, 2), ENOMEM);
    FAILS(lib.calloc(huge >> 30, (size_t)1 << 31), ENOMEM);
    FAILS(lib.calloc(1, huge), ENOMEM);
    FAILS(lib.realloc(kept, huge), ENOMEM);
    FAILS(lib.realloc(kept, huge + PTRDIFF_MAX - 5), ENOMEM);
    FAILS(lib.reallocarray(kept, huge >> 30, ((size_t)1 << 31) + 1), ENOMEM);
    FAILS(lib.aligned_alloc(64, huge + PTRDIFF_MAX - 5), ENOMEM);
    FAILS(lib.aligned_alloc(48, 96), EINVAL);
    FAILS(lib.aligned_alloc(0, 96), EINVAL);
    RIGHT(holds(kept, 7, 64));
    RIGHT(lib.posix_memalign(&p, 24, 10) == EINVAL && lib.posix_memalign(&p, 4, 10) == EINVAL && p == &p);
    RIGHT(lib.posix_memalign(&p, 32, huge) == ENOMEM && p == &p);
    void *a = lib.malloc(0), *b = lib.malloc(0);
    RIGHT(a && b && a != b && a != lib.malloc(16));
    lib.free(NULL), lib.free(a), lib.free(b);
    RIGHT(usable(NULL, 0) == 0);
    RIGHT((p = lib.realloc(NULL, 5000)) && !lib.realloc(p, 0));
    return 1;
}

static void *keeps_in_thread(void *number) { return keeps_contents((int)(intptr_t)number * 50) ? NULL : number; }
static int keeps_in_child(void) { return keeps_contents(3) && keeps_contents(9); }

static int runs_out(void) {
    limit(2 << 20);
    for (size_t size = 1 << 18; size >= 16; size /= 2) {
        errno = 77;
        while (lib.malloc(size)) continue;
        RIGHT(errno == ENOMEM);
    }
    return 1;
}

static void frees_all_sizes(void) {
    for (int i = 0; i < SIZES; i++) lib.free(lib.realloc(lib.malloc(sizes[i]), sizes[i] * 2 + 1));
}

int show_correct(void) {
    RIGHT(keeps_contents(0) && keeps_contents(1));
    RIGHT(aligns());
    RIGHT(refuses());
    RIGHT(!hammer(3, keeps_in_thread) && keeps_contents(2));
    RIGHT(in_child(keeps_in_child) == 1);
    RIGHT(!grows(frees_all_sizes, 100));
    RIGHT(in_child(runs_out) == 1);
    return 1;
}
