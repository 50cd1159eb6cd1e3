"""Looks at every state that can be reached, breadth-first or depth-first, until something is wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from spec.ltl.meter import Meter
from spec.model.product import STAY, Product
from spec.model.system import State, Step, System

Node = TypeVar("Node", bound=Hashable)
Edges = list[tuple[Step, Node]]
Key = Callable[[Node], Hashable]
DEADLOCK = "deadlock"
VIOLATED = "violated"


class Space(Protocol[Node]):
    """What is explored, and what would be wrong."""

    def initial(self) -> Iterable[Node]:
        """Where to begin."""

    def look(self, node: Node) -> tuple[str, Edges[Node]]:
        """What is wrong with `node`, empty if nothing is, and the steps from it."""


@dataclass(frozen=True, slots=True)
class Found(Generic[Node]):
    """A run to something wrong: nodes, and the steps between them."""

    reason: str
    nodes: tuple[Node, ...]
    steps: tuple[Step, ...]


class States(Generic[State]):
    """The states of a system; a deadlock is wrong, if it is asked for."""

    def __init__(self, system: System[State], deadlock: bool) -> None:
        self._system = system
        self._deadlock = deadlock

    def initial(self) -> Iterable[State]:
        """The system's."""
        return self._system.initial()

    def look(self, node: State) -> tuple[str, Edges[State]]:
        """A deadlock is a state without successors in which the run may not end."""
        edges = list(self._system.successors(node))
        wrong = DEADLOCK if self._deadlock and not edges and not self._system.ended(node) else ""
        return wrong, edges


class Prefixes(Generic[State]):
    """The nodes of a product; it is wrong when the automaton comes to a state from which it accepts everything."""

    def __init__(self, product: Product[State], decided: frozenset[int]) -> None:
        self._product = product
        self._decided = decided

    def initial(self) -> Iterable[tuple[State, int]]:
        """The product's."""
        return self._product.initial()

    def look(self, node: tuple[State, int]) -> tuple[str, Edges[tuple[State, int]]]:
        """The letter of the node's state is the last of a bad prefix when the automaton may go to a decided state."""
        moves = self._product.moves(node)
        if node[1] in self._decided or any(after in self._decided for after, _ in moves):
            return VIOLATED, []
        if not moves:
            return "", []
        steps = list(self._product.system.successors(node[0])) or [(STAY, node[0])]
        return "", [(step, (target, after)) for step, target in steps for after, _ in moves]


def breadth_first(space: Space[Node], meter: Meter, key: Key[Node] | None = None) -> Found[Node] | None:
    """A shortest run to something wrong, or None when nothing is.  Raises: BoundReached from `meter`.

    key: what is stored of a node, itself if None.  Cost: each edge once; a parent for each node.
    """
    before: dict[Hashable, Hashable] = {}
    level: list[Node] = []
    for start in space.initial():
        start_key = start if key is None else key(start)
        if start_key not in before:
            meter.state()
            before[start_key] = None
            level.append(start)
    while level:
        meter.deep(meter.depth + 1)
        following: list[Node] = []
        for node in level:
            node_key = node if key is None else key(node)
            wrong, edges = space.look(node)
            if wrong:
                return _retrace(space, before, node, key, wrong)
            for step, target in edges:
                meter.transition()
                if step.fault:
                    found = _retrace(space, before, node, key, step.fault)
                    return Found(step.fault, (*found.nodes, target), (*found.steps, step))
                target_key = target if key is None else key(target)
                if target_key not in before:
                    meter.state()
                    before[target_key] = node_key
                    following.append(target)
        level = following
    return None


def _retrace(
    space: Space[Node], before: dict[Hashable, Hashable], last: Node, key: Key[Node] | None, reason: str
) -> Found[Node]:
    """The run to `last`: the keys backwards, then forwards all nodes with these keys, of which `last` is one."""

    def of(node: Node) -> Hashable:
        return node if key is None else key(node)

    keys: list[Hashable] = []
    current: Hashable = of(last)
    while current is not None:
        keys.append(current)
        current = before[current]
    layers: list[dict[Node, tuple[Step, Node] | None]] = []
    layers.append({node: None for node in space.initial() if of(node) == keys[-1]})
    for wanted in keys[-2::-1]:
        layer: dict[Node, tuple[Step, Node] | None] = {}
        for node in layers[-1]:
            for step, target in space.look(node)[1]:
                if not step.fault and of(target) == wanted:
                    layer.setdefault(target, (step, node))
        layers.append(layer)
    nodes, steps = [last], list[Step]()
    for layer in layers[::-1]:
        link = layer[nodes[-1]]
        if link is not None:
            steps.append(link[0])
            nodes.append(link[1])
    return Found(reason, tuple(nodes[::-1]), tuple(steps[::-1]))


def depth_first(
    space: Space[Node],
    meter: Meter,
    key: Key[Node] | None = None,
    keep: Callable[[Node, Edges[Node], set[Hashable]], Edges[Node]] | None = None,
    faults: bool = True,
) -> Found[Node] | None:
    """A run to something wrong, or None when nothing is; less memory than breadth-first, and longer runs.

    keep: which of a node's edges to follow, when it is entered; it is told the keys of the nodes on the path.
    faults: whether a step that fails is wrong; else it is not followed.
    Raises: BoundReached from `meter`.  Cost: each edge once; no recursion.
    """
    seen: set[Hashable] = set()
    for start in space.initial():
        start_key = start if key is None else key(start)
        if start_key in seen:
            continue
        nodes, keys, steps = [start], [start_key], list[Step]()
        on_path = {start_key}
        frames: list[Iterator[tuple[Step, Node]]] = []
        entered = True
        while nodes:
            if entered:
                meter.state()
                seen.add(keys[-1])
                meter.deep(len(nodes))
                wrong, edges = space.look(nodes[-1])
                if wrong:
                    return Found(wrong, tuple(nodes), tuple(steps))
                if keep is not None:
                    edges = keep(nodes[-1], edges, on_path)
                frames.append(iter(edges))
                entered = False
            for step, target in frames[-1]:
                meter.transition()
                if step.fault:
                    if faults:
                        return Found(step.fault, (*nodes, target), (*steps, step))
                    continue
                target_key = target if key is None else key(target)
                if target_key not in seen:
                    nodes.append(target)
                    keys.append(target_key)
                    steps.append(step)
                    on_path.add(target_key)
                    entered = True
                    break
            else:
                frames.pop()
                nodes.pop()
                on_path.discard(keys.pop())
                if steps:
                    steps.pop()
    return None
