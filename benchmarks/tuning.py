"""What tuning gains: thirteen programs of alloc_bench and nine real ones, on the input tuned for and on another.

    python -m benchmarks.tuning [--only NAME ...] [--budget N] [--rounds N] [--seconds S] [--json FILE] [--others]

Each program is tuned for its first input (headroom, recording, search, verification, race, build) and measured on it
and on its held-out input against the default strategy, in rounds that run both; every row stays in the table,
whatever it says. A row is written to FILE as soon as it is finished; the same line again goes on after the last.
--others measures other allocators instead, as they come and with the settings that `m4alloc.tune.advise` has for the
program's first input.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.traces.programs import HELD_OUT, INPUTS, PROGRAMS, REDIS_LOADS, TRAIN, history
from benchmarks.traces.programs import Program as Real
from benchmarks.workload import ENVIRONMENT
from m4alloc._build import BuildError
from m4alloc.bench.catalogue import catalogue
from m4alloc.bench.peer import OURS, machine
from m4alloc.check.progress import Progress, Within, on_stderr
from m4alloc.program import ProgramError
from m4alloc.tune.advise import TUNED as SUFFIX
from m4alloc.tune.advise import Features, advise
from m4alloc.tune.measure import Measured, before_after
from m4alloc.tune.report import TuneReport
from m4alloc.tune.run import tune
from m4alloc.tune.sources import sources
from m4alloc.view.quantity import duration, percent, ratio
from m4alloc.view.text import table

SCALES: Mapping[str, tuple[str, str]] = {
    "binary_tree": ("16", "15"),
    "cfrac": ("202525957059518692237312890085605109", "763186680029002821024215402987528167"),
    "random_mixed": ("16777216 1", "12582912 2"),
    "glibc_simple": ("16 225000", "24 200000"),
    "glibc_thread": ("2 2000000 1", "2 1500000 2"),
    "mstress": ("2 50 75 1", "2 40 100 2"),
    "xmalloc": ("2 600 64", "2 500 96"),
    "rptest": ("2 2 3500 1000 8 16000 1", "2 2 3500 1200 8 12000 2"),
    "larson": ("2 9 5000 100 1", "2 9 4000 120 2"),
    "sh6": ("2 14000 10000", "2 12000 14000"),
    "sh8": ("2 375 10000 1", "2 400 8000 2"),
    "malloc_large": ("80 5 1", "80 4 2"),
    "alloc_test": ("1 262144 2500000 1", "1 200000 2500000 2"),
}
"""Arguments of the programs of alloc_bench: those tuned for, and the held-out ones; 0.2 to 0.4 s of CPU time each."""
OTHER_WORDS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("gcc", TRAIN): {"-O2": "-fsyntax-only"},
    ("gcc", HELD_OUT): {"-O2": "-fsyntax-only", str(INPUTS / "shapes.cc"): str(INPUTS / "search.cc")},
    ("sqlite3", HELD_OUT): {".parameter set :rows 20000": ".parameter set :rows 50000"},
    ("perl", TRAIN): {"3": "8"},
    ("perl", HELD_OUT): {"4": "2"},
    ("node", TRAIN): {"10": "2"},
    ("node", HELD_OUT): {"40": "8"},
    ("containers", TRAIN): {"4": "30"},
    ("containers", HELD_OUT): {"2": "20"},
}
"""Of the command lines of real programs, so that these run about as long; git gets shorter histories."""
HISTORIES = {TRAIN: (500, 60, 60), HELD_OUT: (250, 25, 250)}
"""Commits, files, and lines of each."""
LEAVINGS = ("repository", "rows.db", "rows.db-journal", "socket", "out.s")
"""What a run leaves in its folder, and the next one must not find."""
LIMIT = 40 << 20
"""Bytes of a recording: the first 470,000 calls of each process."""
WANTED = 0.1
"""Headroom from which on tuning is to gain something that counts: half of it, and TIME or MEMORY at least."""
TIME, MEMORY = 0.05, 0.15
AXES = ("cpu", "wall", "peak")
ADVISED = ("malloc_large", "sh6", "gcc")
"""The programs of --others unless --only names some."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A program with its two inputs. about: what is run, by input. command: given a folder for its files and an input,
    the command line, which can be run again and again. missing: the line that installs what this machine lacks, or
    empty."""

    name: str
    kind: str
    about: Mapping[str, str]
    command: Callable[[Path, str], list[str]]
    missing: str = ""


def subjects() -> list[Subject]:
    """All of them: first the programs of alloc_bench that an allocator can move, then the real ones."""
    return [*(_benchmark(name) for name in SCALES), *(_real(program) for program in PROGRAMS)]


def _benchmark(name: str) -> Subject:
    program = next(one for one in catalogue() if one.name == name)
    words = dict(zip((TRAIN, HELD_OUT), SCALES[name], strict=True))
    return Subject(name, "benchmark", words, lambda _, which: [str(program.compile()), *words[which].split()])


def _real(program: Real) -> Subject:
    return Subject(
        program.name,
        "real",
        program.about,
        lambda folder, which: scripted(program, folder, which),
        program.missing() or "",
    )


def scripted(program: Real, folder: Path, which: str) -> list[str]:
    """A script that runs the program on one input in a folder of its own, as if for the first time."""
    place = folder / which
    place.mkdir(parents=True)
    words = OTHER_WORDS.get((program.name, which), {})
    argv = [words.get(word, word) for word in program.prepare(place, which)]
    if program.name == "git":
        (place / "stream").write_bytes(b"".join(history(random.Random(which), *HISTORIES[which])))
    settings = {**ENVIRONMENT, **program.environment, "HOME": str(place), "TMPDIR": str(place)}
    lines = ["#!/bin/sh", f"cd {shlex.quote(str(place))}", f"rm -rf {shlex.join(LEAVINGS)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    if program.name == "redis":
        clients = place / "clients.sh"
        clients.write_text(_clients(place / "socket", REDIS_LOADS[which]), encoding="utf-8")
        # Neither on the allocator that is measured nor among the children whose time counts.
        lines.append(f'(setsid env -i PATH="$PATH" sh {shlex.quote(str(clients))} > /dev/null 2>&1 &)')
    lines.append(f"exec {shlex.join(argv)}")
    path = place / "run.sh"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return [str(path)]


def _clients(socket: Path, loads: Sequence[Sequence[str]]) -> str:
    """What talks to a server on the socket, and ends it."""
    at = f"-s {shlex.quote(str(socket))}"
    lines = [
        "tries=0",
        f"until redis-cli {at} ping; do",
        "  tries=$((tries + 1)); [ $tries -lt 300 ] || exit 1; sleep 0.05",
        "done",
        *(f"redis-benchmark {at} -q {shlex.join(words)}" for words in loads),
        f"redis-cli {at} shutdown nosave",
    ]
    return "\n".join(lines) + "\n"


def tuned(subject: Subject, output: Path, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Tune one program and measure it on both inputs; the row of the table as plain data."""
    began, load = time.monotonic(), os.getloadavg()[0]
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="m4tune-") as place:
        report = tune(
            command=subject.command(Path(place), TRAIN),
            output=output,
            progress=Within(progress),
            tell=lambda line: print(f"{subject.name}: {line}", file=sys.stderr, flush=True),
            name=subject.name,
            evaluations=options.budget,
            rounds=options.rounds,
            calls=options.calls,
            gate_budget=options.gate_seconds,
            limit=LIMIT,
            hold_out=False,
            advice=False,
        )
        elsewhere = None
        if report.library and not report.interrupted:
            progress.phase("the held-out input")
            elsewhere = before_after(
                subject.command(Path(place), HELD_OUT),
                tuned={"tuned": report.library},
                peers=False,
                rounds=options.rounds,
                seconds=options.seconds,
                progress=progress,
            )
    row = row_of(subject, report, elsewhere)
    return row | {"load": [load, os.getloadavg()[0]], "seconds": time.monotonic() - began}


