/* What ISO C, POSIX and glibc's manual promise of each function, sizes and errno first. */
#include "check.h"

#include <dirent.h>

static const size_t huge[] = {(size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX + 2, SIZE_MAX / 2 + 4096, SIZE_MAX - 65536,
                              SIZE_MAX - 4096,         SIZE_MAX - 16,           SIZE_MAX - 1,        SIZE_MAX};

CHECK(malloc_beyond_ptrdiff_max_fails_with_enomem) {
    for (size_t i = 0; i < COUNT(huge); i++) {
        errno = 0;
        void *block = malloc(huge[i]);
        EXPECT(!block && errno == ENOMEM, "malloc(%zu) = %p, errno %d", huge[i], block, errno);
        errno = 0;
        block = aligned_alloc(64, huge[i]);
        EXPECT(!block && errno == ENOMEM, "aligned_alloc(64, %zu) = %p, errno %d", huge[i], block, errno);
        errno = 0;
        block = memalign(4096, huge[i]);
        EXPECT(!block && errno == ENOMEM, "memalign(4096, %zu) = %p, errno %d", huge[i], block, errno);
        errno = 0;
        block = valloc(huge[i]);
        EXPECT(!block && errno == ENOMEM, "valloc(%zu) = %p, errno %d", huge[i], block, errno);
        errno = 0;
        block = pvalloc(huge[i]);
        EXPECT(!block && errno == ENOMEM, "pvalloc(%zu) = %p, errno %d", huge[i], block, errno);
        errno = 0;
        block = calloc(1, huge[i]);
        EXPECT(!block && errno == ENOMEM, "calloc(1, %zu) = %p, errno %d", huge[i], block, errno);
    }
}

CHECK(more_than_the_address_space_fails_with_enomem) {
    for (int bits = 47; bits < 63; bits++) {
        errno = 0;
        void *block = malloc((size_t)1 << bits);
        EXPECT(!block && errno == ENOMEM, "malloc(2**%d) = %p, errno %d", bits, block, errno);
    }
    errno = 0;
    void *block = aligned_alloc((size_t)1 << 62, 1);
    EXPECT(!block && errno == ENOMEM, "aligned_alloc(2**62, 1) = %p, errno %d", block, errno);
    errno = 0;
    block = memalign((size_t)1 << 46, PTRDIFF_MAX - 4096);
    EXPECT(!block && errno == ENOMEM, "memalign(2**46, PTRDIFF_MAX - 4096) = %p, errno %d", block, errno);
}

CHECK(calloc_overflow_fails_with_enomem) {
    static const size_t pairs[][2] = {{SIZE_MAX / 2, 3},          {(size_t)1 << 32, (size_t)1 << 32}, {SIZE_MAX, SIZE_MAX},
                                      {SIZE_MAX / 16 + 1, 16},    {16, SIZE_MAX / 16 + 1},            {SIZE_MAX / 3 + 1, 3},
                                      {((size_t)1 << 33) + 1, (size_t)1 << 31}};
    for (size_t i = 0; i < COUNT(pairs); i++) {
        errno = 0;
        void *block = calloc(pairs[i][0], pairs[i][1]);
        EXPECT(!block && errno == ENOMEM, "calloc(%zu, %zu) = %p, errno %d", pairs[i][0], pairs[i][1], block, errno);
    }
    void *none[2] = {calloc(0, SIZE_MAX), calloc(SIZE_MAX, 0)};
    EXPECT(none[0] && none[1] && none[0] != none[1], "calloc of nothing: %p %p", none[0], none[1]);
    free(none[0]);
    free(none[1]);
}

CHECK(a_failed_realloc_keeps_the_old_block) {
    static const size_t sizes[] = {1, 100, 5000, 200000, 3000000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        unsigned char *block = malloc(sizes[i]);
        fill(block, sizes[i], i);
        for (size_t j = 0; j < COUNT(huge); j++) {
            errno = 0;
            void *moved = realloc(block, huge[j]);
            EXPECT(!moved && errno == ENOMEM, "realloc(%p, %zu) = %p, errno %d", (void *)block, huge[j], moved, errno);
        }
        errno = 0;
        void *moved = reallocarray(block, SIZE_MAX / 2, 3);
        EXPECT(!moved && errno == ENOMEM, "reallocarray overflow = %p, errno %d", moved, errno);
        EXPECT(intact(block, sizes[i], i) == sizes[i], "byte %zu of %zu changed", intact(block, sizes[i], i), sizes[i]);
        free(block);
    }
}

CHECK(posix_memalign_of_a_bad_alignment_returns_einval_and_touches_nothing) {
    static const size_t bad[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 24, 48, 4097, 12288, SIZE_MAX, ((size_t)1 << 63) + 8};
    for (size_t i = 0; i < COUNT(bad); i++) {
        void *untouched = (void *)0x5a5a5a50;
        errno = 77;
        int error = posix_memalign(&untouched, bad[i], 100);
        EXPECT(error == EINVAL, "posix_memalign(%zu) = %d", bad[i], error);
        EXPECT(untouched == (void *)0x5a5a5a50, "alignment %zu: the pointer became %p", bad[i], untouched);
        EXPECT(errno == 77, "alignment %zu: errno became %d", bad[i], errno);
    }
}

CHECK(posix_memalign_of_too_much_returns_enomem_and_touches_nothing) {
    for (size_t i = 0; i < COUNT(huge); i++) {
        void *untouched = (void *)0x5a5a5a50;
        int error = posix_memalign(&untouched, 64, huge[i]);
        EXPECT(error == ENOMEM, "posix_memalign(64, %zu) = %d", huge[i], error);
        EXPECT(untouched == (void *)0x5a5a5a50, "size %zu: the pointer became %p", huge[i], untouched);
    }
}

CHECK(aligned_alloc_takes_any_size) {
    static const size_t sizes[] = {0, 1, 3, 15, 17, 63, 65, 100, 1000, 4095, 4097, 65537, 300001};
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            void *block = aligned_alloc(alignment, sizes[i]);
            EXPECT(block && (uintptr_t)block % alignment == 0, "aligned_alloc(%zu, %zu) = %p", alignment, sizes[i], block);
            EXPECT(malloc_usable_size(block) >= sizes[i], "aligned_alloc(%zu, %zu): usable size %zu", alignment, sizes[i],
                   malloc_usable_size(block));
            memset(block, 0x5a, sizes[i]);
            free(block);
        }
    }
}

