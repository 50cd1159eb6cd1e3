"""Sets of possible values: undef, poison, constants, and functions lifted to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import product
from math import prod

from m4alloc.superopt import ir
from m4alloc.superopt.interpret_memory import LIMIT, NULL, WILD, Element, Possible, TooManyChoicesError
from m4alloc.superopt.interpret_ops import POISON, UndefinedBehaviour
from m4alloc.superopt.verdict import UnsupportedError


@cache
def everything(type: ir.Type) -> Possible:
    """All values of the type but poison: what undef may be.

    >>> sorted(everything(ir.Int(2)))
    [0, 1, 2, 3]
    """
    if isinstance(type, ir.Int):
        if type.width > 16:
            raise TooManyChoicesError(f"undef of {type}")
        return frozenset(range(1 << type.width))
    if isinstance(type, ir.Pointer):
        return frozenset({WILD})
    if isinstance(type, ir.Vector):
        return _rows([everything(type.element)] * type.count)
    if isinstance(type, ir.Struct):
        return _rows([everything(field) for field in type.fields])
    raise UnsupportedError(f"the interpreter has no undef of {type}")


def _rows(fields: Sequence[Possible]) -> Possible:
    if prod(map(len, fields)) > LIMIT:
        raise TooManyChoicesError(f"a value of {len(fields)} fields has more than {LIMIT} values")
    return frozenset(product(*fields))


@cache
def lost(type: ir.Type) -> Element:
    """Poison of the type: of every element or field."""
    if isinstance(type, ir.Vector):
        return (POISON,) * type.count
    if isinstance(type, ir.Struct):
        return tuple(lost(field) for field in type.fields)
    return POISON


def is_lost(element: Element) -> bool:
    """Some part is poison."""
    return any(map(is_lost, element)) if isinstance(element, tuple) else element is POISON


@lru_cache(maxsize=1 << 12)
def frozen(held: Possible, type: ir.Type) -> tuple[Element, ...]:
    """What freeze may choose from."""
    return tuple(dict.fromkeys(one for element in held for one in settled(element, type)))


def settled(element: Element, type: ir.Type) -> Iterator[Element]:
    """What freeze may make of an element: every poison part becomes any value."""
    if isinstance(element, tuple):
        parts = [type.element] * len(element) if isinstance(type, ir.Vector) else list(_fields(type))
        options = [list(settled(part, kind)) for part, kind in zip(element, parts, strict=True)]
        if prod(map(len, options)) > LIMIT:
            raise TooManyChoicesError(f"freeze of {type}")
        yield from product(*options)
    elif element is POISON:
        yield from everything(type)
    else:
        yield element


def _fields(type: ir.Type) -> tuple[ir.Type, ...]:
    if not isinstance(type, ir.Struct):
        raise UnsupportedError(f"{type} has no fields")
    return type.fields


@lru_cache(maxsize=1 << 18)
def _combined(function: Callable[..., Element], operands: tuple[Possible, ...]) -> Possible | None:
    """The function on every combination of operands; None where one of them is UB."""
    if prod(map(len, operands)) > LIMIT:
        raise TooManyChoicesError(f"an instruction has more than {LIMIT} combinations of operands")
    try:
        return frozenset(function(*combination) for combination in product(*operands))
    except UndefinedBehaviour:
        return None


def combined(function: Callable[..., Element], *operands: Possible) -> Possible:
    """The function on every combination of operands: each operand of each use is sampled on its own."""
    found = _combined(function, operands)
    if found is None:
        raise UndefinedBehaviour
    return found


@cache
def lanewise(function: Callable[..., Element]) -> Callable[..., Element]:
    """The function on each element of vectors."""

    def apply(*operands: Element) -> Element:
        rows = [operand for operand in operands if isinstance(operand, tuple)]
        return tuple(function(*parts) for parts in zip(*rows, strict=True))

    return apply


@cache
def spread(function: Callable[..., Element], count: int) -> Callable[..., Element]:
    """The function on each element of vectors, where a scalar operand (an i1 switch) stands for all elements."""

    def apply(*operands: Element) -> Element:
        rows = [operand if isinstance(operand, tuple) else (operand,) * count for operand in operands]
        return tuple(function(*parts) for parts in zip(*rows, strict=True))

    return apply


def chosen(condition: Element, a: Element, b: Element) -> Element:
    """select on one element."""
    return POISON if condition is POISON else a if condition else b


@cache
def constant_value(value: ir.Value) -> Possible:
    """What a use of a constant may find.

    >>> constant_value(ir.constant(ir.Int(4), -1))
    frozenset({15})
    """
    if isinstance(value, ir.Constant):
        return frozenset({value.value})
    if isinstance(value, ir.Undef):
        return everything(value.type)
    if isinstance(value, ir.Poison):
        return frozenset({lost(value.type)})
    if isinstance(value, ir.Null):
        return frozenset({NULL})
    if isinstance(value, ir.ConstantVector):
        return _rows([constant_value(element) for element in value.elements])
    raise UnsupportedError(f"the interpreter has no value for {value}")


def scalar_type(type: ir.Type) -> ir.Type:
    return type.element if isinstance(type, ir.Vector) else type


def recast(element: Element, source: ir.Type, target: ir.Type) -> Element:
    """bitcast: lowest element first; a scalar that one poison bit goes into is poison."""
    inner, outer = scalar_type(source), scalar_type(target)
    if not isinstance(inner, ir.Int) or not isinstance(outer, ir.Int):
        raise UnsupportedError(f"the interpreter does not cover bitcast of {source} to {target}")
    parts = element if isinstance(element, tuple) else (element,)
    bits: list[int | None] = []
    for part in parts:
        bits += [part >> i & 1 if isinstance(part, int) else None for i in range(inner.width)]
    row: list[Element] = []
    for at in range(0, len(bits), outer.width):
        total = 0
        for i, bit in enumerate(bits[at : at + outer.width]):
            if bit is None:
                row.append(POISON)
                break
            total |= bit << i
        else:
            row.append(total)
    return tuple(row) if isinstance(target, ir.Vector) else row[0]
