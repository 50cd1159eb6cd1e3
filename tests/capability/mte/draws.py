"""Every run of a scenario, one for each way that its random draws can fall, with its exact probability."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from math import prod
from unittest.mock import patch

from capability.mte.draw import TagSource
from capability.mte.tag import ALL_TAGS, members


class Moment:
    """Where a scenario stops setting up: what was drawn before is the state, what is drawn afterwards is chance."""

    def __init__(self) -> None:
        self.before: int | None = None
        self.draws: list[tuple[int, int]] = []

    def now(self) -> None:
        assert self.before is None
        self.before = len(self.draws)


def runs(scenario: Callable[[Moment], bool], states: int = 3) -> Iterator[tuple[Hashable, Fraction, bool]]:
    """The state before the moment, the probability of what followed, and the scenario's answer; for each run there is.

    states: 1 to 3. Before the moment each draw takes so many of the allowed tags, spread from the first to the last:
    three are enough to make the tags that a policy looks at equal or different. After it, every allowed tag.
    """
    script: list[int] = []
    while True:
        moment = Moment()

        def draw(source: TagSource, exclude: int, moment: Moment = moment, script: list[int] = script) -> int:
            allowed = members(ALL_TAGS & ~exclude)
            if moment.before is None:
                allowed = tuple(sorted({allowed[0], allowed[len(allowed) // 2], allowed[-1]}))[:states]
            position = len(moment.draws)
            choice = script[position] if position < len(script) else 0
            moment.draws.append((choice, len(allowed)))
            return allowed[choice]

        with patch.object(TagSource, "draw", draw):
            answer = scenario(moment)
        assert moment.before is not None, "the scenario names no moment"
        chance = moment.draws[moment.before :]
        yield tuple(moment.draws[: moment.before]), Fraction(1, prod(count for _, count in chance)), answer
        left = moment.draws
        while left and left[-1][0] + 1 == left[-1][1]:
            left.pop()
        if not left:
            return
        script = [choice for choice, _ in left]
        script[-1] += 1


def least(scenario: Callable[[Moment], bool], states: int = 3) -> Fraction:
    """The probability that the scenario answers true, in the state where it is least."""
    true: defaultdict[Hashable, Fraction] = defaultdict(Fraction)
    total: defaultdict[Hashable, Fraction] = defaultdict(Fraction)
    for state, weight, answer in runs(scenario, states):
        total[state] += weight
        true[state] += weight * answer
    assert set(total.values()) == {Fraction(1)}, "the probabilities of each state's runs add up to one"
    return min(true[state] for state in total)