CHECK(aligned_alloc_of_no_power_of_two_fails_with_einval) {
    static const size_t bad[] = {0, 3, 24, 48, 4097, 12288};
    for (size_t i = 0; i < COUNT(bad); i++) {
        errno = 0;
        void *block = aligned_alloc(bad[i], 96);
        EXPECT(!block && errno == EINVAL, "aligned_alloc(%zu, 96) = %p, errno %d", bad[i], block, errno);
    }
}

CHECK(alignments_up_to_one_gibibyte_are_kept) {
    for (size_t alignment = 16; alignment <= (size_t)1 << 30; alignment *= 2) {
        const size_t sizes[] = {1, alignment - 1, alignment, 3 * alignment + 1};
        for (size_t i = 0; i < COUNT(sizes); i++) {
            if (sizes[i] > 64 * MIB) continue;
            void *held[3];
            for (size_t j = 0; j < COUNT(held); j++) {
                held[j] = memalign(alignment, sizes[i]);
                EXPECT(held[j] && (uintptr_t)held[j] % alignment == 0, "memalign(%zu, %zu) = %p", alignment, sizes[i], held[j]);
                if (held[j]) fill(held[j], sizes[i] < 4096 ? sizes[i] : 4096, j);
            }
            for (size_t j = 0; j < COUNT(held); j++) {
                size_t looked = sizes[i] < 4096 ? sizes[i] : 4096;
                EXPECT(held[j] && intact(held[j], looked, j) == looked, "memalign(%zu, %zu): contents", alignment, sizes[i]);
                free(held[j]);
            }
        }
    }
}

CHECK(realloc_of_an_aligned_block_keeps_contents) {
    for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 4) {
        for (size_t size = 1; size < 2 * MIB; size = size * 5 + 3) {
            void *block = memalign(alignment, size);
            fill(block, size, size);
            void *moved = realloc(block, size * 2 + 1);
            EXPECT(moved && intact(moved, size, size) == size, "from alignment %zu, size %zu", alignment, size);
            free(moved);
        }
    }
}

