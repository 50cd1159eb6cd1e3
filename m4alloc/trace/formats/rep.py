"""CS:APP malloc-lab traces (.rep): a header of four numbers, then `a ID SIZE`, `r ID SIZE` and `f ID`, one a line.

The header's outer numbers differ between editions of the lab: suggested heap size and weight, or weight and whether
overlaps are looked for. Neither says anything of the history, so all are read alike.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import numpy as np

from m4alloc.check.progress import Progress
from m4alloc.trace.format import RECORD
from m4alloc.trace.formats.blocks import ALLOCATE, FREE, RESIZE, calls_of
from m4alloc.trace.formats.compressed import decompressed
from m4alloc.trace.formats.history import History, of_records
from m4alloc.trace.formats.lines import shown
from m4alloc.trace.formats.problem import FormatError
from m4alloc.trace.whole import replacing
from m4alloc.view.quantity import plural
from spec.event import ACCESSING, Function

HEADER = ("the suggested heap size or the weight", "the number of ids", "the number of operations", "the fourth number")
WEIGHT = 1
"""What is written first: to newer drivers, count time and space; to older ones, a heap size that they do not use."""
SHIFT = 32
"""A block's stand-in for an address, until an allocator gives it one: its id plus 1, times 4 GiB."""
_FORMS = {"a": "a ID SIZE", "r": "r ID SIZE", "f": "f ID"}


def read_rep(path: Path, image: str, progress: Progress) -> History:
    """The requests; block n stands at (n + 1) * 4 GiB until `m4alloc.trace.formats.place` gives it an address.

    A trace without a header is one, too, and '#' begins a comment, as in the scripts of Stanford's CS107.
    `f -1` is free(NULL); `r ID 0` frees; `r` of an id that is not allocated allocates it. A line without its size has
    that of the line before it, as the lab's driver reads it.
    Raises FormatError: the line and column of what is wrong.  Cost: 1 us a line.
    """
    progress.phase("reading requests")
    text = _text(path)
    header: list[int] = []
    rows: list[tuple[int, int, int, int]] = []  # function, address, size, result
    live: set[int] = set()
    seen: set[int] = set()
    size = -1
    short = 0
    headed: bool | None = None  # until a line says so
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if headed is None:
            headed = words[0] not in _FORMS
        if headed and len(header) < len(HEADER):
            header += _header(path, number, line, words, len(header))
            continue
        if len(words) == 2 and words[0] in "ar" and size >= 0:
            words.append(str(size))
            line = f"{line} {size}"
            short += 1
        letter, block, asked = _request(path, number, line, words)
        size = size if letter == "f" else asked
        address = (block + 1) << SHIFT
        if letter == "f":
            if block not in live and block >= 0:
                known = "is freed already" if block in seen else "was never allocated"
                raise FormatError(path, f"block {block} {known}", line=number, column=line.index(words[1]) + 1)
            live.discard(block)
            rows.append((Function.FREE, address, 0, 0))
        elif letter == "a":
            if block in live:
                raise FormatError(path, f"block {block} is not freed yet", line=number, column=line.index(words[1]) + 1)
            live.add(block)
            rows.append((Function.MALLOC, 0, size, address))
        else:
            rows.append(
                (Function.REALLOC, address if block in live else 0, size, address if size or block not in live else 0)
            )
            (live.add if size or block not in live else live.discard)(block)
        seen.add(block)
    if headed is not False and len(header) < len(HEADER):
        raise FormatError(path, f"cut off: the header has 4 lines of one number each, and this file {len(header)}")
    records = np.zeros(len(rows), RECORD)
    columns = np.array(rows, np.uint64).reshape(-1, 4).T
    records["function"], records["address"], records["size"], records["result"] = columns
    records["usable"] = records["intact"] = -1
    records["thread"] = 0
    seen.discard(-1)
    notes = []
    if short:
        notes.append(f"{plural(short, 'line')} without a size: that of the line before, as the lab's driver has it")
    if not headed:
        notes.append("there is no header, as in scripts of Stanford's CS107")
    elif header[2] != len(rows):
        notes.append(f"the header announces {header[2]:,} operations, and there are {len(rows):,}")
    if headed and header[1] != len(seen):
        notes.append(f"the header announces {header[1]:,} ids, and {len(seen):,} are used")
    return of_records(path, "rep", records, notes=notes, addressed=False)


