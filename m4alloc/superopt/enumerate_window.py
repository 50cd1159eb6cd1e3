"""What enumeration works on: a function of integers, the inputs that count, and the constants worth trying."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.enumerate_kernels import LANES
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Constant, ConstantVector, Function, Int
from m4alloc.superopt.vectors import Vectors, run, test_vectors

TESTS = 1024
CONSTANTS = 12
"""At one width, 0, 1 and -1 included."""

NARROW = (8, 16, 32)
"""Widths that a mask or a pair of shifts may stand for."""

Words = npt.NDArray[np.uint64]


class NoWindowError(ValueError):
    """A function that enumeration does not cover; the message says why."""


@dataclass(frozen=True)
class Samples:
    """A function of integers with what it gives on inputs where it is defined.

    inputs: for each argument its words, (all,); goal: the result there.  lanes: the places of those inputs on which
    terms are compared, at most 64.
    """

    function: Function
    inputs: tuple[Words, ...]
    goal: Words
    lanes: tuple[int, ...]

    @property
    def width(self) -> int:
        """Of the result."""
        return width_of(self.function)

    def column(self, argument: int) -> Words:
        """An argument's words in the lanes."""
        return np.ascontiguousarray(self.inputs[argument][list(self.lanes)])

    @property
    def wanted(self) -> Words:
        """The result in the lanes."""
        return np.ascontiguousarray(self.goal[list(self.lanes)])


def width_of(function: Function) -> int:
    """The width of the result; NoWindowError where it is no integer of 1 to 64 bits."""
    if not isinstance(function.type, Int) or function.type.width > 64:
        raise NoWindowError(f"the result of @{function.name} is {function.type}: only integers of 1 to 64 bits")
    return function.type.width


def samples(function: Function, facts: Sequence[Fact], seed: int, more: Sequence[tuple[int, ...]] = ()) -> Samples:
    """What the function gives; `more` inputs, such as counterexamples, come first among the lanes.

    Raises NoWindowError where arguments or result are no integers of 1 to 64 bits, where the function holds what quick
    tests do not cover, and where no input was found on which it is defined.  Cost: some 20 ms.
    """
    width_of(function)
    for argument in function.arguments:
        if not isinstance(argument.type, Int) or argument.type.width > 64:
            raise NoWindowError(f"argument %{argument.name} of @{function.name} is {argument.type}, no integer")
    tests = test_vectors(function, facts, TESTS, seed)
    if tests is None:
        raise NoWindowError(f"no input of @{function.name} satisfies the facts")
    results = run(function, tests)
    if results is None:
        raise NoWindowError(f"@{function.name} holds what quick tests do not cover")
    fine = ~(results.ub | results.vague | results.poison.any(0))
    for lanes in tests.inputs:
        if lanes.poison is not None:
            fine &= ~lanes.poison
    if not fine.any():
        raise NoWindowError(f"@{function.name} is undefined or poison on every input tried")
    inputs = [lanes.value[fine] for lanes in tests.inputs]
    goal = results.value[0][fine]
    if more:
        inputs, goal = _with(function, inputs, goal, more)
    return Samples(function, tuple(inputs), goal, _lanes(goal, len(more)))


def _with(
    function: Function, inputs: list[Words], goal: Words, more: Sequence[tuple[int, ...]]
) -> tuple[list[Words], Words]:
    from m4alloc.superopt.vectors_ops import Lanes

    columns = [np.array(column, np.uint64) for column in zip(*more, strict=True)]
    results = run(function, Vectors(tuple(map(Lanes, columns)), len(more)))
    assert results is not None
    fine = ~(results.ub | results.vague | results.poison.any(0))
    joined = [np.concatenate([new[fine], old]) for new, old in zip(columns, inputs, strict=True)]
    return joined, np.concatenate([results.value[0][fine], goal])


