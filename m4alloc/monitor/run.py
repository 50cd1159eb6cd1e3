"""Run a program under libm4monitor.so, and say what became of its properties."""

from __future__ import annotations

import glob
import os
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from m4alloc.lib import monitor as monitor_library
from m4alloc.monitor.report import (
    CLASSES,
    HOLDS,
    INCONCLUSIVE,
    UNSEEN,
    VIOLATED,
    Finding,
    MonitorReport,
    ProcessEnd,
    PropertyAnswer,
    read_lines,
    signal_name,
)
from m4alloc.monitor.symbols import symbolise
from m4alloc.monitor.table import BUILT_IN, Table
from m4alloc.monitor.target import Target, is_word_in, labels_missing, near, target
from m4alloc.run import shell_status, signals_passed_on
from m4alloc.strategy import PRESETS, Strategy
from m4alloc.trace.format import MAGIC
from m4alloc.trace.preload import preloaded
from spec.properties import find
from spec.property import OF_ACCESS, Property

ON_VIOLATION: Final = ("exit", "abort", "continue")
LEAKS: Final = ("unreachable", "all", "no")
HISTORIES: Final = ("calls", "accesses", "no")
FRAMES_MOST: Final = 32
QUARANTINE_MOST: Final = 1 << 30
LEAK_PROPERTY: Final = "freed-eventually"
REFUSED: Final = 2
"""What a program ends with that the runtime does not let begin; one that ends so by itself leaves a last line."""
_PYTHON: Final = re.compile(r"python[0-9.]*d?")
_GRACE = 2.0
"""Seconds that a program has to end after SIGTERM before SIGKILL."""

_Stream = int | IO[Any] | None


class MonitorError(ValueError):
    """What was asked for is impossible; the message says what would be right."""


