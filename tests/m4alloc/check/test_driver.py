"""The native driver does what its readable form does, and its directives do what they say."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from m4alloc.check.adapter_native import NativeFace, of_library
from m4alloc.check.board import CAPACITY
from m4alloc.check.foreign import Foreign
from m4alloc.check.instruction import Planner
from m4alloc.check.local import LocalTarget
from m4alloc.check.operation import Aim, Directive, Operation, directive
from m4alloc.check.strategies import plans
from m4alloc.check.target import End
from spec.event import ERRNO_CHANGED, NEVER_RETURNED, RESIZING, Event, Function
from spec.judge import hands_out

Bump = Callable[..., str]
MALLOC, REALLOC, FREE, LABEL = Function.MALLOC, Function.REALLOC, Function.FREE, Function.LABEL

# The driver and the executor.

LARGEST = 4096


def asked(operation: Operation) -> bool:
    """Whether the driver takes the operation as the executor does: a request that a small heap serves.

    The driver settles before the first request which block is meant, as if each succeeded.
    """
    if operation.function is REALLOC and not operation.size:
        return False
    if operation.function is Function.POSIX_MEMALIGN and (operation.alignment < 8 or odd(operation.alignment)):
        return False
    return operation.size * operation.count <= LARGEST and operation.alignment <= LARGEST


def odd(alignment: int) -> bool:
    """Whether an alignment is no power of two."""
    return bool(alignment & (alignment - 1))


def in_common(events: list[Event]) -> list[tuple[int, ...]]:
    """What both see: addresses counted from the first, and of calloc the zeros that were asked for."""
    base = next((event.result for event in events if hands_out(event)), 0)
    seen = []
    for event in events:
        result = event.result - base if hands_out(event) else 0
        if event.function is Function.USABLE_SIZE:
            result = event.result
        refused = event.function is Function.POSIX_MEMALIGN and event.errno
        address = event.address - base if event.address and not refused else 0
        intact = min(event.intact, event.request_size) if event.function is Function.CALLOC else event.intact
        if event.function in RESIZING and not event.result:
            intact = -1  # that a failure left the block alone is looked at by the driver only
        same = (event.function, event.thread, address, event.size, event.count, event.alignment, result)
        seen.append((*same, event.errno, event.usable, intact, event.flags & ERRNO_CHANGED))
    swept = next((n for n in range(len(seen), 0, -1) if seen[n - 1][0] is not Function.LOAD), 0)
    return seen[:swept] + sorted(seen[swept:])  # the order in which all are looked at in the end is nobody's business


ALL_OF_THEM = list(HealthCheck)
CALLS = frozenset(
    {Function.MALLOC, Function.CALLOC, REALLOC, Function.ALIGNED_ALLOC, Function.POSIX_MEMALIGN, FREE}
    | {Function.USABLE_SIZE, Function.LOAD, Function.FILL}
)


@pytest.mark.parametrize("macro", ["", "NOT_ZERO", "SCRIBBLE", "FREE_SETS_ERRNO"])
def test_the_driver_sees_what_its_readable_form_sees(bump: Bump, tmp_path: Path, macro: str) -> None:
    path = bump(*filter(None, [macro]))
    numbers = itertools.count()

    def fresh() -> NativeFace:
        copy = shutil.copy(path, tmp_path / f"{next(numbers)}.so")  # each copy is loaded with a heap of its own
        library = ctypes.CDLL(copy, mode=os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
        return NativeFace(copy, of_library(library))

    readable = LocalTarget("bump", fresh)

    @given(plans(CALLS, threads=2, limit=LARGEST))
    @settings(max_examples=12, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=ALL_OF_THEM)
    def same(plan: list[Operation]) -> None:
        plan = [operation for operation in plan if asked(operation)][:200]
        assume(plan)
        seen, wanted = target.run(plan), readable.run(plan)
        assert seen.end is wanted.end is End.FINISHED
        assert in_common(seen.events) == in_common(wanted.events)

    with Foreign(path) as target:
        same()


# What the process is told about itself, through a library whose "allocation" of certain sizes answers in errno.

PROBE = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>
static _Alignas(4096) char room[1 << 20];
static size_t used;
static unsigned char drawn[64];
__attribute__((constructor)) static void start(void) { if (getrandom(drawn, 64, 0) != 64) _exit(9); }
static unsigned of(const unsigned char *at, int n) { unsigned h = 7; while (n--) h = h * 31 + *at++; return h; }
void free(void *p) { (void)p; }
void *malloc(size_t size)
{
    unsigned char later[8];
    unsigned answer = 0;
    switch (size) {
    case 1: answer = getpid(); break;
    case 2: answer = syscall(SYS_gettid); break;
    case 3: answer = of(drawn, 64); break;
    case 4: getrandom(later, 8, 0); answer = of(later, 8); break;
    case 5: answer = of((void *)getauxval(AT_RANDOM), 16); break;
    case 6: answer = (uintptr_t)&answer >> 4; break;
    case 7: answer = (uintptr_t)room >> 12; break;
    case 8: for (;;) pause();
    default: used += 64; return room + used;
    }
    errno = 200 + answer % 30000;
    return NULL;
}
"""
PID, THREAD, DRAWN, DRAWN_LATER, AT_RANDOM, STACK, ROOM = (Operation(MALLOC, size=n) for n in range(1, 8))


