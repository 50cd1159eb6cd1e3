"""Loops over the bits of a word, and the operations that do the same at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_prove import has_loop
from m4alloc.superopt.idioms_text import body, made, placed, resized
from m4alloc.superopt.ir import Function, Int

FORMS: tuple[tuple[str, str], ...] = (
    ("bits that are set", "%r = call iW @llvm.ctpop.iW(iW X)"),
    ("the lowest bit that is set, the width for 0", "%r = call iW @llvm.cttz.iW(iW X, i1 false)"),
    ("the lowest bit that is set", "%r = call iW @llvm.cttz.iW(iW X, i1 true)"),
    ("zeros above the highest bit", "%r = call iW @llvm.ctlz.iW(iW X, i1 false)"),
    ("the number of the highest bit", "%z = call iW @llvm.ctlz.iW(iW X, i1 true)\n%r = xor iW %z, TOP"),
    ("the length in bits", "%z = call iW @llvm.ctlz.iW(iW X, i1 false)\n%r = sub iW WIDTH, %z"),
    ("the length in bits less one", "%o = or iW X, 1\n%z = call iW @llvm.ctlz.iW(iW %o, i1 true)\n%r = xor iW %z, TOP"),
    ("bits that are not set", "%c = call iW @llvm.ctpop.iW(iW X)\n%r = sub iW WIDTH, %c"),
    ("parity", "%c = call iW @llvm.ctpop.iW(iW X)\n%r = and iW %c, 1"),
    ("bits in reverse", "%r = call iW @llvm.bitreverse.iW(iW X)"),
    ("one bit is set", "%c = call iW @llvm.ctpop.iW(iW X)\n%t = icmp eq iW %c, 1\n%r = zext i1 %t to iW"),
)
"""What it computes of the argument X of W bits; TOP is W - 1, WIDTH is W.  The result is resized to the function's."""


def closed_forms(function: Function, straight: Function, facts: Sequence[Fact]) -> Iterator[Function]:
    """FORMS as replacements for a function of one integer that has a loop."""
    if len(function.arguments) != 1 or not isinstance(function.arguments[0].type, Int) or not has_loop(function):
        return
    if not isinstance(function.type, Int):
        return
    width = function.arguments[0].type.width
    for _, text in FORMS:
        lines = body(text, X=placed(function, function.arguments[0].name), WIDTH=width, TOP=width - 1, iW=f"i{width}")
        yield made(function, lines + resized("%r", width, function.type.width))
