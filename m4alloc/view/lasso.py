"""A counterexample as a picture: its states down a rail, the steps between them, and the arc that goes back."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, element, group, path, picture
from spec.ltl.word import show_letter
from spec.model.counterexample import changes
from spec.model.system import Path, State, Step, System

WIDTH = 760
_RAIL = 64.0
_TEXT = 100.0
_LETTER = 6.3
"""About how wide a letter of 12 pixels is."""
_LINE = 16.0
_STEP = 34.0
_RADIUS = 6.0
_LONGEST = int((WIDTH - _TEXT - 10) / _LETTER)
_WHOLE = int((WIDTH - 24) / (1.1 * _LETTER))
_COLOURS = ("series-1", "series-3", "series-4", "group-0", "group-6", "series-2")


def lasso(system: System[State], run: Path, title: str = "Counterexample") -> Element:
    """The run as SVG: a dot a state, with what its step changed and what is true in it; steps in the process's colour.

    The cycle is red, with an arc from its last state to its first; a run that ends ends in a square. What is too long
    for its line is cut, and whole in the tip of the pointer.
    Cost: O(states).

    >>> from spec.ltl.parser import parse_word
    >>> from spec.model.path import PathSystem
    >>> run = Path((0, 1), (Step(0, "p"), Step(0, "q")), 1)
    >>> str(lasso(PathSystem(parse_word("p; cycle{q}")), run)).count("<circle")
    2
    """
    states: Sequence[State] = run.states  # type: ignore[assignment]
    last = len(states) - 1
    parts: list[Child] = [
        element("text", [element("title", title), element("tspan", _cut(title, _WHOLE), font_weight="600")], x=12, y=20)
    ]
    heights: list[float] = []
    y = 46.0
    for position, state in enumerate(states):
        before = states[position - 1] if position else None
        step = run.steps[position - 1] if position else None
        heights.append(y)
        lines = _state(system, state, before, step, y)
        parts.extend(lines)
        y += _LINE * max(1, len(lines)) - _LINE
        if position < last or run.back is not None:
            parts.append(_step(system, run.steps[position], y + _STEP / 2 + 4))
        y += _STEP
    # The arc that closes the cycle is as wide as it is long, up to the room there is.
    rail: list[Child] = [_line(heights[i], heights[i + 1], run.back is not None and i >= run.back) for i in range(last)]
    if run.back is not None:
        rail.append(_arc(heights[run.back], heights[last]))
    rail.extend(_dot(run, position, height) for position, height in enumerate(heights))
    said = "a run that ends" if run.back is None else f"a run that goes back from state {last} to state {run.back}"
    count = f"{last + 1} state{'s' if last else ''}"
    return picture([*rail, *parts], WIDTH, y + 6, title, f"{said}, of {count}")


def _state(system: System[State], state: State, before: State | None, step: Step | None, y: float) -> list[Child]:
    """What is true and new in a state, over one or more lines."""
    letter = system.letter(state)
    fault = step.fault if step is not None else ""
    whole = fault or changes(system, state, before)
    lines = wrap(whole, _LONGEST - 4) or [""]
    if before is not None and len(lines) > 1:
        lines = [_cut(whole, _LONGEST)]
    found: list[Child] = []
    for number, text in enumerate(lines):
        spans: list[Child] = [element("tspan", text, class_="muted")] if text else []
        if number == len(lines) - 1 and letter:
            raised = show_letter(letter)
            spans.append(
                element("tspan", f"{'  ' if text else ''}{raised}", fill=variable("accent"), font_weight="600")
            )
        if fault:
            spans = [element("tspan", text, fill=variable("bad"))]
        found.append(element("text", [element("title", whole), *spans], x=_TEXT, y=y + 4 + number * _LINE))
    return found


def _step(system: System[State], step: Step, y: float) -> Element:
    """The process in its colour, and what it does."""
    name = system.processes[step.process] if step.process >= 0 else ""
    colour = variable(_COLOURS[step.process % len(_COLOURS)]) if step.process >= 0 else variable("muted")
    said = _cut(step.text, _LONGEST - len(name) - 4)
    spans: list[Child] = [element("title", f"{name}: {step.text}" if name else step.text)]
    if name:
        spans.append(element("tspan", f"{name}  ", font_weight="600", fill=colour))
    spans.append(element("tspan", said))
    mark = element("rect", x=_RAIL + 14, y=y - 8, width=4, height=9, fill=colour)
    return group([mark, element("text", spans, x=_TEXT - 12, y=y)])


def _line(top: float, bottom: float, again: bool) -> Element:
    colour = variable("bad" if again else "muted")
    return path([(_RAIL, top), (_RAIL, bottom)], stroke=colour, stroke_width=2, fill="none")


def _arc(top: float, bottom: float) -> Element:
    """From the last state round on the left to the first of the cycle, with the head of an arrow."""
    colour = variable("bad")
    right = _RAIL - 8
    if bottom == top:
        far, start, end = _RAIL - 34, bottom + 4, top - 4
        bends = f"{far:g} {bottom + 22:g} {far:g} {top - 22:g}"
    else:
        far, start, end = _RAIL - 1.3 * min(40.0, 16.0 + (bottom - top) / 6), bottom, top
        bends = f"{far:g} {bottom:g} {far:g} {top:g}"
    curve = f"M{_RAIL - 5:g} {start:g}C{bends} {right:g} {end:g}"
    tip_x, tip_y = _RAIL - 7, end
    head = path([(tip_x - 7, tip_y - 4.5), (tip_x + 1, tip_y), (tip_x - 7, tip_y + 4.5)], close=True, fill=colour)
    return group([element("path", (), d=curve, stroke=colour, stroke_width=2, fill="none"), head])


def _dot(run: Path, position: int, y: float) -> Element:
    again = run.back is not None and position >= run.back
    colour = variable("bad" if again else "muted")
    number = element("text", str(position), x=12, y=y + 4, class_="muted small")
    tip = element("title", f"state {position}" + (", of the cycle" if again else ""))
    if run.back is None and position == len(run.states) - 1:
        size = 2 * _RADIUS
        shape = element("rect", [tip], x=_RAIL - _RADIUS, y=y - _RADIUS, width=size, height=size, fill=variable("bad"))
    else:
        shape = element(
            "circle", [tip], cx=_RAIL, cy=y, r=_RADIUS, fill=variable("page"), stroke=colour, stroke_width=2
        )
    return group([number, shape])


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(1, length - 3)] + "..."
