"""The formats there are: their names, what files of theirs are called and begin with, and who reads and writes them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from m4alloc.check.progress import Progress
from m4alloc.trace.format import MAGIC
from m4alloc.trace.formats.compressed import GZIP, SUFFIXES, ZSTD
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.problem import FormatError, UnknownFormatError
from m4alloc.trace.read import XZ

Reader = Callable[[Path, str, Progress], History]
"""read(path, image, progress); image: of a recording, "" for its largest."""
Writer = Callable[[Path, History, Progress], tuple[str, ...]]
"""write(path, history, progress): sentences on what the format has no room for."""
HEAD = 1 << 16
"""Bytes at the start of a file that tell what it is."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format. suffixes: how names of its files end, the first the usual one; prefixes: how they begin.

    reader, writer: "module:function" in this package, "" for none. text: whether its files may be compressed by gzip,
    xz or zstd when they are read.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    reader: str = ""
    writer: str = ""
    prefixes: tuple[str, ...] = ()
    text: bool = False

    def read(self, path: Path, image: str, progress: Progress) -> History:
        """Raises FormatError when this format can only be written, and whatever its reader raises."""
        if not self.reader:
            readable = ", ".join(each.name for each in FORMATS if each.reader)
            raise FormatError(path, f"{self.title} can only be written, not read; read are: {readable}")
        return cast(Reader, _load(self.reader))(path, image, progress)

    def write(self, path: Path, history: History, progress: Progress) -> tuple[str, ...]:
        """Raises FormatError when this format can only be read, and whatever its writer raises."""
        self.refuse_writing(path)
        return cast(Writer, _load(self.writer))(path, history, progress)

    def refuse_writing(self, path: Path) -> None:
        """Raise FormatError when this format can only be read."""
        if not self.writer:
            writable = ", ".join(each.name for each in FORMATS if each.writer)
            raise FormatError(path, f"{self.title} can only be read, not written; written are: {writable}")

    def named(self, path: Path) -> int:
        """How strongly the file's name says that it is of this format: an end more than a beginning; 0: not at all."""
        name = path.name.lower()
        ends = [HEAD * len(suffix) for suffix in self.suffixes if name.endswith(suffix)]
        return max(ends + [len(prefix) for prefix in self.prefixes if name.startswith(prefix)], default=0)


FORMATS = (
    Format("m4t", "a trace or recording of m4alloc", (".m4t", ".m4t.xz"), "m4t:read_m4t", "m4t:write_m4t"),
    Format("heap", "a heap script", (".heap",), "heap_script:read_script", "heap_script:write_script", text=True),
    Format("rep", "a CS:APP malloc-lab trace", (".rep", ".script"), "rep:read_rep", "rep:write_rep", text=True),
    Format("mtrace", "glibc's mtrace log", (".mtrace",), "mtrace:read_mtrace", prefixes=("mtrace.",), text=True),
    Format("ltrace", "ltrace's lines", (".ltrace",), "ltrace:read_ltrace", prefixes=("ltrace.",), text=True),
    Format(
        "heaptrack",
        "heaptrack's data",
        (".heaptrack", ".heaptrack.gz", ".heaptrack.zst"),
        "heaptrack:read_heaptrack",
        prefixes=("heaptrack.",),
        text=True,
    ),
    Format("csv", "a CSV table of events", (".csv",), "csv_table:read_csv", "csv_table:write_csv", text=True),
    Format(
        "arrow",
        "an Arrow (Feather) table of events",
        (".arrow", ".feather", ".ipc"),
        "arrow:read_arrow",
        "arrow:write_arrow",
    ),
    Format("parquet", "a Parquet table of events", (".parquet",), "arrow:read_parquet", "arrow:write_parquet"),
    Format("perfetto", "a Perfetto trace", (".pftrace", ".perfetto-trace", ".perfetto"), "", "perfetto:write_perfetto"),
    Format("chrome", "a Chrome trace (JSON)", (".json", ".json.gz"), "", "chrome:write_chrome"),
    Format(
        "dhat",
        "a DHAT profile (JSON)",
        (".dhat.json", ".dhat", "dhat.out.json"),
        "",
        "dhat:write_dhat",
        prefixes=("dhat.out",),
    ),
)


def by_name(name: str) -> Format:
    """The format of that name.  Raises UnknownFormatError.

    >>> by_name("rep").title
    'a CS:APP malloc-lab trace'
    """
    for each in FORMATS:
        if each.name == name:
            return each
    raise UnknownFormatError(f"no format {name!r}; there are {', '.join(each.name for each in FORMATS)}")


def of_output(path: Path) -> Format:
    """The format that the name of a file to be written asks for.  Raises UnknownFormatError.

    >>> [of_output(Path(name)).name for name in ("a.dhat.json", "a.json", "dhat.out.77", "heaptrack.a.rep")]
    ['dhat', 'chrome', 'dhat', 'rep']
    """
    found = max(FORMATS, key=lambda each: each.named(path))
    if not found.named(path):
        known = ", ".join(f"{' '.join(each.suffixes)} ({each.name})" for each in FORMATS if each.writer)
        raise UnknownFormatError(
            f"{path}: the name says no format that can be written; it may end in {known}; or --to names the format"
        )
    return found


def of_input(path: Path) -> Format:
    """The format of a file that is there, by what it begins with, else by its name.

    Raises UnknownFormatError: neither says anything. OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    sniffed = _sniffed(head)
    found = max(FORMATS, key=lambda each: each.named(path))
    if not found.named(path) and head.startswith((GZIP, XZ, ZSTD)) and path.suffix in SUFFIXES:
        stem = path.with_suffix("")
        found = max((each for each in FORMATS if each.text), key=lambda each: each.named(stem))
        if found.named(stem):
            return found
    if sniffed:
        return by_name(sniffed)
    if not found.named(path):
        known = ", ".join(f"{' '.join(each.suffixes)} ({each.name})" for each in FORMATS if each.reader)
        raise UnknownFormatError(
            f"{path}: neither its first bytes nor its name say what it is; `m4alloc convert --from FORMAT` reads it, "
            f"and so does a name: {known}"
        )
    return found


def _sniffed(head: bytes) -> str:
    """The format that the first bytes can only be of, "" when they leave it open."""
    start = head.lstrip()
    if head.startswith((MAGIC, XZ)) or (start.startswith(b"{") and b'"trace-index"' in head):
        return "m4t"
    if head.startswith(b"ARROW1"):
        return "arrow"
    if head.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b'{"dhatFileVersion"'):
        return "dhat"
    if head.startswith(b"= Start"):
        return "mtrace"
    if re.match(rb"v [0-9a-f]+ [0-9a-f]+\n", head):
        return "heaptrack"
    return ""


def _load(target: str) -> object:
    module, _, function = target.partition(":")
    return getattr(importlib.import_module(f"m4alloc.trace.formats.{module}"), function)
