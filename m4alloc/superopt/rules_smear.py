"""Bits smeared to the right by a ladder of shifts: the highest bit, the next power of two, the length."""

from __future__ import annotations

from collections.abc import Iterator

from m4alloc.superopt.rule import Rule
from m4alloc.superopt.rules_kinds import of_kind

_rule = of_kind("bits")


def _smeared(width: int) -> str:
    """`x | x >> 1`, then the same by 2, 4, ... up to half the width: every bit below the highest one set."""
    term, step = "x", 1
    while step < width:
        term, step = f"(or (lshr {term} {step}) {term})", 2 * step
    return term


def _at(width: int) -> Iterator[Rule]:
    smeared, here = _smeared(width), f"width(x) == {width}"
    zeros = "(ctlz x false)"
    highest = f"(and (fshr {{2**(width(x) - 1)}} {{2**(width(x) - 1)}} {zeros}) x)"
    rewrites = (
        ("smear", smeared, f"(lshr (sext (icmp ne x 0)) (and {zeros} {{width(x) - 1}}))", "ones from the highest bit"),
        ("highest-by-sub", f"(sub {smeared} (lshr {smeared} 1))", highest, "without the ones below"),
        ("highest-by-xor", f"(xor {smeared} (lshr {smeared} 1))", highest, "without the ones below"),
        ("highest-by-and", f"(and {smeared} (xor (lshr {smeared} 1) -1))", highest, "without the ones below"),
        (
            "next-pow2", f"(add {smeared} 1)", f"(fshr (umin {zeros} 1) (umin {zeros} 1) {zeros})",
            "1 turned to above the highest bit; nothing where that is the top one",
        ),
        ("length", f"(ctpop {smeared})", f"(sub {{width(x)}} {zeros})", "as many as bits up to the highest"),
        ("leading-zeros", f"(ctpop (xor {smeared} -1))", zeros, "what the ones leave"),
    )  # fmt: skip
    for name, pattern, replacement, reason in rewrites:
        yield _rule(f"{name}-{width}", pattern, replacement, reason, here, widths=(width,))


RULES = tuple(rule for width in (8, 16, 32, 64) for rule in _at(width))
