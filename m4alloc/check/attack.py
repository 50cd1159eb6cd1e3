"""Attack: each attack of the catalogue on models of the hardware, or on a real allocator."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches

from m4alloc.check.attack_native import assault
from m4alloc.check.attack_report import AttackReport, Simulation
from m4alloc.check.foreign import Foreign
from spec import attack as catalogue
from spec.attack import CATALOGUE, DEFENCES, Attack, Defence, Outcome, Verdict

TOLD = ("flat", "isav9", "mte-scudo", "adi-disrupting", "sgx-shared")
"""The defences on which a single attack is told when none is named: one of each kind of hardware."""


class AttackError(ValueError):
    """An attack or a defence that is asked for does not exist, or does not go with the rest; what would be right."""


def attack(
    library: str | os.PathLike[str] | None = None,
    *,
    attack: str | None = None,
    architecture: str | None = None,
    trials: int = 0,
    seed: int = 0,
    symbol_prefix: str = "",
    timeout: float = 10.0,
) -> AttackReport:
    """Run the catalogue, or one attack of it, on the reference allocator over models, or on a library.

    library: the path of an allocator, or "system" for the C library's; None for the models. attack: the name of one,
    which is then told step by step. architecture: of one defence, or of a kind of hardware: cheri, mte, adi, sgx.
    trials: runs in which each verdict that leaves something to chance is simulated. seed: of what stories and trials
    draw. symbol_prefix: what the names of the library's functions begin with. timeout: seconds for a call that hangs.
    Raises AttackError; WorkerError, LibraryError: the library cannot be driven.
    Cost: 3 s for the models, and 50 microseconds a trial; half a second for a library.

    >>> report = attack(attack="use-after-reuse-read", architecture="mte-glibc")
    >>> str(report.verdict("use-after-reuse-read", "mte-glibc"))
    'caught with probability 14/15, at step 5: tag mismatch fault (SEGV_MTESERR)'
    """
    attacks = _attacks(attack)
    if library is not None:
        if architecture is not None or trials:
            raise AttackError("a library runs on the hardware there is: --architecture and --trials are for the models")
        if attack is not None and not attacks[0].is_native:
            raise AttackError(f"{attack} needs a model of the hardware: it asks for more than calls and accesses")
        with Foreign(library, timeout=timeout, prefix=symbol_prefix) as foreign:
            findings = assault(foreign, attacks)
            return AttackReport(
                foreign.name, tuple(entry for entry in attacks if entry.is_native), findings=tuple(findings)
            )
    if trials < 0:
        raise AttackError(f"{trials} trials: 0 or more")
    defences = _defences(architecture)
    verdicts = tuple(catalogue.verdict(entry.name, defence.name) for entry in attacks for defence in defences)
    simulations = tuple(_simulated(verdicts, trials, seed)) if trials else ()
    told = [] if attack is None else [defence for defence in defences if architecture or defence.name in TOLD]
    stories = tuple(
        catalogue.tell(verdict.attack, defence.name, seed)
        for defence in told
        for verdict in verdicts
        if verdict.defence == defence.name and verdict.applies
    )
    return AttackReport("", attacks, defences, verdicts, stories=stories, simulations=simulations)


def _attacks(name: str | None) -> tuple[Attack, ...]:
    if name is None:
        return tuple(CATALOGUE.values())
    if name not in CATALOGUE:
        raise AttackError(_unknown("attack", name, CATALOGUE))
    return (CATALOGUE[name],)


def _defences(architecture: str | None) -> tuple[Defence, ...]:
    if architecture is None:
        return tuple(DEFENCES.values())
    if architecture in DEFENCES:
        return (DEFENCES[architecture],)
    found = tuple(defence for defence in DEFENCES.values() if defence.family == architecture)
    if not found:
        families = {defence.family: None for defence in DEFENCES.values()}
        raise AttackError(_unknown("architecture", architecture, {**families, **DEFENCES}))
    return found


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
    return f"no {what} is called {name!r}; {hint}"


def _simulated(verdicts: Iterable[Verdict], trials: int, seed: int) -> Iterable[Simulation]:
    """Each verdict that leaves something to chance, beside as many runs."""
    for verdict in verdicts:
        if 0 < verdict.caught < 1:
            counts = catalogue.simulate(verdict.attack, verdict.defence, trials, seed)
            caught = counts[Outcome.CAUGHT] + counts[Outcome.LATE]
            yield Simulation(verdict.attack, verdict.defence, trials, caught, float(verdict.caught))
