"""The example finds that calloc trusts used memory, and finds nothing once calloc clears it."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest
from pathlib import Path

import pytest
from hypothesis import settings

from examples.own_allocator import MEMORY, SETTINGS, FirstFit
from m4alloc.check import AllocatorMachine

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "own_allocator.py"


@pytest.mark.slow
def test_the_example_ends_well_with_the_smallest_history_and_the_mended_heap() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Traceback" not in done.stdout
    rule, script, mended = (part.strip() for part in done.stdout.split("\n\n")[1:4])
    assert rule.startswith("calloc-zeroes: calloc(")
    lines = script.splitlines()
    assert "alloc 1" in lines[2]
    assert "free a" in lines[3]
    assert "b = calloc " in lines[4]
    assert lines[4].endswith("! violates calloc-zeroes")
    assert len(lines) == 5
    assert mended == "Cleared: nothing found"


@pytest.mark.slow
def test_for_pytest_it_is_one_line_that_finds_the_same() -> None:
    case = AllocatorMachine(FirstFit, memory=MEMORY).TestCase
    case.settings = settings(SETTINGS, deadline=None)
    result = unittest.TestResult()
    case("runTest").run(result)
    assert "calloc-zeroes" in result.errors[0][1]


def test_the_example_is_short() -> None:
    assert len([line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line]) <= 40
