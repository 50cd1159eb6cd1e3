"""Record every call of the malloc family that an unmodified program makes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m4alloc.lib import recorder
from m4alloc.program import locate
from m4alloc.trace.format import HEADER_SIZE, TraceError
from m4alloc.trace.index import SCHEMA, images_beside, open_index, read_index, write_index
from m4alloc.trace.preload import library_of, preloaded


class RecordError(ValueError):
    """The recording cannot be made as asked; the message says what is in the way."""


@dataclass(frozen=True, slots=True)
class RecordReport:
    """What a recording left: the program's status (128 + n when signal n killed it), the index, one trace an image.

    allocator: the object that served malloc in the first image; seconds: from start to end of the program.
    left_behind: processes that go on although the program has ended; their traces belong to the recording as they grow.
    """

    program: tuple[str, ...]
    status: int
    index: Path
    traces: tuple[Path, ...]
    allocator: str
    seconds: float
    left_behind: int = 0

    def to_json(self) -> dict[str, Any]:
        """The report as `m4alloc record --json` prints it. Cost: counts the calls, one pass over the traces."""
        tree = open_index(self.index)
        return {
            "schema": SCHEMA,
            "verb": "record",
            "program": list(self.program),
            "status": self.status,
            "index": str(self.index),
            "allocator": self.allocator,
            "seconds": self.seconds,
            "left_behind": self.left_behind,
            "traces": [
                {"file": str(trace.path), "calls": trace.used, "complete": trace.end_reason.is_complete}
                for trace in tree.traces
            ],
        }


def record(
    argv: Sequence[str],
    output: str | os.PathLike[str],
    *,
    allocator: str | os.PathLike[str] = "m4alloc",
    limit: int | None = None,
    env: Mapping[str, str] | None = None,
    force: bool = False,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> RecordReport:
    """Run the program, and write a trace of each process image as OUTPUT.PID.N and their index as OUTPUT.

    allocator: "m4alloc", "system", or the path of a library that defines malloc; what the environment preloads
    already comes after it. limit: bytes that one trace may have. env: the program's environment, this process's by
    default. force: replace OUTPUT whatever it is; otherwise only an older recording is replaced, with its traces.
    stdin, stdout, stderr: as subprocess takes them.
    Returns when the program has ended; processes that it leaves behind go on recording.
    Raises ProgramError (see m4alloc.program), LibraryError, RecordError, OSError; then nothing is written.
    """
    program = locate(argv)
    index = Path(output).absolute()
    if limit is not None and limit < HEADER_SIZE:
        raise RecordError(f"a limit of {limit} bytes: the header of a trace alone has {HEADER_SIZE}")
    library = library_of(allocator)
    libraries = [recorder(), *([library] if library else [])]
    environment = dict(os.environ if env is None else env)
    environment["M4ALLOC_RECORD"] = str(index)
    if limit is None:
        environment.pop("M4ALLOC_RECORD_LIMIT", None)
    else:
        environment["M4ALLOC_RECORD_LIMIT"] = str(limit)
    with preloaded(libraries, environment.get("LD_PRELOAD", "")) as environment["LD_PRELOAD"]:
        _make_room(index, force)
        strangers = images_beside(index)
        began = time.time_ns()
        write_index(index, argv, None, (), began)
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                program.argv,
                executable=program.path,
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
            )
        except BaseException:
            index.unlink()
            raise
        status = _wait(process)
        seconds = time.perf_counter() - started
        images = images_beside(index) - strangers
        write_index(index, argv, status, images, began)
    traces = open_index(index).traces
    return RecordReport(
        tuple(argv),
        status,
        index,
        tuple(trace.path for trace in traces),
        traces[0].allocator if traces else "",
        seconds,
        left_behind(index),
    )


def left_behind(index: Path) -> int:
    """How many processes there are that record into `index`. Cost: reads the environment of each process there is.

    It looks until it finds the same twice, since a daemon hands over from child to child at first.
    """
    wanted = b"M4ALLOC_RECORD=" + os.fsencode(index)
    seen: set[str] = set()
    for _ in range(3):
        found = set()
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if wanted in environment.read_bytes().split(b"\0"):
                    found.add(environment.parent.name)
        if found and found == seen:
            break
        seen = found
    return len(seen)


def _make_room(index: Path, force: bool) -> None:
    """Remove the older recording that `index` names; refuse to touch anything else unless forced."""
    if not index.parent.is_dir():
        raise RecordError(f"{index.parent} is not a directory")
    if not os.access(index.parent, os.W_OK | os.X_OK):
        raise RecordError(f"{index.parent} is not writable")
    if index.is_dir():
        raise RecordError(f"{index} is a directory; the recording is written to a file and to others beside it")
    if not index.exists():
        return
    if not index.is_file():
        raise RecordError(f"{index} is no file, but a device or a pipe; the recording is written to a file")
    try:
        read_index(index)
    except TraceError as error:
        if not force:
            raise RecordError(f"{index} exists and is not a recording; it is kept (--force replaces it)") from error
    for image in images_beside(index):
        image.unlink()
    index.unlink()


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The status as a shell gives it. An interrupt from the terminal reaches the program too, and ends it or not."""
    while True:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            continue
        return status if status >= 0 else 128 - status
