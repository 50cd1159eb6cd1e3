"""Gate 4: workloads are replayed in full on the real core, judged, and what was refused is cut to a few calls."""

from __future__ import annotations

import ctypes
import random
from typing import Any

import numpy as np
import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune import prove_replay
from m4alloc.tune.prove_replay import describe, ours, replay_gate, replayed, segments
from m4alloc.tune.prove_rows import from_rows
from m4alloc.tune.security import Floor
from m4alloc.tune.workload import Workload
from spec.event import Function
from spec.model.system import Verdict
from spec.script import check, parse


def mixed(calls: int = 1500, threads: int = 1, seed: int = 0) -> Workload:
    """Calls of every kind and of sizes on both sides of the large threshold."""
    chance = random.Random(seed)
    live: list[int] = []
    rows: list[str] = []
    for number in range(1, calls + 1):
        thread, clock = chance.randrange(threads), number // 10
        size = chance.choice([0, 1, 16, 24, 100, 500, 1024, 3000, 32768, 40000, 300000])
        kind = chance.random()
        if not live or kind < 0.5:
            live.append(number)
            words = "calloc" if kind < 0.05 else "malloc"
            align = " align=64" if kind > 0.45 else ""
            rows.append(f"{words} {number} {size}{align} thread={thread} at={clock}")
        elif kind < 0.6:
            rows.append(f"realloc {chance.choice(live)} {max(size, 1)} thread={thread} at={clock}")
        else:
            rows.append(f"free {live.pop(chance.randrange(len(live)))} thread={thread} at={clock}")
    return from_rows("\n".join(rows), "mixed")


@pytest.mark.parametrize("name", ["default", "hardened", "sampled"])
def test_a_mixed_workload_is_admitted_under_every_preset(name: str) -> None:
    result = replay_gate(Strategy.named(name), [mixed()], Floor())
    assert result.verdict is Verdict.HOLDS, result.counterexample
    assert result.detail.startswith("1,500 calls of 1 workload admitted, ")
    assert result.detail.endswith(f"events judged by {len(ours())} properties")


def test_threads_are_real_ones_and_their_frees_of_others_blocks_are_admitted() -> None:
    assert replayed(Strategy(), mixed(threads=3), Floor()).threads == 3


def test_threads_that_change_too_often_are_replayed_on_one_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_replay, "SWITCHES", 10)
    result = replay_gate(Strategy(), [mixed(threads=3)], Floor())
    assert result.verdict is Verdict.HOLDS
    assert result.detail.endswith("; on one thread: mixed")


@pytest.mark.slow
def test_a_line_shorter_than_promised_is_refused_with_a_script_of_few_calls() -> None:
    result = replay_gate(Strategy(delay_line=2), [mixed()], Floor.of("any", promise=4))
    assert result.verdict is Verdict.VIOLATED
    assert result.detail.startswith("mixed: quarantine-respected: ")
    script = parse(result.counterexample)
    assert check(script).ok
    assert script.steps[-1].claims[0].words == ("quarantine-respected",)
    again = replay_gate(Strategy(delay_line=2), [from_rows(result.rows)], Floor.of("any", promise=4))
    assert again.detail.startswith("kept: quarantine-respected: ")
    assert len(from_rows(result.rows)) < 20
    assert replay_gate(Strategy(delay_line=4), [from_rows(result.rows)], Floor.of("any", promise=4)).verdict == "HOLDS"


def test_a_violation_is_found_in_a_later_block_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_replay, "BLOCK", 64)
    monkeypatch.setattr(prove_replay, "SHORT", 0)
    monkeypatch.setattr(prove_replay, "SHRINKING", 0.0)
    pairs = "".join(f"malloc {n} 2000000\nfree {n}\n" for n in range(1, 100))
    late = from_rows(pairs + "malloc 100 24\nfree 100\nmalloc 101 24\n")
    result = replay_gate(Strategy(delay_line=0), [late], Floor.of("any", promise=1))
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample.startswith("# quarantine-respected: malloc(24) at event 401 returned")


