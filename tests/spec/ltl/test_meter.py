from __future__ import annotations

import subprocess
import sys

import pytest

from spec.ltl.meter import BoundReached, Meter


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
    # In a process of its own: one that has run a thousand tests gives memory back while it is measured.
    program = (
        "from spec.ltl.meter import resident\n"
        "before = resident()\n"
        "held = bytearray(b'x') * 50_000_000\n"
        "print(resident() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert 40_000_000 < int(done.stdout) < 100_000_000
