"""Integers that are sums of functions of at most two input bytes, held exactly: every function is a table.

A value of `width` bits is kept as tables whose sum is congruent to it modulo 2**width.  A function of two bytes is a
table of 65,536 integers, so whatever is computed from at most two bytes is computed for every input, and two such sums
can be compared completely (`Sum` has a normal form, see `difference`).  What cannot be held that way raises
NotASumError: nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.int64]


class NotASumError(ValueError):
    """A value that is no sum of functions of at most two bytes, or may be poison where that is not allowed."""


class Leaf(NamedTuple):
    """One byte of the input: byte `offset` of argument `base`, or of the memory it points to."""

    base: str
    offset: int


@dataclass(frozen=True, eq=False)
class Sum:
    """A value of `width` bits, congruent to the sum of `tables`; each has an axis for every leaf, in sorted order.

    Where all tables together have at most two leaves there is one table, its entries wrapped to two's complement.
    """

    width: int
    tables: Mapping[tuple[Leaf, ...], Array]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every byte that the value may depend on, sorted."""
        return tuple(sorted({leaf for leaves in self.tables for leaf in leaves}))

    @property
    def interval(self) -> tuple[int, int]:
        """Bounds of the sum of the tables: of the value itself only where they lie within its range."""
        lows = sum(int(table.min()) for table in self.tables.values())
        return lows, sum(int(table.max()) for table in self.tables.values())

    @property
    def constant(self) -> int | None:
        """The value in two's complement where it depends on nothing, else None."""
        return int(next(iter(self.tables.values()))) if not self.leaves else None

    def fits(self, signed: bool) -> bool:
        """The sum of the tables is the value itself, as a signed or an unsigned number."""
        low, high = self.interval
        return (
            (-(1 << self.width - 1) <= low and high < 1 << self.width - 1)
            if signed
            else (low >= 0 and high < 1 << self.width)
        )


WIDEST = 32
"""Widths up to this one are computed in tables; products then fit 64 bits."""


def wrapped(values: Array, width: int) -> Array:
    """Each entry in two's complement of `width` bits.

    >>> wrapped(np.array([127, 128, 256]), 8).tolist()
    [127, -128, 0]
    """
    if width >= 64:
        return values
    half = np.int64(1) << np.int64(width - 1)
    return ((values + half) & ((np.int64(1) << np.int64(width)) - 1)) - half


def unsigned(values: Array, width: int) -> Array:
    """Each entry as an unsigned number; `width` is at most 62."""
    return values & ((np.int64(1) << np.int64(width)) - 1)


def _within(values: Array, width: int, signed: bool) -> bool:
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    return bool(values.min() >= low and values.max() <= high)


_EXACT: dict[str, Callable[[Array, Array], Array]] = {"add": np.add, "sub": np.subtract, "mul": np.multiply}
_SIGNED_PREDICATES: dict[str, Callable[[Array, Array], NDArray[np.bool_]]] = {
    "eq": np.equal, "ne": np.not_equal,
    "gt": np.greater, "ge": np.greater_equal, "lt": np.less, "le": np.less_equal,
}  # fmt: skip
_EXTREMES: dict[str, Callable[[Array, Array], Array]] = {"min": np.minimum, "max": np.maximum}


