"""A property's monitor as a picture: its few states, the letters that lead on, and the way that a block went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, element, group, path, picture
from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.monitor import Monitor
from spec.ltl.truth import Truth
from spec.ltl.word import Letter
from spec.properties import find
from spec.property import KNOWN
from spec.property_verdict import machine_of

STATES: Final = 6
"""Automata of more states are not drawn."""
_WIDTH = 900.0
_GAP = 175.0
_RADIUS = 19.0
_SHORT = 8
"""Letters that have room inside an arc."""
_LETTERS: Final = (
    ("malloc", ("malloc", "mem_allocate_end")),
    ("free", ("free", "mem_free_start")),
    ("access", ("access", "client_access_mem")),
    ("access outside", ("access", "client_access_mem", "outside")),
    ("uninitialised read", ("access", "client_access_mem", "uninitialised")),
    ("request begins", ("mem_allocate_start",)),
    ("free ends", ("mem_free_end",)),
)
"""What one event makes true, by the name that it has in the picture."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """The states to draw, in order, and the edges with the names of their letters; way: the states gone through."""

    monitor: Monitor
    states: tuple[int, ...]
    edges: dict[tuple[int, int], tuple[str, ...]]
    way: tuple[int, ...]


def automaton(name_or_text: str, letters: Sequence[Letter], violated: bool) -> Element | None:
    """The monitor of a property after these letters of one value; None: it is too large to be drawn.

    violated: it is in the state that nothing mends, however it got there.
    """
    try:
        one = find(name_or_text)
        machine = machine_of(one, ())
    except (LogicError, TooLargeError):
        return None
    if machine is None:
        return None
    known = machine.propositions
    used = {text: frozenset(names) & set(known) for text, names in _LETTERS}
    named = {text: letter for text, letter in used.items() if letter}
    named |= {label: frozenset({label}) for label in known if label not in KNOWN}
    distinct: dict[Letter, str] = {}
    for text, letter in named.items():
        distinct.setdefault(frozenset(letter), text)
    drawn = _drawing(machine, distinct, letters)
    if len(drawn.states) > STATES:
        return None
    return _picture(drawn, violated, one.name)


def _drawing(machine: Monitor, named: dict[Letter, str], letters: Sequence[Letter]) -> Drawing:
    """The states that the letters can reach, breadth first."""
    order = [machine.initial]
    edges: dict[tuple[int, int], tuple[str, ...]] = {}
    for state in order:
        for letter, text in named.items():
            after = machine.step(state, machine.number(letter))
            edges[state, after] = (*edges.get((state, after), ()), text)
            if after not in order:
                order.append(after)
    way = [machine.initial]
    for letter in letters:
        way.append(machine.step(way[-1], machine.number(letter)))
    order.sort(key=lambda state: machine.verdict[state] is Truth.FALSE)  # stable
    return Drawing(machine, tuple(order), edges, tuple(way))


def _picture(drawn: Drawing, violated: bool, name: str) -> Element:
    machine = drawn.monitor
    places = {state: 90.0 + _GAP * place for place, state in enumerate(drawn.states)}
    taken = set(zip(drawn.way, drawn.way[1:], strict=False))
    last = (drawn.way[-2], drawn.way[-1]) if len(drawn.way) > 1 else None
    now = drawn.way[-1]
    if violated and machine.verdict[now] is not Truth.FALSE:
        now, last = next((state for state in drawn.states if machine.verdict[state] is Truth.FALSE), now), None
    leaps = any(places[after] - places[state] > 1.5 * _GAP for state, after in drawn.edges)
    y = 106.0 if leaps else 66.0
    parts: list[Child] = [
        path([(38, y), (90 - _RADIUS - 7, y)], stroke=variable("muted"), stroke_width=1.5),
        _head(90 - _RADIUS - 2, y, 1, 0, "muted"),
    ]
    for (state, after), texts in drawn.edges.items():
        colour = "bad" if (state, after) == last and machine.verdict[after] is Truth.FALSE else "muted"
        colour = "accent" if colour == "muted" and (state, after) in taken else colour
        if state != after:
            parts.append(_edge(places[state], places[after], y, texts, colour))
    for state in drawn.states:
        stays = ", ".join(drawn.edges.get((state, state), ()))
        parts.append(_state(machine, state, places[state], y, state == now, stays))
    said = f"{len(drawn.states)} states; the run is in the one that is marked"
    return picture(parts, _WIDTH, y + 104, f"The monitor of {name}", said)


def _state(machine: Monitor, state: int, x: float, y: float, here: bool, stays: str) -> Element:
    verdict = machine.verdict[state]
    role = {Truth.FALSE: "bad", Truth.TRUE: "good"}.get(verdict, "ink")
    name = {Truth.FALSE: "violated", Truth.TRUE: "satisfied"}.get(verdict, "")
    if not name:
        name = "nothing is owed" if machine.at_end[state] else "something is owed"
    fill, opacity = (variable(role), 0.22) if here else (variable("page"), 1)
    shapes: list[Child] = [element("title", name)]
    shapes.append(element("circle", cx=x, cy=y, r=_RADIUS, fill=variable("page")))
    shapes.append(
        element(
            "circle",
            cx=x,
            cy=y,
            r=_RADIUS,
            stroke=variable(role),
            stroke_width=3.5 if here else 1.5,
            fill=fill,
            fill_opacity=opacity,
        )
    )
    weight = "700" if here else "400"
    shapes.append(element("text", str(state), x=x, y=y + 4, text_anchor="middle", font_weight=weight))
    below = [
        name,
        f"{stays}: stays" if stays and verdict is Truth.INCONCLUSIVE else "",
        "the run is here" if here else "",
    ]
    for number, text in enumerate(filter(None, below)):
        colour = variable(role if text == "the run is here" else "muted")
        told = element("tspan", _cut(text, 30), fill=colour)
        shapes.append(
            element("text", [told], x=x, y=y + _RADIUS + 46 + 16 * number, text_anchor="middle", class_="small")
        )
    return group(shapes)


def _edge(left: float, right: float, y: float, texts: Iterable[str], role: str) -> Element:
    """Forward in an arc above, back in one below."""
    label = ", ".join(texts)
    colour = variable(role)
    width = 1.5 if role == "muted" else 2.5
    up = -1 if right > left else 1
    far = abs(right - left)
    bend = y + up * (12 + far / 4.2)
    start, end = left + (11 if right > left else -11), right - (11 if right > left else -11)
    curve = f"M{start:g} {y + up * 15:g}C{start + (end - start) / 4:g} {bend:g} {end - (end - start) / 4:g} {bend:g} {end:g} {y + up * 16:g}"  # noqa: E501
    height = y + up * (15 + (abs(bend - y) - 15) * 0.75)
    inside = far < 1.5 * _GAP and len(label) <= _SHORT
    at = height + (14 if up < 0 else -6) if inside else height + (-6 if up < 0 else 15)
    told = element("tspan", _cut(label, 30), fill=colour)
    return group(
        [
            element("path", d=curve, fill="none", stroke=colour, stroke_width=width),
            _head(end, y + up * 16, (end - start) / far * 0.8, -up, role),
            element("text", [told], x=(left + right) / 2, y=at, text_anchor="middle", class_="small"),
        ]
    )


def _head(x: float, y: float, dx: float, dy: float, role: str) -> Element:
    """The head of an arrow that points along (dx, dy)."""
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / length, dy / length
    points = [
        (x, y),
        (x - 8 * dx + 4 * dy, y - 8 * dy - 4 * dx),
        (x - 8 * dx - 4 * dy, y - 8 * dy + 4 * dx),
    ]
    return path(points, close=True, fill=variable(role))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 2] + ".."
