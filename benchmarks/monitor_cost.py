"""What monitoring costs, beside AddressSanitizer and valgrind: CPU time and peak memory, each as a ratio.

    python -m benchmarks.monitor_cost [--quick | --full] [--rounds 5] [--only NAME ...] [--no-valgrind]
                                      [--library PATH] [--json FILE]

Measured are a loop that allocates much (monitor_loop.c) and the ten programs of alloc_bench that the field compares
allocators with, in seven builds that take turns. A ratio is to the *bare* build of the same round, which has the
monitor's flags (frame pointers, no built-in malloc) but no hooks; the tables show medians. At the end stands which
goals were met. --quick takes the scale of tests, whose times say nothing; --full that of `m4alloc bench`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from m4alloc.bench.catalogue import catalogue
from m4alloc.bench.compiled import FLAGS
from m4alloc.bench.launch import Launcher, Run
from m4alloc.bench.peer import Peer, geometric_mean, machine
from m4alloc.bench.statistic import Spread, spread
from m4alloc.monitor.compiler import LIBRARY, command
from m4alloc.monitor.instrument import FRAMES
from m4alloc.view.text import table

LOOP = Path(__file__).with_name("monitor_loop.c")
PROPERTY = "access-then-freed"
"""The faithful one: what is accessed is accessed only between its malloc and its free, and is freed."""
TEN = {
    "binary_tree": ("17",),
    "richards": ("1000",),
    "espresso": ("15", "16", "100", "40", "6", "15", "1"),
    "barnes": ("40000", "2", "1"),
    "cfrac": ("17545186520507317056371138836327",),
    "random_mixed": ("3000000", "1"),
    "glibc_simple": ("16", "200000"),
    "glibc_thread": ("2", "2000000", "1"),
    "mstress": ("2", "50", "40", "1"),
    "xmalloc": ("2", "400", "64"),
}
"""The ten programs, and arguments with which the bare build takes some tenths of a second."""
TURNS, VALGRIND_TURNS, QUICK_TURNS = "4000000", "200000", "20000"
BARE, ASAN, FAITHFUL, PRELOAD, VALGRIND = "bare", "asan", "faithful", "not rebuilt", "valgrind"
WAYS: Mapping[str, tuple[str, ...] | None] = {
    "plain": (),
    BARE: FRAMES,
    FAITHFUL: ("--property", PROPERTY),
    "kernel-address": ("--hooks=kernel-address",),
    "thread": ("--hooks=thread",),
    PRELOAD: None,
    ASAN: ("-fsanitize=address", *FRAMES),
}
"""Each way, and the words of its own that the compiler gets (m4alloc cc in the three middle ones); None: the bare build
under the preloaded library."""
WATCHED = (FAITHFUL, "kernel-address", "thread")
GO_ON = {
    ASAN: {"ASAN_OPTIONS": "detect_leaks=1:exitcode=0"},
    **{way: {"M4ALLOC_OPTIONS": "on_violation=continue"} for way in (*WATCHED, PRELOAD)},
}
"""Some of the programs leak, as their namesakes do: reported, and then nothing depends on it but the status."""


@dataclass
class Subject:
    """A program, and what was measured of it: way to round to CPU seconds, and to the largest peak memory."""

    name: str
    source: Path
    arguments: tuple[str, ...]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def ratio(self, way: str) -> Spread | None:
        """The spread of the ratios of CPU time to the bare build's of the same round; None: it was not measured."""
        if not self.seconds.get(way):
            return None
        return spread(mine / base for mine, base in zip(self.seconds[way], self.seconds[BARE], strict=True) if base)

    def memory(self, way: str) -> float | None:
        """The ratio of peak memory."""
        return self.peak[way] / self.peak[BARE] if way in self.peak else None


