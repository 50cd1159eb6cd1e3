"""Counterexamples: made from what a search finds, shortened, replayed step by step, and shown as text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import combinations, islice
from typing import TypeVar

from spec.ltl.emptiness import Cycle, Graph, Label, Lasso, accepting_cycle, shortest_cycle
from spec.ltl.graph import components as strong_components
from spec.ltl.word import show_letter
from spec.model.explore import DEADLOCK, Found
from spec.model.product import STAY
from spec.model.system import Path, State, Step, System

Node = TypeVar("Node", bound=Hashable)

WORK = 100_000
"""Edges that shortening one counterexample looks at, at most."""
EXACT_SETS = 4
"""With more acceptance sets than this the shortest cycle is not looked for, but one from each mark to the next."""
PIECES = 1000
"""Cuts of one path that are tried before one is made, at most."""
LETTERS = 1_000_000
"""Squares of lengths of the paths that simplifying one counterexample looks at, in sum, at most."""


class ReplayError(ValueError):
    """A path that is not one of the system's; the message says at which step."""


def replay(system: System[State], path: Path) -> None:
    """Raise ReplayError unless `path` is a run of `system`: it begins in an initial state, and each step is one.

    A step of process -1 that stays where it is replays only in a state without successors, or if the system has it.
    Cost: successors of each state of the path, once.

    >>> from spec.ltl.parser import parse_word
    >>> from spec.model.path import PathSystem
    >>> system = PathSystem(parse_word("p; cycle{q}"))
    >>> replay(system, Path((0, 1), (Step(0, "p"), Step(0, "q")), 1))
    >>> replay(system, Path((0, 0), (Step(0, "p"),)))
    Traceback (most recent call last):
    spec.model.counterexample.ReplayError: step 1, path: p: leads to 0: p, which is not among what it leads to
    """
    last = len(path.states) - 1
    if path.back is not None and not 0 <= path.back <= last:
        raise ReplayError(f"the path of {last + 1} states goes back to state {path.back}")
    if len(path.steps) != last + (path.back is not None):
        raise ReplayError(f"the path has {last + 1} states and {len(path.steps)} steps")
    states: Sequence[State] = path.states  # type: ignore[assignment]
    if states[0] not in set(system.initial()):
        raise ReplayError(f"the path begins in {system.show(states[0])}, which is not initial")
    for position, step in enumerate(path.steps):
        state = states[position]
        target = states[position + 1] if position < last else states[path.back or 0]
        successors = list(system.successors(state))
        if (step, target) in successors or (not successors and step == STAY and target == state):
            continue
        said = f"step {position + 1}, {_who(system, step)}{step.text}"
        if any(step == other for other, _ in successors):
            raise ReplayError(f"{said}: leads to {system.show(target)}, which is not among what it leads to")
        raise ReplayError(f"{said}: cannot be taken in {system.show(state)}")


def _who(system: System[State], step: Step) -> str:
    return f"{system.processes[step.process]}: " if step.process >= 0 else ""


def finite_path(found: Found[Node], state: Callable[[Node], Hashable] = lambda node: node) -> Path:
    """The path of what exploration found; a deadlock stays where it is for ever."""
    states = tuple(state(node) for node in found.nodes)
    if found.reason == DEADLOCK:
        return Path(states, (*found.steps, STAY), len(states) - 1)
    return Path(states, found.steps)


def lasso_path(lasso: Lasso[tuple[State, int], Step]) -> Path:
    """The system's part of a lasso of its product with an automaton, its cycle written once."""
    states = tuple(state for state, _ in lasso.nodes)
    return _rolled(Path(states, lasso.labels, len(lasso.prefix)))


