"""Programs of a millisecond, allocators that are broken on purpose, and a benchmark whose figures are made up."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from m4alloc.bench.job import Job, Kind
from m4alloc.bench.launch import Launcher
from m4alloc.bench.measure import Bench
from m4alloc.bench.state import Measured

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture(scope="session")
def allocator(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Compiles allocator.c with the macros named, and gives the library's path."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    folder = tmp_path_factory.mktemp("allocators")

    def build(*macros: str, source: str = "") -> str:
        output = folder / f"lib{'-'.join(['mine', *macros]).lower()}{len(source) or ''}.so"
        if not output.exists():
            words = [compiler, "-O1", "-fno-builtin", "-shared", "-fPIC", *(f"-D{macro}" for macro in macros)]
            where = ["-x", "c", "-"] if source else [str(PROGRAMS / "allocator.c")]
            subprocess.run([*words, *where, "-o", str(output)], input=source.encode(), check=True)
        return str(output)

    return build


@pytest.fixture
def invented(monkeypatch: pytest.MonkeyPatch) -> Callable[[Job], Measured]:
    """Every run's figures follow from what is run: nothing is started, and two benchmarks measure the same."""

    def figures(job: Job) -> Measured:
        place = 1 + sum(map(ord, job.peer)) % 7
        factor = 1.0 if job.peer == "glibc" else 0.5 + 0.1 * place + 0.01 * job.round
        base = 0.5 + 0.1 * len(job.name) + 0.01 * job.round
        detail: dict[str, object] = {}
        if job.kind is Kind.LATENCY:
            histogram = {str(20 + place): 900, "200": 99, "400": 1}
            detail = {
                "ns_a_tick": 0.5,
                "timer": 10,
                "timer_mean": 10.0,
                "step": 1,
                "malloc": histogram,
                "free": histogram,
            }
        if job.kind is Kind.HEAP_SIZE:
            live = 253.0 * job.number
            held = {"live": live, "resident": live * (1 + 0.1 * place), "freed": live, "settled": live / 2}
            detail = {"build": 30.0, "replace": 40.0 + place, "clear": 20.0, **held}
        if job.kind is Kind.MEMORY:
            detail = {"seconds": [0.0, 0.1 * place, 0.2 * place], "resident": [10**6, 10**6 * place, 10**6]}
        seconds, copies = base * factor, job.number if job.kind is Kind.HEADLINE else 1
        return Measured(
            *("", seconds, 0.9 * seconds * copies, 0.1 * seconds * copies, int(1e7 * factor), 1000),
            *("000000000000030c" if job.kind is not Kind.LATENCY else "ab", 0, detail),
        )

    monkeypatch.setattr(Bench, "measure", lambda self, launcher, executables, job: figures(job))
    monkeypatch.setattr(Launcher, "probe", lambda self, peer: None)
    return figures
