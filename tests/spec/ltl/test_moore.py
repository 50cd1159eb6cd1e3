"""Deterministic machines are explored within bounds and are as small as they can be."""

from __future__ import annotations

from itertools import combinations
from itertools import product as pairs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.ltl.error import TooLargeError
from spec.ltl.moore import Machine, explore, minimise, product, widened


@st.composite
def machines(draw: st.DrawFn, letters: int = 2) -> Machine[int]:
    """Complete machines over a few letters, not minimal and perhaps not all reachable."""
    states = draw(st.integers(1, 7))
    rows = []
    for _ in range(states):
        row: dict[int, int] = {}
        for letter in range(letters):
            target = draw(st.integers(0, states - 1))
            row[target] = row.get(target, 0) | 1 << letter
        rows.append(row)
    return Machine(tuple(rows), tuple(draw(st.lists(st.integers(0, 1), min_size=states, max_size=states))))


def answers(machine: Machine[int], word: tuple[int, ...], state: int = 0) -> list[int]:
    table = machine.table(2)
    result = [machine.outputs[state]]
    for letter in word:
        state = table[state][letter]
        result.append(machine.outputs[state])
    return result


WORDS = list(pairs((0, 1), repeat=6))


@given(machines())
def test_the_smallest_machine_answers_alike_and_its_states_all_differ(machine: Machine[int]) -> None:
    small = minimise(machine)
    assert all(answers(small, word) == answers(machine, word) for word in WORDS)
    table = small.table(2)
    reached: set[int] = {0}
    while not reached >= (after := {target for state in reached for target in table[state]}):
        reached |= after
    assert reached == set(range(len(table)))
    for one, other in combinations(range(len(table)), 2):
        assert any(answers(small, word, one) != answers(small, word, other) for word in WORDS), (one, other)


@given(machines(), st.permutations(range(1, 7)))
def test_machines_that_answer_alike_become_equal(machine: Machine[int], order: list[int]) -> None:
    states = len(machine.rows)
    names = dict(enumerate([0, *(state for state in order if state < states)]))
    back = {new: old for old, new in names.items()}
    renamed = Machine(
        tuple({names[target]: label for target, label in machine.rows[back[new]].items()} for new in range(states)),
        tuple(machine.outputs[back[new]] for new in range(states)),
    )
    assert minimise(renamed) == minimise(machine) == minimise(minimise(machine))


@given(machines(), machines())
def test_the_product_answers_for_both(left: Machine[int], right: Machine[int]) -> None:
    both = product(left, right, lambda one, other: 2 * one + other, 100)
    for word in WORDS[::7]:
        expected = zip(answers(left, word), answers(right, word), strict=True)
        assert answers(both, word) == [2 * one + other for one, other in expected]


def test_what_needs_more_states_than_allowed_is_refused() -> None:
    def counter(state: int) -> dict[int, int]:
        return {state + 1: 0b11}

    with pytest.raises(TooLargeError, match=r"^the monitor needs more than 9 states; states=\.\.\. allows more$"):
        explore(0, counter, lambda state: state, 9)


@given(st.data())
def test_a_widened_label_ignores_the_other_propositions(data: st.DataObject) -> None:
    more = ("a", "b", "c", "d")
    propositions = tuple(name for name in more if data.draw(st.booleans()))
    label = data.draw(st.integers(0, (1 << (1 << len(propositions))) - 1))
    wide = widened(label, propositions, more)
    for number in range(1 << len(more)):
        kept = sum(1 << i for i, name in enumerate(propositions) if number >> more.index(name) & 1)
        assert wide >> number & 1 == label >> kept & 1


def test_a_machine_of_too_many_edges_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spec.ltl.moore.EDGES", 10)
    with pytest.raises(TooLargeError, match=r"^the monitor needs more than 10 edges or 134217728 bytes for their"):
        explore(0, lambda state: {state + 1: 0b01, state + 2: 0b10}, lambda state: state, 100)


def test_the_table_has_the_successor_of_each_letter() -> None:
    machine = Machine(({0: 0b1010_0101, 1: 0b0101_1010}, {1: 0xFF}), (0, 1))
    assert machine.table(8) == ((0, 1, 0, 1, 1, 0, 1, 0), (1,) * 8)
    wide = Machine(({0: (1 << (1 << 18)) - 1},), (0,))
    assert wide.table(1 << 18) == ((0,) * (1 << 18),)  # in well under a second
