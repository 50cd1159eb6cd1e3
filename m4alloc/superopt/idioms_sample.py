"""Runs functions of integers on some inputs, loops too, to sort out what is not worth a proof."""

from __future__ import annotations

from collections.abc import Sequence

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.interpret_facts import holds
from m4alloc.superopt.interpret_memory import TooManyChoicesError
from m4alloc.superopt.interpret_run import outcomes
from m4alloc.superopt.ir import Constant, Function, Int
from m4alloc.superopt.verdict import UnsupportedError

UNDEFINED = "undefined"
"""What `value` says where the function is undefined, returns poison or nothing definite, or runs for too long."""


def value(function: Function, arguments: Sequence[int]) -> int | str:
    """What a function of integers returns, unsigned, or UNDEFINED.  About 10 microseconds an instruction."""
    try:
        found = outcomes(function, [frozenset({argument}) for argument in arguments])
    except (UnsupportedError, TooManyChoicesError):
        return UNDEFINED
    if not isinstance(found, frozenset) or len(found) != 1:
        return UNDEFINED
    (outcome,) = found
    if outcome.value is None or len(outcome.value) != 1:
        return UNDEFINED
    (result,) = outcome.value
    return result if isinstance(result, int) else UNDEFINED


def allowed(function: Function, arguments: Sequence[int], facts: Sequence[Fact]) -> bool:
    """The facts hold of these arguments."""
    names = [argument.name for argument in function.arguments]
    widths = {argument.name: argument.type.width for argument in function.arguments if isinstance(argument.type, Int)}
    return holds(facts, dict(zip(names, arguments, strict=True)), widths)


def samples(function: Function, facts: Sequence[Fact] = ()) -> list[int]:
    """Inputs of a function of one integer that satisfy the facts: small ones, single bits, runs of ones, its constants
    with their neighbours, and some others."""
    (argument,) = function.arguments
    assert isinstance(argument.type, Int)
    width = argument.type.width
    top = 1 << width
    found = {*range(min(20, top))}
    for bit in range(0, width, max(1, width // 16)):
        found |= {1 << bit, (1 << bit) - 1, top - (1 << bit), (1 << bit) + 5}
    for one in function:
        for operand in one.operands:
            if isinstance(operand, Constant):
                found |= {operand.value + change for change in (-1, 0, 1)}
    number = 1
    for _ in range(12):
        number = (number * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        found |= {number >> (64 - width) if width <= 64 else number, number >> 52, number >> 58}
    return [each for each in sorted(x % top for x in found) if allowed(function, (each,), facts)]


def agree(source: Function, target: Function, facts: Sequence[Fact] = ()) -> bool:
    """The target gives what the source gives on every sample where that is defined; True too where none can be run."""
    if len(source.arguments) != 1 or not isinstance(source.arguments[0].type, Int):
        return True
    for sample in samples(source, facts):
        expected = value(source, (sample,))
        if expected != UNDEFINED and value(target, (sample,)) != expected:
            return False
    return True
