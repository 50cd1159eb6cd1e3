"""Figures of the chapter on time: truth along a lasso, slices, automata, and a monitor that is stepped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.etree import ElementTree

from docs.figures import figure
from docs.figures_hardware_draw import WIDTH, arrow, box, caption, cell, code, line, words
from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, group, picture
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, subformulas
from spec.ltl.monitor import monitor
from spec.ltl.parametric import Occurrence, slices
from spec.ltl.parser import parse, parse_word
from spec.ltl.picture import automaton
from spec.ltl.picture import monitor as drawing_of
from spec.ltl.translate import buchi
from spec.ltl.word import Word, show_letter
from spec.picture import BAD, GOOD
from spec.properties import find

_COLOURS = {"currentColor": variable("ink"), BAD: variable("bad"), GOOD: variable("good")}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?\Z")


def embedded(text: str) -> tuple[list[Child], float, float]:
    """The parts of a picture of spec.picture in the colours of the page, its width, and its height.

    Its title is left out: a figure has one of its own.

    >>> from spec.picture import svg, words
    >>> parts, width, height = embedded(svg(30, 20, "t", [words(1, 2, "p & q")]))
    >>> len(parts), width, height
    (1, 30.0, 20.0)
    """
    root = ElementTree.fromstring(text)
    parts: list[Child] = [_converted(node) for node in root if not node.tag.endswith("title")]
    return parts, float(root.attrib["width"]), float(root.attrib["height"])


def _converted(node: ElementTree.Element) -> Element:
    pairs = []
    for name, value in node.attrib.items():
        coloured = _COLOURS.get(value, value)
        pairs.append((name, float(coloured) if _NUMBER.match(coloured) else coloured))
    name = node.tag.rpartition("}")[2]
    if name == "text":
        pairs.append(("style", "font-size:11px;font-family:ui-monospace,DejaVu Sans Mono,monospace"))
    children: list[Child] = [node.text] if node.text else []
    return Element(name, tuple(pairs), (*children, *map(_converted, node)))


def truth_rows(formula: Formula, word: Word) -> list[tuple[str, list[bool]]]:
    """Each part of a formula, smallest first, with its truth at every written position of a word.

    >>> truth_rows(parse("<>free"), parse_word("malloc; free; cycle{1}"))
    [('free', [False, True, False]), ('<>free', [True, True, False])]
    """
    return [(str(part), [holds(part, word, at) for at in range(len(word.letters))]) for part in subformulas(formula)]


@figure("ltl-truth")
def truth() -> Element:
    """Every part of the leak property at every position of a lasso that violates it."""
    word, formula = parse_word("malloc; access; free; malloc; cycle{access; 1}"), parse("[](malloc -> <>free)")
    left, unit, top = 190, 88, 26
    parts: list[Child] = []
    for at, letter in enumerate(word.letters):
        x = left + at * unit
        role = "bad" if at >= len(word.prefix) else "series-1"
        parts.append(words(str(at), x + unit / 2, top - 8, anchor="middle", size=11, class_="muted"))
        text = show_letter(letter) if letter else "nothing"
        parts += cell(x + 6, top, unit - 12, 26, text, role, dashed=at >= len(word.prefix))
        if at:
            parts += arrow([(x - 6, top + 13), (x + 6, top + 13)])
    first, last = left + (len(word.prefix) + 0.5) * unit, left + (len(word.letters) - 0.5) * unit
    parts += arrow([(last, top + 27), (last, top + 42), (first, top + 42), (first, top + 28)], "bad")
    parts.append(words("and round again, for ever", (first + last) / 2, top + 57, anchor="middle", size=11))
    for row, (part, values) in enumerate(truth_rows(formula, word)):
        y = top + 70 + row * 28
        parts.append(code(part, left - 12, y + 17, anchor="end"))
        for at, value in enumerate(values):
            parts += cell(
                left + at * unit + 6, y, unit - 12, 22, "true" if value else "false", "good" if value else "line"
            )
    text = "<>free is true up to the free; the second malloc comes after it, so the implication fails there."
    return picture(parts, WIDTH, top + 70 + 5 * 28, "Truth of each part of a formula, position by position", text)


STREAM = (
    ("malloc", 0x1000, "A"),
    ("malloc", 0x2000, "B"),
    ("access", 0x1000, "A"),
    ("free", 0x1000, "A"),
    ("access", 0x2000, "B"),
    ("malloc", 0x1000, "C"),
    ("free", 0x2000, "B"),
    ("access", 0x1000, "C"),
)
"""Events of the figure on slices: what happened, where, and to which block."""


def words_of(index: str) -> dict[object, Word]:
    """The word of each address, or of each block, of STREAM.

    >>> {hex(address): word for address, word in words_of("address").items()}
    {'0x1000': malloc; access; free; malloc; access, '0x2000': malloc; access; free}
    """
    place = 1 if index == "address" else 2
    stream = [Occurrence(frozenset({event[0]}), (event[place],), 0) for event in STREAM]
    return dict(slices(stream, index, ("malloc", "access", "free")))


@figure("ltl-slices")
def cut() -> Element:
    """One history, cut by address and by block."""
    left, unit = 128, 75
    parts: list[Child] = [caption("the history", 38)]
    role = {"A": "series-1", "B": "series-4", "C": "series-3"}
    for at, (event, address, block) in enumerate(STREAM):
        x = left + at * unit
        parts.append(words(str(at + 1), x + unit / 2, 12, anchor="middle", size=11, class_="muted"))
        parts += cell(x + 3, 20, unit - 6, 28, event, role[block])
        parts.append(code(f"{block} {address:#x}", x + unit / 2, 62, anchor="middle", size=10))
    y = 82
    for title, index, place in (("of an address", "address", 1), ("of a block", "block", 2)):
        parts.append(caption(title, y + 8))
        for value, word in words_of(index).items():
            y += 20
            name = f"{value:#x}" if isinstance(value, int) else f"block {value}"
            parts.append(code(name, left - 12, y + 15, anchor="end"))
            own = [(at, event) for at, event in enumerate(STREAM) if event[place] == value]
            places = [-1, *(at for at, _ in own), len(STREAM)]
            for before, after in pairwise(places):
                if after > before + 1:
                    ends = left + (before + 1) * unit + 3, left + after * unit - 3
                    parts.append(line(ends[0], y + 11, ends[1], y + 11, "line"))
            for (at, happened), letter in zip(own, word.letters, strict=True):
                parts += cell(left + at * unit + 3, y, unit - 6, 22, show_letter(letter), role[happened[2]])
            y += 8
        y += 30
    text = "The word of address 0x1000 has two generations in it; each block's word has one."
    return picture(parts, WIDTH, y - 10, "A history of eight events and its slices", text)


@figure("ltl-automata")
def automata() -> Element:
    """The property that every block is freed, and its negation, as Buchi automata."""
    formula = find("freed-eventually").formula
    parts: list[Child] = []
    y = 0.0
    for title, one in (
        (f"accepts the words of  {formula}", formula),
        (f"accepts the words of  !({formula})", parse(f"!({formula})")),
    ):
        drawn, width, height = embedded(automaton(buchi(one)))
        parts.append(caption(title, y + 14))
        parts.append(group(_without_title(drawn), transform=f"translate({(WIDTH - width) / 2:.0f} {y + 10:.0f})"))
        y += height + 16
    text = (
        "Marks {0} are on the edges that leave an accepting state. The second one guesses which malloc is never freed."
    )
    return picture(parts, WIDTH, y - 30, "A leak property and its negation as automata", text)


def _without_title(parts: Sequence[Child]) -> Iterator[Child]:
    """The parts of a picture of an automaton or monitor, but for the line of text that is its title."""
    return (
        part
        for part in parts
        if not (isinstance(part, Element) and "".join(_said(part)).startswith(("automaton:", "monitor:")))
    )


def _said(part: Element) -> Iterator[str]:
    return (child for child in part.children if isinstance(child, str))


_VERDICTS = {
    "true": ("good", "true"),
    "presumably-true": ("series-1", "owes nothing"),
    "presumably-false": ("warn", "owes a free"),
    "false": ("bad", "false"),
}


@figure("ltl-three")
def three() -> Element:
    """The monitor of a weak until, which can become true for good, and false for good."""
    drawn, width, height = embedded(drawing_of(monitor(parse("!access W malloc"))))
    inside = group(_without_title(drawn), transform=f"translate({(WIDTH - width) / 2:.0f} -20)")
    text = "From the inconclusive state an access leads to false, a malloc to true, and neither is ever left."
    return picture([inside], WIDTH, height - 26, "The monitor of: no access until a malloc", text)


@figure("ltl-monitor")
def stepped() -> Element:
    """The monitor of F1 as a table of states, stepped by a history."""
    machine = monitor(find("F1").formula)
    parts: list[Child] = []
    letters = [frozenset[str](), *(frozenset({name}) for name in ("malloc", "access", "free"))]
    left, top, wide = 190, 40, 92
    parts.append(caption("the table", 14))
    for column, letter in enumerate(letters):
        parts.append(
            words(show_letter(letter) if letter else "nothing", left + (column + 0.5) * wide, top - 8, anchor="middle")
        )
    for state in range(machine.states):
        y = top + state * 30
        role, said = _VERDICTS[machine.four(state).value]
        parts.append(words(f"state {state}: {said}", 0, y + 17))
        parts.append(box(left - 34, y + 3, 18, 18, role, strength=0.5, dashed=role == "warn"))
        for column, letter in enumerate(letters):
            target = machine.step(state, machine.number(letter))
            target_role, _ = _VERDICTS[machine.four(target).value]
            parts += cell(
                left + column * wide + 4, y, wide - 8, 24, str(target), target_role, dashed=target_role == "warn"
            )
    y = top + machine.states * 30 + 28
    parts.append(caption("a run", y))
    history = parse_word("malloc; access; free; malloc; free; access; access")
    states = machine.run(history)
    pitch = (WIDTH - 40) / len(states)
    for at, state in enumerate(states):
        x = at * pitch + 20
        role, said = _VERDICTS[machine.four(state).value]
        parts += cell(x, y + 22, 34, 26, str(state), role, dashed=role == "warn")
        parts.append(words(said, x + 17, y + 64, anchor="middle", size=10.5))
        if at < len(history.letters):
            parts += arrow([(x + 36, y + 35), (x + pitch - 2, y + 35)])
            parts.append(
                words(show_letter(history.letters[at]), x + (pitch + 34) / 2, y + 29, anchor="middle", size=10.5)
            )
    text = "State by state: owes nothing, owes a free after an access, and false for good after the use after free."
    return picture(parts, WIDTH, y + 76, "A monitor's table, and a run of it", text)
