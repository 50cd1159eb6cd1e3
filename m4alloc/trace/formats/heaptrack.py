"""heaptrack's data: text records, plain or compressed, raw (with addresses) or interpreted (without).

Numbers are hexadecimal. Raw: `+ SIZE TRACE POINTER`, `- POINTER`. Interpreted: `a SIZE TRACE` describes allocations,
`+ N` makes one as the Nth `a` says, `- N` frees one of those. Times are `c MILLISECONDS`, strings `s TEXT`
(from version 3 on with their length), places in the code `t IP PARENT` and `i ADDRESS ...`, the command line `X WORDS`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m4alloc.check.progress import Progress
from m4alloc.trace.format import RECORD
from m4alloc.trace.formats.compressed import decompressed
from m4alloc.trace.formats.history import History, of_records
from m4alloc.trace.formats.lines import lines_of, shown
from m4alloc.trace.formats.problem import FormatError
from m4alloc.view.quantity import plural
from spec.event import Function

NEWEST = 3
"""The newest version of the file format that is read."""
BEFORE_VERSIONS = 0x10200
"""heaptrack that wrote version 1 without saying so."""
SHIFT = 32
"""Interpreted data has no addresses: block n stands at (n + 1) * 4 GiB until an allocator gives it one."""
LONGEST = 1 << 43
"""Milliseconds, 278 years: what 64 bits of nanoseconds hold, signed."""
UNUSED = frozenset("RISAmsx#")
"""Kinds of lines that say nothing of the heap's history."""