def subjects(scale: str, only: Sequence[str] = ()) -> list[Subject]:
    """The loop and the ten programs at a scale: "quick", "" or "full".

    >>> [subject.name for subject in subjects("quick")][:3]
    ['loop', 'binary_tree', 'richards']
    """
    found = [Subject("loop", LOOP, (QUICK_TURNS if scale == "quick" else TURNS,))]
    for program in catalogue():
        if program.name in TEN:
            words = {"quick": program.short, "full": program.arguments}.get(scale, TEN[program.name])
            words = tuple(word.replace("{threads}", str(program.threads)) for word in words)
            found.append(Subject(program.name, program.source, words))
    unknown = set(only) - {subject.name for subject in found}
    if unknown:
        raise SystemExit(f"--only {min(unknown)}: there are loop, {', '.join(TEN)}")
    return [subject for subject in found if not only or subject.name in only]


def build(subject: Subject, way: str, folder: Path, library: Path) -> Path:
    """The compiled program."""
    words = WAYS[way]
    target = folder / f"{subject.name}-{BARE if words is None else way}"
    if words is not None:
        line = [*FLAGS, "-g", *words, str(subject.source), "-lm", "-o", str(target)]
        line = command(line, library=library) if way in WATCHED else ["cc", *line]
        subprocess.run(line, check=True)
    return target


def one_run(launcher: Launcher, subject: Subject, way: str, program: Path, library: Path) -> Run:
    """Run a build once. Raises SystemExit: it crashed, or computed something else than the bare one."""
    preload = str(library) if way == PRELOAD else ""
    run = launcher.run([str(program), *subject.arguments], Peer(way, preload), variables=GO_ON.get(way, {}))
    right = subject.outputs.setdefault(BARE, run.digest)
    # 1: findings, of the leaks that some of the programs have.
    if run.status not in ((0, 1) if way in GO_ON else (0,)) or run.digest != right:
        raise SystemExit(f"{subject.name}, {way}: {run.ended() or 'another result than the bare build'}")
    return run


def measure(listed: Sequence[Subject], rounds: int, folder: Path, library: Path) -> None:
    """Fill in what each subject took: in each round every build once."""
    launcher = Launcher(folder)
    for subject in listed:
        programs = {way: build(subject, way, folder, library) for way in WAYS}
        one_run(launcher, subject, BARE, programs[BARE], library)
        for number in range(rounds):
            ways = list(WAYS)[number % len(WAYS) :] + list(WAYS)[: number % len(WAYS)]
            for way in ways:
                run = one_run(launcher, subject, way, programs[way], library)
                subject.seconds.setdefault(way, []).append(run.cpu)
                subject.peak[way] = max(subject.peak.get(way, 0), run.peak)


def measure_valgrind(subject: Subject, folder: Path, turns: str) -> float | None:
    """How many times the bare loop's CPU time valgrind takes, over fewer turns; None: it is not installed.

    What both need to start is taken off, for it is no cost of a turn.
    """
    if shutil.which("valgrind") is None:
        return None
    launcher, took = Launcher(folder), {}
    tool = ["valgrind", "--quiet", "--error-exitcode=0"]
    for name, before in (("bare", []), ("valgrind", tool)):
        path = shutil.which(before[0]) or "" if before else ""
        for count in ("0", turns):
            argv = [*before, str(folder / f"{subject.name}-{BARE}"), count]
            took[name, count] = min(launcher.run(argv, Peer(name, ""), path=path).cpu for _ in range(3))
    spent = {name: took[name, turns] - took[name, "0"] for name in ("bare", "valgrind")}
    return spent["valgrind"] / spent["bare"] if spent["bare"] > 0 else None


def mean(listed: Iterable[Subject], way: str) -> float | None:
    """The geometric mean of the medians over programs; None: one was not measured."""
    ratios = [subject.ratio(way) for subject in listed]
    return geometric_mean(one.median for one in ratios if one is not None) if ratios and None not in ratios else None


