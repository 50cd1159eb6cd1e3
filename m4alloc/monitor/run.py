"""Run a program under libm4monitor.so, and say what became of its properties."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final

from m4alloc.monitor.report import (
    CLASSES,
    HOLDS,
    INCONCLUSIVE,
    UNSEEN,
    VIOLATED,
    Finding,
    MonitorReport,
    PropertyAnswer,
    read_lines,
)
from m4alloc.monitor.symbols import symbolise
from m4alloc.monitor.table import BUILT_IN, Table
from m4alloc.monitor.target import Target, labels_missing, library, target
from m4alloc.run import shell_status, signals_passed_on
from m4alloc.strategy import PRESETS, Strategy
from m4alloc.trace.preload import preloaded
from spec.properties import find
from spec.property import OF_ACCESS, Property

ON_VIOLATION: Final = ("exit", "abort", "continue")
LEAKS: Final = ("unreachable", "all", "no")
HISTORIES: Final = ("calls", "accesses", "no")
FRAMES_MOST: Final = 32
QUARANTINE: Final = 1 << 20
"""Bytes of each size class that wait after free unless told otherwise; the same is in monitor_preload.c."""
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
    preset: str = "default",
    on_violation: str = "exit",
    fail_on: Sequence[str] = (),
    suppressions: str | os.PathLike[str] | None = None,
    leaks: str = "unreachable",
    history: str = "calls",
    frames: int = 8,
    uninitialised: bool = False,
    quarantine_bytes: int | None = None,
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
    instead of them. preset: of the allocator below: "default", "hardened" or "sampled".
    on_violation: "exit" with status 1, "abort" (for debuggers and core files) or "continue".
    fail_on: classes, or "property:NAME", that make the run fail; every one when empty. suppressions: a file of what is
    not to be told. leaks: "unreachable", "all" (those that something still points to, too) or "no".
    history: what is kept of the time before a violation: "calls", "accesses" or "no". frames: of a stack, 1 to 32.
    uninitialised: watch for reads of what was never written. quarantine_bytes: that wait after free.
    keep_trace: the file for a recording of the time before a violation; `m4alloc verify --trace` says the same of it.
    output: where the HTML page goes. timeout: seconds after which the program is ended.
    env, cwd, stdin, stdout, stderr: of the program, as subprocess takes them.
    Raises ProgramError: no such program, or none that can be watched. MonitorError, LogicError, MonitorTableError (all
    of them ValueError), TooLargeError: an impossible option or property. LibraryError: no native core. OSError.

    >>> report = monitor(["true"])
    >>> report.verdict, report.status, report.rebuilt
    ('HOLDS', 0, False)
    """
    _check("preset", preset, PRESETS)
    _check("on_violation", on_violation, ON_VIOLATION)
    _check("leaks", leaks, LEAKS)
    _check("history", history, HISTORIES)
    if not 1 <= frames <= FRAMES_MOST:
        raise MonitorError(f"frames={frames}: a stack has 1 to {FRAMES_MOST} of them")
    if timeout is not None and timeout <= 0:
        raise MonitorError(f"timeout={timeout:g}: it has to be above 0")
    asked = tuple(dict.fromkeys(map(find, properties)))
    if only and not asked:
        raise MonitorError("only: no property is named that alone should be watched")
    _check_fails(fail_on, asked)
    program = target(argv)
    table = _table(asked, () if only else BUILT_IN, program.rebuilt, uninitialised)
    options: dict[str, str | int | None] = {
        "on_violation": on_violation,
        "fail_on": "+".join(fail_on) or None,
        "leaks": leaks,
        "history": history,
        "frames": frames,
        "uninitialised": int(uninitialised),
        "quarantine_bytes": quarantine_bytes,
        "suppressions": None if suppressions is None else _existing(suppressions),
    }
    if keep_trace is not None:
        options["trace"] = _writable(keep_trace)
    with tempfile.TemporaryDirectory(prefix="m4alloc-") as folder:
        place = Path(folder).absolute()
        (place / "table").write_bytes(table.to_bytes())
        if output is not None and keep_trace is None and history != "no":
            options["trace"] = f"{place}/trace.%p"
        options |= {"properties": f"{place}/table", "json": f"{place}/findings"}
        environment = _environment(env, options, preset)
        began = time.perf_counter()
        with preloaded([library()], environment.get("LD_PRELOAD", "")) as environment["LD_PRELOAD"]:
            status, pid, timed_out = _run(program, environment, timeout, cwd, (stdin, stdout, stderr))
        seconds = time.perf_counter() - began
        findings = symbolise(read_lines(place / "findings"))
        report = _report(tuple(argv), program, table, asked, findings, uninitialised, status, timed_out, on_violation)
        report = replace(report, pid=pid, seconds=seconds, leaks=leaks, fails=tuple(fail_on) or CLASSES)
        report = replace(report, kept=keep_trace is not None)
        report = replace(report, window=QUARANTINE if quarantine_bytes is None else quarantine_bytes)
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


