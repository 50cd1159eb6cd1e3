"""Strongly connected components of a graph that is made as it is walked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def components(initial: Iterable[Node], successors: Callable[[Node], Iterable[Node]]) -> Iterator[list[Node]]:
    """The strongly connected components that are reachable, each after all that it leads to.

    A component of one node has a cycle only if the node is its own successor. `successors` is asked once a node.
    Cost: linear in the edges; no recursion.  Source: Tarjan, Depth-first search and linear graph algorithms (1972).

    >>> edges = {1: [2], 2: [3], 3: [2, 4], 4: []}
    >>> [sorted(component) for component in components([1], edges.__getitem__)]
    [[4], [2, 3], [1]]
    """
    order: dict[Node, int] = {}
    low: dict[Node, int] = {}
    open_nodes: list[Node] = []
    is_open: set[Node] = set()
    for start in initial:
        if start in order:
            continue
        order[start] = low[start] = len(order)
        open_nodes.append(start)
        is_open.add(start)
        path = [(start, iter(successors(start)))]
        while path:
            node, rest = path[-1]
            for target in rest:
                if target not in order:
                    order[target] = low[target] = len(order)
                    open_nodes.append(target)
                    is_open.add(target)
                    path.append((target, iter(successors(target))))
                    break
                if target in is_open:
                    low[node] = min(low[node], order[target])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == order[node]:
                    component = []
                    while True:
                        member = open_nodes.pop()
                        is_open.remove(member)
                        component.append(member)
                        if member == node:
                            break
                    yield component