def row_of(subject: Subject, report: TuneReport, elsewhere: Measured | None) -> dict[str, Any]:
    """What is kept of a tuning. Ratios to the default: medians and quartiles, by axis; None where nothing was built."""
    head = report.headroom
    return {
        "name": subject.name,
        "kind": subject.kind,
        "inputs": dict(subject.about),
        "headroom": None
        if head is None
        else {
            "time": head.time,
            "memory": head.memory,
            "share": head.share,
            "refaults": head.refaults,
            "verdict": head.verdict,
            "fastest": [head.best_time.allocator, _median(head.best_time.cpu_ratio)],
            "smallest": [head.best_memory.allocator, _median(head.best_memory.peak_ratio)],
            "cpu": head.rows[0].cpu and head.rows[0].cpu.median,
            "peak": head.rows[0].peak and head.rows[0].peak.median,
        },
        "verdict": report.verdict,
        "why": report.why,
        "chosen": report.chosen,
        "strategy": report.strategy.to_environment(),
        "evaluations": report.evaluations,
        "tried": [[one.name, one.strategy.to_environment(), one.admitted, one.objectives.time, one.objectives.memory]
                  for one in report.tried],
        "race": None if report.race is None else by_allocator(report.race),
        TRAIN: None if report.measured is None else by_allocator(report.measured),
        HELD_OUT: None if elsewhere is None else by_allocator(elsewhere),
        "notes": list(report.notes),
        "interrupted": report.interrupted,
    }  # fmt: skip