def goals(listed: Sequence[Subject]) -> list[tuple[bool, str]]:
    """Each goal, whether it was met, and the figure; those that nothing was measured for are left out."""
    found = []
    loop = next((subject for subject in listed if subject.name == "loop"), None)
    programs = [subject for subject in listed if subject.name != "loop"]
    if loop is not None and (ratio := loop.ratio(FAITHFUL)):
        told = f"loop, every access, {PROPERTY}: at most 2.5 times the bare build: {ratio.median:.2f}"
        found.append((ratio.median <= 2.5, told))
    if programs:
        pairs = {one.name: (one.ratio(FAITHFUL), one.ratio(ASAN)) for one in programs}
        over = [name for name, (ours, theirs) in pairs.items() if ours and theirs and ours.median > theirs.median]
        which = f"not {', '.join(over)}" if over else "all"
        found.append((not over, f"each program: at most AddressSanitizer's cost: {which}"))
        ours, theirs = mean(programs, FAITHFUL) or 0.0, mean(programs, ASAN) or 1.0
        told = f"their mean: at most half of AddressSanitizer's: {ours:.2f} of {theirs:.2f}, {ours / theirs:.2f}"
        found.append((ours <= theirs / 2, told))
        preloaded = mean(programs, PRELOAD) or 0.0
        found.append((preloaded <= 1.10, f"not rebuilt: at most 1.10, their mean: {preloaded:.2f}"))
        memory = geometric_mean(one.memory(FAITHFUL) or 1.0 for one in programs)
        found.append((memory <= 1.5, f"peak memory: at most 1.5, their mean: {memory:.2f}"))
    return found


def lines(listed: Sequence[Subject], valgrind: float | None) -> list[str]:
    """The two tables, and the goals."""
    others = [way for way in WAYS if way != BARE]
    rows, memory = [], []
    for subject in listed:
        ratios = [subject.ratio(way) for way in others]
        base = spread(subject.seconds[BARE]).median
        cells = ["" if one is None else f"{one.median:.2f} ±{one.relative * 100:.0f}%" for one in ratios]
        rows.append([subject.name, f"{base:.3f}", *cells])
        cells = [f"{subject.memory(way) or 0:.2f}" for way in others]
        memory.append([subject.name, f"{subject.peak[BARE] / 2**20:.1f}", *cells])
    programs = [subject for subject in listed if subject.name != "loop"]
    if len(programs) > 1:
        rows.append(["mean of programs", "", *(f"{mean(programs, way) or 0:.2f}" for way in others)])
        means = [geometric_mean(one.memory(way) or 1.0 for one in programs) for way in others]
        memory.append(["mean of programs", "", *(f"{one:.2f}" for one in means)])
    right = range(1, len(others) + 2)
    result = table(rows, ["CPU time", "bare, s", *others], right=right)
    result += ["", *table(memory, ["peak memory", "bare, MiB", *others], right=right), ""]
    if valgrind is not None:
        result.append(f"valgrind, the loop: {valgrind:.0f} times the bare build's CPU time")
    return result + [f"{'met    ' if met else 'NOT met'} {told}" for met, told in goals(listed)]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", dest="scale", action="store_const", const="quick", default="")
    scale.add_argument("--full", dest="scale", action="store_const", const="full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--no-valgrind", dest="valgrind", action="store_false")
    parser.add_argument("--library", type=Path, default=Path(LIBRARY), help="the runtime, when not the package's own")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(argv)
    listed = subjects(arguments.scale, arguments.only)
    with tempfile.TemporaryDirectory() as scratch:
        measure(listed, arguments.rounds, Path(scratch), arguments.library.resolve())
        valgrind = None
        if arguments.valgrind and listed[0].name == "loop":
            turns = QUICK_TURNS if arguments.scale == "quick" else VALGRIND_TURNS
            valgrind = measure_valgrind(listed[0], Path(scratch), turns)
    print(*lines(listed, valgrind), sep="\n")
    print(f"{arguments.rounds} rounds in turns; medians, ± half the distance of the quartiles; {machine()['cpu']}")
    if arguments.json:
        held = {one.name: {"arguments": one.arguments, "seconds": one.seconds, "peak": one.peak} for one in listed}
        report = {"machine": machine(), "valgrind": valgrind, "programs": held}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
