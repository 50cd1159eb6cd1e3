"""Build a program so that a checker of memory watches it, run it, and say which classes of error were reported.

The checkers are m4alloc's own monitors, in both their ways, and the two others that everybody has: gcc's
AddressSanitizer and valgrind. Each says in its own words what it found; here the words become the classes of
m4alloc's reports, so that one table can hold them all. benchmarks/juliet.py and tests/m4alloc/monitor use it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from m4alloc.monitor.compiler import LIBRARY, command
from m4alloc.monitor.start import CompilerError, table_of

CLASSES = ("use-after-free", "double-free", "invalid-free", "out-of-bounds", "leak", "uninitialised-read")
"""The classes of reports about the heap; the class of a property of the user's is `property`."""
RUNTIME = Path(os.environ.get("M4ALLOC_TEST_MONITOR", LIBRARY))
"""The runtime of the monitors: this project's own, unless a developer wants another build of it tried."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended, and what was reported, the first report first.

    status: the exit status, -N when signal N ended it, None when the time was out. classes: of CLASSES, `property`, or
    what the checker calls it when it is none of these. findings: the objects of m4alloc's JSON file, one a report;
    empty for other checkers.
    """

    status: int | None
    classes: tuple[str, ...]
    out: str
    err: str
    seconds: float
    findings: tuple[Mapping[str, Any], ...] = ()


