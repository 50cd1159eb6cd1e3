"""Labels as few conjunctions of literals: how sets of letters are written for readers and for other tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from spec.ltl.formula import Formula, conjunction, disjunction, negation, proposition


class Cube(NamedTuple):
    """A conjunction of literals: proposition i is true where bit i of `true` is set, false where that of `false` is.

    >>> Cube(0b01, 0b10).literals(("p", "q"))
    [('p', True), ('q', False)]
    """

    true: int
    false: int

    def literals(self, propositions: Sequence[str]) -> list[tuple[str, bool]]:
        """The literals in the order of the propositions: the name, and whether it is true; none of the cube of all."""
        named = self.true | self.false
        return [(name, bool(self.true >> i & 1)) for i, name in enumerate(propositions) if named >> i & 1]


def cover(label: int, propositions: int) -> list[Cube]:
    """An irredundant sum of products of `label`, a set of letters over so many propositions (an edge's, for instance).

    The union of the cubes is the label exactly; none can be left out, and no literal of one. The label of no letter has
    no cube, that of all letters the one without literals.
    Cost: O(3^propositions) at worst, and on labels of automata little more than the cubes.
    Source: Minato, Fast generation of irredundant sum-of-products forms from binary decision diagrams (1992); Morreale.

    >>> cover(0b0110, 2)
    [Cube(true=1, false=2), Cube(true=2, false=1)]
    >>> cover(0b1110, 2), cover(0b1111, 2), cover(0, 2)
    ([Cube(true=1, false=0), Cube(true=2, false=0)], [Cube(true=0, false=0)], [])
    """

    @cache
    def between(least: int, most: int, variables: int) -> tuple[tuple[Cube, ...], int]:
        """Cubes over the first variables that cover `least` and stay in `most`; and the letters that they cover."""
        if not least:
            return (), 0
        if most == (1 << (1 << variables)) - 1:
            return (Cube(0, 0),), most
        variable = variables - 1
        width = 1 << variable
        low = (1 << width) - 1
        least_false, least_true = least & low, least >> width
        most_false, most_true = most & low, most >> width
        # What one half alone may cover must be covered with the literal; the rest may do without.
        negative, done_false = between(least_false & ~most_true, most_false, variable)
        positive, done_true = between(least_true & ~most_false, most_true, variable)
        rest = least_false & ~done_false | least_true & ~done_true
        free, done = between(rest, most_false & most_true, variable)
        bit = 1 << variable
        cubes = (
            *(Cube(cube.true, cube.false | bit) for cube in negative),
            *(Cube(cube.true | bit, cube.false) for cube in positive),
            *free,
        )
        return cubes, done_false | done | (done_true | done) << width

    def order(cube: Cube) -> list[tuple[int, bool]]:
        return [(i, bool(cube.false >> i & 1)) for i in range(propositions) if (cube.true | cube.false) >> i & 1]

    return sorted(between(label, label, propositions)[0], key=order)


def label_of(cube: Cube, propositions: int) -> int:
    """The letters of a cube: what `cover` undoes.

    >>> bin(label_of(Cube(0b01, 0b10), 2))
    '0b10'
    """
    label = 1
    for i in range(propositions):
        shifted = label << (1 << i)
        label = shifted if cube.true >> i & 1 else label if cube.false >> i & 1 else label | shifted
    return label


def label_formula(label: int, propositions: Sequence[str]) -> Formula:
    """The label as a formula without temporal operators.

    >>> label_formula(0b0110, ("p", "q"))
    (p && !q) || (!p && q)
    """
    return disjunction(*(_product(cube, propositions) for cube in cover(label, len(propositions))))


def _product(cube: Cube, propositions: Sequence[str]) -> Formula:
    def literals() -> Iterator[Formula]:
        for name, true in cube.literals(propositions):
            yield proposition(name) if true else negation(proposition(name))

    return conjunction(*literals())