CHECK(valloc_aligns_to_the_page_and_pvalloc_rounds_up_to_it) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t sizes[] = {1, 100, page - 1, page, page + 1, 3 * page - 7, 50 * page + 3};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        void *block = valloc(sizes[i]);
        EXPECT(block && (uintptr_t)block % page == 0, "valloc(%zu) = %p", sizes[i], block);
        memset(block, 1, sizes[i]);
        free(block);
        block = pvalloc(sizes[i]);
        size_t rounded = (sizes[i] + page - 1) / page * page;
        EXPECT(block && (uintptr_t)block % page == 0, "pvalloc(%zu) = %p", sizes[i], block);
        EXPECT(malloc_usable_size(block) >= rounded, "pvalloc(%zu): usable size %zu", sizes[i], malloc_usable_size(block));
        memset(block, 1, rounded);
        free(block);
    }
}

CHECK(free_keeps_errno) {
    static const size_t sizes[] = {0, 1, 24, 700, 5000, 70000, 400000, 5000000, 90000000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (int round = 0; round < 50; round++) {
            void *block = malloc(sizes[i]);
            errno = 1000 + round;
            free(block);
            EXPECT(errno == 1000 + round, "free of %zu bytes made errno %d", sizes[i], errno);
        }
    }
    errno = 42;
    free(NULL);
    EXPECT(errno == 42, "free(NULL) made errno %d", errno);
}

CHECK(a_call_that_succeeds_leaves_errno_alone) {
    for (size_t size = 1; size < 300 * MIB; size = size * 3 + 1) {
        errno = 99;
        void *block = malloc(size);
        EXPECT(block && errno == 99, "malloc(%zu) made errno %d", size, errno);
        block = realloc(block, size + size / 3 + 1);
        EXPECT(block && errno == 99, "realloc to %zu made errno %d", size + size / 3 + 1, errno);
        free(block);
        block = calloc(1, size);
        EXPECT(block && errno == 99, "calloc(1, %zu) made errno %d", size, errno);
        free(block);
        block = memalign(64, size);
        EXPECT(block && errno == 99, "memalign(64, %zu) made errno %d", size, errno);
        free(block);
    }
}

CHECK(realloc_to_zero_frees_and_returns_null) {
    void *block = malloc(100);
    EXPECT(realloc(block, 0) == NULL, "not NULL");
    size_t before = process_bytes(RESIDENT);
    for (int i = 0; i < 200000; i++) {
        block = malloc(1000);
        memset(block, 1, 1000);
        if (realloc(block, 0)) abort();
    }
    size_t after = process_bytes(RESIDENT);
    EXPECT(after < before + 20 * MIB, "200,000 blocks of 1,000 bytes left %zu bytes resident", after - before);
}

CHECK(realloc_of_null_is_malloc) {
    for (size_t size = 0; size < MIB; size = size * 2 + 1) {
        void *block = realloc(NULL, size);
        EXPECT(block && malloc_usable_size(block) >= size, "realloc(NULL, %zu) = %p", size, block);
        memset(block, 1, size);
        free(block);
    }
}

CHECK(malloc_of_zero_is_non_null_and_distinct) {
    enum { MANY = 1000 };
    static void *held[4 * MANY];
    for (int i = 0; i < MANY; i++) {
        held[4 * i] = malloc(0);
        held[4 * i + 1] = calloc(0, 8);
        held[4 * i + 2] = realloc(NULL, 0);
        held[4 * i + 3] = aligned_alloc(64, 0);
    }
    for (int i = 0; i < 4 * MANY; i++) {
        int again = 0;
        for (int j = i + 1; j < 4 * MANY; j++) again += held[i] == held[j];
        EXPECT(held[i] && !again, "block %d is %p, and %d more are", i, held[i], again);
    }
    for (int i = 0; i < 4 * MANY; i++) free(held[i]);
}

CHECK(every_block_is_aligned_for_every_fundamental_type) {
    for (size_t size = 0; size < 40000; size++) {
        void *blocks[2] = {malloc(size), malloc(size)};
        for (int i = 0; i < 2; i++) {
            EXPECT((uintptr_t)blocks[i] % _Alignof(max_align_t) == 0, "malloc(%zu) = %p", size, blocks[i]);
            free(blocks[i]);
        }
    }
}

CHECK(usable_size_covers_the_request) {
    EXPECT(malloc_usable_size(NULL) == 0, "malloc_usable_size(NULL) = %zu", malloc_usable_size(NULL));
    for (size_t size = 0; size < 64 * MIB; size += size < 70000 ? 1 : size / 7) {
        void *block = malloc(size);
        EXPECT(malloc_usable_size(block) >= size, "malloc(%zu): usable size %zu", size, malloc_usable_size(block));
        free(block);
    }
}

