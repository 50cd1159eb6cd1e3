"""What every search is given and gives back: a problem, a budget, candidates with the steps that led to them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.verdict import Verdict

TARGETS = ("x86-64", "x86-64-v3", "aarch64", "riscv64")
OBJECTIVES = ("ir", "instructions", "latency")


@dataclass(frozen=True, order=True)
class Cost:
    """Compared field by field, the objective first.

    objective: in the unit that the search minimises (`Problem.objective`).
    ir: instructions of the IR, returns not counted.  instructions: of the emitted assembly for the target, returns,
    labels and directives not counted; -1 where it was not emitted.  latency: cycles of the dependence chain by our own
    table (llvm-mca only reports, it ranks nothing); 0.0 where it was not asked for.
    """

    objective: float
    ir: int
    instructions: int = -1
    latency: float = 0.0


@dataclass(frozen=True)
class Step:
    """One step of a rewrite: the rule (or mutation) that was applied, where, and the function that came of it.

    proof: the step's own verdict once `explain` has checked it alone; None before.
    """

    rule: str
    at: str
    result: Function
    proof: Verdict | None = None


@dataclass(frozen=True)
class Candidate:
    """A proved rewrite."""

    function: Function
    cost: Cost
    verdict: Verdict
    method: str
    """The search that found it: "llvm -O3", "enumeration", "mcmc", "mcts", "policy", "rules" ..."""
    steps: tuple[Step, ...] = ()
    found_after: float = 0.0
    """Seconds since the search began."""


@dataclass(frozen=True)
class Problem:
    """A function to make cheaper.

    objective: "ir" (default), "instructions" (assembly of `target`), "latency".
    seeds: other functions that are believed equal, such as what LLVM -O3 makes of it; they are proved before use.
    """

    source: Function
    facts: tuple[Fact, ...] = ()
    target: str = "x86-64"
    objective: str = "ir"
    seeds: tuple[Function, ...] = ()


@dataclass
class Budget:
    """How much a search may use; whichever ends first.  `proposals` makes runs comparable on noisy machines."""

    seconds: float = 60.0
    proposals: int | None = None
    started: float = field(default_factory=time.monotonic)
    used: int = 0

    @property
    def left(self) -> float:
        """Seconds that remain, 0 at the end."""
        return max(0.0, self.seconds - (time.monotonic() - self.started))

    @property
    def is_spent(self) -> bool:
        """Nothing remains."""
        return self.left == 0.0 or (self.proposals is not None and self.used >= self.proposals)


@dataclass
class Tally:
    """Where every proposal ended, so that a search that found nothing can say why."""

    proposed: int = 0
    malformed: int = 0
    duplicate: int = 0
    not_cheaper: int = 0
    refuted_by_tests: int = 0
    refuted_exhaustively: int = 0
    refuted_by_smt: int = 0
    timed_out: int = 0
    unsupported: int = 0
    accepted: int = 0


class Judge(Protocol):
    """The only door through which a proposal becomes a candidate; m4alloc.superopt.judge has the real one.

    Every search gets one Judge, so that all are counted and checked alike.
    """

    problem: Problem
    budget: Budget
    tally: Tally
    best: Candidate

    def offer(self, function: Function, method: str, steps: tuple[Step, ...] = ()) -> Candidate | None:
        """The proposal as a proved candidate cheaper than the best so far (which it becomes), or None."""
        ...

    def agreement(self, function: Function) -> float:
        """Share of the test vectors on which the proposal refines the source, 0.0 to 1.0, without any proof: what a
        stochastic search climbs.  Counts one proposal."""
        ...


class Search(Protocol):
    """One method of search."""

    name: str

    def run(self, judge: Judge, seed: int) -> None:
        """Offer proposals until the budget is spent or the space is exhausted; the result is `judge.best`."""
        ...
