"""The default way to make one function cheaper: several searches after one another, and side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from m4alloc.check.progress import Progress, Silent
from m4alloc.superopt.enumerate import Enumeration, sentence
from m4alloc.superopt.ir import VOID, Block, Constant, Global, Instruction, Int, Null, OpaqueConstant, Pointer, Value
from m4alloc.superopt.judge_proof import prove
from m4alloc.superopt.pipeline_process import Helper, LinkedJudge, added
from m4alloc.superopt.pipeline_rules import BestFirst
from m4alloc.superopt.pipeline_seeds import Llvm, Seeds
from m4alloc.superopt.problem import Budget, Candidate, Problem, Search, Tally
from m4alloc.superopt.verdict import Outcome

METHODS = ("seeds", "llvm -O3", "idioms", "rules", "enumeration", "mcmc")
"""The default, in this order."""
SHARES = {"rules": 0.2, "enumeration": 0.7}
"""Of the budget that is left, where a further method follows."""
SMALL = 3
LAST_SECONDS = 20.0
"""For a last method without an end of its own, where the best has SMALL instructions at most and rules lead nowhere."""

_SEARCHES: dict[str, Callable[[], Search]] = {
    "seeds": Seeds,
    "llvm -O3": Llvm,
    "rules": BestFirst,
    "enumeration": Enumeration,
}
_ELSEWHERE = {
    "idioms": ("m4alloc.superopt.idioms_search", "Idioms"),
    "mcmc": ("m4alloc.superopt.mcmc", "Mcmc"),
    "mcts": ("m4alloc.superopt.mcts", "Mcts"),
    "policy": ("m4alloc.superopt.agent_search", "Policy"),
    "random": ("m4alloc.superopt.random_search", "RandomSearch"),
    "egglog": ("m4alloc.superopt.saturate", "Saturation"),
}


class MethodError(ValueError):
    """A method of search that there is not; the message lists those there are."""


@dataclass(frozen=True)
class MethodRun:
    """What one method did.  found: its improvements, the last one the best; note: what it has to say of its end."""

    name: str
    seconds: float
    tally: Tally
    found: tuple[Candidate, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Result:
    """What came of one function.

    best: the cheapest that was proved, the source itself where nothing was; front: the proved functions that no other
    beats in both IR and assembly; methods: in the order in which they ended; reasons: why proofs were not decided, and
    how often.  settled: it ended early, because all there is below the best has been tried.
    """

    problem: Problem
    source: Candidate
    best: Candidate
    front: tuple[Candidate, ...]
    methods: tuple[MethodRun, ...]
    tally: Tally
    reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    settled: bool = False
    interrupted: bool = False

    @property
    def is_improved(self) -> bool:
        """Something cheaper was proved."""
        return self.best.cost < self.source.cost

    @property
    def why_nothing(self) -> tuple[str, ...]:
        """Why nothing better was found than the best: one reason a line."""
        lines = [f"{run.name}: {run.note}" for run in self.methods if run.note]
        tally = self.tally
        refuted = tally.refuted_by_tests + tally.refuted_exhaustively + tally.refuted_by_smt
        lines += [
            f"{number:,} {what}"
            for number, what in (
                (refuted, f"of {tally.proposed:,} proposals were refuted"),
                (tally.not_cheaper, "proposals were no cheaper"),
                (tally.timed_out, "proofs ran out of time"),
                (tally.unsupported, "proofs could not be decided"),
            )
            if number
        ]
        lines += [f"not decided: {reason} ({number:,} times)" for reason, number in self.reasons.items()]
        if self.interrupted:
            lines.append("it was interrupted")
        return tuple(lines)


def search_of(method: str) -> Search:
    """The search of that name with its defaults; MethodError lists the names.

    >>> search_of("rules").name
    'rules'
    """
    if method in _SEARCHES:
        return _SEARCHES[method]()
    if method in _ELSEWHERE:
        module, name = _ELSEWHERE[method]
        found: Search = getattr(import_module(module), name)()
        return found
    raise MethodError(f"no method {method!r}; there are {', '.join([*_SEARCHES, *_ELSEWHERE])}")


def superoptimise(
    problem: Problem,
    budget: Budget | None = None,
    methods: Sequence[str | Search] = METHODS,
    *,
    seed: int = 0,
    jobs: int = 1,
    thorough: bool = False,
    shared: bool = False,
    proof_seconds: float = 5.0,
    on_improvement: Callable[[Candidate], None] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Search for something cheaper than the problem's source, each method as long as its share of the budget.

    jobs: 2 runs enumeration in a process of its own, next to all other methods.  thorough: use up the budget although
    enumeration has tried everything below the best.  shared: memory may be touched by other threads.
    KeyboardInterrupt ends the search; what was found so far is kept, and marked as interrupted.
    Raises MethodError, and what `cost` raises for a function that LLVM refuses.
    """
    budget = budget or Budget()
    searches = [search_of(one) if isinstance(one, str) else one for one in methods]
    settings: dict[str, Any] = {"proof_seconds": proof_seconds, "seed": seed, "shared": shared}
    judge = LinkedJudge(problem, budget, on_improvement=on_improvement, **settings)
    run = _Run(judge, budget, seed, thorough)
    with progress or Silent() as shown:
        try:
            run.all(searches, jobs, settings, shown)
        except KeyboardInterrupt:
            run.interrupted = True
        finally:
            run.end()
    return run.result()


