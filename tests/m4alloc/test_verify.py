"""verify, end to end: real programs hold, seeded faults are found, and every way to misuse the command is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from m4alloc import _backend
from m4alloc.check import verify_text
from m4alloc.check.verify import verify, verify_trace
from m4alloc.check.verify_report import Verdict, VerifyReport
from m4alloc.cli.main import main
from spec import script
from tests.m4alloc.interrupting import INTERRUPTIBLE, interrupt
from tests.m4alloc.native import ROOT, build
from tests.m4alloc.schema import faults

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")

SOURCES = ROOT / "tests" / "verify"
SCHEMA = json.loads((ROOT / "docs" / "json-schema" / "verify.json").read_text(encoding="utf-8"))


def client(what: str, **how: Any) -> VerifyReport:
    return verify([str(build(SOURCES / "client.c")), what], stdout=subprocess.DEVNULL, **{"rounds": 0, **how})


def command(*words: str | Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "m4alloc", "verify", *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=200,
    )


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def called(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same as `command`, in this process and without input: Python does not have to start and import."""
    monkeypatch.setattr(sys, "stdin", None)

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        status = main(["verify", *map(str, words)])
        return subprocess.CompletedProcess(words, status, *capfd.readouterr())

    return run


def faulty(fault: str) -> Path:
    return build(SOURCES / "faulty.c", "-shared", "-fPIC", f"-D{fault}")


# The allocator holds.


def test_sort_holds_and_its_report_has_every_line(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("b\na\n" * 2000)
    page = tmp_path / "r.html"
    ran = command("--output", page, "--rounds", "2", "--", "sort", text)
    assert ran.returncode == 0, ran.stderr
    labels = [line[:13].strip() for line in ran.stdout.splitlines() if line not in ("a", "b")]
    expected = ["recorded", "contract", "misuse", "properties", "heap", "live bytes", "sizes", "against", "verdict"]
    assert [label for label in labels if label not in ("", "at exit")] == [*expected, "report"]
    assert "0 refused" in ran.stdout and "output equal" in ran.stdout and "verdict      HOLDS" in ran.stdout
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "text"]


def test_python_on_malloc_holds_over_tens_of_thousands_of_requests() -> None:
    program = [sys.executable, "-c", "import json; [json.dumps({'a': [i] * 3}) for i in range(2000)]"]
    report = verify(program, env={**os.environ, "PYTHONMALLOC": "malloc"}, rounds=0)
    assert (report.verdict, report.status, report.refused, report.misuse_counts) == (Verdict.HOLDS, 0, 0, {})
    assert report.requests > 20_000
    assert report.notes == ()


def test_pythons_own_allocator_is_named_as_what_hides_the_requests() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONMALLOC"}
    report = verify([sys.executable, "-c", "pass"], env=environment, rounds=0)
    assert "PYTHONMALLOC=malloc" in " ".join(report.notes)


@pytest.mark.parametrize("what", ["clean", "threads", "fork"])
def test_a_clean_program_holds_with_every_number_right(what: str) -> None:
    report = client(what)
    assert (report.verdict, report.refused, report.misuse_counts) == (Verdict.HOLDS, 0, {})
    assert report.threads == {"clean": 1, "threads": 5, "fork": 4}[what]
    assert report.processes == (4 if what == "fork" else 1)
    # 200 handed out, 100 resized, 200 freed; 2,000 pairs a thread; a child frees 200 and then does it all again.
    expected = {"clean": 500, "threads": 500 + 4 * 4000, "fork": 500 + 3 * 700}[what]
    assert expected <= report.requests <= expected + 100
    assert report.main is not None and report.main.life.peak.blocks >= 200
    told = {one.name: one.answer for one in report.properties}
    held = {"no-double-free", "no-double-allocation", "no-overlap", "no-early-reuse", "allocation-ends", "free-ends"}
    assert {name for name, answer in told.items() if answer == "HOLDS"} >= held
    assert {name for name, answer in told.items() if answer == "VIOLATED"} <= {"freed-eventually"}


def test_children_start_from_their_parents_heap() -> None:
    report = client("fork")
    children = [image for image in report.images if image.parent is not None]
    assert [image.life.inherited >= 200 for image in children] == [True] * 3
    assert [image.survivors.blocks for image in children] == [0] * 3


