"""Two allocators are compared fairly: each run measured alone, each output digested, each doubt said."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import IO

import pytest

from m4alloc.check.compare import Comparison, Output, Run, Side, compare, run_once
from m4alloc.program import locate

MB = 1_000_000


def null() -> IO[bytes]:
    return Path(os.devnull).open("rb")


def run(seconds: float = 1.0, peak: int = 100 * MB, status: int = 0, output: str = "x") -> Run:
    return Run(seconds, seconds, peak, 6 * MB, status, output)


def against(ours: list[Run], other: list[Run]) -> Comparison:
    return Comparison(Side("m4alloc", tuple(ours)), Side("system malloc", tuple(other)))


def test_ratios_are_of_medians() -> None:
    comparison = against([run(1), run(9), run(2)], [run(4), run(5), run(3)])
    assert comparison.time_ratio == 0.5


@pytest.mark.parametrize(("peak", "ratio"), [(60 * MB, 0.6), (6_200_000, None)])
def test_a_peak_at_the_floor_gives_no_ratio(peak: int, ratio: float | None) -> None:
    assert against([run(peak=peak)], [run(peak=100 * MB)]).peak_ratio == ratio


@pytest.mark.parametrize(
    ("ours", "other", "said"),
    [
        ([run()], [run()], Output.EQUAL),
        ([run(output="y")], [run()], Output.DIFFERS),
        ([run(status=139)], [run()], Output.DIFFERS),
        ([run(), run(output="y")], [run(), run()], Output.DIFFERS),
        ([run(), run()], [run(), run(output="y")], Output.VARIES),
        ([run(output="a"), run(output="b")], [run(output="c"), run(output="d")], Output.VARIES),
    ],
)
def test_output_is_equal_differs_or_varies_by_itself(ours: list[Run], other: list[Run], said: Output) -> None:
    assert against(ours, other).output is said


def test_a_run_measures_the_program_and_not_its_parent() -> None:
    """This process holds 200 MB; the program's peak must not show them, and must show its own 64 MB."""
    ballast = b"x" * (200 * MB)
    with null() as stdin:
        small = run_once(locate(["sort", os.devnull]), "", os.environ, stdin)
        large = run_once(locate([sys.executable, "-c", "x = b'x' * 64_000_000"]), "", os.environ, stdin)
    assert len(ballast) > small.peak_bytes
    assert small.floor_bytes < 20 * MB
    assert 64 * MB < large.peak_bytes < 150 * MB
    assert 0 < large.seconds < 60 and large.cpu_seconds > 0


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 11)", 139)])
def test_a_status_is_as_a_shell_gives_it(code: str, status: int) -> None:
    with null() as stdin:
        assert run_once(locate([sys.executable, "-c", code]), "", os.environ, stdin).status == status


def test_stdout_and_stderr_are_digested_apart() -> None:
    def output(code: str) -> str:
        with null() as stdin:
            return run_once(locate(["sh", "-c", code]), "", os.environ, stdin).output

    assert output("echo a") == output("echo a")
    assert len({output("echo a"), output("echo a >&2"), output("echo b"), output("echo a; echo a >&2")}) == 4


def test_every_run_reads_the_input_from_its_start() -> None:
    with tempfile.TemporaryFile() as stdin:
        stdin.write(b"hello\n")
        runs = [run_once(locate(["cat"]), "", os.environ, stdin) for _ in range(2)]
    with null() as empty:
        assert runs[0].output == runs[1].output != run_once(locate(["cat"]), "", os.environ, empty).output


def test_each_side_has_its_own_environment_and_its_share_of_runs() -> None:
    program = locate(["sh", "-c", "echo $SIDE"])
    done: list[tuple[int, int]] = []
    with null() as stdin:
        sides = [(name, "", {**os.environ, "SIDE": name}) for name in ("ours", "other")]
        comparison = compare(
            program, sides[0], sides[1], repeat=3, seed=1, stdin=stdin, progress=lambda *told: done.append(told)
        )
    assert comparison.output is Output.DIFFERS
    assert {len(comparison.ours.runs), len(comparison.other.runs)} == {3}
    assert len({one.output for one in comparison.ours.runs}) == 1
    assert done == [(count, 6) for count in range(1, 7)]


def test_a_comparison_needs_a_run() -> None:
    with null() as stdin, pytest.raises(ValueError, match="at least one run"):
        compare(locate(["true"]), ("a", "", {}), ("b", "", {}), repeat=0, stdin=stdin)
