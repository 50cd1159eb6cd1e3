"""Libraries: what is measured of a right one, what is said of a wrong one, and what cannot be graded at all."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from m4alloc import _backend
from m4alloc.check.hunt import Hunt
from m4alloc.cli.main import main
from m4alloc.grade.library import explained
from m4alloc.grade.outcome import GradeError
from m4alloc.tune.workload import Kind, example
from tests.m4alloc.grade.alone import grade

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")
BUMP = """#include <stddef.h>
#include <string.h>
static _Alignas(4096) char heap[1 << 26];
static size_t top;
void *malloc(size_t size) { top = (top + 15) & -16; FAULT void *block = heap + top; top += size + !size; return block; }
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size) { return memset(malloc(count * size), 0, count * size); }
void *realloc(void *block, size_t size)
{
    void *moved = malloc(size);
    return block ? memcpy(moved, block, size) : moved;
}
"""


def compiled(folder: Path, source: str, name: str = "mine.so") -> Path:
    """The library."""
    (folder / "mine.c").write_text(source)
    command = ["gcc", "-O1", "-shared", "-fPIC", "-fno-builtin", "-w", "mine.c", "-o", name]
    subprocess.run(command, cwd=folder, check=True)
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library that never uses memory again, and a trace of 1.6 MB of which half is live at most."""
    place = tmp_path_factory.mktemp("grade")
    compiled(place, BUMP.replace("FAULT", ""), "bump.so")
    blocks = [f"a {block} 4096\n" for block in range(400)]
    freed = [f"f {block}\n" for block in range(200)]
    lines = [*blocks[:200], *freed, *blocks[200:], *(f"f {block}\n" for block in range(200, 400))]
    (place / "half.rep").write_text("1\n400\n800\n1\n" + "".join(lines))
    return place


def test_utilisation_is_live_bytes_by_pages_of_the_heap(folder: Path) -> None:
    report = grade(folder / "bump.so", [folder / "half.rep"], findings=None)
    measured = report.traces[0].measured
    assert measured is not None and measured.peak_live == 200 * 4096
    assert measured.utilisation == pytest.approx(0.5, abs=0.01)
    assert measured.seconds > 0 and measured.usable is None
    assert report.traces[0].points == pytest.approx(
        100 * (0.6 * measured.utilisation + 0.4 * min(1, measured.speed)), abs=0.001
    )


def test_a_library_that_breaks_a_rule_gets_nothing_and_the_script_that_shows_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    library = compiled(tmp_path, BUMP.replace("FAULT", "if (top > 99000) top += 8;"))
    (row,) = grade("mine.so", [folder / "half.rep"]).traces
    assert row.points == 0 and row.fault is not None and row.fault.rule == "result-aligned-fundamental"
    assert row.fault.replay == f"m4alloc check mine.so --script {row.fault.file}"
    assert main(["check", str(library), "--script", row.fault.file]) == 1


def test_a_crash_is_a_finding(folder: Path, tmp_path: Path) -> None:
    library = compiled(tmp_path, BUMP.replace("FAULT", "if (top > 99000) *(volatile int *)8 = 1;"))
    (row,) = grade(library, [folder / "half.rep"], findings=tmp_path / "found").traces
    assert row.fault is not None and "SIGSEGV inside malloc" in row.fault.message
    assert Path(row.fault.file).read_text().count("malloc") < 30


