"""Gate 5: the library that was built from a strategy, driven in forked children like any stranger's."""

from __future__ import annotations

import os
import time

from m4alloc.check.check_library import check
from m4alloc.check.foreign import Foreign, WorkerError
from m4alloc.check.verify_report import Verdict as Said
from m4alloc.strategy import Strategy
from m4alloc.tune.prove_lockstep import STANDARD
from m4alloc.tune.prove_result import LIBRARY, GateResult
from spec.model.system import Verdict
from spec.script_writer import render

ENVIRONMENT = {"M4ALLOC_OPTIONS": "misuse=count", "M4ALLOC_STRATEGY": ""}
"""Misuse is counted, so that its being noticed can be judged; nothing but what was compiled in says how it behaves."""


def prove_library(
    path: str | os.PathLike[str], strategy: Strategy, budget_s: float = 10.0, *, seed: int = 0
) -> GateResult:
    """Hold a library to its standards, to catching misuse, and to the promise of the strategy that it was built from.

    First the promise that it states, which must be the strategy's; then `m4alloc check`: the directed plans, and random
    ones for the rest of the budget. EXHAUSTED: not all directed plans had their turn; 10 seconds are enough for them.
    The counterexample is a heap script. Cost: the budget; up to 20 s more, to shrink what was found.
    """
    began = time.monotonic()

    def result(verdict: Verdict, detail: str, counterexample: str = "") -> GateResult:
        took = time.monotonic() - began
        return GateResult(name=LIBRARY, verdict=verdict, seconds=took, detail=detail, counterexample=counterexample)

    try:
        with Foreign(path, environment=ENVIRONMENT, seed=seed) as target:
            stated = target.quarantine, target.quarantine_limit
    except WorkerError as error:
        return result(Verdict.VIOLATED, str(error), str(error))
    wanted = strategy.quarantine_length, strategy.quarantine_limit
    if stated != wanted and (stated[0] or wanted[0]):
        detail = (
            f"the library promises {stated[0]} frees up to {stated[1]} bytes; "
            f"the strategy says {wanted[0]} up to {wanted[1]}"
        )
        return result(Verdict.VIOLATED, detail, detail)
    report = check(
        path,
        standard=STANDARD,
        budget=budget_s,
        seed=seed,
        jobs=1,
        engines=("directed", "random"),
        stop_at_first=True,
        output=None,
        env=ENVIRONMENT,
    )
    if report.findings:
        finding = report.findings[0].finding
        return result(Verdict.VIOLATED, str(finding), render(finding.script))
    directed, random = report.engines
    detail = f"{directed.detail} directed; {random.detail}"
    if report.verdict is not Said.HOLDS or not random.operations:
        return result(Verdict.EXHAUSTED, f"{detail}: not all of them within {budget_s:g} s")
    return result(Verdict.HOLDS, detail)
