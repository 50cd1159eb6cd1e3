"""Record the heaps of real programs, each on two inputs, for `m4alloc tune` and its tests.

    python -m benchmarks.traces.record [--list] [--only NAME] [--output DIR] [--limit BYTES] [--excerpts]

Each recording is an index DIR/NAME-INPUT.m4t with its traces beside it; a million calls take 88 MB. A recording that
is there already is kept unless --again is given. --excerpts makes benchmarks/traces/excerpts/NAME.m4t.xz of what was
recorded, instead of recording.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.traces.programs import HELD_OUT, PROGRAMS, TRAIN, Program, environment
from m4alloc.trace.format import TraceError
from m4alloc.trace.index import images_beside, read_index
from m4alloc.trace.record import record
from m4alloc.tune.summary import Summary, remote, summary
from m4alloc.tune.workload import Kind, Workload, load
from m4alloc.view.quantity import duration, number, size
from m4alloc.view.text import table

HERE = Path(__file__).resolve().parent
EXCERPT = 60 * 1024
"""Bytes that an excerpt may have, compressed."""
LENGTHS = (20_000, 14_000, 10_000, 7_000, 5_000)
PLACES = tuple(sorted((place / 20 for place in range(20)), key=lambda place: abs(place - 0.5)))
PRELUDE = 100_000
"""Blocks that may be live where an excerpt begins."""
BALANCED = 0.1
"""Of an excerpt's calls, those that are frees: fewer, and the program only builds something there."""
REMOTE = 0.01
"""Of a workload's calls, those that free a block of another thread: with more, the excerpt shows them."""


class RecordingError(Exception):
    """A program did not end as it should while it was recorded."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded run. seconds: that it took; bytes: of its traces; largest: the image with the most calls."""

    name: str
    which: str
    seconds: float
    bytes: int
    images: int
    largest: Summary


def run(program: Program, which: str, output: Path, limit: int | None, allocator: str) -> float:
    """Record the program on one input into `output`; how long it took. Raises RecordingError."""
    # In the folder of temporary files, whose path is short: a socket's has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="m4traces-") as place:
        folder = Path(place)
        argv = program.prepare(folder, which)
        before = Path.cwd()
        os.chdir(folder)
        try:
            with (folder / "errors").open("w") as errors, program.beside(folder, which):
                report = record(
                    argv,
                    output,
                    allocator=allocator,
                    limit=limit,
                    env=environment(program, folder),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors.fileno(),
                )
        finally:
            os.chdir(before)
        if report.status:
            said = (folder / "errors").read_text(errors="replace").strip()[-300:]
            raise RecordingError(f"{program.name}, {which}: ended with status {report.status}: {said}")
        return report.seconds


def recorded(output: Path) -> bool:
    """Whether there is a recording of a program that has ended well."""
    try:
        return output.exists() and read_index(output)["status"] == 0
    except (TraceError, KeyError):
        return False


def recording(name: str, which: str, output: Path, seconds: float = 0.0) -> Recording:
    """What was recorded, read back."""
    images = images_beside(output)
    workloads = load(output, say=lambda sentence: print(f"note: {sentence}", file=sys.stderr))
    summaries = [summary(workload) for workload in workloads]
    return Recording(
        name,
        which,
        seconds,
        sum(image.stat().st_size for image in images),
        len(images),
        max(summaries, key=lambda found: found.calls),
    )


def report(recordings: Sequence[Recording]) -> list[str]:
    """A line a recording."""
    header = ["program", "input", "images", "largest", "calls", "threads", "peak live", "remote", "recorded", "took"]
    rows = [
        [
            found.name,
            found.which,
            str(found.images),
            found.largest.name,
            number(found.largest.calls),
            str(found.largest.threads),
            size(found.largest.peak_live),
            number(found.largest.remote_frees),
            size(found.bytes),
            duration(found.seconds) if found.seconds else "-",
        ]
        for found in recordings
    ]
    return table(rows, header, right=(2, 4, 5, 6, 7, 8, 9))