def read_heaptrack(path: Path, image: str, progress: Progress) -> History:
    """The calls in their order; every realloc is a free and a malloc, as heaptrack writes it.

    Interpreted data does not say which of several blocks of one size from one place was freed: the youngest is taken.
    Raises FormatError: the line of what is wrong, or a newer version; MissingPackageError: zstd.  Cost: 2 us a line.
    """
    reader = _Reader(path)
    content = decompressed(path)
    whole = content.endswith(b"\n")
    last = content.count(b"\n") + 1
    for number, line in lines_of(path, content, progress, "reading heaptrack's lines"):
        try:
            if line:
                reader.line(number, line)
        except FormatError:
            if whole or number != last or not reader.version:
                raise
            reader.notes.append(f"line {number} is cut off and left out")
    if not reader.version:
        raise FormatError(path, "not heaptrack's data: its first line begins with 'v', the version")
    return reader.history()


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = 0
        self.raw = False
        self.rows: list[tuple[int, int, int, int, int, int]] = []  # function, address, size, result, time, site
        self.infos: list[tuple[int, int]] = []  # size, trace
        self.live: list[list[int]] = []  # of each info, its blocks
        self.traces: list[int] = []  # of each trace, its innermost place
        self.places: list[int] = []  # of each instruction pointer, its address
        self.known: set[int] = set()
        self.now = 0
        self.strangers = 0
        self.made = 0
        self.command: tuple[str, ...] = ()
        self.notes: list[str] = []

    def line(self, number: int, line: str) -> None:
        """Take one line.  Raises FormatError."""
        kind = line[0]
        if not self.version and kind not in "v#":
            raise FormatError(
                self.path, "not heaptrack's data: its first line begins with 'v', the version", line=number
            )
        if kind in "+-":
            words = line.split()
            self.call(number, line, [self.number(number, line, word) for word in words[1:]])
        elif kind == "a":
            size, trace = self.numbers(number, line, 2)
            self.infos.append((size, trace))
            self.live.append([])
        elif kind == "t":
            place, _ = self.numbers(number, line, 2)
            self.traces.append(place)
        elif kind == "i":
            self.places.append(self.number(number, line, [*line.split(), "", ""][1]))
        elif kind == "c":
            self.now = max(self.now, self.milliseconds(number, line) * 1_000_000)
        elif kind == "v":
            self.begin(number, line)
        elif kind == "X":
            self.command = tuple(line[2:].split())
        elif kind == "x" or (kind == "m" and self.version):
            self.raw = True
        elif kind not in UNUSED:
            raise FormatError(self.path, f"no kind of line begins with {kind!r}", line=number, column=1)

    def begin(self, number: int, line: str) -> None:
        words = [self.number(number, line, word) for word in line.split()[1:]]
        if not words:
            raise FormatError(self.path, "expected the version, as in 'v 10400 3'", line=number, column=1)
        self.version = words[1] if len(words) > 1 else 1 if words[0] == BEFORE_VERSIONS else 0
        if not 1 <= self.version <= NEWEST:
            raise FormatError(
                self.path, f"version {self.version} of heaptrack's format; versions 1 to {NEWEST} are read", line=number
            )

    def milliseconds(self, number: int, line: str) -> int:
        (value,) = self.numbers(number, line, 1)
        if value >= LONGEST:
            raise FormatError(self.path, f"no recording lasts {value:#x} milliseconds", line=number, column=3)
        return value

    def call(self, number: int, line: str, values: list[int]) -> None:
        """A '+' or a '-', raw or interpreted."""
        if line[0] == "+" and len(values) == 3:
            size, trace, pointer = values
            self.raw = True
            self.known.add(pointer)
            self.rows.append((Function.MALLOC, 0, size, pointer, self.now, self.site(trace)))
        elif len(values) != 1:
            raise FormatError(
                self.path, f"expected one number or three after '+', one after '-': {shown(line)}", line=number
            )
        elif line[0] == "-" and self.raw:
            if values[0] not in self.known:
                self.strangers += 1
                return
            self.known.discard(values[0])
            self.rows.append((Function.FREE, values[0], 0, 0, self.now, 0))
        else:
            self.interpreted(number, line, values[0])

    def interpreted(self, number: int, line: str, info: int) -> None:
        if info >= len(self.infos):
            raise FormatError(
                self.path,
                f"allocation {info:#x} of {len(self.infos):#x} that 'a' lines describe",
                line=number,
                column=3,
            )
        if line[0] == "+":
            size, trace = self.infos[info]
            self.made += 1
            self.live[info].append(self.made << SHIFT)
            self.rows.append((Function.MALLOC, 0, size, self.made << SHIFT, self.now, self.site(trace)))
        elif self.live[info]:
            self.rows.append((Function.FREE, self.live[info].pop(), 0, 0, self.now, 0))
        else:
            raise FormatError(self.path, f"all blocks of allocation {info:#x} are freed already", line=number, column=3)

    def site(self, trace: int) -> int:
        """The address that the innermost call of a trace returns to, 0 when it is not known."""
        place = self.traces[trace - 1] if 0 < trace <= len(self.traces) else 0
        if self.raw:
            return place
        return self.places[place - 1] if 0 < place <= len(self.places) else 0

    def numbers(self, number: int, line: str, count: int) -> list[int]:
        words = line.split()[1:]
        if len(words) < count:
            raise FormatError(
                self.path, f"expected {plural(count, 'number')} after {line[0]!r}: {shown(line)}", line=number
            )
        return [self.number(number, line, word) for word in words[:count]]

    def number(self, number: int, line: str, word: str) -> int:
        try:
            value = int(word, 16)
        except ValueError:
            value = -1
        if not 0 <= value < 1 << 64:
            column = line.find(word, 1) + 1
            raise FormatError(
                self.path, f"expected a hexadecimal number of 64 bits, found {shown(word)}", line=number, column=column
            )
        return value

    def history(self) -> History:
        records = np.zeros(len(self.rows), RECORD)
        columns = np.array(self.rows, np.uint64).reshape(-1, 6).T
        for name, column in zip(("function", "address", "size", "result", "time_ns", "site"), columns, strict=True):
            records[name] = column
        records["usable"] = records["intact"] = -1
        notes = [*self.notes, "reallocs stand as a free and a malloc, and of threads and alignments nothing is said"]
        if not self.raw:
            notes.append("of several blocks of one size from one place, the youngest is taken to be the one freed")
        if self.strangers:
            notes.append(f"{plural(self.strangers, 'free')} of blocks from before the recording left out")
        if self.now:
            notes.append("times are known to some milliseconds")
        return of_records(self.path, "heaptrack", records, command=self.command, notes=notes, addressed=self.raw)
