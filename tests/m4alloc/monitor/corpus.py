"""The programs of tests/monitored: what each says of itself, how it is built, and what was measured of other checkers.

Each is a small program with one error, and with -DFIXED the same without it. The comment at its head says in the first
paragraph what is wrong, and then, a key a line:

    report:    the class of the report, one of benchmarks.watchers.CLASSES, or `property`
    property:  the property that is watched besides the built-in ones
    seen:      `preload` when the program as gcc builds it shows it too, with the monitors preloaded, `preload as CLASS`
               when it shows as something else there; `rebuild` when only a program built by m4alloc cc does
    function:  of the C library, which does the wrong access
    block:     the requested size of the block that the report is about
    offset:    where the access begins, or what was freed lies, in bytes from the block's beginning
    hooks:     other hooks of the compiler with which the program is built and run as well
    options:   of M4ALLOC_OPTIONS
    flags:     of the compiler
    asan, valgrind: the class that they report, as `python -m tests.m4alloc.monitor.corpus` has measured it
    note:      for the reader

Comments at the end of lines say where the report has to point: REPORT to the wrong access or call, MALLOC and FREED to
where the block was allocated and freed.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.watchers import CLASSES, WATCHERS, Monitored, Ran, Watcher
from m4alloc.lib import include

FOLDER = Path(__file__).resolve().parents[2] / "monitored"
FLAGS = ("-O1", "-fno-builtin", "-g", "-pthread", "-w", f"-I{include()}", "-D_GNU_SOURCE")
KEYS = ("report", "property", "seen", "function", "block", "offset", "hooks", "options", "flags", "asan", "valgrind")
COMMENT = re.compile(r"/\*\s?(.*?)\s*\*/|((?://[^\n]*\n)+)", re.DOTALL)
MARK = re.compile(r"(?:/\*|//) (REPORT|MALLOC|FREED)\b")


@dataclass(frozen=True)
class Program:
    """One program of the set, by the name of its file."""

    path: Path

    def __str__(self) -> str:
        return self.path.name

    @property
    def is_cpp(self) -> bool:
        return self.path.suffix == ".cc"

    @cached_property
    def source(self) -> str:
        return self.path.read_text()

    @cached_property
    def says(self) -> dict[str, str]:
        """The keys of the comment at the head; `what` is its first paragraph."""
        match = COMMENT.match(self.source)
        assert match is not None, f"{self}: no comment at the head"
        lines = [re.sub(r"^\s*(\*|//) ?", "", line) for line in (match[1] or match[2]).rstrip().split("\n")]
        what, _, rest = "\n".join(lines).partition("\n\n")
        pairs = [line.partition(":") for line in rest.split("\n") if line.strip()]
        return {"what": " ".join(what.split())} | {key.strip(): value.strip() for key, _, value in pairs}

    @property
    def report(self) -> str:
        return self.says["report"]

    def report_without_rebuild(self) -> str | None:
        """The class that is reported of the program as gcc builds it, with the monitors preloaded; None: none is."""
        seen = self.says["seen"]
        return (seen.removeprefix("preload as ") if " as " in seen else self.report) if "preload" in seen else None

    def lines(self, mark: str) -> list[int]:
        """The lines with this mark."""
        found = enumerate(self.source.split("\n"), 1)
        return [number for number, line in found if mark in MARK.findall(line)]

    def options(self, properties: Path | None = None) -> str:
        """M4ALLOC_OPTIONS for a run. properties: the compiled table of the property, if it has one."""
        return ",".join(filter(None, [self.says.get("options"), f"properties={properties}" if properties else None]))

    def build(self, watcher: Watcher, fixed: bool, to: Path, more: Sequence[str] = ()) -> str | None:
        """Compile it; None, or the compiler's complaint."""
        own = self.says.get("flags", "").split()
        if "uninitialised=1" in self.says.get("options", "") and type(watcher) is Monitored:
            own += ["--hooks=thread", "--uninitialised"]
        fix = ["-DFIXED"] if fixed else []
        return watcher.compile([*FLAGS, *own, *fix, *more, self.path, "-o", to], cpp=self.is_cpp)


def programs() -> list[Program]:
    """All of them, by name."""
    return [Program(path) for path in sorted(FOLDER.iterdir()) if path.suffix in (".c", ".cc")]


def outcome(ran: Ran) -> str:
    """A run in a word or two, for the head of a program.

    >>> [outcome(Ran(status, classes, "", "", 0.1)) for status, classes in ((1, ("leak", "leak")), (-6, ()), (0, ()))]
    ['leak', 'signal 6', 'nothing']
    """
    if ran.classes:
        return ", ".join(dict.fromkeys(ran.classes))
    return f"signal {-ran.status}" if ran.status and ran.status < 0 else "nothing" if ran.status is not None else "hang"


def measured(watcher: Watcher, directory: Path) -> Iterator[tuple[Program, str, str]]:
    """Of each program what the checker says with the error and without."""

    def measure(program: Program) -> tuple[Program, str, str]:
        said = []
        for fixed in (False, True):
            executable = directory / f"{program}.{fixed}"
            if complaint := program.build(watcher, fixed, executable):
                raise AssertionError(complaint)
            said.append(outcome(watcher.run([executable], directory / f"{program}.notes")))
        return program, said[0], said[1]

    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(measure, programs())


def main() -> int:
    """Measure the other checkers and write what they say into the heads of the programs.  Cost: some minutes."""
    for name in ("asan", "valgrind"):
        with tempfile.TemporaryDirectory() as directory:
            for program, bad, good in measured(WATCHERS[name], Path(directory)):
                line = f"{name}: {bad}"
                text = program.source
                if program.says.get(name) is None:
                    start = "//" if program.is_cpp else " *"
                    last = [one for one in text.split("\n") if re.match(r"( \*|//) (report|seen|block|offset)", one)][
                        -1
                    ]
                    text = text.replace(last, f"{last}\n{start} {line}", 1)
                else:
                    text = re.sub(rf"(?<= ){name}: .*", line, text, count=1)
                program.path.write_text(text)
                if good != "nothing" or (bad != program.report and program.report in CLASSES):
                    print(f"{name}: {program}: {bad}, fixed: {good}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
