"""`m4alloc bench` on the command line: exit statuses, what is printed, and what wrong usage is told."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from m4alloc.bench import files
from m4alloc.bench.job import Job
from m4alloc.bench.measure import Bench
from m4alloc.bench.state import Measured
from m4alloc.cli import main
from m4alloc.cli._parser import parser_of
from m4alloc.cli.bench import add_parser
from tests.m4alloc.bench import conftest
from tests.m4alloc.bench.conftest import PROGRAMS
from tests.m4alloc.schema import faults

invented = conftest.invented  # the fixture, here too
SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "json-schema" / "bench.json"
SMALL = ("--catalogue", str(PROGRAMS), "--among", "m4alloc", "--rounds", "2", "--threads", "1,2")


def bench(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit status of `m4alloc bench WORDS`, and what it printed."""
    status = main.main(["bench", *words])
    return (status, *capsys.readouterr())


@pytest.mark.usefixtures("invented")
def test_the_tables_go_to_stdout_and_the_estimate_to_stderr(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["-o", str(tmp_path), "--resident", "--heap-sizes", "10,100", "--latency"]
    status, out, err = bench(capsys, *SMALL, *words)
    assert status == 0
    assert "geometric mean of 3, all" in out
    assert err.startswith("m4alloc bench: 3 programs on 2 allocators, 2 rounds: ")
    assert list(faults(json.loads((tmp_path / "report.json").read_text()), json.loads(SCHEMA.read_text()))) == []


@pytest.mark.usefixtures("invented")
def test_json_is_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = bench(capsys, "--json", *SMALL)
    assert (status, json.loads(out)["verb"], json.loads(out)["rounds_done"]) == (0, "bench", 2)


def test_an_interrupted_benchmark_says_how_it_goes_on(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    invented: Callable[[Job], Measured],
) -> None:
    def stop(self: Bench, launcher: object, executables: object, job: Job) -> Measured:
        if job.round == 1:
            raise KeyboardInterrupt
        return invented(job)

    monkeypatch.setattr(Bench, "measure", stop)
    monkeypatch.setattr(files, "png", lambda image: b"")
    status, out, _ = bench(capsys, *SMALL, "--no-latency", "--seed", "3", "--output", str(tmp_path))
    assert status == 130 and "1 of 2 rounds" in out
    line = next(row for row in out.splitlines() if row.startswith("interrupted; it goes on with: "))
    words = shlex.split(line.partition(": ")[2])
    assert words[:3] == ["m4alloc", "bench", "--resume"] and {"--no-latency", "--seed", "3"} <= set(words)
    monkeypatch.setattr(Bench, "measure", lambda self, launcher, executables, job: invented(job))
    status, out, err = bench(capsys, *words[2:])
    assert status == 0 and "\n2 rounds, seed 3" in out and "(" in err and "are done)" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cfrac"], "no program called 'cfrac' on PATH; of the catalogue it is --program cfrac"),
        (["--program"], "--program: expected one argument"),
        (["--threads", "1,x"], "--threads: 'x' is no whole number"),
        (["--heap-sizes", "1.5"], "--heap-sizes: '1.5' is no whole number"),
        (["--program", "emacs"], "--program emacs: the programs are "),
        (["--strategy", "/no/such.toml"], "/no/such.toml"),
        (["--", "/dev/null"], "/dev/null is not executable"),
    ],
)
def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    status, out, err = bench(capsys, *words)
    assert (status, out) == (2, "") and err.startswith("m4alloc bench: ") and message in err


@pytest.mark.parametrize("words", [["true"], ["--", "true"]])
def test_an_own_program_is_named_either_way(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    status, out, _ = bench(capsys, "--rounds", "1", "--among", "glibc", *words)
    assert status == 0 and "\ntrue " in out


def test_large_numbers_may_be_written_short() -> None:
    arguments = parser_of(add_parser).parse_args(["--heap-sizes", "1e4,10M", "--threads", "1,2"])
    assert (arguments.heap_sizes, arguments.threads) == ([10_000, 10_000_000], [1, 2])
    assert parser_of(add_parser).parse_args(["--heap-sizes"]).heap_sizes == [10_000, 100_000, 10**6, 10**7]
