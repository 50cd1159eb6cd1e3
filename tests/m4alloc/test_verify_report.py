"""The verdict, the exit status and the wording follow from what was found, and from nothing else."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from m4alloc.check import progress, verify_page, verify_text
from m4alloc.check.compare import Comparison, Run, Side
from m4alloc.check.verify import verify_trace
from m4alloc.check.verify_report import Found, Survivors, Verdict, VerifyReport
from m4alloc.trace.format import EndReason
from spec.event import Event, Function
from tests.m4alloc.traces import write_trace

HISTORY = [
    Event(Function.MALLOC, size=24, result=0x1000, usable=32),
    Event(Function.MALLOC, size=100, result=0x2000, usable=112),
    Event(Function.FREE, address=0x1000),
]
VIOLATION = Found("violation", "result-disjoint", "<b>overlap</b>", 0, 3)
LATE = replace(VIOLATION, after_misuse=2)


@pytest.fixture
def holds(tmp_path: Path) -> VerifyReport:
    write_trace(tmp_path / "t", HISTORY)
    return verify_trace(tmp_path / "t", standard="c17")


def test_a_clean_trace_holds(holds: VerifyReport) -> None:
    assert (holds.verdict, holds.exit_status, holds.requests, holds.checked, holds.admitted) == ("HOLDS", 0, 3, 3, 3)
    assert holds.command == ("program", "--option")
    assert holds.survivors == Survivors(1, 100)
    assert holds.allocator == "libhand.so"


def test_only_what_an_innocent_program_was_given_violates(holds: VerifyReport) -> None:
    assert replace(holds, violations=(VIOLATION,), refused=1).verdict is Verdict.VIOLATED
    late = replace(holds, violations=(LATE,), refused=1)
    assert (late.verdict, late.exit_status) == (Verdict.HOLDS, 0)
    assert "1 refused after the program's own misuse" in verify_text.verdict(late)


def test_the_exit_status_puts_a_violation_before_an_interrupt_before_the_rest(holds: VerifyReport) -> None:
    for violated, failed, interrupted, empty in itertools.product([False, True], repeat=4):
        report = replace(
            holds,
            violations=(VIOLATION,) if violated else (),
            fail_on=("leak",) if failed else (),
            interrupted=interrupted,
            images=() if empty else holds.images,
        )
        expected = 1 if violated or (failed and not empty) else 130 if interrupted else 3 if empty else 0
        assert report.exit_status == expected


def test_judging_that_was_cut_short_decides_nothing(holds: VerifyReport) -> None:
    cut = replace(holds, images=(replace(holds.images[0], checked=2),), interrupted=True)
    assert cut.verdict is Verdict.UNDECIDED
    assert verify_text.verdict(cut) == "UNDECIDED (interrupted after 2 of 3 requests)"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("misuse", {"misuse_counts": {"double-free": 1}}),
        ("double-free", {"misuse_counts": {"double-free": 1}}),
        ("status", {"status": 3}),
    ],
)
def test_fail_on_fails_on_what_occurred_and_on_nothing_else(
    holds: VerifyReport, kind: str, change: dict[str, object]
) -> None:
    asked = replace(holds, fail_on=(kind,))
    assert (asked.failed_on, asked.exit_status) == ((), 0)
    occurred = replace(asked, **change)  # type: ignore[arg-type]
    assert (occurred.failed_on, occurred.exit_status) == ((kind,), 1)
    assert f"failed on {kind}" in verify_text.verdict(occurred)
    assert replace(occurred, fail_on=()).exit_status == 0


@pytest.mark.parametrize(
    ("ours", "theirs", "counts", "told"),
    [
        ("m4alloc", 134, {"double-free": 1}, "DIFFERS in exit status, 0 against 134" + verify_text.COUNTED),
        ("m4alloc", 134, {}, "DIFFERS in exit status, 0 against 134"),
        ("m4alloc", 139, {"double-free": 1}, "DIFFERS in exit status, 0 against 139"),
        ("libother.so", 134, {"double-free": 1}, "DIFFERS in exit status, 0 against 134"),
    ],
)
def test_a_status_that_differs_for_misuse_is_counted_and_not_ended_says_so(
    holds: VerifyReport, ours: str, theirs: int, counts: dict[str, int], told: str
) -> None:
    sides = (Side(name, (Run(1.0, 1.0, 9, 9, status, "x"),)) for name, status in ((ours, 0), ("system malloc", theirs)))
    report = replace(holds, comparison=Comparison(*sides), misuse_counts=counts)
    assert verify_text.against(report)[0].endswith(f"; output {told}")
    assert told in verify_page.page(report).replace("&#x27;", "'")


def test_a_violation_ends_in_claim_replay_and_file(holds: VerifyReport) -> None:
    report = replace(holds, violations=(VIOLATION,), refused=9, trace="r.m4t", script="r.heap")
    lines = verify_text.lines(report)
    assert [line.split()[0] for line in lines[-3:]] == ["claim", "replay", "file"]
    assert lines[-2] == "replay       m4alloc verify --standard c17 --trace r.m4t"
    assert "and 8 more" in "\n".join(lines)


def test_an_incomplete_trace_is_said_beside_the_verdict(tmp_path: Path) -> None:
    write_trace(tmp_path / "t", HISTORY, end_reason=EndReason.LIMIT)
    report = verify_trace(tmp_path / "t")
    assert verify_text.verdict(report) == "HOLDS (1 trace incomplete: the recording reached its limit)"
    assert report.survivors == Survivors()


def test_the_page_escapes_what_comes_from_the_program(holds: VerifyReport) -> None:
    page = verify_page.page(replace(holds, violations=(VIOLATION,), refused=1, command=("<script>",)))
    assert "&lt;b&gt;overlap&lt;/b&gt;" in page and "<b>overlap" not in page
    assert "&lt;script&gt;" in page and page.count("<script>") == 1


def test_the_page_of_an_empty_report_still_says_so(holds: VerifyReport) -> None:
    page = verify_page.page(replace(holds, images=(), rules=()))
    assert "UNDECIDED" in page and "no request was recorded" in page


def test_a_report_is_the_same_page_each_time(holds: VerifyReport) -> None:
    assert verify_page.page(holds) == verify_page.page(holds)


def test_lines_of_progress_come_at_most_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 4.0, 10.0, 11.0, 25.0])
    monkeypatch.setattr("m4alloc.check.progress.time.monotonic", lambda: next(clock))
    file = io.StringIO()
    with progress.Lines(file) as told:
        told.phase("checking", 2000)
        for done in (100, 500, 600, 2000):
            told.advance(done)
    assert file.getvalue() == "m4alloc: checking: 500 of 2,000 (25.0 %)\nm4alloc: checking: 2,000 of 2,000 (100.0 %)\n"
