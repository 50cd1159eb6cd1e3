"""Counterexamples: made from what a search finds, shortened, replayed step by step, and shown as text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from functools import reduce
from itertools import combinations, islice
from operator import or_
from typing import NamedTuple, TypeVar

from spec.ltl.emptiness import Cycle, Graph, Label, Lasso, accepting_cycle, shortest_cycle
from spec.ltl.graph import components as strong_components
from spec.ltl.word import show_letter
from spec.model.explore import DEADLOCK, Found
from spec.model.product import STAY
from spec.model.system import Path, State, Step, System

Node = TypeVar("Node", bound=Hashable)

WORK = 30_000
"""Edges that shortening one counterexample looks at, at most."""
EXACT_SETS = 4
"""With more acceptance sets than this the shortest cycle is not looked for, but one from each mark to the next."""
PIECES = 1000
"""Cuts of one path that are tried before one is made, at most."""
LETTERS = 500_000
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
        raise ReplayError(f"the path begins in {_line(system, states[0], None)}, which is not initial")
    for position, step in enumerate(path.steps):
        state = states[position]
        target = states[position + 1] if position < last else states[path.back or 0]
        successors = list(system.successors(state))
        if (step, target) in successors or (not successors and step == STAY and target == state):
            continue
        said = f"step {position + 1}, {_who(system, step)}{step.text}"
        if any(step == other for other, _ in successors):
            raise ReplayError(f"{said}: leads to {_line(system, target, None)}, which is not among what it leads to")
        raise ReplayError(f"{said}: cannot be taken in {_line(system, state, None)}")


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
        for cut in sorted(islice(_cuts(path), PIECES), key=lambda cut: cut.length):
            left -= cut.length**2
            if left < 0:
                return path
            shorter = cut.of(path)
            if wanted(shorter):
                path = _rolled(shorter)
                break
        else:
            return path


class _Cut(NamedTuple):
    """What is left of a path without the states `begin` to `end - 1`, or of one that goes round these for ever."""

    length: int
    begin: int
    end: int
    round: bool

    def of(self, path: Path) -> Path:
        states, steps, back = path
        begin, end = self.begin, self.end
        if self.round:
            return Path(states[:end], steps[:end], begin)
        moved = back if back is None or end > back else back - (end - begin)
        return Path(states[:begin] + states[end:], steps[:begin] + steps[end:], moved)


def _cuts(path: Path) -> Iterator[_Cut]:
    """Of each piece that begins and ends in the same state: the path without it, or with it as its cycle."""
    states, back = path.states, path.back
    visits: dict[Hashable, list[int]] = {}
    for place, state in enumerate(states):
        visits.setdefault(state, []).append(place)
    pairs = (pair for places in visits.values() for pair in combinations(places, 2))
    pieces = sorted(islice(pairs, 100 * PIECES), key=lambda piece: piece[0] - piece[1])
    for i, j in pieces:
        if back is None or j <= back or i >= back:
            yield _Cut(len(states) - (j - i), i, j, False)
    if back is not None:
        # Going round such a piece for ever is a run too.
        for i, j in pieces:
            yield _Cut(j, i, j, True)


def shorten(graph: Graph[Node, Label], lasso: Lasso[Node, Label], work: int = WORK) -> Lasso[Node, Label]:
    """A lasso that accepts too, of the fewest nodes that can be found with so many edges looked at.

    What is nearest to an initial node is looked at, with the lasso itself: first a little, then four times as much each
    time. In each accepting component of that the shortest accepting cycle through each node is measured, from the
    nearest on. A lasso is a shortest one when everything that is nearer than it is long has been looked at; when the
    work is used up, it is the best so far.
    """
    best = lasso
    known = _Known(graph)
    for edges in (work // 64, work // 16, work // 4, work):
        near, radius = _nearest(known, edges, len(best.nodes))
        nodes = near | (set(best.nodes) if len(best.nodes) <= work // 4 else set())
        part = _Part(known, nodes, edges)
        try:
            for shorter in _shorter(part, best):
                best = shorter
        except _UsedUp:
            pass
        if radius >= len(best.nodes) - 1:
            break
    return best


class _Known(Graph[Node, Label]):
    """The same graph, which remembers its edges."""

    def __init__(self, graph: Graph[Node, Label]) -> None:
        self._graph = graph
        self._edges: dict[Node, list[tuple[Label, Node, int]]] = {}

    @property
    def sets(self) -> int:
        return self._graph.sets

    def initial(self) -> Iterator[Node]:
        return iter(self._graph.initial())

    def accepting(self, node: Node) -> bool:
        return self._graph.accepting(node)

    def successors(self, node: Node) -> list[tuple[Label, Node, int]]:
        edges = self._edges.get(node)
        if edges is None:
            edges = self._edges[node] = list(self._graph.successors(node))
        return edges


class _UsedUp(Exception):  # noqa: N818
    pass


class _Part(_Known[Node, Label]):
    """Some nodes of a graph and the edges between them; so many edges may be asked for."""

    def __init__(self, graph: Graph[Node, Label], nodes: Set[Node], work: int) -> None:
        super().__init__(graph)
        self.nodes = nodes
        self._edges = {node: [edge for edge in graph.successors(node) if edge[1] in nodes] for node in nodes}
        self._left = work

    def initial(self) -> Iterator[Node]:
        return (node for node in self._graph.initial() if node in self.nodes)

    def successors(self, node: Node) -> list[tuple[Label, Node, int]]:
        edges = self._edges[node]
        self._left -= 1 + len(edges)
        if self._left < 0:
            raise _UsedUp
        return edges

    def accepting_components(self) -> Iterator[set[Node]]:
        """Those that have a cycle with every mark."""
        for component in strong_components(self.nodes, lambda node: [edge[1] for edge in self._edges[node]]):
            inside = set(component)
            within = [edge[2] for node in component for edge in self._edges[node] if edge[1] in inside]
            if within and reduce(or_, within) == (1 << self.sets) - 1:
                yield inside

    def distances(self) -> tuple[dict[Node, int], _Before[Node, Label]]:
        """How far each node is from an initial one, and the way there."""
        before: _Before[Node, Label] = dict.fromkeys(self.initial())
        distance = dict.fromkeys(before, 0)
        queue = deque(before)
        while queue:
            node = queue.popleft()
            for label, target, _ in self._edges[node]:
                if target not in before:
                    before[target] = node, label
                    distance[target] = distance[node] + 1
                    queue.append(target)
        return distance, before


_Before = dict[Node, tuple[Node, Label] | None]


def _nearest(graph: _Known[Node, Label], edges: int, enough: int) -> tuple[set[Node], int]:
    """The nodes nearest to an initial one, as many as have so many edges, and how far away the first is that is not.

    enough: nodes from which there are so many to an initial one are not wanted.
    """
    distance = dict.fromkeys(graph.initial(), 0)
    queue = deque(distance)
    near = set[Node]()
    while queue:
        node = queue.popleft()
        if edges <= 0 or distance[node] + 1 >= enough:
            return near, distance[node]
        near.add(node)
        found = graph.successors(node)
        edges -= 1 + len(found)
        for _, target, _ in found:
            if target not in distance:
                distance[target] = distance[node] + 1
                queue.append(target)
    return near, enough


def _shorter(graph: _Part[Node, Label], lasso: Lasso[Node, Label]) -> Iterator[Lasso[Node, Label]]:
    """Accepting lassos, each shorter than the one before.  Raises: _UsedUp."""
    length = len(lasso.nodes)
    inside = {node: component for component in graph.accepting_components() for node in component}
    distance, before = graph.distances()
    around = shortest_cycle if graph.sets <= EXACT_SETS else accepting_cycle
    for node in sorted(inside.keys() & distance.keys(), key=distance.__getitem__):
        if distance[node] + 1 >= length:
            return
        cycle = around(graph, node, inside[node])
        if cycle is not None and distance[node] + len(cycle.nodes) < length:
            length = distance[node] + len(cycle.nodes)
            yield _joined(before, node, cycle)


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
