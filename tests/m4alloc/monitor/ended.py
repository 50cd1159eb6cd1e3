"""Programs of many cases, built once by `m4alloc cc`, and what the run of a case has found."""

from __future__ import annotations

import functools
import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from m4alloc.lib import include
from m4alloc.monitor.compiler import LIBRARY, command
from tests.m4alloc.native import Ran, run

HERE = Path(__file__).parent / "ending"


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="m4alloc-ended-")


@functools.cache
def program(name: str, *words: str) -> Path:
    """The program ending/NAME.c, which does the case that its first word names. words: for `m4alloc cc`."""
    if not Path(LIBRARY).exists():
        pytest.skip("libm4monitor.so is not built")
    target = Path(_folder().name) / "".join([name, *words]).replace("/", "_")
    options = ["-g", "-w", "-pthread", f"-I{include()}", *words, str(HERE / f"{name}.c"), "-o", str(target), "-ldl"]
    done = subprocess.run(command(options), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@dataclass(frozen=True)
class Ended:
    """How a run ended, and its findings in their order, of all processes together."""

    ran: Ran
    findings: tuple[Mapping[str, Any], ...]

    def told(self) -> list[tuple[str, int, int, int]]:
        """Of each finding its class, the blocks, their bytes, and the bytes that only these lead to."""
        return [(each["class"], each["blocks"], each["bytes"], each["further_bytes"]) for each in self.findings]

    def lost(self) -> list[int]:
        """The bytes of each leak, ascending."""
        return sorted(each["bytes"] for each in self.findings if each["class"] == "leak")


def run_case(target: Path, case: str, directory: Path, *, preload: str = "", **options: str) -> Ended:
    """Run one case, with further M4ALLOC_OPTIONS."""
    report = directory / "report.json"
    report.unlink(missing_ok=True)
    words = ",".join(f"{key}={value}" for key, value in {"json": str(report), **options}.items())
    environment = {"M4ALLOC_OPTIONS": words} | ({"LD_PRELOAD": preload} if preload else {})
    ran = run([target, case], preload=False, environment=environment, directory=directory, timeout=30)
    lines = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
    return Ended(ran, tuple(line for line in lines if line["class"] != "end"))