def _writable(path: str | os.PathLike[str]) -> str:
    found = Path(path).absolute()
    if found.is_dir() or not found.parent.is_dir() or not os.access(found.parent, os.W_OK):
        raise MonitorError(f"{path} cannot be written")
    return _sayable(found)


def _sayable(path: Path) -> str:
    if "," in str(path):
        raise MonitorError(f"{path}: there may be no comma in it, which separates options")
    return str(path)


def _environment(env: Mapping[str, str] | None, options: Mapping[str, str | int | None], preset: str) -> dict[str, str]:
    """The program's environment: what M4ALLOC_OPTIONS said already comes first, and ours wins."""
    result = dict(os.environ if env is None else env)
    ours = [f"{key}={value}" for key, value in options.items() if value is not None]
    result["M4ALLOC_OPTIONS"] = ",".join(filter(None, (result.get("M4ALLOC_OPTIONS", ""), *ours)))
    if preset != "default":
        result["M4ALLOC_STRATEGY"] = Strategy.named(preset).to_environment()
    return result


# The run.


def _run(
    target: Target,
    environment: Mapping[str, str],
    timeout: float | None,
    cwd: str | os.PathLike[str] | None,
    streams: tuple[_Stream, _Stream, _Stream],
) -> tuple[int, int, bool]:
    """The status as a shell gives it, the process's id, and whether it was ended because it took too long."""
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
            return shell_status(process.wait(timeout)), process.pid, False
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                return shell_status(process.wait(_GRACE)), process.pid, True
            except subprocess.TimeoutExpired:
                process.kill()
                return shell_status(process.wait()), process.pid, True


# After it.


def _report(
    argv: tuple[str, ...],
    program: Target,
    table: Table,
    asked: Sequence[Property],
    findings: Sequence[Finding],
    uninitialised: bool,
    status: int,
    timed_out: bool,
    on_violation: str,
) -> MonitorReport:
    rebuilt = program.rebuilt
    unseen = {*(() if rebuilt else ("access", *OF_ACCESS)), *(() if uninitialised else ("uninitialised",))}
    stopped = on_violation != "continue" and any(not one.at_exit for one in findings)
    came_to_end = not (timed_out or stopped or status >= 128)
    answers = tuple(_answers(table, findings, unseen, came_to_end))
    notes = _notes(program, answers, asked, rebuilt, status, timed_out)
    return MonitorReport(
        program=argv,
        status=status,
        pid=0,
        rebuilt=rebuilt,
        findings=tuple(findings),
        properties=answers,
        notes=tuple(notes),
        timed_out=timed_out,
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
        told = [one for one in findings if entry.name in (one.name, *one.violated) and not one.reachable]
        missing = tuple(sorted(property.needs & frozenset(unseen)))
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
                tuple(sorted(property.labels)),
            )
        )
    return answers


def _notes(
    program: Target,
    answers: Sequence[PropertyAnswer],
    asked: Sequence[Property],
    rebuilt: bool,
    status: int,
    timed_out: bool,
) -> list[str]:
    """What was not covered, a sentence each."""
    notes = []
    path = program.program.executable
    blind = [one.name for one in answers if one.answer == UNSEEN and "access" in one.missing]
    if blind:
        notes.append(
            f"{path.name} was not built by `m4alloc cc`: its loads and stores were not seen, and nothing is known of "
            f"{', '.join(blind)}"
        )
    labels = sorted(frozenset[str]().union(*(one.labels for one in asked)))
    unsaid = labels_missing(path, labels) if path == program.program.path else []
    if unsaid:
        notes.append(
            f"{', '.join(unsaid)}: no such text is in {path.name}; perhaps the label is misspelt, or a library says it"
        )
    if timed_out:
        notes.append("the program took too long and was ended: what it owed by then is no leak")
    elif status >= 128:
        notes.append(f"the program was ended by signal {status - 128}: what it owed by then is no leak")
    return notes
