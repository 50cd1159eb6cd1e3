"""Who tries to be given points gets none: the judge and the clock are where the graded code has never been."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from m4alloc import _backend
from m4alloc.grade.isolate import isolated
from m4alloc.grade.outcome import GradeError
from m4alloc.grade.report import TraceGrade
from tests.m4alloc.grade.alone import grade
from tests.m4alloc.grade.test_library import BUMP, compiled

ONE_FOR_ALL = """
class Mine:
    def malloc(self, size):
        return 4096
    def free(self, address):
        pass
"""
RIGHT = """
class Mine:
    def __init__(self):
        self.top = 4096
        pass
    def malloc(self, size):
        self.top += 64
        return self.top - 64
    def free(self, address):
        pass
"""
ANSWER = """
import os, stat
def answer():
    pipes = []
    for number in range(3, 40):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                pipes.append(number)
        except OSError:
            pass
    os.write(pipes[-1], b'V{"footprint": 1, "peak_live": 9, "usable": 9}')
    os._exit(0)
"""
LAB = "200\n3\n6\n1\na 0 40\na 1 9\na 2 30\nf 0\nf 1\nf 2\n"
CHEATS = {
    "replaces the judge": "import m4alloc.grade.policy as p\np.judge = lambda *_: None\n" + ONE_FOR_ALL,
    "replaces the trace": "import m4alloc.grade.policy as p\np.run = lambda *_: ([], None)\n" + RIGHT,
    "answers itself": RIGHT.replace("        self.top += 64", "        answer()") + ANSWER,
}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A small trace."""
    (tmp_path / "lab.rep").write_text(LAB)
    return tmp_path / "lab.rep"


def graded(lab: Path, source: str) -> TraceGrade:
    """The row of a Python allocator on the small trace."""
    (lab.parent / "mine.py").write_text(source)
    (row,) = grade(lab.parent / "mine.py", [lab], timeout=5, findings=None).traces
    return row


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_has_no_points(lab: Path, cheat: str) -> None:
    row = graded(lab, CHEATS[cheat])
    assert row.points == 0 and row.fault is not None


@pytest.mark.parametrize(
    "cheat",
    [
        "import time\ntime.perf_counter = lambda: 0.0\n",
        "import spec.allocator as s\nimport time\ns.ReferenceAllocator.request = lambda *_: time.sleep(1)\n",
    ],
)
def test_a_clock_or_a_reference_that_was_replaced_is_not_used(lab: Path, cheat: str) -> None:
    measured = graded(lab, cheat + RIGHT).measured
    assert measured is not None and measured.seconds > 0 and measured.reference_seconds < 1


def test_a_child_that_leaves_one_behind_has_answered_all_the_same() -> None:
    def forks() -> int:
        if os.fork() == 0:
            time.sleep(30)
        return 7

    begin = time.monotonic()
    assert isolated(forks, 20).value == 7 and time.monotonic() - begin < 5


needs_core = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")
START = (
    "#include <stdlib.h>\n#include <unistd.h>\n#include <sys/prctl.h>\n__attribute__((constructor)) static void c(void)"
)
LIBRARIES = {
    "one block for all, when its pages are counted": (
        "static int counted;\n" + START + "{ counted = prctl(42, 0, 0, 0, 0); }\n",
        "if (counted) return heap;",
        "not what had been written there",
    ),
    "one block for all, as the malloc of a program": (
        "static int preloaded;\n" + START + '{ preloaded = getenv("LD_PRELOAD") != 0; }\n',
        "if (preloaded) return heap;",
        "as the malloc of a program (LD_PRELOAD): malloc(9) at event",
    ),
    "says something where its time is told": (
        START + '{ if (getenv("LD_PRELOAD")) write(1, "points 100 of 100 for this one!\\n", 32); }\n',
        "",
        "standard output",
    ),
}


@needs_core
@pytest.mark.parametrize("cheat", LIBRARIES)
def test_a_library_that_behaves_otherwise_when_it_is_measured_has_no_points(lab: Path, cheat: str) -> None:
    before, fault, message = LIBRARIES[cheat]
    library = compiled(lab.parent, before + BUMP.replace("FAULT", fault))
    (row,) = grade(library, [lab], timeout=10, findings=None).traces
    assert row.fault is not None and message in row.fault.message


@needs_core
def test_a_library_whose_constructor_aborts_is_refused_with_the_signal(lab: Path) -> None:
    library = compiled(lab.parent, START + "{ abort(); }\n" + BUMP.replace("FAULT", ""))
    with pytest.raises(GradeError, match="SIGABRT while it was loaded"):
        grade(library, [lab], timeout=10, findings=None)
