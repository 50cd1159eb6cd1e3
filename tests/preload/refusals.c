/* The system refuses what the library asks of it: nothing crashes, no byte is lost, no inaccessible block is handed out.
 *
 * Linked with -rdynamic, so that the library's calls of these functions come here. */
#include "check.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

static int refuse_mremap, unmap_target, refuse_markers, refuse_access, refuse_return;
static int is_old_system; /* as Linux 4.14: it knows neither MREMAP_DONTUNMAP nor MAP_FIXED_NOREPLACE */
static int let_stranger_in;
static unsigned char *stranger; /* a page that somebody maps where the target of an mremap was */
static int refused;

static long refuse(int code) {
    refused++;
    errno = code;
    return -1;
}

int madvise(void *start, size_t length, int advice) {
    if (refuse_markers && (advice == MADV_GUARD_INSTALL || advice == MADV_GUARD_REMOVE)) {
        errno = EINVAL;
        return -1;
    }
    if (refuse_return && advice == MADV_DONTNEED) return (int)refuse(EINVAL);
    return (int)syscall(SYS_madvise, start, length, advice);
}

int mprotect(void *start, size_t length, int protection) {
    if (refuse_access && protection != PROT_NONE) return (int)refuse(ENOMEM);
    return (int)syscall(SYS_mprotect, start, length, protection);
}

void *mmap64(void *at, size_t length, int protection, int flags, int file, off64_t offset) {
    if (is_old_system) flags &= ~MAP_FIXED_NOREPLACE;
    return (void *)syscall(SYS_mmap, at, length, protection, flags, file, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int file, off_t offset) {
    return mmap64(at, length, protection, flags, file, offset);
}

void *mremap(void *old, size_t old_length, size_t length, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    void *to = va_arg(arguments, void *);
    va_end(arguments);
    if (is_old_system) return (void *)refuse(EINVAL);
    if (refuse_mremap) {
        if (unmap_target) munmap(to, length); /* as Linux does before it looks at the old range */
        if (let_stranger_in) {
            stranger = mmap((char *)to + length / 8192 * 4096, 4096, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
            for (int i = 0; i < 4096; i++) ((volatile unsigned char *)stranger)[i] = 0x5A; /* which no monitor sees */
        }
        return (void *)refuse(EFAULT);
    }
    return (void *)syscall(SYS_mremap, old, old_length, length, flags, to);
}

static void a_large_block_moves(void) {
    for (size_t size = 3 * MIB; size < 40 * MIB; size *= 2) {
        unsigned char *block = malloc(size), *between = malloc(size);
        fill(block, size, size);
        errno = 77;
        block = realloc(block, size + 100 * 4096);
        EXPECT(block, "realloc");
        EXPECT(errno == 77, "errno %d", errno);
        EXPECT(intact(block, size, size) == size, "contents");
        fill(block, size + 100 * 4096, 1);
        EXPECT(intact(block, size + 100 * 4096, 1) == size + 100 * 4096, "contents of all of it");
        free(between);
        free(block);
    }
    EXPECT(refused > 0, "no mremap");
}

CHECK(a_large_block_moves_when_the_system_does_not_move_its_pages) {
    refuse_mremap = 1;
    a_large_block_moves();
}

CHECK(a_large_block_moves_when_the_system_has_unmapped_where_to) {
    refuse_mremap = unmap_target = 1;
    a_large_block_moves();
}

CHECK(a_large_block_moves_on_a_system_that_knows_no_flag_for_it) {
    is_old_system = 1;
    a_large_block_moves();
}

CHECK(realloc_fails_rather_than_write_to_what_a_stranger_has_mapped) {
    enum { SIZE = 5 * MIB };
    unsigned char *block = malloc(SIZE), *between = malloc(SIZE), *moved, *next[8];
    refuse_mremap = unmap_target = let_stranger_in = 1;
    fill(block, SIZE, 7);
    errno = 0;
    moved = realloc(block, 4 * SIZE);
    EXPECT(stranger, "no mremap");
    if (!stranger) return;
    EXPECT(!moved && errno == ENOMEM, "%p, errno %d", (void *)moved, errno);
    EXPECT(intact(block, SIZE, 7) == SIZE, "byte %zu of the old block", intact(block, SIZE, 7));
    let_stranger_in = refuse_mremap = 0;
    for (size_t i = 0; i < COUNT(next); i++) {
        next[i] = malloc(4 * SIZE);
        if (next[i]) memset(next[i], 1, 4 * SIZE);
    }
    for (size_t i = 0; i < 4096; i++)
        EXPECT(stranger[i] == 0x5A, "byte %zu of the stranger's page is %d", i, stranger[i]);
    for (size_t i = 0; i < COUNT(next); i++) free(next[i]);
    free(between);
    free(block);
}

/* Guards and held addresses made by mprotect; then the system does not make them accessible again, as under RLIMIT_DATA. */
CHECK(what_cannot_be_made_accessible_again_is_not_handed_out) {
    enum { MANY = 40 };
    static unsigned char *block[MANY];
    static const size_t sizes[] = {100, 40000, 200000, 3000000};
    refuse_markers = 1;
    for (int round = 0; round < 6; round++) {
        refuse_access = 0;
        for (int i = 0; i < MANY; i++) {
            size_t size = sizes[(i + round) % COUNT(sizes)];
            block[i] = malloc(size);
            EXPECT(block[i], "malloc(%zu)", size);
            if (!block[i]) return;
            memset(block[i], 1, size);
        }
        refuse_access = round % 2;
        for (int i = 0; i < MANY; i++) free(block[i]);
        for (int i = 0; i < 200; i++) { /* fails, or works */
            size_t size = sizes[i % COUNT(sizes)];
            unsigned char *taken = malloc(size);
            if (taken) memset(taken, 2, size);
            taken = taken ? realloc(taken, size + 9000) : NULL;
            if (taken) memset(taken, 3, size + 9000);
            free(taken);
        }
    }
    refuse_access = 0;
    EXPECT(refused > 0, "nothing was refused");
    EXPECT(malloc(100) && malloc(1000000), "the next malloc");
}

CHECK(pages_that_the_system_does_not_take_back_are_used_again) {
    refuse_return = 1;
    for (int round = 0; round < 50; round++)
        for (size_t size = 40000; size < 100 * MIB; size *= 4) {
            unsigned char *block = calloc(1, size);
            EXPECT(block, "calloc(1, %zu)", size);
            EXPECT(zeroes(block, size) == size, "byte %zu of %zu", zeroes(block, size), size);
            memset(block, 1, size);
            free(block);
        }
    EXPECT(refused > 0, "nothing was refused");
}
