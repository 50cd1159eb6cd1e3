"""The benchmarks run from the command line and say what they measured; none of these tests looks at a time."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import pairs
from benchmarks.workload import WORKLOADS
from m4alloc.bench.peer import Peer, geometric_mean, interleaved
from tests.m4alloc.native import ROOT


def bench(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "benchmarks" / name
    return subprocess.run([sys.executable, script, *words], capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="apt install gcc libc6-dev")
def test_pairs_measures_every_cell_for_every_allocator(tmp_path: Path) -> None:
    done = bench("pairs.py", "--rounds", "1", "--seconds", "0.001", "--json", str(tmp_path / "pairs.json"))
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "pairs.json").read_text())
    assert {"glibc", "m4alloc"} <= set(result["best"])
    for best in result["best"].values():
        assert set(pairs.CELLS) < set(best)
        assert all(nanoseconds > 0 for nanoseconds in best.values())
    assert "all 16 to glibc" in done.stdout
    for name in ("mimalloc", "jemalloc"):
        assert name in result["best"] or f"{name} is not installed: apt install lib{name}2" in done.stdout


@pytest.mark.skipif(shutil.which("perl") is None, reason="apt install perl")
def test_programs_costs_a_program_on_every_allocator(tmp_path: Path) -> None:
    words = ["--rounds", "1", "--short", "--only", "perl", "--json", str(tmp_path / "programs.json")]
    done = bench("programs.py", *words)
    assert done.returncode == 0, done.stderr
    samples = json.loads((tmp_path / "programs.json").read_text())["samples"]["perl"]
    assert all(seconds > 0 and kilobytes > 1000 for taken in samples.values() for seconds, kilobytes in taken)
    assert {"glibc", "m4alloc"} <= set(samples)


def test_an_unknown_program_or_library_is_refused_by_name() -> None:
    done = bench("programs.py", "--only", "emacs")
    assert done.returncode == 2 and "--only emacs: the programs are bash, c++" in done.stderr
    done = bench("pairs.py", "--library", "mine=/no/such/lib.so")
    assert done.returncode == 2 and "--library mine=/no/such/lib.so: want NAME=PATH" in done.stderr


def test_each_round_runs_every_allocator_once() -> None:
    among = [Peer(name, "") for name in "abcd"]
    order = list(interleaved(among, 5, seed=3))
    assert sorted((number, peer.name) for number, peer in order) == [(n, name) for n in range(5) for name in "abcd"]
    assert len({tuple(peer.name for number, peer in order if number == n) for n in range(5)}) > 1


def test_the_report_shows_the_least_of_all_rounds_as_ratios() -> None:
    first = dict.fromkeys(pairs.CELLS, 8.0)
    second = dict.fromkeys(pairs.CELLS, 10.0) | {pairs.CELLS[0]: 2.0}
    assert pairs.least([first, second]) == first | {pairs.CELLS[0]: 2.0}
    lines = pairs.report({"glibc": first, "ours": dict.fromkeys(pairs.CELLS, 2.0)})
    mean = next(line for line in lines if line.startswith("all 16 to glibc"))
    assert mean.split()[-2:] == ["1.00", "0.25"]
    assert geometric_mean([0.5, 2.0]) == 1.0


def test_a_missing_tool_is_named_with_its_package() -> None:
    needs = {"no-such-tool": "its-package", "sh": "dash"}
    assert replace(WORKLOADS[0], needs=needs).missing() == "apt install its-package"
    assert replace(WORKLOADS[0], needs={"sh": "dash"}).missing() is None


def test_cheri_codec_measures_every_format_both_ways(tmp_path: Path) -> None:
    words = ["--count", "50", "--many", "100", "--rounds", "1", "--json", str(tmp_path / "cheri.json")]
    done = bench("cheri_codec.py", *words)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "cheri.json").read_text())["operations_a_second"]
    assert set(result) == {"128", "128m", "128r", "64", "64r"}
    for cells in result.values():
        assert "set_bounds + decode" in cells and all(rate > 0 for rate in cells.values())
