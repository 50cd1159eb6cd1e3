"""Monte Carlo tree search over rules at places: UCT with rollouts, from the source and from what seeds it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from m4alloc.superopt.ir import Function
from m4alloc.superopt.moves import PARTS, Move, Rewriting, key, price, starts
from m4alloc.superopt.problem import Judge, Step

IDLE: Final = 200
"""Simulations in a row that propose nothing, after which the space counts as exhausted."""


@dataclass(slots=True, eq=False)
class Node:
    """A function in the tree, however it was reached; functions that differ in names only share one."""

    function: Function
    steps: tuple[Step, ...]
    parts: list[int]
    """Parts of the rules that were not looked at yet; the last one is next."""
    moves: list[Move] = field(default_factory=list)
    """Found and not tried yet; the last one is next."""
    children: list[Node] = field(default_factory=list)
    visits: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float:
        """What a visit was worth."""
        return self.total / self.visits if self.visits else 0.0

    def is_wide_enough(self) -> bool:
        """More children are not looked at before the ones there are have been visited (progressive widening)."""
        if not self.moves and not self.parts:
            return True
        return bool(self.children) and len(self.children) >= 2.0 * math.sqrt(self.visits + 1)


@dataclass(frozen=True)
class Mcts:
    """UCT (Kocsis and Szepesvári, 2006) with progressive widening and random rollouts.

    A visit is worth the drop of the cost along its path, as a share of the source's; what the judge refuses is worth
    nothing. exploration: weight of the confidence bound. rollout: moves at random below the tree. longest: of a path.
    """

    exploration: float = 0.4
    rollout: int = 4
    longest: int = 24
    rewriting: Rewriting = field(default_factory=Rewriting)
    name: str = "mcts"

    def run(self, judge: Judge, seed: int) -> None:
        """Search until the budget is spent, or nothing new is proposed for IDLE simulations."""
        rng = random.Random(seed)
        tree = _Tree(self, judge, rng)
        idle = 0
        while not judge.budget.is_spent and idle < IDLE:
            before = judge.budget.used
            tree.simulate()
            idle = idle + 1 if judge.budget.used == before else 0


class _Tree:
    def __init__(self, search: Mcts, judge: Judge, rng: random.Random) -> None:
        self.search, self.judge, self.rng = search, judge, rng
        self.nodes: dict[Function, Node] = {}
        self.worth: dict[Function, float] = {}
        self.base = max(1.0, price(judge.problem, judge.problem.source))
        self.root = Node(judge.problem.source, (), [])
        for function, steps in starts(judge.problem, search.rewriting):
            self.valued(function, steps)
            child = self.node(function, steps)
            if child is not self.root and child not in self.root.children:
                self.root.children.append(child)

    def node(self, function: Function, steps: tuple[Step, ...]) -> Node:
        known = key(function)
        if known not in self.nodes:
            self.nodes[known] = Node(function, steps, self.rng.sample(range(PARTS), PARTS))
        return self.nodes[known]

    def valued(self, function: Function, steps: tuple[Step, ...]) -> float:
        """The drop that reaching this function is worth; it is proposed when it is seen first."""
        known = key(function)
        if known not in self.worth:
            best = self.judge.best.cost.objective
            accepted = self.judge.offer(function, self.search.name, steps)
            cost = price(self.judge.problem, function)
            # What is no cheaper than the best was not judged: it came by proved rules, but it is worth no more than it.
            self.worth[known] = 0.0 if cost < best and accepted is None else max(0.0, 1.0 - cost / self.base)
        return self.worth[known]

    def simulate(self) -> None:
        """One path down the tree, a rollout below it, and what it was worth told to every node on the path."""
        node, path, found = self.root, [self.root], 0.0
        while len(path) < self.search.longest and not self.judge.budget.is_spent:
            if not node.is_wide_enough():
                child = self.grown(node)
                if child is None:
                    continue
                path.append(child)
                found = max(found, self.valued(child.function, child.steps))
                break
            fresh = [one for one in node.children if one not in path]
            if not fresh:
                break
            node = max(fresh, key=lambda one: self.bound(one, path[-1]))
            path.append(node)
            found = max(found, self.worth.get(key(node.function), 0.0))
        for value in self.rolled(path[-1]):
            found = max(found, value)
        for one in path:
            one.visits += 1
            one.total += found

    def grown(self, node: Node) -> Node | None:
        """The child by the next move; None when moves had to be found first, or it leads to nothing new here."""
        if not node.moves:
            found = self.search.rewriting.moves_in(node.parts.pop(), node.function, self.judge.problem.facts)
            node.moves = self.rng.sample(found, len(found))
            return None
        step = self.search.rewriting.taken(node.function, node.moves.pop(), self.judge.problem)
        if step is None:
            return None
        child = self.node(step.result, (*node.steps, step))
        if child in node.children or child is node:
            return None
        node.children.append(child)
        return child

    def bound(self, node: Node, parent: Node) -> float:
        if not node.visits:
            return math.inf
        return node.mean + self.search.exploration * math.sqrt(math.log(parent.visits + 1) / node.visits)

    def rolled(self, node: Node) -> Iterator[float]:
        """The worth of each function along a random walk."""
        function, steps = node.function, node.steps
        for _ in range(self.search.rollout):
            if self.judge.budget.is_spent:
                return
            move = self.search.rewriting.some(function, self.judge.problem.facts, self.rng)
            step = None if move is None else self.search.rewriting.taken(function, move, self.judge.problem)
            if step is None:
                return
            function, steps = step.result, (*steps, step)
            yield self.valued(function, steps)
