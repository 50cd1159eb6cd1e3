"""A property says the same of a program while it runs, of the trace of the run, and of its words by definition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from m4alloc import _backend
from m4alloc.monitor.table import Table
from m4alloc.trace.format import EndReason
from spec.event import MISUSE_CAUGHT, Event, Function
from spec.properties import find
from tests.m4alloc.monitor.agreement import NEVER_SAID, Bench, Told, disagreements, properties, script
from tests.m4alloc.native import need

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")


@pytest.fixture(scope="module", params=["thread", "kernel-address"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    need("gcc", "gcc libc6-dev")
    need("nm", "binutils")
    return Bench.of(tmp_path_factory.mktemp("agreement"), request.param)


def watched(bench: Bench, text: str, *names: str, **options: object) -> Told:
    """A run of the script under these properties, with a trace of all of it."""
    table = Table.of([*map(find, names), NEVER_SAID])
    return bench.run(text, table, history="accesses", trace=bench.folder / "trace", **options)


def own_events(told: Told) -> list[Event]:
    """Those that the steps of the script made."""
    return [event for event in told.events if any(begin < event.site <= end for begin, end, _ in told.steps)]


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 20, 4))
def test_random_programs_are_judged_alike_by_everybody(bench: Bench, first: int) -> None:
    for seed in range(first, first + 4):
        options = {} if seed % 3 else {"quarantine_bytes": 0}  # addresses are used again
        text = script(seed)
        assert list(disagreements(bench, text, properties(seed), **options)) == [], (seed, text, options)


@pytest.mark.slow
def test_programs_that_were_not_rebuilt_are_judged_alike_by_everybody(tmp_path: Path) -> None:
    need("gcc", "gcc libc6-dev")
    bench = Bench.of(tmp_path, "none")
    for seed in range(100, 115):
        text = script(seed, accesses=False)
        assert list(disagreements(bench, text, properties(seed))) == [], (seed, text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "formula"),
    [
        # What disagreed once.
        ("m 0 100;f 0 0;f 0 0;m 1 24", "address: [](free -> X(!free W malloc))"),
        ("m 0 100;f 0 0;f 0 0", "block: [](free -> X a)"),
        ("m 0 100;f 0 0;s 0 100 4;l 0 0 8", "address: [](access -> !outside)"),
        ("m 0 100;f 0 8;L a;L b", "thread: [](a -> X b)"),
        ("m 0 24;r 0 3000;s 0 0 8", "thread: [](free -> X malloc)"),
        ("m 0 24;r 0 100;r 0 3000;f 0 0", "thread: [](mem_allocate_start -> X malloc)"),
        ("m 0 24;r 0 100;f 0 0", "address: [](mem_free_start -> <>mem_free_end)"),
        ("m 0 24;f 0 0;r 0 100", "address: [](mem_free_start -> <>mem_free_end)"),
        ("L mem_free_end;m 0 24", "address: mem_free_end U malloc"),
        ("L a;m 0 24", "address: <>Y !free"),
        ("m 0 24;L a;t 1;L a;s 0 0 4;L a;t 2;L b;t 1;L a;f 0 0", "address: [](a -> X(a || free))"),
    ],
)
def test_they_agree_where_they_have_not(bench: Bench, text: str, formula: str) -> None:
    assert list(disagreements(bench, text, [find("no-double-free"), find(formula), NEVER_SAID])) == []


def test_a_free_that_was_refused_is_in_the_trace_of_what_comes_later(bench: Bench) -> None:
    told = watched(bench, "m 0 100;f 0 0;f 0 0;m 1 100", "no-double-free")
    frees = [event for event in own_events(told) if event.function is Function.FREE]
    assert [event.flags & MISUSE_CAUGHT for event in frees] == [0, MISUSE_CAUGHT]
    assert told.during == [(2, frozenset({"no-double-free"}))]


def test_a_realloc_that_moves_is_one_event_of_the_trace(bench: Bench) -> None:
    told = watched(bench, "m 0 24;r 0 3000;f 0 0", "no-double-free")
    first, second, third = own_events(told)
    assert (first.function, second.function, third.function) == (Function.MALLOC, Function.REALLOC, Function.FREE)
    assert (second.address, second.size, third.address) == (first.result, 3000, second.result)


def test_a_free_of_what_is_no_block_is_an_event_of_its_thread(bench: Bench) -> None:
    rule = "thread: [](a -> []!free)"
    told = watched(bench, "m 0 100;L a;f 0 8;f 0 0", rule)
    assert told.during == [(2, frozenset({rule}))]


def test_freed_memory_has_the_bounds_that_its_last_block_had(bench: Bench) -> None:
    told = watched(bench, "m 0 100;f 0 0;s 0 96 4;s 0 100 4", "access-in-bounds", "S1")
    assert told.during == [
        (2, frozenset({"access-only-while-allocated"})),
        (3, frozenset({"access-in-bounds"})),
    ]


def test_the_end_of_a_run_writes_all_of_it(bench: Bench) -> None:
    told = watched(bench, "m 0 100;s 0 0 4;f 0 0;s 0 0 4;L a", "S1")
    assert told.trace.end_reason is EndReason.EXIT
    names = [event.function.name for event in own_events(told)]
    assert names == ["MALLOC", "STORE", "FREE", "STORE"]


# The table of facts about the published property: the finite part of each trace that a program can perform, the letters
# at which LIT, S1, F1 and F2 are violated for good, and which of F1 and F2 the end violates.

PUBLISHED = {
    "maf": ((2, 0, 0, 0), ()),
    "maaaf": ((2, 0, 0, 0), ()),
    "mf": ((0, 0, 0, 0), ()),
    "ma": ((2, 0, 0, 0), ("access-then-freed", "whole-life")),
    "m": ((0, 0, 0, 0), ("whole-life",)),
    "mfa": ((3, 3, 3, 3), ()),
    "mafa": ((2, 4, 4, 4), ()),
    "maff": ((2, 0, 0, 4), ()),
    "mafmaf": ((2, 0, 0, 0), ()),
    "mafmfa": ((2, 6, 6, 6), ()),
    "mafma": ((2, 0, 0, 0), ("access-then-freed", "whole-life")),
}
FORMULAS = ("published", "access-only-while-allocated", "access-then-freed", "whole-life")
LETTERS = {"m": "m 0 1700", "a": "s 0 0 8", "f": "f 0 0"}


def owed(told: Told, nothing: Told) -> Sequence[str]:
    """What the end violated, but for what the C library leaves in every run."""
    return tuple(name for name in FORMULAS[2:] if told.owed.get(name, 0) > nothing.owed.get(name, 0))


@pytest.mark.parametrize("word", PUBLISHED)
@pytest.mark.parametrize("history", ["accesses", "calls"])
def test_the_published_table_holds_of_running_programs(bench: Bench, word: str, history: str) -> None:
    table = Table.of(list(map(find, FORMULAS)))
    nothing = bench.run("", table, quarantine_bytes=0, history=history)
    told = bench.run(";".join(LETTERS[letter] for letter in word), table, quarantine_bytes=0, history=history)
    assert len({line[-1] for line in told.log}) == 1  # one address
    decided = {name: step + 1 for step, names in told.during for name in names}
    letters, at_exit = PUBLISHED[word]
    assert tuple(decided.get(name, 0) for name in FORMULAS) == letters
    assert owed(told, nothing) == at_exit
