"""Gate 1: invariants, floor, promise, and the core's own word."""

from __future__ import annotations

from typing import Any

import pytest

from m4alloc.strategy import CLASS_MAX, SLAB_MAX, Strategy
from m4alloc.tune import prove_static
from m4alloc.tune.prove_static import CHECKS, differing, representable, static_gate, toml_of
from m4alloc.tune.security import Floor
from spec.model.system import Verdict


def behind(**changes: Any) -> Strategy:
    """A strategy with knobs that were set behind its back, past its own checks."""
    strategy = Strategy()
    for name, value in changes.items():
        object.__setattr__(strategy, name, value)
    return strategy


@pytest.mark.parametrize("name", ["default", "hardened", "sampled"])
def test_every_preset_holds(name: str) -> None:
    result = static_gate(Strategy.named(name), Floor.of("default", promise=16))
    assert result.verdict is Verdict.HOLDS, result.detail
    assert (
        result.detail == "5 invariants, floor default, 16 frees promised up to 1024 bytes; the core promises the same"
    )


@pytest.mark.parametrize(
    ("strategy", "line"),
    [
        (behind(delay_line=-1), "delay_line is -1; it must be from 0 to 4096"),
        (behind(classes=(32, 32, 32768)), "class 32 follows 32; classes must increase"),
        (behind(classes=(24, 32768)), "class 24 must be a multiple of 16 up to 1048576"),
        (behind(classes=(16, 32784)), "class 32784 must be a multiple of 4096 up to 1048576"),
        (behind(classes=()), "there are 0 classes; there must be from 1 to 64"),
        (behind(classes=(16, 131072), slab_bytes=(65536, 65536)), "class 131072 has slabs of 65536 bytes"),
        (behind(slab_bytes=(65536,)), "slab_bytes has 1 numbers; there are 40 classes"),
        (behind(classes=(16,), stack_depths=(0,)), "class 16 has a stack of 0; it must hold a slot at least"),
        (behind(reserve=1), "the lines of one thread may hold"),
    ],
)
def test_an_invariant_that_is_broken_behind_the_strategys_back_is_told(strategy: Strategy, line: str) -> None:
    assert any(said.startswith(line) for check in CHECKS for said in check(strategy))
    assert static_gate(strategy, Floor()).verdict is Verdict.VIOLATED


@pytest.mark.parametrize(
    ("format", "size", "line"),
    [
        ("isav9", 16400, "class 16400 is not representable on ISAv9: its bounds would be rounded to 16416 bytes"),
        ("128r", 16400, "class 16400 is not representable on RISC-V draft, 128r: its bounds would be rounded to 16416"),
        ("cheriot", 8208, "class 8208 is not representable on CHERIoT: its bounds would be rounded to 8224 bytes"),
        ("64", 272, "class 272 is not representable on ISAv9: its bounds would be rounded to 288 bytes"),
        (
            "riscv",
            16400,
            "class 16400 is not representable on RISC-V draft, 128r: its bounds would be rounded to 16416",
        ),
        ("64", 1 << 20, "class 1048576 is not representable on ISAv9: slots must lie at multiples of 131072"),
    ],
)
def test_a_class_without_exact_bounds_is_refused_with_its_rounded_size(format: str, size: int, line: str) -> None:
    strategy = behind(classes=(16, size), representable=format)
    result = static_gate(strategy, Floor())
    assert result.verdict is Verdict.VIOLATED
    assert result.detail.startswith(line)
    assert result.counterexample.startswith(line)
    assert list(representable(behind(classes=(16, size)))) == []


def test_every_class_that_the_core_can_have_is_representable_on_morello() -> None:
    for size in (*range(16, 32769, 16), *range(36864, (1 << 20) + 1, 4096)):
        assert list(representable(behind(classes=(size,), representable="morello"))) == []


def test_a_format_that_there_is_not_is_refused() -> None:
    (line,) = representable(behind(representable="vax"))
    assert line == ("representable is 'vax'; there are 128, 128m, 128r, 64, 64r, cheriot, isav9, morello, riscv")


def test_a_candidate_below_the_floor_is_refused_with_every_axis() -> None:
    result = static_gate(Strategy(delay_line=0, guard_empty=False), Floor.of("default"))
    assert result.verdict is Verdict.VIOLATED
    assert result.detail == "reuse of 1 to 1024 bytes after 0 frees; 16 are wanted; and 5 more"
    assert result.counterexample.split("\n")[-1] == "guard_empty is off; on is wanted"


def test_a_quarantine_shorter_than_promised_is_refused_with_the_class() -> None:
    result = static_gate(Strategy(quarantine=8), Floor.of("default", promise=32))
    assert result.detail == "promise of 32 frees up to 1024 bytes: class 16 keeps a freed slot for 24"


def test_a_promise_that_the_class_above_its_size_does_not_keep_is_refused() -> None:
    result = static_gate(Strategy(classes=(16, 32768)), Floor.of("any", promise=16))
    assert result.detail == "promise of 16 frees up to 1024 bytes: class 32768 keeps a freed slot for 1"


def test_a_strategy_with_the_largest_slabs_holds() -> None:
    strategy = Strategy(slab_bytes=(SLAB_MAX,) * len(Strategy().classes), guard_slabs=1)
    assert static_gate(strategy, Floor()).verdict is Verdict.HOLDS
    assert static_gate(Strategy(classes=(CLASS_MAX,), delay_bytes=1 << 30), Floor()).verdict is Verdict.HOLDS


def test_a_core_that_promises_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_static, "_opened", lambda strategy: (15, 1024))
    result = static_gate(Strategy(), Floor())
    assert result.detail == "the core promises 15 frees up to 1024 bytes; the strategy says 16 up to 1024"


def test_a_core_that_crashes_on_the_strategy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr(prove_static, "_opened", lambda strategy: os.abort())
    assert static_gate(Strategy(), Floor()).detail == "the core does not open with it: SIGABRT"


def test_the_knobs_that_differ_are_read_back_from_their_text() -> None:
    strategy = Strategy(delay_line=8, guards=True, classes=(16, 32768), retain_ms=5)
    assert Strategy.from_toml(toml_of(differing(strategy))) == strategy
    assert differing(Strategy()) == {}
