"""m4alloc.bench, end to end: what is compared, how a failure is told, and going on after an interrupt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from m4alloc.bench.catalogue import CatalogueError
from m4alloc.bench.job import Job
from m4alloc.bench.launch import AllocatorError
from m4alloc.bench.measure import Bench, BenchError
from m4alloc.bench.report import BenchReport
from m4alloc.bench.run import bench
from m4alloc.bench.state import Measured, StateError
from m4alloc.program import ProgramError
from tests.m4alloc.bench.conftest import PROGRAMS

Allocators = Callable[..., str]
EVERYTHING: dict[str, Any] = {"resident": True, "latency": True, "heap_sizes": [100, 1000], "threads": [1, 2]}


def small(**how: Any) -> BenchReport:
    """A benchmark of the programs of a millisecond."""
    usual: dict[str, Any] = {"catalogue": PROGRAMS, "among": ["glibc"], "rounds": 1, "latency": False, "threads": [2]}
    return bench(**{**usual, **how})


# What is compared.


def test_every_program_runs_on_every_allocator_in_every_round(allocator: Allocators) -> None:
    report = small(allocators=[f"mine={allocator()}"], rounds=2, threads=[1, 2])
    assert (report.exit_status, report.names, report.rounds_done) == (0, ("glibc", "mine"), 2)
    assert [(row.name, row.threads, row.tabled) for row in report.programs] == [
        *(("binary_tree", 0, True), ("fixed", 0, True), ("threads", 1, False), ("threads", 2, True))
    ]
    seen = {(one.program, one.threads, one.allocator, one.round) for one in report.samples}
    assert len(seen) == len(report.samples) == 4 * 2 * 2
    for row in report.programs:
        assert row.result("glibc").cpu is not None
        assert all(one.cpu and one.wall and one.peak and one.operations for one in row.results)
    base = report.programs[0].result("glibc")
    assert base.wall is not None and base.wall.ratio.median == 1.0 and base.wall.value.median > 0
    assert [(mean.programs, mean.count) for mean in report.means] == [("all", 3), ("without fixed", 2)]
    assert [one.allocator for one in report.headline] == ["glibc", "mine"]


@pytest.mark.slow
def test_the_harnesses_measure_calls_and_heaps() -> None:
    report = small(programs=["fixed"], quick=True, latency=True, heap_sizes=[2000], resident=True)
    assert report.exit_status == 0
    assert [(one.call, one.calls) for one in report.latency] == [("malloc", 20_000), ("free", 20_000)]
    assert all(0 <= one.p50 <= one.p90 <= one.p99 <= one.p99_9 <= one.max for one in report.latency)
    assert [one.blocks for one in report.heap_sizes] == [2000]
    assert all(
        150 * one.blocks < one.live < 350 * one.blocks and one.overhead.median > 0.9 for one in report.heap_sizes
    )
    assert [curve.program for curve in report.memory] == ["fixed"]


def test_an_own_program_is_compared_by_its_output_and_its_status() -> None:
    report = bench(["sh", "-c", "echo hello; exit 3"], among=["m4alloc"], rounds=1)
    assert (report.exit_status, report.programs[0].name, report.latency) == (0, "sh", ())
    assert report.programs[0].results[1].cpu is not None
    echo = ["sh", "-c", 'echo "$LD_PRELOAD"']
    report = bench(echo, among=["m4alloc"], rounds=1)
    assert report.exit_status == 1
    assert report.errors[0].startswith("m4alloc: sh: round 1: output (its digest) ")
    status = bench(["sh", "-c", 'test -z "$LD_PRELOAD"'], among=["m4alloc"], rounds=1)
    assert status.errors == ("m4alloc: sh: ended with status 1, on glibc with 0",)


def test_an_output_that_changes_by_itself_is_not_compared() -> None:
    report = bench(["sh", "-c", "echo $$"], among=["m4alloc"], rounds=2)
    assert report.exit_status == 0
    assert report.notes[0] == "sh prints something else each time, on glibc too: its outputs are not compared"


# What goes wrong.


def test_an_allocator_that_fails_is_named_and_the_others_are_compared(allocator: Allocators) -> None:
    broken = [f"stingy={allocator('STINGY')}", f"overlap={allocator('OVERLAP')}"]
    report = small(allocators=broken, programs=["binary_tree", "fixed"], quick=True)
    assert report.exit_status == 1
    assert "stingy: binary_tree: ended with status 1" in report.errors
    assert "stingy: fixed: ended with status 1" in report.errors
    wrong = next(line for line in report.errors if line.startswith("overlap: binary_tree: round 1: checksum "))
    assert wrong.endswith("; right is 000000000000030c")
    row = report.programs[0]
    assert row.result("stingy").cpu is None and row.result("overlap").cpu is None
    assert row.result("glibc").cpu is not None


def test_an_allocator_that_failed_is_not_run_again_and_has_a_mean_of_its_own(allocator: Allocators) -> None:
    stingy = [f"stingy={allocator('STINGY')}"]
    report = small(allocators=stingy, programs=["fixed"], quick=True, rounds=3)
    assert report.errors == ("stingy: fixed: ended with status 1",)
    assert {one.allocator for one in report.samples} == {"glibc"} and len(report.samples) == 3
    assert report.rounds_done == 3


def test_what_is_no_malloc_is_refused_before_anything_runs(allocator: Allocators, tmp_path: Path) -> None:
    nothing = allocator(source="int nothing_to_see;")
    with pytest.raises(AllocatorError, match=r"a program's malloc comes from .*libc"):
        small(allocators=[nothing])
    text = tmp_path / "text.so"
    text.write_text("hello")
    with pytest.raises(AllocatorError, match=r"text .*not an ELF file; a shared library is wanted"):
        small(allocators=[str(text)])


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"rounds": 0}, BenchError, "0 rounds: from 1 to 1000"),
        ({"threads": [2, 1]}, BenchError, "threads 2,1: rising numbers are wanted"),
        ({"heap_sizes": [10, 10]}, BenchError, "heap sizes 10,10: rising numbers are wanted"),
        ({"threads": [0]}, BenchError, "0 threads: from 1 to 128"),
        ({"timeout": 0.0}, BenchError, "a timeout of 0 s"),
        ({"resume": True}, BenchError, "name it with --output DIR"),
        ({"among": ["nemo"]}, BenchError, "--among nemo: the allocators are glibc"),
        ({"allocators": ["x=/no/such.so"]}, BenchError, "--allocator x=/no/such.so: want NAME=PATH of a library"),
        ({"allocators": ["glibc=/bin/true"]}, BenchError, "there is a glibc already"),
        ({"programs": ["emacs"]}, CatalogueError, "--program emacs: the programs are binary_tree, fixed, threads"),
        ({"catalogue": "/no/such"}, CatalogueError, "/no/such/catalogue.toml: the list of programs cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_told(how: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        small(**how)
    assert message in str(caught.value)


def test_an_own_program_that_cannot_run_is_told() -> None:
    with pytest.raises(ProgramError, match="no program called 'no-such-program'"):
        bench(["no-such-program"])
    with pytest.raises(BenchError, match=r"sh on glibc: ended with SIGKILL"):
        bench(["sh", "-c", "kill -9 $$"], among=["glibc"])
    with pytest.raises(BenchError, match="your own program is the only one"):
        bench(["true"], programs=["cfrac"])


def test_a_program_that_does_not_end_is_stopped() -> None:
    with pytest.raises(BenchError, match=r"sleep on glibc: did not end within 0 s"):
        bench(["sleep", "60"], among=["glibc"], timeout=0.05)


@pytest.mark.usefixtures("invented")
def test_a_library_that_was_replaced_meanwhile_is_told(tmp_path: Path) -> None:
    library = tmp_path / "libmine.so"
    library.write_text("one")
    report = small(allocators=[str(library)], tell=lambda _: library.write_text("other"))
    assert report.notes == (
        "mine: its library was replaced while the benchmark ran; its figures are not those of one allocator",
    )


# Interrupted, and resumed.


def test_a_benchmark_that_was_interrupted_comes_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invented: Callable[[Job], Measured]
) -> None:
    whole = small(output=tmp_path / "whole", among=["m4alloc"], rounds=3, **EVERYTHING)
    assert (whole.exit_status, whole.interrupted, whole.rounds_done) == (0, False, 3)
    count = 0

    def until(self: Bench, launcher: object, executables: object, job: Job) -> Measured:
        nonlocal count
        count += 1
        if count % 20 == 0:
            raise KeyboardInterrupt
        return invented(job)

    monkeypatch.setattr(Bench, "measure", until)
    part = small(output=tmp_path / "part", among=["m4alloc"], rounds=3, **EVERYTHING)
    assert (part.exit_status, part.interrupted, part.rounds_done) == (130, True, 0)
    assert 0 < len(part.samples) < len(whole.samples)
    for _ in range(10):
        part = small(output=tmp_path / "part", among=["m4alloc"], rounds=3, resume=True, **EVERYTHING)
        if not part.interrupted:
            break
    assert part == whole
    assert json.dumps(part.to_json()) == json.dumps(whole.to_json())


@pytest.mark.usefixtures("invented")
def test_another_benchmark_is_not_gone_on_with(tmp_path: Path) -> None:
    small(output=tmp_path, rounds=1)
    with pytest.raises(StateError, match=r"had rounds 1, now it is 2; it goes on only as it began"):
        small(output=tmp_path, rounds=2, resume=True)
    with pytest.raises(StateError, match=r"had programs .*, now it is "):
        small(output=tmp_path, programs=["fixed"], resume=True)
    (tmp_path / "state.jsonl").write_text("hello\n")
    with pytest.raises(StateError, match="no state of a benchmark"):
        small(output=tmp_path, resume=True)


@pytest.mark.usefixtures("invented")
def test_what_is_about_to_be_done_is_told_first() -> None:
    told: list[str] = []
    small(among=["m4alloc"], rounds=2, tell=told.append)
    assert told == ["3 programs on 2 allocators, 2 rounds: 16 runs, about 21.6 s if all were as fast as glibc"]
