"""Random formulas and words, for the laws of temporal logic."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from spec.ltl.formula import FALSE, TRUE, UNARY, VARIADIC, Formula, Operator, make, proposition
from spec.ltl.word import Word

BOOLEAN = (Operator.NOT, Operator.AND, Operator.OR, Operator.IMPLIES, Operator.IFF)
FUTURE = (
    Operator.NEXT,
    Operator.WEAK_NEXT,
    Operator.EVENTUALLY,
    Operator.ALWAYS,
    Operator.UNTIL,
    Operator.WEAK_UNTIL,
    Operator.RELEASE,
    Operator.STRONG_RELEASE,
)
PAST = (
    Operator.YESTERDAY,
    Operator.WEAK_YESTERDAY,
    Operator.SINCE,
    Operator.TRIGGER,
    Operator.ONCE,
    Operator.HISTORICALLY,
)
EVERYTHING = BOOLEAN + FUTURE + PAST


_BYTES = 24


def formulas(
    operators: tuple[Operator, ...] = BOOLEAN + FUTURE, names: Sequence[str] = "pqr", leaves: int = 6
) -> st.SearchStrategy[Formula]:
    """Formulas over the operators, with at most so many leaves.

    Each is read from a few random bytes, which costs a fraction of drawing it part by part; zeros are the first name.
    """
    atoms = [*map(proposition, names), *map(proposition, names), TRUE, FALSE]
    kinds = max(1, len(operators) // 3)

    def read(data: bytes) -> Formula:
        rest, left = iter(data), leaves

        def part(pending: int) -> Formula:
            """The next formula; pending: how many more the operators above it wait for."""
            nonlocal left
            byte = next(rest, 0)
            kind, more = byte % (kinds + len(operators)), byte // (kinds + len(operators))
            if kind >= kinds:
                operator = operators[kind - kinds]
                count = 1 if operator in UNARY else 2 + (operator in VARIADIC and more % 2)
                if pending + count <= left:
                    return make(operator, tuple(part(pending + count - 1 - i) for i in range(count)))
            left -= 1
            return atoms[next(rest, 0) % len(atoms)]

        return part(0)

    return st.binary(min_size=_BYTES, max_size=_BYTES).map(read)


def letters(names: str = "pqr") -> st.SearchStrategy[frozenset[str]]:
    """Sets of true propositions."""
    return st.integers(0, (1 << len(names)) - 1).map(lambda number: _letter(number, names))


def _letter(number: int, names: Sequence[str]) -> frozenset[str]:
    return frozenset(name for i, name in enumerate(names) if number >> i & 1)


def lassos(names: Sequence[str] = "pqr", prefix: int = 4, cycle: int = 4) -> st.SearchStrategy[Word]:
    """Infinite words with a prefix and a cycle of at most so many letters."""

    def read(data: bytes) -> Word:
        found = tuple(_letter(byte, names) for byte in data[2:])
        begin = data[0] % (prefix + 1)
        return Word(found[:begin], found[begin : begin + 1 + data[1] % cycle])

    return st.binary(min_size=2 + prefix + cycle, max_size=2 + prefix + cycle).map(read)


def finite_words(names: Sequence[str] = "pqr", most: int = 6) -> st.SearchStrategy[Word]:
    """Finite words of one letter to so many."""

    def read(data: bytes) -> Word:
        return Word(tuple(_letter(byte, names) for byte in data[1 : 2 + data[0] % most]))

    return st.binary(min_size=1 + most, max_size=1 + most).map(read)
