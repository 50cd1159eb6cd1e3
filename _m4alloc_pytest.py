"""The pytest plugin of m4alloc: the fixtures `heap` and `m4alloc_monitored`, and the marks `heap_limit`, `no_leaks` and
`m4alloc_monitor`.

It is no part of the package m4alloc, and imports it only for a test that uses one of the fixtures, so that it costs
nothing where nobody does.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from m4alloc import Arena
    from m4alloc.check.watched import Held, Watch
    from m4alloc.monitor.report import Finding, MonitorReport

UNITS = {"": 1, "b": 1}
UNITS |= {prefix + "b": 1000**power for power, prefix in enumerate("kmgt", 1)}
UNITS |= {prefix + "ib": 1024**power for power, prefix in enumerate("kmgt", 1)}
SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)
EXAMPLES = 'an int of bytes, or a text such as "10 MiB" or "1.5 GB"'
LIMITS = ("peak", "total")
LISTED = 10
"""Blocks of a test, and tests of a run, that are listed; more are counted."""

WATCH: pytest.StashKey[Watch] = pytest.StashKey()
MADE_BEFORE = pytest.StashKey[int]()
PASSED = pytest.StashKey[bool]()
LEFT = "m4alloc_blocks_left"
MONITORED: pytest.StashKey[Monitored] = pytest.StashKey()
SOURCES = {".c": "c", ".cc": "c++", ".cpp": "c++", ".cxx": "c++", ".C": "c++"}
"""How the names of sources end; anything else is a program."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("m4alloc_heap_capacity", "bytes of the fixture heap's arena", default="1 GiB")
    parser.addini("m4alloc_heap_limit_peak", "heap_limit(peak=...) of every test that uses heap", default="")
    parser.addini("m4alloc_heap_limit_total", "heap_limit(total=...) of every test that uses heap", default="")
    parser.addini("m4alloc_no_leaks", "no_leaks for every test that uses heap", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "heap_limit(peak=None, total=None): the test fails if it asks the fixture heap for more than that many bytes, "
        "live at once (peak) or in all (total); an int, or a text such as '10 MiB'",
    )
    config.addinivalue_line("markers", "no_leaks: the test fails if blocks of the fixture heap are live at its end")
    config.addinivalue_line(
        "markers",
        "m4alloc_monitor(program, *arguments, property=(), flags=(), timeout=60): a program, or a C or C++ source "
        "beside the test, runs under m4alloc's monitors before the test, which fails if they find something",
    )
    for name in ("m4alloc_heap_capacity", *(f"m4alloc_heap_limit_{limit}" for limit in LIMITS)):
        text = config.getini(name)
        try:
            if text:
                bytes_of(text)
        except ValueError as error:
            raise pytest.UsageError(f"{name}: {error}") from None


@pytest.fixture
def heap(request: pytest.FixtureRequest) -> Generator[Arena, None, None]:
    """A fresh m4alloc.Arena, closed after the test; blocks that the test left live are reported.

    With the marks heap_limit(peak=..., total=...) and no_leaks it makes the test fail.
    """
    from m4alloc import Arena
    from m4alloc.check.watched import Watch

    arena = Arena(bytes_of(request.config.getini("m4alloc_heap_capacity")))
    watch = request.node.stash[WATCH] = Watch(arena)
    watch.begin()
    yield arena
    left = watch.live()
    with contextlib.suppress(BufferError):  # somebody still looks into a block: the arena goes when they have gone
        arena.close()
    # What the test itself left has been told; this is what its fixtures left, who had until now to free it.
    if left and request.node.stash.get(PASSED, False) and wants_no_leaks(request.node):
        pytest.fail(f"no_leaks: {told(request.node, left)}", pytrace=False)


