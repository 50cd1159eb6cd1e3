from __future__ import annotations

import pytest

from spec.ltl.meter import BoundReached, Meter, resident


def test_a_bound_must_not_be_negative() -> None:
    with pytest.raises(ValueError, match="the bound seconds is -1; it must not be negative"):
        Meter(seconds=-1)


def test_a_fresh_meter_has_the_bounds_and_what_is_left_of_the_time() -> None:
    meter = Meter(states=1, seconds=0)
    meter.state()
    fresh = meter.fresh()
    fresh.state()
    assert fresh.states == 1
    with pytest.raises(BoundReached, match="more than 1 states"):
        fresh.state()
    with pytest.raises(BoundReached, match="more than 0 seconds"):
        fresh.look()


def test_resident_memory_is_measured_in_bytes_and_grows_with_what_is_held() -> None:
    def grown() -> int:
        before = resident()
        held = bytearray(b"x") * 50_000_000
        return resident() - before if held else 0

    # A system that reclaims memory of its own accord may do so in between; not each time.
    assert any(40_000_000 < grown() < 400_000_000 for _ in range(5))
