"""Figures of the chapter on attacks: the whole table, the families, and what each defence makes of all attacks."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import groupby

from docs.figures import figure
from docs.figures_hardware_draw import WIDTH, box, words
from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, coordinate, element, picture
from spec.attack import CATALOGUE, DEFENCES, Family, Outcome, Verdict, verdict

CLASSES: dict[str, tuple[str, float, str]] = {
    # class: (role, strength of the fill, what it is called)
    "caught": ("good", 0.35, "caught, certainly"),
    "chance": ("series-1", 0.3, "caught with a probability"),
    "late": ("warn", 0.35, "reported after the damage"),
    "harmless": ("line", 0.6, "harmless"),
    "missed": ("bad", 0.4, "missed"),
}
CHOSEN = {
    "flat": "no protection",
    "isav9": "CHERI",
    "mte-hardened_malloc": "MTE, sync",
    "mte-async": "MTE, async",
    "adi-precise": "ADI, precise",
    "sgx-shared": "SGX",
}


@cache
def found(attack: str, defence: str) -> Verdict:
    """The verdict, worked out once."""
    return verdict(attack, defence)


def class_of(one: Verdict) -> str:
    """Which of `CLASSES` a verdict is; "" when the attack does not apply.

    >>> class_of(found("linear-overflow", "isav9")), class_of(found("tag-guess", "flat"))
    ('caught', '')
    """
    if not one.applies:
        return ""
    if one.share(Outcome.LATE):
        return "late"
    if one.caught == 1:
        return "caught"
    if one.caught:
        return "chance"
    return "missed" if one.share(Outcome.MISSED) else "harmless"


def mark(one: Verdict) -> str:
    """The cell of a verdict: the sign of the table, a probability as a whole number of per cent behind it.

    >>> mark(found("use-after-reuse-read", "mte-glibc")), mark(found("double-free", "flat"))
    ('H93', 'A')
    """
    if not one.applies:
        return ""
    if not one.caught or one.caught == 1:
        return one.symbol
    return f"{one.symbol[0]}{round(100 * one.caught)}"


@figure("attack-table")
def table() -> Element:
    """Every attack on every defence, a cell each."""
    width, height, top, heads = 26, 14, 128, 18  # whole numbers keep the file small
    left = WIDTH - width * len(DEFENCES)
    parts: list[Child] = []
    areas: dict[str, list[str]] = {name: [] for name in CLASSES}
    y = top
    for family, attacks in groupby(CATALOGUE.values(), key=lambda attack: attack.family):
        parts.append(words(family.value, 0, y + 13, size=11, style="font-weight:600"))
        y += heads
        for attack in attacks:
            signs, places = "", []
            for column, defence in enumerate(DEFENCES):
                one = found(attack.name, defence)
                x, text = left + column * width, mark(one)
                if class_of(one):
                    areas[class_of(one)].append(f"M{x} {y}h{width - 1}v{height - 1}h{1 - width}z")
                first = x + width // 2 - 3 * (len(text) - 1)
                signs += text
                places += [str(first + 6 * place) for place in range(len(text))]
            parts.append(words(attack.name, 8, y + 10.5, size=9.5))
            parts.append(
                element("text", signs, x=" ".join(places), y=y + 10.5, text_anchor="middle", style="font-size:9px")
            )
            y += height
    shades: list[Child] = [
        element("path", d="".join(cells), fill=variable(CLASSES[name][0]), fill_opacity=CLASSES[name][1])
        for name, cells in areas.items()
        if cells
    ]
    for column, defence in enumerate(DEFENCES):
        turned = f"translate({coordinate(left + column * width + width / 2 + 3.5)} {coordinate(top - 6)}) rotate(-90)"
        parts.append(element("text", defence, transform=turned, style="font-size:10px"))
    text = "Rows are attacks, columns are defences; the same table is in docs/attacks.md, with exact fractions."
    return picture([*shades, *parts, *_legend(y + 16)], WIDTH, y + 62, "Every attack on every defence", text)


def _legend(y: float) -> list[Child]:
    parts: list[Child] = []
    x = 0.0
    signs = {"caught": "H A B", "chance": "H93", "late": "h, h93", "harmless": "-", "missed": "!"}
    for name, (role, strength, text) in CLASSES.items():
        said = f"{signs[name]}  {text}"
        parts.append(box(x, y, 11, 11, role, strength=strength))
        parts.append(words(said, x + 15, y + 10, size=10))
        x += 28 + 5.1 * len(said)
    parts.append(
        words(
            "H by the hardware, A by the allocator, B by the enclave's bridge; a number is a probability in per cent; "
            "empty: does not apply",
            0,
            y + 30,
            size=10,
            class_="muted",
        )
    )
    return parts


@figure("attack-families")
def families() -> Element:
    """Each family of attacks on six machines, counted and in words."""
    left, top, height = 118, 30, 62
    width = (WIDTH - left) / len(CHOSEN)
    parts: list[Child] = []
    for column, name in enumerate(CHOSEN.values()):
        parts.append(words(name, left + (column + 0.5) * width, 18, anchor="middle", style="font-weight:600"))
    for row, family in enumerate(Family):
        y = top + row * height
        members = [attack.name for attack in CATALOGUE.values() if attack.family is family]
        parts.append(words(family.value, 0, y + 22))
        parts.append(words(f"{len(members)} attacks", 0, y + 38, size=11, class_="muted"))
        for column, defence in enumerate(CHOSEN):
            counts = Counter(class_of(found(name, defence)) for name in members)
            del counts[""]
            worst = next((name for name in reversed(CLASSES) if counts[name] and name != "harmless"), "harmless")
            role, strength, _ = CLASSES[worst]
            x = left + column * width
            parts.append(box(x + 2, y + 2, width - 4, height - 4, role, strength=strength if counts else 0.1))
            said = [f"{counts[name]} {_short(name)}" for name in CLASSES if counts[name]] or ["does not apply"]
            first = y + height / 2 + 4 - 6 * (len(said) - 1)
            for number, text in enumerate(said):
                parts.append(words(text, x + width / 2, first + 12 * number, anchor="middle", size=10.5))
    text = "The colour of a field is that of the worst outcome in it; the words count all."
    return picture(parts, WIDTH, top + len(Family) * height + 4, "Families of attacks on six machines", text)


def _short(name: str) -> str:
    return {"chance": "by chance", "late": "too late"}.get(name, name)


@figure("attack-defences")
def defences() -> Element:
    """For each defence, how many of all attacks end how: a bar."""
    left, top, height = 138.0, 26.0, 19.0
    unit = (WIDTH - left) / len(CATALOGUE)
    parts: list[Child] = []
    for row, defence in enumerate(DEFENCES):
        y = top + row * height
        parts.append(words(defence, left - 8, y + 13, anchor="end", size=11))
        counts = Counter(class_of(found(attack, defence)) for attack in CATALOGUE)
        x = left
        for name, (role, strength, _) in CLASSES.items():
            if not counts[name]:
                continue
            width = counts[name] * unit
            parts.append(box(x, y, width, height - 4, role, strength=strength))
            parts.append(words(str(counts[name]), x + width / 2, y + 11.5, anchor="middle", size=10))
            x += width
        parts.append(words(f"{counts['']} do not apply", x + 6, y + 11.5, size=10, class_="muted"))
    x = left
    for _name, (role, strength, text) in CLASSES.items():
        parts.append(box(x, 2, 11, 11, role, strength=strength))
        parts.append(words(text, x + 15, 12, size=10))
        x += 28 + 5.4 * len(text)
    text = "Bars from left to right: caught, caught with a probability, late, harmless, missed."
    return picture(parts, WIDTH, top + len(DEFENCES) * height + 2, "What becomes of all attacks", text)
