"""Sums of products of small integers in memory: recognised from what a function computes, rebuilt for wide vectors.

The function is evaluated for every input (idioms_lanes), so that its spelling does not matter.  Where each result is a
sum of f(x) * y over bytes x and signed bytes y, with f(x) a field of bits of x less a constant, or x itself as a signed
number, other ways to compute it are built: products of words, of unsigned by signed bytes, of magnitudes by signs.
Each is proved by idioms_sums, and counted as LLVM emits it; what is not proved is not offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from m4alloc.superopt import idioms_sums, printer, toolchain
from m4alloc.superopt.idioms_lanes import evaluate
from m4alloc.superopt.idioms_prove import plain
from m4alloc.superopt.idioms_tables import Arithmetic, Array, Leaf, NotASumError, Sum
from m4alloc.superopt.idioms_text import made, placed
from m4alloc.superopt.ir import Function, Vector
from m4alloc.superopt.verdict import Verdict

ALL = tuple(range(256))
BYTES = np.arange(256, dtype=np.int64)


@dataclass(frozen=True, order=True)
class Field:
    """A factor made of a byte: `bits` bits of it from `shift` on, less `less`; bits 0: the signed byte itself."""

    shift: int
    bits: int
    less: int

    @property
    def values(self) -> Array:
        """For each byte."""
        if not self.bits:
            return np.where(BYTES < 128, BYTES, BYTES - 256)
        return (BYTES >> self.shift & ((1 << self.bits) - 1)) - self.less


@dataclass(frozen=True)
class Run:
    """`count` products of neighbouring bytes: field of byte x + k by signed byte y + k."""

    field: Field
    x: Leaf
    y: Leaf
    count: int


@dataclass(frozen=True)
class Candidate:
    """A rebuilt function: how it multiplies, whether it was proved, and its instructions as LLVM emits them."""

    way: str
    function: Function
    verdict: Verdict
    instructions: int


def field_of(values: Array) -> Field | None:
    """The field that has these values, one for each unsigned byte; None where it is none.

    >>> field_of(Field(4, 4, 8).values)
    Field(shift=4, bits=4, less=8)
    """
    signed = Field(0, 0, 0)
    if (values == signed.values).all():
        return signed
    less = -int(values.min())
    for shift in range(8):
        for bits in range(1, 9 - shift):
            field = Field(shift, bits, less)
            if (values == field.values).all():
                return field
    return None


def products(value: Sum, domains: Mapping[str, tuple[int, ...]]) -> list[tuple[Field, Leaf, Leaf]] | None:
    """The products that a sum consists of, each field of a byte times a signed byte; None where it is another sum."""
    found = []
    for leaves, table in value.tables.items():
        if len(leaves) != 2:
            return None
        product = _product(leaves, table, domains)
        if product is None:
            return None
        found.append(product)
    return found


def _product(
    leaves: tuple[Leaf, ...], table: Array, domains: Mapping[str, tuple[int, ...]]
) -> tuple[Field, Leaf, Leaf] | None:
    first, second = leaves
    for x, y, shaped in ((first, second, table), (second, first, table.T)):
        columns = np.array(domains.get(y.base, ALL), np.int64)
        if len(domains.get(x.base, ALL)) != 256 or 1 not in columns:
            continue
        factor = shaped[:, int(np.flatnonzero(columns == 1)[0])]
        signed = np.where(columns < 128, columns, columns - 256)
        field = field_of(factor) if (shaped == factor[:, None] * signed).all() else None
        if field is not None:
            return field, x, y
    return None


def runs(found: Sequence[tuple[Field, Leaf, Leaf]]) -> list[Run]:
    """The products as runs of neighbours, as long as possible."""
    made_: list[Run] = []
    for field, x, y in sorted(found):
        last = made_[-1] if made_ else None
        if last is not None and (field, x, y) == (
            last.field, Leaf(last.x.base, last.x.offset + last.count), Leaf(last.y.base, last.y.offset + last.count)
        ):  # fmt: skip
            made_[-1] = Run(field, last.x, last.y, last.count + 1)
        else:
            made_.append(Run(field, x, y, 1))
    return made_


class _Writer:
    """Lines of LLVM text; each value gets a number of its own."""

    def __init__(self, function: Function, lanes: int) -> None:
        self.function = function
        self.lines: list[str] = []
        self.lanes = lanes
        """16-bit lanes of a register: 8 or 16."""

    def line(self, text: str) -> str:
        name = f"%v{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name

    def load(self, leaf: Leaf, count: int) -> str:
        at = self.line(f"getelementptr inbounds nuw i8, ptr {placed(self.function, leaf.base)}, i64 {leaf.offset}")
        return self.line(f"load <{count} x i8>, ptr {at}, align 1")

    def bits(self, field: Field, value: str, count: int) -> str:
        """The field of each byte, not yet lessened."""
        if field.shift:
            value = self.line(f"lshr <{count} x i8> {value}, splat (i8 {field.shift})")
        if field.shift + field.bits < 8:
            value = self.line(f"and <{count} x i8> {value}, splat (i8 {(1 << field.bits) - 1})")
        return value

    def joined(self, low: str, high: str, kind: str, count: int) -> str:
        mask = ", ".join(f"i32 {k}" for k in range(2 * count))
        return self.line(
            f"shufflevector <{count} x {kind}> {low}, <{count} x {kind}> {high}, <{2 * count} x i32> <{mask}>"
        )

    def add_words(self, a: str, b: str) -> str:
        """PMADDWD."""
        name, lanes = ("avx2" if self.lanes == 16 else "sse2"), self.lanes
        kind = f"<{lanes} x i16>"
        return self.line(f"call <{lanes // 2} x i32> @llvm.x86.{name}.pmadd.wd({kind} {a}, {kind} {b})")

    def add_bytes(self, a: str, b: str) -> str:
        """PMADDUBSW, 32 bytes."""
        return self.line(f"call <16 x i16> @llvm.x86.avx2.pmadd.ub.sw(<32 x i8> {a}, <32 x i8> {b})")

    def plus(self, a: str, b: str, kind: str) -> str:
        return self.line(f"add {kind} {a}, {b}")

    def total(self, values: Sequence[str]) -> str:
        """Sums of 32-bit lanes: one value's lanes, or side by side those of four values."""
        count = self.lanes // 2
        if len(values) == 4:
            return self._four(values, count)
        (value,) = values
        while count > 1:
            count //= 2
            kind = f"<{2 * count} x i32>"
            low, high = (
                self.line(f"shufflevector {kind} {value}, {kind} poison, <{count} x i32> <{self._mask(at, count)}>")
                for at in (0, count)
            )
            value = self.plus(low, high, f"<{count} x i32>")
        return self.line(f"extractelement <1 x i32> {value}, i64 0")

    @staticmethod
    def _mask(at: int, count: int, stride: int = 1) -> str:
        return ", ".join(f"i32 {at + stride * k}" for k in range(count))

    def _four(self, values: Sequence[str], count: int) -> str:
        if count == 8:
            kind = "<8 x i32>"
            add = f"call {kind} @llvm.x86.avx2.phadd.d({kind} {{}}, {kind} {{}})"
            low, high = self.line(add.format(*values[:2])), self.line(add.format(*values[2:]))
            both = self.line(add.format(low, high))
            halves = [
                self.line(f"shufflevector {kind} {both}, {kind} poison, <4 x i32> <{self._mask(at, 4)}>")
                for at in (0, 4)
            ]
            return self.plus(halves[0], halves[1], "<4 x i32>")
        kind = "<4 x i32>"

        def mixed(a: str, b: str, masks: Sequence[Sequence[int]]) -> str:
            parts = [
                self.line(f"shufflevector {kind} {a}, {kind} {b}, {kind} <{', '.join(f'i32 {k}' for k in mask)}>")
                for mask in masks
            ]
            return self.plus(parts[0], parts[1], kind)

        pairs = [mixed(values[at], values[at + 1], ((0, 4, 1, 5), (2, 6, 3, 7))) for at in (0, 2)]
        return mixed(pairs[0], pairs[1], ((0, 1, 4, 5), (2, 3, 6, 7)))


