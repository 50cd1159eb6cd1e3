"""Is there an accepting run? Two searches for one in a graph that is made as it is walked, and the lasso they find.

Nested depth-first search needs one acceptance set, of nodes; the search by strongly connected components takes any
number, on edges. `Counted` turns the second kind of graph into the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from spec.ltl.meter import Meter

Node = TypeVar("Node", bound=Hashable)
Label = TypeVar("Label")
Said = TypeVar("Said", covariant=True)


class Graph(Protocol[Node, Said]):
    """A graph whose infinite paths accept iff they bear each of the `sets` marks infinitely often."""

    @property
    def sets(self) -> int:
        """How many acceptance sets there are; with none, every infinite path accepts."""

    def initial(self) -> Iterable[Node]:
        """Where paths begin."""

    def successors(self, node: Node) -> Iterable[tuple[Said, Node, int]]:
        """The edges that leave `node`, always the same in the same order: label, target, marks (bit i for set i)."""

    def accepting(self, node: Node) -> bool:
        """Whether all edges that leave `node` bear every mark. For nested search all others must bear none."""


@dataclass(frozen=True, slots=True)
class Lasso(Generic[Node, Label]):
    """A path that begins in an initial node and goes round a cycle for ever.

    labels: of the edges, one for each node: labels[i] leaves node i of prefix + cycle; the last closes the cycle.
    """

    prefix: tuple[Node, ...]
    cycle: tuple[Node, ...]
    labels: tuple[Label, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Those of the prefix, then those of the cycle."""
        return self.prefix + self.cycle

    def _repr_html_(self) -> str:
        """For notebooks: the prefix, and the cycle closed by an arc."""
        from spec.ltl.picture import lasso

        return lasso([*map(str, self.prefix)], [*map(str, self.cycle)], [*map(str, self.labels)])

    def _repr_svg_(self) -> str:
        """The same where nobody says what the page looks like."""
        from spec.picture import alone

        return alone(self._repr_html_())


class Counted(Generic[Node, Label]):
    """The same graph with one acceptance set, of nodes: a node with the number of the mark that is waited for.

    sets + 1 copies; marks that come in order are counted at once.
    Source: Choueka, Theories of automata on omega-tapes (1974); the counter of weak fairness in SPIN is the same.
    """

    sets = 1

    def __init__(self, graph: Graph[Node, Label]) -> None:
        self.graph = graph
        self.last = graph.sets

    def initial(self) -> Iterator[tuple[Node, int]]:
        """The initial nodes, waiting for mark 0."""
        return ((node, 0) for node in self.graph.initial())

    def successors(self, node: tuple[Node, int]) -> Iterator[tuple[Label, tuple[Node, int], int]]:
        """Each edge, with the count that its marks lead to."""
        inner, count = node
        full = count == self.last
        for label, target, marks in self.graph.successors(inner):
            reached = 0 if full else count
            while reached < self.last and marks >> reached & 1:
                reached += 1
            yield label, (target, reached), int(full)

    def accepting(self, node: tuple[Node, int]) -> bool:
        """Whether all marks have come since the last such node."""
        return node[1] == self.last


# Colours of nodes; a cyan node, which is on the path, has its place on it as colour, 0 or more.
_BLUE, _RED = -1, -2


def nested(
    graph: Graph[Node, Label], meter: Meter | None = None, key: Callable[[Node], Hashable] | None = None
) -> Lasso[Node, Label] | None:
    """An accepting lasso, or None: nested depth-first search.

    The outer search colours a node cyan while it is on the path, and blue when it is left; then, if it accepts, an
    inner search looks for a way back to the path and colours red what it has seen, which no inner search sees again.
    A cycle that the outer search closes is found at once if any node on it accepts; a node all of whose successors are
    red becomes red without an inner search.
    key: what is stored of a node, itself if None; nodes with equal keys are taken for one, but a lasso is only made of
    nodes that are equal.
    Cost: each edge twice at most; no recursion.  Raises: BoundReached from `meter`.
    Source: Courcoubetis, Vardi, Wolper and Yannakakis (1992); Holzmann, Peled and Yannakakis (1996); Gastin, Moro and
    Zeitoun (2004); Schwoon and Esparza, A note on on-the-fly verification algorithms (2005); that all of the cycle is
    looked at for an accepting node is as in Couvreur, Duret-Lutz and Poitrenaud (2005).
    """
    search = _Nested(graph, meter or Meter(), key)
    for start in graph.initial():
        found = search.outer(start)
        if found is not None:
            return found
    return None


