"""Chance made exact: every tag or version that the model could draw, each with its probability.

MTE's policies draw through `Site`, ADI's allocator from the choices of its `VersionPolicy`. Both are given a chooser in
place of a generator; everything else is the model's own code. Tests hold the result against the generators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from capability.adi.policy import VersionPolicy
from capability.adi.protection import Adi
from capability.architecture import Architecture
from capability.mte.policy import Odds, TagPolicy
from capability.mte.protection import MTE
from capability.mte.site import Site
from capability.mte.tag import ALL_TAGS, members


class Chooser:
    """Answers each draw with the next way that it can fall; `ways` goes through all of them.

    >>> chooser = Chooser()
    >>> for _ in chooser.ways():
    ...     print(chooser.choose(2), chooser.choose(3), chooser.odds)
    0 0 6
    0 1 6
    0 2 6
    1 0 6
    1 1 6
    1 2 6
    """

    def __init__(self) -> None:
        self._script: list[int] = []
        self._made: list[tuple[int, int]] = []

    def choose(self, count: int) -> int:
        """Which of so many equally likely things it is, this time."""
        place = len(self._made)
        chosen = self._script[place] if place < len(self._script) else 0
        self._made.append((chosen, count))
        return chosen

    @property
    def odds(self) -> int:
        """One in how many ways it is that this round's choices fell like this."""
        return prod(count for _, count in self._made)

    def ways(self) -> Iterator[None]:
        """One round for each way that the choices made in the round can fall."""
        self._script = []
        while True:
            self._made = []
            yield
            left = self._made
            while left and left[-1][0] + 1 == left[-1][1]:
                left.pop()
            if not left:
                return
            self._script = [chosen for chosen, _ in left]
            self._script[-1] += 1


class _ChosenSite(Site):
    """A block's place whose draws are the chooser's."""

    chooser: Chooser

    def draw(self, never: int, rather_not: int = 0) -> int:
        exclude = never | rather_not
        allowed = members(ALL_TAGS & ~(never if exclude == ALL_TAGS else exclude))
        return allowed[self.chooser.choose(len(allowed))] if allowed else 0


@dataclass(frozen=True, slots=True)
class _ChosenTags:
    """A tag policy whose draws are the chooser's."""

    policy: TagPolicy
    chooser: Chooser

    @property
    def largest(self) -> int | None:
        return self.policy.largest

    @property
    def zeroes(self) -> bool:
        return self.policy.zeroes

    def allocate(self, site: Site) -> int:
        return self.policy.allocate(self._at(site))

    def release(self, site: Site) -> int:
        return self.policy.release(self._at(site))

    def odds(self) -> Odds:
        return self.policy.odds()

    def _at(self, site: Site) -> Site:
        chosen = _ChosenSite(*site)
        chosen.chooser = self.chooser
        return chosen


@dataclass(frozen=True)
class _ChosenVersions(VersionPolicy):
    """A version policy that leaves one choice: the chooser's."""

    chooser: Chooser | None = None

    def choices(self, before: int, after: int) -> tuple[int, ...]:
        found = super().choices(before, after)
        assert self.chooser is not None
        return (found[self.chooser.choose(len(found))],)


def chosen(architecture: Architecture, chooser: Chooser) -> Architecture:
    """The same architecture, whose draws are the chooser's; itself where nothing is drawn.

    >>> chosen(Adi(), Chooser()).granule
    64
    """
    if isinstance(architecture, MTE):
        return replace(architecture, policy=_ChosenTags(architecture.policy, chooser))
    if isinstance(architecture, Adi):
        given = architecture.policy
        policy = _ChosenVersions(given.free_version, given.exclude_neighbours, chooser)
        return replace(architecture, policy=policy)
    return architecture