@pytest.fixture
def probe(library: Callable[..., str]) -> str:
    """The library that answers."""
    return library(PROBE)


def answers(target: Foreign, plan: list[Operation]) -> list[int]:
    """What the probe answered, in the order of the history."""
    return [event.errno for event in target.run(plan).events if event.function is MALLOC]


def test_addresses_and_random_bytes_are_the_same_in_every_process(probe: str) -> None:
    plan = [DRAWN, DRAWN_LATER, DRAWN_LATER, AT_RANDOM, STACK, ROOM]
    with Foreign(probe, seed=7) as one, Foreign(probe, seed=7) as two, Foreign(probe, seed=8) as other:
        first = answers(one, plan)
        assert first == answers(one, plan) == answers(two, plan)
        differ = [mine != theirs for mine, theirs in zip(first, answers(other, plan), strict=True)]
    assert first[1] != first[2], "the generator stands still"
    assert differ == [True, True, True, True, False, False]


def test_a_randomised_allocator_is_the_same_for_the_same_seed(library: Callable[..., str]) -> None:
    path = library(
        """#include <stddef.h>
        #include <sys/random.h>
        static _Alignas(64) char room[1 << 22]; static char taken[1 << 16];
        void free(void *p) { if (p) taken[((char *)p - room) / 64] = 0; }
        void *malloc(size_t n)
        {
            unsigned short at;
            do
                getrandom(&at, sizeof at, 0);
            while (taken[at] || n > 64);
            taken[at] = 1;
            return room + 64 * at;
        }"""
    )
    plan = [Operation(MALLOC, size=8)] * 20
    with Foreign(path, seed=1) as one, Foreign(path, seed=1) as two, Foreign(path, seed=2) as other:
        assert one.run(plan) == two.run(plan) == one.run(plan)
        assert one.run(plan) != other.run(plan)


def test_each_thread_is_one_until_it_ends(probe: str) -> None:
    of = [THREAD._replace(thread=n) for n in range(3)]
    plan = [*of, *of, directive(Directive.THREAD_END, thread=1), of[1], of[0], of[2]]
    with Foreign(probe) as target:
        first, second = answers(target, plan)[:3], answers(target, plan)
    assert len(set(first)) == 3
    assert second[:3] == second[3:6] and second[7:] == [second[0], second[2]]


