/* What the threads do: a few calls each, chosen so that they meet. Slabs have eight slots. */
#include "model.h"

#include <string.h>

enum { SMALL = 8192, LARGE = 100000 };

static void *block[BLOCKS], *kept_block[BLOCKS];
static bool live[BLOCKS], kept_live[BLOCKS];
static bool given[BLOCKS];
static uint64_t doubles, kept_doubles;
static bool misuse;

void blocks_reset(const scenario *s)
{
    misuse = s->misuse;
    memset(block, 0, sizeof block);
    memset(live, 0, sizeof live);
    doubles = 0;
}

void blocks_keep(void)
{
    memcpy(kept_block, block, sizeof block);
    memcpy(kept_live, live, sizeof live);
    kept_doubles = doubles;
}

void blocks_begin(void)
{
    memcpy(block, kept_block, sizeof block);
    memcpy(live, kept_live, sizeof live);
    memset(given, 0, sizeof given);
    doubles = kept_doubles;
}

bool block_live(void *address)
{
    for (int i = 0; i < BLOCKS; i++)
        if (live[i] && block[i] == address)
            return true;
    return false;
}

int blocks_live(void)
{
    int count = 0;
    for (int i = 0; i < BLOCKS; i++)
        count += live[i];
    return count;
}

void blocks_check(void)
{
    if (core_misuses() != doubles)
        fail("%d double frees, but %d reports of misuse", (int)doubles, (int)core_misuses());
}

/* The operations. */

static void take_size(int i, size_t size)
{
    void *p;
    tell("allocates block %d", i);
    p = core_allocate(size);
    if (p == NULL)
        fail("no memory for block %d", i);
    for (int j = 0; j < BLOCKS; j++)
        if (live[j] && block[j] == p)
            fail("block %d is handed out, and again as block %d", j, i);
    if (!core_is_live(p))
        fail("block %d is handed out, but its state is not LIVE", i);
    block[i] = p;
    live[i] = true;
    if (!misuse)
        memory_touch(p);
}

static void take(int i) { take_size(i, SMALL); }

static void drop(int i)
{
    if (live[i]) {
        live[i] = false;
        if (!misuse)
            memory_touch(block[i]);
        tell("frees block %d", i);
    } else {
        doubles++;
        tell("frees block %d again", i);
    }
    core_release(block[i]);
}

static void drop_all(int from, int to)
{
    for (int i = from; i <= to; i++)
        drop(i);
}

static void take_all(int from, int to)
{
    for (int i = from; i <= to; i++)
        take(i);
}

/* Hand a block over to another thread, as a program would: with a release, which the receiver acquires. */
static void give(int i)
{
    point(true);
    tell("hands block %d over", i);
    memory_transfer(running);
    given[i] = true;
}

static bool is_given(void *flag) { return *(bool *)flag; }

static void receive(int i)
{
    wait_until(is_given, &given[i]);
    memory_receive(running);
    tell("has received block %d", i);
}

static void leave(void)
{
    tell("exits");
    core_leave();
}

/* Setups. A's slab is full: its next allocation refills. */

static void a_has_eight(void)
{
    core_become(0);
    take_all(0, 7);
}

static void a_has_eight_b_has_some(void)
{
    a_has_eight();
    core_become(1);
    take_all(16, 19);
}

static void a_has_two_slabs(void) /* of the second all but two slots have been freed, of the first two */
{
    core_become(0);
    take_all(0, 15);
    core_become(1);
    drop_all(0, 1);
    drop_all(8, 13);
}

static void a_has_two_slabs_queued(void) /* the same, but a drain comes to the first before the second */
{
    core_become(0);
    take_all(0, 15);
    core_become(1);
    drop_all(8, 13);
    drop_all(0, 1);
}

static void a_has_left(void)
{
    a_has_eight();
    core_leave();
}

static void a_and_b_have_some(void)
{
    core_become(0);
    take_all(0, 5);
    core_become(1);
    take_all(8, 13);
}

static void b_and_c_are_about(void) /* each has a heap and a line for others' slots */
{
    a_has_eight();
    core_become(1);
    take(16);
    core_become(2);
    take(17);
}

static void three_are_about(void) /* A has two full slabs */
{
    core_become(0);
    take_all(0, 15);
    core_become(1);
    take(16);
    core_become(2);
    take(17);
}

static void a_has_one_of_eight(void) /* of A's first slab only block 0 is live; the second has a free slot */
{
    core_become(0);
    take_all(0, 14);
    drop_all(1, 7);
    core_become(1);
    take(16);
}

static void a_is_about_to_flush(void) /* the same; ten more frees, and A's stack gives its older half back */
{
    core_become(0);
    take_all(0, 22);
    drop_all(1, 7);
}

/* Bodies. */

