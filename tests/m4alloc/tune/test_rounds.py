"""Round by round: in turn, until it is enough, and only what is right counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from m4alloc.bench.measure import BenchError
from m4alloc.bench.peer import GLIBC, Peer
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.program import ProgramError
from m4alloc.tune.native import library
from m4alloc.tune.rounds import Rounds, counted, in_rounds

SYSTEM = Peer(GLIBC, "")


@pytest.fixture(scope="module")
def bump() -> Peer:
    return Peer("bump", str(library("bump")))


def test_rounds_go_on_until_it_is_enough(bump: Peer) -> None:
    seen: list[int] = []

    def enough(found: Rounds) -> bool:
        seen.append(found.rounds)
        return found.rounds >= 4

    found = in_rounds(["true"], [SYSTEM, bump], least=2, most=9, step=1, enough=enough)
    assert (seen, found.rounds, found.interrupted) == ([2, 3, 4], 4, False)
    assert len(found.values("bump", "cpu")) == 4 == len(found.ratios("bump", GLIBC, "peak"))


def test_rounds_end_at_the_most(bump: Peer) -> None:
    assert in_rounds(["true"], [SYSTEM, bump], least=2, most=4, step=3).rounds == 4


def test_an_allocator_that_changes_the_output_has_no_figures() -> None:
    told = "import os; print(os.environ.get('CHANGED', 'no'))"
    changed = Peer("changed", "", settings=(("CHANGED", "yes"),))
    found = in_rounds([sys.executable, "-ISc", told], [SYSTEM, changed], least=2, most=2)
    assert found.error("changed").startswith("round 1: output (its digest) ")
    assert found.values("changed", "cpu") == {} and found.ratio("changed", GLIBC, "cpu") is None
    assert found.error(GLIBC) == "" and found.error("nobody") == "not run"


def test_an_allocator_that_fails_is_not_run_again(bump: Peer) -> None:
    small = Peer("bump", bump.preload, settings=(("M4ALLOC_BUMP_LIMIT", "2000000"),))
    argv = [sys.executable, "-ISc", "x = [bytes(1000) for _ in range(10_000)]"]
    found = in_rounds(argv, [SYSTEM, small], least=2, most=2)
    assert found.error("bump") == "ended with status 97: m4alloc bump: does not fit, on glibc with 0"


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(BenchError, match=r"^1 to 5 rounds: from 2 to 1000$"):
        in_rounds(["true"], [SYSTEM], least=1, most=5)
    with pytest.raises(BenchError, match=r"^without glibc nobody knows what the program's output is$"):
        in_rounds(["true"], [Peer("other", "")], least=2, most=2)
    with pytest.raises(ProgramError):
        in_rounds(["/no/such/program"], [SYSTEM], least=2, most=2)


def test_ctrl_c_ends_it_with_what_there_is() -> None:
    code = """
import os, signal, threading
from m4alloc.bench.peer import Peer
from m4alloc.tune.rounds import in_rounds
def enough(found):
    threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
found = in_rounds(["sleep", "0.01"], [Peer("glibc", "")], least=2, most=60, step=58, enough=enough)
print(found.interrupted, 2 <= len(found.values("glibc", "wall")) < 60)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_an_allocator_that_is_dropped_runs_no_more_and_keeps_its_figures(bump: Peer) -> None:
    found = in_rounds(["true"], [SYSTEM, bump], least=2, most=4, step=2, drop=lambda _: ("bump", GLIBC))
    assert (found.rounds, found.dropped) == (4, ("bump",))
    assert (len(found.values("bump", "cpu")), len(found.values(GLIBC, "cpu"))) == (2, 4)
    assert len(found.ratios("bump", GLIBC, "cpu")) == 2 and found.error("bump") == ""


def test_who_counted_interrupts_before_hears_of_those_within() -> None:
    with interrupts_noted() as outer:
        with counted() as inner:
            os.kill(os.getpid(), signal.SIGINT)
            assert (inner.count, outer.count) == (1, 0)
        assert outer.count == 1
    with counted() as alone:
        assert not alone