def test_a_fork_goes_on_where_it_is_told_to(probe: str) -> None:
    with Foreign(probe) as target:
        before, after = answers(target, [PID, directive(Directive.FORK_CHILD), PID])
        assert before != after
        before, after = answers(target, [PID, directive(Directive.FORK_PARENT), PID])
        assert before == after
        heap = [Operation(MALLOC, size=64), directive(Directive.FORK_CHILD), Operation(MALLOC, size=64)]
        one, fork, two = target.run(heap).events
        assert two.result == one.result + 64 and (fork.label, fork.begin) == ("fork-child", 0)


def test_the_end_of_a_forked_child_is_the_end_of_the_episode(bump: Bump) -> None:
    with Foreign(bump("CRASH=2")) as target:
        episode = target.run([Operation(MALLOC, size=1), directive(Directive.FORK_CHILD), Operation(MALLOC, size=2)])
        assert target.run([]).end is End.FINISHED
    assert (episode.end, episode.signal) == (End.CRASHED, signal.SIGABRT)
    assert episode.pending is not None and episode.pending.size == 2


def test_a_hang_in_a_forked_child_or_another_thread_is_ended(probe: str) -> None:
    hang = Operation(MALLOC, size=8)
    with Foreign(probe, timeout=0.3) as target:
        for plan in ([directive(Directive.FORK_CHILD), hang], [hang._replace(thread=2)]):
            episode = target.run(plan)
            assert episode.end is End.HUNG and episode.pending is not None and episode.pending.size == 8
        assert target.run([PID]).end is End.FINISHED


def test_memory_is_limited_from_then_on_and_only_in_that_episode() -> None:
    large = Operation(MALLOC, size=1 << 26)
    with Foreign("system") as libc:
        first, limit, second, small = libc.run(
            [large, directive(Directive.LIMIT_MEMORY, 1 << 20), large, Operation(MALLOC, size=1000)]
        ).events
        assert first.result and (limit.label, limit.size) == ("limit-memory", 1 << 20)
        assert (second.result, second.errno) == (0, errno.ENOMEM) and small.result
        assert libc.run([large]).events[0].result


def test_what_is_repeated_is_carried_out_as_often_as_asked() -> None:
    body = [Operation(MALLOC, size=16), Operation(FREE, aim=Aim.LIVE)]
    plan = [directive(Directive.REPEAT, 40_000), *body, directive(Directive.END_REPEAT), Operation(MALLOC, size=8)]
    with Foreign("system") as libc:
        events = libc.run(plan).events
        assert [event.function for event in events] == [LABEL, *[MALLOC, FREE] * 40_000, LABEL, MALLOC]
        assert (events[0].label, events[0].size, events[-2].label) == ("repeat", 40_000, "end-repeat")
        assert target_stops(libc, plan)


def target_stops(libc: Foreign, plan: list[Operation]) -> bool:
    """Whether a repetition ends soon once the first page of events was refused."""
    pages: list[int] = []

    def take(page: object) -> bool:
        pages.append(len(page))  # type: ignore[arg-type]
        return False

    with libc.begin() as session:
        session.carry_out(Planner().plan(plan), take)
    return len(pages) <= 2 and sum(pages) < 3 * CAPACITY + 10


# At the same time.


def section(count: int, threads: int) -> list[Operation]:
    """Threads that hand blocks to one another."""
    plan: list[Operation] = [directive(Directive.PARALLEL)]
    for n in range(count):
        plan.append(Operation(MALLOC, n % threads, size=16 + n % 5 * 16))
        if n % 3:
            plan.append(Operation(FREE, (n + 1) % threads, Aim.LIVE, n % 2))
        if n % 7 == 0:
            plan.append(Operation(REALLOC, (n + 2) % threads, Aim.LIVE, size=200))
    return [*plan, directive(Directive.JOIN), Operation(MALLOC, size=24)]