class _Run:
    """One run of the pipeline."""

    def __init__(self, judge: LinkedJudge, budget: Budget, seed: int, thorough: bool) -> None:
        self.judge, self.budget, self.seed, self.thorough = judge, budget, seed, thorough
        self.source = judge.best
        self.runs: list[MethodRun] = []
        self.helper: Helper | None = None
        self.settled = False
        self.interrupted = False
        self.searches: list[Search] = []
        self.others = Tally()
        self.reasons: dict[str, int] = {}
        judge.on_end = self._helper_ended

    def all(self, searches: Sequence[Search], jobs: int, settings: dict[str, Any], shown: Progress) -> None:
        """Every method in turn; with two jobs enumeration beside those after it and before."""
        waiting, self.searches = list(searches), list(searches)
        beside = next((one for one in waiting if isinstance(one, Enumeration)), None) if jobs > 1 else None
        if beside is not None:
            waiting.remove(beside)
        for place, search in enumerate(waiting):
            if beside is not None and not isinstance(search, Seeds | Llvm):
                self._beside(beside, settings)
                beside = None
            if 0 < place == len(waiting) - 1:
                self._retry()
            shown.phase(search.name)
            self._one(search, is_last=place == len(waiting) - 1)
            if self.settled or self.budget.is_spent:
                break
        if beside is not None and not self.settled and not self.budget.is_spent:
            self._beside(beside, settings)
        self._retry()
        while self.helper and self.judge.connection and not self.settled and not self.budget.is_spent:
            self.judge.look(min(0.2, self.budget.left))

    def _one(self, search: Search, *, is_last: bool) -> None:
        judge = self.judge
        share = 1.0 if is_last else SHARES.get(search.name, 1.0)
        seconds = self.budget.left * share
        is_cut = is_last and seconds > LAST_SECONDS and self._is_stuck(search)
        seconds = LAST_SECONDS if is_cut else seconds
        judge.budget = Budget(seconds, self.budget.proposals, used=self.budget.used)
        before, began = replace(judge.tally), time.monotonic()
        found: list[Candidate] = []
        tell, judge.on_improvement = judge.on_improvement, None

        def note(candidate: Candidate) -> None:
            if candidate.method == search.name:
                found.append(candidate)
            if tell is not None:
                tell(candidate)

        judge.on_improvement = note
        try:
            search.run(judge, self.seed)
        finally:
            judge.on_improvement = tell
            self.budget.used = judge.budget.used
            seconds = time.monotonic() - began
            spent = added(judge.tally, before, -1)
            cut = (
                f"{LAST_SECONDS:.0f} s are enough where rules lead nowhere"
                if is_cut and seconds >= LAST_SECONDS
                else ""
            )
            self.runs.append(MethodRun(search.name, seconds, spent, tuple(found), note_of(search) or cut))
        self._settle(search)

    def _is_stuck(self, search: Search) -> bool:
        """The best is small, and rules, to their end, led nowhere: `search` need not use up the budget."""
        is_small = self.judge.best.cost.ir <= SMALL and self.judge.problem.objective == "ir"
        led_nowhere = any(isinstance(one, BestFirst) and (one.exhausted or one.impatient) for one in self.searches)
        return is_small and led_nowhere and not self.thorough and not isinstance(search, Enumeration)

    def _retry(self) -> None:
        """Give proofs that ran out of time half of what is left, where that is more than they had."""
        seconds = self.budget.left / 2
        if seconds > self.judge.proof_seconds / 2 and self.judge.has_undecided:
            before, began = replace(self.judge.tally), time.monotonic()
            best = self.judge.best
            self.judge.budget = self.budget
            self.judge.retry(seconds)
            found = (self.judge.best,) if self.judge.best is not best else ()
            spent = added(self.judge.tally, before, -1)
            self.runs.append(MethodRun("longer proofs", time.monotonic() - began, spent, found))

    def _settle(self, search: Search) -> None:
        """End early where every smaller program has been tried: by enumeration, or because there are so few."""
        if self.thorough or self.judge.problem.objective != "ir":
            return
        best = self.judge.best.cost.ir
        if isinstance(search, Enumeration):
            self.settled = search.found.sizes >= best - 1
        elif isinstance(search, BestFirst):
            self.settled = best == 0 or (best == 1 and self._is_least())

    def _is_least(self) -> bool:
        """Every program without an instruction is refuted, of a function that returns nothing, a pointer or an integer.

        Such a program returns nothing, an argument or a constant: one that is no number would be in the source too, and
        what may return poison or undef may return 0 as well.  Where 0 is refuted, the source gives another number,
        which is the only constant that is left.
        """
        source = self.judge.problem.source
        if source.type == VOID:
            return bool(self._refuted(()))
        if not isinstance(source.type, Pointer | Int):
            return False
        constants = Global | Null | OpaqueConstant
        if any(isinstance(operand, constants) for one in source for operand in one.operands):
            return False
        zero = Null(source.type) if isinstance(source.type, Pointer) else Constant(source.type, 0)
        returned = [one.value for one in source.arguments if one.type == source.type]
        if not all(self._refuted((value,)) for value in returned):
            return False
        given = self._refuted((zero,))
        if isinstance(source.type, Pointer):
            return bool(given)
        return given.isdecimal() and bool(self._refuted((Constant(source.type, int(given)),)))

    def _refuted(self, operands: tuple[Value, ...]) -> str:
        """What the source does on an input that refutes the function that returns these; "" where none is found."""
        problem = self.judge.problem
        block = Block(problem.source.blocks[0].name, (Instruction("ret", VOID, operands),))
        least = replace(problem.source, blocks=(block,))
        verdict = prove(problem, least, self.judge.proof_seconds, shared=self.judge.shared)
        found = verdict.counterexample if verdict.outcome is Outcome.COUNTEREXAMPLE else None
        return "" if found is None else found.source

    def _beside(self, search: Search, settings: dict[str, Any]) -> None:
        judge = self.judge
        self.helper = Helper(judge.problem, search, judge.best, self.budget.left, self.seed, settings)
        judge.connection = self.helper.connection

    def _helper_ended(self) -> None:
        """The other process has sent its outcome, or is gone."""
        outcome = self.judge.outcome
        if outcome is None:
            return
        found = tuple(one for one in self.judge.adopted if one.method == outcome.search.name)
        self.runs.append(MethodRun(outcome.search.name, outcome.seconds, outcome.tally, found, note_of(outcome.search)))
        self.others = added(self.others, outcome.tally)
        self.reasons.update(outcome.reasons)
        for one in outcome.front:
            self.judge.adopt(one)
        self._settle(outcome.search)
        if self.settled:
            self.judge.budget.seconds = 0.0  # whatever search is under way sees a spent budget

    def end(self) -> None:
        """Stop the other process."""
        if self.helper is not None:
            self.helper.end()
            if self.judge.outcome is None:
                found = tuple(one for one in self.judge.adopted if one.method == "enumeration")
                note = "it was stopped, since nothing smaller can do" if self.settled else "time was up"
                tally = self.helper.tally
                self.runs.append(MethodRun("enumeration", time.monotonic() - self.judge.started, tally, found, note))
                self.others = added(self.others, tally)
                self.reasons.update(self.judge.others_reasons)

    def result(self) -> Result:
        judge = self.judge
        reasons = dict(judge.reasons)
        for reason, number in self.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + number
        return Result(
            judge.problem,
            self.source,
            judge.best,
            tuple(judge.front),
            tuple(self.runs),
            added(judge.tally, self.others),
            reasons,
            time.monotonic() - judge.started,
            self.settled,
            self.interrupted,
        )


def note_of(search: Search) -> str:
    """What a search has to say of how it ended, "" for nothing."""
    if isinstance(search, Enumeration):
        return sentence(search.found)
    if isinstance(search, BestFirst):
        return (
            "no rule leads to any further function" if search.exhausted else "rewriting further gave nothing for long"
        )
    if isinstance(search, Llvm):
        return search.refused
    return ""
