/* The slow paths, kept out of line: inlined into malloc and free they would make every call save six registers. */
#ifndef M4ALLOC_COLD_H
#define M4ALLOC_COLD_H

#include <stddef.h>
#include <stdint.h>

#define M4_APART __attribute__((noinline))
/* What hooked calls take every time, though it is off the hot path: GCC would optimise it for size. */
#define M4_BUSY __attribute__((noinline, hot))

struct m4_arena;
struct m4_bin;
struct m4_heap;
struct m4_record;
struct m4_sample;
struct m4_slot;

/* These end the hot paths: their first argument is the caller's, so that no register moves for it. */
static void *m4_allocate_slow(size_t, struct m4_heap *, struct m4_arena *) M4_APART;
static int m4_release_slow(char *, struct m4_heap *, struct m4_arena *) M4_APART;
static int m4_release_watched(char *, struct m4_heap *, struct m4_arena *) M4_BUSY;
static int m4_release_turn(char *, struct m4_heap *, struct m4_arena *, struct m4_bin *, uint8_t *) M4_APART;
static void *m4_allocate_watched(size_t, struct m4_heap *, struct m4_arena *) M4_BUSY;
/* One function each for a hooked malloc and a hooked free. */
#define M4_PART static inline __attribute__((always_inline))
M4_PART void *m4_hand_out(struct m4_arena *, struct m4_heap *, struct m4_bin *, uint64_t);
M4_PART void *m4_allocate_hooked(struct m4_arena *, struct m4_heap *, uint32_t, size_t, size_t);
M4_PART int m4_check_slack(struct m4_arena *, char *, const uint8_t *, uint64_t);
M4_PART void m4_check_beside(struct m4_arena *, const struct m4_record *, char *, uint8_t *);
M4_PART int m4_release_hooked(struct m4_arena *, struct m4_heap *, struct m4_record *, char *, uint8_t *);

static void *m4_allocate_apart(struct m4_arena *, size_t, size_t) M4_APART;
static void *m4_allocate_refilled(struct m4_arena *, struct m4_heap *, uint32_t, size_t) M4_APART;
static void m4_not_zero(struct m4_arena *, char *, const uint8_t *, uint64_t) M4_APART;
static void *m4_allocate_aligned_shared(struct m4_arena *, uint32_t, size_t, size_t) M4_APART;
static void *m4_keep_block(struct m4_arena *, struct m4_record *, void *, size_t, int) M4_APART;
static int m4_release_remote(struct m4_arena *, struct m4_heap *, struct m4_record *, struct m4_slot) M4_APART;
static int m4_report_write(struct m4_arena *, char *, const uint8_t *, uint64_t, uint64_t) M4_APART;
static int m4_report_overflow(struct m4_arena *, char *, const uint8_t *, uint64_t, uint64_t, uint64_t) M4_APART;
static int m4_report_canary(struct m4_arena *, char *, const uint8_t *, uint64_t) M4_APART;
static int m4_report_beside(struct m4_arena *, char *, char *, uint64_t, int) M4_APART;
static int m4_report_large_overflow(struct m4_arena *, char *, uint64_t) M4_APART;
static int m4_report_range(struct m4_arena *, char *, uint64_t, char *, uint64_t) M4_APART;
static int m4_report_sample(struct m4_arena *, int, struct m4_sample *, char *, int) M4_APART;
static void *m4_allocate_sample(struct m4_arena *, struct m4_heap *, uint64_t, uint64_t) M4_APART;
static int m4_free_sample(struct m4_arena *, struct m4_heap *, char *, int) M4_APART;
static int m4_push_slot(struct m4_arena *, struct m4_heap *, struct m4_bin *, char *, uint8_t *) M4_APART;
static int m4_refill(struct m4_arena *, struct m4_heap *, uint32_t) M4_APART;
static void *m4_enter(void *arena) M4_APART;

#endif
