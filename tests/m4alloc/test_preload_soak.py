"""A soak: every function of the family among threads that come and go and fork; no byte is lost on any preset.

`M4ALLOC_SOAK_SECONDS` sets how long each run of the campaign takes (20 seconds unless set; minutes, hours).
"""

import os
import re
from pathlib import Path

import pytest

from m4alloc.strategy import Strategy
from tests.m4alloc.native import CORES, PRELOAD, build, run

PRESETS = {
    "default": "",
    "hardened": Strategy.hardened().to_environment(),
    "sampled": Strategy.sampled().with_(sample_rate=100).to_environment(),
    "small stacks": "stack_depth=16,stack_bytes=65536,refill_batch=1,retain_bytes=0",
}
SECONDS = float(os.environ.get("M4ALLOC_SOAK_SECONDS", "20"))


def soak(threads: int, seconds: float, strategy: str, *, seed: int = 1, children: bool = True) -> None:
    """Every block of the run kept its pattern, in the children as well; there were at least 2,000 a second."""
    argv: list[str | Path] = [build(PRELOAD / "soak.c"), str(threads), str(seconds), str(seed)]
    ran = run(argv, timeout=2 * seconds + 60, environment={"M4ALLOC_STRATEGY": strategy})
    assert (ran.status, ran.err) == (0, ""), ran
    counted = re.fullmatch(r"(\d+) blocks checked, 0 lost, (\d+) threads, (\d+) children\n", ran.out)
    assert counted is not None and int(counted[1]) > 2000 * seconds and int(counted[2]) >= threads, ran
    assert int(counted[3]) > 0 or not children, ran


@pytest.mark.slow
def test_a_second_with_every_function_threads_and_forks_loses_no_byte() -> None:
    soak(CORES + 1, 1, PRESETS["default"])


@pytest.mark.campaign
@pytest.mark.parametrize("threads", range(1, 9))
@pytest.mark.parametrize("preset", PRESETS)
def test_no_number_of_threads_loses_a_byte_on_any_preset(preset: str, threads: int) -> None:
    soak(threads, SECONDS, PRESETS[preset], seed=threads)
