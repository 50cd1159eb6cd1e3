"""glibc's mtrace logs: what mtrace(3) writes into $MALLOC_TRACE, a line a call, with addresses.

`+ P SIZE` handed out, `- P` freed, `< P` and `> Q SIZE` a realloc from P to Q, `! P SIZE` a realloc that failed, each
after `@ CALLER`; `= Start` and `= End`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from m4alloc.check.progress import Progress
from m4alloc.trace.format import RECORD
from m4alloc.trace.formats.compressed import decompressed
from m4alloc.trace.formats.history import History, of_records
from m4alloc.trace.formats.lines import lines_of, shown
from m4alloc.trace.formats.problem import FormatError
from spec.event import Function

ENOMEM = 12
_LINE = re.compile(
    r"(?:@ (?P<caller>.*) )?(?P<sign>[-+<>!]) (?P<address>\(nil\)|0x[0-9a-f]{1,16}|0)"
    r"(?: (?P<size>0x[0-9a-f]{1,16}|0))?"
)
_SITE = re.compile(r"\[(0x[0-9a-f]{1,16})\]$")
_MARKS = ("= Start", "= End")


def read_mtrace(path: Path, image: str, progress: Progress) -> History:
    """The calls in the order of the lines; of a calloc or memalign the log says no more than of a malloc.

    Raises FormatError: the line and column of what is wrong.  Cost: 3 us a line.
    """
    content = decompressed(path)
    whole = content.endswith(b"\n")
    rows: list[tuple[int, int, int, int, int, int]] = []  # function, address, size, result, errno, site
    notes: list[str] = []
    moved: tuple[int, int, int] | None = None  # the line, the address and the site of a `<`
    for number, line in lines_of(path, content, progress, "reading mtrace's lines"):
        if line in _MARKS or not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None or (match["size"] is None) != (match["sign"] in "-<"):
            if not whole and number == content.count(b"\n") + 1:
                notes.append(f"line {number} is cut off and left out")
                break
            raise _wrong(path, number, line)
        sign, caller = match["sign"], match["caller"] or ""
        address = 0 if match["address"] == "(nil)" else int(match["address"], 16)
        size = int(match["size"], 16) if match["size"] else 0
        found = _SITE.search(caller)
        site = int(found[1], 16) if found else 0
        if moved is not None and sign != ">":
            raise FormatError(path, f"expected the '>' of the realloc in line {moved[0]}, found {sign!r}", line=number)
        if sign == "+":
            rows.append((Function.MALLOC, 0, size, address, 0 if address else ENOMEM, site))
        elif sign == "-":
            rows.append((Function.FREE, address, 0, 0, 0, site))
        elif sign == "!":
            rows.append((Function.REALLOC, address, size, 0, ENOMEM, site))
        elif sign == "<":
            moved = (number, address, site)
        elif moved is None:
            raise FormatError(path, "a '>' without the '<' that says what is resized", line=number)
        else:
            rows.append((Function.REALLOC, moved[1], size, address, 0, moved[2]))
            moved = None
    if moved is not None:
        notes.append(f"the realloc in line {moved[0]} is cut off and left out")
    if not rows and not content.startswith(b"="):
        raise FormatError(path, "no line of mtrace's in it, such as '= Start' or '@ ./prog:[0x1139] + 0x5581 0x18'")
    records = np.zeros(len(rows), RECORD)
    columns = np.array(rows, np.uint64).reshape(-1, 6).T
    for name, column in zip(("function", "address", "size", "result", "errno", "site"), columns, strict=True):
        records[name] = column
    records["usable"] = records["intact"] = -1
    return of_records(path, "mtrace", records, notes=notes)


def _wrong(path: Path, number: int, line: str) -> FormatError:
    """What is wrong with a line that is no line of mtrace's: at the first word that does not fit."""
    column = 1
    match = re.match(r"@ .*? (?=[-+<>!] |[^ ]*$)", line)
    if line.startswith("@ ") and match is not None:
        column = match.end() + 1
    forms = "'+ ADDRESS SIZE', '- ADDRESS', '< ADDRESS', '> ADDRESS SIZE' or '! ADDRESS SIZE', after '@ CALLER'"
    return FormatError(path, f"expected {forms}; found {shown(line[column - 1 :])}", line=number, column=column)
