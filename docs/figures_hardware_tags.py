"""Figures of the chapter on tags: granules through a block's life, slack, and chance against patience."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

from capability.adi.protection import Adi
from capability.architecture import Access
from capability.cheri.protection import Cheri
from capability.fault import Fault
from capability.memory import TaggedMemory
from capability.mte.picture import TagMap
from capability.mte.policy import HardenedMalloc
from capability.mte.protection import MTE, MtePointer
from capability.mte.tag import GRANULE
from capability.perms import DATA
from docs.figures import figure
from docs.figures_hardware_draw import WIDTH, arrow, box, brace, caption, cell, code, line, words
from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, coordinate, element, picture
from spec.attack import CATALOGUE, DEFENCES, Attack, Outcome
from spec.attacks.judge import judge
from spec.attacks.plan import Plan
from spec.attacks.step import attempt, guess, store

BASE, SIZE = 0x1000, 160


@figure("tag-life")
def life() -> Element:
    """Ten granules in three moments: two blocks live, one freed, its memory handed out again."""
    memory, mte = TaggedMemory(), MTE(HardenedMalloc())
    first, second = mte.derive(memory, BASE, 40, DATA), mte.derive(memory, BASE + 48, 64, DATA)
    parts: list[Child] = []
    parts += _moment(memory, (("a", first), ("b", second)), 0, "a = malloc(40), b = malloc(64)")
    mte.retire(memory, first)
    parts += _moment(
        memory, (("a", first), ("b", second)), 112, "free(a): hardened_malloc gives free memory its reserved tag 0"
    )
    third = mte.derive(memory, BASE, 40, DATA)
    parts += _moment(
        memory, (("a", first), ("b", second), ("c", third)), 224, "c = malloc(40): the same memory, another tag"
    )
    text = "Each granule has a tag; a pointer matches a granule when its own tag is the same."
    return picture(parts, WIDTH, 356, "Granules and pointers in three moments", text)


def _moment(memory: TaggedMemory, pointers: Iterable[tuple[str, MtePointer]], y: float, title: str) -> list[Child]:
    left, unit = 84, 40
    parts: list[Child] = [caption(title, y + 14), code(f"{BASE:#x}", 0, y + 44)]
    for place in range(SIZE // GRANULE):
        tag = memory.allocation_tag(BASE + place * GRANULE)
        role = f"group-{tag % 8}" if tag else "line"
        parts += cell(left + place * unit, y + 26, unit, 28, str(tag), role, strength=0.3, title=f"tag {tag}")
    for row, (name, pointer) in enumerate(pointers):
        matches = TagMap(memory, BASE, SIZE, pointers=(pointer,)).matches(pointer)
        top = y + 60 + row * 19
        start, stop = left + (pointer.base - BASE) / GRANULE * unit, left + (pointer.top - BASE) / GRANULE * unit
        parts.append(box(start + 1, top, stop - start - 2, 15, "good" if matches else "bad", dashed=not matches))
        parts.append(words(name, (start + stop) / 2, top + 12, anchor="middle", size=11))
        verdict = "matches" if matches else "does not match: fault"
        parts.append(words(f"{name} has tag {pointer.tag}: {verdict}", left + 10 * unit + 12, top + 12, size=11))
    return parts


@figure("tag-slack")
def slack() -> Element:
    """What a pointer to 40 bytes reaches beyond them, on CHERI, MTE and ADI: the bytes that each model lets pass."""
    size, shown, left = 40, 72, 140
    unit = (WIDTH - left - 4) / shown
    parts: list[Child] = []
    rows: tuple[tuple[str, Cheri | MTE | Adi, int], ...] = (
        ("CHERI, bounds", Cheri(), 1),
        ("MTE, 16-byte granules", MTE(), 16),
        ("ADI, 64-byte lines", Adi(), 64),
    )
    for row, (name, model, ruled) in enumerate(rows):
        y = 8 + row * 62
        reached = _reached(model, size, shown)
        parts.append(words(name, 0, y + 20, size=11))
        parts.append(box(left, y, size * unit, 30, "series-1", strength=0.45))
        if reached > size:
            parts.append(box(left + size * unit, y, (reached - size) * unit, 30, "warn", strength=0.3, dashed=True))
            parts += brace(
                left + size * unit + 1, left + reached * unit - 1, y + 33, f"{reached - size} bytes too many pass"
            )
        else:
            parts.append(words("the next byte faults", left + size * unit + 8, y + 20, size=11))
        if ruled > 1:
            for at in range(0, shown + 1, ruled):
                parts.append(line(left + at * unit, y - 4, left + at * unit, y + 34, "ink"))
        parts.append(words("40 bytes asked for", left + 8, y + 20, size=11))
    text = "CHERI stops at byte 40; MTE at the end of the third granule, byte 48; ADI at the end of the line, byte 64."
    return picture(parts, WIDTH, 192, "Slack behind a block of 40 bytes", text)


def _reached(model: Cheri | MTE | Adi, size: int, limit: int) -> int:
    """The first offset at which a load of one byte through a pointer to the block is refused."""
    memory = TaggedMemory(0x2000, 0x2000)
    pointer = model.derive(memory, 0x2000, size, DATA)
    model.derive(memory, 0x2000 + -(-size // model.granule) * model.granule, size, DATA)  # a neighbour
    for offset in range(limit):
        try:
            model.check(memory, pointer, 0x2000 + offset, 1, Access.LOAD)
        except Fault:
            return offset
    return limit


def reached_after(defence: str, tries: int) -> Fraction:
    """The probability that one of so many guesses has reached its goal, each on a machine that drew new tags.

    >>> reached_after("mte-glibc", 10) == 1 - Fraction(14, 15) ** 10
    True
    """
    attack = replace(CATALOGUE["tag-guess"], tries=tries)
    return _reaches(attack, defence)


def reached_in_children(defence: str, tries: int) -> Fraction:
    """The same when each guess is another tag, made in a forked child that inherited the tags; tries: up to 15.

    >>> reached_in_children("mte-glibc", 10)
    Fraction(2, 3)
    """
    first = CATALOGUE["tag-brute-force-forking"]
    guesses = (step for tag in range(1, tries + 1) for step in (guess(f"g{tag}", "a", tag), attempt(store(f"g{tag}"))))
    return _reaches(replace(first, steps=(*first.steps[:2], *guesses)), defence)


def _reaches(attack: Attack, defence: str) -> Fraction:
    return 1 - judge(Plan(attack, DEFENCES[defence])).share(Outcome.CAUGHT)


@figure("tag-tries")
def tries() -> Element:
    """An attacker's chance of having got through, against the number of guesses."""
    left, right, top, bottom, most = 46, WIDTH - 200, 22, 300, 40

    def x(count: float) -> float:
        return left + count * (right - left) / most

    def y(chance: float) -> float:
        return bottom - chance * (bottom - top)

    parts: list[Child] = [element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="panel")]
    for percent in range(0, 101, 25):
        parts.append(element("line", x1=left, y1=y(percent / 100), x2=right, y2=y(percent / 100), class_="grid"))
        parts.append(words(f"{percent} %", left - 6, y(percent / 100) + 4, anchor="end", size=11))
    for count in range(0, most + 1, 10):
        parts.append(line(x(count), bottom, x(count), bottom + 4))
        parts.append(words(str(count), x(count), bottom + 18, anchor="middle", size=11))
    parts.append(words("guesses", right, bottom + 34, anchor="end", size=11, class_="muted"))
    parts.append(words("chance that the attacker got through", 0, 12, size=11, class_="muted"))
    curves: tuple[tuple[str, Callable[[int], Fraction], str, str, int], ...] = (
        ("16 tags, 1 kept out, restarts", lambda n: reached_after("mte-glibc", n), "series-1", "", most),
        ("odd and even slots, restarts", lambda n: reached_after("mte-scudo-odd-even", n), "bad", "7 3", most),
        ("ADI, precise, restarts", lambda n: reached_after("adi-precise", n), "series-4", "2 3", most),
        ("forked children, same tags", lambda n: reached_in_children("mte-glibc", n), "series-3", "9 3 2 3", 15),
    )
    for _, chance, role, dash, last in curves:
        points = [(x(0), y(0)), *((x(n), y(float(chance(n)))) for n in range(1, last + 1))]
        steps = "L".join(f"{coordinate(at)} {coordinate(up)}" for at, up in points)
        dashes = {"stroke_dasharray": dash} if dash else {}
        parts.append(element("path", d=f"M{steps}", fill="none", stroke=variable(role), stroke_width=2, **dashes))
    for row, (name, _, role, dash, _) in enumerate(curves):
        at = top + 20 + row * 22
        parts.append(line(right + 8, at - 4, right + 34, at - 4, role, thick=2, dashes=dash))
        parts.append(words(name, right + 40, at, size=10.5))
    half = next(n for n in range(1, most) if reached_after("mte-glibc", n) >= Fraction(1, 2))
    parts += arrow([(x(half) + 60, y(0.34)), (x(half) + 3, y(0.48))])
    parts.append(words(f"even odds at {half}", x(half) + 64, y(0.34) + 4, size=11))
    text = "With new tags at each restart the chance rises towards one; with inherited tags it is one after 15."
    return picture(parts, WIDTH, 342, "Guessing a tag again and again", text)