class Dying:
    """An arena that dies in its hundredth call."""

    def __init__(self, capacity: int, strategy: Any) -> None:
        self.calls = 0

    def call(self, *request: int) -> tuple[int, int, int]:
        self.calls += 1
        if self.calls == 100:
            ctypes.string_at(8)
        return 4096 * self.calls, 0, 0


def test_a_crash_is_a_finding_with_the_call_that_did_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.arena.Arena", Dying)
    monkeypatch.setattr(prove_replay, "SHRINKING", 0.0)
    workload = from_rows("".join(f"malloc {n} 24\n" for n in range(1, 200)))
    result = replay_gate(Strategy(), [workload], Floor())
    assert result.detail == "kept: call-returns: SIGSEGV in call 50, allocate of block 50 to 24 bytes"
    assert len(from_rows(result.rows)) == 50


class Failing:
    """An arena without memory."""

    def __init__(self, capacity: int, strategy: Any) -> None: ...

    def call(self, *request: int) -> tuple[int, int, int]:
        return 0, 12, 0


def test_a_request_that_fails_where_the_program_had_memory_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.arena.Arena", Failing)
    result = replay_gate(Strategy(), [from_rows("malloc 1 24")], Floor())
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample == "call 1, allocate of block 1 to 24 bytes, failed though there is memory for it"


class Telling:
    """An arena that hands out ever new blocks, and writes down what time it is told."""

    clock: list[int | str] = []  # noqa: RUF012 - emptied by each of its tests

    def __init__(self, capacity: int, strategy: Any) -> None:
        self.clock.append("opened")
        self.next = 4096

    @classmethod
    def set_clock(cls, now: int) -> None:
        cls.clock.append(now)

    def call(self, *request: int) -> tuple[int, int, int]:
        self.next += 4096
        return (24 if request[0] == Function.USABLE_SIZE else self.next), 0, 0

    def check(self) -> None:
        assert self.clock == EXPECTED

    def totals(self) -> dict[str, int]:
        return {"misuses": 0}


EXPECTED = [1, "opened", 3, 7]


def test_the_core_is_told_the_time_of_the_recording_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.arena.Arena", Telling)
    workload = from_rows("malloc 1 24 at=1\nmalloc 2 24 at=3 thread=1\nmalloc 3 24 at=2\nfree 1 at=7")
    assert replayed(Strategy(), workload, Floor()).found == ""


class Broken(Telling):
    """An arena of which an invariant does not hold."""

    def check(self) -> None:
        raise AssertionError("a slab is on two lists")


def test_a_broken_invariant_of_the_core_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.arena.Arena", Broken)
    found = replayed(Strategy(), from_rows("malloc 1 24"), Floor()).found
    assert found == "an invariant of the core broke by call 1: a slab is on two lists"


def test_a_fault_of_the_replay_itself_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.arena.Arena", lambda capacity, strategy: 1 // 0)
    with pytest.raises(RuntimeError, match=r"^the replay of kept failed: ZeroDivisionError: "):
        replayed(Strategy(), from_rows("malloc 1 24"), Floor())


def test_what_is_cut_off_is_not_proved() -> None:
    result = replay_gate(Strategy(), [mixed()], Floor(), most=100)
    assert result.verdict is Verdict.EXHAUSTED
    assert result.detail.endswith("; 1,400 calls were left out")
    assert replay_gate(Strategy(), [], Floor()).verdict is Verdict.EXHAUSTED


def test_a_resize_to_nothing_is_a_free() -> None:
    assert replayed(Strategy(), from_rows("malloc 1 24\nrealloc 1 0\nmalloc 1 24\nfree 1"), Floor()).found == ""


def test_calls_are_described_in_words() -> None:
    workload = from_rows("malloc 1 24\nfree 1")
    assert [describe(workload, at) for at in range(3)] == [
        "allocate of block 1 to 24 bytes",
        "free of block 1",
        "after the last call",
    ]


def test_segments_cover_their_range_and_change_where_the_thread_does() -> None:
    numbers = np.array([1, 1, 2, 2, 2, 1, 3], np.uint16)
    assert segments(numbers, 0, 7) == [(0, 2), (2, 5), (5, 6), (6, 7)]
    assert segments(numbers, 3, 4) == [(3, 4)]