CHECK(mallinfo2_counts_what_is_in_use) {
    struct mallinfo2 before = mallinfo2();
    void *blocks[1000];
    for (size_t i = 0; i < COUNT(blocks); i++) blocks[i] = malloc(10000);
    void *large = malloc(64 * MIB);
    struct mallinfo2 during = mallinfo2();
    size_t used = during.uordblks + during.hblkhd - before.uordblks - before.hblkhd;
    EXPECT(used >= 10000000 + 64 * MIB && used < 20000000 + 80 * MIB, "77,108,864 bytes counted as %zu", used);
    for (size_t i = 0; i < COUNT(blocks); i++) free(blocks[i]);
    free(large);
    struct mallinfo2 after = mallinfo2();
    size_t left = after.uordblks + after.hblkhd;
    EXPECT(left < before.uordblks + before.hblkhd + MIB, "after the frees %zu more than before",
           left - before.uordblks - before.hblkhd);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
CHECK(mallinfo_agrees_with_mallinfo2) {
    void *block = malloc(3 * MIB);
    struct mallinfo narrow = mallinfo();
    struct mallinfo2 wide = mallinfo2();
    EXPECT((size_t)narrow.uordblks + (size_t)narrow.hblkhd == wide.uordblks + wide.hblkhd, "%d + %d against %zu + %zu",
           narrow.uordblks, narrow.hblkhd, wide.uordblks, wide.hblkhd);
    EXPECT(wide.uordblks + wide.hblkhd >= 3 * MIB, "3 MiB counted as %zu", wide.uordblks + wide.hblkhd);
    free(block);
}
#pragma GCC diagnostic pop

extern void free_sized(void *, size_t) __attribute__((weak));
extern void free_aligned_sized(void *, size_t, size_t) __attribute__((weak));

CHECK(free_sized_and_free_aligned_sized_free) {
    EXPECT(free_sized && free_aligned_sized, "missing: C23 7.24.3.4 and 7.24.3.5");
    if (!free_sized || !free_aligned_sized) return;
    size_t before = process_bytes(RESIDENT);
    for (size_t i = 0; i < 300000; i++) {
        size_t size = i % 3000;
        void *block = malloc(size);
        memset(block, 1, size);
        free_sized(block, size);
        block = aligned_alloc(256, size);
        memset(block, 1, size);
        free_aligned_sized(block, 256, size);
    }
    for (size_t size = 100000; size < 40 * MIB; size *= 3) {
        free_sized(malloc(size), size);
        free_sized(calloc(3, size), 3 * size);
        free_aligned_sized(aligned_alloc(8192, size), 8192, size);
    }
    errno = 5;
    free_sized(NULL, 10);
    free_aligned_sized(NULL, 64, 10);
    EXPECT(errno == 5, "errno became %d", errno);
    size_t after = process_bytes(RESIDENT);
    EXPECT(after < before + 32 * MIB, "600,000 freed blocks left %zu bytes resident", after - before);
}

CHECK(blocks_which_libc_hands_out_can_be_freed) {
    char *copy = strdup("a string"), *printed = NULL, *line = NULL, *memory = NULL;
    EXPECT(copy && !strcmp(copy, "a string"), "strdup gave %s", copy);
    EXPECT(asprintf(&printed, "%d and %s", 7, copy) == 14, "asprintf gave %s", printed);
    size_t capacity = 0, length = 0;
    FILE *file = fopen("/proc/self/status", "r");
    EXPECT(file && getline(&line, &capacity, file) > 0, "getline failed");
    fclose(file);
    FILE *stream = open_memstream(&memory, &length);
    for (int i = 0; i < 10000; i++) fprintf(stream, "%d,", i);
    fclose(stream);
    EXPECT(length == 48890 && strlen(memory) == length, "open_memstream wrote %zu bytes", length);
    char *here = getcwd(NULL, 0), *real = realpath(".", NULL);
    EXPECT(here && real && !strcmp(here, real), "getcwd %s, realpath %s", here, real);
    struct dirent **names = NULL;
    int count = scandir("/", &names, NULL, alphasort);
    EXPECT(count > 2, "scandir found %d", count);
    for (int i = 0; i < count; i++) free(names[i]);
    free(names), free(here), free(real), free(memory), free(line), free(printed), free(copy);
}