class _Nested(Generic[Node, Label]):
    """The state of one nested search. The path is three lists: its nodes, their keys, and the labels between them."""

    def __init__(self, graph: Graph[Node, Label], meter: Meter, key: Callable[[Node], Hashable] | None) -> None:
        self.graph = graph
        self.meter = meter
        self.key = key
        self.colour: dict[Hashable, int] = {}
        self.path: list[Node] = []
        self.labels: list[Label] = []

    def outer(self, start: Node) -> Lasso[Node, Label] | None:
        graph, colour, meter, path, labels, key = self.graph, self.colour, self.meter, self.path, self.labels, self.key
        start_key = start if key is None else key(start)
        if start_key in colour:
            return None
        # One frame for each node of the path: its key, and its edges still to walk; the place of the last node up to it
        # that accepts, -1 if none does; and whether all targets so far are red.
        frames: list[tuple[Hashable, Iterator[tuple[Label, Node, int]]]] = []
        last: list[int] = [-1]
        all_red: list[bool] = []

        def enter(node: Node, node_key: Hashable) -> None:
            meter.state()
            colour[node_key] = place = len(path)
            path.append(node)
            frames.append((node_key, iter(graph.successors(node))))
            last.append(place if graph.accepting(node) else last[-1])
            all_red.append(True)
            meter.deep(place + 1)

        enter(start, start_key)
        while frames:
            node_key, rest = frames[-1]
            for label, target, _ in rest:
                meter.transition()
                target_key = target if key is None else key(target)
                seen = colour.get(target_key)
                if seen is None:
                    labels.append(label)
                    enter(target, target_key)
                    break
                if 0 <= seen <= last[-1]:
                    found = self._lasso(seen, target, [], [label])
                    if found is not None:
                        return found
                if seen != _RED:
                    all_red[-1] = False
            else:
                if all_red[-1]:
                    colour[node_key] = _RED
                elif last[-1] == len(path) - 1:
                    found = self._inner(path[-1])
                    if found is not None:
                        return found
                    colour[node_key] = _RED
                else:
                    colour[node_key] = _BLUE
                path.pop()
                frames.pop()
                last.pop()
                all_red.pop()
                if frames:
                    labels.pop()
                    if colour[node_key] != _RED:
                        all_red[-1] = False
        return None

    def _inner(self, seed: Node) -> Lasso[Node, Label] | None:
        graph, colour, meter, key = self.graph, self.colour, self.meter, self.key
        nodes: list[Node] = []
        labels: list[Label] = []
        frames = [iter(graph.successors(seed))]
        while frames:
            for label, target, _ in frames[-1]:
                meter.transition()
                target_key = target if key is None else key(target)
                seen = colour.get(target_key)
                if seen is not None and seen >= 0:
                    found = self._lasso(seen, target, nodes, [*labels, label])
                    if found is not None:
                        return found
                elif seen == _BLUE:
                    colour[target_key] = _RED
                    nodes.append(target)
                    labels.append(label)
                    frames.append(iter(graph.successors(target)))
                    break
            else:
                frames.pop()
                if nodes:
                    nodes.pop()
                    labels.pop()
        return None

    def _lasso(self, place: int, back: Node, nodes: list[Node], labels: list[Label]) -> Lasso[Node, Label] | None:
        """The path, then `nodes`, then back to the node at `place`; None if that has only the key of `back`."""
        if self.path[place] != back:
            return None
        return Lasso(tuple(self.path[:place]), (*self.path[place:], *nodes), (*self.labels, *labels))


