"""Figures of the chapter on model checking: a state space, the product that is searched, and what was found."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from docs.figures import figure
from docs.figures_hardware_draw import WIDTH, arrow, box, words
from m4alloc.view.lasso import lasso
from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, coordinate, element, picture
from spec.ltl.parser import parse
from spec.ltl.translate import buchi
from spec.model import catalogue
from spec.model.execution import Execution, Values
from spec.model.product import Product
from spec.model.reader import read
from spec.model.search import check

SLOT = """
model one_slot
const CAREFUL = {careful}
var free: bool = true
process client[i: 0..1] {{
    loop {{
        if CAREFUL {{ atomic {{ await free  free = false }} }}
        else {{ await free  free = false }}
        using: free = true
    }}
}}
predicate both = client[0]@using && client[1]@using
predicate first = client[0]@using
"""


def slot(careful: bool) -> Execution:
    """The chapter's model: two clients of one slot, which look and take in one step if careful, else in two.

    >>> check(slot(True)).states, check(slot(False)).states
    (3, 13)
    """
    return Execution(read(SLOT.format(careful=str(careful).lower())))


def levels(system: Execution) -> list[list[Values]]:
    """The states by their distance from the initial one.

    >>> [len(level) for level in levels(slot(False))]
    [1, 2, 3, 2, 1, 2, 2]
    """
    found = [list(system.initial())]
    seen = set(found[0])
    while found[-1]:
        following = []
        for state in found[-1]:
            for _, target in system.successors(state):
                if target not in seen:
                    seen.add(target)
                    following.append(target)
        found.append(following)
    return found[:-1]


@figure("model-states")
def states() -> Element:
    """Every state of the careless slot, by distance, and every step."""
    system = slot(careful=False)
    rows = levels(system)
    pitch, wide, high, row_pitch = WIDTH / len(rows), 82.0, 52.0, 92.0
    at: dict[Values, tuple[float, float]] = {}
    for column, row in enumerate(rows):
        for place, state in enumerate(row):
            at[state] = (column * pitch + (pitch - wide) / 2, 36 + (place + (3 - len(row)) / 2) * row_pitch)
    parts: list[Child] = [
        words(f"{column} steps" if column != 1 else "1 step", (column + 0.5) * pitch, 14, anchor="middle", size=11)
        for column in range(len(rows))
    ]
    column_of = {state: column for column, row in enumerate(rows) for state in row}
    for state, (x, y) in at.items():
        for step, target in system.successors(state):
            to_x, to_y = at[target]
            if column_of[target] > column_of[state]:
                parts += arrow([(x + wide, y + high / 2), (to_x - 1, to_y + high / 2)])
                middle = (x + wide + to_x) / 2, (y + to_y + high) / 2
                parts.append(words(str(step.process), middle[0] - 2, middle[1] - 4, anchor="middle", size=9.5))
    numbers = {state: number for number, state in enumerate(state for row in rows for state in row)}
    for state, (x, y) in at.items():
        wrong = "both" in system.letter(state)
        parts.append(box(x, y, wide, high, "bad" if wrong else "series-1", dashed=wrong))
        said = [one for one in system.show(state).split() if "@" in one]
        where = [{"0": "outside", "1": "has looked", "using": "using"}[one.split("@")[1]] for one in said]
        free = "free" if "free=1" in system.show(state) else "taken"
        parts.append(words(f"{numbers[state]}: {free}", x + 5, y + 13, size=10, style="font-weight:600"))
        parts.append(words(f"0: {where[0]}", x + 5, y + 28, size=10))
        parts.append(words(f"1: {where[1]}", x + 5, y + 42, size=10))
        back = sorted(
            numbers[target] for _, target in system.successors(state) if column_of[target] <= column_of[state]
        )
        if back:
            text = "to " + ", ".join(map(str, back))
            parts.append(words(text, x + wide / 2, y + high + 13, anchor="middle", size=10, class_="muted"))
    text = "Two clients of one slot. In state 8 both are using it; the steps that lead there are 0, 1, 0, 1."
    return picture(parts, WIDTH, 36 + 3 * row_pitch - 8, "The thirteen states of a careless slot", text)


Node = tuple[Values, int]


def product() -> Product[Values]:
    """The careful slot beside the automaton of the runs in which client 0 is served finitely often."""
    return Product(slot(careful=True), buchi(parse("!([]<>first)")))


def searched() -> tuple[dict[Node, int], list[Node]]:
    """A textbook's nested search of `product`: when the outer one came to each node, and the cycle that was found.

    >>> order, cycle = searched()
    >>> sorted(order.values()), len(cycle)
    ([1, 2, 3, 4, 5], 2)
    """
    graph, order, seen = product(), dict[Node, int](), set[Node]()

    def inner(node: Node, path: list[Node], way: list[Node]) -> list[Node] | None:
        seen.add(node)
        for _, target, _ in graph.successors(node):
            if target in path:
                return [*path[path.index(target) :], *way]
            if target not in seen:
                found = inner(target, path, [*way, target])
                if found:
                    return found
        return None

    def outer(node: Node, path: list[Node]) -> list[Node] | None:
        order[node] = len(order) + 1
        for _, target, _ in graph.successors(node):
            if target not in order:
                found = outer(target, [*path, target])
                if found:
                    return found
        return inner(node, path, []) if graph.accepting(node) else None

    for start in graph.initial():
        found = outer(start, [start])
        if found:
            return order, found
    raise AssertionError("there is a run in which client 0 is never served")


@figure("model-product")
def nested() -> Element:
    """The product of three states and two automaton states, numbered as the nested search comes to them."""
    graph = product()
    order, cycle = searched()
    (initial,) = graph.initial()
    nodes: list[Node] = [initial]
    for node in nodes:
        nodes += [target for _, target, _ in graph.successors(node) if target not in nodes]
    round_about = set(pairwise([*cycle, cycle[0]]))
    columns = {"client 0 has it": 176.0, "free": 404.0, "client 1 has it": 632.0}
    rows = {False: 62.0, True: 182.0}
    parts: list[Child] = [words(name, x, 14, anchor="middle", size=11, class_="muted") for name, x in columns.items()]
    parts.append(words("waits", 0, rows[False] + 4))
    parts.append(words("has guessed", 0, rows[True] + 4))
    at = {node: (columns[_who(graph, node[0])], rows[graph.accepting(node)]) for node in nodes}
    for node in nodes:
        for _, target, _ in graph.successors(node):
            parts += _edge(at[node], at[target], (node, target) in round_about)
    for node, (x, y) in at.items():
        found = node in cycle
        role = "bad" if found else "series-1" if node in order else "line"
        parts.append(element("ellipse", cx=x, cy=y, rx=58, ry=22, fill=variable("page")))
        parts.append(
            element(
                "ellipse", cx=x, cy=y, rx=58, ry=22, fill=variable(role), fill_opacity=0.25, stroke=variable(role),
                stroke_width=1.5,
            )
        )  # fmt: skip
        if graph.accepting(node):
            parts.append(element("ellipse", cx=x, cy=y, rx=54, ry=18, fill="none", stroke=variable(role)))
        number = f"visited {order[node]}" if node in order else "not visited"
        parts.append(words(number, x, y + 4, anchor="middle", size=11))
    text = "The lower row accepts. The cycle between free and client 1 in the lower row is the counterexample."
    return picture(parts, WIDTH, 222, "The product of the slot and the automaton, as it was searched", text)


def _who(graph: Product[Values], state: Values) -> str:
    shown = graph.system.show(state)
    return "free" if "free=1" in shown else "client 0 has it" if "client[0]@using" in shown else "client 1 has it"


def _edge(start: tuple[float, float], stop: tuple[float, float], found: bool) -> Iterable[Child]:
    """An arrow between two ellipses, bent so that there and back do not meet."""
    (x, y), (to_x, to_y) = start, stop
    role = "bad" if found else "muted"
    if y == to_y:
        side = -9 if to_x > x else 9
        reach = 56 if to_x > x else -56
        return arrow([(x + reach, y + side), (to_x - reach, y + side)], role)
    reach = 42 if to_x > x else -42
    ends = ((x + reach, y + 16), (to_x - reach, to_y - 17))
    return [
        element(
            "path", d="M" + "L".join(f"{coordinate(a)} {coordinate(b)}" for a, b in ends), stroke=variable(role),
            fill="none",
        ),
        *arrow([ends[0], ends[1]], role),
    ]  # fmt: skip


@figure("model-missing-lock")
def missing_lock() -> Element:
    """The run in which a free list without its lock hands one block out twice."""
    program = catalogue.program("free_list", {"LOCKED": 0})
    system = Execution(program)
    claim = next(one for one in program.properties if one.name == "handed_out_once")
    result = check(system, claim.formula)
    if result.counterexample is None:
        raise AssertionError("without its lock the free list hands out a block twice")
    return lasso(system, result.counterexample, "Without the lock: one block, two owners")