def test_the_system_malloc_holds_too() -> None:
    assert client("clean", allocator="system").verdict is Verdict.HOLDS


# The allocator breaks a rule.


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("OVERLAP", "result-disjoint"),
        ("MISALIGNED", "result-aligned-fundamental"),
        ("DIRTY", "calloc-zeroes"),
        ("FORGETS", "realloc-keeps-contents"),
        ("GENEROUS", "usable-at-least-requested"),
    ],
)
def test_a_seeded_fault_is_found_told_kept_and_found_again(fault: str, rule: str, tmp_path: Path, called: Run) -> None:
    page = tmp_path / "r.html"
    words = ("--allocator", faulty(fault), "--output", page, "--no-compare")
    ran = called(*words, "--", build(SOURCES / "client.c"), "clean")
    assert ran.returncode == 1, ran.stderr
    claim, replay, file = ran.stdout.splitlines()[-3:]
    assert claim.startswith(f"claim        {rule}: ")
    assert replay == f"replay       m4alloc verify --standard c17,glibc --trace {tmp_path}/r.m4t"
    assert file == f"file         {tmp_path}/r.m4t and {tmp_path}/r.heap"
    assert "VIOLATED" in page.read_text(encoding="utf-8")
    named = {"OVERLAP": "no-overlap", "DIRTY": "handed-out-zero"}.get(fault)
    assert not named or f"             {named}: violated at event " in ran.stdout

    again = called("--output", "-", *replay.split()[3:])
    assert again.returncode == 1
    assert f"refused      {rule}: " in again.stdout

    told = script.parse((tmp_path / "r.heap").read_text(encoding="utf-8"))
    assert {violation.rule.name for violation in script.check(told).acceptor.violations} == {rule}


def test_the_same_allocator_without_a_fault_holds() -> None:
    report = client("clean", allocator=faulty("NONE"))
    assert (report.verdict, report.refused) == (Verdict.HOLDS, 0)


# The program's own mistakes.


def test_a_double_free_is_counted_and_is_no_violation_unless_asked() -> None:
    report = client("double-free")
    assert (report.verdict, report.misuse_counts, report.exit_status) == (Verdict.HOLDS, {"double-free": 1}, 0)
    assert client("double-free", fail_on=["double-free"]).exit_status == 1
    assert client("double-free", fail_on=["misuse"]).exit_status == 1
    assert client("double-free", fail_on=["interior-free", "leak"]).exit_status == 0


def test_blocks_never_freed_are_told_and_fail_only_when_asked() -> None:
    report = client("leak", fail_on=["leak"])
    assert 200 <= report.survivors.blocks < 260
    assert (report.verdict, report.exit_status) == (Verdict.HOLDS, 1)
    assert client("leak").exit_status == 0


def test_the_programs_own_failure_is_reported_and_not_hidden() -> None:
    report = client("fail", fail_on=["status"])
    assert (report.status, report.verdict, report.exit_status) == (3, Verdict.HOLDS, 1)
    assert "program      exit status 3" in verify_text.lines(report)
    crashed = client("crash")
    assert "program      exit status 134 (killed by SIGABRT)" in verify_text.lines(crashed)
    assert crashed.verdict is Verdict.HOLDS


# The comparison.


def test_output_that_varies_by_itself_is_not_held_against_the_allocator() -> None:
    comparison = client("varies", rounds=2, fail_on=["output"])
    assert comparison.comparison is not None
    assert comparison.comparison.output == "varies"
    assert comparison.exit_status == 0


def test_a_program_reads_the_same_input_in_every_run() -> None:
    ran = command("--output", "-", "--rounds", "2", "--", "sort", stdin="b\na\n")
    assert ran.stdout.startswith("a\nb\nrecorded")
    assert "output equal" in ran.stdout


def test_the_seed_alone_decides_the_order_of_the_runs() -> None:
    report = client("clean", rounds=3, seed=7)
    assert report.comparison is not None and report.seed == 7
    assert len(report.comparison.ours.runs) == len(report.comparison.other.runs) == 3
    assert report.replay is not None and report.replay.ratio > 0


# What is printed.