def _text(path: Path) -> str:
    """The file with line ends of one kind; only comments may hold more than ASCII."""
    content = decompressed(path).removeprefix(BOM_UTF8)
    return content.decode(errors="backslashreplace").replace("\r\n", "\n").replace("\r", "\n")


def _header(path: Path, number: int, line: str, words: list[str], done: int) -> list[int]:
    """The numbers of the header in a line: one as a rule, but the lab's drivers take any white space for a line end.

    Raises FormatError.
    """
    numbers: list[int] = []
    place = 0
    for word in words[: len(HEADER) - done]:
        place = line.index(word, place)
        if word in _FORMS:
            message = f"the header has 4 lines of one number each; {HEADER[done + len(numbers)]} is missing"
            raise FormatError(path, message, line=number)
        if not (word.isdecimal() and len(word) < 20):
            what = HEADER[done + len(numbers)]
            raise FormatError(path, f"expected {what}, found {shown(word)}", line=number, column=place + 1)
        numbers.append(int(word))
        place += len(word)
    if len(words) > len(numbers):
        word = words[len(numbers)]
        column = line.index(word, place) + 1
        raise FormatError(path, f"expected the end of the header, found {shown(word)}", line=number, column=column)
    return numbers


def _request(path: Path, number: int, line: str, words: list[str]) -> tuple[str, int, int]:
    """The letter, the block and the size of one line.  Raises FormatError."""
    letter = words[0]
    if letter not in _FORMS:
        raise FormatError(
            path, f"expected a, r or f, found {shown(letter)}", line=number, column=line.index(letter) + 1
        )
    form = _FORMS[letter].split()
    if len(words) != len(form):
        raise FormatError(path, f"expected {_FORMS[letter]!r}, found {shown(line)}", line=number, column=1)
    place = 0
    values = [0, 0]
    for index, word in enumerate(words[1:]):
        place = line.index(word, place + len(words[index]))
        null = word == "-1" and letter == "f"
        if not null and not (word.isdecimal() and len(word) < 20):
            what = "the id of a block" if index == 0 else "a number of bytes"
            raise FormatError(path, f"expected {what}, found {shown(word)}", line=number, column=place + 1)
        values[index] = int(word)
    if values[0] >= 1 << 30:
        raise FormatError(path, f"block {values[0]}: ids are below {1 << 30:,}", line=number, column=3)
    return letter, values[0], values[1]


def write_rep(path: Path, history: History, progress: Progress) -> tuple[str, ...]:
    """Write the requests, blocks numbered by beginning, with a header that the drivers of all editions take.

    Cost: a microsecond a call.
    """
    calls = calls_of(history)
    progress.phase("writing requests")
    header = f"{WEIGHT}\n{calls.blocks}\n{len(calls)}\n0\n"
    letters = {ALLOCATE: "a", RESIZE: "r", FREE: "f"}
    columns = (calls.action.tolist(), calls.block.tolist(), calls.size.tolist())
    lines = [
        f"f {block}\n" if action == FREE else f"{letters[action]} {block} {size}\n"
        for action, block, size in zip(*columns, strict=True)
    ]
    with replacing(path) as file:
        file.write((header + "".join(lines)).encode())
    functions = calls.records["function"][calls.record]
    zeroed = int(np.count_nonzero(functions == Function.CALLOC))
    aligned = int(np.count_nonzero(calls.alignment))
    threads = len(np.unique(calls.records["thread"]))
    labels = int(np.count_nonzero(calls.records["function"] == Function.LABEL))
    accesses = int(np.count_nonzero(np.isin(calls.records["function"], [*ACCESSING])))
    empty = int(np.count_nonzero((calls.size == 0) & (calls.action != FREE)))
    return tuple(
        filter(
            None,
            (
                "a malloc-lab trace holds neither addresses nor times nor call sites",
                f"{plural(zeroed, 'calloc')} became malloc" if zeroed else "",
                f"{plural(aligned, 'aligned request')} became malloc" if aligned else "",
                f"{plural(threads, 'thread')} became one" if threads > 1 else "",
                f"{plural(labels, 'label')} left out" if labels else "",
                f"{plural(accesses, 'access', 'accesses')} left out" if accesses else "",
                f"{plural(empty, 'request')} of 0 bytes, which the lab's drivers take for a mistake" if empty else "",
                f"{plural(calls.skipped, 'call')} about no block left out" if calls.skipped else "",
            ),
        )
    )
