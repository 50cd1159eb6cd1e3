"""Figures of the chapter on superoptimisation: what refines what, a listing made shorter, and a lost tag."""

from __future__ import annotations

import re

from capability.cheri.capability import Capability
from capability.cheri.isa import ISAV9_128 as ISA
from capability.cheri.move import increment
from capability.cheri.narrow import set_bounds
from docs.figures import figure
from docs.figures_hardware_draw import WIDTH, arrow, box, caption, cell, code, line, words
from m4alloc.view.svg import Child, Element, picture

BEHAVIOURS = {
    "undefined": ("%r = udiv i8 1, 0 ret i8 %r", "a division by zero"),
    "poison": ("%r = shl i8 1, 8 ret i8 %r", "a shift by too much"),
    "undef": ("ret i8 undef", "any value"),
    "7": ("ret i8 7", "seven"),
    "8": ("ret i8 8", "eight"),
}
"""Functions of no arguments, one for each thing that a function may do."""


def refinements() -> dict[tuple[str, str], bool]:
    """Whether a function that behaves in the second way refines one that behaves in the first.  Needs z3.

    >>> found = refinements()
    >>> found["poison", "7"], found["7", "poison"], sum(found.values())
    (True, False, 14)
    """
    from m4alloc.superopt.equivalence import refines
    from m4alloc.superopt.parse import parse_function

    made = {name: parse_function(f"define i8 @f() {{ {body} }}") for name, (body, _) in BEHAVIOURS.items()}
    return {(one, other): refines(made[one], made[other]).accepted for one in made for other in made}


@figure("superopt-refinement")
def refinement() -> Element:
    """Which behaviour may replace which: each field is a question that was put to the prover."""
    found = refinements()
    left, top, wide, high = 226, 56, 96, 30
    parts: list[Child] = [words("what the new function does", left + 2.5 * wide, 14, anchor="middle", class_="muted")]
    parts.append(words("what the old one does", 0, top - 12, class_="muted"))
    for column, name in enumerate(BEHAVIOURS):
        parts.append(code(name, left + (column + 0.5) * wide, top - 12, anchor="middle"))
    for row, (name, (_, said)) in enumerate(BEHAVIOURS.items()):
        y = top + row * (high + 6)
        parts.append(code(name, 0, y + 19))
        parts.append(words(said, 84, y + 19, size=11, class_="muted"))
        for column, other in enumerate(BEHAVIOURS):
            good = found[name, other]
            x = left + column * wide + 4
            text, role = ("allowed", "good") if good else ("wrong", "bad")
            parts += cell(x, y, wide - 8, high, text, role, size=11, dashed=not good)
    text = "Undefined behaviour may become anything; poison anything but that; undef any value; a value only itself."
    return picture(parts, WIDTH, top + 5 * (high + 6), "What may replace what", text)


@figure("superopt-listings")
def listings() -> Element:
    """The core's test for free lanes, before and after, with the fact under which they are equal."""
    from m4alloc.superopt.core_pieces import FREE_LANES

    with_fact, without = FREE_LANES.verdict(), FREE_LANES.verdict(assuming=False)
    parts: list[Child] = []
    for x, title, text in ((0, "before", FREE_LANES.before), (388, "after", FREE_LANES.after)):
        lines = [each.strip() for each in text.strip().splitlines() if "=" in each or "ret" in each]
        parts.append(caption(f"{title}: {len(lines) - 1} instructions", 14, x))
        parts.append(box(x, 24, 346, 8 + 20 * 6, "line"))
        for row, each in enumerate(lines):
            parts.append(code(_hexadecimal(each), x + 8, 42 + row * 20))
    parts += arrow([(350, 88), (384, 88)])
    y = 176
    for fact, verdict in ((str(FREE_LANES.facts[0].text), with_fact), ("nothing", without)):
        good = verdict.accepted
        parts.append(box(0, y, 14, 14, "good" if good else "bad", strength=0.5, dashed=not good))
        said = f"proved by {verdict.method}" if good else "refuted, with an input"
        parts.append(words(said, 24, y + 12))
        parts.append(words("assuming", 190, y + 12, class_="muted"))
        parts.append(code(fact, 252, y + 12))
        y += 26
    text = "Five instructions become two under the fact that each byte of states is at most seven."
    return picture(parts, WIDTH, y, "Which of eight slots are free, in five instructions and in two", text)