def _median(one: Any) -> float:
    return 1.0 if one is None else float(one.median)


def by_allocator(found: Measured) -> dict[str, Any]:
    """Ratios to the default by allocator: of each axis the median, the quartiles, and what they say."""
    held: dict[str, Any] = {}
    decisions = {one.allocator: one for one in found.decisions}
    for row in found.rows:
        held[row.allocator] = {axis: [one.median, one.low, one.high] for axis, one in row.to_default.items()}
        if row.allocator in decisions:
            held[row.allocator] |= {"axes": decisions[row.allocator].axes, "pays": decisions[row.allocator].pays}
        if row.error:
            held[row.allocator]["error"] = row.error
    return held | {"rounds": found.rounds}


def gains(row: Mapping[str, Any], which: str) -> dict[str, float]:
    """What the recommended build gains on an input, as parts of the default's time and memory: 0 where the default
    is what is recommended.

    >>> gains({"verdict": "default", "train": None}, "train")
    {'cpu': 0.0, 'peak': 0.0}
    """
    found = row.get(which)
    if row["verdict"] != "tuned" or not found or "cpu" not in found["tuned"]:
        return {"cpu": 0.0, "peak": 0.0}
    return {axis: 1 - found["tuned"][axis][0] for axis in ("cpu", "peak")}


def judged(row: Mapping[str, Any]) -> str:
    """Whether what was wanted is gained on the held-out input: `small headroom`, `reached`, or what is missed.

    >>> judged({"verdict": "default", "headroom": {"time": 0.02, "memory": 0.05}})
    'small headroom'
    >>> judged({"verdict": "default", "headroom": {"time": 0.3, "memory": 0.05}})
    'missed in time'
    """
    head = row["headroom"]
    if head is None:
        return "not measured"
    gained, missed = gains(row, HELD_OUT), []
    for axis, name, least in (("cpu", "time", TIME), ("peak", "memory", MEMORY)):
        if head[name] >= WANTED and not (gained[axis] >= head[name] / 2 and gained[axis] >= least):
            missed.append(name)
    if missed:
        return f"missed in {' and '.join(missed)}"
    return "reached" if max(head["time"], head["memory"]) >= WANTED else "small headroom"


