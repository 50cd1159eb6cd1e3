"""One instruction on arrays: the value, poison and UB of N runs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np

from m4alloc.superopt import vectors_words as words
from m4alloc.superopt.vectors_words import Mask, Words, is_negative, ones, signed, wrapped

Masks: TypeAlias = Mask | None
"""Which runs; None for none of them."""


class Lanes(NamedTuple):
    """A value in N runs: integers as uint64 arrays, one entry a run; <k x iM> has shape (k, N).

    poison, ub: where it is poison, and where computing it (operands included) is UB; there `value` means nothing.
    vague: where the run had a choice (freeze of poison), so that `value` is only one of several possible ones.
    """

    value: Words
    poison: Masks = None
    ub: Masks = None
    vague: Masks = None

    def key(self) -> bytes:
        """Equal for two values that are indistinguishable on these runs."""
        if self.poison is None and self.ub is None:
            return self.value.tobytes()
        state = np.zeros(self.value.shape, np.uint8)
        if self.poison is not None:
            state[np.broadcast_to(self.poison, state.shape)] = 1
        if self.ub is not None:
            state[..., self.ub] = 2
        if not state.any():
            return self.value.tobytes()
        return np.where(state == 0, self.value, np.uint64(0)).tobytes() + state.tobytes()


Kernel: TypeAlias = Callable[..., tuple[Words, Masks]]
"""Operand values to the result and where it is poison on its own account."""
Operation: TypeAlias = Callable[[Sequence[Lanes]], Lanes]


def either(a: Masks, b: Masks) -> Masks:
    """The union of two masks."""
    if a is None:
        return b
    return a if b is None else a | b


def evaluate(
    opcode: str,
    operands: Sequence[Lanes],
    *,
    width: int,
    source_width: int = 0,
    flags: frozenset[str] = frozenset(),
    predicate: str = "",
    callee: str = "",
) -> Lanes:
    """What one instruction gives in every run; the masks of the operands are carried along.

    width: bits of the result's scalar (icmp: 1).  source_width: bits of the operand where it differs (icmp, casts,
    ucmp, scmp), 0 for the same.  callee: an intrinsic's name up to the type ("llvm.umin"); an overflow intrinsic comes
    in two halves, "llvm.uadd.with.overflow" for the value and "llvm.uadd.with.overflow.bit" for the i1.
    Errors: KeyError for what is not covered.  Cost: 2 to 20 array operations, some 2 to 15 microseconds at N = 256.

    >>> a, b = Lanes(np.array([200, 1], np.uint64)), Lanes(np.array([100, 2], np.uint64))
    >>> result = evaluate("add", (a, b), width=8, flags=frozenset({"nuw"}))
    >>> result.value.tolist(), result.poison.tolist()
    ([44, 3], [True, False])
    """
    return operation(opcode, width, source_width or width, flags, predicate, callee)(operands)


@cache
def operation(
    opcode: str, width: int, source_width: int, flags: frozenset[str], predicate: str = "", callee: str = ""
) -> Operation:
    """The instruction as a function of its operands, made once: see `evaluate`."""
    if max(width, source_width) > 64:
        raise KeyError(f"{opcode} at {max(width, source_width)} bits")
    if opcode == "select":
        return _select
    if opcode == "freeze":
        return _freeze
    if opcode in _DIVISIONS:
        return _division(opcode, width, "exact" in flags)
    strict = _strict(_kernel(opcode, width, source_width, flags, predicate, callee))
    return _reduced(strict) if callee.startswith("llvm.vector.reduce.") else strict


def _kernel(opcode: str, width: int, source_width: int, flags: frozenset[str], predicate: str, callee: str) -> Kernel:
    """The part of a strict instruction that looks at values."""
    if opcode == "icmp":
        return _comparison(predicate, source_width, "samesign" in flags)
    if opcode in ("trunc", "zext", "sext", "bitcast"):
        return _cast(opcode, width, source_width, flags)
    if opcode == "call":
        return _intrinsic(callee, width, source_width)
    if opcode in ("shl", "lshr", "ashr"):
        return _shift(opcode, width, flags)
    return _ARITHMETIC[opcode](width, flags)


def _strict(kernel: Kernel) -> Operation:
    """Poison in any operand makes the result poison."""

    def apply(operands: Sequence[Lanes]) -> Lanes:
        poison: Masks = None
        ub: Masks = None
        vague: Masks = None
        for operand in operands:
            poison = either(poison, operand.poison)
            ub = either(ub, operand.ub)
            vague = either(vague, operand.vague)
        value, own = kernel(*[operand.value for operand in operands])
        return Lanes(value, either(poison, own), ub, vague)

    return apply


def _reduced(strict: Operation) -> Operation:
    """A reduction over the elements of a vector is poison where one element is."""

    def apply(operands: Sequence[Lanes]) -> Lanes:
        (a,) = operands
        vague = None if a.vague is None else np.logical_or.reduce(np.broadcast_to(a.vague, a.value.shape), 0)
        poison = None if a.poison is None else np.logical_or.reduce(np.broadcast_to(a.poison, a.value.shape), 0)
        return strict((Lanes(a.value, None, a.ub, None),))._replace(poison=poison, vague=vague)

    return apply


def _select(operands: Sequence[Lanes]) -> Lanes:
    """The arm that is not chosen does not matter, poison or not."""
    condition, a, b = operands
    chosen = condition.value != 0
    poison = condition.poison
    if a.poison is not None or b.poison is not None:
        none = np.False_
        taken = np.where(chosen, none if a.poison is None else a.poison, none if b.poison is None else b.poison)
        poison = either(poison, taken)
    return Lanes(
        np.where(chosen, a.value, b.value),
        poison,
        either(condition.ub, either(a.ub, b.ub)),
        either(condition.vague, either(a.vague, b.vague)),
    )


def _freeze(operands: Sequence[Lanes]) -> Lanes:
    """Poison becomes some value, here 0, and the run is marked as vague."""
    (a,) = operands
    if a.poison is None:
        return a
    return Lanes(np.where(a.poison, np.uint64(0), a.value), None, a.ub, either(a.vague, a.poison))


_DIVISIONS = frozenset({"udiv", "sdiv", "urem", "srem"})


def _division(opcode: str, width: int, exact: bool) -> Operation:
    """Division by 0 or poison is UB, and so is INT_MIN / -1, which a poison dividend may stand for."""
    is_signed = opcode[0] == "s"
    lowest = np.uint64(1 << (width - 1))

    def apply(operands: Sequence[Lanes]) -> Lanes:
        a, b = operands
        ub = b.value == 0
        if is_signed:
            worst = a.value == lowest if a.poison is None else (a.value == lowest) | a.poison
            ub = ub | ((b.value == ones(width)) & worst)
        if b.poison is not None:
            ub = ub | b.poison
        divisor = np.where(ub, np.uint64(1), b.value)
        if is_signed:
            x, y = signed(a.value, width), signed(divisor, width)
            y = np.where(ub, np.int64(1), y)
            quotient = np.abs(x).view(np.uint64) // np.abs(y).view(np.uint64)
            negative = (x < 0) != (y < 0)
            value = np.where(negative, np.uint64(0) - quotient, quotient) & ones(width)
        else:
            value = a.value // divisor
        rest = None
        if exact or opcode[1:] == "rem":
            rest = (a.value - value * divisor) & ones(width)
        poison = either(a.poison, rest != 0) if exact and rest is not None else a.poison
        if opcode[1:] == "rem" and rest is not None:
            value = rest
        if ub.ndim > 1:  # one bad element of a vector is enough
            ub = np.logical_or.reduce(ub, 0)
        return Lanes(value, poison, either(ub, either(a.ub, b.ub)), either(a.vague, b.vague))

    return apply


def _add(width: int, flags: frozenset[str]) -> Kernel:
    mask, nuw, nsw = ones(width), "nuw" in flags, "nsw" in flags

    def kernel(a: Words, b: Words) -> tuple[Words, Masks]:
        r: Words = (a + b) & mask
        own: Masks = r < a if nuw else None
        return r, either(own, is_negative((a ^ r) & (b ^ r), width)) if nsw else own

    return kernel


def _sub(width: int, flags: frozenset[str]) -> Kernel:
    mask, nuw, nsw = ones(width), "nuw" in flags, "nsw" in flags

    def kernel(a: Words, b: Words) -> tuple[Words, Masks]:
        r: Words = (a - b) & mask
        own: Masks = a < b if nuw else None
        return r, either(own, is_negative((a ^ b) & (a ^ r), width)) if nsw else own

    return kernel


def _mul(width: int, flags: frozenset[str]) -> Kernel:
    mask, nuw, nsw = ones(width), "nuw" in flags, "nsw" in flags

    def kernel(a: Words, b: Words) -> tuple[Words, Masks]:
        a, b = np.broadcast_arrays(a, b)
        own: Masks = words.product_overflows(a, b, width) if nuw else None
        return (a * b) & mask, either(own, words.signed_product_overflows(a, b, width)) if nsw else own

    return kernel


def _or(width: int, flags: frozenset[str]) -> Kernel:
    if "disjoint" in flags:
        return lambda a, b: (a | b, (a & b) != 0)
    return lambda a, b: (a | b, None)


_ARITHMETIC: dict[str, Callable[[int, frozenset[str]], Kernel]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "or": _or,
    "and": lambda width, flags: lambda a, b: (a & b, None),
    "xor": lambda width, flags: lambda a, b: (a ^ b, None),
}


def _shift(opcode: str, width: int, flags: frozenset[str]) -> Kernel:
    """A shift by the width or more is poison."""
    mask, top = ones(width), np.uint64(width - 1)
    exact, nuw, nsw = "exact" in flags, "nuw" in flags, "nsw" in flags

    def shl(a: Words, b: Words) -> tuple[Words, Masks]:
        own, by = b > top, np.minimum(b, top)
        r = (a << by) & mask
        if nuw:
            own = own | ((r >> by) != a)
        if nsw:
            own = own | ((signed(r, width) >> by.view(np.int64)) != signed(a, width))
        return r, own

    def lshr(a: Words, b: Words) -> tuple[Words, Masks]:
        own, by = b > top, np.minimum(b, top)
        r = a >> by
        return r, own | ((r << by) != a) if exact else own

    def ashr(a: Words, b: Words) -> tuple[Words, Masks]:
        own, by = b > top, np.minimum(b, top)
        r = wrapped(signed(a, width) >> by.view(np.int64), width)
        return r, own | (((r << by) & mask) != a) if exact else own

    return {"shl": shl, "lshr": lshr, "ashr": ashr}[opcode]


def _comparison(predicate: str, width: int, samesign: bool) -> Kernel:
    """icmp; with samesign, operands of different signs give poison."""
    compare: Callable[..., Mask] = {
        "eq": np.equal, "ne": np.not_equal, "gt": np.greater, "ge": np.greater_equal,
        "lt": np.less, "le": np.less_equal,
    }[predicate if predicate in ("eq", "ne") else predicate[1:]]  # fmt: skip
    # Signed order is unsigned order once the sign bit is turned.
    turned = np.uint64(1 << (width - 1)) if predicate[0] == "s" else None

    def kernel(a: Words, b: Words) -> tuple[Words, Masks]:
        own = is_negative(a ^ b, width) if samesign else None
        result = compare(a, b) if turned is None else compare(a ^ turned, b ^ turned)
        return result.astype(np.uint64), own

    return kernel


def _cast(opcode: str, width: int, source_width: int, flags: frozenset[str]) -> Kernel:
    mask, nuw, nsw = ones(width), "nuw" in flags, "nsw" in flags
    if opcode == "zext":
        return lambda a: (a, is_negative(a, source_width) if "nneg" in flags else None)
    if opcode == "sext":
        return lambda a: (wrapped(signed(a, source_width), width), None)
    if opcode == "bitcast":
        if width != source_width:
            raise KeyError("bitcast between shapes")
        return lambda a: (a, None)

    def trunc(a: Words) -> tuple[Words, Masks]:
        r = a & mask
        own: Masks = r != a if nuw else None
        return r, either(own, signed(r, width) != signed(a, source_width)) if nsw else own

    return trunc


def _plain(function: Callable[..., Words]) -> Kernel:
    """A kernel that never makes poison."""
    return lambda *operands: (function(*operands), None)


def _intrinsic(callee: str, width: int, source_width: int) -> Kernel:
    """The kernel of an intrinsic; KeyError for one that is not covered."""
    name = callee.removeprefix("llvm.")
    mask, top, lowest = ones(width), np.uint64(width), np.uint64(1 << (width - 1))
    half, _, bit = name.partition(".with.overflow")
    if bit or name.endswith(".with.overflow"):
        return _overflow(half, source_width if bit else width, bit == ".bit")
    if name.endswith(".sat"):
        return _saturating(name[: -len(".sat")], width)
    if name in ("abs", "ctlz", "cttz"):
        return _with_switch(name, width)
    if name in ("fshl", "fshr"):
        return _funnel(name == "fshl", width)

    def order(a: Words, b: Words) -> Words:
        x, y = (signed(a, source_width), signed(b, source_width)) if name == "scmp" else (a, b)
        return np.where(x < y, mask, (x > y).astype(np.uint64))

    table: dict[str, Callable[..., Words]] = {
        "umin": np.minimum,
        "umax": np.maximum,
        "smin": lambda a, b: np.minimum(a ^ lowest, b ^ lowest) ^ lowest,
        "smax": lambda a, b: np.maximum(a ^ lowest, b ^ lowest) ^ lowest,
        "ctpop": words.population,
        "bswap": lambda a: words.bytes_swapped(a, width),
        "bitreverse": lambda a: words.bits_reversed(a, width),
        "ucmp": order,
        "scmp": order,
        "expect": lambda a, likely: a,
        "vector.reduce.and": lambda a: np.bitwise_and.reduce(a, 0),
        "vector.reduce.or": lambda a: np.bitwise_or.reduce(a, 0),
        "vector.reduce.xor": lambda a: np.bitwise_xor.reduce(a, 0),
        "vector.reduce.add": lambda a: np.add.reduce(a, 0) & mask,
        "vector.reduce.mul": lambda a: np.multiply.reduce(a, 0) & mask,
        "vector.reduce.umin": lambda a: np.minimum.reduce(a, 0),
        "vector.reduce.umax": lambda a: np.maximum.reduce(a, 0),
        "vector.reduce.smin": lambda a: np.minimum.reduce(a ^ lowest, 0) ^ lowest,
        "vector.reduce.smax": lambda a: np.maximum.reduce(a ^ lowest, 0) ^ lowest,
    }
    if name == "bswap" and width % 16:
        raise KeyError(f"{callee} at {int(top)} bits")
    return _plain(table[name])


def _overflow(name: str, width: int, bit: bool) -> Kernel:
    """One half of uadd.with.overflow and its kin: the wrapped result, or whether it wrapped."""
    flag = frozenset({"nuw" if name[0] == "u" else "nsw"})
    kernel = _ARITHMETIC[name[1:]](width, flag if bit else frozenset())

    def overflowed(a: Words, b: Words) -> tuple[Words, Masks]:
        own = kernel(a, b)[1]
        assert own is not None
        return own.astype(np.uint64), None

    return overflowed if bit else kernel


def _saturating(name: str, width: int) -> Kernel:
    """uadd, usub, sadd, ssub, ushl and sshl that stop at the ends of the range; a shift by the width is poison."""
    flag = frozenset({"nuw" if name[0] == "u" else "nsw"})
    lowest, mask = np.uint64(1 << (width - 1)), ones(width)
    if name[1:] == "shl":
        wrapping, checked = _shift("shl", width, frozenset()), _shift("shl", width, flag)
    else:
        wrapping, checked = _ARITHMETIC[name[1:]](width, frozenset()), _ARITHMETIC[name[1:]](width, flag)

    def kernel(a: Words, b: Words) -> tuple[Words, Masks]:
        r, own = wrapping(a, b)
        over = checked(a, b)[1]
        assert over is not None
        if name[0] == "u":
            limit = np.uint64(0) if name == "usub" else mask
            return np.where(over, limit, r), own
        return np.where(over, np.where(is_negative(a, width), lowest, lowest - words.ONE), r), own

    return kernel


def _with_switch(name: str, width: int) -> Kernel:
    """abs, ctlz, cttz: an i1 says whether INT_MIN or 0 gives poison."""
    lowest, mask = np.uint64(1 << (width - 1)), ones(width)

    def absolute(a: Words, switch: Words) -> tuple[Words, Masks]:
        return np.where(is_negative(a, width), (np.uint64(0) - a) & mask, a), (a == lowest) & (switch != 0)

    def leading(a: Words, switch: Words) -> tuple[Words, Masks]:
        return words.leading_zeros(a, width), (a == 0) & (switch != 0)

    def trailing(a: Words, switch: Words) -> tuple[Words, Masks]:
        return words.trailing_zeros(a, width), (a == 0) & (switch != 0)

    return {"abs": absolute, "ctlz": leading, "cttz": trailing}[name]


def _funnel(left: bool, width: int) -> Kernel:
    """fshl and fshr: the shift is taken modulo the width."""
    bits, mask = np.uint64(width), ones(width)

    def kernel(a: Words, b: Words, c: Words) -> tuple[Words, Masks]:
        by = c % bits
        up, down = (by, bits - by) if left else (bits - by, by)
        # A shift by the whole width leaves nothing of that half; numpy has no shift by 64.
        over = np.where(up == bits, np.uint64(0), a << np.minimum(up, bits - words.ONE))
        under = np.where(down == bits, np.uint64(0), b >> np.minimum(down, bits - words.ONE))
        return (over | under) & mask, None

    return kernel
