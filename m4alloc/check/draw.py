"""Rounds drawn by Hypothesis outside of a test: a batch of them for a seed, the same each time."""

from __future__ import annotations

import warnings

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisWarning

from m4alloc.check.judgement import Terms
from m4alloc.check.round import Round
from m4alloc.check.rounds import rounds
from spec.event import Function


def drawn(functions: frozenset[Function], terms: Terms, chosen: int, batch: int, count: int) -> list[Round]:
    """`count` rounds for an allocator with these functions.  Cost: about 2 ms a round.

    The first batches are of small rounds, so that what is easy to find is found soon and as something short.

    >>> from m4alloc.check.judgement import Terms
    >>> one, two = (drawn(frozenset({Function.MALLOC, Function.FREE}), Terms(), 7, 0, 3) for _ in range(2))
    >>> one == two, len(one)
    (True, 3)
    """
    made: list[Round] = []
    length = min(4000, 200 << min(batch, 5))

    @seed(chosen * 1_000_003 + batch)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(rounds(functions, misuse=terms.catches_misuse or terms.misuse, length=length))
    def keep(one: Round) -> None:
        made.append(one)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)
        keep()
    return made[:count]