def _hexadecimal(text: str) -> str:
    """A line of LLVM with its long numbers in base 16, to be read.

    >>> _hexadecimal("%lanes = and i64 %less, -9187201950435737472")
    '%lanes = and i64 %less, 0x8080808080808080'
    """
    return re.sub(r"-?\d{7,}", lambda found: f"{int(found[0]) % 2**64:#x}", text)


BASE, LENGTH, AWAY = 0x400000, 0x10000, 0x60000
"""The block of the figure about a detour, and how far the detour goes."""


def block() -> Capability:
    """A capability to that block.

    >>> block()
    0x400000 [rwxRW,0x400000-0x410000]
    """
    return set_bounds(Capability.root(ISA.format, address=BASE), LENGTH, ISA)


def region() -> tuple[int, int]:
    """The addresses to which an increment may move it without loss of its tag: from, and up to (KiB steps).

    >>> low, high = region()
    >>> low < BASE and BASE + LENGTH < high < BASE + AWAY
    True
    """
    kept = [at for at in range(-256, 1024) if increment(block(), (at << 10) % 2**64, ISA).tag]
    return BASE + (kept[0] << 10), BASE + ((kept[-1] + 1) << 10)


@figure("superopt-detour")
def detour() -> Element:
    """Two increments that lead out of the representable region and back, and their sum, which does not."""
    start, low, high = block(), *region()
    out = increment(start, AWAY, ISA)
    back = increment(out, -AWAY % 2**64, ISA)
    straight = increment(start, 0, ISA)
    if out.tag or back.tag or not straight.tag:
        raise AssertionError("the detour loses the tag, and its sum does not")
    first, last, left, right = BASE - 0x18000, BASE + AWAY + 0x18000, 8.0, WIDTH - 8.0

    def at(address: int) -> float:
        return left + (address - first) / (last - first) * (right - left)

    y = 96.0
    parts: list[Child] = [line(left, y + 15, right, y + 15, "line")]
    shown = max(low, first)
    parts.append(box(at(shown), y - 6, at(high) - at(shown), 42, "series-3", strength=0.12, dashed=True))
    parts.append(box(at(BASE), y, at(BASE + LENGTH) - at(BASE), 30, "series-1", strength=0.4))
    parts.append(words("the block", at(BASE + LENGTH // 2), y + 19, anchor="middle", size=10.5))
    parts += arrow([(at(BASE), y - 8), (at(BASE), 40), (at(BASE + AWAY), 40), (at(BASE + AWAY), y + 8)], "bad")
    parts.append(
        words("inc(c, i): outside of the region, the tag is cleared", at(BASE + AWAY // 2), 33, anchor="middle")
    )
    parts.append(box(at(BASE + AWAY) - 4, y + 11, 8, 8, "bad", dashed=True))
    parts += arrow([(at(BASE + AWAY), y + 22), (at(BASE + AWAY), 164), (at(BASE), 164), (at(BASE), y + 38)], "bad")
    text = "inc(inc(c, i), -i): the same address, and no tag;   inc(c, 0): the same address, and a tag"
    parts.append(words(text, at(BASE + AWAY // 2), 182, anchor="middle"))
    parts.append(words("where its bounds can be told", at(high) + 8, y + 4, size=10.5, class_="muted"))
    for address in (BASE, BASE + AWAY):
        parts.append(code(f"{address:#x}", at(address), 12, anchor="middle"))
    said = "Out and back again loses the tag for good; the sum of both increments is zero and keeps it."
    return picture(parts, WIDTH, 192, "A detour that loses authority", said)