@dataclass
class Arithmetic:
    """Computes with sums.

    domains: for the bytes of an argument, the unsigned values they may take; all 256 where there is none.
    strict: a flag that may be violated raises NotASumError (for a rewrite); else flags are not used (for the original,
    where giving up what they promise only makes the claim stronger).
    """

    domains: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    strict: bool = True
    _known: dict[tuple[object, ...], tuple[tuple[int, ...], Array, tuple[Array, ...]]] = field(
        default_factory=dict, repr=False
    )

    def constant(self, width: int, value: int) -> Sum:
        """A constant."""
        value = value & ((1 << width) - 1)
        key = ("constant", width, value)
        if key not in self._known:
            signed = value - (1 << width) if value >> width - 1 else value
            self._known[key] = (), np.array(signed, np.int64), ()
        return Sum(width, {(): self._known[key][1]})

    def byte(self, leaf: Leaf) -> Sum:
        """One input byte."""
        key = ("byte", self.domains.get(leaf.base))
        if key not in self._known:
            values = np.array(self.domains.get(leaf.base, tuple(range(256))), np.int64)
            self._known[key] = (0,), wrapped(values, 8), ()
        return Sum(8, {(leaf,): self._known[key][1]})

    def apply(self, key: tuple[object, ...], width: int, operands: Iterable[Sum], compute: Callable[..., Array]) -> Sum:
        """`compute` on the operands' tables, for every input; the same computation elsewhere is not repeated.

        key: names the computation.  `compute` gets one array an operand, in two's complement, and returns integers.
        """
        sums = tuple(operands)
        leaves = tuple(sorted({leaf for each in sums for leaf in each.leaves}))
        if len(leaves) > 2:
            raise NotASumError(f"`{key[0]}` of values that depend on {len(leaves)} bytes together")
        if max([width, *(each.width for each in sums)]) > WIDEST:
            raise NotASumError(f"`{key[0]}` of {max(each.width for each in sums)} bits")
        arrays, places = [], []
        for each in sums:
            ((own, table),) = each.tables.items()
            arrays.append(table)
            places.append(tuple(leaves.index(leaf) for leaf in own))
        whole = (*key, width, tuple(each.width for each in sums), tuple(map(id, arrays)), tuple(places))
        if whole not in self._known:
            shaped = [
                table.reshape([table.shape[place.index(axis)] if axis in place else 1 for axis in range(len(leaves))])
                for table, place in zip(arrays, places, strict=True)
            ]
            made = wrapped(np.asarray(compute(*shaped), np.int64), width)
            kept = tuple(
                axis for axis in range(made.ndim) if made.shape[axis] > 1 and (made != made.take([0], axis)).any()
            )
            if len(kept) < made.ndim:
                made = made[tuple(slice(None) if axis in kept else 0 for axis in range(made.ndim))].copy()
            self._known[whole] = kept, made, tuple(arrays)
        kept, made, _ = self._known[whole]
        return Sum(width, {tuple(leaves[axis] for axis in kept): made})

    def _collected(self, width: int, parts: Iterable[tuple[int, Sum]]) -> Sum:
        """Coefficient times sum, added up."""
        tables: dict[tuple[Leaf, ...], Array] = {}
        for factor, part in parts:
            for leaves, table in part.tables.items():
                scaled = self._scaled(table, factor)
                tables[leaves] = tables[leaves] + scaled if leaves in tables else scaled
        made = Sum(width, tables)
        if any(abs(bound) >= 1 << 62 for bound in made.interval):
            raise NotASumError("a sum that may leave 62 bits")
        return self._joined(made) if len(made.leaves) <= 2 and width <= WIDEST else made

    def _scaled(self, table: Array, factor: int) -> Array:
        if factor == 1:
            return table
        if max(abs(int(table.min())), abs(int(table.max()))) * abs(factor) >= 1 << 62:
            raise NotASumError("a product that may leave 62 bits")
        key = ("scaled", factor, id(table))
        if key not in self._known:
            self._known[key] = (), table * factor, (table,)
        return self._known[key][1]

    def _joined(self, value: Sum) -> Sum:
        if len(value.tables) == 1:
            (table,) = value.tables.values()
            if _within(table, value.width, signed=True):
                return value
        singles = [Sum(value.width, {leaves: table}) for leaves, table in value.tables.items()]
        return self.apply(("sum",), value.width, singles, lambda *arrays: sum(arrays[1:], arrays[0]))

    def binary(self, opcode: str, a: Sum, b: Sum, flags: frozenset[str] = frozenset()) -> Sum:
        """Any of ir.BINARY but divisions, with its flags."""
        if len({*a.leaves, *b.leaves}) <= 2 and a.width <= WIDEST:
            return self._tabulated(opcode, a, b, flags)
        if opcode == "shl" and b.constant is not None and 0 <= b.constant < a.width:
            opcode, b = "mul", self.constant(max(a.width, 64), 1 << b.constant)
        if opcode == "mul" and a.constant is not None:
            a, b = b, a
        exact: tuple[Sum, ...]
        if opcode in {"add", "sub"}:
            made = self._collected(a.width, ((1, a), (1 if opcode == "add" else -1, b)))
            exact = (a, b)
        elif opcode == "mul" and b.constant is not None:
            made = self._collected(a.width, ((b.constant, a),))
            exact = (a,)
        else:
            raise NotASumError(f"`{opcode}` of values that depend on {len({*a.leaves, *b.leaves})} bytes together")
        for flag, signed in (("nsw", True), ("nuw", False)):
            if self.strict and flag in flags and not all(each.fits(signed) for each in (*exact, made)):
                raise NotASumError(f"`{opcode} {flag}` that may be poison")
        if self.strict and flags - {"nsw", "nuw"}:
            raise NotASumError(f"`{opcode}` with {', '.join(sorted(flags))}")
        return made

    def _tabulated(self, opcode: str, a: Sum, b: Sum, flags: frozenset[str]) -> Sum:
        width, checked = a.width, flags if self.strict else frozenset()

        def compute(x: Array, y: Array) -> Array:
            u, v = unsigned(x, width), unsigned(y, width)
            if opcode in {"shl", "lshr", "ashr"} and int(v.max()) >= width:
                raise NotASumError(f"`{opcode}` by the width or more")
            if opcode in _EXACT:
                made = _EXACT[opcode](x, y)
                if "nsw" in checked and not _within(made, width, signed=True):
                    raise NotASumError(f"`{opcode} nsw` that may be poison")
                if "nuw" in checked and not self._no_unsigned_wrap(opcode, u, v, width):
                    raise NotASumError(f"`{opcode} nuw` that may be poison")
                return made
            if opcode == "shl":
                made = x << v
                if "nsw" in checked and not _within(made, width, signed=True):
                    raise NotASumError("`shl nsw` that may be poison")
                if "nuw" in checked and not _within(u << v, width, signed=False):
                    raise NotASumError("`shl nuw` that may be poison")
                return made
            if opcode in {"lshr", "ashr"}:
                made = u >> v if opcode == "lshr" else x >> v
                if "exact" in checked and ((u >> v) << v != u).any():
                    raise NotASumError(f"`{opcode} exact` that may be poison")
                return made
            if opcode == "or" and "disjoint" in checked and (x & y).any():
                raise NotASumError("`or disjoint` that may be poison")
            if opcode in {"and", "or", "xor"}:
                return {"and": x & y, "or": x | y, "xor": x ^ y}[opcode]
            raise NotASumError(f"`{opcode}`")

        return self.apply((opcode, checked), width, (a, b), compute)

    @staticmethod
    def _no_unsigned_wrap(opcode: str, u: Array, v: Array, width: int) -> bool:
        if opcode == "mul" and width > 31:
            raise NotASumError("`mul nuw` of 32 bits")
        return _within(_EXACT[opcode](u, v), width, signed=False)

    def cast(self, opcode: str, a: Sum, width: int, flags: frozenset[str] = frozenset()) -> Sum:
        """zext, sext or trunc to `width` bits."""
        signed = opcode == "sext"
        if opcode == "trunc":
            for flag, kind in (("nsw", True), ("nuw", False)):
                if self.strict and flag in flags and not (a.fits(kind) and Sum(width, a.tables).fits(kind)):
                    raise NotASumError(f"`trunc {flag}` that may be poison")
            made = Sum(width, a.tables)
            return self._joined(made) if len(made.leaves) <= 2 else made
        if len(a.leaves) <= 2 and width <= WIDEST:
            if self.strict and "nneg" in flags and a.interval[0] < 0:
                raise NotASumError("`zext nneg` that may be poison")
            narrow = a.width
            return self.apply((opcode,), width, (a,), lambda x: x if signed else unsigned(x, narrow))
        if len(a.leaves) <= 2 and a.width < WIDEST:
            return Sum(width, self.cast(opcode, a, WIDEST, flags).tables)
        if not a.fits(signed) or (self.strict and "nneg" in flags):
            low, high = a.interval
            raise NotASumError(f"`{opcode}` of a sum of {a.width} bits that may wrap: it may be {low} to {high}")
        return Sum(width, a.tables)

    def compare(self, predicate: str, a: Sum, b: Sum, flags: frozenset[str] = frozenset()) -> Sum:
        """icmp: one bit."""
        if self.strict and flags:
            raise NotASumError("`icmp samesign`")
        width, kind = a.width, predicate if predicate in {"eq", "ne"} else predicate[1:]
        test = _SIGNED_PREDICATES[kind]
        if predicate.startswith("u"):
            return self.apply(
                ("icmp", predicate), 1, (a, b), lambda x, y: test(unsigned(x, width), unsigned(y, width)).astype(int)
            )
        return self.apply(("icmp", predicate), 1, (a, b), lambda x, y: test(x, y).astype(int))

    def select(self, condition: Sum, a: Sum, b: Sum) -> Sum:
        """One of two values by a bit."""

        def chosen(c: Array, x: Array, y: Array) -> Array:
            return np.where(c != 0, x, y)

        return self.apply(("select",), a.width, (condition, a, b), chosen)

    def extreme(self, name: str, a: Sum, b: Sum) -> Sum:
        """umin, umax, smin or smax."""
        pick, width = _EXTREMES[name[1:]], a.width
        if name[0] == "s":
            return self.apply((name,), width, (a, b), pick)
        return self.apply((name,), width, (a, b), lambda x, y: pick(unsigned(x, width), unsigned(y, width)))

    def saturating(self, opcode: str, a: Sum, b: Sum) -> Sum:
        """llvm.sadd.sat or llvm.ssub.sat, as "add" or "sub"."""
        width = a.width
        low, high = -(1 << width - 1), (1 << width - 1) - 1
        if len({*a.leaves, *b.leaves}) <= 2:
            return self.apply(("sat", opcode), width, (a, b), lambda x, y: np.clip(_EXACT[opcode](x, y), low, high))
        made = self._collected(width, ((1, a), (1 if opcode == "add" else -1, b)))
        if not (a.fits(signed=True) and b.fits(signed=True) and made.fits(signed=True)):
            raise NotASumError(
                f"s{opcode}.sat of {width} bits that may saturate: {made.interval[0]} to {made.interval[1]}"
            )
        return made

    def joined(self, parts: tuple[Sum, ...]) -> Sum:
        """Parts side by side, the lowest first, as one number."""
        if len(parts) == 1:
            return parts[0]
        width = sum(part.width for part in parts)
        if width >= 62:
            raise NotASumError(f"arithmetic on {width} bits put together from parts")
        shift, terms = 0, []
        for part in parts:
            wide = self.apply(("zext",), WIDEST, (part,), lambda x, own=part.width: unsigned(x, own))
            terms.append((1 << shift, wide))
            shift += part.width
        return self._collected(width, terms)

    def piece(self, value: Sum, at: int, width: int) -> Sum:
        """`width` bits of a value from bit `at`."""
        own = value.width
        if (at, width) == (0, own):
            return value
        return self.apply(("piece", at), width, (value,), lambda x: unsigned(x, own) >> at)


