"""Temporal logic as pictures: an automaton's states and edges, a lasso's prefix and cycle."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import hypot
from typing import TYPE_CHECKING

from spec.ltl.cover import label_formula
from spec.ltl.truth import FourTruth
from spec.picture import BAD, GOOD, LETTER, arrow, line, svg, table, words

if TYPE_CHECKING:
    from spec.ltl.automaton import Automaton
    from spec.ltl.monitor import Monitor

MOST_STATES = 24
"""Automata with more states are shown as a table of edges."""
MOST_EDGES = 400
MOST_PROPOSITIONS = 8
"""Monitors of more are shown as a table of states: their edges bear too many letters to be written."""
_RADIUS = 15.0


def automaton(graph: Automaton) -> str:
    """The automaton as SVG, its states from left to right by their distance from the initial one.

    Marks are numbers in circles, as words: {0}. An automaton of more than MOST_STATES states is a table.
    Cost: that of the labels' formulas.

    >>> from spec.ltl.parser import parse
    >>> from spec.ltl.translate import translate
    >>> automaton(translate(parse("[]<>p")))[:4]
    '<svg'
    """
    accepts = "every infinite run accepts" if not graph.sets else f"each of {graph.sets} marks infinitely often"
    accepts = "mark {0} infinitely often" if graph.sets == 1 else accepts
    title = f"automaton: {graph.states} state{'s' * (graph.states != 1)} over {', '.join(graph.propositions) or 'true'}"
    title = f"{title}; {accepts}"
    if graph.states > MOST_STATES:
        return _edges(graph, title)
    return _drawing(graph, title)


def monitor(machine: Monitor) -> str:
    """The monitor as SVG: under each state what is known when a run has led there, a double ring where it is for good.

    One of more than MOST_STATES states or MOST_PROPOSITIONS propositions is a table of its states.
    Cost: that of the labels' formulas.

    >>> from spec.ltl.monitor import monitor as made
    >>> from spec.ltl.parser import parse
    >>> "presumably false" in monitor(made(parse("<>free"))), monitor(made(parse("[]!q"))).count("<circle")
    (True, 3)
    """
    from spec.ltl.automaton import Automaton, Edge

    values = [machine.four(state) for state in range(machine.states)]
    over = ", ".join(machine.propositions) or "true"
    title = f"monitor: {machine.states} state{'s' * (machine.states != 1)} over {over}"
    if machine.states > MOST_STATES or len(machine.propositions) > MOST_PROPOSITIONS:
        rows = [[str(state), value.value.replace("-", " ")] for state, value in enumerate(values[:MOST_EDGES])]
        return f"<p>{escape(title)}</p>" + table(rows, ["state", "what is known there"])
    edges = []
    for row in machine.table:
        labels: dict[int, int] = {}
        for letter, target in enumerate(row):
            labels[target] = labels.get(target, 0) | 1 << letter
        edges.append(tuple(Edge(label, target) for target, label in labels.items()))
    return _drawing(Automaton(machine.propositions, tuple(edges), machine.initial), title, values)


def _said(graph: Automaton, label: int, marks: int) -> str:
    """A label as a formula, and the marks."""
    formula = str(label_formula(label, graph.propositions))
    numbers = ",".join(str(i) for i in range(graph.sets) if marks >> i & 1)
    return f"{formula} {{{numbers}}}" if numbers else formula


def _edges(graph: Automaton, title: str) -> str:
    rows = [
        [str(state), _said(graph, edge.label, edge.marks), str(edge.target)]
        for state, edges in enumerate(graph.edges)
        for edge in edges
    ]
    more = [["...", f"{len(rows) - MOST_EDGES:,} edges more", ""]] if len(rows) > MOST_EDGES else []
    return f"<p>{escape(title)}</p>" + table([*rows[:MOST_EDGES], *more], ["from", "letter", "to"])


def _layers(graph: Automaton) -> list[list[int]]:
    """The states by their distance from the initial one; those that cannot be reached at the end."""
    layers, seen = [[graph.initial]], {graph.initial}
    while layers[-1]:
        found: list[int] = []
        for state in layers[-1]:
            for edge in graph.edges[state]:
                if edge.target not in seen:
                    seen.add(edge.target)
                    found.append(edge.target)
        layers.append(found)
    rest = [state for state in range(graph.states) if state not in seen]
    return [*layers[:-1], *([rest] if rest else [])]


def _drawing(graph: Automaton, title: str, values: Sequence[FourTruth] = ()) -> str:
    """The graph under its title. values: of a monitor, what is known in each state."""
    joined: dict[tuple[int, int], list[str]] = {}
    for state, edges in enumerate(graph.edges):
        for edge in edges:
            joined.setdefault((state, edge.target), []).append(_said(graph, edge.label, edge.marks))
    loops = [texts for (state, target), texts in joined.items() if state == target]
    others = [texts for (state, target), texts in joined.items() if state != target]
    wide = LETTER * max((len(said) for texts in loops for said in texts), default=1)
    pitch = 2 * _RADIUS + 50 + wide + LETTER * max((len(said) for texts in others for said in texts), default=1)
    layers = _layers(graph)
    tallest = max(len(layer) for layer in layers)
    high = 13.0 * max(map(len, loops), default=1)
    left, row_pitch = max(54.0, wide - 6), 74.0 + high
    top = 22.0 + high
    at: dict[int, tuple[float, float]] = {}
    for column, layer in enumerate(layers):
        for row, state in enumerate(layer):
            at[state] = (left + column * pitch, top + (row + (tallest - len(layer)) / 2) * row_pitch + 44)
    parts = [words(8, 14, title)]
    x, y = at[graph.initial]
    parts += [line(f"M{x - 40:.1f} {y:.1f}H{x - _RADIUS - 6:.1f}"), arrow((x - _RADIUS, y), (1, 0))]
    for (state, target), texts in joined.items():
        if state == target:
            # Edges leave the first column to the right, so what is said of its loops ends above them.
            parts += _loop(at[state], texts, first=at[state][0] == left and len(layers) > 1)
        else:
            parts += _edge(at[state], at[target], texts)
    for state, (x, y) in at.items():
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}" fill="none" stroke="currentColor" stroke-width="1.4"/>'
        )
        parts.append(words(x, y + 4, str(state), anchor="middle"))
        if values:
            parts += _known(x, y, values[state])
    width = left + (len(layers) - 1) * pitch + max(70, wide / 2 + 12)
    height = top + (tallest - 1) * row_pitch + 44 + _RADIUS + 16 + 13 * max(map(len, others), default=0) + 0.06 * pitch
    return svg(max(width, len(title) * LETTER + 16), height, title, parts)


def _known(x: float, y: float, value: FourTruth) -> list[str]:
    """What is known in a state, under it."""
    colour = {FourTruth.TRUE: GOOD, FourTruth.FALSE: BAD}.get(value, "")
    ring = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS - 4}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
    said = value.value.replace("-", " ")
    return [
        *([ring] if colour else []),
        words(x, y + _RADIUS + 13, said, anchor="middle", fill=colour, bold=bool(colour)),
    ]


def _loop(centre: tuple[float, float], texts: Sequence[str], *, first: bool) -> list[str]:
    """An edge from a state to itself, above it; its letters end there when it is in the first column."""
    x, y = centre
    high = y - _RADIUS
    bend = f"C{x - 26:.1f} {high - 34:.1f} {x + 26:.1f} {high - 34:.1f} {x + 10:.1f} {high - 2:.1f}"
    curve = f"M{x - 9:.1f} {high + 3:.1f}{bend}"
    place, anchor = (x + 14, "end") if first else (x, "middle")
    said = [words(place, high - 28 - 13 * row, text, anchor=anchor) for row, text in enumerate(reversed(texts))]
    return [line(curve), arrow((x + 9, high + 3), (-0.35, 1)), *said]


def _edge(start: tuple[float, float], stop: tuple[float, float], texts: Sequence[str]) -> list[str]:
    """An edge bent to its left, so that there and back do not meet; its letters beside the middle of the bend."""
    (x, y), (to_x, to_y) = start, stop
    across, down = to_x - x, to_y - y
    length = hypot(across, down)
    across, down = across / length, down / length
    bend = 20.0 + (0.12 * length if length > 300 else 0.0)
    bend = bend if across > 0 or (across == 0 and down > 0) else bend + 8
    middle = ((x + to_x) / 2 + down * bend, (y + to_y) / 2 - across * bend)

    def rim(centre: tuple[float, float], gap: float) -> tuple[float, float]:
        right, low = middle[0] - centre[0], middle[1] - centre[1]
        far = hypot(right, low)
        return (centre[0] + right / far * gap, centre[1] + low / far * gap)

    begin, end = rim(start, _RADIUS), rim(stop, _RADIUS + 5)
    tip = rim(stop, _RADIUS)
    curve = f"M{begin[0]:.1f} {begin[1]:.1f}Q{middle[0]:.1f} {middle[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
    half = (begin[0] / 4 + middle[0] / 2 + end[0] / 4, begin[1] / 4 + middle[1] / 2 + end[1] / 4)
    above = across > 0.3
    anchor = "middle" if abs(across) > 0.3 else "start" if down > 0 else "end"
    said = []
    for row, text in enumerate(texts):
        shift = -6 - 13 * (len(texts) - 1 - row) if above else 14 + 13 * row
        if anchor != "middle":
            shift = 4 + 13 * row
        aside = 0 if anchor == "middle" else 6 if down > 0 else -6
        said.append(words(half[0] + aside, half[1] + shift, text, anchor=anchor))
    return [line(curve), arrow(tip, (tip[0] - middle[0], tip[1] - middle[1])), *said]


def lasso(prefix: Sequence[str], cycle: Sequence[str], labels: Sequence[str] = (), title: str = "lasso") -> str:
    """A run as SVG: the prefix as a line of states downwards, the cycle red and closed by an arc.

    prefix, cycle: what each state is called; an empty cycle is a run that ends. labels: of the steps, labels[i] leaves
    state i of prefix + cycle; of a lasso the last closes it.

    >>> lasso(["idle"], ["busy", "waiting"], ["malloc", "lock", "spin"]).count("<circle")
    3
    """
    states = [*prefix, *cycle]
    count = f"{title}: {len(prefix)} state{'s' * (len(prefix) != 1)}, then "
    count += f"{len(cycle)} for ever" if cycle else "the end"
    pitch = 44.0 if labels else 26.0
    parts = [words(8, 16, count, bold=True)]
    heights = [44 + place * pitch for place in range(len(states))]
    for place, (state, y) in enumerate(zip(states, heights, strict=True)):
        again = place >= len(prefix)
        colour = BAD if again else "currentColor"
        if place + 1 < len(states):
            parts.append(line(f"M60 {y + 6:.1f}V{y + pitch - 6:.1f}", colour=colour))
        parts.append(f'<circle cx="60" cy="{y:.1f}" r="6" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts += [words(14, y + 4, str(place)), words(78, y + 4, state, fill=colour if again else "", bold=again)]
        if place < len(labels):
            parts.append(words(78, y + pitch / 2 + 4, f"- {labels[place]}"))
    if cycle:
        first, last = heights[len(prefix)], heights[-1]
        far = 60 - min(34.0, 14 + (last - first) / 6) if first != last else 26.0
        bow = 18.0 if first == last else 0.0
        bend = f"C{far:.1f} {last + bow:.1f} {far:.1f} {first - bow:.1f} 48 {first - bow / 4:.1f}"
        curve = f"M54 {last + bow / 4:.1f}{bend}"
        parts += [line(curve, colour=BAD, width=1.6), arrow((54, first), (1, bow / 16), BAD)]
    height = (heights[-1] if heights else 30) + (pitch / 2 + 12 if len(labels) == len(states) else 20)
    texts = [*states, *(f"- {label}" for label in labels), count]
    return svg(90 + LETTER * max(map(len, texts)), height, count, parts)
