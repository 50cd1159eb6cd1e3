"""How many heap errors of NIST's Juliet suite does a checker name rightly, and what does it say of the good versions?

    python -m benchmarks.juliet --suite DIR [--tool m4alloc|preload|asan|valgrind] [--sample N --seed S]
                                [--cwe 415 ...] [--jobs 2] [--cflags FLAGS] [--timeout S] [--json FILE] [--list]

DIR is the Juliet test suite 1.3 for C, with `testcases` and `testcasesupport` in it; docs/juliet.md says where it is to
be had, which cases count and why the others do not. Each case is built twice, with its error and without. The one with
it is found when a report has the class that belongs to the weakness; the other is clean when no report has that class.
Progress goes to standard error; interrupted, it prints what is done so far.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from benchmarks.watchers import WATCHERS, Watcher
from m4alloc.view.text import table

CLASS_OF = {
    122: "out-of-bounds",
    126: "out-of-bounds",
    127: "out-of-bounds",
    401: "leak",
    415: "double-free",
    416: "use-after-free",
    590: "invalid-free",
    761: "invalid-free",
}
"""The class of the report that belongs to each weakness."""
ONLY_MALLOC = (126, 127)
"""Weaknesses with cases on the stack as well: only those count whose buffer comes from malloc."""
ELSEWHERE = re.compile(r"w32|socket|_rand_\d\d$|_12$")
"""Windows, the network, and cases whose error happens by chance only: random data, flow variant 12."""
NAME = re.compile(r"(CWE(\d+)_\w+?__(\w+)_(\d\d))[a-e]?\.c")
INPUT = "10S\n"
"""Read by the cases that read: an index one behind ten elements, and a text whose third character is the one sought."""
INPUT_VARIABLES = ("ADD", "A")
INPUT_FILE = Path("/tmp/file.txt")
"""What the suite's sources call the variable and the file that they read; where they ask for L"ADD", getenv sees A."""
FLAGS = "-O0 -g -w"
"""-O0: a compiler that optimises removes what is written for nobody, and then there is no error to find."""

