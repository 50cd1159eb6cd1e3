"""Python allocators, right and wrong: what is said of each teaches what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.grade.outcome import GradeError
from m4alloc.grade.policy import PolicyGrader, taken
from m4alloc.grade.report import Fault
from m4alloc.new.project import written
from m4alloc.tune.workload import Kind, example
from spec.event import Event, Function
from tests.m4alloc.grade.alone import grade

BUMP = """
class Bump:
    def __init__(self):
        self.top = 0x1000
        self.count = 0
    def malloc(self, size):
        self.count += 1
        MALLOC
        address, self.top = self.top, self.top + max(size, 1) + -max(size, 1) % 16
        return address
    def free(self, address):
        FREE
    def calloc(self, count, size):
        return self.malloc(count * size)
    def realloc(self, address, size):
        return self.malloc(size)
"""
LAB = (
    "200\n30\n60\n1\n"
    + "".join(f"a {block} {16 + block}\n" for block in range(30))
    + "".join(f"f {block}\n" for block in range(30))
)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small trace in it, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.rep").write_text(LAB)
    return tmp_path


def graded(folder: Path, source: str, timeout: float = 20.0) -> Fault | None:
    """What is wrong with the allocator on the small trace."""
    (folder / "mine.py").write_text(source)
    (row,) = grade("mine.py", ["lab.rep"], timeout=timeout).traces
    assert (row.points > 0) == (row.fault is None)
    return row.fault


def refused(folder: Path, source: str, name: str = "mine.py") -> str:
    """Why there is nothing to grade."""
    (folder / "mine.py").write_text(source)
    with pytest.raises(GradeError) as error:
        grade(name, ["lab.rep"], timeout=20)
    return str(error.value)


def test_an_allocator_that_keeps_the_contract_gets_points(lab: Path) -> None:
    assert graded(lab, BUMP.replace("MALLOC", "").replace("FREE", "pass")) is None


def test_what_m4alloc_new_writes_is_graded(lab: Path) -> None:
    assert graded(lab, written("mine")["mine.py"]) is None


@pytest.mark.parametrize(
    ("malloc", "free", "message", "rule"),
    [
        ("return None", "pass", "failed with 0 bytes live", "request-served"),
        ("self.top += 8", "pass", "no multiple of 16", "result-aligned-fundamental"),
        ("self.top = 0x1000", "pass", "live since event 1", "reuse-only-after-free"),
        ("return 'here'", "pass", ") returned 'here'; an address is an int, NULL is 0 or None", ""),
        ("", "self.gone[address]", "AttributeError: 'Bump' object has no attribute 'gone'", ""),
        ("import os; os.abort()", "pass", "the process was killed by SIGABRT", ""),
        ("import sys; sys.exit(2)", "pass", "SystemExit: 2", ""),
    ],
)
def test_a_fault_is_told_with_the_rule_or_the_line(lab: Path, malloc: str, free: str, message: str, rule: str) -> None:
    fault = graded(lab, BUMP.replace("MALLOC", malloc).replace("FREE", free))
    assert fault is not None and message in fault.message and fault.rule == rule


def test_a_fault_is_cut_down_to_the_fewest_requests_and_can_be_replayed(lab: Path) -> None:
    source = BUMP.replace("MALLOC", "self.top = 0x1000 if self.count == 20 else self.top").replace("FREE", "pass")
    fault = graded(lab, source)
    assert fault is not None and fault.requests == 20 and "! violates result-disjoint" in fault.script
    assert fault.replay == f"m4alloc grade mine.py {fault.file}"
    (again,) = grade("mine.py", [fault.file], findings=None).traces
    assert again.fault is not None and again.fault.rule == fault.rule


def test_an_exception_is_told_with_its_line(lab: Path) -> None:
    fault = graded(lab, BUMP.replace("MALLOC", "assert self.count < 5").replace("FREE", "pass"))
    assert fault is not None and fault.requests == 5
    assert fault.message == "it raised AssertionError (line 8, in malloc: assert self.count < 5)"


def test_what_hangs_is_told_with_the_line_where_it_is(lab: Path) -> None:
    fault = graded(lab, BUMP.replace("MALLOC", "while self.count == 7: pass").replace("FREE", "pass"), timeout=0.8)
    assert fault is not None and "no answer after 0.8 s, in request 7 of 60 (line 8, in malloc: while" in fault.message


def test_a_file_without_an_allocator_is_refused_with_what_is_missing(lab: Path) -> None:
    assert "mine.py, line 2: expected ':'\n    def malloc(self)\n" in refused(lab, "class Mine:\n  def malloc(self)\n")
    assert "cannot be imported: ModuleNotFoundError: No module named 'nonesuch'" in refused(lab, "import nonesuch")
    assert "has no class with malloc(self, size) and free(self, address); `m4alloc new NAME`" in refused(lab, "x = 1")
    assert "class Mine has no free" in refused(lab, "class Mine:\n def malloc(self, size): pass")
    assert "put them into a class" in refused(lab, "def malloc(size): pass\ndef free(address): pass")
    two = "class A:\n def malloc(self, size): pass\n def free(self, a): pass\nclass B(A): pass"
    assert "has several allocators: A, B; say which: mine.py:A" in refused(lab, two)
    assert "has no class C; it has A, B" in refused(lab, two, "mine.py:C")
    needs = "class A:\n def __init__(self, size): pass\n def malloc(self, size): pass\n def free(self, a): pass"
    assert "A() needs size; give defaults" in refused(lab, needs)


def test_a_trace_that_calls_what_there_is_not_brings_nothing(lab: Path) -> None:
    grader = (
        PolicyGrader("mine.py", 20)
        if (lab / "mine.py").write_text("class A:\n def malloc(self, size): return 16\n def free(self, a): pass")
        else None
    )
    assert grader is not None
    found = grader.grade(example([(Kind.ALLOCATE, 1, 8), (Kind.RESIZE, 1, 9)]))
    assert found.fault is not None and found.fault.message == "the trace calls realloc 1 time, and the class has none"


def test_pages_count_where_requested_bytes_lay() -> None:
    workload = example([(Kind.ALLOCATE, 1, 5000), (Kind.FREE, 1, 0)])
    one = Event(Function.MALLOC, size=5000, result=0x10000, usable=8192)
    assert taken(workload, [one, Event(Function.FREE, address=0x10000), one]) == {"footprint": 8192, "usable": 8192}