def monitor(
    argv: Sequence[str],
    *,
    properties: Sequence[str] = (),
    only: bool = False,
    strategy: str = "default",
    on_violation: str = "exit",
    fail_on: Sequence[str] = (),
    suppressions: str | os.PathLike[str] | None = None,
    leaks: str = "unreachable",
    history: str = "calls",
    frames: int = 8,
    uninitialised: bool = False,
    quarantine: int | None = None,
    keep_trace: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    stdin: _Stream = None,
    stdout: _Stream = None,
    stderr: _Stream = None,
) -> MonitorReport:
    """Run the program, and hold it to properties while it runs; reports go to its stderr as they are made.

    Any program can be watched; one that `m4alloc cc` built says its accesses, too.
    properties: names or formulas, as `spec.properties.find` takes them, besides those that are always watched; only:
    instead of them. strategy: of the allocator below: "default", "hardened" or "sampled".
    on_violation: "exit" with status 1, "abort" (for debuggers and core files) or "continue".
    fail_on: classes, or "property:NAME", that make the run fail; every one when empty. suppressions: a file of what is
    not to be told. leaks: "unreachable", "all" (those that something still points to, too) or "no".
    history: what is kept of the time before a violation: "calls", "accesses" or "no". frames: of a stack, 1 to 32.
    uninitialised: watch for reads of what was never written. quarantine: bytes that wait after free.
    keep_trace: the file for a recording of the time before a violation; `m4alloc verify --trace` says the same of it.
    For further findings there are keep_trace.2, keep_trace.3 and so on; older ones are removed. output: where the HTML
    page goes; the trace is beside it unless keep_trace says otherwise. timeout: seconds until the program is ended.
    env, cwd, stdin, stdout, stderr: of the program, as subprocess takes them.
    Raises ProgramError: no such program, or none that can be watched. MonitorError, LogicError, MonitorTableError (all
    of them ValueError), TooLargeError: an impossible option or property. LibraryError: no native core. OSError.

    >>> report = monitor(["true"])
    >>> report.verdict, report.status, report.rebuilt
    ('HOLDS', 0, False)
    """
    _check("strategy", strategy, PRESETS)
    _check("on_violation", on_violation, ON_VIOLATION)
    _check("leaks", leaks, LEAKS)
    _check("history", history, HISTORIES)
    if not 1 <= frames <= FRAMES_MOST:
        raise MonitorError(f"frames={frames}: a stack has 1 to {FRAMES_MOST} of them")
    if quarantine is not None and not 0 <= quarantine <= QUARANTINE_MOST:
        raise MonitorError(f"quarantine={quarantine}: it has to be from 0 to {QUARANTINE_MOST}, 1 GiB")
    if timeout is not None and timeout <= 0:
        raise MonitorError(f"timeout={timeout:g}: it has to be above 0")
    if output is not None:
        _check_writable(Path(output))
    asked = tuple(dict.fromkeys(map(find, properties)))
    if only and not asked:
        raise MonitorError("only: no property is named that alone should be watched")
    _check_fails(fail_on, asked)
    program = target(argv)
    table = _table(asked, () if only else BUILT_IN, program.rebuilt, uninitialised)
    options: dict[str, str | int | None] = {
        "on_violation": None if on_violation == "exit" else on_violation,
        "fail_on": "+".join(fail_on) or None,
        "leaks": None if leaks == "unreachable" else leaks,
        "history": None if history == "calls" else history,
        "frames": frames,
        "uninitialised": 1 if uninitialised else None,
        "quarantine_bytes": quarantine,
        "suppressions": None if suppressions is None else _existing(suppressions),
    }
    traces = _place_of_traces(keep_trace, output) if history != "no" else None
    options["trace"] = None if traces is None else traces.replace("%", "%%")
    with tempfile.TemporaryDirectory(prefix="m4alloc-") as folder:
        place = Path(folder).absolute()
        (place / "table").write_bytes(table.to_bytes())
        options |= {"properties": f"{place}/table", "json": f"{place}/findings"}
        environment = _environment(env, options, strategy)
        again = _again(asked, only, uninitialised, {"strategy": strategy, "leaks": leaks, "quarantine": quarantine})
        environment.setdefault("M4ALLOC_COMMAND", shlex.join([*again, *argv]))
        began = time.perf_counter()
        with preloaded([monitor_library()], environment.get("LD_PRELOAD", "")) as environment["LD_PRELOAD"]:
            status, pid, timed_out = _run(program, environment, timeout, cwd, (stdin, stdout, stderr))
        seconds = time.perf_counter() - began
        findings, ends = read_lines(place / "findings")
        if status == REFUSED and not findings and not ends and not timed_out:
            raise MonitorError(f"{argv[0]} was not run: what libm4monitor.so said is above, on standard error")
        outcome = _Outcome(
            shell_status(status), max(0, -status), pid, timed_out, tuple(symbolise(findings)), tuple(ends)
        )
        report = _report(tuple(argv), program, table, asked, outcome, uninitialised)
        report = replace(report, notes=(*report.notes, *_notes_on_python(report, environment)))
        report = replace(report, properties=tuple(_of_leaks(one, leaks) for one in report.properties))
        report = replace(report, seconds=seconds, leaks=leaks, fails=tuple(fail_on) or CLASSES)
        if output is not None:
            from m4alloc.monitor.page import page

            report = replace(report, page=os.fspath(output))
            Path(output).write_text(page(report), encoding="utf-8")
    return report


# Before the run.


