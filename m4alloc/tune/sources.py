"""What the tuner is given, as workloads: traces that were recorded before, or a program to record now."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from m4alloc.trace.record import record
from m4alloc.tune.workload import SMALL, Workload, load
from m4alloc.view.quantity import size

LIMIT = 1 << 30
"""Bytes that one trace of a program recorded for the tuner may have: 12 million calls."""
SUFFIXES = (".m4t", ".m4t.xz")


class SourceError(ValueError):
    """There is nothing to tune on; the message says what would be."""


@dataclass(frozen=True, slots=True)
class Source:
    """One recording. program: by which it is split from others: the name of the image that makes the most calls.

    workloads: of its images, in the order in which they began. path: the index or trace; None when it was kept nowhere.
    command: the command line, empty when it is not known. notes: sentences on what is missing, for the report.
    """

    program: str
    workloads: tuple[Workload, ...]
    path: Path | None
    command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def sources(
    words: Sequence[str | os.PathLike[str]],
    *,
    output: str | os.PathLike[str] | None = None,
    limit: int | None = LIMIT,
    allocator: str | os.PathLike[str] = "m4alloc",
    least: int = SMALL,
    say: Callable[[str], None] | None = None,
    stdout: int | None = None,
) -> list[Source]:
    """The recordings that the words name: TRACE..., each an index, a trace or a folder of them; or -- PROGRAM ARGS.

    A program is run once and recorded, its children too, into the folder `output`, or into one that is gone again
    before this returns. limit: bytes that one of its traces may have; when it cuts one off, the program runs on and a
    note says so. least: as of m4alloc.tune.workload.load. say: is told each note at once. stdout: of the program.
    Raises SourceError: no words, no trace in a folder, none after --; TraceError; ProgramError; RecordError; OSError.
    Cost: the program's run, and 0.5 us a call.

    >>> [source.program for source in sources(["benchmarks/traces/excerpts/perl.m4t.xz"])]
    ['perl']
    >>> sources([])
    Traceback (most recent call last):
    m4alloc.tune.sources.SourceError: nothing to tune on: name recorded traces, or a program to record after `--`
    """
    texts = [os.fspath(word) for word in words]
    mark = texts.index("--") if "--" in texts else len(texts)
    traces, argv = texts[:mark], texts[mark + 1 :]
    if mark < len(texts) and not argv:
        raise SourceError("no program after `--`; it stands there with its arguments, as in: -- ls -l")
    if not texts:
        raise SourceError("nothing to tune on: name recorded traces, or a program to record after `--`")
    found = [_read(path, least, say) for trace in traces for path in _paths(Path(trace))]
    if argv:
        found.append(_recorded(argv, output, limit, allocator, least, say, stdout))
    return found


def _paths(path: Path) -> list[Path]:
    """The path, or the recordings in a folder; not the traces that an index in it names."""
    if not path.is_dir():
        return [path]
    inside = sorted(each for each in path.iterdir() if each.name.endswith(SUFFIXES) and each.is_file())
    if not inside:
        raise SourceError(f"{path}: no recording in this folder; their names end in {' or '.join(SUFFIXES)}")
    return inside


def _read(path: Path, least: int, say: Callable[[str], None] | None, *more: str, kept: bool = True) -> Source:
    notes = [*more]

    def note(sentence: str) -> None:
        notes.append(sentence)
        if say is not None:
            say(sentence)

    workloads = load(path, least=least, say=note)
    largest = max(workloads, key=len)
    return Source(largest.name, workloads, path if kept else None, largest.program, tuple(notes))


def _recorded(
    argv: Sequence[str],
    output: str | os.PathLike[str] | None,
    limit: int | None,
    allocator: str | os.PathLike[str],
    least: int,
    say: Callable[[str], None] | None,
    stdout: int | None,
) -> Source:
    with tempfile.TemporaryDirectory(prefix="m4alloc-tune-") as scratch:
        folder = Path(scratch if output is None else output)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{Path(argv[0]).name}.m4t"
        report = record(argv, path, allocator=allocator, limit=limit, stdout=stdout)
        notes = [f"{argv[0]} ended with status {report.status}"] if report.status else []
        if say is not None and notes:
            say(notes[0])
        source = _read(path, least, say, *notes, kept=output is not None)
    cut = [workload for workload in source.workloads if not workload.complete]
    more: tuple[str, ...] = ()
    if cut and limit is not None:
        more = (
            f"--limit {limit} ({size(limit)} a trace) ended the recording early: what comes after is not tuned for",
        )
    return Source(source.program, source.workloads, source.path, tuple(argv), (*source.notes, *more))
