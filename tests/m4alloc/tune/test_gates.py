"""Candidates judged side by side: in order, whatever comes first, and ended by an interrupt."""

from __future__ import annotations

import os
import time

import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune.gates import GateError, proofs
from m4alloc.tune.prove_result import Proof
from spec.model.system import Verdict
from tests.m4alloc.tune.report_cases import proof

ONES = [Strategy(refill_batch=batch) for batch in range(1, 6)]


def slower_first(strategy: Strategy) -> Proof:
    time.sleep(0.05 * (6 - strategy.refill_batch))
    return proof(strategy, Verdict.HOLDS)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_proofs_are_in_the_order_of_the_candidates(workers: int) -> None:
    seen: list[int] = []
    found = proofs(ONES, slower_first, workers=workers, done=seen.append)
    assert [one.strategy for one in found if one] == ONES and seen == [1, 2, 3, 4, 5]


def test_several_are_judged_at_the_same_time() -> None:
    def where(strategy: Strategy) -> Proof:
        time.sleep(0.1)
        one = proof(strategy, Verdict.HOLDS)
        return Proof(toml=one.toml, strategy=strategy, floor=one.floor, seed=os.getpid(), gates=one.gates)

    apart = {one.seed for one in proofs(ONES, where, workers=5) if one}
    assert len(apart) == 5 and os.getpid() not in apart
    assert {one.seed for one in proofs(ONES, where) if one} == {os.getpid()}


@pytest.mark.parametrize("workers", [1, 2])
def test_after_an_interrupt_nothing_begins_and_what_runs_is_ended(workers: int) -> None:
    class Stop:
        began = time.monotonic()

        def __bool__(self) -> bool:
            return time.monotonic() > self.began + 0.5

    def endless(strategy: Strategy) -> Proof:
        time.sleep(30 if workers > 1 else 0.3)
        return proof(strategy, Verdict.HOLDS)

    began = time.monotonic()
    found = proofs(ONES, endless, workers=workers, stop=Stop())
    assert None in found and time.monotonic() - began < 10


def test_what_goes_wrong_in_a_process_is_told() -> None:
    def wrong(strategy: Strategy) -> Proof:
        raise ValueError("not so")

    def dead(strategy: Strategy) -> Proof:
        os._exit(3)

    with pytest.raises(GateError, match=r"^ValueError: not so$"):
        proofs(ONES, wrong, workers=2)
    with pytest.raises(GateError, match=r"^a process that verified a candidate ended with status 3$"):
        proofs(ONES, dead, workers=2)
    with pytest.raises(ValueError, match="not so"):
        proofs(ONES, wrong)
