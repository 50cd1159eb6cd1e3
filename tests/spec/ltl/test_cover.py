"""Labels as sums of products."""

from __future__ import annotations

from functools import reduce
from operator import or_

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.ltl.automaton import proposition_label
from spec.ltl.cover import Cube, cover, label_formula, label_of
from spec.ltl.evaluate import holds
from spec.ltl.word import Word

labels = st.integers(0, 4).flatmap(lambda n: st.tuples(st.integers(0, (1 << (1 << n)) - 1), st.just(n)))


def union(cubes: list[Cube], propositions: int) -> int:
    return reduce(or_, (label_of(cube, propositions) for cube in cubes), 0)


@given(labels)
def test_the_cubes_cover_the_label_exactly_and_none_can_be_left_out(case: tuple[int, int]) -> None:
    label, propositions = case
    cubes = cover(label, propositions)
    assert union(cubes, propositions) == label
    for cube in cubes:
        assert union([other for other in cubes if other is not cube], propositions) != label


@given(labels)
def test_no_literal_of_a_cube_can_be_left_out(case: tuple[int, int]) -> None:
    label, propositions = case
    for cube in cover(label, propositions):
        for bit in (1 << i for i in range(propositions) if (cube.true | cube.false) >> i & 1):
            assert label_of(Cube(cube.true & ~bit, cube.false & ~bit), propositions) & ~label


@given(labels)
def test_the_formula_of_a_label_is_true_of_its_letters_alone(case: tuple[int, int]) -> None:
    label, propositions = case
    names = "pqrs"[:propositions]
    formula = label_formula(label, names)
    for number in range(1 << propositions):
        letter = [name for i, name in enumerate(names) if number >> i & 1]
        assert holds(formula, Word.of([], [letter])) == bool(label >> number & 1)


@pytest.mark.parametrize("index", range(12))
def test_a_proposition_among_twelve_is_one_literal(index: int) -> None:
    label = proposition_label(index, 12)
    assert cover(label, 12) == [Cube(1 << index, 0)]
    assert cover(label ^ ((1 << (1 << 12)) - 1), 12) == [Cube(0, 1 << index)]


def test_any_of_twelve_is_twelve_cubes() -> None:
    label = reduce(or_, (proposition_label(i, 12) for i in range(12)))
    assert sorted(cover(label, 12)) == sorted(Cube(1 << i, 0) for i in range(12))
