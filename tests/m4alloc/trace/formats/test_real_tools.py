"""The tools themselves, run here on the program of the samples: what each says, we read from what it writes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from m4alloc.trace.formats import ConvertReport, convert

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "formats"
pytestmark = pytest.mark.campaign


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program."""
    made = tmp_path_factory.mktemp("tools")
    run(["gcc", "-g", "-O0", "-fno-builtin", "-w", "-o", "churn", str(VECTORS / "churn.c")], made)
    return made


def run(words: Sequence[str], folder: Path, **variables: str) -> str:
    """What a tool says; the test is skipped where there is no such tool."""
    if shutil.which(words[0]) is None and not words[0].startswith("./"):
        pytest.skip(f"no {words[0]}: apt install {words[0]}")
    environment = {**os.environ, **variables}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr  # mtrace says 1 when there are leaks
    return done.stdout + done.stderr


def converted(folder: Path, name: str, format: str) -> ConvertReport:
    return convert(folder / name, folder / "out.m4t", source_format=format)


def test_mtrace(folder: Path) -> None:
    run(["./churn"], folder, LD_PRELOAD="libc_malloc_debug.so.0", MALLOC_TRACE="churn.mtrace")
    leaks = re.findall(r"^0x\w+ +(0x\w+)", run(["mtrace", "./churn", "churn.mtrace"], folder), re.MULTILINE)
    report = converted(folder, "churn.mtrace", "mtrace")
    assert (report.left_blocks, report.left_bytes) == (len(leaks), sum(int(size, 16) for size in leaks)) == (10, 320)


def test_dhat_says_of_the_program_what_we_read_from_mtrace(folder: Path) -> None:
    run(["./churn"], folder, LD_PRELOAD="libc_malloc_debug.so.0", MALLOC_TRACE="churn.mtrace")
    said = run(["valgrind", "--tool=dhat", "--dhat-out-file=out.dhat.json", "./churn"], folder)
    numbers = [int(number.replace(",", "")) for number in re.findall(r"(?:Total|gmax|end): +([\d,]+) bytes", said)]
    report = converted(folder, "churn.mtrace", "mtrace")
    assert [report.allocated_bytes, report.peak_bytes, report.left_bytes] == numbers


def test_ltrace(folder: Path) -> None:
    names = "malloc+calloc+realloc+memalign+aligned_alloc+posix_memalign+free"
    run(["ltrace", "-f", "-e", names, "-o", "churn.ltrace", "./churn"], folder)
    report = converted(folder, "churn.ltrace", "ltrace")
    assert (report.allocated_bytes, report.peak_bytes, report.left_bytes) == (16423 - 4096, 9036, 320)


@pytest.mark.parametrize("raw", [False, True])
def test_heaptrack(raw: bool, folder: Path) -> None:
    run(["heaptrack", *(["--raw"] if raw else []), "-o", f"churn-{raw}", "./churn"], folder)
    report = converted(folder, f"churn-{raw}{'.raw' if raw else ''}.zst", "heaptrack")
    if raw:
        run(["heaptrack", "-o", "churn-False", "./churn"], folder)
    said = run(["heaptrack_print", "churn-False.zst"], folder)
    calls = int(re.findall(r"calls to allocation functions: (\d+)", said)[0])
    peak = float(re.findall(r"peak heap memory consumption: ([\d.]+)K", said)[0])
    leaked = float(re.findall(r"total memory leaked: ([\d.]+)K", said)[0])
    assert report.blocks == calls
    assert (round(report.peak_bytes / 1000, 2), round(report.left_bytes / 1000, 2)) == (peak, leaked)