def running(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Of the calls from each on, as many as an excerpt has at most, the share that is marked."""
    counts = np.concatenate([[0], np.cumsum(mask)])
    stops = np.minimum(np.arange(len(mask)) + LENGTHS[0], len(mask))
    shares: npt.NDArray[np.float64] = (counts[stops] - counts[:-1]) / (stops - np.arange(len(mask)))
    return shares


def excerpt(workload: Workload, path: Path) -> Workload:
    """Write as many calls as fit into an excerpt, from where as near to the middle blocks are freed as well as made.

    Elsewhere when too much is live there. Of a program that frees many blocks by another thread, where it frees most.
    """
    workload = replace(workload, program=(workload.name,))  # no paths of the machine
    if len(workload) <= LENGTHS[0]:
        workload.write(path)
        if path.stat().st_size <= EXCERPT:
            return workload
    places = [int(len(workload) * place) for place in PLACES]
    frees, others = (running(mask) for mask in (workload.kind == Kind.FREE, remote(workload)))
    places.sort(key=lambda first: frees[first] < BALANCED)
    if others.mean() > REMOTE:
        places.insert(0, int(others.argmax()))
    for count in LENGTHS:
        for first in places:
            taken = workload.excerpt(first, count)
            if taken.prelude > PRELUDE:
                continue
            taken.write(path)
            if path.stat().st_size <= EXCERPT:
                return taken
    path.unlink(missing_ok=True)
    raise RecordingError(f"{workload.name}: no {LENGTHS[-1]:,} calls of it fit into {EXCERPT:,} bytes")


def excerpts(chosen: Sequence[Program], source: Path, folder: Path) -> list[str]:
    """Write an excerpt of each program's first input; the table of the README."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "| excerpt | bytes | calls | prelude | peak live | threads | sizes | median life | reallocs | remote frees |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for program in chosen:
        if not recorded(source / f"{program.name}-{TRAIN}.m4t"):
            print(f"{program.name} was left out: it is not recorded in {source}", file=sys.stderr)
            continue
        workload = max(load(source / f"{program.name}-{TRAIN}.m4t"), key=len)
        path = folder / f"{program.name}.m4t.xz"
        taken = excerpt(workload, path)
        found = summary(taken)
        cells = [
            f"`{path.name}`",
            number(path.stat().st_size),
            number(len(taken) - taken.prelude),
            number(taken.prelude),
            size(found.peak_live),
            str(found.threads),
            number(found.sizes),
            number(found.median_life),
            number(found.resizes),
            number(found.remote_frees),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="the programs, their inputs, and what is missing")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this program, not all")
    parser.add_argument("--output", type=Path, default=HERE / "recorded", metavar="DIR", help="default: %(default)s")
    parser.add_argument("--limit", type=int, metavar="BYTES", help="that one trace may have (default: none)")
    parser.add_argument("--allocator", default="m4alloc", metavar="A", help="the allocator that serves the programs")
    parser.add_argument("--again", action="store_true", help="also what is recorded already")
    parser.add_argument("--excerpts", action="store_true", help="make excerpts of what is recorded, and their table")
    parser.add_argument("--into", type=Path, default=HERE / "excerpts", metavar="DIR", help="of the excerpts")
    chosen = parser.parse_args(words)
    names = [program.name for program in PROGRAMS]
    for name in set(chosen.only) - set(names):
        parser.error(f"--only {name}: the programs are {', '.join(names)}")
    programs = [program for program in PROGRAMS if not chosen.only or program.name in chosen.only]
    if chosen.list:
        rows = [
            [each.name, which, each.about[which], each.missing() or ""] for each in programs for which in each.about
        ]
        print("\n".join(table(rows, ["program", "input", "what it does", "missing"])))
        return 0
    if chosen.excerpts:
        print("\n".join(excerpts(programs, chosen.output, chosen.into)))
        return 0
    return record_all(programs, chosen.output, chosen.limit, chosen.allocator, chosen.again)


def record_all(programs: Sequence[Program], output: Path, limit: int | None, allocator: str, again: bool) -> int:
    """Record what is not there yet, and print the table; 1 when a program failed."""
    output.mkdir(parents=True, exist_ok=True)
    done, status = [], 0
    for program in programs:
        if (line := program.missing()) is not None:
            print(f"{program.name} was left out: {line}", file=sys.stderr)
            continue
        for which in (TRAIN, HELD_OUT):
            path = output / f"{program.name}-{which}.m4t"
            seconds = 0.0
            try:
                if again or not recorded(path):
                    print(f"{program.name}, {which}: {program.about[which]} ...", file=sys.stderr, flush=True)
                    started = time.perf_counter()
                    seconds = run(program, which, path, limit, allocator)
                    print(f"  recorded in {duration(time.perf_counter() - started)}", file=sys.stderr, flush=True)
                done.append(recording(program.name, which, path, seconds))
            except (RecordingError, TraceError) as error:
                print(error, file=sys.stderr)
                status = 1
    print("\n".join(report(done)))
    return status


if __name__ == "__main__":
    sys.exit(main())
