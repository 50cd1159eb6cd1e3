"""Attacks on the heap: the catalogue, the defences, and what becomes of each attack on each defence.

>>> str(verdict("linear-overflow", "flat")), str(verdict("linear-overflow", "isav9"))
('missed', 'caught, at step 4: length fault (LENGTH)')
>>> verdict("use-after-reuse-read", "mte-glibc").caught
Fraction(14, 15)
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from spec.attacks import authority, enclave, frees, spatial, stale, tags, temporal
from spec.attacks.defence import DEFENCES, Defence
from spec.attacks.judge import judge, missing
from spec.attacks.kind import Attack, Family
from spec.attacks.plan import Plan
from spec.attacks.script import script as _script
from spec.attacks.story import Line, Story
from spec.attacks.story import tell as _tell
from spec.attacks.verdict import LEGEND, Catch, Catcher, Outcome, Verdict
from spec.statement import Script

__all__ = [
    "CATALOGUE",
    "DEFENCES",
    "LEGEND",
    "Attack",
    "Catch",
    "Catcher",
    "Defence",
    "Family",
    "Line",
    "Outcome",
    "Story",
    "Verdict",
    "plan",
    "script",
    "simulate",
    "tell",
    "verdict",
]

_MODULES = (spatial, temporal, stale, frees, authority, tags, enclave)
CATALOGUE: dict[str, Attack] = {
    attack.name: attack
    for family in Family
    for module in _MODULES
    for attack in module.ATTACKS
    if attack.family is family
}
"""Every attack by its name, family by family."""


def verdict(attack: str, defence: str) -> Verdict:
    """What becomes of an attack on a defence, with exact probabilities.

    Raises KeyError for a name that is in neither catalogue.
    Cost: milliseconds; up to a second where two tags of large blocks are drawn.

    >>> verdict("tag-guess", "flat").reason
    'pointers carry no tag that is a number'
    """
    entry, against = CATALOGUE[attack], DEFENCES[defence]
    reason = missing(entry.needs, against)
    if reason:
        return Verdict(attack, defence, {}, reason=reason)
    return judge(plan(attack, defence))


@lru_cache(maxsize=256)
def plan(attack: str, defence: str) -> Plan:
    """The attack made ready to be played against the defence.  Raises KeyError; Bug when it does not apply there."""
    return Plan(CATALOGUE[attack], DEFENCES[defence])


def simulate(attack: str, defence: str, trials: int, seed: int = 0) -> Counter[Outcome]:
    """How often each outcome came about in so many runs, in which the model's own generators draw.

    trials: at least 1. seed: runs with the same seed repeat.  Raises KeyError; Bug when the attack does not apply.
    Cost: about 50 microseconds a trial.

    >>> simulate("linear-overflow", "isav9", 3)[Outcome.CAUGHT]
    3
    """
    return plan(attack, defence).simulate(trials, seed)


def tell(attack: str, defence: str, seed: int = 0) -> Story:
    """One run of an attack on a defence, step by step.

    Raises KeyError; Bug when the attack does not apply.

    >>> tell("double-free", "flat").ending
    'caught at step 3 by the allocator: misuse double-free'
    """
    return _tell(plan(attack, defence), seed)


def script(attack: str) -> Script:
    """An attack of calls and accesses alone as a heap script, with the addresses of its run without protection.

    Raises KeyError; ValueError for an attack that does more to a pointer than use it.

    >>> len(script("double-free").steps)
    3
    """
    return _script(plan(attack, "flat"))
