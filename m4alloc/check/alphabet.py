"""The alphabet of an exhaustive exploration: which requests, on how many blocks, and how many sequences that makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from m4alloc.check.instruction import INSTRUCTION, Instructions, Row
from spec.event import Function

SIZES = (0, 1, 16, 24, 4096)
SLOTS = 4
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The requests that each step of a sequence chooses from.

    makers: requests that hand out a block, each possible while fewer than `slots` blocks are held.
    resizers: requests on a block that is held, each possible for every one of them; so is free.

    Sequences that differ only in what their blocks are called are one: a block is told from others by when it was asked
    for. A request that came back with a null pointer holds a slot all the same, so that the number of sequences is the
    same for every allocator.

    >>> tiny = Alphabet((Row(Function.MALLOC, size=8),), (), 2)
    >>> [tiny.sequences(depth) for depth in range(6)]
    [1, 1, 2, 3, 6, 9]
    """

    makers: tuple[Row, ...]
    resizers: tuple[Row, ...]
    slots: int = SLOTS

    def __post_init__(self) -> None:
        if not self.makers or not 1 <= self.slots <= MAX_DEPTH:
            raise ValueError(f"an alphabet needs a request that hands out a block, and 1 to {MAX_DEPTH} slots")

    def choices(self, held: int) -> int:
        """How many requests there are to choose from while `held` blocks are held."""
        return (len(self.makers) if held < self.slots else 0) + held * (1 + len(self.resizers))

    def sequences(self, depth: int) -> int:
        """How many sequences of exactly `depth` requests there are.  Cost: O(depth * slots).

        With n blocks held there are makers (if n < slots) ways to n + 1, n ways to n - 1, and n * resizers to stay.
        """
        return self._from(depth, 0)

    def _from(self, depth: int, held: int) -> int:
        ways = [0] * (self.slots + 2)
        ways[held] = 1
        for _ in range(depth):
            after = [0] * (self.slots + 2)
            for n in range(self.slots + 1):
                if n < self.slots:
                    after[n + 1] += ways[n] * len(self.makers)
                if n:
                    after[n - 1] += ways[n] * n
                after[n] += ways[n] * n * len(self.resizers)
            ways = after
        return sum(ways)

    def parts(self, length: int) -> Iterator[tuple[int, ...]]:
        """Every way to begin a sequence with `length` requests, as the numbers of the alternatives taken.

        >>> list(Alphabet((Row(Function.MALLOC, size=8),), (), 2).parts(2))
        [(0, 0), (0, 1)]
        """
        yield from self._parts(length, 0)

    def _parts(self, length: int, held: int) -> Iterator[tuple[int, ...]]:
        if not length:
            yield ()
            return
        for which in range(self.choices(held)):
            for rest in self._parts(length - 1, self.held_after(held, which)):
                yield (which, *rest)

    def held_after(self, held: int, which: int) -> int:
        """How many blocks are held after alternative `which` with `held` of them: as m4alloc/check/driver/explore.h."""
        if held < self.slots:
            if which < len(self.makers):
                return held + 1
            which -= len(self.makers)
        return held - 1 if which < held else held

    def beginning_with(self, depth: int, part: Sequence[int]) -> int:
        """How many sequences of `depth` requests begin with `part`."""
        held = 0
        for which in part:
            held = self.held_after(held, which)
        return self._from(depth - len(part), held)

    def instructions(self) -> Instructions:
        """What the driver chooses from: the makers, then the resizers."""
        return np.array([*self.makers, *self.resizers], INSTRUCTION)

    def __str__(self) -> str:
        """The requests in words.

        >>> str(usual(frozenset(Function)))
        'malloc 0|1|16|24|4096, calloc 24, aligned_alloc 64/24, realloc 16|4097, free; at most 4 blocks'
        """
        words: dict[str, list[str]] = {}
        for row in (*self.makers, *self.resizers):
            operand = f"{row.alignment}/{row.size}" if row.alignment else str(row.size * row.count)
            words.setdefault(Function(row.function).name.lower(), []).append(operand)
        told = [f"{name} {'|'.join(operands)}" for name, operands in words.items()]
        return f"{', '.join([*told, 'free'])}; at most {self.slots} blocks"


@cache
def usual(functions: frozenset[Function], sizes: tuple[int, ...] = SIZES, slots: int = SLOTS) -> Alphabet:
    """The alphabet for an allocator with these functions: malloc of each size, one calloc, one aligned request, two
    reallocs, one of which grows past the largest size.

    sizes: bytes, at least one. Raises ValueError: no size, or one twice.
    """
    if not sizes or len(set(sizes)) != len(sizes) or min(sizes) < 0:
        raise ValueError(
            f"sizes {', '.join(map(str, sizes)) or '(none)'}: at least one is needed, each once, from 0 on"
        )
    positive = [size for size in sizes if size] or [1]
    middle, largest = positive[len(positive) // 2], max(positive)
    makers = [Row(Function.MALLOC, size=size) for size in sizes]
    if Function.CALLOC in functions:
        makers.append(Row(Function.CALLOC, size=middle))
    if Function.ALIGNED_ALLOC in functions:
        makers.append(Row(Function.ALIGNED_ALLOC, size=middle, alignment=64))
    resizers = []
    if Function.REALLOC in functions:
        resizers = [
            Row(Function.REALLOC, size=size) for size in dict.fromkeys((positive[len(positive) // 3], largest + 1))
        ]
    return Alphabet(tuple(makers), tuple(resizers), slots)