def test_the_json_is_all_of_stdout_and_obeys_its_schema(tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    program = build(SOURCES / "client.c")
    ran = command("--json", "--output", page, "--rounds", "1", "--keep-trace", tmp_path / "t", "--", program, "fork")
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert list(faults(report, SCHEMA)) == []
    assert "done" in ran.stderr
    assert report["files"] == {"report": str(page), "trace": str(tmp_path / "t"), "script": None}
    assert verify_trace(tmp_path / "t").requests == report["recorded"]["requests"]


def test_a_violated_report_obeys_the_schema_too(tmp_path: Path) -> None:
    report = client("double-free", allocator=faulty("OVERLAP"), output=tmp_path / "r.html").to_json()
    assert report["violations"] and report["verdict"] == "VIOLATED"
    assert list(faults(json.loads(json.dumps(report)), SCHEMA)) == []


def test_an_interrupt_saves_the_best_so_far(tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    program = [sys.executable, "-c", "import sys, time; print('ready', file=sys.stderr, flush=True); time.sleep(60)"]
    words = [*INTERRUPTIBLE, sys.executable, "-m", "m4alloc", "verify", "--output", str(page), "--", *program]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == "ready\n"
        interrupt(running)
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "0 refused" in out and "the program was interrupted" in out
    assert "program      exit status 130 (killed by SIGINT)" in out
    assert page.exists()


# Bad input.


def test_a_run_without_a_request_is_undecided_and_says_why(called: Run) -> None:
    ran = called("--output", "-", "--", build(SOURCES / "client.c"), "nothing")
    assert ran.returncode == 3
    assert "verdict      UNDECIDED (no request was recorded)" in ran.stdout
    assert "statically linked" in ran.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--", "no-such-program"], "no program called 'no-such-program' on PATH"),
        ([], "no program given"),
        (["--standard", "c18", "--", "true"], "standard 'c18' is unknown"),
        (["--allocator", "/no/such.so", "--", "true"], "no allocator library /no/such.so"),
        (["--fail-on", "leaks", "--", "true"], "--fail-on leaks: the kinds are misuse, double-free"),
        (["--rounds", "-1", "--", "true"], "rounds is -1"),
        (["--output", "/no/where/r.html", "--", "true"], "/no/where is not a directory"),
        (["--output", "/", "--", "true"], "/ is a directory"),
        (["--trace", "/no/trace", "--output", "-"], "No such file"),
        (["--trace", "/bin/sh", "--output", "-"], "neither its first bytes nor its name"),
        (["--trace", "x", "--", "true"], "give one or the other"),
        (["--limit", "many", "--", "true"], "--limit: 'many' is no number of bytes"),
    ],
)
def test_bad_input_is_told_in_one_line_with_status_2(words: list[str], told: str, called: Run) -> None:
    ran = called(*words)
    assert ran.returncode == 2, ran.stdout
    assert told in ran.stderr
    assert ran.stderr.startswith("m4alloc verify: ") and ran.stderr.count("\n") == 1
    assert ran.stdout == ""


def test_a_file_that_is_no_recording_is_not_overwritten(tmp_path: Path, called: Run) -> None:
    precious = tmp_path / "precious"
    precious.write_text("do not touch")
    ran = called("--keep-trace", precious, "--output", "-", "--", "true")
    assert ran.returncode == 2 and "is not a recording; it is kept" in ran.stderr
    assert precious.read_text() == "do not touch"


def test_a_statically_linked_program_is_refused_by_name(called: Run) -> None:
    static = build(SOURCES / "client.c", "-static")
    ran = called("--output", "-", "--", static)
    assert ran.returncode == 2 and "statically linked" in ran.stderr


def test_an_interrupt_during_the_comparison_ends_it_at_once_and_keeps_the_verdict(tmp_path: Path) -> None:
    """The program is quick when it is recorded and slow in the comparison, where M4ALLOC_RECORD is not set."""
    code = "import os, sys, time; os.environ.get('M4ALLOC_RECORD') or time.sleep(60)"
    words = [
        *INTERRUPTIBLE,
        sys.executable,
        "-m",
        "m4alloc",
        "verify",
        "--output",
        str(tmp_path / "r.html"),
        "--",
        sys.executable,
        "-c",
        code,
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0) as running:
        deadline = time.monotonic() + 30
        # The launcher of the comparison has a process group of its own.
        while not _children_in_other_groups(running.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        interrupt(running)
        out, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "verdict      HOLDS" in out and "against" not in out


def _children_in_other_groups(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and int(fields[2]) != parent:
            found.append(int(path.parent.name))
    return found
