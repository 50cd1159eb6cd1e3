"""Which inputs quick tests use: edges, powers of two, neighbours of the constants in sight, random words."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.interpret_attributes import in_range, range_of
from m4alloc.superopt.interpret_facts import holds, names
from m4alloc.superopt.ir import (
    Argument,
    Constant,
    ConstantVector,
    Float,
    Function,
    Int,
    Pointer,
    Struct,
    Type,
    Vector,
    lane_count,
)

TRIES = 40
"""Draws for each vector before the facts are taken to be too narrow to hit by chance."""
Row: TypeAlias = tuple[tuple[int | None, ...], ...]
"""For each argument its scalars; None is poison."""
_FLOAT_BITS: Mapping[str, int] = {"half": 16, "bfloat": 16, "float": 32, "double": 64}


def scalar_width(type: Type) -> int:
    """Bits of a scalar or of a vector's element; pointers are 64-bit words here.  KeyError for other types.

    >>> scalar_width(Vector(4, Int(8)))
    8
    """
    if isinstance(type, Vector):
        return scalar_width(type.element)
    if isinstance(type, Int):
        return type.width
    if isinstance(type, Pointer):
        return 64
    if isinstance(type, Float):
        return _FLOAT_BITS[type.kind]
    raise KeyError(str(type))


def draws(function: Function, facts: Sequence[Fact], count: int, seed: int) -> list[Row]:
    """Up to `count` inputs that satisfy the facts and attributes: for each argument its scalars, None for poison.

    All inputs, where there are no more than `count`.  Poison stands for some arguments that may be poison, in about a
    tenth of the inputs.  Fewer inputs, or none, where the facts are too narrow to be hit.
    Errors: FactError; KeyError for a type without a width.
    """
    shapes = [(argument, scalar_width(argument.type), lane_count(argument.type)) for argument in function.arguments]
    bits = sum(width * number for _, width, number in shapes)
    named = frozenset().union(*(names(fact) for fact in facts)) if facts else frozenset()
    rng = random.Random(seed)
    found: list[Row] = []
    if bits <= 16 and 1 << bits <= count:
        found = [row for row in _every(shapes) if _allowed(row, shapes, facts)]
    else:
        pools = [_pool(function, facts, argument.name, width) for argument, width, _ in shapes]
        seen = set()
        for _ in range(count * TRIES):
            if len(found) == count:
                break
            row = tuple(
                tuple(_word(rng, pool, width) for _ in range(number))
                for pool, (_, width, number) in zip(pools, shapes, strict=True)
            )
            if row not in seen and _allowed(row, shapes, facts):
                seen.add(row)
                found.append(row)
    free = [i for i, (argument, _, _) in enumerate(shapes)
            if "noundef" not in argument.attributes and argument.name not in named]  # fmt: skip
    if free and found:
        poisoned = [_poisoned(rng, row, free) for row in found[:: max(1, 10 * len(found) // count)][: count // 10 + 1]]
        found = [*found[: max(1, count - len(poisoned))], *poisoned] if len(found) == count else found + poisoned
    return found


def _every(shapes: Sequence[tuple[Argument, int, int]]) -> Iterator[Row]:
    """All inputs."""
    total = sum(width * number for _, width, number in shapes)
    for word in range(1 << total):
        row: list[tuple[int | None, ...]] = []
        for _, width, number in shapes:
            scalars: list[int | None] = []
            for _ in range(number):
                scalars.append(word & ((1 << width) - 1))
                word >>= width
            row.append(tuple(scalars))
        yield tuple(row)


def _allowed(row: Row, shapes: Sequence[tuple[Argument, int, int]], facts: Sequence[Fact]) -> bool:
    """The input satisfies attributes and facts; a scalar outside of its `range` would be poison."""
    values: dict[str, int] = {}
    for scalars, (argument, width, number) in zip(row, shapes, strict=True):
        bounds = range_of(argument.attributes)
        for scalar in scalars:
            if scalar is not None and not _attributed(scalar, argument, bounds, width):
                return False
        if number == 1 and scalars[0] is not None:
            values[argument.name] = scalars[0]
    return not facts or holds(facts, values, {argument.name: width for argument, width, _ in shapes})


def _attributed(scalar: int, argument: Argument, bounds: tuple[int, int] | None, width: int) -> bool:
    if bounds is not None and not in_range(scalar, bounds, width):
        return False
    for attribute in argument.attributes:
        if attribute == "nonnull" and scalar == 0:
            return False
        kind, _, number = attribute.partition(" ")
        if kind == "align" and scalar % int(number):
            return False
    return True


def _poisoned(rng: random.Random, row: Row, free: Sequence[int]) -> Row:
    """The input with one scalar of one argument poison, sometimes of several arguments."""
    changed = list(row)
    for place in rng.sample(free, 1 if rng.random() < 0.8 else len(free)):
        scalars = list(changed[place])
        scalars[rng.randrange(len(scalars))] = None
        changed[place] = tuple(scalars)
    return tuple(changed)


def _pool(function: Function, facts: Sequence[Fact], name: str, width: int) -> list[int]:
    """Words worth trying for an argument: the edges of its type, the constants of the code, the facts, neighbours."""
    mask = (1 << width) - 1
    edges = (0, 1, 2, 3, width - 1, width, mask, mask - 1, mask >> 1, (mask >> 1) + 1, 0x5555555555555555)
    seeds = {edge & mask for edge in edges}  # 2 and 3 are no words of one bit
    for value in _constants(function):
        seeds |= {value & mask, (value + 1) & mask, (value - 1) & mask, -value & mask, ~value & mask}
    narrow: set[int] = set()
    for fact in facts:
        if name in names(fact):
            for node in ast.walk(ast.parse(fact.text, mode="eval")):
                if isinstance(node, ast.Constant) and isinstance(node.value, int):
                    narrow |= {node.value + step for step in (-1, 0, 1) if 0 <= node.value + step <= mask}
    return sorted(seeds | narrow) + sorted(narrow) * 4


def _constants(function: Function) -> Iterator[int]:
    """Every integer in the function, at most 200 of them."""
    left = 200
    for instruction in function:
        for operand in instruction.operands:
            elements = operand.elements if isinstance(operand, ConstantVector) else (operand,)
            for element in elements:
                if isinstance(element, Constant) and left:
                    left -= 1
                    yield element.value


def _word(rng: random.Random, pool: Sequence[int], width: int) -> int:
    """One scalar, by a random choice of manner."""
    manner = rng.random()
    if manner < 0.3:
        return rng.choice(pool)
    if manner < 0.5:
        return rng.getrandbits(width)
    if manner < 0.65:
        return 1 << rng.randrange(width)
    if manner < 0.75:  # below a power of two, so that sums and comparisons with constants are hit
        return rng.getrandbits(rng.randrange(width) + 1)
    if manner < 0.82:  # a run of ones
        return (((1 << (rng.randrange(width) + 1)) - 1) << rng.randrange(width)) & ((1 << width) - 1)
    if manner < 0.9:  # aligned
        return (rng.getrandbits(width) << rng.randrange(width)) & ((1 << width) - 1)
    # Between two words of the pool: inside of a range that a fact gives by its ends.
    low, high = sorted((rng.choice(pool), rng.choice(pool)))
    return rng.randint(low, high)


def is_word(type: Type) -> bool:
    """Quick tests can hold the type: scalars of at most 64 bits, vectors and structures of them.

    >>> is_word(Int(65))
    False
    """
    if isinstance(type, Struct):
        return all(map(is_word, type.fields))
    try:
        return scalar_width(type) <= 64
    except KeyError:
        return False
