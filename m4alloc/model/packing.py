"""Where each cell of a program lies in a state that is packed into words of 64 bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Choice,
    Constant,
    Element,
    Expression,
    Guard,
    Program,
    Raise,
    Read,
    Unary,
)

WORD = 64
RESERVED = 2
"""The highest bits of word 0 belong to the table of states: they are 0 in a packed state."""


class Field(NamedTuple):
    """`width` bits of a word, from bit `shift`, that hold a number less `low`; of width 0 it is always `low`."""

    word: int
    shift: int
    width: int
    low: int

    @property
    def mask(self) -> int:
        """The bits, where they stand in their word."""
        return ((1 << self.width) - 1) << self.shift


class Array(NamedTuple):
    """Elements that lie at equal distances in one word, so that an index is a shift: `first` is that of element 0."""

    first: Field
    length: int


@dataclass(frozen=True, slots=True)
class Packing:
    """How a state is packed.

    words: how many; fields: one a cell; extra: the bits that the search has for the state of its automaton.
    """

    words: int
    fields: tuple[Field, ...]
    extra: Field

    def pack(self, values: Sequence[int], extra: int = 0) -> tuple[int, ...]:
        """The words of a state.  Cost: O(cells)."""
        words = [0] * self.words
        for field, value in zip((*self.fields, self.extra), (*values, extra), strict=True):
            words[field.word] |= (value - field.low) << field.shift
        return tuple(words)

    def unpack(self, words: Sequence[int]) -> tuple[int, ...]:
        """The values of the cells.  Cost: O(cells)."""
        return tuple((words[f.word] >> f.shift & (1 << f.width) - 1) + f.low for f in self.fields)

    def array(self, first: int, length: int) -> Array | None:
        """The cells first .. first + length - 1 as an array in one word; None when they do not lie so."""
        fields = self.fields[first : first + length]
        stride = fields[0].width
        for place, field in enumerate(fields):
            if field != (fields[0].word, fields[0].shift + place * stride, stride, fields[0].low):
                return None
        return Array(fields[0], length)


def packing(program: Program, extra: int = 0) -> Packing:
    """The packing of a program's cells, with `extra` bits more for the search; no cell lies in two words.

    Cells that one process owns are put together where they fit, and arrays that are indexed lie in one word, in order.
    extra: 0 .. 62.  Raises: ValueError for a cell of more than 62 bits.  Cost: O(cells * words).
    Source: first fit decreasing; Johnson et al., Worst-case performance bounds (1974).

    >>> from spec.model.program import Cell
    >>> packed = packing(Program("three", (Cell("a", 0, 5, 0), Cell("b", -1, 2, 0), Cell("c", 7, 7, 7)), (), ()), 1)
    >>> packed.words, packed.pack((4, -1, 7)), packed.unpack(packed.pack((4, -1, 7)))
    (1, (4,), (4, -1, 7))
    """
    cells = program.cells
    widths = [(cell.high - cell.low).bit_length() for cell in cells]
    for cell, width in zip(cells, widths, strict=True):
        if width > WORD - RESERVED:
            raise ValueError(f"the cell {cell.name} needs {width} bits; {WORD - RESERVED} is the most")
    extra_number = len(cells)
    widths.append(extra)

    groups: dict[int, list[tuple[int, ...]]] = {}
    for unit in _units(program, widths):
        groups.setdefault(cells[unit[0]].owner, []).append(unit)
    used = [RESERVED]
    place: dict[int, tuple[int, int]] = {}

    def size(units: Sequence[Sequence[int]]) -> int:
        return sum(widths[number] for unit in units for number in unit)

    def put(numbers: Sequence[int]) -> bool:
        """Give the cells a place side by side in the first word that has room."""
        needed = sum(widths[number] for number in numbers)
        if needed > WORD:
            return False
        word = next((word for word, taken in enumerate(used) if taken + needed <= WORD), len(used))
        if word == len(used):
            used.append(0)
        # Bits are given from the lowest; the reserved ones of word 0 stay on top.
        shift = used[word] - (RESERVED if word == 0 else 0)
        for number in numbers:
            # Nothing lies anywhere; but behind the last bit of a word it would be a shift by 64.
            place[number] = (word, shift) if widths[number] else (0, 0)
            shift += widths[number]
        used[word] += needed
        return True

    for units in sorted(groups.values(), key=size, reverse=True):
        fits = size(units) <= WORD and any(taken + size(units) <= WORD for taken in used)
        together = [tuple(number for unit in units for number in unit)] if fits else []
        for unit in together or sorted(units, key=lambda unit: size([unit]), reverse=True):
            if not put(unit):
                for number in unit:
                    put([number])
    put([extra_number])
    fields = [Field(*place[number], widths[number], cell.low) for number, cell in enumerate(cells)]
    return Packing(len(used), tuple(fields), Field(*place[extra_number], extra, 0))


def _units(program: Program, widths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The cells in groups that should lie side by side: the arrays that are indexed, and every other cell by itself.

    An array of unequal ranges is no such group: its elements could not be found by a shift.
    """
    cells = program.cells
    taken: set[int] = set()
    for first, length in sorted(set(elements(program)), key=lambda found: (-found[1], found[0])):
        numbers = range(first, first + length)
        if taken.isdisjoint(numbers) and len({(widths[number], cells[number].low) for number in numbers}) == 1:
            taken.update(numbers)
            yield tuple(numbers)
    for number in range(len(cells)):
        if number not in taken:
            yield (number,)


def elements(program: Program) -> Iterator[tuple[int, int]]:
    """The first cell and the length of every array that some command or predicate has an index into."""
    for command in program.commands:
        for statement in command.body:
            match statement:
                case Guard(condition) | Assert(condition, _) | Raise(_, condition):
                    yield from _elements(condition)
                case Assign(target, value):
                    yield from _elements(target)
                    yield from _elements(value)
    for _, expression in program.predicates:
        yield from _elements(expression)


def _elements(expression: Expression) -> Iterator[tuple[int, int]]:
    match expression:
        case Element(first, length, index):
            yield first, length
            yield from _elements(index)
        case Unary(_, operand):
            yield from _elements(operand)
        case Binary(_, left, right):
            yield from _elements(left)
            yield from _elements(right)
        case Choice(condition, then, otherwise):
            yield from _elements(condition)
            yield from _elements(then)
            yield from _elements(otherwise)
        case Read() | Constant():
            return