@dataclass(slots=True)
class MonitoredRun:
    """A run under the monitors.

    report: what m4alloc.monitor says of it. stdout, stderr: the program's; the stories of findings are in stderr.
    """

    report: MonitorReport
    stdout: str
    stderr: str

    @property
    def findings(self) -> list[Finding]:
        """What was found, the first first; empty when nothing is wrong."""
        return list(self.report.failures)

    @property
    def status(self) -> int:
        """The program's exit status as a shell gives it; 1 after a finding."""
        return self.report.status

    def __repr__(self) -> str:
        found = ", ".join(f"{number} {kind}" for kind, number in self.report.counts.items())
        return f"<{Path(self.report.program[0]).name}: status {self.status}, {found or 'no finding'}>"

    def story(self) -> str:
        """What the program said, and the summary of the run."""
        from m4alloc.monitor.text import lines

        return "\n".join([self.stderr.rstrip(), *lines(self.report)]).lstrip()


@dataclass(slots=True)
class MonitoredProgram:
    """A program that can be run under the monitors. properties: what it is held to besides the usual."""

    path: Path
    properties: tuple[str, ...]
    runs: list[MonitoredRun]

    def run(self, *arguments: object, input: str = "", timeout: float = 60, **options: Any) -> MonitoredRun:
        """Run it to its end. input: its stdin. options: further ones of m4alloc.monitor; property= adds one.

        A run that takes longer than `timeout` seconds fails the test.
        """
        from m4alloc.monitor.run import monitor

        properties = (*self.properties, *texts(options.pop("property", ())))
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(input.encode())
            given.seek(0)
            report = monitor(
                [str(self.path), *map(str, arguments)],
                properties=properties,
                timeout=timeout,
                stdin=given,
                stdout=out,
                stderr=err,
                **options,
            )
            for stream in (out, err):
                stream.seek(0)
            run = MonitoredRun(report, out.read().decode(errors="replace"), err.read().decode(errors="replace"))
        self.runs.append(run)
        if report.timed_out:
            pytest.fail(f"{self.path.name} was ended: it took longer than {timeout:g} s", pytrace=False)
        return run


@dataclass(slots=True)
class Monitored:
    """What the fixture m4alloc_monitored is. folder: for what is compiled. beside: where names of sources begin."""

    folder: Path
    beside: Path
    runs: list[MonitoredRun] = field(default_factory=list)

    @property
    def last(self) -> MonitoredRun:
        """The last run; the mark's, until the test has made another."""
        return self.runs[-1]

    def compile(
        self, *sources: str | os.PathLike[str], property: str | Sequence[str] = (), flags: Sequence[str] = ("-O1",)
    ) -> MonitoredProgram:
        """The program compiled from C or C++ sources, by `m4alloc cc` or `m4alloc c++`, accesses and all.

        sources: paths seen from the folder of the test's file. property: names or formulas as --property takes them.
        flags: the compiler's; libraries too, which stand behind the sources. A compiler's error fails the test.
        """
        from m4alloc.monitor.compiler import command
        from m4alloc.monitor.start import CompilerError

        paths = [self.beside / source for source in sources]
        languages = {SOURCES.get(path.suffix, "") for path in paths}
        if not paths or "" in languages:
            raise ValueError(f"no C or C++ source: {', '.join(path.name for path in paths) or 'nothing named'}")
        target = Path(tempfile.mkdtemp(dir=self.folder)) / paths[0].stem
        words = [*map(str, paths), *flags, "-o", str(target)]
        try:
            line = command(words, "c++" if "c++" in languages else "c")
        except CompilerError as error:
            pytest.fail(f"{paths[0].name} cannot be compiled: {error}", pytrace=False)
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.fail(f"{paths[0].name} does not compile:\n{done.stderr.rstrip()}", pytrace=False)
        return MonitoredProgram(target, texts(property), self.runs)

    def program(self, path: str | os.PathLike[str], property: str | Sequence[str] = ()) -> MonitoredProgram:
        """A program that is there: all is seen of it when `m4alloc cc` built it, else its calls of malloc and free."""
        return MonitoredProgram(self.beside / path, texts(property), self.runs)