def worse(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each input on which a recommended build is worse than the default beyond the noise."""
    lines = []
    for row in rows:
        for which in (TRAIN, HELD_OUT):
            found = row.get(which)
            if row.get("verdict") != "tuned" or not found:
                continue
            if "error" in found["tuned"]:
                lines.append(f"{row['name']}, {which}: {found['tuned']['error']}")
            for axis, said in found["tuned"].get("axes", {}).items():
                if said == "worse":
                    lines.append(f"{row['name']}, {which}: {axis} {ratio(found['tuned'][axis][0])}, worse")
    return lines


HEADER = [
    *("program", "headroom time", "fastest", "headroom memory", "tuning came to", "CPU", "peak"),
    *("held-out CPU", "peak", "gained of time", "of memory", "which is"),
]


def lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table, the strategies, and the rows that lose."""
    shown, strategies = [], []
    for row in rows:
        if "error" in row:
            shown.append([row["name"], "-", "-", "-", row["error"][:60], *["-"] * 7])
            continue
        head = row["headroom"]
        fastest = f"{head['fastest'][0]} {ratio(head['fastest'][1])}" if head else "-"
        gained = gains(row, HELD_OUT)
        parts = [
            percent(gained[axis] / head[name]) if head and head[name] >= WANTED else "-"
            for axis, name in (("cpu", "time"), ("peak", "memory"))
        ]
        shown.append([
            *(row["name"], percent(head["time"]) if head else "-", fastest, percent(head["memory"]) if head else "-"),
            f"tuned: {row['chosen']}" if row["verdict"] == "tuned" else row["verdict"],
            *(_cell(row, which, axis) for which in (TRAIN, HELD_OUT) for axis in ("cpu", "peak")),
            *(*parts, judged(row)),
        ])  # fmt: skip
        if row["verdict"] == "tuned":
            strategies.append(f"{row['name']}: {row['strategy']}")
        else:
            strategies.append(f"{row['name']}: the default: {row['why']}")
    found = [*table(shown, HEADER, right=(1, 3, 5, 6, 7, 8, 9, 10)), "", *strategies]
    lost = worse(rows)
    return [*found, "", *(lost or ["no recommended build is worse than the default beyond the noise"])]


def _cell(row: Mapping[str, Any], which: str, axis: str) -> str:
    found = row.get(which)
    if not found or axis not in found.get("tuned", {}):
        return "1" if row["verdict"] != "tuned" else "-"
    middle, low, high = found["tuned"][axis]
    kept = "" if row["verdict"] == "tuned" else " (not kept)"
    return f"{ratio(middle)} +-{100 * (high - low) / 2 / middle:.0f}%{kept}"


def others(subject: Subject, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """The other allocators on the first input, as they come and as advised; ratios to our default, and settings."""
    with tempfile.TemporaryDirectory(prefix="m4tune-") as place:
        command = subject.command(Path(place), TRAIN)
        progress.phase("recording")
        with Path(os.devnull).open("wb") as nowhere:
            (source,) = sources(["--", *command], limit=LIMIT, stdout=nowhere.fileno())
        advice = advise(Features.of(max(source.workloads, key=len)))
        found = before_after(command, tuned={}, advised=advice, rounds=options.rounds, seconds=options.seconds,
                             progress=progress)  # fmt: skip
    settings = {one.allocator: dict(one.variables) for one in advice}
    return {"name": subject.name, "advice": settings, "measured": by_allocator(found)}


def other_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Untuned against tuned, a row each."""
    shown, settings = [], []
    for row in rows:
        measured = row["measured"]
        for name, variables in row["advice"].items():
            mine, base = measured.get(f"{name}:{SUFFIX}"), measured.get(name)
            if not variables or not mine or not base or "cpu" not in mine or "cpu" not in base:
                continue
            cells = [f"{ratio(one[axis][0])}" for one in (base, mine) for axis in ("cpu", "peak")]
            shown.append(
                [row["name"], name, *cells, *(ratio(mine[axis][0] / base[axis][0]) for axis in ("cpu", "peak"))]
            )
            told = " ".join(f"{variable}={value}" for variable, value in variables.items())
            settings.append(f"{row['name']}, {name}: {told}")
    header = ["program", "allocator", "CPU", "peak", "CPU advised", "peak advised", "change of CPU", "of peak"]
    return [*table(shown, header, right=range(2, 8)), f"CPU and peak: to {OURS}, our default", "", *settings]


def kept(path: Path | None) -> dict[str, Any]:
    """What a file holds from before, or nothing."""
    if path is None or not path.exists():
        return {"machine": machine(), "rows": []}
    held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return held


def main(words: list[str] | None = None, among: Sequence[Subject] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="the programs and their inputs")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this program, not all; in the order named"
    )
    parser.add_argument("--budget", type=int, default=60, metavar="N", help="evaluations a method (%(default)s)")
    parser.add_argument("--rounds", type=int, default=6, metavar="N", help="of a measurement, at most (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=40.0, metavar="S", help="of one on held-out inputs (%(default)s)"
    )
    parser.add_argument("--calls", type=int, default=500_000, metavar="N", help="simulated in the search (%(default)s)")
    parser.add_argument("--gate-seconds", type=float, default=3.0, metavar="S", help="a candidate (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("build/tuning"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where rows are kept")
    parser.add_argument("--others", action="store_true", help="other allocators, as they come and as advised")
    options = parser.parse_args(words)
    known = subjects() if among is None else list(among)
    names = [one.name for one in known]
    for name in options.only:
        if name not in names:
            parser.error(f"--only {name}: the programs are {', '.join(names)}")
    wanted = options.only or (ADVISED if options.others and among is None else names)
    chosen = [next(one for one in known if one.name == name) for name in dict.fromkeys(wanted)]
    if options.list:
        shown = [[one.name, one.kind, which, one.about[which], one.missing] for one in chosen for which in one.about]
        print("\n".join(table(shown, ["program", "kind", "input", "what it does", "missing"])))
        return 0
    held = kept(options.json)
    for number, subject in enumerate(chosen, 1):
        if subject.name in {row["name"] for row in held["rows"]}:
            continue
        if subject.missing:
            print(f"{subject.name} was left out: {subject.missing}", file=sys.stderr)
            continue
        print(f"{subject.name} ({number} of {len(chosen)}) ...", file=sys.stderr, flush=True)
        began = time.monotonic()
        with on_stderr() as progress:
            try:
                row = (
                    others(subject, options, progress)
                    if options.others
                    else tuned(subject, options.output / subject.name, options, progress)
                )
            except (ProgramError, BuildError, ValueError, RuntimeError, OSError) as error:
                # One program's trouble is not the others'.
                row = {"name": subject.name, "error": f"{type(error).__name__}: {error}"}
        if row.get("interrupted"):
            print("interrupted; the same line goes on", file=sys.stderr)
            return 130
        held["rows"].append(row)
        print(f"{subject.name}: {duration(time.monotonic() - began)}", file=sys.stderr, flush=True)
        if options.json:
            part = options.json.with_suffix(".part")
            part.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
            part.replace(options.json)
    rows = [row for name in names for row in held["rows"] if row["name"] == name]
    print("\n".join(other_lines(rows) if options.others else lines(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
