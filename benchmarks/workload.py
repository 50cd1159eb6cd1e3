"""The whole programs that the tests run for equal output and benchmarks/programs.py for time."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "workloads"
ENVIRONMENT = {
    "LC_ALL": "C",
    "PYTHONMALLOC": "malloc",  # else the interpreter's own allocator hides nearly all requests
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TZ": "UTC",
}


def nothing(directory: Path, scale: int) -> None:
    """A workload that needs no input of its own."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One program with its input: what it needs, how its directory is filled, its command line.

    needs: tool to Debian package. argv: words, where {source} is the directory of the scripts and {scale} the size.
    short, long: the scale for a test (a second or less) and for a benchmark (a few seconds).
    prepare: called as prepare(directory, scale) before the run, whose working directory that is.
    """

    name: str
    argv: Sequence[str]
    needs: Mapping[str, str]
    short: int
    long: int
    prepare: Callable[[Path, int], None] = nothing
    environment: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> str | None:
        """The line that installs what this machine lacks, or None when it lacks nothing."""
        packages = sorted({package for tool, package in self.needs.items() if shutil.which(tool) is None})
        return f"apt install {' '.join(packages)}" if packages else None

    def command(self, directory: Path, scale: int) -> list[str]:
        """Fill `directory`, and return the command to run in it."""
        directory.mkdir(parents=True, exist_ok=True)
        self.prepare(directory, scale)
        return [word.format(source=SOURCES, scale=scale) for word in self.argv]


def write_functions(directory: Path, scale: int) -> None:
    """functions.c: `scale` functions with loops, switches and string tables, for a compiler to chew on."""
    lines = ["#include <string.h>"]
    for i in range(scale):
        names = ", ".join(f'"name {i} {j}"' for j in range(10))
        cases = " ".join(f"case {j}: total += {i * j}; break;" for j in range(20))
        rest = f"function_{i - 1}(n / 2, in, out)" if i else "0"
        lines += [
            f"static const char *const names_{i}[] = {{{names}}};",
            f"int function_{i}(int n, const int *in, int *out) {{",
            f"  int total = {i};",
            "  for (int k = 0; k < n; k++) {",
            f"    out[k] = in[k] * {i + 3} + (int)strlen(names_{i}[k % 10]);",
            "    total += out[k];",
            "  }",
            f"  switch (total % 20) {{ {cases} }}",
            f"  return total > {i * 100} ? total : {rest};",
            "}",
        ]
    (directory / "functions.c").write_text("\n".join(lines) + "\n")


@functools.cache
def _compiled(source: str) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """A C++ source, compiled once a process; the directory lives as long as the process."""
    directory = tempfile.TemporaryDirectory(prefix="m4alloc-workload-")
    program = Path(directory.name) / "program"
    subprocess.run(["g++", "-std=c++17", "-O2", "-pthread", SOURCES / source, "-o", program], check=True)
    return directory, program


def compile_containers(directory: Path, scale: int) -> None:
    """The C++ program of the workload of that name."""
    shutil.copy2(_compiled("containers.cc")[1], directory / "containers")


PYTHON = {"python3": "python3"}
WORKLOADS = [
    Workload("python threads", ["python3", "{source}/threads.py", "{scale}"], PYTHON, 2, 6),
    Workload("python processes", ["python3", "{source}/processes.py", "{scale}"], PYTHON, 400, 4000),
    Workload("python parsing", ["python3", "{source}/parsing.py", "{scale}"], PYTHON, 1, 2),
    Workload("git", ["sh", "{source}/history.sh", "{scale}"], {"git": "git"}, 6, 12),
    Workload(
        "gcc",
        ["gcc", "-O2", "-S", "-o", "-", "functions.c"],
        {"gcc": "gcc"},
        40,
        150,
        prepare=write_functions,
    ),
    Workload(
        "sqlite3",
        [
            *["sqlite3", "rows.db", "-cmd", ".parameter init", "-cmd", ".parameter set :rows {scale}"],
            ".read {source}/rows.sql",
        ],
        {"sqlite3": "sqlite3"},
        20000,
        100000,
    ),
    Workload("perl", ["perl", "{source}/words.pl", "{scale}"], {"perl": "perl"}, 4, 12),
    Workload("node", ["node", "{source}/heap.js", "{scale}"], {"node": "nodejs"}, 2, 5),
    Workload("sort", ["bash", "{source}/sorting.sh", "{scale}"], {"sort": "coreutils", "awk": "mawk"}, 200000, 500000),
    Workload("tar gzip", ["bash", "{source}/archive.sh", "{scale}"], {"tar": "tar", "gzip": "gzip"}, 150, 400),
    Workload("bash", ["bash", "{source}/pipeline.sh", "{scale}"], {"bash": "bash", "awk": "mawk"}, 3, 10),
    Workload(
        "c++",
        ["./containers", "{scale}"],
        {"g++": "g++"},
        2,
        40,
        prepare=compile_containers,
    ),
]
