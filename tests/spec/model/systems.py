"""Small systems, written down or random, and every lasso of them."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import settings
from hypothesis import strategies as st

from spec.ltl.word import Letter
from spec.model.product import STAY
from spec.model.system import Path, Step


def share(percent: int) -> settings:
    """So much of the examples that the profile asks for: for laws that take long to look at."""
    return settings(max_examples=max(1, settings().max_examples * percent // 100))


class TableSystem:
    """edges[state] = [(process, target)]; letters[state] as a string of one-letter propositions."""

    def __init__(
        self,
        edges: list[list[tuple[int, int]]],
        letters: list[str] | None = None,
        starts: tuple[int, ...] = (0,),
        ends: frozenset[int] = frozenset(),
        faults: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self.edges, self.starts, self.ends, self.faults = edges, starts, ends, faults
        self.letters = letters or [""] * len(edges)
        self.processes = ("one", "two", "three")

    def initial(self) -> tuple[int, ...]:
        return self.starts

    def successors(self, state: int) -> list[tuple[Step, int]]:
        return [
            (Step(process, f"edge {place}", place, "it fails" if (state, place) in self.faults else ""), target)
            for place, (process, target) in enumerate(self.edges[state])
        ]

    def letter(self, state: int) -> Letter:
        return frozenset(self.letters[state])

    def ended(self, state: int) -> bool:
        return state in self.ends

    def show(self, state: int) -> str:
        return f"state={state}"

    def __repr__(self) -> str:
        return f"TableSystem({self.edges}, {self.letters}, {self.starts})"


@st.composite
def systems(draw: st.DrawFn, most: int = 5, processes: int = 3) -> TableSystem:
    """Systems of a few states, with letters over p and q."""
    size = draw(st.integers(1, most))
    edge = st.tuples(st.integers(0, processes - 1), st.integers(0, size - 1))
    edges = [draw(st.lists(edge, max_size=3, unique=True)) for _ in range(size)]
    letters = [draw(st.sampled_from(["", "p", "q", "pq"])) for _ in range(size)]
    starts = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=2, unique=True))
    return TableSystem(edges, letters, tuple(starts))


def lassos(system: TableSystem, longest: int) -> Iterator[Path]:
    """Every lasso of at most so many states."""

    def grow(states: list[int], steps: list[Step]) -> Iterator[Path]:
        for step, target in system.successors(states[-1]) or [(STAY, states[-1])]:
            for back, state in enumerate(states):
                if state == target:
                    yield Path(tuple(states), (*steps, step), back)
            if len(states) < longest:
                yield from grow([*states, target], [*steps, step])

    for start in system.initial():
        yield from grow([start], [])