def _rolled(path: Path) -> Path:
    """The same run with the shortest cycle and the shortest prefix that it can be written with."""
    if path.back is None:
        return path
    pairs = list(zip(path.states, path.steps, strict=True))
    prefix, cycle = pairs[: path.back], pairs[path.back :]
    length = next(n for n in range(1, len(cycle) + 1) if len(cycle) % n == 0 and cycle[:n] * (len(cycle) // n) == cycle)
    cycle = cycle[:length]
    while prefix and prefix[-1] == cycle[-1]:
        cycle = [prefix.pop(), *cycle[:-1]]
    pairs = prefix + cycle
    return Path(tuple(state for state, _ in pairs), tuple(step for _, step in pairs), len(prefix))


def simplify(path: Path, wanted: Callable[[Path], bool]) -> Path:
    """A path from which no piece between two visits of one state can be cut so that it is still wanted.

    The shortest of the paths that a cut leaves are tried first. Of a path so long that trying takes more than LETTERS
    letters, squared, since that is what evaluating a formula costs, some pieces are left.
    """
    left = LETTERS
    while True:
        for cut in sorted(islice(_cuts(path), PIECES), key=lambda cut: len(cut.states)):
            left -= len(cut.states) ** 2
            if left < 0:
                return path
            if wanted(cut):
                path = _rolled(cut)
                break
        else:
            return path


def _cuts(path: Path) -> Iterator[Path]:
    """The path without one of the pieces that begin and end in the same state, or with one as its cycle."""
    states, steps, back = path
    visits: dict[Hashable, list[int]] = {}
    for place, state in enumerate(states):
        visits.setdefault(state, []).append(place)
    pairs = (pair for places in visits.values() for pair in combinations(places, 2))
    pieces = sorted(islice(pairs, 100 * PIECES), key=lambda piece: piece[0] - piece[1])
    for i, j in pieces:
        if back is None or j <= back:
            moved = None if back is None else back - (j - i)
        elif i >= back:
            moved = back
        else:
            continue
        yield Path(states[:i] + states[j:], steps[:i] + steps[j:], moved)
    if back is not None:
        # Going round such a piece for ever is a run too.
        for i, j in pieces:
            yield Path(states[:j], steps[:j], i)


def shorten(graph: Graph[Node, Label], lasso: Lasso[Node, Label], work: int = WORK) -> Lasso[Node, Label]:
    """A lasso that accepts too, of the fewest nodes that can be found with so many edges looked at.

    Every accepting component is gathered, or, where that is too much work, the lasso's own. Their nodes are found
    breadth-first, and from the nearest on the shortest accepting cycle through each is measured. When the work is used
    up, the best so far.
    """
    best = lasso
    around = shortest_cycle if graph.sets <= EXACT_SETS else accepting_cycle
    for gather in (_accepting, lambda graph: [_component(graph, lasso.cycle[0])]):
        allowance = _Allowance(graph, work)
        try:
            components = gather(allowance)
            of = {node: component for component in components for node in component}
            distance, before = _distances(allowance, set(of))
        except _UsedUp:
            continue
        try:
            for node in sorted(of.keys() & distance.keys(), key=distance.__getitem__):
                if distance[node] + 1 >= len(best.nodes):
                    break
                cycle = around(allowance, node, of[node])
                if cycle is not None and distance[node] + len(cycle.nodes) < len(best.nodes):
                    best = _joined(before, node, cycle)
        except _UsedUp:
            pass
        break
    return best


def _accepting(graph: Graph[Node, Label]) -> list[set[Node]]:
    """The components that have a cycle with every mark."""
    found: list[set[Node]] = []
    for component in strong_components(graph.initial(), lambda node: [edge[1] for edge in graph.successors(node)]):
        inside = set(component)
        marks, cyclic = 0, False
        for node in component:
            for _, target, mark in graph.successors(node):
                if target in inside:
                    marks, cyclic = marks | mark, True
        if cyclic and marks == (1 << graph.sets) - 1:
            found.append(inside)
    return found


class _UsedUp(Exception):  # noqa: N818
    pass


class _Allowance(Graph[Node, Label]):
    """The same graph, for so many edges."""

    def __init__(self, graph: Graph[Node, Label], work: int) -> None:
        self._graph = graph
        self._left = work
        self._known: dict[Node, list[tuple[Label, Node, int]]] = {}

    @property
    def sets(self) -> int:
        return self._graph.sets

    def initial(self) -> Iterator[Node]:
        return iter(self._graph.initial())

    def accepting(self, node: Node) -> bool:
        return self._graph.accepting(node)

    def successors(self, node: Node) -> list[tuple[Label, Node, int]]:
        edges = self._known.get(node)
        if edges is None:
            edges = self._known[node] = list(self._graph.successors(node))
        self._left -= 1 + len(edges)
        if self._left < 0:
            raise _UsedUp
        return edges


def _component(graph: Graph[Node, Label], start: Node) -> set[Node]:
    """The nodes that `start` leads to and that lead to it."""
    sources: dict[Node, list[Node]] = {start: []}
    waiting = [start]
    while waiting:
        node = waiting.pop()
        for _, target, _ in graph.successors(node):
            if target not in sources:
                sources[target] = []
                waiting.append(target)
            sources[target].append(node)
    component = {start}
    waiting = [start]
    while waiting:
        for source in sources[waiting.pop()]:
            if source not in component:
                component.add(source)
                waiting.append(source)
    return component


_Before = dict[Node, tuple[Node, Label] | None]


def _distances(graph: Graph[Node, Label], wanted: set[Node]) -> tuple[dict[Node, int], _Before[Node, Label]]:
    """How far each node is from an initial one, as far as the farthest that is wanted, and the way there."""
    before: _Before[Node, Label] = dict.fromkeys(graph.initial())
    distance = dict.fromkeys(before, 0)
    queue = deque(before)
    missing = len(wanted - before.keys())
    while queue and missing:
        node = queue.popleft()
        for label, target, _ in graph.successors(node):
            if target not in before:
                before[target] = node, label
                distance[target] = distance[node] + 1
                queue.append(target)
                missing -= target in wanted
    return distance, before


def _joined(before: _Before[Node, Label], start: Node, cycle: Cycle[Node, Label]) -> Lasso[Node, Label]:
    nodes: list[Node] = []
    labels: list[Label] = []
    step = before[start]
    while step is not None:
        nodes.append(step[0])
        labels.append(step[1])
        step = before[step[0]]
    return Lasso(tuple(nodes[::-1]), cycle.nodes, (*labels[::-1], *cycle.labels))


def show(system: System[State], path: Path) -> str:
    """The path as text: the first state in full, then a line a step with what it changes and the letter it leads to.

    What is changed are the words of `system.show` that were not there before. Propositions stand in braces.

    >>> from spec.ltl.parser import parse_word
    >>> from spec.model.path import PathSystem
    >>> system = PathSystem(parse_word("p; cycle{q}"))
    >>> print(show(system, Path((0, 1), (Step(0, "p"), Step(0, "q")), 1)))
    0           0: p  {p}
    1  path: p  1: q  {q}
    -- from here on, for ever --
    2  path: q  back to 1
    """
    states: Sequence[State] = path.states  # type: ignore[assignment]
    rows = [("0", "", _line(system, states[0], None))]
    for position, step in enumerate(path.steps, 1):
        said = _who(system, step) + step.text
        if position < len(states):
            after = step.fault or _line(system, states[position], states[position - 1])
        else:
            after = f"back to {path.back}"
        rows.append((str(position), said, after))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    widths[1] = min(widths[1], 60)
    lines = [f"{number:>{widths[0]}}  {said:<{widths[1]}}  {after}".rstrip() for number, said, after in rows]
    if path.back is not None:
        lines.insert(path.back + 1, "-- from here on, for ever --")
    return "\n".join(lines)


def _line(system: System[State], state: State, before: State | None) -> str:
    letter = system.letter(state)
    raised = "{" + show_letter(letter) + "}" if letter else ""
    return "  ".join(part for part in (changes(system, state, before), raised) if part)


def changes(system: System[State], state: State, before: State | None) -> str:
    """The words of `system.show(state)` that are others than at their place in the state before; all without one."""
    words = system.show(state).split()
    old = [] if before is None else system.show(before).split()
    return " ".join(word for place, word in enumerate(words) if place >= len(old) or word != old[place])
