"""Before the traces: a wrong allocator that is right on them gets nothing, and the report says what was looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from m4alloc import _backend
from m4alloc.check.check_library import asked_of
from m4alloc.check.check_report import CheckReport
from m4alloc.check.hunt import HUNG
from m4alloc.check.progress import Silent
from m4alloc.cli.main import main
from m4alloc.grade import policy_checked, policy_shrink
from m4alloc.grade.checked import BUDGET, checked, fault_of
from m4alloc.grade.grade import grade
from m4alloc.grade.library import LibraryGrader
from m4alloc.grade.page import page
from m4alloc.grade.policy import PolicyGrader
from m4alloc.grade.policy_shrink import NoAnswerError
from m4alloc.grade.report import SLIGHT, Checked, Fault, GradeReport, TraceGrade
from m4alloc.grade.text import lines
from m4alloc.new.project import written
from spec.contract import MISUSES, RULES
from spec.event import Function
from spec.script_reader import parse
from tests.m4alloc.check.broken import BROKEN, build
from tests.m4alloc.grade.test_cheats import LAB, RIGHT
from tests.m4alloc.grade.test_library import compiled
from tests.m4alloc.grade.test_report import FULL, HALF, of

needs_core = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")
BEFORE = Checked(3.0, 9000, "directed plans: 167 plans, 9,000 operations", 17, 20, "c23,posix")
WRONG = replace(BEFORE, fault=Fault("calloc(2, 9) ...", "calloc-overflow-refused", script="a = calloc 2 9\n"))


NEVER_AGAIN = """#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
static char *heap;
static size_t top;
void *malloc(size_t size)
{
    int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (!heap) heap = mmap(0, (size_t)1 << 38, PROT_READ | PROT_WRITE, kind, -1, 0);
    size_t room = size > ((size_t)1 << 38) ? 0 : (size + 15 + !size) & ~(size_t)15;
    size_t at = room ? __atomic_fetch_add(&top, room, __ATOMIC_RELAXED) : 0;
    if (!room || at > ((size_t)1 << 38) - room) { errno = ENOMEM; return 0; }
    return heap + at;
}
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) { errno = ENOMEM; return 0; }
    return malloc(count * size);
}
void *realloc(void *block, size_t size)
{
    void *moved = malloc(size);
    size_t most = moved ? (size_t)(heap + ((size_t)1 << 38) - (char *)moved) : 0;
    return block && moved ? memmove(moved, block, size < most ? size : most) : moved;
}
"""


def reported(before: Checked | None, *rows: TraceGrade) -> GradeReport:
    """A grade with this before its traces."""
    return GradeReport("./a.so", "library", "", 0.6, rows, checked=before)


def test_one_rule_that_breaks_before_the_traces_takes_all_points() -> None:
    report = reported(WRONG, of(FULL))
    assert (report.total, report.measured, report.exit_status) == (0, 100, 1)
    assert report.verdict.value == "VIOLATED" and report.lost == {"wrong": 100.0}
    text = "\n".join(lines(report))
    assert "check: calloc(2, 9) ...\n  rule      calloc-overflow-refused" in text
    assert "total    0.0 of 100" in text and "before the traces, which would bring 100.0" in text
    assert "verdict  VIOLATED before the traces" in text


def test_a_rule_about_what_is_said_costs_a_fifth_if_no_other_breaks() -> None:
    told = replace(BEFORE, fault=Fault("malloc(2) returned NULL with ENOENT ...", "result-non-null-or-enomem"))
    report = reported(told, of(HALF))
    assert report.total == pytest.approx(40) and report.measured == 50 and report.exit_status == 1
    assert report.lost["told"] == pytest.approx(10)
    assert report.total + sum(report.lost.values()) == pytest.approx(100)
    text = "\n".join(lines(report))
    assert "lost  10.0  an odd request is answered wrongly" in text and "; before the traces" in text
    assert "verdict  VIOLATED before the traces" in text
    assert report.to_json()["checked"]["slight"] is True


def test_a_product_that_is_refused_without_a_word_is_slight_and_one_that_is_served_is_not() -> None:
    silent = Fault("calloc(2, 9) at event 1 failed with no error instead of ENOMEM. ...", "calloc-overflow-refused")
    served = Fault("calloc(2, 9) at event 1 returned 0x10, though ...", "calloc-overflow-refused")
    assert silent.slight and not served.slight
    assert frozenset(RULES) | frozenset(MISUSES) >= SLIGHT


def test_the_page_tells_a_fault_before_the_traces(tmp_path: Path) -> None:
    shown = page(reported(WRONG, of(FULL)), tmp_path, {})
    assert "Before the traces" in shown and "What went wrong" in shown and "of 100; traces: 100.0" in shown
    right = page(reported(BEFORE, of(FULL)), tmp_path, {})
    assert "What went wrong" not in right and "17 of 20 rules" in right


def test_the_report_says_what_was_looked_at() -> None:
    text = "\n".join(lines(reported(BEFORE, of(FULL))))
    assert "check    directed plans: 167 plans, 9,000 operations" in text
    assert "17 of 20 rules of c23,posix seen to hold, none broken, in 3 s" in text
    assert "verdict  HOLDS on 1 trace and in what was tried before them" in text
    assert "nothing but the traces" in "\n".join(lines(reported(None, of(FULL))))


def test_the_report_as_data_has_what_was_looked_at() -> None:
    data = json.loads(json.dumps(reported(WRONG, of(FULL)).to_json()))
    assert data["total"] == 0 and data["measured"] == 100
    assert data["checked"]["fault"]["rule"] == "calloc-overflow-refused" and data["checked"]["correct"] is False
    assert reported(None).to_json()["checked"] is None


def test_what_was_seen_once_and_never_again_is_no_fault() -> None:
    def seen(replays: int) -> CheckReport:
        rule = SimpleNamespace(name="call-returns")
        script = parse("a = malloc 8")
        found = SimpleNamespace(replays=replays, message="", rule=rule, clause="", script=script, requests=1)
        return cast(CheckReport, SimpleNamespace(findings=(SimpleNamespace(finding=found),)))

    assert fault_of(seen(0)) is None
    assert fault_of(seen(1)) is not None


@pytest.mark.slow
@needs_core
def test_a_library_that_is_right_on_the_traces_and_wrong_elsewhere_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.rep").write_text(LAB)
    careless = NEVER_AGAIN.replace("if (size && count > SIZE_MAX / size) { errno = ENOMEM; return 0; }", "")
    library = compiled(tmp_path, careless)
    alone = grade("mine.so", ["lab.rep"], budget=0)
    assert alone.total > 0 and alone.checked is None
    report = grade("mine.so", ["lab.rep"], budget=20)
    assert report.total == 0 and report.measured > 0 and report.exit_status == 1
    assert report.fault is not None and report.fault.requests <= 3
    assert report.fault.file.startswith("findings/check-") and Path(report.fault.file).exists()
    assert report.fault.replay == f"m4alloc check mine.so --script {report.fault.file}"
    assert main(["check", str(library), "--script", report.fault.file]) == 1


@needs_core
@pytest.mark.slow
def test_memory_that_is_never_used_again_is_dear_and_not_wrong(tmp_path: Path) -> None:
    library = str(compiled(tmp_path, NEVER_AGAIN))
    found, interrupted = checked(library, asked_of(library, "", (), (), False), 4.0, 60.0, Silent())
    assert not interrupted and found.fault is None, found.fault
    assert found.operations


@needs_core
def test_what_hangs_before_the_traces_is_not_asked_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab.rep").write_text(LAB)
    library = compiled(tmp_path, NEVER_AGAIN)
    hung = replace(BEFORE, fault=Fault(f"malloc(9) at event 1: {HUNG}", "call-returns"))
    monkeypatch.setattr(LibraryGrader, "checked", lambda *_: (hung, False))
    report = grade(library, [tmp_path / "lab.rep"], findings=None)
    assert report.traces == () and report.exit_status == 1 and report.verdict.value == "VIOLATED"
    assert "  note        the traces were left out: it hangs" in lines(report)
    assert not any("would bring" in line for line in lines(report)), "no trace was graded"


@needs_core
def test_an_interrupt_before_the_traces_leaves_them_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab.rep").write_text(LAB)
    library = compiled(tmp_path, NEVER_AGAIN)
    monkeypatch.setattr(LibraryGrader, "checked", lambda *_: (BEFORE, True))
    report = grade(library, [tmp_path / "lab.rep"], findings=None)
    assert report.traces == () and report.exit_status == 130 and report.interrupted


@needs_core
@pytest.mark.slow
@pytest.mark.parametrize("name", ["free_clears_errno", "free_null_crashes"])
def test_a_broken_library_is_told_before_the_traces(name: str, tmp_path: Path) -> None:
    broken = next(one for one in BROKEN if one.name == name)
    library = str(build(broken, tmp_path))
    found, _ = checked(library, asked_of(library, "", (), (), False), BUDGET, 60.0, Silent())
    assert found.fault is not None and found.fault.rule in broken.rules
    assert "directed plans" in found.detail


@needs_core
@pytest.mark.campaign
def test_of_the_broken_libraries_most_are_told_before_the_traces(tmp_path: Path) -> None:
    unseen = []
    for broken in BROKEN:
        library = str(build(broken, tmp_path))
        found, _ = checked(library, asked_of(library, "", (), (), False), BUDGET, 60.0, Silent())
        if found.fault is None:
            unseen.append(broken.name)
    assert len(BROKEN) - len(unseen) >= 60, unseen


OVERFLOWS = RIGHT.replace(
    "    def free(self",
    "    def calloc(self, count, size):\n        return self.malloc(count * size % 2**64)\n    def free(self",
)


@pytest.mark.slow
def test_a_python_allocator_is_asked_directed_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.rep").write_text(LAB)
    (tmp_path / "mine.py").write_text(OVERFLOWS)
    assert grade("mine.py", ["lab.rep"], budget=0).total > 0
    report = grade("mine.py", ["lab.rep"], budget=20)
    assert report.total == 0 and report.measured > 0
    assert report.fault is not None and report.fault.script and Path(report.fault.file).exists()
    assert report.fault.replay == f"m4alloc grade mine.py {report.fault.file}"
    assert report.checked is not None and "directed plans: " in report.checked.detail


ODDLY = """
class Mine:
    def __init__(self):
        self.top = 4096
    def malloc(self, size):
        if size > 2**40: return 0
        self.top += max(16, -(-size // 16) * 16)
        return self.top - max(16, -(-size // 16) * 16)
    def free(self, address):
        pass
    def aligned_alloc(self, alignment, size):
        if alignment > 2**20 or alignment.bit_count() != 1: return 0
        self.top += -self.top % max(alignment, 16)
        return self.malloc(size)
"""


def test_a_rule_that_broke_is_not_among_those_that_were_seen_to_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = policy_checked.plans(frozenset({Function.MALLOC, Function.FREE, Function.ALIGNED_ALLOC}))
    monkeypatch.setattr(policy_checked, "plans", lambda _: [one for one in every if "align" in one[0]])
    held = []
    for source in (ODDLY, ODDLY.replace(" or alignment.bit_count() != 1", "")):
        (tmp_path / "mine.py").write_text(source)
        found, _ = PolicyGrader(str(tmp_path / "mine.py"), 20).checked(20.0, Silent())
        held.append(found.held)
    assert found.fault is not None and found.fault.rule == "aligned-alloc-arguments"
    assert held[1] == held[0] - 1


def test_what_m4alloc_new_writes_is_right_before_the_traces(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(written("mine")["mine.py"])
    found, _ = PolicyGrader(str(tmp_path / "mine.py"), 20).checked(2.0, Silent())
    assert found.fault is None, found.fault


def test_time_that_is_over_while_a_history_is_judged_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: object) -> None:
        raise NoAnswerError

    (tmp_path / "mine.py").write_text(RIGHT)
    monkeypatch.setattr(policy_shrink, "judge", late)
    found, _ = PolicyGrader(str(tmp_path / "mine.py"), 20).checked(2.0, Silent())
    assert found.fault is None and found.detail.startswith("directed plans: 0 of ")


def test_a_python_allocator_that_hangs_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_checked, "LATE", 0.5)
    (tmp_path / "mine.py").write_text(RIGHT.replace("        self.top += 64", "        while size == 100: pass"))
    found, _ = PolicyGrader(str(tmp_path / "mine.py"), 20).checked(10.0, Silent())
    assert found.fault is not None and "no answer after 0.5 s, in the plan" in found.fault.message
    assert "(line 7, in malloc: while size == 100: pass)" in found.fault.message


@pytest.mark.campaign
def test_all_directed_plans_hold_of_what_m4alloc_new_writes(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(written("mine")["mine.py"])
    found, _ = PolicyGrader(str(tmp_path / "mine.py"), 20).checked(300.0, Silent())
    assert found.fault is None, found.fault
    assert found.held > 8


def test_a_python_allocator_that_ends_its_process_is_wrong_before_the_traces(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RIGHT.replace("        self.top += 64", "        import os; os._exit(3)"))
    found, _ = PolicyGrader(str(tmp_path / "mine.py"), 20).checked(5.0, Silent())
    assert found.fault is not None and "ended with status 3" in found.fault.message
    assert cast(Any, found).operations == 0
