"""Strategy: its checks, its text forms, and its agreement with the core's own reading (_core/knobs.pxd)."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from m4alloc.strategy import LIMITS, SMALL_MAX, Strategy, StrategyError

CORE = Path(__file__).parents[2] / "m4alloc" / "_core"
SWITCHES = [field.name for field in fields(Strategy) if field.type == "bool"]
"""The knobs that are on or off."""


@st.composite
def strategies(draw: st.DrawFn) -> Strategy:
    """Any strategy that the checks admit."""
    numbers = {
        name: draw(st.integers(least, min(most, 2**40)))
        for name, (least, most) in LIMITS.items()
        if name not in SWITCHES
    }
    switches = {name: draw(st.booleans()) for name in SWITCHES}
    sizes = draw(st.sets(st.integers(1, SMALL_MAX // 16 - 1), max_size=40))
    classes = (*(16 * size for size in sorted(sizes)), SMALL_MAX)
    return Strategy(classes=classes, **switches, **numbers)


@given(strategies())
def test_toml_holds_every_knob(strategy: Strategy) -> None:
    assert Strategy.from_toml(strategy.to_toml()) == strategy


def test_toml_without_the_table_and_with_knobs_left_out_is_read() -> None:
    assert Strategy.from_toml("delay_line = 5\n") == Strategy(delay_line=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delay_line": -1}, "delay_line is -1; it must be from 0 to 4096"),
        ({"reserve": 1}, "reserve is 1; it must be from 4194304 to 17592186044416"),
        ({"stack_depth": 2.5}, "stack_depth is 2.5; it must be a whole number"),
        ({"classes": ()}, "there are 0 classes; there must be from 1 to 64"),
        ({"classes": (16, 24, 32768)}, "class 24 must be a positive multiple of 16"),
        ({"classes": (32, 16, 32768)}, "class 16 follows 32; classes must increase"),
        ({"classes": (16, 32)}, "the last class is 32; it must be 32768, so that every small size has one"),
    ],
)
def test_a_strategy_that_cannot_run_says_what_would_be_right(change: dict[str, object], message: str) -> None:
    with pytest.raises(StrategyError) as caught:
        Strategy(**change)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_an_unknown_knob_in_a_file_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[strategy]\ndelay = 5\n")
    with pytest.raises(
        StrategyError,
        match=r"mine\.toml: unknown knob 'delay'; there are canaries, check_copies, check_on_reuse, classes",
    ):
        Strategy.load(path)


def test_malformed_toml_names_the_file_and_the_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("delay_line = = 5\n")
    with pytest.raises(StrategyError, match=r"mine\.toml: .*line 1"):
        Strategy.load(path)


def test_the_core_knows_exactly_these_knobs() -> None:
    text = (CORE / "knobs.pxd").read_text()
    assert set(re.findall(r'is_word\(key, key_length, "(\w+)"\)', text)) - {"misuse", "stats"} == {
        field.name for field in fields(Strategy)
    }


def test_the_core_has_the_same_defaults() -> None:
    text = (CORE / "knobs.pxd").read_text()
    body = text[text.index("cdef inline void default_knobs") : text.index("cdef inline bint is_word")]
    defaults = {name: eval(value.replace("<uint64_t>", "")) for name, value in re.findall(r"knobs\.(\w+) = (.+)", body)}
    assert defaults.pop("capacity") == 0
    strategy = Strategy()
    assert SWITCHES and set(SWITCHES) <= set(LIMITS)
    assert defaults == {name: getattr(strategy, name) for name in defaults}
    assert set(defaults) == {field.name for field in fields(Strategy)} - {"classes"}


def test_the_core_takes_every_extreme_that_the_checks_admit_and_refuses_what_they_refuse() -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")

    class Raw:
        def __init__(self, text: str) -> None:
            self.text = text

        def to_environment(self) -> str:
            return self.text

    for name, (least, most) in LIMITS.items():
        for value in (least, most):
            # Metadata for the longest lines and stacks is reserved only when a class is used.
            fast.Arena(1 << 20, Raw(f"{name}={value}")).close()
        for value in ([least - 1] if least > 0 else []) + [most + 1]:
            with pytest.raises(ValueError, match=f'"{value}" is not a value of {name}'):
                fast.Arena(1 << 20, Raw(f"{name}={value}"))


def test_the_core_uses_the_classes_it_is_given() -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    strategy = Strategy(classes=(48, 1024, SMALL_MAX))
    with fast.Arena(1 << 22, strategy) as arena:
        usable = {size: arena.malloc(size).usable_size for size in (1, 48, 49, 1024, 1025)}
    assert usable == {1: 48, 48: 48, 49: 1024, 1024: 1024, 1025: SMALL_MAX}


@given(strategies())
@example(Strategy(delay_line=1, delay_bytes=0))
@example(Strategy(quarantine=1, quarantine_bytes=0))
def test_quarantine_limit_is_the_cores(strategy: Strategy) -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    with fast.Arena(1 << 20, strategy) as arena:
        assert (arena.quarantine, arena.quarantine_limit) == (strategy.quarantine_length, strategy.quarantine_limit)


@pytest.mark.parametrize(
    ("strategy", "slot_size", "delay_line", "quarantine"),
    [
        (Strategy(), 1024, 16, 0),
        (Strategy(), 2048, 8, 0),  # 16 KiB of delay line
        (Strategy(), 32768, 1, 0),
        (Strategy(delay_line=0), 16, 0, 0),
        (Strategy(delay_line=3), 16, 3, 0),  # a ring of 4, of which 3 are promised
        (Strategy(delay_line=3, delay_bytes=100), 48, 2, 0),
        (Strategy(quarantine=100, quarantine_bytes=640), 64, 16, 10),
        (Strategy(quarantine=100, quarantine_bytes=10), 64, 16, 1),
    ],
)
def test_a_shape_has_the_lengths_that_the_core_gives_a_class(
    strategy: Strategy, slot_size: int, delay_line: int, quarantine: int
) -> None:
    shape = strategy.shape(slot_size=slot_size)
    assert (shape.delay_line, shape.quarantine) == (delay_line, quarantine)
