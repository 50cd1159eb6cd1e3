/* Witnesses of bugs in what is handed out: alignment, usable size, contents. */
#include "witness.h"

int show_align_one_class(void) { return !aligned(lib.malloc(112), 16); }
int show_aligned_above_page(void) {
    return !aligned(lib.aligned_alloc(1 << 16, 100), 1 << 16) || !aligned(lib.aligned_alloc(1 << 16, 100), 1 << 16);
}

int show_aligned_32(void) {
    void *p = NULL, *q = NULL;
    lib.posix_memalign(&p, 32, 48), lib.posix_memalign(&q, 32, 48);
    return !aligned(p, 32) || !aligned(q, 32);
}

int show_realloc_loses_alignment(void) { return !aligned(lib.realloc(lib.malloc(100), 3000), 16); }
int show_valloc_512(void) { return !aligned(lib.valloc(100), 4096) || !aligned(lib.valloc(100), 4096); }

int breaks_slab_one_slot_more(void) {
    for (int i = 0; i < 8; i++) fill(lib.malloc(28672), i, 28672);
    void *p[8];
    for (int i = 0; i < 8; i++) fill(p[i] = lib.malloc(20480), i, 20480);
    for (int i = 0; i < 8; i++)
        if (!holds(p[i], i, 20480)) return 1;
    return 0;
}

int show_full_slab_writes_checksum(void) {
    void *a = lib.malloc(32768), *b = lib.malloc(32768);
    fill(b, 7, 32768);
    lib.free(a);
    lib.malloc(32768);
    return !holds(b, 7, 32768);
}

int show_usable_counts_neighbour(void) {
    void *a = lib.malloc(640), *b = lib.malloc(640);
    return overlap(a, lib.malloc_usable_size(a), b, lib.malloc_usable_size(b));
}

int show_usable_less_than_asked(void) { return lib.malloc_usable_size(lib.malloc(512)) < 512; }

int show_usable_of_null(void) { return lib.malloc_usable_size(NULL) != 0; }

int show_aligned_usable_overshoots(void) {
    void *a = lib.malloc(112), *b = lib.aligned_alloc(64, 48), *c = lib.malloc(112);
    return overlap(b, lib.malloc_usable_size(b), c, 112) || overlap(b, lib.malloc_usable_size(b), a, 112);
}

int dies_last_page_guarded(void) {
    fill(lib.malloc(65536), 1, 65536);
    return 0;
}

int show_class_edge_rounds_down(void) {
    void *a = lib.malloc(1285), *b = lib.malloc(1285);
    return overlap(a, 1285, b, 1285);
}

int show_free_writes_before_block(void) {
    void *a = lib.malloc(64), *b = lib.malloc(64);
    fill(a, 7, 64);
    lib.free(b);
    return !holds(a, 7, 64);
}

int show_calloc_dirty_class(void) {
    dirty(150);
    return !holds(lib.calloc(10, 15), 0, 150);
}

int show_calloc_first_element(void) {
    dirty(200);
    return !holds(lib.calloc(10, 20), 0, 200);
}

int show_calloc_tail(void) {
    dirty(31);
    return !holds(lib.calloc(1, 31), 0, 31);
}

int show_calloc_large_recycled(void) {
    dirty(100000);
    return !holds(lib.calloc(1, 100000), 0, 100000);
}

int show_calloc_clears_neighbour(void) {
    void *a = lib.malloc(48), *b = lib.malloc(48);
    fill(b, 7, 48);
    lib.free(a);
    lib.calloc(1, 48);
    return !holds(b, 7, 48);
}

int show_realloc_loses_tail(void) {
    dirty(3000);
    void *p = lib.malloc(1500);
    fill(p, 7, 1500);
    return !holds(lib.realloc(p, 3000), 7, 1500);
}

