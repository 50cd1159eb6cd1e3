"""Terms by width, each with its value in every lane, kept once per value: what bottom-up enumeration grows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.enumerate_kernels import choose, expand
from m4alloc.superopt.enumerate_operations import CAST, FUNNEL, OPERATIONS, ROTL, SAME, SELECT

SELECTS = 2
"""Instructions of the largest term with a select in a bank."""

ROW, CONSTANT = -1, -2
"""Codes of a term that is a row of a bank, and of a constant."""

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Term:
    """A term by its place: width, row and, for one that is not in the bank, how it is made of others.

    code: an operation's code, SELECT or FUNNEL + c; ROW, or CONSTANT, whose value is `row`.
    """

    width: int
    row: int = 0
    code: int = ROW
    parts: tuple[Term, ...] = ()


class Bank:
    """The terms of one width, those of few instructions first.

    values: (capacity, lanes); poison: a word a row, its bits the lanes; code, operands, operand_width: how each row was
    made, -1 for a leaf.  ends[n]: rows of at most n instructions.
    """

    def __init__(self, width: int, lanes: int, capacity: int) -> None:
        self.width = width
        self.mask = np.uint64((1 << width) - 1)
        self.values: Words = np.zeros((capacity, lanes), np.uint64)
        self.poison: Words = np.zeros(capacity, np.uint64)
        self.code = np.full(capacity, -1, np.int16)
        self.operands = np.zeros((capacity, 3), np.int32)
        self.operand_width = np.zeros(capacity, np.int16)
        self.size = 0
        self.ends: list[int] = []
        slots = 1 << (4 * capacity - 1).bit_length()
        self.table: Words = np.zeros(slots, np.uint64)
        self.places = np.zeros(slots, np.int64)
        self.origin = np.zeros((capacity, 3), np.int64)

    @property
    def is_full(self) -> bool:
        """It holds all it can, so that later terms are lost."""
        return self.size >= len(self.values)

    def span(self, size: int) -> tuple[int, int]:
        """First and last row of the terms of exactly `size` instructions."""
        if size >= len(self.ends):
            return self.size, self.size
        return (self.ends[size - 1] if size else 0), self.ends[size]

    def add_leaf(self, values: Words) -> int | None:
        """Put in a leaf; its row, None where an equal one is there."""
        before = self.size
        empty = np.zeros(1, np.uint64)
        self.size = expand(
            3, np.uint64(self.width), self.mask, values[None, :], empty, values[None, :], empty, False, True,
            self.values, self.poison, self.origin, self.size, self.table, self.places, len(self.values),
        )  # fmt: skip
        return before if self.size > before else None

    def term(self, row: int) -> Term:
        """A row as a term."""
        return Term(self.width, row)


class Space:
    """Banks of all widths in use, grown one instruction at a time over the same leaves and operations."""

    def __init__(
        self, widths: Sequence[int], lanes: int, operations: Sequence[int], amounts: Sequence[int], capacity: int
    ) -> None:
        """operations: codes, the most promising first.  amounts: by which funnel shifts are tried."""
        self.lanes = lanes
        self.operations = tuple(operations)
        self.amounts = tuple(amounts)
        self.banks = {width: Bank(width, lanes, capacity) for width in sorted({1, *widths})}
        self.leaves: dict[int, int] = {}

    def seal_leaves(self) -> None:
        """No further leaves."""
        for bank in self.banks.values():
            bank.ends = [bank.size]
            self.leaves[bank.width] = bank.size

    def codes(self, bank: Bank) -> Iterator[tuple[int, Bank]]:
        """Operations on operands of the bank's width, with the bank of the result."""
        for code in self.operations:
            operation = OPERATIONS[code]
            if operation.result == CAST:
                for other in self.banks.values():
                    if (other.width < bank.width) == (operation.word == "trunc") and other.width != bank.width:
                        yield code, other
            elif applies(code, bank.width):
                yield code, bank if operation.result == SAME else self.banks[1]
        for amount in self.amounts:
            if 0 < amount < bank.width and bank.width > 1:
                yield FUNNEL + amount, bank

    def grow(self, deadline: float) -> bool:
        """Add all terms of one more instruction; False where time or room ran out, so that some are missing."""
        level = max(len(bank.ends) for bank in self.banks.values())
        whole = True
        for bank in self.banks.values():
            for code, into in self.codes(bank):
                for left, right, symmetric in splits(code, bank, level):
                    whole = whole and time.monotonic() < deadline and not into.is_full
                    if whole:
                        self._expand(code, bank, into, left, right, symmetric)
        for bank in self.banks.values():
            if whole and level <= SELECTS:
                self._choose(bank, level)
                whole = time.monotonic() < deadline and not bank.is_full
        for bank in self.banks.values():
            bank.ends.append(bank.size)
        return whole

    def _expand(
        self, code: int, bank: Bank, into: Bank, left: tuple[int, int], right: tuple[int, int], symmetric: bool
    ) -> None:
        unary = code < FUNNEL and OPERATIONS[code].arity == 1
        before = into.size
        a, b = slice(*left), slice(*right)
        into.size = expand(
            code, np.uint64(bank.width), into.mask if unary else bank.mask, bank.values[a], bank.poison[a],
            bank.values[b], bank.poison[b], symmetric, unary, into.values, into.poison, into.origin, into.size,
            into.table, into.places, len(into.values),
        )  # fmt: skip
        rows = slice(before, into.size)
        into.code[rows] = code
        into.operand_width[rows] = bank.width
        into.operands[rows, 0] = into.origin[rows, 0] + left[0]
        into.operands[rows, 1] = into.origin[rows, 1] + right[0]

    def _choose(self, bank: Bank, level: int) -> None:
        """select(c, a, b) of leaves a and b, the condition of level - 1 instructions."""
        conditions = self.banks[1]
        start, stop = conditions.span(level - 1)
        before = bank.size
        leaves = self.leaves[bank.width]
        bank.size = choose(
            conditions.values[start:stop], conditions.poison[start:stop], bank.values[:leaves], bank.poison[:leaves],
            bank.values, bank.poison, bank.origin, bank.size, bank.table, bank.places, len(bank.values),
        )  # fmt: skip
        rows = slice(before, bank.size)
        bank.code[rows] = SELECT
        bank.operand_width[rows] = 1
        bank.operands[rows] = bank.origin[rows]
        bank.operands[rows, 0] += start


def splits(code: int, bank: Bank, size: int) -> Iterator[tuple[tuple[int, int], tuple[int, int], bool]]:
    """How `size` instructions may be shared out to the operands of one operation, no term being used by both.

    (rows of the left operand, rows of the right one, one order is enough); the operation's own instructions count.
    """
    operation = OPERATIONS[ROTL if code >= FUNNEL else code]
    rest = size - operation.size
    if rest < 0:
        return
    if operation.arity == 1:
        yield bank.span(rest), (0, 1), False
        return
    for left in range(rest, -1, -1):
        right = rest - left
        if operation.commutative and right > left:
            continue
        a, b = bank.span(left), bank.span(right)
        if a[0] < a[1] and b[0] < b[1]:
            yield a, b, operation.commutative and left == right


def applies(code: int, width: int) -> bool:
    """The operation means something new at that width."""
    operation = OPERATIONS[code]
    if width == 1:
        return operation.word in {"and", "or", "xor"}
    if operation.word == "bswap":
        return width % 16 == 0
    if operation.word == "bitreverse":
        return width % 8 == 0
    return True
