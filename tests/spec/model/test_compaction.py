from __future__ import annotations

import random

import pytest

from spec.model.compaction import digest, omission, warning


@pytest.mark.parametrize("size", [0, 65])
def test_a_digest_has_1_to_64_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"a digest of {size} bytes; 1 to 64 would be right"):
        digest(size)


def test_the_bound_on_an_omission_is_not_below_how_often_one_happens() -> None:
    of, source, states, rounds = digest(2), random.Random(1), 60, 400
    missed = 0
    for _ in range(rounds):
        nodes = {(source.randrange(10**9), 0) for _ in range(states)}
        missed += len({of(node) for node in nodes}) < len(nodes)
    expected = omission(states, 2)
    assert 0.5 * expected < missed / rounds < 1.6 * expected


def test_a_result_says_what_it_may_have_missed() -> None:
    assert warning(1000, 4) == "unless a state was missed: 4-byte digests, probability at most 1.2e-04"