def difference(a: Sum, b: Sum) -> dict[Leaf, int] | None:
    """Where two sums differ modulo 2**width: indices into the leaves' tables (0 for others), or None: equal everywhere.

    A sum of functions of two variables splits in exactly one way into a constant, functions of one variable that are 0
    at index 0, and functions of two that are 0 where either index is 0 (inclusion and exclusion at index 0).  So two
    sums are equal as functions where all those parts agree, and only there.
    """
    parts: dict[tuple[Leaf, ...], Array] = {}

    def add(leaves: tuple[Leaf, ...], table: Array) -> None:
        parts[leaves] = parts[leaves] + table if leaves in parts else table

    for sign, value in ((1, a), (-1, b)):
        for leaves, kept in value.tables.items():
            table = sign * kept
            origin: Array = table[(slice(0, 1),) * table.ndim]
            add((), origin.reshape(()))
            if len(leaves) == 1:
                add(leaves, table - origin)
            elif len(leaves) == 2:
                first, second = table[:, :1], table[:1, :]
                add(leaves[:1], (first - origin).reshape(-1))
                add(leaves[1:], (second - origin).reshape(-1))
                add(leaves, table - first - second + origin)
    for leaves in sorted(parts, key=len):
        found = np.argwhere(wrapped(parts[leaves], a.width))
        if found.size or (not leaves and wrapped(parts[leaves], a.width)):
            return {leaf: int(index) for leaf, index in zip(leaves, found[0], strict=True)}
    return None