@pytest.fixture
def m4alloc_monitored(request: pytest.FixtureRequest, tmp_path: Path) -> Monitored:
    """Compiles C and C++ programs, and runs them under m4alloc's monitors.

    When the test fails, the stories of what they found are in its report.
    """
    monitored = request.node.stash[MONITORED] = Monitored(tmp_path, request.path.parent)
    return monitored


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test with the mark m4alloc_monitor uses the fixture, whether it names it or not."""
    for item in items:
        names: list[str] = getattr(item, "fixturenames", [])
        if item.get_closest_marker("m4alloc_monitor") and "m4alloc_monitored" not in names:
            names.append("m4alloc_monitored")


def run_marked(item: pytest.Item) -> None:
    """Run what the nearest mark m4alloc_monitor names; the test fails if something is found."""
    mark, monitored = item.get_closest_marker("m4alloc_monitor"), item.stash.get(MONITORED, None)
    if mark is None or monitored is None:
        return
    named, *arguments = mark.args
    options = {**mark.kwargs}
    held = {"property": options.pop("property", ())}
    flags = {"flags": options.pop("flags")} if "flags" in options else {}
    make = monitored.compile if Path(named).suffix in SOURCES else monitored.program
    run = make(named, **held, **flags).run(*arguments, **options)
    if run.findings:
        pytest.fail(f"m4alloc_monitor: {run!r}\n{run.story()}", pytrace=False)
    if run.status != 0:
        pytest.fail(f"m4alloc_monitor: {Path(named).name} ended with status {run.status}\n{run.stderr}", pytrace=False)


def texts(value: str | Sequence[str]) -> tuple[str, ...]:
    """One text, or several.

    >>> texts("a"), texts(["a", "b"])
    (('a',), ('a', 'b'))
    """
    return (value,) if isinstance(value, str) else tuple(value)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse marks that say nothing, before anything runs."""
    for mark in item.iter_markers("m4alloc_monitor"):
        if not mark.args or not isinstance(mark.args[0], str | os.PathLike):
            told = "m4alloc_monitor() names no program: m4alloc_monitor('program.c', 'argument', property=...)"
            pytest.fail(f"{item.nodeid}: {told}", pytrace=False)
    for mark in item.iter_markers("heap_limit"):
        problem = wrong_with(mark)
        if problem:
            pytest.fail(f"{item.nodeid}: {problem}", pytrace=False)
    for mark in item.iter_markers("no_leaks"):
        if mark.args or mark.kwargs:
            pytest.fail(f"{item.nodeid}: no_leaks takes no arguments", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run the test; then hold what it asked for to its marks."""
    watch = item.stash.get(WATCH, None)
    item.stash[MADE_BEFORE] = 0 if watch is None else watch.made
    run_marked(item)
    try:
        result = yield
    except BaseException:
        left = left_by(item)
        if left:
            item.add_report_section("call", "heap", told(item, left))
        monitored = item.stash.get(MONITORED, None)
        for run in monitored.runs if monitored is not None else ():
            if run.findings:
                item.add_report_section("call", "m4alloc monitor", run.story())
        raise
    judge(item)
    item.stash[PASSED] = True
    return result


def left_by(item: pytest.Item) -> list[Held]:
    """The live blocks that the test itself asked for, not its fixtures."""
    watch = item.stash.get(WATCH, None)
    return [] if watch is None else watch.live(item.stash[MADE_BEFORE])


def judge(item: pytest.Item) -> None:
    """Fail the test that is over if it broke its marks."""
    watch, left = item.stash.get(WATCH, None), left_by(item)
    if watch is None:
        # A mark of a class or module may be meant for its other tests.
        named = [mark.name for mark in item.own_markers if mark.name in ("heap_limit", "no_leaks")]
        if named:
            wanted = "which this test does not use: take it as an argument, or by usefixtures('heap')"
            pytest.fail(f"{item.nodeid}: {named[0]} is about the fixture heap, {wanted}", pytrace=False)
        return
    problems = []
    peak, total = limit_of(item, "peak"), limit_of(item, "total")
    if peak is not None and watch.peak > peak:
        most = f"heap_limit: {size(watch.peak)} were live at once; the peak allowed is {size(peak)}"
        highest = watch.highest
        where = "" if highest is None else f"\n  reached by {size(highest.size)} at {place(item, highest)}"
        problems.append(most + where)
    if total is not None and watch.total > total:
        problems.append(f"heap_limit: {size(watch.total)} were asked for in all; the total allowed is {size(total)}")
    if left and wants_no_leaks(item):
        problems.append(f"no_leaks: {told(item, left)}")
    elif left:
        item.add_report_section("call", "heap", told(item, left))
        item.user_properties.append((LEFT, summary(left)))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List the tests that left blocks live, and did not fail for it."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    left = [
        (report.nodeid, value)
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == LEFT
    ]
    if left:
        terminalreporter.section("blocks left live in heap (mark a test no_leaks to make it fail)")
        for nodeid, value in left[:LISTED]:
            terminalreporter.line(f"{nodeid}: {value}")
        if len(left) > LISTED:
            terminalreporter.line(f"and {len(left) - LISTED} more tests")


def wrong_with(mark: pytest.Mark) -> str:
    """What is wrong with a heap_limit mark, and what would be right; empty when nothing is."""
    if mark.args:
        return f"heap_limit({mark.args[0]!r}) does not say of what: heap_limit(peak=...) or heap_limit(total=...)"
    unknown = [name for name in mark.kwargs if name not in LIMITS]
    if unknown or not mark.kwargs:
        given = f"{unknown[0]}=..." if unknown else ""
        return f"heap_limit({given}) sets no limit: heap_limit(peak=...), heap_limit(total=...) or both"
    for name, value in mark.kwargs.items():
        try:
            bytes_of(value)
        except ValueError as error:
            return f"heap_limit({name}={value!r}): {error}"
    return ""


def limit_of(item: pytest.Item, name: str) -> int | None:
    """The limit that the nearest mark sets, else the one of the configuration, else None."""
    for mark in item.iter_markers("heap_limit"):
        if name in mark.kwargs:
            return bytes_of(mark.kwargs[name])
    text = item.config.getini(f"m4alloc_heap_limit_{name}")
    return bytes_of(text) if text else None


def wants_no_leaks(item: pytest.Item) -> bool:
    """Whether live blocks make the test fail."""
    return item.get_closest_marker("no_leaks") is not None or bool(item.config.getini("m4alloc_no_leaks"))


def bytes_of(value: object) -> int:
    """A number of bytes: an int, or a text with a unit; KiB is 1024 bytes, kB is 1000. Raises ValueError.

    >>> bytes_of("10 MiB"), bytes_of("1.5kB"), bytes_of(24)
    (10485760, 1500, 24)
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    read = SIZE.fullmatch(value) if isinstance(value, str) else None
    if read is None or read[2].lower() not in UNITS:
        raise ValueError(f"{value!r} is no number of bytes; wanted is {EXAMPLES}")
    return int(float(read[1]) * UNITS[read[2].lower()])


def size(number: int) -> str:
    """A number of bytes in words.

    >>> size(100), size(10 * 2**20), size(1500000)
    ('100 bytes', '10 MiB', '1.43 MiB (1,500,000 bytes)')
    """
    power = min((number.bit_length() - 1) // 10, 4) if number else 0
    if power < 1:
        return f"{number} byte{'' if number == 1 else 's'}"
    unit = f"{' KMGT'[power]}iB"
    whole, rest = divmod(number, 1024**power)
    return f"{number / 1024**power:.2f} {unit} ({number:,} bytes)" if rest else f"{whole} {unit}"


def summary(left: list[Held]) -> str:
    """How many blocks, and how many bytes."""
    return f"{len(left)} block{'' if len(left) == 1 else 's'}, {size(sum(held.size for held in left))}"


def told(item: pytest.Item, left: list[Held]) -> str:
    """The blocks that are live, a line each."""
    lines = [f"{summary(left)} of heap still live"]
    lines += [f"  {size(held.size)}{address(held)} from {place(item, held)}" for held in left[:LISTED]]
    if len(left) > LISTED:
        lines.append(f"  and {len(left) - LISTED} more")
    return "\n".join(lines)


def address(held: Held) -> str:
    """Where the block is; nothing once it has gone with its arena."""
    return f" at {held.block.address:#x}" if held.block.alive else ""


def place(item: pytest.Item, held: Held) -> str:
    """The file and line that asked for the block, seen from the root of the tests where that is shorter."""
    return f"{shorter((held.file, os.path.relpath(held.file, item.config.rootpath)))}:{held.line}"


def shorter(paths: Iterable[str]) -> str:
    """The shortest of some paths."""
    return min(paths, key=len)
