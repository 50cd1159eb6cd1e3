"""examples/enclave_heap.py runs as its page says, and each of its claims is in what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_it_shows_a_trim_and_what_a_dishonest_host_can_and_cannot_do() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "enclave_heap.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    before, after = done.stdout.split("after the trim of the middle page:")
    assert "3  REG   0     0x11000  RW      REG" in before
    assert "3  -     -     -        -       free" in after
    assert "frame 4 belongs at 0x12000: #PF" in after
    assert "the host reads a page:   the abort page" in after
    assert "a second page, accepted: SUCCESS says the processor" in after
    assert "the page at 0x10000 is committed" in after
