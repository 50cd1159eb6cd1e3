"""No file of anybody else is replaced, and what cannot be written is refused before anything is graded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from m4alloc import _backend
from m4alloc.cli.main import main
from m4alloc.grade import grade as graded
from m4alloc.grade.library import LibraryGrader
from m4alloc.grade.outcome import GradeError
from m4alloc.grade.page import link
from m4alloc.grade.places import Places
from m4alloc.grade.report import TraceGrade
from m4alloc.trace.write import write
from spec.event import Event, Function
from tests.m4alloc.grade.alone import grade
from tests.m4alloc.grade.test_report import FULL

needs_core = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")
SOURCE = "class Mine:\n def malloc(self, size): return 4096\n def free(self, address): pass\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a script, a recording, an allocator that is wrong on both, and a source file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keep.heap").write_text("a = malloc 16\nb = malloc 16\n")
    (tmp_path / "mine.py").write_text(SOURCE)
    (tmp_path / "notes.c").write_text("int x;\n")
    rows = [Event(Function.MALLOC, size=16, result=4096), Event(Function.FREE, address=4096)]
    write(tmp_path / "git.m4t.xz", rows)
    return tmp_path


def refused(folder: Path, monkeypatch: pytest.MonkeyPatch, trace: str, **places: Any) -> str:
    """Why a grade is refused, though nothing was graded and every file is as it was."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    monkeypatch.setattr(LibraryGrader, "grade", None)
    with pytest.raises(GradeError) as error:
        grade("system", [trace], **{"findings": None, **places})
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return str(error.value)


@needs_core
def test_the_history_on_the_allocator_does_not_take_the_recording_s_place(folder: Path) -> None:
    before = (folder / "git.m4t.xz").read_bytes()
    report = grade("system", ["git.m4t.xz"], findings=None, view=".")
    assert report.traces[0].page == "git.html" and (folder / "git.graded.m4t.xz").exists()
    assert (folder / "git.m4t.xz").read_bytes() == before
    assert grade("system", ["git.m4t.xz"], findings=None, view=".").notes == (), "what grade wrote is replaced"
    with pytest.raises(GradeError, match=r"git.graded.m4t.xz: the trace to be graded would be replaced"):
        grade("system", ["git.graded.m4t.xz"], findings=None, view=".")


@needs_core
def test_a_page_replaces_neither_an_input_nor_what_is_no_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is the input itself" in refused(folder, monkeypatch, "keep.heap", output="keep.heap")
    assert "neither a page nor a picture" in refused(folder, monkeypatch, "keep.heap", output="notes.c")
    assert "a directory" in refused(folder, monkeypatch, "keep.heap", output=folder)
    assert "no directory" in refused(folder, monkeypatch, "keep.heap", output="none/grade.html")
    both = {"output": "keep.html", "view": "."}
    assert "both the page of the grade and that of keep" in refused(folder, monkeypatch, "keep.heap", **both)


@needs_core
def test_what_stands_in_the_folder_of_heaps_is_seen_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heaps = folder / "heaps"
    heaps.mkdir()
    (heaps / "keep.html").write_text("my notes")
    assert "keep.html: exists and is neither" in refused(folder, monkeypatch, "keep.heap", view="heaps")
    (heaps / "keep.html").unlink()
    (heaps / "keep.graded.m4t.xz").write_text("my notes")
    assert "exists and is no trace; it is kept" in refused(folder, monkeypatch, "keep.heap", view="heaps")
    for place in ("notes.c", "notes.c/heaps"):
        assert "notes.c is a file; a folder is wanted" in refused(folder, monkeypatch, "keep.heap", view=place)
    assert "File name too long" in refused(folder, monkeypatch, "keep.heap", findings="x" * 300)


def test_a_finding_takes_the_place_of_no_input_and_of_no_other_finding(folder: Path) -> None:
    (folder / "keep-reuse-only-after-free.heap").write_text("a = malloc 16\nb = malloc 16\n")
    given = ["keep.heap", "keep-reuse-only-after-free.heap"]
    before = [Path(name).read_bytes() for name in given]
    report = grade("mine.py", given, findings=".")
    assert [row.fault.file for row in report.wrong if row.fault] == [
        "keep-reuse-only-after-free-2.heap",
        "keep-reuse-only-after-free-reuse-only-after-free.heap",
    ]
    assert [Path(name).read_bytes() for name in given] == before
    places = Places(folder, None, None)
    assert places.finding("a b", "r") != places.finding("a_b", "r")


@needs_core
def test_a_heap_that_has_no_page_costs_no_grade(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(graded, "write_trace", fails)
    report = grade("system", ["keep.heap"], findings=None, view="heaps")
    assert report.total > 0 and report.traces[0].page == ""
    assert "the heap on keep has no page: [Errno 28] No space left on device" in report.notes


def test_a_minus_means_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name for path in folder.iterdir()}
    assert main(["grade", "mine.py", "keep.heap", "-o", "-", "--view", "-", "--findings", "-", "--budget", "0s"]) == 1
    # Python keeps what it compiles beside a module that it imports.
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == before


def test_links_to_heaps_are_quoted() -> None:
    row = replace(TraceGrade("x", 1, 0.6, FULL), page="heaps/x#y?50%.html")
    assert 'href="x%23y%3F50%25.html"' in str(link(row, Path("heaps")))
