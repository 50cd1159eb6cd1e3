"""Attack: one entry of the catalogue, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from capability.architecture import Hazard
from spec.attacks.defence import Feature
from spec.attacks.goal import Goal
from spec.attacks.step import Action, Churn, HostBuffer, Make, Reach, Use


class Family(Enum):
    """What is wrong in kind."""

    SPATIAL = "out of bounds"
    TEMPORAL = "after free"
    STALE = "stale contents"
    FREEING = "wrong free"
    REQUEST = "wrong request"
    AUTHORITY = "more authority"
    TAG = "against tags"
    ENCLAVE = "enclave boundary"


@dataclass(frozen=True, slots=True)
class Attack:
    """A named attack or bug.

    sentence: what the attacker does, and what that gains. source: a class of weakness (CWE), a published attack, or a
    technique. goal: how success is seen. hazard: the kind of access that decides, in free as well, where
    `Architecture.detection` has a promise about it. needs: what the attack is aimed at. tries: how often it may be
    repeated, each time on a machine that has drawn new tags.
    """

    name: str
    family: Family
    sentence: str
    source: str
    steps: tuple[Action, ...]
    goal: Goal
    hazard: Hazard | None = None
    needs: frozenset[Feature] = frozenset()
    tries: int = 1

    @property
    def title(self) -> str:
        """The name in words.

        >>> from spec.attack import CATALOGUE
        >>> CATALOGUE["off-by-one"].title
        'Off by one'
        """
        return self.name.replace("-", " ").capitalize()

    @property
    def is_native(self) -> bool:
        """It is made of calls and accesses alone, which any allocator can be asked to take.

        >>> from spec.attack import CATALOGUE
        >>> CATALOGUE["double-free"].is_native, CATALOGUE["forged-pointer"].is_native
        (True, False)
        """
        modelled = (Make, Churn, HostBuffer)
        executes = any(isinstance(step, Reach) and step.use is Use.FETCH for step in self.steps)
        return not (self.needs or executes or any(isinstance(step, modelled) for step in self.steps))
