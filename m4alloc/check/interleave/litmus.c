/* Litmus tests: programs of a few accesses whose outcomes say what the memory model allows and what it does not. */
#include "model.h"

#include <stdio.h>
#include <string.h>

void __tsan_atomic32_store(void *p, uint32_t v, int order);
uint32_t __tsan_atomic32_load(void *p, int order);
uint32_t __tsan_atomic32_exchange(void *p, uint32_t v, int order);
void __tsan_read4(void *p);
void __tsan_write4(void *p);

enum { VALUES = 3, OUTCOMES = 81 }; /* four registers of three values */

static uint32_t x, y, z;          /* what the threads share */
static uint32_t result[4];        /* what they read */
static bool seen[OUTCOMES];

static void store(uint32_t *p, uint32_t v, int order) { __tsan_atomic32_store(p, v, order); }
static uint32_t load(uint32_t *p, int order) { return __tsan_atomic32_load(p, order); }

static void reset(void)
{
    x = y = z = 0;
    memset(seen, 0, sizeof seen);
}

static void note(void)
{
    seen[result[0] + VALUES * (result[1] + VALUES * (result[2] + VALUES * result[3]))] = true;
    memset(result, 0, sizeof result);
}

static void note_memory(void)
{
    result[0] = x;
    result[1] = y;
    note();
}

/* SB: each stores one and loads the other. */
static void sb_a(void) { store(&x, 1, __ATOMIC_RELEASE), result[0] = load(&y, __ATOMIC_ACQUIRE); }
static void sb_b(void) { store(&y, 1, __ATOMIC_RELEASE), result[1] = load(&x, __ATOMIC_ACQUIRE); }

/* MP: data, then a flag; with release and acquire, with release only, with acquire only. */
static void mp_write(void) { store(&x, 1, __ATOMIC_RELAXED), store(&y, 1, __ATOMIC_RELEASE); }
static void mp_write_relaxed(void) { store(&x, 1, __ATOMIC_RELAXED), store(&y, 1, __ATOMIC_RELAXED); }
static void mp_read(void) { result[0] = load(&y, __ATOMIC_ACQUIRE), result[1] = load(&x, __ATOMIC_RELAXED); }
static void mp_read_relaxed(void) { result[0] = load(&y, __ATOMIC_RELAXED), result[1] = load(&x, __ATOMIC_RELAXED); }

/* MP with a read-modify-write in between, which goes on the release sequence though it is relaxed. */
static void mp_exchange(void) { result[2] = __tsan_atomic32_exchange(&y, 2, __ATOMIC_RELAXED); }

/* MP with plain data. */
static void plain_write(void) { __tsan_write4(&z), store(&y, 1, __ATOMIC_RELEASE); }
static void plain_write_relaxed(void) { __tsan_write4(&z), store(&y, 1, __ATOMIC_RELAXED); }
static void plain_read(void)
{
    result[0] = load(&y, __ATOMIC_ACQUIRE);
    if (result[0] != 0)
        __tsan_read4(&z);
}

/* RWC: B sees x before y, C stores y and does not see x: they disagree about which was stored first. */
static void rwc_a(void) { store(&x, 1, __ATOMIC_RELEASE); }
static void rwc_b(void) { result[0] = load(&x, __ATOMIC_ACQUIRE), result[1] = load(&y, __ATOMIC_ACQUIRE); }
static void rwc_c(void) { store(&y, 1, __ATOMIC_RELEASE), result[2] = load(&x, __ATOMIC_ACQUIRE); }

/* CoRR: two loads of one location do not go back. */
static void corr_write(void) { store(&x, 1, __ATOMIC_RELAXED), store(&x, 2, __ATOMIC_RELAXED); }
static void corr_read(void) { result[0] = load(&x, __ATOMIC_RELAXED), result[1] = load(&x, __ATOMIC_RELAXED); }

/* LB: each loads one and then stores the other. */
static void lb_a(void) { result[0] = load(&x, __ATOMIC_RELAXED), store(&y, 1, __ATOMIC_RELAXED); }
static void lb_b(void) { result[1] = load(&y, __ATOMIC_RELAXED), store(&x, 1, __ATOMIC_RELAXED); }

/* 2+2W: both store both, in opposite orders. */
static void ww_a(void) { store(&x, 1, __ATOMIC_RELAXED), store(&y, 2, __ATOMIC_RELAXED); }
static void ww_b(void) { store(&y, 1, __ATOMIC_RELAXED), store(&x, 2, __ATOMIC_RELAXED); }

/* Two exchanges of one location: one of them is first. */
static void exchange_a(void) { result[0] = __tsan_atomic32_exchange(&x, 1, __ATOMIC_RELAXED); }
static void exchange_b(void) { result[1] = __tsan_atomic32_exchange(&x, 2, __ATOMIC_RELAXED); }

#define TEST(called, count, end, ...) {.name = called, .threads = count, .setup = reset, .after = end, .body = {__VA_ARGS__}}

const scenario litmus[] = {
    TEST("SB", 2, note, sb_a, sb_b),
    TEST("MP", 2, note, mp_write, mp_read),
    TEST("MP-relaxed-store", 2, note, mp_write_relaxed, mp_read),
    TEST("MP-relaxed-load", 2, note, mp_write, mp_read_relaxed),
    TEST("MP-release-sequence", 3, note, mp_write, mp_read, mp_exchange),
    TEST("MP-plain", 2, note, plain_write, plain_read),
    TEST("MP-plain-race", 2, note, plain_write_relaxed, plain_read),
    TEST("RWC", 3, note, rwc_a, rwc_b, rwc_c),
    TEST("CoRR", 2, note, corr_write, corr_read),
    TEST("LB", 2, note, lb_a, lb_b),
    TEST("2+2W", 2, note_memory, ww_a, ww_b),
    TEST("exchanges", 2, note, exchange_a, exchange_b),
};
const int litmus_count = sizeof litmus / sizeof *litmus;

void litmus_start(void)
{
    memory_follow(&x, sizeof x);
    memory_follow(&y, sizeof y);
    memory_follow(&z, sizeof z);
}

void litmus_print(void)
{
    const char *comma = "";
    printf("[");
    for (int i = 0; i < OUTCOMES; i++)
        if (seen[i]) {
            printf("%s[%d, %d, %d, %d]", comma, i % VALUES, i / VALUES % VALUES, i / 9 % VALUES, i / 27);
            comma = ", ";
        }
    printf("]\n");
}
