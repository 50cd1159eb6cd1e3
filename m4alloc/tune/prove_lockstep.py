"""Gate 3: the core under this strategy and the specification, in step, on random requests that shrink.

The core runs in forked children of a driver, so that its crash is a finding. It is held to what the strategy promises,
and to what was asked of it, not to what it says of itself.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import NamedTuple

from m4alloc.check.finding import TIMES
from m4alloc.check.foreign import Foreign, WorkerError
from m4alloc.check.hunt import Hunt
from m4alloc.check.judgement import Terms
from m4alloc.check.lockstep import find_divergence
from m4alloc.check.search import find_history
from m4alloc.lib import lib
from m4alloc.strategy import Strategy
from m4alloc.tune.prove_result import LOCKSTEP, GateResult
from m4alloc.tune.security import Floor, Security
from m4alloc.view.quantity import number
from spec.model.system import Verdict
from spec.script_reader import parse

STANDARD = "c17,glibc"
PLANS = 40
"""Random plans of one seed."""
PAIRS = 4
"""Plans of one seed that are put to the reference allocator as well."""
THREADS = 3
LIMIT = 1 << 18
"""Bytes of the largest request that can succeed."""
TIMEOUT = 5.0


class Tried(NamedTuple):
    """How much was tried, and what was found: a line, and the script that shows it."""

    plans: int
    pairs: int
    found: str = ""
    script: str = ""


def lockstep_gate(strategy: Strategy, floor: Floor, seconds: float, seed: int) -> GateResult:
    """Put random plans to the core for `seconds`: one seed after the other, from `seed` on.

    HOLDS: every reply of every plan was one that the specification admits, and the reference allocator's answers agree.
    That is evidence, not proof. EXHAUSTED: there was no time for the plans of one seed.
    The counterexample is a heap script, the smallest found. Cost: up to 20 s more, to shrink it.
    """
    began = time.monotonic()
    environment = environment_of(strategy)
    try:
        with Foreign(lib(), environment=environment, timeout=TIMEOUT, seed=seed) as target:
            tried, last = search(target, held_to(target, strategy, floor), time.monotonic() + seconds, seed)
    except WorkerError as error:
        return GateResult(
            name=LOCKSTEP,
            verdict=Verdict.VIOLATED,
            seconds=time.monotonic() - began,
            detail=str(error),
            counterexample=f"M4ALLOC_STRATEGY={environment['M4ALLOC_STRATEGY']}",
        )
    took = time.monotonic() - began
    if tried.found:
        return GateResult(
            name=LOCKSTEP,
            verdict=Verdict.VIOLATED,
            seconds=took,
            detail=f"{tried.found} (seed {last})",
            counterexample=tried.script,
        )
    if not tried.plans:
        return GateResult(
            name=LOCKSTEP, verdict=Verdict.EXHAUSTED, seconds=took, detail=f"no time for the plans of seed {seed}"
        )
    detail = f"{number(tried.plans)} random plans, {number(tried.pairs)} beside the reference, seeds {seed} to {last}"
    return GateResult(name=LOCKSTEP, verdict=Verdict.HOLDS, seconds=took, detail=detail)


def search(target: Foreign, terms: Terms, until: float, seed: int) -> tuple[Tried, int]:
    """Plans of one seed after the other until the clock says so, or something is found; and the last seed."""
    plans = pairs = 0
    last = seed
    while time.monotonic() < until:
        for threads in (1, THREADS):
            found = find_history(target, PLANS, terms=terms, threads=threads, seed=last, limit=LIMIT)
            if found is not None:
                return Tried(plans, pairs, f"{found.broken.rule.name}: {found.broken.message}", str(found)), last
            plans += PLANS
        differs = find_divergence(target, PAIRS, threads=THREADS, seed=last)
        if differs is not None:
            return Tried(plans, pairs, f"{differs.field}: {differs.message}", str(differs)), last
        pairs += PAIRS
        last += 1
    return Tried(plans, pairs), max(seed, last - 1)


def environment_of(strategy: Strategy) -> dict[str, str]:
    """What makes a child's core run under the strategy, count misuse and go on."""
    options = [word for word in os.environ.get("M4ALLOC_OPTIONS", "").split(",") if word and "misuse=" not in word]
    return {
        "M4ALLOC_OPTIONS": ",".join([*options, "misuse=count"]),
        "M4ALLOC_STRATEGY": strategy.to_environment(),
    }


def held_to(target: Foreign, strategy: Strategy, floor: Floor) -> Terms:
    """The standard and the promise: the strategy's, or the floor's where that is more, or reaches further."""
    return promised(target.terms(STANDARD), strategy, floor)


def promised(terms: Terms, strategy: Strategy, floor: Floor) -> Terms:
    """The terms with the promise that is asked for; the strategy's own, where that is no less and reaches as far.

    Where usable sizes do not tell classes (canaries, samples) nobody outside can judge a promise, and none is.

    >>> promised(Terms(), Strategy(), Floor(promise=64)).quarantine
    64
    """
    length, limit = strategy.quarantine_length, strategy.quarantine_limit
    if strategy.canaries or strategy.sample_rate:
        return replace(terms, quarantine=0, quarantine_limit=0)
    asked = max(floor.asked_of(strategy))
    if floor.promise > length or (floor.promise and asked > limit):
        length, limit = floor.promise, asked
    return replace(terms, quarantine=length, quarantine_limit=limit)


def broken_by(
    strategy: Strategy | str,
    script: str,
    *,
    floor: Strategy | Security | str | Floor = "any",
    promise: int | None = None,
    up_to: int | None = None,
) -> str | None:
    """The rule that the core under a strategy breaks when it carries out the requests of a heap script, if any.

    strategy: or the text of its TOML. floor, promise, up_to: as `Floor.of` takes them. The script is tried up to ten
    times, for what is random inside.  Raises: StrategyError, ScriptError, WorkerError.

    >>> script = "a = malloc 24\\nfree a\\nb = malloc 24"
    >>> broken_by(Strategy(delay_line=0), script, promise=1), broken_by(Strategy(), script, promise=1)
    ('quarantine-respected', None)
    """
    chosen = Strategy.from_toml(strategy) if isinstance(strategy, str) else strategy
    held = Floor.of(floor, promise, up_to)
    read = parse(script)
    with Foreign(lib(), environment=environment_of(chosen), timeout=TIMEOUT) as target:
        hunt = Hunt(lambda: target, held_to(target, chosen, held))
        for _ in range(TIMES):
            broken = hunt.carry_out(read)
            if broken is not None:
                return broken.rule.name
    return None