static void take_one(void) { take(20); }
static void take_two(void) { take_all(20, 21); }
static void take_three(void) { take_all(20, 22); }
static void take_another(void) { take(22); }
static void take_and_drop(void) { take(22), drop(22), take(23); }
static void drop_0(void) { drop(0); }
static void drop_0_1(void) { drop_all(0, 1); }
static void drop_0_2(void) { drop_all(0, 2); }
static void drop_0_3(void) { drop_all(0, 3); }
static void drop_2_3(void) { drop_all(2, 3); }
static void drop_3_5(void) { drop_all(3, 5); }
static void drop_14_15_2(void) { drop_all(14, 15), drop(2); }
static void drop_0_1_leave(void) { drop_all(0, 1), leave(); }
static void drop_0_leave(void) { drop(0), leave(); }
static void drop_0_8(void) { drop(0), drop(8); }
static void drop_8_9(void) { drop_all(8, 9); }
static void drop_8_18_leave(void) { drop_all(8, 18), leave(); }
static void drop_0_19_20(void) { drop(0), drop_all(19, 20); }
static void drop_0_8_17(void) { drop(0), drop_all(8, 17); }
static void drop_0_18_19(void) { drop(0), drop_all(18, 19); }
static void leave_only(void) { leave(); }
static void leave_drop_0_1(void) { leave(), drop_all(0, 1); }
static void leave_drop_2_3(void) { leave(), drop_all(2, 3); }
static void exchange_a(void) { drop_all(8, 9), take(20); }
static void exchange_b(void) { drop_all(0, 1), take(21); }
static void drop_0_then_3_4(void) { drop(0), drop(3), drop(4); }
static void drop_1_then_5_6(void) { drop(1), drop(5), drop(6); }
static void take_4_give(void)
{
    for (int i = 8; i < 11; i++)
        take(i), give(i);
}
static void receive_and_drop(void)
{
    for (int i = 8; i < 11; i++)
        receive(i), drop(i);
}
static void take_large(void) { take_size(20, LARGE), drop(20); }
static void take_large_too(void) { take_size(21, LARGE), drop(21); }
static void a_large(void) { core_become(0), take_size(0, LARGE); }
static void count_only(void) { core_count(); }
static void trim_only(void) { core_trim(); }

static void child_allocates(void)
{
    bool had[BLOCKS];
    void *blocks[BLOCKS];
    memcpy(had, live, sizeof had);
    memcpy(blocks, block, sizeof blocks);
    for (int i = 0, made = 0; i < BLOCKS && made < 3; i++)
        if (!live[i])
            take(i), made++;
    for (int i = 0; i < BLOCKS; i++)
        if (had[i] && !core_is_live(block[i]))
            fail("in the child block %d, handed out before the fork, is not live", i);
    memcpy(live, had, sizeof live);
    memcpy(block, blocks, sizeof block);
}

static void fork_only(void) { core_fork(child_allocates); }
static void fork_and_take(void) { core_fork(child_allocates), take(23); }