def _by_words(writer: _Writer, lane: Sequence[Run]) -> str | None:
    """Every factor as a signed word; products of neighbours added."""
    count, sums = writer.lanes, []
    for run in lane:
        for at in range(0, run.count, count):
            if run.count - at < count:
                return None
            x = writer.load(Leaf(run.x.base, run.x.offset + at), count)
            y = writer.load(Leaf(run.y.base, run.y.offset + at), count)
            wide, narrow = f"<{count} x i16>", f"<{count} x i8>"
            if run.field.bits:
                x = writer.line(f"zext {narrow} {writer.bits(run.field, x, count)} to {wide}")
                if run.field.less:
                    x = writer.line(f"add nsw {wide} {x}, splat (i16 {-run.field.less})")
            else:
                x = writer.line(f"sext {narrow} {x} to {wide}")
            sums.append(writer.add_words(x, writer.line(f"sext {narrow} {y} to {wide}")))
    return _added(writer, sums, f"<{count // 2} x i32>")


def _by_parity(writer: _Writer, lane: Sequence[Run]) -> str | None:
    """Even bytes and odd bytes apart, as words in place: which product meets which does not matter."""
    count, sums = writer.lanes, []
    kind, bytes_ = f"<{count} x i16>", 2 * count
    for run in lane:
        for at in range(0, run.count, bytes_):
            if run.count - at < bytes_:
                return None
            parts = []
            for leaf, field in ((run.x, run.field), (run.y, Field(0, 0, 0))):
                value = writer.load(Leaf(leaf.base, leaf.offset + at), bytes_)
                parts.append(_parities(writer, writer.line(f"bitcast <{bytes_} x i8> {value} to {kind}"), field, kind))
            sums += [writer.add_words(a, b) for a, b in zip(*parts, strict=True)]
    return _added(writer, sums, f"<{count // 2} x i32>")


