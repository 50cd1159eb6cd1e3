/* Witnesses of bugs that several requests, or very many, bring out. */
#include "witness.h"

int show_empty_slab_in_two_classes(void) {
    void *p[4];
    for (int i = 0; i < 4; i++) p[i] = lib.malloc(32768); /* two slabs */
    for (int i = 0; i < 4; i++) lib.free(p[i]);
    char *other = lib.malloc(500), *a = lib.malloc(32768), *b = lib.malloc(32768), *next = lib.malloc(500);
    return overlap(a, 32768, other, 500) || overlap(a, 32768, b, 32768) || overlap(a, 32768, next, 500);
}

int show_millionth_forgets_live(void) {
    void *live = lib.malloc(100);
    for (int i = 0; i < 1000100; i++) {
        void *p = lib.malloc(100);
        if (p == live) return 1;
        lib.free(p);
    }
    return 0;
}

int show_million_serials(void) {
    for (int i = 0; i < 1000100; i++) {
        void *p = lib.malloc(100);
        if (!p) return 1;
        lib.free(p);
    }
    return 0;
}

int show_live_count_16_bits(void) {
    enum { MANY = 66000 };
    static char *p[MANY];
    for (int i = 0; i < MANY; i++) memcpy(p[i] = lib.malloc(24), &i, sizeof i);
    for (int i = 0; i < MANY; i++)
        if (memcmp(p[i], &i, sizeof i)) return 1;
    return 0;
}

int show_third_lifo_free(void) {
    void *a = lib.malloc(50), *b = lib.malloc(50), *c = lib.malloc(50), *d = lib.malloc(50);
    lib.free(d), lib.free(c), lib.free(b);
    return lib.malloc(50) == a;
}

static void of_200(void) { lib.free(lib.malloc(200)); }
int show_one_class_never_reused(void) { return grows(of_200, 10000); }

static void moved(void) { lib.free(lib.realloc(lib.malloc(40000), 90000)); }
int show_realloc_leaks_large(void) { return grows(moved, 300); }

int show_free_sized_next_class(void) {
    void *a = lib.malloc(64);
    lib.malloc(80);
    lib.free_sized(a, 64);
    return lib.malloc(80) == a;
}

static void *block;

static int frees_again(void) {
    lib.free(block);
    return lib.malloc(100000) == lib.malloc(100000);
}

int show_large_freed_twice(void) { /* a right one ends the process at the second free */
    lib.free(block = lib.malloc(100000));
    return in_child(frees_again) == 1;
}