def connected(graph: Graph[Node, Label], meter: Meter | None = None) -> Lasso[Node, Label] | None:
    """An accepting lasso, or None: search by strongly connected components, with any number of acceptance sets.

    Components are merged as edges close cycles, and carry the marks of the edges inside; the search ends as soon as
    one carries all.  Cost: each edge once; no recursion.  Raises: BoundReached from `meter`.
    Source: Couvreur, On-the-fly verification of linear temporal logic (1999); Geldenhuys and Valmari (2004).
    """
    meter = meter or Meter()
    wanted = (1 << graph.sets) - 1
    order: dict[Node, int] = {}
    closed: set[Node] = set()
    open_nodes: list[Node] = []
    # For each component on the path: the order of its first node, marks inside it, marks of the edge that leads to it.
    roots: list[list[int]] = []
    path: list[Node] = []
    labels: list[Label] = []
    frames: list[Iterator[tuple[Label, Node, int]]] = []

    def enter(node: Node, marks: int) -> None:
        meter.state()
        order[node] = len(order)
        open_nodes.append(node)
        roots.append([order[node], 0, marks])
        path.append(node)
        frames.append(iter(graph.successors(node)))
        meter.deep(len(path))

    for start in graph.initial():
        if start in order:
            continue
        enter(start, 0)
        while frames:
            for label, target, marks in frames[-1]:
                meter.transition()
                if target not in order:
                    labels.append(label)
                    enter(target, marks)
                    break
                if target in closed:
                    continue
                collected = marks
                while roots[-1][0] > order[target]:
                    _, inside, leading = roots.pop()
                    collected |= inside | leading
                roots[-1][1] |= collected
                if roots[-1][1] == wanted:
                    first = roots[-1][0]
                    component = {node for node in reversed(open_nodes) if order[node] >= first}
                    position = next(i for i, node in enumerate(path) if node in component)
                    cycle = accepting_cycle(graph, path[position], component)
                    if cycle is None:
                        raise AssertionError("a component that bears all marks has a cycle that does")
                    nodes, closing = cycle
                    return Lasso(tuple(path[:position]), nodes, (*labels[:position], *closing))
            else:
                node = path.pop()
                frames.pop()
                if labels:
                    labels.pop()
                if roots[-1][0] == order[node]:
                    roots.pop()
                    while True:
                        member = open_nodes.pop()
                        closed.add(member)
                        if member == node:
                            break
    return None


class Cycle(NamedTuple, Generic[Node, Label]):
    """A cycle: its nodes, and the labels that leave them; the last leads back to the first."""

    nodes: tuple[Node, ...]
    labels: tuple[Label, ...]


def accepting_cycle(graph: Graph[Node, Label], start: Node, inside: set[Node] | None) -> Cycle[Node, Label] | None:
    """A cycle from `start` that bears every mark and stays in the set, or None: from each mark to the nearest next.

    inside: a strongly connected set of nodes; None for no limit.  Cost: O(sets * edges inside).
    """
    missing = (1 << graph.sets) - 1
    nodes: list[Node] = [start]
    labels: list[Label] = []
    while missing:
        walk = shortest_walk(graph, nodes[-1], lambda node, marks: bool(marks & missing), inside)  # noqa: B023
        if walk is None:
            return None
        for label, node, marks in walk:
            labels.append(label)
            nodes.append(node)
            missing &= ~marks
    if len(nodes) == 1 or nodes[-1] != start:
        walk = shortest_walk(graph, nodes[-1], lambda node, marks: node == start, inside)
        if walk is None:
            return None
        for label, node, _ in walk:
            labels.append(label)
            nodes.append(node)
    return Cycle(tuple(nodes[:-1]), tuple(labels))


def shortest_cycle(graph: Graph[Node, Label], start: Node, inside: set[Node] | None) -> Cycle[Node, Label] | None:
    """A cycle of the fewest edges from `start` that bears every mark and stays in the set, or None.

    Cost: O(2^sets * edges inside).
    """
    wanted = (1 << graph.sets) - 1
    place = start, 0
    before: dict[tuple[Node, int], tuple[tuple[Node, int], Label]] = {}
    queue = deque([place])
    while queue:
        node, seen = current = queue.popleft()
        for label, target, marks in graph.successors(node):
            if inside is not None and target not in inside:
                continue
            after = target, seen | marks
            if after == (start, wanted):
                nodes, labels = [node], [label]
                while current != place:
                    current, label = before[current]
                    nodes.append(current[0])
                    labels.append(label)
                return Cycle(tuple(nodes[::-1]), tuple(labels[::-1]))
            if after not in before and after != place:
                before[after] = current, label
                queue.append(after)
    return None


def shortest_walk(
    graph: Graph[Node, Label],
    start: Node,
    wanted: Callable[[Node, int], bool],
    inside: set[Node] | None = None,
) -> list[tuple[Label, Node, int]] | None:
    """The fewest edges, at least one, from `start` to one that is wanted by its target and marks; None if none is."""
    before: dict[Node, tuple[Node, tuple[Label, Node, int]]] = {}
    queue = deque([start])
    reached = {start}
    while queue:
        node = queue.popleft()
        for edge in graph.successors(node):
            target = edge[1]
            if inside is not None and target not in inside:
                continue
            if wanted(target, edge[2]):
                walk = [edge]
                while node != start:
                    node, edge = before[node]
                    walk.append(edge)
                return walk[::-1]
            if target not in reached:
                reached.add(target)
                before[target] = node, edge
                queue.append(target)
    return None
