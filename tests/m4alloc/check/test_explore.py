"""The driver carries out every sequence that the formula counts, and the first that breaks a rule is the smallest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.check import explore as explorer
from m4alloc.check.alphabet import Alphabet, usual
from m4alloc.check.explore import Explored, explore, path_to
from m4alloc.check.foreign import Foreign
from m4alloc.check.instruction import Row
from m4alloc.check.judgement import Terms
from m4alloc.trace.format import RECORD
from spec.event import NEVER_RETURNED, Function

Bump = Callable[..., str]
MALLOC, CALLOC, REALLOC, FREE = Function.MALLOC, Function.CALLOC, Function.REALLOC, Function.FREE
GLIBC = Terms("c17,glibc")
C17 = Terms("c17")
PLAIN = Alphabet((Row(MALLOC, size=24),), (), 2)
ALPHABETS = {
    "one-letter": (PLAIN, 9),
    "one-slot": (Alphabet((Row(MALLOC, size=24), Row(CALLOC, size=8)), (Row(REALLOC, size=40),), 1), 6),
    "null-replies": (Alphabet((Row(MALLOC, size=1 << 63), Row(MALLOC, size=8)), (Row(REALLOC, size=1 << 62),), 2), 4),
    "usual": (usual(frozenset({MALLOC, CALLOC, REALLOC, Function.ALIGNED_ALLOC, FREE})), 3),
    "wide": (Alphabet(tuple(Row(MALLOC, size=n) for n in range(1, 9)), (Row(REALLOC, size=5000),), 3), 3),
}


def shown(seen: Explored) -> list[tuple[str, int]]:
    """The history of a violation: functions and sizes."""
    assert seen.broken is not None
    return [(event.function.name.lower(), event.size) for event in seen.broken.history[: seen.broken.number + 1]]


@pytest.mark.parametrize("name", ALPHABETS)
def test_every_sequence_that_the_formula_counts_is_carried_out(name: str) -> None:
    alphabet, depth = ALPHABETS[name]
    with Foreign("system") as libc:
        seen = explore(libc, alphabet, depth, GLIBC)
    assert (seen.sequences, seen.broken, seen.complete) == (alphabet.sequences(depth), None, True)
    assert seen.nodes == sum(alphabet.sequences(n) for n in range(1, depth + 1))
    assert seen.observed["call-returns"] == seen.nodes


def test_the_parts_add_up_to_the_whole() -> None:
    alphabet = Alphabet((Row(MALLOC, size=16), Row(MALLOC, size=4096)), (Row(REALLOC, size=100),), 2)
    with Foreign("system") as libc:
        for length in (1, 2, 4):
            seen = {part: explore(libc, alphabet, 4, GLIBC, part=part) for part in alphabet.parts(length)}
            assert all(one.complete for one in seen.values())
            assert {part: one.sequences for part, one in seen.items()} == {
                part: alphabet.beginning_with(4, part) for part in seen
            }
            assert sum(one.sequences for one in seen.values()) == alphabet.sequences(4)


def test_each_sequence_begins_with_a_fresh_heap(library: Callable[..., str]) -> None:
    """The allocator of this test breaks a rule at its third call; only sequences of three requests show that."""
    path = library(
        """#include <stddef.h>
        static _Alignas(64) char room[1 << 16]; static size_t used; static int calls;
        void *malloc(size_t n) { void *p = room + used; used += (n + 63) / 64 * 64; return p + 8 * (++calls == 3); }
        void free(void *p) { calls += p != NULL; }"""
    )
    with Foreign(path) as target:
        assert explore(target, PLAIN, 2, C17).broken is None
        seen = explore(target, PLAIN, 3, C17)
    assert seen.broken is not None and seen.broken.rule.name == "result-aligned-fundamental"
    assert not seen.complete and shown(seen)[-1] == ("malloc", 24) and len(shown(seen)) == 3


SMALLEST = {
    "MISALIGNED": ("result-aligned-fundamental", [("malloc", 40)]),
    "OVERLAP": ("result-disjoint", [("malloc", 40), ("malloc", 40)]),
    "NOT_ZERO": ("calloc-zeroes", [("calloc", 80)]),
    "TWICE": ("reuse-only-after-free", [("malloc", 40), ("malloc", 40)]),
    "LOSE_TAIL": ("realloc-keeps-contents", [("malloc", 40), ("realloc", 80)]),
    "SCRIBBLE": ("block-keeps-contents", [("malloc", 40), ("malloc", 40), ("free", 0), ("load", 40)]),
}


@pytest.mark.parametrize("macro", SMALLEST)
def test_the_smallest_counterexample_is_found_at_its_depth(bump: Bump, macro: str) -> None:
    rule, history = SMALLEST[macro]
    alphabet = Alphabet((Row(MALLOC, size=40), Row(CALLOC, size=80)), (Row(REALLOC, size=80),), 2)
    with Foreign(bump(macro)) as target:
        depth = sum(function != "load" for function, _ in history)
        for less in range(1, depth):
            assert explore(target, alphabet, less, C17).complete
        seen = explore(target, alphabet, depth, C17)
    assert seen.broken is not None and seen.broken.rule.name == rule
    assert shown(seen) == history


def test_a_crash_in_a_request_is_told_with_its_path(bump: Bump) -> None:
    with Foreign(bump("CRASH=3")) as target:
        seen = explore(target, PLAIN, 5, C17)
        assert seen.broken is not None and seen.broken.rule.name == "call-returns"
        last = seen.broken.history[-1]
        assert (last.function, last.flags) == (MALLOC, NEVER_RETURNED)
        assert [event.function for event in seen.broken.history].count(MALLOC) == 3
        assert explore(target, PLAIN, 2, C17).complete  # the server lives on


def test_a_crash_when_the_client_uses_a_block_is_told_as_an_access(bump: Bump) -> None:
    with Foreign(bump("UNMAPPED")) as target:
        seen = explore(target, Alphabet((Row(MALLOC, size=8), Row(MALLOC, size=64)), (), 2), 2, C17)
    assert seen.broken is not None and seen.broken.rule.name == "block-accessible"
    last = seen.broken.history[-1]
    assert (last.function, last.address, last.size, last.flags) == (Function.STORE, 16, 64, NEVER_RETURNED)


def test_a_request_that_hangs_is_ended(bump: Bump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "PATIENCE_MS", 200)
    with Foreign(bump("HANG=2")) as target:
        seen = explore(target, PLAIN, 3, C17)
    assert seen.broken is not None and seen.broken.rule.name == "call-returns"
    assert seen.broken.history[-1].flags == NEVER_RETURNED


def test_a_crash_in_the_middle_leaves_the_other_sequences_alone(bump: Bump) -> None:
    with Foreign(bump("CRASH=3")) as target:
        seen = explore(target, PLAIN, 4, Terms("c17", without=frozenset({"call-returns"})))
    crashing = [part for part in PLAIN.parts(4) if part_makes(part) >= 3]
    assert seen.sequences == PLAIN.sequences(4) - len(crashing) and seen.broken is None


def part_makes(part: Iterable[int]) -> int:
    """How many mallocs a sequence of PLAIN has: alternative 0 while a slot is left."""
    held = made = 0
    for which in part:
        made += held < 2 and which == 0
        held = PLAIN.held_after(held, which)
    return made


@pytest.mark.slow
def test_it_ends_soon_when_it_is_told_to() -> None:
    alphabet = usual(frozenset({MALLOC, CALLOC, REALLOC, FREE}))
    told: list[int] = []

    def go_on(nodes: int) -> bool:
        told.append(nodes)
        return False

    with Foreign("system") as libc:
        seen = explore(libc, alphabet, 5, GLIBC, go_on=go_on)
        assert not seen.complete and seen.broken is None
        assert 0 < seen.sequences < alphabet.sequences(5) and told[0] <= seen.nodes <= told[0] + 5 < 10_000
        assert explore(libc, PLAIN, 3, GLIBC).complete


@st.composite
def walks(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Nodes of a depth-first walk in the order in which they are met: each with its depth, one to three records."""
    depth = 0
    rows: list[tuple[int, int]] = []
    for number in range(1, draw(st.integers(1, 30)) + 1):
        depth = draw(st.integers(1, depth + 1))
        rows += [(number, depth)] * draw(st.integers(1, 3))
    return rows


@given(walks(), st.data())
def test_the_path_to_a_node_holds_its_ancestors_and_nothing_else(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    records = np.zeros(len(rows), RECORD)
    records["time_ns"], records["site"] = np.array(rows).T
    depths = dict(rows)
    node = data.draw(st.sampled_from(sorted(depths)))
    ancestors, wanted = [node], depths[node]
    for other in range(node - 1, 0, -1):
        if depths[other] == wanted - 1:
            ancestors.append(other)
            wanted -= 1
    assert [int(number) for number in path_to(records, node)["time_ns"]] == [
        number for number, _ in rows if number in ancestors
    ]


@pytest.mark.campaign
def test_two_million_sequences_of_the_systems_allocator_hold() -> None:
    with Foreign("system") as libc:
        alphabet = usual(frozenset({MALLOC, CALLOC, REALLOC, Function.ALIGNED_ALLOC, FREE}))
        seen = explore(libc, alphabet, 6, GLIBC)
    assert (seen.sequences, seen.broken, seen.complete) == (2051182, None, True)