NOT_ON_THE_HEAP = {
    "wchar_t_snprintf": 'no error: L"%s" is of a multibyte text, and writes one character of it',
    "type_overrun": "stays inside its block: from one member of a struct into the next",
    "sizeof_": "no error where a pointer is as large as what it points to",
    "CWE806_": "overflows an array on the stack, from a block",
    "c_src_": "overflows an array on the stack, from a block",
    "malloc_realloc": "leaks only when realloc fails",
}
"""Families of which no checker of blocks can find any, by a part of their names, and why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the suite: an error in one flow variant, in one file or several."""

    name: str
    cwe: int
    family: str
    variant: str
    files: tuple[Path, ...]

    @property
    def absent(self) -> str:
        """Why there is nothing for a checker of blocks to see here; empty when there is.

        >>> Case("CWE122_Heap__sizeof_double_01", 122, "sizeof_double", "01", ()).absent
        'no error where a pointer is as large as what it points to'
        """
        return next((why for part, why in NOT_ON_THE_HEAP.items() if part in self.family), "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was reported of a case: of the version with its error and of the one without.

    bad, good: the classes reported, as benchmarks.watchers names them. endings: the two exit statuses; None: the time
    was out. broken: what the compiler said when it refused.
    """

    case: Case
    bad: tuple[str, ...]
    good: tuple[str, ...]
    endings: tuple[int | None, int | None]
    seconds: float
    broken: str = ""

    @property
    def found(self) -> bool:
        return CLASS_OF[self.case.cwe] in self.bad

    @property
    def clean(self) -> bool:
        return not self.broken and CLASS_OF[self.case.cwe] not in self.good and None not in self.endings


def cases(suite: Path, wanted: Iterable[int] = CLASS_OF) -> list[Case]:
    """The cases of these weaknesses that count, by name. Raises ValueError: there is no suite, or none of them."""
    if not (suite / "testcases").is_dir() or not (suite / "testcasesupport" / "io.c").is_file():
        raise ValueError(
            f"--suite {suite}: no testcases and testcasesupport there; docs/juliet.md says where to get them"
        )
    files: dict[str, list[Path]] = {}
    for cwe in sorted(set(wanted)):
        folders = list((suite / "testcases").glob(f"CWE{cwe}_*"))
        if not folders:
            raise ValueError(f"--suite {suite}: it has no CWE{cwe}")
        for folder in folders:
            for path in folder.rglob("*.c"):
                if match := NAME.fullmatch(path.name):
                    files.setdefault(match[1], []).append(path)
    return [case for name in sorted(files) if (case := counted(name, files[name]))]


def counted(name: str, files: Sequence[Path]) -> Case | None:
    """The case of that name; None when it does not count.

    >>> counted("CWE126_Buffer_Overread__malloc_char_loop_54", [Path("b.c"), Path("a.c")]).variant
    '54'
    >>> counted("CWE126_Buffer_Overread__char_alloca_loop_01", []) is None
    True
    >>> counted("CWE761_Free__char_connect_socket_01", []) is None
    True
    """
    match = NAME.fullmatch(name + ".c")
    assert match is not None
    cwe, family = int(match[2]), match[3]
    if ELSEWHERE.search(name) or (cwe in ONLY_MALLOC and not family.startswith("malloc_")):
        return None
    return Case(name, cwe, family, match[4], tuple(sorted(files)))


def sample(among: Sequence[Case], size: int, seed: int) -> list[Case]:
    """At most `size` cases of each weakness, drawn by `seed`: the same for the same suite."""
    drawn: list[Case] = []
    for cwe in sorted({case.cwe for case in among}):
        of_it = [case for case in among if case.cwe == cwe]
        drawn += random.Random(f"{seed} {cwe}").sample(of_it, min(size, len(of_it)))
    return drawn


class Judge:
    """Builds and runs cases with one checker in a directory of its own. Raises ValueError: the support files refuse."""

    def __init__(self, watcher: Watcher, suite: Path, directory: Path, flags: Sequence[str], timeout: float) -> None:
        self._watcher, self._directory, self._timeout = watcher, directory, timeout
        support = suite / "testcasesupport"
        self._flags = [*flags, f"-I{support}", "-DINCLUDEMAIN"]
        self._support = [directory / "io.o", directory / "std_thread.o"]
        for output in self._support:
            source = support / output.with_suffix(".c").name
            if complaint := watcher.compile([*self._flags, "-c", source, "-o", output]):
                raise ValueError(f"the support files of the suite cannot be compiled: {complaint}")

    def judge(self, case: Case) -> Verdict:
        """The verdict on a case. Cost: two compilations and two runs, some tenths of a second each."""
        classes: list[tuple[str, ...]] = []
        endings: list[int | None] = []
        seconds = 0.0
        for version, omit in (("bad", "-DOMITGOOD"), ("good", "-DOMITBAD")):
            program, notes = (self._directory / f"{case.name}.{version}{end}" for end in ("", ".notes"))
            words: list[str | Path] = [
                *self._flags,
                omit,
                *case.files,
                *self._support,
                "-lpthread",
                "-lm",
                "-o",
                program,
            ]
            try:
                if complaint := self._watcher.compile(words):
                    return Verdict(case, (), (), (None, None), seconds, complaint)
                ran = self._watcher.run(
                    [program],
                    notes,
                    stdin=INPUT,
                    environment=dict.fromkeys(INPUT_VARIABLES, INPUT.strip()),
                    timeout=self._timeout,
                )
            finally:
                program.unlink(missing_ok=True)
                notes.unlink(missing_ok=True)
            classes.append(ran.classes)
            endings.append(ran.status)
            seconds += ran.seconds
        return Verdict(case, classes[0], classes[1], (endings[0], endings[1]), seconds)


def judge_all(judge: Judge, chosen: Sequence[Case], jobs: int) -> Iterator[Verdict]:
    """The verdicts as they come, `jobs` at a time. Closed early, it waits only for the cases that are under way."""
    waiting = iter(chosen)
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(judge.judge, case) for case in islice(waiting, jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()
            running |= {pool.submit(judge.judge, case) for case in islice(waiting, len(done))}


def by_weakness(verdicts: Sequence[Verdict]) -> list[str]:
    """The table: a row for each weakness."""
    rows = []
    for cwe in sorted({verdict.case.cwe for verdict in verdicts}):
        of_it = [verdict for verdict in verdicts if verdict.case.cwe == cwe]
        real = [verdict for verdict in of_it if not verdict.case.absent]
        counts = [len(of_it), len(real), sum(v.found for v in of_it), sum(v.clean for v in of_it)]
        rows.append([f"CWE{cwe}", CLASS_OF[cwe], *map(str, counts), f"{sum(v.seconds for v in of_it):.1f}"])
    header = ["weakness", "class", "cases", "with a heap event", "bad found", "good clean", "run s"]
    return table(rows, header, right=range(2, 7))


def details(verdicts: Sequence[Verdict]) -> list[str]:
    """The misses by name, the false positives, what else was said of good versions, and what could not be judged."""
    lines: list[str] = []
    broken = [verdict for verdict in verdicts if verdict.broken]
    missed = [verdict for verdict in verdicts if not verdict.found and not verdict.broken]
    for title, some in (
        ("Missed", [v for v in missed if not v.case.absent]),
        ("Missed, and nothing happens to a block there", [v for v in missed if v.case.absent]),
    ):
        lines += [f"{title}: {len(some)}"] if some else []
        lines += [f"  {v.case.name}: {told(v.bad, v.endings[0])}{because(v.case)}" for v in ordered(some)]
    false = [verdict for verdict in verdicts if not verdict.clean and not verdict.broken]
    lines += [f"Good versions with a report of the class, or that did not end: {len(false)}"] if false else []
    lines += [f"  {v.case.name}: {told(v.good, v.endings[1])}" for v in ordered(false)]
    others = Counter((v.case.cwe, name) for v in verdicts for name in set(v.good) if name != CLASS_OF[v.case.cwe])
    lines += ["Reports of other classes on good versions:"] if others else []
    lines += [f"  CWE{cwe} {name}: {number}" for (cwe, name), number in sorted(others.items())]
    lines += [f"  {v.case.name} could not be built: {v.broken}" for v in ordered(broken)]
    return lines


def ordered(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return sorted(verdicts, key=lambda verdict: verdict.case.name)


def told(classes: Sequence[str], status: int | None) -> str:
    """What a run said, and how it ended.

    >>> told(["leak", "leak"], 1), told([], None), told([], -11)
    ('leak', 'nothing reported, the time was out', 'nothing reported, signal 11')
    """
    said = ", ".join(dict.fromkeys(classes)) or "nothing reported"
    if status is None:
        return f"{said}, the time was out"
    return said if status >= 0 else f"{said}, signal {-status}"


def because(case: Case) -> str:
    return f" ({case.absent})" if case.absent else ""


def measure(judge: Judge, chosen: Sequence[Case], jobs: int) -> tuple[list[Verdict], bool]:
    """The verdicts so far, and whether they are all. Progress goes to standard error."""
    verdicts: list[Verdict] = []
    ours = not INPUT_FILE.exists()
    if ours:
        INPUT_FILE.write_text(INPUT)
    try:
        for verdict in judge_all(judge, chosen, jobs):
            verdicts.append(verdict)
            missed = sum(not v.found and not v.case.absent for v in verdicts)
            line = f"{len(verdicts)} of {len(chosen)}, {missed} missed: {verdict.case.name}"
            if sys.stderr.isatty():
                print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
            elif len(verdicts) % 50 == 0:
                print(line, file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print(f"\ninterrupted after {len(verdicts)} of {len(chosen)} cases", file=sys.stderr)
    finally:
        if ours:
            INPUT_FILE.unlink(missing_ok=True)
    return verdicts, len(verdicts) == len(chosen)


def as_json(given: argparse.Namespace, verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Everything that was measured."""
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    rows = []
    for verdict in ordered(verdicts):
        row = asdict(verdict)
        case = row.pop("case")
        del case["files"]
        rows.append(case | {"absent": verdict.case.absent, "found": verdict.found, "clean": verdict.clean} | row)
    settings = {"tool": given.tool, "sample": given.sample, "seed": given.seed, "cflags": given.cflags}
    return {"benchmark": "juliet", **settings, "machine": platform.machine(), "compiler": compiler, "cases": rows}


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--suite", type=Path, required=True, metavar="DIR", help="the Juliet test suite 1.3 for C")
    add("--tool", choices=WATCHERS, default="m4alloc", help="the checker (default %(default)s)")
    add("--sample", type=int, metavar="N", help="so many cases of each weakness (default: all)")
    add("--seed", type=int, default=1, help="which ones (default %(default)s)")
    add("--cwe", type=int, nargs="+", choices=CLASS_OF, default=list(CLASS_OF), help="these weaknesses only")
    add("--only", metavar="REGEX", default="", help="of these, the cases whose name this is found in")
    add("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="cases at a time (default %(default)s)")
    add("--cflags", default=FLAGS, help="for the compiler (default %(default)s)")
    add("--timeout", type=float, default=20, metavar="S", help="seconds for a run (default %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write every verdict there")
    add("--list", action="store_true", help="the names of the cases, and nothing more")
    given = parser.parse_args(words)
    if given.jobs < 1 or given.timeout <= 0 or (given.sample is not None and given.sample < 1):
        parser.error("--jobs, --timeout and --sample must be more than 0")
    try:
        chosen = [case for case in cases(given.suite, given.cwe) if re.search(given.only, case.name)]
        if given.sample is not None:
            chosen = sample(chosen, given.sample, given.seed)
        if given.list:
            print("\n".join(case.name + because(case) for case in chosen))
            return 0
        with tempfile.TemporaryDirectory() as directory:
            tool = WATCHERS[given.tool]
            judge = Judge(tool, given.suite.resolve(), Path(directory), shlex.split(given.cflags), given.timeout)
            verdicts, whole = measure(judge, chosen, given.jobs)
    except (ValueError, re.error) as error:
        parser.error(str(error))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print("\n".join([*by_weakness(verdicts), "", *details(verdicts)]))
    if given.json:
        given.json.write_text(json.dumps(as_json(given, verdicts), indent=1) + "\n")
    return 130 if not whole else 0


if __name__ == "__main__":
    sys.exit(main())