def _parities(writer: _Writer, words: str, field: Field, kind: str) -> tuple[str, str]:
    """The factors of even and of odd bytes of these words."""
    if not field.bits:
        raised = writer.line(f"shl {kind} {words}, splat (i16 8)")
        return tuple(writer.line(f"ashr {kind} {each}, splat (i16 8)") for each in (raised, words))  # type: ignore[return-value]
    found = []
    for shift in (field.shift, field.shift + 8):
        value = writer.line(f"lshr {kind} {words}, splat (i16 {shift})") if shift else words
        if shift + field.bits < 16:
            value = writer.line(f"and {kind} {value}, splat (i16 {(1 << field.bits) - 1})")
        found.append(writer.line(f"sub {kind} {value}, splat (i16 {field.less})") if field.less else value)
    return found[0], found[1]


def _added(writer: _Writer, sums: list[str], kind: str) -> str | None:
    if not sums:
        return None
    while len(sums) > 1:
        sums = [
            writer.plus(sums[k], sums[k + 1], kind) if k + 1 < len(sums) else sums[k] for k in range(0, len(sums), 2)
        ]
    return sums[0]


def _by_bytes(writer: _Writer, lane: Sequence[Run]) -> str | None:
    """Unsigned fields by signed bytes: f * y = (f + c) * y - c * y, each product of bytes within 16 bits."""
    pieces = sorted(lane, key=lambda run: run.y)
    if writer.lanes != 16 or any(run.field.bits == 0 for run in pieces) or len({run.field.less for run in pieces}) != 1:
        return None
    start, less = pieces[0].y, pieces[0].field.less
    sizes = [run.count for run in pieces]
    neighbours = all(run.y == Leaf(start.base, start.offset + sum(sizes[:k])) for k, run in enumerate(pieces))
    if not neighbours or sizes not in ([32], [16, 16]):
        return None
    loaded: dict[Leaf, str] = {}
    parts = []
    for run in pieces:
        if run.x not in loaded:
            loaded[run.x] = writer.load(run.x, run.count)
        parts.append(writer.bits(run.field, loaded[run.x], run.count))
    fields = parts[0] if len(parts) == 1 else writer.joined(parts[0], parts[1], "i8", 16)
    y = writer.load(start, 32)
    pairs = writer.add_bytes(fields, y)
    if less:
        pairs = writer.line(f"sub <16 x i16> {pairs}, {writer.add_bytes(f'splat (i8 {less})', y)}")
    return writer.add_words(pairs, "splat (i16 1)")


def _by_signs(writer: _Writer, lane: Sequence[Run]) -> str | None:
    """Signed bytes by signed bytes: |x| by y with the sign of x, right where y is never -128."""
    if writer.lanes != 16 or len(lane) != 1 or lane[0].field.bits or lane[0].count != 32:
        return None
    x, y = writer.load(lane[0].x, 32), writer.load(lane[0].y, 32)
    size = writer.line(f"call <32 x i8> @llvm.abs.v32i8(<32 x i8> {x}, i1 false)")
    turned = writer.line(f"call <32 x i8> @llvm.x86.avx2.psign.b(<32 x i8> {y}, <32 x i8> {x})")
    return writer.add_words(writer.add_bytes(size, turned), "splat (i16 1)")


WAYS = {"words": _by_words, "even and odd bytes": _by_parity, "unsigned by signed bytes": _by_bytes,
        "magnitudes by signs": _by_signs}  # fmt: skip
LANES = {"x86-64": 8, "x86-64-v3": 16}


def candidates(
    function: Function, target: str = "x86-64-v3", domains: Mapping[str, tuple[int, ...]] | None = None
) -> list[Candidate]:
    """Every way that applies to the function, proved ones first, then by instructions; [] where it is no such sum.

    target: "x86-64" or "x86-64-v3".  domains: as idioms_sums.refines; the loops are written out first.
    Raises KeyError for another target.  Cost: a second.
    """
    known = dict(domains or {})
    straight, _ = plain(function, 64)
    try:
        results = evaluate(straight, Arithmetic(known, strict=False))
        lanes = [Arithmetic(known).joined(lane) for lane in results.lanes if lane is not None]
    except NotASumError:
        return []
    parts = [products(lane, known) for lane in lanes]
    if len(parts) not in {1, 4} or len(parts) != len(results.lanes) or any(not part for part in parts):
        return []
    offered = []
    for way, build in WAYS.items():
        writer = _Writer(straight, LANES[target])
        sums = [build(writer, runs(part)) for part in parts if part]
        if any(each is None for each in sums):
            continue
        total = writer.total([each for each in sums if each is not None])
        form = made(straight, "\n".join([*writer.lines, f"ret {_shown(function)} {total}", ""]))
        emitted = toolchain.assembly(printer.print_function(form), target)
        verdict = idioms_sums.refines(straight, form, known)
        offered.append(Candidate(way, form, verdict, toolchain.instruction_count(emitted)))
    return sorted(offered, key=lambda each: (not each.verdict.accepted, each.instructions))


def _shown(function: Function) -> str:
    return str(function.type) if isinstance(function.type, Vector) else "i32"
