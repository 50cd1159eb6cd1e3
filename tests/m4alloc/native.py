"""Compile small C and C++ programs and run them in a child, with or without the library preloaded.

The library under test is m4alloc's own; `M4ALLOC_TEST_LIBRARY=PATH` puts any other malloc in its place
(`M4ALLOC_TEST_LIBRARY=` with nothing after it: the system's), which shows what a test says of the peers.
"""

from __future__ import annotations

import functools
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from m4alloc.lib import lib

ROOT = Path(__file__).resolve().parents[2]
PRELOAD = ROOT / "tests" / "preload"
MISUSE = ROOT / "tests" / "misuse"
MIB = 1 << 20
FLAGS = [
    *["-O2", "-g", "-pthread", "-fno-builtin", "-Wall", "-Wextra"],
    *["-Wno-use-after-free", "-Wno-alloc-size-larger-than", "-Wno-free-nonheap-object", "-Wno-mismatched-new-delete"],
]
"""Calls of malloc and free are left as they stand; of the warnings, only those that misuse on purpose draws are off."""
CORES = os.cpu_count() or 1


def library() -> str:
    """The malloc under test as LD_PRELOAD takes it; empty for the system's own."""
    chosen = os.environ.get("M4ALLOC_TEST_LIBRARY")
    if chosen is not None:
        return chosen
    return str(lib())


def need(tool: str, package: str) -> str:
    """The path of `tool`; without it the test is skipped, and the reason is the line that installs it."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is missing: apt install {package}")
    return path


@dataclass(frozen=True, slots=True)
class Ran:
    """What a finished program left: its exit status (-N: ended by signal N) and its two outputs."""

    status: int
    out: str
    err: str

    def __str__(self) -> str:
        ended = signal.Signals(-self.status).name if self.status < 0 else f"status {self.status}"
        return f"{ended}\n--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-4000:]}"


def run(
    argv: Sequence[str | Path],
    *,
    preload: bool = True,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    directory: Path | None = None,
    limits: Mapping[int, int] | None = None,
    timeout: float = 60,
) -> Ran:
    """Run `argv` in a session of its own and wait; on timeout the whole session is killed and the test fails.

    limits: soft and hard values by RLIMIT number, set between fork and exec. timeout: seconds.
    """
    wanted = {name: value for name, value in os.environ.items() if not name.startswith(("M4ALLOC_", "LD_"))}
    wanted |= {"LC_ALL": "C", **(environment or {})}
    if preload and library():
        wanted["LD_PRELOAD"] = library()

    def restrict() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number, value in (limits or {}).items():
            resource.setrlimit(number, (value, value))

    with subprocess.Popen(
        [str(word) for word in argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=wanted,
        cwd=directory,
        start_new_session=True,
        preexec_fn=restrict,
        text=True,
        errors="backslashreplace",
    ) as child:
        try:
            out, err = child.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            pytest.fail(f"{argv[0]} did not end within {timeout} s\n{out[-2000:]}\n{err[-2000:]}", pytrace=False)
    return Ran(child.returncode, out, err)


@functools.cache
def _directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="m4alloc-tests-")


@functools.cache
def build(source: Path, *flags: str) -> Path:
    """Compile one C (`.c`) or C++ (`.cc`) source, once a session, with the calls of malloc left as they stand."""
    shared = "-shared" in flags
    compiler = need("g++", "g++") if source.suffix == ".cc" else need("gcc", "gcc libc6-dev")
    target = Path(_directory().name) / ("-".join([source.stem, *flags]).replace("/", "_") + (".so" if shared else ""))
    standard = "-std=gnu++17" if source.suffix == ".cc" else "-std=gnu11"
    words = [compiler, standard, *FLAGS, "-I", str(PRELOAD)]
    done = subprocess.run(
        [*words, str(source), "-o", str(target), *flags, "-ldl"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"{source} does not compile:\n{done.stderr}", pytrace=False)
    return target


def checks(source: Path) -> list[str]:
    """The names of the checks that a source written with check.h holds, in their order."""
    return re.findall(r"^CHECK\((\w+)\)", source.read_text(), re.MULTILINE)


def assert_holds(source: Path, check: str, *flags: str, timeout: float = 60, **how: object) -> None:
    """Run one check of a check.h program in a child; every expectation in it holds, and there was at least one."""
    ran = run([build(source, *flags), check], timeout=timeout, **how)  # type: ignore[arg-type]
    assert ran.status == 0, f"{source.name} {check}: {ran}"
    held = re.fullmatch(rf"{check}: (\d+) expectations held\n", ran.out)
    assert held is not None and int(held[1]) > 0, f"{source.name} {check}: {ran}"
    assert ran.err == "", f"{source.name} {check}: {ran}"
