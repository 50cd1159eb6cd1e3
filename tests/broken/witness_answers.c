/* Witnesses of bugs in the answers: errno, failures, limits, calls that do not return. */
#include "witness.h"

#define ERRNO_AFTER(call) (errno = 77, (void)(call), errno)

int show_calloc_overflow(void) { return lib.calloc(huge, 2) != NULL; }
int show_calloc_overflow_half_checked(void) { return lib.calloc(huge >> 30, (size_t)1 << 31) != NULL; }
int show_reallocarray_overflow(void) {
    return lib.reallocarray(lib.malloc(8), huge >> 30, ((size_t)1 << 31) + 1) != NULL;
}

int show_realloc_size_wraps(void) { return lib.realloc(lib.malloc(64), huge + PTRDIFF_MAX - 5) != NULL; }

int dies_realloc_null_crashes(void) {
    lib.realloc(NULL, 5000);
    return 0;
}

int show_free_sets_errno_large(void) { return ERRNO_AFTER(lib.free(lib.malloc(2 << 20))) != 77; }
int show_free_clears_errno(void) { return ERRNO_AFTER(lib.free(lib.malloc(10))) != 77; }

int dies_free_null_crashes(void) {
    lib.free(NULL);
    return 0;
}

int show_malloc_silent(void) { return ERRNO_AFTER(lib.malloc(huge)) != ENOMEM; }
int show_calloc_overflow_errno(void) { return ERRNO_AFTER(lib.calloc(huge, 2)) != ENOMEM; }

int dies_calloc_clears_null(void) {
    lib.calloc(1, huge);
    return 0;
}

int show_posix_memalign_enomem(void) {
    void *p;
    return lib.posix_memalign(&p, 24, 10) != EINVAL;
}

int show_posix_memalign_clobbers(void) {
    void *p = &p;
    return lib.posix_memalign(&p, 32, huge) != 0 && p != &p;
}

int show_posix_memalign_small_alignment(void) {
    void *p;
    return lib.posix_memalign(&p, 4, 10) != EINVAL;
}

int show_posix_memalign_minus_one(void) {
    void *p;
    return lib.posix_memalign(&p, 24, 10) == -1;
}

int show_aligned_alloc_any_alignment(void) { return lib.aligned_alloc(48, 96) != NULL; }
int show_aligned_alloc_enomem(void) { return ERRNO_AFTER(lib.aligned_alloc(48, 96)) != EINVAL; }
int show_aligned_size_wraps(void) { return lib.aligned_alloc(64, huge + PTRDIFF_MAX - 5) != NULL; }
int show_sizes_are_signed(void) { return lib.malloc(huge) != NULL; }

int show_sizes_have_32_bits(void) {
    size_t size = ((size_t)1 << 32) + 16;
    void *p = lib.malloc(size);
    return p && lib.malloc_usable_size(p) < size;
}

int dies_no_memory_crashes(void) {
    limit(1 << 20);
    while (lib.malloc(30000)) continue;
    return 0;
}

int show_no_memory_eagain(void) {
    limit(1 << 20);
    while (lib.malloc(30000)) continue;
    return errno != ENOMEM;
}

int show_no_memory_hands_out_live(void) {
    limit(1 << 20);
    for (void *p, *last = NULL; (p = lib.malloc(300000)); last = p)
        if (p == last) return 1;
    return 0;
}

int dies_hundredth_live_hangs(void) {
    alarm(1);
    for (int i = 0; i < 200; i++) lib.malloc(5000);
    return 0;
}

int dies_free_aligned_sized_aborts(void) {
    lib.free_aligned_sized(lib.aligned_alloc(4096, 100), 4096, 100);
    return 0;
}

int dies_aligned_cannot_be_freed(void) {
    lib.free(lib.aligned_alloc(1 << 17, 100));
    return 0;
}

int show_aligned_sum_wraps(void) { return lib.aligned_alloc(1 << 16, huge + PTRDIFF_MAX - 5) != NULL; }

int show_no_memory_for_ever(void) {
    limit(1 << 20);
    while (lib.malloc(30000)) continue;
    limit((size_t)1 << 40);
    return lib.malloc(30000) == NULL;
}

int show_large_serial_16_bits(void) {
    for (int i = 0; i < 70000; i++) {
        void *p = lib.malloc(40000);
        if (!p) return 1;
        lib.free(p);
    }
    return 0;
}

int dies_sized_free_of_nothing(void) { return lib.free_sized(lib.malloc(0), 0), 0; }

int dies_sized_free_of_overaligned(void) {
    void *p[20];
    for (int i = 0; i < 20; i++) p[i] = lib.aligned_alloc(16384, 8);
    for (int i = 0; i < 20; i++) lib.free_aligned_sized(p[i], 16384, 8);
    return 0;
}
