"""Build one C program for the tests of reports, run it in children, and read what the runtime says of it.

M4ALLOC_TEST_MONITOR=PATH puts another libm4monitor.so in the place of the package's.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m4alloc.monitor.compiler import LIBRARY, command
from tests.m4alloc.native import Ran, need, run

SOURCE = Path(__file__).with_name("reports.c")
HEADERS = LIBRARY.parent / "include"
MONITOR = Path(os.environ.get("M4ALLOC_TEST_MONITOR", LIBRARY))


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="m4alloc-reports-")


def directory() -> Path:
    """Where programs are built and run."""
    return Path(_scratch().name)


@functools.cache
def program(*flags: str, rebuilt: bool = True) -> Path:
    """reports.c, built by `m4alloc cc` or by gcc alone."""
    gcc = need("gcc", "gcc libc6-dev")
    path = directory() / f"program{len(list(directory().glob('program*')))}"
    words = ["-O1", "-g", "-fno-builtin", "-w", "-pthread", f"-I{HEADERS}", *flags, str(SOURCE), "-o", str(path)]
    built = command(words, library=MONITOR) if rebuilt else [gcc, "-fno-omit-frame-pointer", *words]
    done = subprocess.run(built, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


@dataclass(frozen=True, slots=True)
class Told:
    """What a run has left: its status and outputs, and the lines of the file of findings, without the end's."""

    ran: Ran
    findings: tuple[Mapping[str, Any], ...]
    end: Mapping[str, Any] | None

    @property
    def classes(self) -> list[str]:
        return [finding["class"] for finding in self.findings]


def tell(
    *arguments: str,
    options: str = "",
    rebuilt: bool = True,
    flags: tuple[str, ...] = (),
    also: Mapping[str, str] | None = None,
) -> Told:
    """Run the program with the arguments and M4ALLOC_OPTIONS; `also` are further variables."""
    notes = Path(tempfile.mkstemp(dir=directory(), suffix=".json")[1])
    environment = {"M4ALLOC_OPTIONS": ",".join(filter(None, [f"json={notes}", options])), **(also or {})}
    if not rebuilt:
        environment["LD_PRELOAD"] = str(MONITOR)
    ran = run(
        [program(*flags, rebuilt=rebuilt), *arguments], preload=False, environment=environment, directory=directory()
    )
    lines = [json.loads(line) for line in notes.read_text().splitlines()]
    ends = [line for line in lines if line["class"] == "end"]
    return Told(ran, tuple(line for line in lines if line["class"] != "end"), ends[-1] if ends else None)


def start(options: str) -> Ran:
    """Run a program that does nothing with these M4ALLOC_OPTIONS."""
    return run([program(), "nothing"], preload=False, environment={"M4ALLOC_OPTIONS": options}, directory=directory())


def plain(text: str) -> str:
    """A report with what differs from run to run replaced: addresses, numbers of events, the program's path.

    >>> print(plain("free of 0x7f00, block #25 (20 bytes)   violated at event 27"))
    free of ADDRESS, block #N (20 bytes)   violated at event N
    """
    text = re.sub(r"0x[0-9a-f]+", "ADDRESS", text)
    text = re.sub(r"(event |#)\d+(?! \w+ +\w+\.c:)", r"\1N", text)
    return re.sub(rf"{re.escape(str(directory()))}/\w+", "PROGRAM", text)


def functions(stack: list[Mapping[str, Any]]) -> list[str]:
    """The functions of a stack, from the innermost to main.

    >>> functions([{"function": "make"}, {"function": "main"}, {"function": "_start"}])
    ['make', 'main']
    """
    names = [frame.get("function", "?") for frame in stack]
    return names[: names.index("main") + 1] if "main" in names else names
