"""One proof for the judge: by running every input where that is enough, by SMT otherwise, each pair once."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache

import numpy as np

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function, Int, canonical
from m4alloc.superopt.needed import needed
from m4alloc.superopt.problem import Problem
from m4alloc.superopt.vectors import Results, Vectors, refines_on, run, test_vectors
from m4alloc.superopt.verdict import Counterexample, Outcome, Stage, Verdict

REMEMBERED = 20_000
BITS = 16
"""Of all arguments together, up to which every input is run."""
_known: OrderedDict[tuple[Function, tuple[Fact, ...], bool, Function], Verdict] = OrderedDict()


def prove(problem: Problem, target: Function, seconds: float, *, shared: bool = False) -> Verdict:
    """Whether the target refines the problem's source under its facts; a decided pair is looked up the next time.

    seconds: the prover's limit.  Nothing is remembered of a proof that ran out of time.
    """
    key = (problem.source, problem.facts, shared, canonical(target))  # facts go by the source's own names
    found = _known.get(key)
    if found is not None:
        _known.move_to_end(key)
        return found
    verdict = on_every_input(problem, target) or refines(
        problem.source, target, problem.facts, seconds=seconds, shared=shared
    )
    if verdict.outcome is not Outcome.UNKNOWN:
        _known[key] = verdict
        if len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return verdict


def with_needed_facts(
    problem: Problem, target: Function, verdict: Verdict, seconds: float, *, shared: bool = False
) -> Verdict:
    """The verdict on an accepted target from as few of the facts as are easily found to be enough.

    seconds: for each further proof, four times as much for all of them; see `needed`.
    """

    def again(facts: tuple[Fact, ...], left: float) -> Verdict:
        return prove(replace(problem, facts=facts), target, left, shared=shared)

    return needed(verdict, again, seconds=4.0 * seconds)


def on_every_input(problem: Problem, target: Function) -> Verdict | None:
    """The verdict by running both functions on every input that the facts allow; None where that decides nothing.

    It decides where all arguments are integers of 16 bits in all that are `noundef`, so that neither poison nor undef
    comes in, and where quick tests cover both functions.  Cost: some 0.5 ms an instruction, a second the first time.
    """
    every = _every_input(problem.source, problem.facts)
    if every is None:
        return None
    inputs, expected = every
    began = time.monotonic()
    results = run(target, inputs)
    if results is None or results.vague.any() or results.value.shape != expected.value.shape:
        return None
    method = f"exhaustive ({inputs.count:,} inputs)"
    fine = refines_on(expected, results)
    seconds = time.monotonic() - began
    stages = (Stage(method, "agrees" if fine.all() else "differs", seconds),)
    if fine.all():
        claims = ("on every input the result is the same, or the source is undefined or poison there",)
        return Verdict(
            Outcome.REFINES, method, assumptions=problem.facts, obligations=claims, stages=stages, seconds=seconds,
            vacuous=bool(expected.ub.all()),
        )  # fmt: skip
    at = int(np.flatnonzero(~fine)[0])
    given = zip(problem.source.arguments, inputs.input(at), strict=True)
    counterexample = Counterexample(
        tuple((argument.name, str(value)) for argument, value in given), _told(expected, at), _told(results, at)
    )
    return Verdict(
        Outcome.COUNTEREXAMPLE, method, counterexample=counterexample, assumptions=problem.facts, stages=stages,
        seconds=seconds,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _every_input(source: Function, facts: tuple[Fact, ...]) -> tuple[Vectors, Results] | None:
    bits = 0
    for argument in source.arguments:
        if not isinstance(argument.type, Int) or "noundef" not in argument.attributes:
            return None
        bits += argument.type.width
    if bits > BITS:
        return None
    inputs = test_vectors(source, facts, 1 << BITS)
    results = None if inputs is None else run(source, inputs)
    if inputs is None or results is None or results.vague.any():
        return None
    return inputs, results


def _told(results: Results, at: int) -> str:
    if results.ub[at]:
        return "undefined behaviour"
    scalars = zip(results.value[:, at].tolist(), results.poison[:, at].tolist(), strict=True)
    return ", ".join("poison" if lost else str(value) for value, lost in scalars)