def _lanes(goal: Words, first: int) -> tuple[int, ...]:
    """The places of the lanes: the first ones, some of rare results, some of the most frequent, some as they come.

    They are put in an order in which results differ early, so that a wrong term is given up early.
    """
    _, inverse, counts = np.unique(goal, return_inverse=True, return_counts=True)
    turn = np.zeros(len(goal), np.int64)
    seen: dict[int, int] = {}
    for place, which in enumerate(inverse.tolist()):
        turn[place] = seen.get(which, 0)
        seen[which] = int(turn[place]) + 1
    rare = sorted(range(len(goal)), key=lambda place: (turn[place], counts[inverse[place]]))
    fair = range(0, len(goal), max(1, len(goal) // LANES))
    often = sorted(np.flatnonzero(turn).tolist(), key=lambda place: (turn[place], -counts[inverse[place]]))
    chosen = dict.fromkeys(range(min(first, LANES // 2)))
    for place in (*rare[: LANES // 2], *often[: LANES // 4], *fair, *rare):
        if len(chosen) < min(LANES, len(goal)):
            chosen[place] = None
    return tuple(sorted(chosen, key=lambda place: (turn[place], counts[inverse[place]], place)))


def widths(function: Function) -> list[int]:
    """Every integer width up to 64 that occurs in the function, and those that it masks or shifts down to.

    >>> from m4alloc.superopt.parse import parse_function
    >>> widths(parse_function("define i32 @f(i32 %x) { %a = and i32 %x, 255 ret i32 %a }"))
    [8, 32]
    """
    found = {argument.type.width for argument in function.arguments if isinstance(argument.type, Int)}
    found.add(width_of(function))
    for instruction in function:
        for type in (instruction.type, *(operand.type for operand in instruction.operands)):
            if isinstance(type, Int) and type.width <= 64:
                found.add(type.width)
        for operand in instruction.operands:
            if isinstance(operand, Constant) and isinstance(instruction.type, Int):
                shifted = instruction.opcode in ("shl", "lshr", "ashr")
                kept = instruction.type.width - operand.value if shifted else operand.value.bit_length()
                whole = shifted or (instruction.opcode == "and" and operand.value & (operand.value + 1) == 0)
                if whole and kept in NARROW and kept < instruction.type.width:
                    found.add(kept)
    return sorted(found)


def constants(function: Function, width: int) -> list[int]:
    """Constants worth trying at a width: 0, 1, -1, those of the function, then what derives from them.

    >>> from m4alloc.superopt.parse import parse_function
    >>> f = parse_function("define i8 @f(i8 %x) {\\n %a = and i8 %x, 12\\n ret i8 %a\\n}")
    >>> constants(f, 8)[:5]
    [0, 1, 255, 12, 7]
    """
    mask = (1 << width) - 1
    found: dict[int, None] = {0: None, 1: None}
    if width == 1:
        return list(found)
    found[mask] = None
    own = [value for value in _own(function, width) if value not in (0, 1, mask)]
    found.update(dict.fromkeys(own[: CONSTANTS - 4]))
    found[width - 1] = None
    near: list[int] = []
    for value in own:
        near += [value + 1, value - 1, ~value, -value]
        near += [1 << value] if value < width else []
        near += [value.bit_length() - 1] if value & (value - 1) == 0 else []
        near += [width - value] if value < width else []
    near += [1 << (width - 1), (1 << (width - 1)) - 1, 2, width]
    for value in near:
        if len(found) < CONSTANTS:
            found[value & mask] = None
    return list(found)


def _own(function: Function, width: int) -> Iterable[int]:
    """The function's constants, those of other widths too where they fit."""
    found: dict[int, None] = {}
    other: dict[int, None] = {}
    for instruction in function:
        for operand in instruction.operands:
            for element in operand.elements if isinstance(operand, ConstantVector) else (operand,):
                if isinstance(element, Constant):
                    if element.type.width == width:
                        found[element.value] = None
                    elif element.value < 1 << width and element.type.width > 1:
                        other[element.value] = None
    return [*found, *(value for value in other if value not in found)]


def amounts(function: Function) -> list[int]:
    """By how much the function shifts or rotates: the amounts that funnel shifts are tried with."""
    found: dict[int, None] = {}
    for instruction in function:
        if instruction.opcode in {"shl", "lshr", "ashr"} or "fsh" in instruction.callee:
            last = instruction.operands[-1]
            if isinstance(last, Constant) and isinstance(instruction.type, Int):
                found[last.value] = None
                found[instruction.type.width - last.value] = None
    return [value for value in found if value > 0][:4]
