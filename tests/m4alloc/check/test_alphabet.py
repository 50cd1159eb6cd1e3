"""How many sequences there are is what counting them one by one gives, and the parts cover each of them once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.check.alphabet import MAX_DEPTH, Alphabet, usual
from m4alloc.check.instruction import Row
from spec.event import Function

MALLOC, REALLOC = Function.MALLOC, Function.REALLOC
WHOLE = frozenset({MALLOC, Function.CALLOC, REALLOC, Function.ALIGNED_ALLOC, Function.FREE})


def alphabet(makers: int, resizers: int, slots: int) -> Alphabet:
    """One with so many of each."""
    return Alphabet(
        tuple(Row(MALLOC, size=8 * n) for n in range(makers)),
        tuple(Row(REALLOC, size=8 * n) for n in range(resizers)),
        slots,
    )


def written_out(alphabet: Alphabet, depth: int) -> Iterator[tuple[str, ...]]:
    """Every sequence, made without counting: requests on named blocks, named by the lowest number that is free.

    Independent of the formula and of the driver: it never looks at how many choices there are.
    """

    def longer(past: tuple[str, ...], held: frozenset[int]) -> Iterator[tuple[str, ...]]:
        if len(past) == depth:
            yield past
            return
        vacant = [slot for slot in range(alphabet.slots) if slot not in held]
        for maker in alphabet.makers:
            if vacant:
                yield from longer((*past, f"b{vacant[0]} = malloc {maker.size}"), held | {vacant[0]})
        for slot in held:
            yield from longer((*past, f"free b{slot}"), held - {slot})
            for resizer in alphabet.resizers:
                yield from longer((*past, f"b{slot} = realloc b{slot} {resizer.size}"), held)

    yield from longer((), frozenset())


SMALL = [(1, 0, 1), (1, 0, 2), (2, 0, 2), (1, 1, 1), (2, 1, 2), (3, 2, 3), (7, 2, 4), (1, 3, 8)]


@pytest.mark.parametrize("shape", SMALL)
def test_the_formula_counts_what_there_is(shape: tuple[int, int, int]) -> None:
    letters = alphabet(*shape)
    for depth in range(5):
        every = list(written_out(letters, depth))
        assert len(every) == len(set(every)) == letters.sequences(depth)


def test_the_usual_alphabet_has_as_many_sequences_as_ever() -> None:
    """Pinned: a change of the alphabet changes what every report of an exhaustive search says."""
    assert [usual(WHOLE).sequences(depth) for depth in range(1, 7)] == [7, 70, 826, 11158, 150843, 2051182]
    plain = usual(frozenset({MALLOC, Function.FREE}))
    assert [plain.sequences(depth) for depth in range(1, 7)] == [5, 30, 200, 1450, 8125, 61250]


@given(st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(1, 5)), st.integers(0, 4), st.integers(0, 3))
def test_the_parts_cover_every_sequence_exactly_once(shape: tuple[int, int, int], length: int, more: int) -> None:
    letters = alphabet(*shape)
    parts = list(letters.parts(length))
    assert len(parts) == len(set(parts)) == letters.sequences(length)
    assert parts == sorted(parts)
    depth = length + more
    assert sum(letters.beginning_with(depth, part) for part in parts) == letters.sequences(depth)


@given(st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(1, 5)), st.data())
def test_a_choice_leads_to_as_many_blocks_as_its_request_leaves(
    shape: tuple[int, int, int], data: st.DataObject
) -> None:
    makers, resizers, slots = shape
    letters = alphabet(*shape)
    held = data.draw(st.integers(0, slots))
    after = [letters.held_after(held, which) for which in range(letters.choices(held))]
    assert after.count(held + 1) == (makers if held < slots else 0)
    assert after.count(held - 1) == held and after.count(held) == held * resizers


def test_an_alphabet_has_what_the_allocator_has() -> None:
    assert str(usual(frozenset({MALLOC, Function.FREE}))) == "malloc 0|1|16|24|4096, free; at most 4 blocks"
    assert str(usual(WHOLE, (0,), 1)) == "malloc 0, calloc 1, aligned_alloc 64/1, realloc 1|2, free; at most 1 blocks"
    rows = usual(WHOLE).instructions()
    assert [int(row["size"]) for row in rows] == [0, 1, 16, 24, 4096, 24, 24, 16, 4097]
    assert usual(WHOLE) is usual(WHOLE)


@pytest.mark.parametrize(
    ("makers", "slots"), [(0, 4), (1, 0), (1, MAX_DEPTH + 1)], ids=["no-request", "no-slot", "too-many-slots"]
)
def test_an_alphabet_that_cannot_be_is_refused(makers: int, slots: int) -> None:
    with pytest.raises(ValueError, match="a request that hands out a block, and 1 to 32 slots"):
        alphabet(makers, 0, slots)


@pytest.mark.parametrize("sizes", [(), (8, 8), (-1,)])
def test_sizes_that_cannot_be_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one is needed, each once, from 0 on"):
        usual(WHOLE, sizes)