def test_a_parallel_section_is_numbered_and_complete() -> None:
    plan = section(2000, 4)
    with Foreign("system") as libc:
        episode = libc.run(plan)
    assert episode.end is End.FINISHED
    first, *inside, join, last = episode.events
    assert (first.label, join.label, first.begin, join.begin, last.begin) == ("parallel", "join", 0, 0, 0)
    assert len(inside) == len(plan) - 3 and not any(event.flags & NEVER_RETURNED for event in inside)
    numbers = sorted(number for event in inside for number in (event.begin, event.end))
    assert numbers == list(range(1, 2 * len(inside) + 1))
    assert all(event.begin < event.end for event in inside)
    for thread in range(4):
        wanted = [operation.function for operation in plan[1:-2] if operation.thread == thread]
        mine = sorted((event for event in inside if event.thread == thread), key=lambda event: event.begin)
        assert [event.function for event in mine] == wanted
        assert all(a.end < b.begin for a, b in itertools.pairwise(mine))


def test_a_step_waits_for_the_steps_before_it_that_use_its_block() -> None:
    with Foreign("system") as libc:
        events = libc.run(section(1500, 3)).events
    given_up = [(event.begin, "give up", event.address) for event in events if event.begin and event.address]
    handed_out = [(event.end, "hand out", event.result) for event in events if event.begin and event.result]
    live: set[int] = set()
    for _, what, address in sorted([*given_up, *handed_out]):
        assert (address in live) is (what == "give up")  # never before it was handed out, never twice
        live ^= {address}
    assert all(event.address for event in events if event.function is FREE)


def test_threads_do_run_at_the_same_time() -> None:
    with Foreign("system") as libc:
        for _ in range(20):
            events = [event for event in libc.run(section(1500, 4)).events if event.begin]
            if any(event.end - event.begin > 1 for event in events):
                return
    pytest.fail("no call overlapped another in twenty sections")


def test_a_crash_in_a_parallel_section_names_the_call(bump: Bump) -> None:
    plan = [Operation(MALLOC, n % 3, size=8) for n in range(30)]
    with Foreign(bump("CRASH=20")) as target:
        episode = target.run([directive(Directive.PARALLEL), *plan, directive(Directive.JOIN)])
    assert (episode.end, episode.signal) == (End.CRASHED, signal.SIGABRT)
    stopped = [event for event in episode.events if event.flags & NEVER_RETURNED]
    assert stopped and all(event.function is MALLOC and not event.end for event in stopped)


@pytest.mark.parametrize("which", [Directive.FORK_CHILD, Directive.FORK_PARENT])
def test_a_fork_in_a_parallel_section_has_events_of_its_own(which: Directive) -> None:
    plan = [Operation(MALLOC, n % 3, size=48) for n in range(300)]
    plan[150:150] = [directive(which), Operation(MALLOC, 0, size=999)]
    with Foreign("system") as libc:
        episode = libc.run([directive(Directive.PARALLEL), *plan, directive(Directive.JOIN)])
    assert episode.end is End.FINISHED
    (fork,) = (event for event in episode.events if event.label == which.label)
    assert 0 < fork.begin < fork.end and fork.size == 1
    later = [event.size for event in episode.events if event.site == 1]
    here = [event.size for event in episode.events if not event.site and event.thread == 0 and event.size in (48, 999)]
    if which is Directive.FORK_CHILD:
        assert later == [999, *[48] * 50] and here == [48] * 50
    else:
        assert later == [] and here == [*[48] * 50, 999, *[48] * 50]


def test_a_crash_of_a_child_that_was_forked_among_threads_is_seen(bump: Bump) -> None:
    plan = [directive(Directive.PARALLEL), Operation(MALLOC, 1, size=8), Operation(MALLOC, size=8)]
    plan += [directive(Directive.FORK_CHILD), *[Operation(MALLOC, size=8)] * 5, directive(Directive.JOIN)]
    with Foreign(bump("CRASH=4")) as target:
        episode = target.run(plan)
    assert (episode.end, episode.signal) == (End.CRASHED, signal.SIGABRT)
    assert any(event.site == 1 and event.flags & NEVER_RETURNED for event in episode.events)