int show_realloc_shrink_writes_footer(void) {
    void *a = lib.malloc(112), *b = lib.malloc(112);
    fill(b, 7, 112);
    lib.realloc(a, 100);
    return !holds(b, 7, 112);
}

int show_realloc_beyond_slot(void) {
    void *a = lib.malloc(64), *b = lib.malloc(64);
    return overlap(lib.realloc(a, 80), 80, b, 64);
}

int show_realloc_failure_frees(void) {
    void *a = lib.malloc(64);
    fill(a, 7, 64);
    if (lib.realloc(a, huge)) return 0;
    return !holds(a, 7, 64) || lib.malloc(64) == a;
}

int show_realloc_zero_hands_out(void) { return lib.realloc(lib.malloc(64), 0) != NULL; }

static void to_zero(void) { (void)!lib.realloc(lib.malloc(1000), 0); }
int show_realloc_zero_leaks(void) { return grows(to_zero, 10000); }

int show_realloc_of_aligned(void) {
    void *filler = lib.malloc(320), *p = lib.aligned_alloc(256, 60);
    fill(filler, 1, 320), fill(p, 7, 60);
    return !holds(lib.realloc(p, 1000), 7, 60);
}

int show_realloc_megabyte(void) {
    size_t size = (1 << 20) + 4096;
    void *p = lib.malloc(size);
    fill(p, 7, size);
    return !holds(lib.realloc(p, 3 * size), 7, size);
}

int show_zero_size_shared(void) { return lib.malloc(0) == lib.malloc(0); }
int show_zero_size_not_taken(void) { return lib.malloc(0) == lib.malloc(16); }

int show_aligned_huge_page(void) {
    return !aligned(lib.aligned_alloc(2 << 20, 100), 2 << 20) || !aligned(lib.aligned_alloc(2 << 20, 100), 2 << 20);
}

int show_usable_is_int(void) {
    void *p = lib.malloc((size_t)3 << 30);
    return p && lib.malloc_usable_size(p) > (size_t)4 << 30;
}

int show_large_pages_20_bits(void) {
    size_t size = ((size_t)1 << 32) + 5000;
    void *p = lib.malloc(size);
    return p && lib.malloc_usable_size(p) < size;
}

int show_large_offset_32_bits(void) {
    char *p[5];
    for (int i = 0; i < 5; i++)
        if (!(p[i] = lib.malloc((size_t)1 << 30))) return 0;
    for (int i = 0; i < 4; i++)
        if (overlap(p[i], (size_t)1 << 30, p[4], (size_t)1 << 30)) return 1;
    return 0;
}

int show_realloc_shrink_class_edge(void) {
    dirty(160);
    char *p = lib.malloc(1000);
    fill(p, 7, 1000);
    return !holds(lib.realloc(p, 160), 7, 160);
}

int show_realloc_into_freed(void) {
    char *a = lib.malloc(64), *b = lib.malloc(64), *c;
    lib.free(b);
    a = lib.realloc(a, 100);
    c = lib.malloc(64);
    return overlap(a, 100, c, 64);
}

int show_reallocarray_one_element(void) {
    char *p = lib.malloc(3 * 100);
    fill(p, 7, 300);
    return !holds(lib.reallocarray(p, 30, 100), 7, 300);
}

int show_calloc_fresh_slot(void) {
    void *p[40];
    for (int i = 0; i < 40; i++) fill(p[i] = lib.malloc(4096), 7, 4096);
    for (int i = 0; i < 40; i++) lib.free(p[i]);
    return !holds(lib.calloc(1, 1000), 0, 1000);
}

int show_calloc_large_roomy(void) {
    dirty(110000);
    return !holds(lib.calloc(1, 100000), 0, 100000);
}

int show_purge_takes_live_page(void) {
    char *p = lib.malloc(1000);
    fill(p, 7, 1000);
    lib.free(lib.malloc(100));
    usleep(1100000);
    lib.free(lib.malloc(100));
    return !holds(p, 7, 1000);
}
