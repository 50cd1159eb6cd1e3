"""The judge: the only door through which a proposal becomes a proved candidate; every proposal's end is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from m4alloc.superopt import judge_inputs
from m4alloc.superopt.cost import cost
from m4alloc.superopt.ir import Function, canonical
from m4alloc.superopt.judge_proof import prove, with_needed_facts
from m4alloc.superopt.printer import checked
from m4alloc.superopt.problem import Budget, Candidate, Cost, Problem, Step, Tally
from m4alloc.superopt.vectors import Results, Vectors, refines_on, run, test_vectors
from m4alloc.superopt.verdict import Outcome, Verdict

PROOF_SECONDS = 5.0
LEAST_PROOF = 0.5
"""Seconds that a proof gets even where the budget is as good as spent."""
LEAN_SECONDS = 1.0
"""For each proof that a fact is not needed."""
TESTS = 256
NO_GROUND = "the source is undefined for every input, so that anything would do"


class TheJudge:
    """Tests, proves and counts proposals for one problem; `best` is the cheapest that was proved, first the source.

    tests: inputs for the quick tests, None where the source is not covered by them; each counterexample that the
    prover finds joins them.  front: the proved functions that no other one beats in both IR and assembly.
    reasons: how often each reason for an undecided proof was given.
    """

    def __init__(
        self,
        problem: Problem,
        budget: Budget,
        *,
        proof_seconds: float = PROOF_SECONDS,
        tests: int = TESTS,
        seed: int = 0,
        on_improvement: Callable[[Candidate], None] | None = None,
        shared: bool = False,
    ) -> None:
        """proof_seconds: the limit of one proof; it shrinks to what is left of the budget.

        shared: other threads may touch the memory, so that the proof keeps every access and their order.
        """
        self.shared = shared
        self.started = budget.started
        self._whole = budget  # `budget` may become a share of it, which a proof may run over
        self.problem = problem
        self.budget = budget
        self.tally = Tally()
        self.proof_seconds = proof_seconds
        self.on_improvement = on_improvement
        self.reasons: dict[str, int] = {}
        self.counterexamples: list[tuple[tuple[str, str], ...]] = []
        self.refuted: Verdict | None = None
        """The verdict on the proposal that was refused last, None where it did not come to a proof."""
        self.best = Candidate(
            problem.source,
            self.cost(problem.source),
            Verdict(Outcome.REFINES, "the source itself"),
            "source",
        )
        self.front: list[Candidate] = [self.best]
        self._undecided: list[tuple[Function, Cost, str, tuple[Step, ...]]] = []
        self._seen: set[Function] = {_key(problem.source)}
        self.tests: Vectors | None = test_vectors(problem.source, problem.facts, tests, seed)
        self._expected: Results | None = None
        self._expect()

    def cost(self, function: Function, *, emit: bool = True) -> Cost:
        """The cost for the problem's target by its objective."""
        return cost(function, self.problem.target, self.problem.objective, emit=emit)

    def offer(self, function: Function, method: str, steps: tuple[Step, ...] = ()) -> Candidate | None:
        """The proposal as a proved candidate that is cheaper than the best so far, which it becomes; None otherwise.

        The proposal is given the source's signature and attributes first, so that it is judged by what its body does.
        Cost: 0.1 to 0.3 ms where it is refused without a proof, 5 ms to `proof_seconds` otherwise.
        """
        self.budget.used += 1
        self.tally.proposed += 1
        self.refuted = None
        try:
            function = in_form_of(self.problem.source, function)
            key = _key(function)
        except (ValueError, KeyError):
            self.tally.malformed += 1
            return None
        if key in self._seen:
            self.tally.duplicate += 1
            return None
        self._seen.add(key)
        if self.problem.objective == "ir" and function.size > self.best.cost.ir:
            self.tally.not_cheaper += 1
            return None
        if self._agreement(function) < 1.0:
            self.tally.refuted_by_tests += 1
            return None
        try:
            checked(function)
            price = self.cost(function)
        except (ValueError, KeyError, RuntimeError):
            self.tally.malformed += 1
            return None
        if price >= self.best.cost and self._is_behind(price):
            self.tally.not_cheaper += 1
            return None
        return self._prove(function, price, method, steps, self.proof_seconds)

    @property
    def has_undecided(self) -> bool:
        """Some proof of a proposal that is cheaper than the best ran out of time."""
        return any(price < self.best.cost for _, price, _, _ in self._undecided)

    def retry(self, seconds: float) -> None:
        """Prove the cheaper ones of the proposals whose proofs ran out of time again, with more time for each."""
        waiting, self._undecided = sorted(self._undecided, key=lambda one: one[1]), []
        for function, price, method, steps in waiting:
            if price < self.best.cost and not self.budget.is_spent:
                self.tally.timed_out -= 1
                self._prove(function, price, method, steps, seconds)

    def _prove(
        self, function: Function, price: Cost, method: str, steps: tuple[Step, ...], seconds: float
    ) -> Candidate | None:
        limit = min(seconds, max(LEAST_PROOF, self._whole.left))
        verdict = prove(self.problem, function, limit, shared=self.shared)
        if not self._count(verdict):
            if verdict.timed_out:
                self._undecided.append((function, price, method, steps))
                if limit < seconds:
                    self._seen.discard(_key(function))
            return None
        if price < self.best.cost and not verdict.vacuous:
            limit = min(LEAN_SECONDS, self._whole.left)
            verdict = with_needed_facts(self.problem, function, verdict, limit, shared=self.shared)
        if len(steps) == 1 and self._is_made_by(steps[0], function):
            steps = (replace(steps[0], result=function, proof=verdict),)  # the whole proof is the step's
        found = Candidate(function, price, verdict, method, steps, time.monotonic() - self.started)
        self._to_front(found)
        if price >= self.best.cost:
            return None
        self.best = found
        if self.on_improvement is not None:
            self.on_improvement(found)
        return found

    def _is_made_by(self, step: Step, function: Function) -> bool:
        """The step leads to the function, but for what `in_form_of` changes."""
        try:
            return _key(in_form_of(self.problem.source, step.result)) == _key(function)
        except (ValueError, KeyError):
            return False

    def adopt(self, candidate: Candidate) -> bool:
        """Take over what another judge of the same problem has proved, without a proof; False where it is no better."""
        self._seen.add(_key(candidate.function))
        self._to_front(candidate)
        if candidate.cost >= self.best.cost:
            return False
        self.best = candidate
        return True

    def agreement(self, function: Function) -> float:
        """Share of the quick tests on which the proposal refines the source, 0.0 to 1.0, without any proof.

        1.0 where tests cover neither, 0.0 where they cover the source only.  Counts one proposal.
        """
        self.budget.used += 1
        self.tally.proposed += 1
        try:
            return self._agreement(in_form_of(self.problem.source, function))
        except (ValueError, KeyError):
            return 0.0

    def _agreement(self, function: Function) -> float:
        if self.tests is None or self._expected is None:
            return 1.0
        results = run(function, self.tests)
        if results is None or results.value.shape != self._expected.value.shape:
            return 0.0
        return float(np.mean(refines_on(self._expected, results)))

    def _expect(self) -> None:
        self._expected = None if self.tests is None else run(self.problem.source, self.tests)

    def _is_behind(self, price: Cost) -> bool:
        """Some proved function has no more IR and no more assembly."""
        return any(one.cost.ir <= price.ir and one.cost.instructions <= price.instructions for one in self.front)

    def _to_front(self, found: Candidate) -> None:
        if not self._is_behind(found.cost):
            kept = [
                one
                for one in self.front
                if one.cost.ir < found.cost.ir or one.cost.instructions < found.cost.instructions
            ]
            self.front = sorted([*kept, found], key=lambda one: (one.cost.ir, one.cost.instructions))

    def _count(self, verdict: Verdict) -> bool:
        """Count how a proof ended; whether it was accepted."""
        tally = self.tally
        if verdict.accepted and verdict.vacuous:
            verdict = replace(verdict, outcome=Outcome.UNKNOWN, reason=NO_GROUND)
        if verdict.accepted:
            tally.accepted += 1
            return True
        self.refuted = verdict
        if verdict.outcome is Outcome.COUNTEREXAMPLE:
            if verdict.method.startswith("exhaustive"):
                tally.refuted_exhaustively += 1
            else:
                tally.refuted_by_smt += 1
            self._learn(verdict)
            return False
        self.reasons[verdict.reason] = self.reasons.get(verdict.reason, 0) + 1
        if verdict.timed_out:
            tally.timed_out += 1
        else:
            tally.unsupported += 1
        return False

    def _learn(self, verdict: Verdict) -> None:
        """Add the counterexample to the quick tests, where it is one of plain integers or poison."""
        if verdict.counterexample is None or self.tests is None:
            return
        inputs = verdict.counterexample.inputs
        if inputs in self.counterexamples:
            return
        longer = judge_inputs.joined(self.problem.source, self.tests, inputs)
        if longer is not None:
            self.counterexamples.append(inputs)
            self.tests = longer
            self._expect()


def in_form_of(source: Function, function: Function) -> Function:
    """The function with the source's name, attributes and argument names; ValueError where the types differ.

    What an optimiser inferred about the target's signature is dropped: that makes it undefined less often.
    """
    if function.type != source.type or len(function.arguments) != len(source.arguments):
        raise ValueError(f"@{function.name} has another signature than @{source.name}")
    for mine, theirs in zip(function.arguments, source.arguments, strict=True):
        if mine.type != theirs.type:
            raise ValueError(f"argument %{mine.name} of @{function.name} is {mine.type}, not {theirs.type}")
    if all(mine.name == theirs.name for mine, theirs in zip(function.arguments, source.arguments, strict=True)):
        return replace(
            function,
            name=source.name,
            arguments=source.arguments,
            return_attributes=source.return_attributes,
            attributes=source.attributes,
        )
    return in_form_of(source, judge_inputs.with_argument_names(function, source.arguments))


def _key(function: Function) -> Function:
    return canonical(function)