class Watcher:
    """A checker: how it compiles, how it runs, how its reports are read.

    name: of the tables. flags: what every compilation gets besides.
    """

    name = ""
    flags: tuple[str, ...] = ()

    def compile(self, words: Sequence[str | Path], *, cpp: bool = False, timeout: float = 120) -> str | None:
        """Run the compiler on `words`, which name sources and output; None, or its complaint when it refused."""
        try:
            line = self.compiler([*self.flags, *map(str, words)], cpp)
        except CompilerError as error:
            return str(error)
        done = subprocess.run(line, capture_output=True, text=True, timeout=timeout)
        return None if done.returncode == 0 else f"{shlex.join(line)}\n{done.stderr.strip()}"

    def run(
        self,
        program: Sequence[str | Path],
        notes: Path,
        *,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        options: str = "",
        timeout: float = 20,
    ) -> Ran:
        """Run a program to its end; the checker's own file, if it writes one, is `notes`.

        options: of M4ALLOC_OPTIONS, which other checkers do not read. timeout: seconds, then the program is killed.
        """
        given = {key: value for key, value in os.environ.items() if not key.startswith(("M4ALLOC_", "LD_PRELOAD"))}
        given |= self.environment(notes, options) | dict(environment or {})
        notes.unlink(missing_ok=True)
        started = time.perf_counter()
        child = subprocess.Popen(
            [*self.command(notes), *map(str, program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=given,
        )
        status: int | None
        try:
            out, err = (text.decode(errors="replace") for text in child.communicate(stdin.encode(), timeout))
            status = child.returncode
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = (text.decode(errors="replace") for text in child.communicate())
            status = None
        seconds = time.perf_counter() - started
        text = notes.read_text(errors="replace") if notes.exists() else ""
        classes, findings = self.read(text, err)
        return Ran(status, tuple(classes), out, err, seconds, tuple(findings))

    def compiler(self, words: Sequence[str], cpp: bool) -> list[str]:
        """The command that compiles."""
        return ["g++" if cpp else "gcc", *words]

    def command(self, notes: Path) -> list[str]:
        """What stands before the program."""
        return []

    def environment(self, notes: Path, options: str) -> dict[str, str]:
        """What the program finds in its environment."""
        return {}

    def read(self, notes: str, err: str) -> tuple[list[str], list[Mapping[str, Any]]]:
        """The classes, and the findings, from the checker's file and the program's standard error; here none."""
        return [], []


class Monitored(Watcher):
    """The program built by `m4alloc cc`: every access of the heap is seen.

    hooks: as --hooks takes them, empty for the default. properties: as --property takes them, watched besides the
    built-in ones.
    """

    name = "m4alloc"

    def __init__(self, hooks: str = "", properties: Sequence[str] = ()) -> None:
        own = [f"--hooks={hooks}"] if hooks else []
        self._own = [*own, *(f"--property={one}" for one in properties)]

    def compiler(self, words: Sequence[str], cpp: bool) -> list[str]:
        # What `m4alloc cc` runs; found without a Python interpreter for each of some thousand compilations.
        return command([*self._own, *words], "c++" if cpp else "c", library=RUNTIME)

    def environment(self, notes: Path, options: str) -> dict[str, str]:
        return {"M4ALLOC_OPTIONS": ",".join(filter(None, [f"json={notes}", options]))}

    def read(self, notes: str, err: str) -> tuple[list[str], list[Mapping[str, Any]]]:
        lines = [json.loads(line) for line in notes.splitlines() if line.strip()]
        findings = [line for line in lines if line["class"] != "end"]
        return [str(finding["class"]).partition(" ")[0] for finding in findings], findings


class Preloaded(Monitored):
    """The program as gcc builds it, with the monitors preloaded: calls of malloc and of the C library are seen."""

    name = "preload"

    def __init__(self, properties: Sequence[str] = ()) -> None:
        super().__init__(properties=properties)
        self._properties = properties

    def compiler(self, words: Sequence[str], cpp: bool) -> list[str]:
        return Watcher.compiler(self, words, cpp)

    def environment(self, notes: Path, options: str) -> dict[str, str]:
        if self._properties:
            table = notes.with_suffix(".table")
            table.write_bytes(table_of(self._properties))
            options = ",".join(filter(None, [options, f"properties={table}"]))
        return super().environment(notes, options) | {"LD_PRELOAD": str(RUNTIME)}


class Asan(Watcher):
    """gcc's AddressSanitizer, with its leak checker; it ends the program at the first error."""

    name = "asan"
    flags = ("-fsanitize=address", "-fno-omit-frame-pointer")

    def environment(self, notes: Path, options: str) -> dict[str, str]:
        # Without a symbolizer: the classes need none, and it costs half a second a report.
        return {"ASAN_OPTIONS": "symbolize=0:detect_leaks=1:allocator_may_return_null=1", "LSAN_OPTIONS": ""}

    def read(self, notes: str, err: str) -> tuple[list[str], list[Mapping[str, Any]]]:
        return asan_classes(err), []


ASAN_WORDS = {
    "heap-use-after-free": "use-after-free",
    "attempting double-free": "double-free",
    "attempting free on address": "invalid-free",
    "attempting to call malloc_usable_size": "invalid-free",
    "heap-buffer-overflow": "out-of-bounds",
    "detected memory leaks": "leak",
}


def asan_classes(err: str) -> list[str]:
    """The classes of AddressSanitizer's reports; what is none of ours keeps its name.

    >>> asan_classes("==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x60 at pc 0x5")
    ['use-after-free']
    >>> asan_classes("==7==ERROR: AddressSanitizer: stack-buffer-overflow on address 0x60")
    ['stack-buffer-overflow']
    >>> asan_classes("==7==ERROR: LeakSanitizer: detected memory leaks")
    ['leak']
    """
    found = []
    for message in re.findall(r"ERROR: (?:Address|Leak)Sanitizer:? (.*)", err):
        known = [name for words, name in ASAN_WORDS.items() if message.startswith(words)]
        found.append(known[0] if known else message.split(" ", 1)[0].rstrip(":"))
    return found


class Valgrind(Watcher):
    """valgrind's memcheck on the program as gcc builds it; it goes on after an error."""

    name = "valgrind"

    def command(self, notes: Path) -> list[str]:
        words = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible"]
        return [*words, "--xml=yes", f"--xml-file={notes}", "--child-silent-after-fork=no"]

    def read(self, notes: str, err: str) -> tuple[list[str], list[Mapping[str, Any]]]:
        return valgrind_classes(notes), []


def valgrind_classes(xml: str) -> list[str]:
    """The classes of memcheck's reports, from its XML; what is none of ours keeps the name that memcheck gives it.

    A program that was killed leaves its XML without an end, which is read as far as it goes.

    >>> valgrind_classes("<x><error><kind>InvalidFree</kind><auxwhat>Address 0x4 is 0 bytes inside a block of "
    ...                  "size 8 free'd</auxwhat></error></x>")
    ['double-free']
    >>> valgrind_classes("<x><error><kind>InvalidRead</kind><auxwhat>Address 0x4 is 0 bytes after a block")
    []
    """
    found = []
    for text in re.findall(r"<error>.*?</error>", xml, re.DOTALL):
        error = ElementTree.fromstring(text)
        kind, told = error.findtext("kind", ""), " ".join(part.text or "" for part in error.findall("auxwhat"))
        if kind == "InvalidFree":
            found.append("double-free" if " 0 bytes inside" in told and "free'd" in told else "invalid-free")
        elif kind in ("InvalidRead", "InvalidWrite"):
            inside = re.search(r"bytes (inside|after|before) (?:an? |an un)", told)
            if "free'd" in told and inside and inside[1] == "inside":
                found.append("use-after-free")
            else:
                found.append("out-of-bounds" if inside else kind)
        elif kind.startswith("Leak_"):
            found.append("leak")
        elif kind.startswith("Uninit") or kind == "SyscallParam":
            found.append("uninitialised-read")
        else:
            found.append(kind)
    return found


WATCHERS: dict[str, Watcher] = {one.name: one for one in (Monitored(), Preloaded(), Asan(), Valgrind())}