const scenario scenarios[] = {
    {.name = "drain", .about = "the owner refills while another thread frees its blocks", .threads = 2,
     .refill_batch = 8, .setup = a_has_eight, .body = {take_two, drop_0_2}},
    {.name = "drain-delayed", .about = "the same, through a delay line", .threads = 2, .delay_line = 1,
     .refill_batch = 8, .setup = a_has_eight, .body = {take_two, drop_0_3}},
    {.name = "two-publishers", .about = "two threads free blocks of one slab while its owner refills", .threads = 3,
     .refill_batch = 8, .setup = b_and_c_are_about, .body = {take_one, drop_0_1, drop_2_3}},
    {.name = "two-slabs", .about = "two threads free blocks of two slabs while their owner refills", .threads = 3,
     .refill_batch = 8, .setup = three_are_about, .body = {take_one, drop_0_1, drop_8_9}},
    {.name = "batches", .about = "two threads free batches of two from one slab", .threads = 3, .delay_line = 2,
     .refill_batch = 8, .setup = b_and_c_are_about, .body = {take_one, drop_0_2, drop_3_5}},
    {.name = "dissolve", .about = "a slab whose last slots come back is dissolved while others are freed", .threads = 2,
     .refill_batch = 1, .setup = a_has_two_slabs, .body = {take_two, drop_14_15_2}},
    {.name = "dissolve-reuse", .about = "a slab is dissolved while its last slots are freed, and made anew",
     .threads = 2, .refill_batch = 1, .setup = a_has_two_slabs_queued, .body = {take_three, drop_14_15_2}},
    {.name = "flush", .about = "the owner flushes, exits and dissolves slabs while another thread frees",
     .threads = 2, .delay_line = 1, .refill_batch = 1, .setup = a_is_about_to_flush, .body = {drop_8_18_leave, drop_0_19_20}},
    {.name = "exchange", .about = "two threads free each other's blocks and allocate", .threads = 2, .delay_line = 1,
     .refill_batch = 2, .setup = a_and_b_have_some, .body = {exchange_a, exchange_b}},
    {.name = "hand-over", .about = "blocks are allocated, handed over and freed by the receiver", .threads = 2,
     .refill_batch = 1, .setup = a_has_eight, .body = {take_4_give, receive_and_drop}},
    {.name = "owner-exits", .about = "the owner exits while its blocks are freed; a third thread adopts its heap",
     .threads = 3, .refill_batch = 8, .setup = a_has_eight, .body = {leave_only, drop_0_2, take_another}},
    {.name = "freer-exits", .about = "a thread exits with remote frees in its line", .threads = 2, .delay_line = 1,
     .refill_batch = 8, .setup = a_has_eight, .body = {take_two, drop_0_1_leave}},
    {.name = "abandoned", .about = "an abandoned heap is drained or adopted while its blocks are freed", .threads = 3,
     .refill_batch = 8, .setup = a_has_left, .body = {take_and_drop, drop_0_2, take_one}},
    {.name = "orphans", .about = "two threads that have exited free blocks through the line they share", .threads = 3,
     .refill_batch = 8, .setup = b_and_c_are_about, .body = {take_one, leave_drop_0_1, leave_drop_2_3}},
    {.name = "zeroing", .about = "freed slots are zeroed, and reused by their owner", .threads = 2, .refill_batch = 8,
     .zero_on_free = true, .setup = a_has_eight, .body = {take_two, drop_0_2}},
    {.name = "owner-and-remote", .about = "the owner and another thread free one block", .threads = 2, .delay_line = 1,
     .refill_batch = 8, .misuse = true, .setup = a_has_eight_b_has_some, .body = {drop_0, drop_0}},
    {.name = "owner-and-pipeline", .about = "the same, and the other thread goes on until the slot is published",
     .threads = 2, .delay_line = 1, .refill_batch = 8, .misuse = true, .setup = a_has_eight_b_has_some,
     .body = {drop_0, drop_0_3}},
    {.name = "two-remote", .about = "two threads free one block of a third", .threads = 3, .delay_line = 1,
     .refill_batch = 8, .misuse = true, .setup = b_and_c_are_about, .body = {take_one, drop_0, drop_0}},
    {.name = "two-races", .about = "the owner frees two blocks that two other threads free as well", .threads = 3,
     .refill_batch = 8, .misuse = true, .setup = b_and_c_are_about,
     .body = {drop_0_1, drop_0_then_3_4, drop_1_then_5_6}},
    {.name = "freed-twice-dissolved", .about = "the owner frees what another thread has in its line; its slab dissolves",
     .threads = 2, .refill_batch = 1, .misuse = true, .setup = a_has_one_of_eight, .body = {drop_0_leave, drop_0_8}},
    {.name = "freed-twice-flushed", .about = "the owner overwrites a remote free, and flushes the rest of the slab",
     .threads = 2, .delay_line = 1, .refill_batch = 1, .misuse = true, .setup = a_is_about_to_flush,
     .body = {drop_0_8_17, drop_0_18_19}},
    {.name = "first-call", .about = "two threads make the process's first call", .threads = 2, .unopened = true,
     .body = {take_one, take_another}},
    {.name = "lock", .about = "three threads contend for the lock", .threads = 3, .delay_line = 1, .refill_batch = 1,
     .body = {take_large, take_large_too, take_another}},
    {.name = "large-twice", .about = "two threads free one large block", .threads = 2, .misuse = true, .setup = a_large,
     .body = {drop_0, drop_0}},
    {.name = "count", .about = "statistics are taken while blocks are freed and allocated", .threads = 3,
     .refill_batch = 8, .setup = a_has_eight, .body = {take_one, drop_0_1, count_only}},
    {.name = "trim", .about = "a thread trims while its blocks are freed", .threads = 2, .refill_batch = 8,
     .setup = a_has_eight, .body = {trim_only, drop_0_2}},
    {.name = "fork-mid-push", .about = "a fork while another thread frees its own blocks", .threads = 2,
     .delay_line = 2, .refill_batch = 8, .plain_points = true, .setup = a_and_b_have_some,
     .body = {drop_0_3, fork_only}},
    {.name = "fork-mid-refill", .about = "a fork while another thread refills from remote frees", .threads = 2,
     .refill_batch = 8, .plain_points = true, .setup = a_has_eight_b_has_some, .body = {take_one, fork_and_take}},
    {.name = "fork-mid-publish", .about = "a fork while another thread frees the forking thread's blocks", .threads = 2,
     .delay_line = 1, .refill_batch = 8, .plain_points = true, .setup = a_has_eight, .body = {fork_and_take, drop_0_3}},
};
const int scenario_count = sizeof scenarios / sizeof *scenarios;