def _check(name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise MonitorError(f"{name}={value}: it is one of {', '.join(known)}")


def _check_fails(fail_on: Sequence[str], asked: Sequence[Property]) -> None:
    names = {one.name for one in (*BUILT_IN, *asked)}
    for kind in fail_on:
        if kind not in CLASSES and not (kind.startswith("property:") and kind[9:] in names):
            raise MonitorError(f"fail_on={kind}: the kinds are {', '.join(CLASSES)}, and property:NAME of one watched")


def _table(asked: Sequence[Property], built_in: Sequence[Property], rebuilt: bool, uninitialised: bool) -> Table:
    """The table of a run. What nobody will see is said, if the outcome of a property could hang on it."""
    unseen = {*(() if rebuilt else ("access", *OF_ACCESS)), *(() if uninitialised else ("uninitialised",))}
    unseen &= frozenset[str]().union(*(one.needs for one in asked))
    return Table.of(asked, built_in=built_in, unseen=unseen)


def _existing(path: str | os.PathLike[str]) -> str:
    found = Path(path).absolute()
    if not found.is_file():
        raise MonitorError(f"there is no file {path}")
    return _sayable(found)


def _place_of_traces(keep_trace: str | os.PathLike[str] | None, output: str | os.PathLike[str] | None) -> str | None:
    """Where the program puts traces: a new file, after older traces of that name have been removed."""
    if keep_trace is None and output is None:
        return None
    path = Path(keep_trace or Path(output or "").with_suffix(".m4t")).absolute()
    _check_writable(path)
    further = (other for other in path.parent.glob(f"{glob.escape(path.name)}.*") if other.suffix[1:].isdigit())
    for older in (path, *further):
        if older.is_file() and not is_trace(older):
            if older == path:
                raise MonitorError(f"{path} exists and is no trace; it is kept")
        else:
            older.unlink(missing_ok=True)
    return _sayable(path)


def _check_writable(path: Path) -> None:
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise MonitorError(f"{path} cannot be written")


def is_trace(path: Path) -> bool:
    """Whether the file begins as a trace does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _sayable(path: Path) -> str:
    if "," in str(path):
        raise MonitorError(f"{path}: there may be no comma in it, which separates options")
    return str(path)


def _environment(
    env: Mapping[str, str] | None, options: Mapping[str, str | int | None], strategy: str
) -> dict[str, str]:
    """The program's environment: what M4ALLOC_OPTIONS said already comes first, and ours wins."""
    result = dict(os.environ if env is None else env)
    ours = [f"{key}={value}" for key, value in options.items() if value is not None]
    result["M4ALLOC_OPTIONS"] = ",".join(filter(None, (result.get("M4ALLOC_OPTIONS", ""), *ours)))
    if strategy != "default":
        result["M4ALLOC_STRATEGY"] = Strategy.named(strategy).to_environment()
    return result


def _again(asked: Sequence[Property], only: bool, uninitialised: bool, how: Mapping[str, object]) -> list[str]:
    """The words that try the same again, up to the program: the library prints them under a report."""
    words = ["m4alloc", "monitor"]
    for one in asked:
        words += ["--property", one.name]
    words += ["--only"] if only else []
    words += ["--uninitialised"] if uninitialised else []
    for name, value in how.items():
        words += [] if value in (None, "default", "unreachable") else [f"--{name}", str(value)]
    return [*words, "--"]


# The run.


def _run(
    target: Target,
    environment: Mapping[str, str],
    timeout: float | None,
    cwd: str | os.PathLike[str] | None,
    streams: tuple[_Stream, _Stream, _Stream],
) -> tuple[int, int, bool]:
    """The status (-N: signal N ended it), the process's id, and whether it was ended because it took too long."""
    stdin, stdout, stderr = streams
    with signals_passed_on() as started:
        process = subprocess.Popen(
            target.program.argv,
            executable=target.program.path,
            env=environment,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        started(process)
        try:
            return process.wait(timeout), process.pid, False
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                return process.wait(_GRACE), process.pid, True
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait(), process.pid, True


# After it.


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What is there when the program has ended."""

    status: int
    signal: int
    pid: int
    timed_out: bool
    findings: tuple[Finding, ...]
    ends: tuple[ProcessEnd, ...]


def _report(
    argv: tuple[str, ...],
    program: Target,
    table: Table,
    asked: Sequence[Property],
    outcome: _Outcome,
    uninitialised: bool,
) -> MonitorReport:
    """What the run says of the properties of its table."""
    rebuilt = program.rebuilt or any(end.rebuilt for end in outcome.ends)
    came_to_end = any(end.pid == outcome.pid and end.exited for end in outcome.ends)
    unseen = {*(() if rebuilt else ("access", *OF_ACCESS)), *(() if uninitialised else ("uninitialised",))}
    labels = sorted(frozenset[str]().union(*(one.labels for one in asked)))
    path = program.program.executable
    unsaid = labels_missing(path, labels) if path == program.program.path else []
    answers = tuple(_answers(table, outcome.findings, {*unseen, *unsaid}, came_to_end))
    notes = _notes(path.name, answers, unsaid, outcome, came_to_end)
    notes += _notes_on_names(labels, path if path == program.program.path else None)
    return MonitorReport(
        program=argv,
        status=outcome.status,
        signal=outcome.signal,
        pid=outcome.pid,
        rebuilt=rebuilt,
        findings=outcome.findings,
        properties=answers,
        suppressed=sum(end.suppressed for end in outcome.ends),
        notes=tuple(notes),
        window=max((end.window for end in outcome.ends), default=0),
        timed_out=outcome.timed_out,
    )


def _answers(
    table: Table, findings: Sequence[Finding], unseen: Collection[str], came_to_end: bool
) -> list[PropertyAnswer]:
    """What the run says of each property of its table."""
    owing = 0
    for machine in table.machines:
        for mask in machine.unfulfilled:
            owing |= mask
    answers = []
    for number, entry in enumerate(table.properties):
        property = find(entry.name) if ":" not in entry.name else find(f"{entry.index}: {entry.text}")
        told = [one for one in findings if entry.name in (one.name, *one.violated)]
        missing = tuple(sorted((property.needs | property.labels) & frozenset(unseen)))
        answer = HOLDS
        if told:
            answer = VIOLATED
        elif missing or not entry.judged:
            answer = UNSEEN
        elif not came_to_end and owing >> number & 1:
            answer = INCONCLUSIVE
        answers.append(
            PropertyAnswer(
                entry.name,
                entry.text,
                entry.index.value,
                entry.sentence,
                not entry.built_in,
                answer,
                len(told),
                missing if answer == UNSEEN else (),
            )
        )
    return answers


def _of_leaks(one: PropertyAnswer, leaks: str) -> PropertyAnswer:
    """The answer, with what `leaks` left out of it."""
    if one.name != LEAK_PROPERTY or one.answer != HOLDS or leaks == "all":
        return one
    if leaks == "no":
        return replace(one, answer=UNSEEN, remark="leaks were not looked for")
    return replace(one, remark="blocks that something still points to aside")


def _notes(
    name: str,
    answers: Sequence[PropertyAnswer],
    unsaid: Sequence[str],
    outcome: _Outcome,
    came_to_end: bool,
) -> list[str]:
    """What was not covered, a sentence each."""
    notes = []
    blind = [one.name for one in answers if one.answer == UNSEEN and "access" in one.missing]
    if blind:
        notes.append(
            f"{name} was not built by `m4alloc cc`: of its accesses only those by C library functions were seen, which "
            f"is no answer for {', '.join(blind)}"
        )
    far = [label for label in unsaid if not near(label)]
    if far:
        notes.append(f"{', '.join(far)}: no such text is in {name}; the label is misspelt, or a library says it")
    if outcome.timed_out:
        notes.append("the program took too long and was ended: what it owed by then is no leak")
    elif outcome.signal:
        notes.append(f"the program was ended by {signal_name(outcome.signal)}: what it owed by then is no leak")
    elif not came_to_end and not outcome.findings:
        notes.append(f"{name} ended by _exit, or became a program that is not watched: what it owed by then is no leak")
    return notes


def _notes_on_names(labels: Sequence[str], path: Path | None) -> list[str]:
    """A note on each label nearly called as an event is: a slip of the pen, unless the file `path` has such a word."""
    slips = [label for label in labels if near(label) and (path is None or not is_word_in(path, label))]
    where = "" if path is None else f", and no label of it is in {path.name}"
    return [f"{label}: no event of this name{where}; did you mean {near(label)}?" for label in slips]


def _notes_on_python(report: MonitorReport, environment: Mapping[str, str]) -> list[str]:
    """Python's objects are in mappings of its own allocator, which no search for leaks looks through."""
    leaks = any(one.class_ == "leak" for one in report.findings)
    name = Path(report.program[0]).name
    if not leaks or not _PYTHON.fullmatch(name) or environment.get("PYTHONMALLOC", "").startswith("malloc"):
        return []
    return [f"{name} has an allocator of its own, whose memory is not searched: set PYTHONMALLOC=malloc to judge leaks"]
