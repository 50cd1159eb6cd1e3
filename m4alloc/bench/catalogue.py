"""The programs that come with the project: their list, their sources, their compilation."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from m4alloc.bench.compiled import compiled

PACKAGE = Path(__file__).resolve().parent
SHIPPED = PACKAGE / "programs"
"""Where setup.py puts the sources in a distribution."""
CHECKOUT = PACKAGE.parents[1] / "benchmarks" / "alloc_bench"


class CatalogueError(ValueError):
    """The list of programs is missing or malformed; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class BenchProgram:
    """One program of the catalogue.

    arguments, short: the scale of a benchmark and of a test; "{threads}" stands for a number of threads.
    threads: that number unless another is asked for; 0: it has one thread. fixed: no allocator can move it.
    pattern: what it does with memory. short_checksum: what it prints at `short` with `threads`; empty: not known.
    """

    name: str
    source: Path
    arguments: tuple[str, ...]
    short: tuple[str, ...]
    threads: int = 0
    fixed: bool = False
    pattern: str = ""
    short_checksum: str = ""

    @property
    def scales(self) -> bool:
        """Whether it can be told a number of threads."""
        return any("{threads}" in word for word in (*self.arguments, *self.short))

    def command(self, executable: Path, *, quick: bool, threads: int) -> list[str]:
        """The command line at one scale."""
        words = self.short if quick else self.arguments
        return [str(executable), *(word.replace("{threads}", str(threads)) for word in words)]

    def compile(self) -> Path:
        """The compiled program. Raises BuildError: no compiler, or what it said. Cost: 0.3 s the first time."""
        return compiled(self.source, "-lm")


def catalogue(folder: str | os.PathLike[str] | None = None) -> list[BenchProgram]:
    """The programs that catalogue.toml in `folder` lists; None is the project's own, wherever it is installed.

    Raises CatalogueError: no such list, or an entry that is none.

    >>> "binary_tree" in [program.name for program in catalogue()]
    True
    """
    ours = SHIPPED if SHIPPED.exists() else CHECKOUT
    path = (ours if folder is None else Path(folder)) / "catalogue.toml"
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: the list of programs cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{path}: {error}") from None
    programs = [_program(path, number, entry) for number, entry in enumerate(held.get("program", ()), 1)]
    if not programs:
        raise CatalogueError(f"{path}: no [[program]] in it")
    twice = {one.name for one in programs if sum(one.name == other.name for other in programs) > 1}
    if twice:
        raise CatalogueError(f"{path}: two programs are called {min(twice)}")
    return programs


def _program(path: Path, number: int, entry: dict[str, object]) -> BenchProgram:
    """One entry of the list."""
    where = f"{path}: program {number} ({entry.get('name', 'without a name')})"
    for key, kind in (("name", str), ("source", str), ("arguments", list), ("short", list)):
        if not isinstance(entry.get(key), kind):
            raise CatalogueError(f"{where}: `{key}` is missing or no {'list' if kind is list else 'string'}")
    source = path.parent / str(entry["source"])
    if not source.is_file():
        raise CatalogueError(f"{where}: there is no {source}")
    return BenchProgram(
        str(entry["name"]),
        source,
        _words(entry["arguments"]),
        _words(entry["short"]),
        int(str(entry.get("threads", 0))),
        bool(entry.get("fixed", False)),
        str(entry.get("pattern", "")),
        str(entry.get("short_checksum", "")),
    )


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, Sequence) else ()


def chosen(programs: Sequence[BenchProgram], only: Sequence[str]) -> list[BenchProgram]:
    """Those named, in the catalogue's order; all when none is. Raises CatalogueError: an unknown name."""
    names = [program.name for program in programs]
    for name in only:
        if name not in names:
            raise CatalogueError(f"--program {name}: the programs are {', '.join(names)}")
    return [program for program in programs if not only or program.name in only]
