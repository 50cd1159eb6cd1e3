"""The driver is a fair client: what it asks at a bad moment, sees in part, or waits for long, it blames on nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from m4alloc.check.foreign import Foreign
from m4alloc.check.hunt import Hunt
from m4alloc.check.instruction import Planner
from m4alloc.check.judgement import Terms, judge
from m4alloc.check.observe import observe
from m4alloc.check.operation import Aim, Directive, Operation, directive
from m4alloc.check.target import End
from m4alloc.lib import lib
from spec.event import Event, Function

Library = Callable[..., str]
MALLOC, REALLOC, FREE, LABEL = Function.MALLOC, Function.REALLOC, Function.FREE, Function.LABEL
MIB = 1 << 20

# Stale frees in a parallel section.

SLOW_HANDS = """
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>
static _Alignas(64) char room[1 << 20];
static size_t used;
static void *freed;
static _Atomic int handing, frees, freeing, begun;
static void await(_Atomic int *what, int more, int milliseconds)
{
    for (int i = 0; i < 10 * milliseconds && atomic_load(what) < more; i++)
        usleep(100);
}
/* 48 bytes: the block freed last, handed out slowly. 8: waits until one is being handed out. 24: says that it began. */
void *malloc(size_t size)
{
    if (size == 8)
        await(&handing, 1, 5000);
    if (size == 24)
        atomic_fetch_add(&begun, 1);
    void *p = room + (used += 64);
    if (size == 48 && freed) {
        p = freed, freed = NULL;
        atomic_fetch_add(&handing, 1);
        await(&frees, 2, 300);
    }
    return p;
}
/* Of NULL: waits until a free is slow. The second one is when SLOW_FREE is defined: is a block asked for meanwhile? */
void free(void *p)
{
    if (!p) {
        await(&handing, 1, 5000);
        return;
    }
    int slow = atomic_fetch_add(&frees, 1);
#ifdef SLOW_FREE
    if (slow) {
        atomic_fetch_add(&handing, 1);
        await(&begun, 1, 300);
    }
#endif
    (void)slow;
    freed = p;
}
"""
BLOCK = [Operation(MALLOC, size=48), Operation(FREE, aim=Aim.LIVE)]
STALE = Operation(FREE, 0, Aim.DEAD)


def section(target: Foreign, *operations: Operation) -> list[Event]:
    """The events of a parallel section, behind a block that was freed."""
    plan = [*BLOCK, directive(Directive.PARALLEL), *operations, directive(Directive.JOIN)]
    episode = target.run(plan)
    assert episode.end is End.FINISHED, episode
    return [event for event in episode.events if event.begin]


def test_a_stale_free_waits_for_a_block_on_its_way_and_then_leaves_it_alone(library: Library) -> None:
    """The block that thread 1 is being handed is its own: a free of it would be no misuse that an allocator can see."""
    with Foreign(library(SLOW_HANDS)) as target:
        events = section(target, Operation(MALLOC, size=8), Operation(MALLOC, 1, size=48), STALE)
    assert [event.function for event in events if event.function is FREE] == []
    assert sorted(event.size for event in events) == [8, 48]


def test_nobody_is_handed_a_block_while_a_stale_free_goes_on(library: Library) -> None:
    with Foreign(library(SLOW_HANDS, "SLOW_FREE")) as target:
        events = section(target, STALE, Operation(FREE, 1), Operation(MALLOC, 1, size=24))
    (stale,) = (event for event in events if event.function is FREE and event.address)
    (block,) = (event for event in events if event.function is MALLOC)
    assert stale.end < block.begin


# What is looked at in part.


def test_a_realloc_that_fails_on_a_block_that_is_looked_at_in_part_has_changed_nothing() -> None:
    plan = [Operation(MALLOC, size=100 * MIB), Operation(REALLOC, aim=Aim.LIVE, size=2**63)]
    with Foreign("system") as libc:
        episode = libc.run(plan)
        assert judge(episode, Terms("c17,glibc")) is None
    assert episode.events[1].result == 0 and episode.events[1].intact == -1


HUGE = """
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
enum { LENGTH = 256 << 20 };
static char *last;
void *malloc(size_t size)
{
    char *p = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
#ifdef SHARES_THE_END
    if (last)
        p = last + LENGTH / 2 - 6144;
#endif
    return last = p;
}
void *realloc(void *old, size_t size)
{
    char *p = malloc(size);
    memcpy(p, old, 70 << 20);
#ifdef LOSES
    p[60 << 20] ^= 1;
#endif
    return p;
}
void free(void *p) { (void)p; }
"""


def test_the_end_of_a_large_block_is_looked_at_too(library: Library) -> None:
    """No malloc_usable_size, and blocks that meet where neither is filled: only the last page tells."""
    with Foreign(library(HUGE, "SHARES_THE_END")) as target:
        episode = target.run([Operation(MALLOC, size=128 * MIB), Operation(MALLOC, size=4096)])
    (load,) = (event for event in episode.events if event.function is Function.LOAD)
    assert load.address + load.size == episode.events[0].result + 128 * MIB and load.intact < load.size


@pytest.mark.parametrize(("macro", "intact"), [("KEEPS", -1), ("LOSES", 60 * MIB)])
def test_what_realloc_kept_of_a_large_block_is_looked_at_as_far_as_it_was_filled(
    library: Library, macro: str, intact: int
) -> None:
    with Foreign(library(HUGE, macro)) as target:
        events = target.run([Operation(MALLOC, size=70 * MIB), Operation(REALLOC, aim=Aim.LIVE, size=80 * MIB)]).events
    assert events[1].intact == intact


# Slow is no hang.

SLOW = """
#include <stddef.h>
#include <time.h>
static _Alignas(64) char room[1 << 20];
static size_t used;
static int count;
void *malloc(size_t size)
{
    struct timespec while_ = {0, 60000000};
    if (++count == HANGS)
        for (;;)
            nanosleep(&while_, NULL);
    nanosleep(&while_, NULL);
    return room + (used += (size + 63) / 64 * 64);
}
void free(void *p) { (void)p; }
"""


def test_an_allocator_that_is_slow_does_not_hang(library: Library) -> None:
    with Foreign(library(SLOW, "HANGS=0"), timeout=0.3) as target:
        seen = observe(target, Planner().plan([Operation(MALLOC, size=8)] * 12), Terms("c17"))
    assert (seen.broken, seen.operations) == (None, 12)


def test_a_call_that_hangs_behind_slow_ones_is_found(library: Library) -> None:
    with Foreign(library(SLOW, "HANGS=9"), timeout=0.3) as target:
        episode = target.run([Operation(MALLOC, size=8)] * 12)
    assert episode.end is End.HUNG and len(episode.events) == 9


# Killed from outside.

KILLED = """
#include <signal.h>
#include <stddef.h>
static _Alignas(64) char room[1 << 20];
static size_t used;
void *malloc(size_t size)
{
    if (size == 333)
        raise(SIGKILL);
    return room + (used += (size + 63) / 64 * 64);
}
void free(void *p) { (void)p; }
"""
PLAN = [Operation(MALLOC, size=8), Operation(MALLOC, size=333)]


def test_a_child_that_the_system_kills_for_memory_is_no_crash_of_the_allocator(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = iter(range(100))
    monkeypatch.setattr("m4alloc.check.foreign.oom_kills", lambda: next(kills))
    hunt = Hunt(lambda: Foreign(library(KILLED)), Terms("c17"))
    assert hunt.look(PLAN) is None and hunt.operations == 1
    hunt.close()
    assert hunt.starved == 1


def test_an_allocator_that_kills_its_process_is_not_taken_for_that(library: Library) -> None:
    hunt = Hunt(lambda: Foreign(library(KILLED)), Terms("c17"))
    broken = hunt.look(PLAN)
    hunt.close()
    assert broken is not None and broken.rule.name == "call-returns" and hunt.starved == 0


# A thread that leaves.

LATE = """
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
static _Alignas(64) char room[1 << 20];
static size_t used;
static pthread_key_t key;
static __thread int here, gone;
static void ends(void *unused) { (void)unused; gone = 1; }
__attribute__((constructor)) static void prepare(void) { pthread_key_create(&key, ends); }
void *malloc(size_t size)
{
    if (!here++)
        pthread_setspecific(key, room);
    if (gone)
        _exit(9);
    return room + (used += (size + 63) / 64 * 64);
}
void free(void *p) { (void)p; }
"""


def test_what_a_thread_does_when_it_leaves_comes_behind_the_librarys_destructors(library: Library) -> None:
    one = Operation(MALLOC, 1, size=8)
    leaves, ends = directive(Directive.THREAD_LEAVES, thread=1), directive(Directive.THREAD_END, thread=1)
    with Foreign(library(LATE)) as target:
        assert target.run([one, one, leaves, ends, one]).end is End.FINISHED
        episode = target.run([one, leaves, one, ends])
        hunt = Hunt(lambda: Foreign(library(LATE)), target.terms("c17"))
    assert episode.end is End.CRASHED and episode.pending is not None and episode.pending.thread == 1
    broken = hunt.look([one, leaves, one, ends])
    assert broken is not None and broken.rule.name == "call-returns"
    finding = hunt.finding([one, one, leaves, one, one, ends, one], broken, "directed", "here")
    hunt.close()
    labels = [step.event.label for step in finding.script.steps if step.event and step.event.function is LABEL]
    assert (labels, finding.replays) == (["thread-leaves"], 10)


def test_a_thread_that_left_goes_on_until_it_ends() -> None:
    plan = [Operation(MALLOC, 1, size=8), directive(Directive.THREAD_LEAVES, thread=1)]
    plan += [Operation(MALLOC, 1, size=n) for n in (1, 2, 3)] + [directive(Directive.PARALLEL)]
    plan += [Operation(MALLOC, n % 2, size=100) for n in range(40)] + [directive(Directive.JOIN)]
    plan += [directive(Directive.THREAD_END, thread=1), Operation(MALLOC, 1, size=8)]
    with Foreign("system") as libc:
        episode = libc.run(plan)
    assert episode.end is End.FINISHED and judge(episode, Terms("c17,glibc")) is None
    assert sum(event.function is MALLOC for event in episode.events) == 45


# Sized frees.


def test_only_blocks_that_the_standard_names_are_freed_by_their_size() -> None:
    """For those of memalign, posix_memalign, valloc, pvalloc both sized frees are undefined (ISO C23 7.24.3.4 f.)."""
    makers = {
        MALLOC: Function.FREE_SIZED,
        Function.CALLOC: Function.FREE_SIZED,
        REALLOC: Function.FREE_SIZED,
        Function.ALIGNED_ALLOC: Function.FREE_ALIGNED_SIZED,
        Function.MEMALIGN: FREE,
        Function.POSIX_MEMALIGN: FREE,
        Function.VALLOC: FREE,
        Function.PVALLOC: FREE,
    }
    plan = [
        operation
        for maker in makers
        for operation in (Operation(maker, size=100, alignment=64), Operation(Function.FREE_SIZED, aim=Aim.LIVE))
    ]
    plan += [Operation(Function.MEMALIGN, size=100, alignment=64), Operation(REALLOC, aim=Aim.LIVE, size=90)]
    plan.append(Operation(Function.FREE_SIZED, aim=Aim.LIVE))
    with Foreign(lib()) as ours:
        frees = [event for event in ours.run(plan).events if event.address and event.function is not REALLOC]
    assert [event.function for event in frees] == [*makers.values(), Function.FREE_SIZED]
    assert all((event.size == 100) is (event.function is not FREE) for event in frees[:-1]) and frees[-1].size == 90
    assert [event.alignment for event in frees if event.function is Function.FREE_ALIGNED_SIZED] == [64]


# What a program's malloc has seen before a thread of it begins.

FIRST = """
#define _GNU_SOURCE
#include <stddef.h>
#include <unistd.h>
static _Alignas(64) char room[1 << 24];
static size_t used;
static int owner; /* the thread that called first, which is taken for the one that never ends */
void *malloc(size_t size)
{
    if (!owner)
        owner = gettid();
    if (owner != getpid())
        return NULL;
    return room + (used += (size + 63) / 64 * 64);
}
void free(void *p) { (void)p; }
"""


def test_a_thread_that_ends_is_not_the_first_to_call_the_library(library: Library) -> None:
    """pthread_create asks the malloc of its program for memory, so that the main thread has called before any other."""
    one = Operation(MALLOC, 1, size=100)
    with Foreign(library(FIRST)) as target:
        first, _ = target.run([one, directive(Directive.THREAD_END, thread=1)]).events
    assert first.result


# Memory that goes back to the system.

MAPS = """
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
enum { LENGTH = 1 << 17 };
static char *next;
void *malloc(size_t size)
{
    if (!next)
        next = mmap(NULL, (size_t)1 << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    next += LENGTH;
    return next - LENGTH;
}
void free(void *p)
{
#ifdef GIVES_BACK
    if (p)
        madvise(p, LENGTH, MADV_DONTNEED);
#endif
}
size_t malloc_usable_size(void *p) { return p ? LENGTH : 0; }
"""


@pytest.mark.parametrize(("macro", "leaks"), [("GIVES_BACK", False), ("KEEPS", True)])
def test_addresses_that_are_not_used_again_are_no_leak_where_the_memory_is_given_back(
    library: Library, macro: str, leaks: bool
) -> None:
    hunt = Hunt(lambda: Foreign(library(MAPS, macro)), Terms("c17"))
    try:
        broken = hunt.look([Operation(MALLOC, size=100_000), Operation(FREE, aim=Aim.LIVE)], repeated=True)
    finally:
        hunt.close()
    assert (broken is not None) is leaks and (broken is None or broken.rule.name == "freed-is-reused")
