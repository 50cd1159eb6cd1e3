"""Each program of tests/monitored is reported as exactly its class, with its story; its corrected twin not at all."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarks.watchers import CLASSES, WATCHERS, Monitored, Preloaded, Ran, Watcher
from m4alloc.monitor.instrument import HOOKS
from tests.m4alloc.monitor.corpus import KEYS, Program, outcome, programs

ALL = programs()
KINDS = {*CLASSES, "property"}
OTHERS_TRIED = ("after_free_read.c", "double_free.c", "leak_overwritten.c", "out_of_bounds_memcpy.c", "property_pool.c")
"""For which the heads' claims about AddressSanitizer are tried again."""

Build = tuple[Program, str, bool]
"""A program, how it is built (HOOKS, `preload` or `asan`), and whether corrected."""


def watcher(program: Program, how: str) -> Watcher:
    own = [program.says["property"]] if "property" in program.says else []
    if how == "preload":
        return Preloaded(own)
    return WATCHERS[how] if how in WATCHERS else Monitored(how, own)


def hooks_of(program: Program) -> list[str]:
    """The hooks with which a program is built: the default, and those that it names."""
    return [HOOKS[0], *(hook for hook in program.says.get("hooks", "").split() if hook != HOOKS[0])]


REBUILT = [
    pytest.param(program, how, id=f"{program}-{how}", marks=[] if how == HOOKS[0] else pytest.mark.slow)
    for program in ALL
    for how in hooks_of(program)
]
NOT_REBUILT = [pytest.param(program, id=str(program)) for program in ALL if program.report_without_rebuild()]


class Builder:
    """Builds programs when they are wanted; alone in its session it builds some ahead, two at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._pool = ThreadPoolExecutor(2)
        self._builds: dict[Build, Future[str | None]] = {}
        self._ahead = 0 if "PYTEST_XDIST_WORKER" in os.environ else 4

    def _path(self, build: Build) -> Path:
        program, how, fixed = build
        return self.directory / f"{program}.{how}{'.fixed' * fixed}"

    def _start(self, build: Build) -> Future[str | None]:
        if build not in self._builds:
            program, how, fixed = build
            work = self._pool.submit(program.build, watcher(program, how), fixed, self._path(build))
            self._builds[build] = work
        return self._builds[build]

    def run(self, program: Program, how: str, fixed: bool) -> Ran:
        """Build it if nobody has, and run it."""
        build = (program, how, fixed)
        wanted = self._start(build)
        after = ALL.index(program) + 1
        for later in ALL[after : after + self._ahead]:
            if how in (*hooks_of(later), "preload"):
                self._start((later, how, fixed))
        complaint = wanted.result()
        assert complaint is None, complaint
        path = self._path(build)
        return watcher(program, how).run([path], path.with_suffix(".notes"), options=program.options())

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    if shutil.which("gcc") is None or shutil.which("g++") is None:
        pytest.skip("gcc and g++ are missing: apt install g++")
    made = Builder(tmp_path_factory.mktemp("monitored"))
    yield made
    made.close()


def told(ran: Ran) -> str:
    """What to show when an assertion fails."""
    return f"status {ran.status}, {list(ran.classes)}\n{ran.err[-4000:]}\n{ran.findings}"


def line_in(finding: Mapping[str, Any], stack: str, program: Program) -> int | None:
    """The line of the innermost frame of a stack that is in the program's own file."""
    own = [frame for frame in finding["stacks"][stack] if Path(frame.get("file") or "").name == program.path.name]
    return int(own[0]["line"]) if own else None


def check_story(finding: Mapping[str, Any], program: Program, ran: Ran) -> None:
    """The report points to the lines that are marked, and knows the block's size and the place in it."""
    says, block = program.says, finding.get("block") or {}
    for mark, stack in (("REPORT", "here"), ("MALLOC", "malloc"), ("FREED", "free")):
        if program.lines(mark):
            assert line_in(finding, stack, program) in program.lines(mark), f"{mark}: {told(ran)}"
    if "block" in says:
        assert block["size"] == int(says["block"]), told(ran)
    if "offset" in says:
        assert block["offset"] == int(says["offset"]), told(ran)
    if "function" in says:
        assert finding["access"]["function"] == says["function"], told(ran)


@pytest.mark.parametrize(("program", "how"), REBUILT)
def test_an_error_is_reported_as_its_class_with_its_story(builder: Builder, program: Program, how: str) -> None:
    ran = builder.run(program, how, fixed=False)
    assert set(ran.classes) == {program.report}, told(ran)
    assert ran.status == 1, told(ran)
    check_story(ran.findings[0], program, ran)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "how"), REBUILT)
def test_nothing_is_reported_of_the_corrected_twin(builder: Builder, program: Program, how: str) -> None:
    ran = builder.run(program, how, fixed=True)
    assert (ran.classes, ran.status) == ((), 0), told(ran)


@pytest.mark.slow
@pytest.mark.parametrize("program", NOT_REBUILT)
def test_an_error_is_reported_without_a_rebuild(builder: Builder, program: Program) -> None:
    ran = builder.run(program, "preload", fixed=False)
    assert set(ran.classes) == {program.report_without_rebuild()}, told(ran)
    assert ran.status == 1, told(ran)


@pytest.mark.parametrize("name", OTHERS_TRIED)
def test_the_heads_say_what_address_sanitizer_reports(builder: Builder, name: str) -> None:
    (program,) = (one for one in ALL if str(one) == name)
    ran = builder.run(program, "asan", fixed=False)
    assert outcome(ran) == program.says["asan"], told(ran)


def test_there_are_a_hundred_and_forty_programs_of_every_class() -> None:
    counts = Counter(program.report for program in ALL)
    assert set(counts) == KINDS
    assert min(counts.values()) >= 8
    assert len(ALL) >= 140
    assert sum(program.is_cpp for program in ALL) >= 15
    assert sum("thread" in program.source for program in ALL) >= 10
    assert sum("wchar.h" in program.source for program in ALL) >= 9


@pytest.mark.parametrize("program", ALL, ids=str)
def test_a_program_says_what_is_wrong_and_what_is_to_be_reported(program: Program) -> None:
    says = program.says
    assert says["what"].endswith("."), says["what"]
    assert set(says) <= {"what", "note", *KEYS}
    assert {"report", "seen", "asan", "valgrind"} <= set(says)
    assert says["report"] in KINDS
    assert says["seen"].split()[0] in ("rebuild", "preload")
    assert ("property" in says) == (says["report"] == "property")
    assert ("options" in says) == (says["report"] == "uninitialised-read")
    assert set(says.get("hooks", "").split()) <= set(HOOKS)
    assert "FIXED\n" in program.source


def test_the_page_counts_what_the_heads_say() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "juliet.md").read_text()
    rows = {cells[1].strip("` "): cells[2:6] for line in page.splitlines() if len(cells := line.split("|")) == 7}
    for kind in KINDS:
        of_it = [program for program in ALL if program.report == kind]
        others = [sum(p.says[name].split(", ")[0] == kind for p in of_it) for name in ("asan", "valgrind")]
        counts = [len(of_it), *others, sum(p.report_without_rebuild() is not None for p in of_it)]
        assert [int(cell) for cell in rows[kind]] == counts, kind
    assert f"`tests/monitored`, {len(ALL)} programs" in page
