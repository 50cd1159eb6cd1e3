"""The second tier: both terms on every state of a scaled-down format, as one numpy operation an operator.

8-bit addresses, a 5-bit mantissa, every exponent; each encoding that a tagged capability can have beside each address,
and each value of the integers. What is left out is said in `Exhausted.left_out`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.cheri.layout import Layout
from m4alloc.superopt.cheri.smt import refinement
from m4alloc.superopt.cheri.symbol import Cap, Symbol
from m4alloc.superopt.cheri.symbolic import SymbolicMachine, observed
from m4alloc.superopt.cheri.term import Sort, Term, variables
from m4alloc.superopt.cheri.words import FALSE, TRUE, Truth, Word

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Exhausted:
    """How many states were looked at, on how many the condition held, and one that shows a difference.

    left_out: what of the space was not looked at; "" for nothing.
    """

    states: int
    tried: int
    failure: Mapping[str, str] | None
    left_out: str


def exhausted(
    source: Term, target: Term, condition: Term, layout: Layout, *, tagged: bool = True, stride: int = 1, few: int = 11
) -> Exhausted:
    """Run both on all states of a scaled layout.

    tagged: the capabilities are, and are such as instructions make; else any bits without a tag.  stride: every so
    many encodings.  few: of a third variable and beyond, so many values at the edges and between.
    Cost: about 0.2 s a million states.  Raises Unsupported, and ValueError for a layout that is not scaled.
    """
    if not layout.is_scaled:
        raise ValueError(f"{layout.name} has too many states; a layout of `scaled` would be right")
    sorts = {**variables(source), **variables(target), **variables(condition)}
    states = tried = 0
    machine = SymbolicMachine(layout)
    for environment, count in _chunks(sorts, layout, tagged=tagged, stride=stride, few=few):
        known = observed(condition, environment, layout)
        assert isinstance(known.value, Truth)
        given = known.value & ~known.trapped
        for value in environment.values():
            if isinstance(value, Cap) and tagged:
                given = given & machine.derivable(value)
        before, after = observed(source, environment, layout), observed(target, environment, layout)
        kept = refinement(before, after, strict=True)
        held = np.broadcast_to(np.asarray(given.raw), (count,))
        wrong = held & ~np.broadcast_to(np.asarray(kept.raw), (count,))
        states += count
        tried += int(held.sum())
        if wrong.any():
            return Exhausted(states, tried, _shown(environment, int(np.argmax(wrong)), count), "")
    left = [] if stride == 1 else [f"all but every {stride}th encoding"]
    if len(sorts) > 2:
        left.append(f"all but {few} values of each variable from the third on")
    return Exhausted(states, tried, None, "; ".join(left))


def _chunks(
    sorts: Mapping[str, Sort], layout: Layout, *, tagged: bool, stride: int, few: int
) -> Iterator[tuple[dict[str, Symbol], int]]:
    """Environments of arrays, one for each encoding of the first capability and each seal."""
    every: Numbers = np.arange(1 << layout.address_bits, dtype=np.int64)
    edges: Numbers = np.unique(np.linspace(0, every[-1], few).astype(np.int64))
    capabilities = [name for name, sort in sorts.items() if sort is Sort.CAP]
    others = [name for name in sorts if name not in capabilities]
    axes = [every if number == 0 else edges for number in range(len(capabilities))]
    for number, name in enumerate(others):
        values = np.arange(2, dtype=np.int64) if sorts[name] is Sort.BOOL else every
        axes.append(values if number == 0 or sorts[name] is Sort.BOOL else edges)
    grid = [axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")] if axes else [every[:1]]
    count = int(grid[0].size)
    rest = _encodings(layout)[:: max(1, (1 << layout.codec.width) // few)]
    for upper in _encodings(layout)[::stride] if capabilities else [0]:
        for otype in (layout.unsealed, layout.sentry):
            environment: dict[str, Symbol] = {}
            for number, name in enumerate(capabilities):
                bits = upper if number == 0 else rest[(upper + number) % len(rest)]
                word = _perms(layout) | otype << layout.otype.low | bits
                tag = TRUE if tagged else FALSE
                environment[name] = Cap(Word(word, layout.upper_bits), Word(grid[number], layout.address_bits), tag)
            for number, name in enumerate(others, len(capabilities)):
                raw = grid[number]
                is_bool = sorts[name] is Sort.BOOL
                environment[name] = Truth(raw == 1) if is_bool else Word(raw, layout.address_bits)
            yield environment, count


def _encodings(layout: Layout) -> range:
    return range(1 << layout.codec.width)


def _perms(layout: Layout) -> int:
    return sum(part.mask for part, _ in layout.parts)


def _shown(environment: Mapping[str, Symbol], at: int, count: int) -> dict[str, str]:
    def number(word: Word) -> str:
        return hex(int(np.broadcast_to(np.asarray(word.raw), (count,))[at]))

    found: dict[str, str] = {}
    for name, value in environment.items():
        if isinstance(value, Cap):
            found[name] = f"upper {number(value.upper)}, address {number(value.address)}"
        elif isinstance(value, Word):
            found[name] = number(value)
        elif isinstance(value, Truth):
            found[name] = str(bool(np.broadcast_to(np.asarray(value.raw), (count,))[at])).lower()
    return found
