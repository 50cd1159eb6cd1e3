"""The example finds that calloc trusts used memory, and finds nothing once calloc clears it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from examples.own_allocator import MEMORY, FirstFit
from m4alloc.check import AllocatorMachine

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "own_allocator.py"


class Mended(FirstFit):
    def calloc(self, count: int, size: int) -> int:
        address = self.malloc(count * size)
        MEMORY[address : address + count * size] = bytes(count * size)
        return address


def test_the_example_finds_the_calloc_that_does_not_clear() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, EXAMPLE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "spec.error.Violation: calloc-zeroes: calloc(" in done.stderr
    script = done.stderr[done.stderr.index("given standard c23") :].splitlines()
    assert "alloc 1" in script[2]
    assert "free a" in script[3]
    assert "b = calloc " in script[4]
    assert script[4].endswith("! violates calloc-zeroes")


def test_nothing_is_found_once_calloc_clears() -> None:
    run_state_machine_as_test(
        AllocatorMachine(Mended, memory=MEMORY), settings=settings(max_examples=15, deadline=None)
    )


def test_the_example_is_short() -> None:
    assert len([line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line]) <= 40
