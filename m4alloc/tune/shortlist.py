"""Shortlist: which of the front's candidates are worth the cost of verifying and measuring them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from m4alloc.strategy import Strategy
from m4alloc.tune.archive import Archive, Prefer, Reference, recommended
from m4alloc.tune.evaluate import Scored


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the front, with the names of the preferences that would choose it; `front N` when none would."""

    name: str
    scored: Scored

    @property
    def strategy(self) -> Strategy:
        """Its knobs."""
        return self.scored.strategy


def merged(baseline: Strategy, evaluations: Sequence[Scored]) -> list[Scored]:
    """The front of everything that any method has seen, by time."""
    archive = Archive(Reference.of(baseline))
    for one in evaluations:
        if not one.failed:
            archive.add(one)
    kept = {one.strategy for one in archive.front}
    first = {one.strategy: one for one in reversed(evaluations) if one.strategy in kept}
    return sorted(first.values(), key=lambda one: (one.objectives.time, one.objectives.memory))


def shortlist(front: Sequence[Scored], baseline: Scored, prefer: Prefer | str, most: int = 6) -> list[Candidate]:
    """At most `most` candidates, the one to recommend first: those that some preference would choose, then the fastest.

    The baseline is never among them: it needs no recommendation.
    """
    order = [Prefer(prefer), *(one for one in Prefer if one is not Prefer(prefer))]
    chosen: dict[Strategy, list[str]] = {}
    scored: dict[Strategy, Scored] = {}
    for wanted in order:
        one = next((each for each in front if each is recommended(front, baseline, wanted)), None)
        if one is not None and one.strategy != baseline.strategy:
            chosen.setdefault(one.strategy, []).append(str(wanted))
            scored[one.strategy] = one
    for number, one in enumerate(front, 1):
        if len(chosen) >= most:
            break
        if one.strategy != baseline.strategy and one.strategy not in chosen and one.objectives.time < 1:
            chosen[one.strategy] = [f"front {number}"]
            scored[one.strategy] = one
    return [Candidate("+".join(names), scored[strategy]) for strategy, names in list(chosen.items())[:most]]