def test_the_page_has_the_grade_and_the_heap_and_its_links_lead_somewhere(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "grade.html"
    grade(folder / "bump.so", [folder / "half.rep"], findings=None, output=page, view=tmp_path / "heaps")
    text = page.read_text()
    assert "Grade of" in text and "<svg" in text and 'href="heaps/half.html"' in text
    assert "<canvas" in (tmp_path / "heaps" / "half.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grade.html", "heaps"]


def test_what_cannot_be_graded_is_refused_with_what_would_be(tmp_path: Path) -> None:
    def refused(name: str) -> str:
        with pytest.raises(GradeError) as error:
            grade(tmp_path / name, [])
        return str(error.value)

    compiled(tmp_path, "int x;", "empty.so")
    compiled(tmp_path, "void *mm_malloc(unsigned long n) { return 0; } void mm_free(void *p) {}", "lab.so")
    compiled(tmp_path, "void *malloc(unsigned long n) { return 0; } void free(void *p) {}", "half.so")
    assert "mine.c has to be compiled first: gcc -O2 -shared -fPIC" in refused("mine.c")
    assert "exports no malloc. A C function is exported unless it is static or hidden" in refused("empty.so")
    assert "exports no malloc, but mm_malloc. A program's malloc has no prefix" in refused("lab.so")
    assert "half.so exports no calloc and no realloc; a program on it would" in refused("half.so")
    assert "no such file; did you mean" in refused("lab")
    with pytest.raises(GradeError, match="a weight of 2: from 0"):
        grade("system", weight=2)
    with pytest.raises(GradeError, match="the allocator has no name"):
        grade("")
    for seconds in (-1.0, 1e12, float("nan")):
        with pytest.raises(GradeError, match="a budget of"):
            grade("system", budget=seconds)
    for seconds in (0.0, -1.0, 1e12, float("inf"), float("nan")):
        with pytest.raises(GradeError, match="must be more than 0, and 604800"):
            grade("system", timeout=seconds)


def test_a_library_that_needs_python_is_explained() -> None:
    assert "shows how Cython makes a library that does not" in explained("undefined symbol: PyExc_ValueError")


def test_the_command_prints_a_row_a_trace_and_leaves_with_1_for_a_fault(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rep = str(folder / "half.rep")
    assert main(["grade", str(folder / "bump.so"), rep, "--weight", "1", "--budget", "0s"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^total    (49|50)\.\d of 100", shown, re.M)
    assert re.search(r"^  next        `m4alloc check .*/bump.so` looks longer, and at random", shown, re.M)
    assert "check    nothing but the traces" in shown
    compiled(tmp_path, BUMP.replace("FAULT", "return 0;"))
    assert main(["grade", "mine.so", rep, "--json", "--budget", "0s"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "VIOLATED" and report["traces"][0]["fault"]["rule"] == "result-non-null-or-enomem"
    assert main(["grade", "nothing.so", rep]) == 2
    assert "nothing.so: no such file" in capsys.readouterr().err


def test_an_alignment_is_raced_on_the_library_s_own_function(folder: Path, tmp_path: Path) -> None:
    workload = example([(Kind.ALLOCATE, 1, 8), (Kind.FREE, 1, 0)], "aligned")
    workload.alignment[0] = 64
    workload.write(tmp_path / "aligned.m4t")
    (row,) = grade(folder / "bump.so", [tmp_path / "aligned.m4t"], findings=None).traces
    assert (
        row.fault is not None
        and "the trace calls aligned_alloc 1 time, and the library exports none" in row.fault.message
    )
    (row,) = grade("system", [tmp_path / "aligned.m4t"], findings=None).traces
    assert row.fault is None and row.measured is not None and row.measured.footprint >= 4096


@pytest.mark.parametrize(("times", "faults"), [(1, 0), (2, 1)])
def test_a_driver_that_ends_between_two_requests_is_started_once_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, times: int, faults: int
) -> None:
    seen = Hunt.see
    left = [BrokenPipeError()] * times

    def see(self: Hunt, *arguments: Any, **options: Any) -> Any:
        if left:
            raise left.pop()
        return seen(self, *arguments, **options)

    monkeypatch.setattr(Hunt, "see", see)
    (row,) = grade(folder / "bump.so", [folder / "half.rep"], findings=None).traces
    assert (row.fault is not None) == bool(faults)
    assert row.fault is None or "between two requests" in row.fault.message
