"""Size to class by comparisons, or by a division, and the arithmetic that does the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_prove import has_loop
from m4alloc.superopt.idioms_sample import allowed, value
from m4alloc.superopt.idioms_text import body, made, placed, resized
from m4alloc.superopt.ir import Constant, Function, Instruction, Int, Local, constant

WORD = 64
"""Bits of the largest table in a word."""


@dataclass(frozen=True)
class Steps:
    """A step function: `first` below places[0], values[k] from places[k] on."""

    first: int
    places: tuple[int, ...]
    values: tuple[int, ...]


def steps(function: Function, facts: Sequence[Fact] = ()) -> Steps | None:
    """Where a function of one integer changes, as its own constants suggest; None where they do not explain it.

    The facts limit which arguments are looked at.  It is a guess: between its constants the function may change too.
    """
    (argument,) = function.arguments
    assert isinstance(argument.type, Int)
    top = 1 << argument.type.width
    constants = {operand.value for one in function for operand in one.operands if isinstance(operand, Constant)}
    places = sorted({place for c in constants for place in (c, c + 1) if 0 < place < top})
    found: list[tuple[int, int]] = []
    first = last = None
    for place in places:
        if not (allowed(function, (place,), facts) and allowed(function, (place - 1,), facts)):
            continue
        before, after = value(function, (place - 1,)), value(function, (place,))
        if before == after or not isinstance(before, int) or not isinstance(after, int):
            continue
        if last is not None and last != before:
            return None
        first = before if first is None else first
        found.append((place, after))
        last = after
    if first is None:
        return None
    return Steps(first, tuple(place for place, _ in found), tuple(after for _, after in found))


def closed_forms(function: Function, straight: Function, facts: Sequence[Fact]) -> Iterator[Function]:
    """Shifts, counts of leading zeros and tables in a word that may stand in for a chain of comparisons."""
    argument = function.arguments[0] if len(function.arguments) == 1 else None
    if argument is None or not isinstance(argument.type, Int) or argument.type.width not in {32, 64}:
        return
    if has_loop(straight) or not isinstance(function.type, Int):
        return
    if sum(one.opcode in {"icmp", "switch"} for one in straight) < 3:
        return
    found = steps(straight, facts)
    if found is None or len(found.places) < 2:
        return
    for lines in (*_shifts(found), *_counts(found, argument.type.width), *_tables(found)):
        form = _written(function, lines)
        if form.size < function.size:
            yield form


@dataclass(frozen=True)
class _Lines:
    """Text that computes %r of `width` bits from %d, the argument less `less`, and whether that saturates at 0."""

    text: str
    less: int
    saturates: bool
    width: int = 0


def _written(function: Function, lines: _Lines) -> Function:
    argument = function.arguments[0]
    assert isinstance(argument.type, Int) and isinstance(function.type, Int)
    own, width = argument.type.width, lines.width or argument.type.width
    name = placed(function, argument.name)
    text = ""
    if not lines.less:
        start = name
    elif lines.saturates:
        text, start = f"%s = call iN @llvm.usub.sat.iN(iN {name}, iN {lines.less})\n", "%s"
    else:
        text, start = f"%s = sub iN {name}, {lines.less}\n", "%s"
    if width != own:
        text, start = text + f"%wide = zext iN {start} to iW\n", "%wide"
    text = body(text + lines.text, DIFFERENCE=start, iN=f"i{own}", iW=f"i{width}")
    return made(function, text + resized("%r", width, function.type.width))


def _shifts(found: Steps) -> Iterator[_Lines]:
    """Classes that are all of one power of two: (n - a) >> s."""
    gaps = {b - a for a, b in zip(found.places, found.places[1:], strict=False)}
    rising = (found.first, *found.values) == tuple(range(found.first, found.first + len(found.values) + 1))
    (gap,) = gaps if len(gaps) == 1 else (0,)
    less = found.places[0] - gap
    if not rising or gap & (gap - 1) or less < 0 or gap == 0:
        return
    index = f"%index = lshr iW DIFFERENCE, {gap.bit_length() - 1}\n"
    yield from _finished(index, less, found)


def _counts(found: Steps, width: int) -> Iterator[_Lines]:
    """Classes that double: the length in bits of (n - a) >> s."""
    less = 2 * found.places[0] - found.places[1]
    unit = found.places[0] - less
    rising = (found.first, *found.values) == tuple(range(found.first, found.first + len(found.values) + 1))
    doubles = all(place - less == unit << k for k, place in enumerate(found.places))
    if not rising or not doubles or unit <= 0 or unit & (unit - 1) or less < 0:
        return
    shift = unit.bit_length() - 1
    index = (
        f"%ones = or iW DIFFERENCE, {unit - 1}\n%zeros = call iW @llvm.ctlz.iW(iW %ones, i1 true)\n"
        if shift
        else "%zeros = call iW @llvm.ctlz.iW(iW DIFFERENCE, i1 false)\n"
    )
    index += f"%index = sub iW {width - shift}, %zeros\n"
    yield from _finished(index, less, found)


def _finished(index: str, less: int, found: Steps) -> Iterator[_Lines]:
    for limited in (False, True):
        for saturates in (False, True) if less else (False,):
            text, last = index, "%index"
            if limited:
                text += f"%limited = call iW @llvm.umin.iW(iW %index, iW {len(found.values)})\n"
                last = "%limited"
            if found.first:
                text += f"%sum = add iW {last}, {found.first}\n"
                last = "%sum"
            yield _Lines(text.replace(f"{last} =", "%r ="), less, saturates)


def _tables(found: Steps) -> Iterator[_Lines]:
    """Any classes whose borders are a few equal pieces apart: a table in a word, indexed by piece."""
    granule = 1 << 20
    while any((place - found.places[0]) % granule for place in found.places):
        granule //= 2
    granule = min(granule, 1 << found.places[0].bit_length() - 1)
    less = found.places[0] % granule
    bits = 1
    while max(found.first, *found.values) >> bits:
        bits *= 2
    entries = WORD // bits
    if (found.places[-1] - less) // granule >= entries:
        return
    table = 0
    for entry in range(entries):
        at = entry * granule + less
        held = max((k for k, place in enumerate(found.places) if place <= at), default=-1)
        table |= (found.values[held] if held >= 0 else found.first) << entry * bits
    for limited in (False, True):
        for saturates in (False, True) if less else (False,):
            text = f"%index = lshr iW DIFFERENCE, {granule.bit_length() - 1}\n"
            last = "%index"
            if limited:
                text += f"%limited = call iW @llvm.umin.iW(iW %index, iW {entries - 1})\n"
                last = "%limited"
            if bits > 1:
                text += f"%place = shl iW {last}, {bits.bit_length() - 1}\n"
                last = "%place"
            text += f"%rest = lshr iW {table}, {last}\n%r = and iW %rest, {(1 << bits) - 1}\n"
            yield _Lines(text, less, saturates, WORD)


def magic(divisor: int, limit: int, width: int) -> tuple[int, int] | None:
    """m and s with n // divisor == (n * m) >> s for all n below `limit`, n * m below 2**width; None: there are none.

    With m = 2**s // divisor + 1, e = m * divisor - 2**s and r the remainder of n, the product n * m is
    2**s * (n // divisor) + (r * 2**s + n * e) / divisor.  That is right where
    r * 2**s + n * e < divisor * 2**s: for all n below `limit` if for the largest of them that leaves divisor - 1.

    >>> magic(48, 4096, 32)
    (2731, 17)
    """
    limit = max(limit, divisor)
    worst = limit - 1 - (limit - divisor) % divisor
    for shift in range(width):
        multiplier = (1 << shift) // divisor + 1
        excess = multiplier * divisor - (1 << shift)
        if excess * worst < 1 << shift:
            return (multiplier, shift) if (limit - 1) * multiplier < 1 << width else None
    return None


def multiplications(function: Function, straight: Function, facts: Sequence[Fact]) -> Iterator[Function]:
    """Unsigned divisions of the argument by a constant as one multiplication, where the facts keep it small."""
    argument = function.arguments[0] if len(function.arguments) == 1 else None
    if argument is None or not isinstance(argument.type, Int) or not facts or len(straight.blocks) != 1:
        return
    for one in straight:
        if one.opcode == "udiv" and one.operands[0] == argument.value and isinstance(one.operands[1], Constant):
            divisor, width = one.operands[1].value, argument.type.width
            found = magic(divisor, _limit(straight, facts), width) if divisor & (divisor - 1) else None
            if found is not None:
                yield _multiplied(straight, one, *found)


def _limit(function: Function, facts: Sequence[Fact]) -> int:
    """One more than the largest argument that the facts allow, if they allow all below it: a guess, proved later."""
    argument = function.arguments[0]
    assert isinstance(argument.type, Int)
    low, high = 0, 1 << argument.type.width
    probe = next((n for n in (1 << k for k in range(argument.type.width)) if allowed(function, (n,), facts)), 0)
    low = max(low, probe)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if allowed(function, (middle,), facts) else (low, middle)
    return low + 1


def _multiplied(function: Function, division: Instruction, multiplier: int, shift: int) -> Function:
    """The function with that division replaced."""
    type_ = division.type
    assert isinstance(type_, Int)
    product = Local(f"{division.name}.product", type_)
    first = Instruction(
        "mul", type_, (division.operands[0], constant(type_, multiplier)), product.name, frozenset({"nuw"})
    )
    second = Instruction("lshr", type_, (product, constant(type_, shift)), division.name)
    (block,) = function.blocks
    lines = [each for one in block.instructions for each in ((first, second) if one is division else (one,))]
    return replace(function, blocks=(replace(block, instructions=tuple(lines)),))
