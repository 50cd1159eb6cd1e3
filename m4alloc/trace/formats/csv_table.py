"""CSV: the table of events as text, for spreadsheets and whatever reads nothing better."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m4alloc.check.progress import Progress
from m4alloc.trace.formats.columns import (
    DEFAULTS,
    FUNCTIONS,
    NAMES,
    NUMBERS,
    UNKNOWN,
    Table,
    UnknownFunctionError,
    check_columns,
    function_numbers,
    history_of,
    table_of,
)
from m4alloc.trace.formats.compressed import decompressed
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.lines import shown
from m4alloc.trace.formats.problem import FormatError
from m4alloc.trace.whole import replacing
from spec.event import Function

ROWS = 1 << 16
"""Rows that are converted at once."""


def write_csv(path: Path, history: History, progress: Progress) -> tuple[str, ...]:
    """Write the table with a line of names first; numbers decimal, empty cells for what is not known.

    Cost: 4 us an event.
    """
    table = table_of(history)
    progress.phase("writing rows", len(table))
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        # Python quotes a lone carriage return from 3.13 on; readers take it for the end of a row.
        everything = any("\r" in label for label in table.labels)
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL)
        writer.writerow(NAMES)
        for start in range(0, len(table), ROWS):
            part = slice(start, start + ROWS)
            cells: list[Sequence[Any]] = [[FUNCTIONS.get(code, str(code)) for code in table.function[part].tolist()]]
            for name in NUMBERS:
                values = table.numbers[name][part].tolist()
                cells.append(["" if value == -1 else value for value in values] if name in UNKNOWN else values)
            cells.append([table.labels[number - 1] if number else "" for number in table.label[part].tolist()])
            cells.append(["" if value == -1 else value for value in table.block[part].tolist()])
            writer.writerows(zip(*cells, strict=True))
            progress.advance(min(start + ROWS, len(table)))
        text.flush()
        text.detach()
    return ("CSV has no room for what ran on which allocator",)


def read_csv(path: Path, image: str, progress: Progress) -> History:
    """Read a table; columns in any order, numbers decimal or 0x..., an empty cell is what is not known.

    Cells end with the comma, semicolon or tab that most of those in the first line end with; spreadsheets write either.
    Raises FormatError: a column is missing, or the line of a cell that is wrong.  Cost: 5 us a row.
    """
    content = decompressed(path)
    progress.phase("reading rows", content.count(b"\n"))
    try:
        text = content.decode("utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(path, f"not UTF-8: {error.reason}", byte=error.start) from error
    lines = io.StringIO(text, newline="")
    told = re.match(r"sep=(.)\r?\n", text)  # a line of Excel's
    first = text.partition("\n")[0]
    if told:
        lines.readline()
    reader = csv.reader(lines, strict=True, delimiter=told[1] if told else max(",;\t", key=first.count))
    skipped = 1 if told else 0
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        notes = check_columns(path, names)
        parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("function", *NUMBERS, "label")}
        labels: dict[str, int] = {}
        done = reader.line_num
        while rows := list(islice(reader, ROWS)):
            _take(_Place(path, _ends(done + skipped, rows, reader.line_num + skipped)), names, rows, parts, labels)
            done = reader.line_num
            progress.advance(done)
    except csv.Error as error:
        raise FormatError(path, str(error), line=reader.line_num + skipped) from error
    numbers = {name: _joined(parts[name], kind) for name, kind in NUMBERS.items()}
    function, label = _joined(parts["function"], np.uint8), _joined(parts["label"], np.int64)
    table = Table(function, numbers, label, tuple(labels), np.zeros(0, np.int64), {})
    return history_of(path, "csv", table).note(*notes)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where rows stand in the file: the line in which each ends."""

    path: Path
    ends: Sequence[int]

    def error(self, row: int, message: str) -> FormatError:
        return FormatError(self.path, message, line=self.ends[row])


def _ends(done: int, rows: list[list[str]], last: int) -> Sequence[int]:
    """The lines in which rows end, the first after line `done`; a quoted cell may hold line ends."""
    if last == done + len(rows):
        return range(done + 1, last + 1)
    return list(accumulate((1 + sum(cell.count("\n") for cell in row) for row in rows), initial=done))[1:]


def _take(
    place: _Place,
    names: Sequence[str],
    rows: list[list[str]],
    parts: dict[str, list[npt.NDArray[Any]]],
    labels: dict[str, int],
) -> None:
    """Convert rows and add them to the parts of the columns.  Raises FormatError."""
    if not all(map(any, rows)):  # lines of nothing but separators say nothing
        place = _Place(place.path, [end for end, row in zip(place.ends, rows, strict=True) if any(row)])
        rows = [row for row in rows if any(row)]
    if not rows:
        return
    for offset, row in enumerate(rows):
        if len(row) != len(names):
            raise place.error(offset, f"{len(row)} cells, and the first line names {len(names)} columns")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    try:
        parts["function"].append(function_numbers([name.strip().lower() for name in columns["function"]]))
    except UnknownFunctionError as error:
        raise place.error(error.row, str(error)) from error
    for name, kind in NUMBERS.items():
        default = DEFAULTS.get(name, 0)
        if name not in columns:
            parts[name].append(np.full(len(rows), default, kind))
            continue
        low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
        values = _numbers(columns[name], default, low - 1)
        if not low <= min(values) <= max(values) <= high:
            offset = next(place for place, value in enumerate(values) if not low <= value <= high)
            found = columns[name][offset]
            rounded = ", which a spreadsheet has rounded" if re.fullmatch(r"\d+[.,]?\d*[eE]\+?\d+", found) else ""
            what = f"expected a number from {low} to {high}, found {shown(found)}{rounded}"
            raise place.error(offset, f"column {name}: {what}")
        parts[name].append(np.array(values, kind))
    texts = columns.get("label", ("",) * len(rows))
    marked = parts["function"][-1] == Function.LABEL
    for offset, text in enumerate(texts):
        if text and (not marked[offset] or "\0" in text):
            raise place.error(offset, f"column label: only a label has a text, and no NUL: {text!r}")
    numbered = [labels.setdefault(text, len(labels) + 1) if text else 0 for text in texts]
    parts["label"].append(np.array(numbered, np.int64))


def _joined(parts: list[npt.NDArray[Any]], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _numbers(cells: Sequence[str], default: int, wrong: int) -> list[int]:
    """The cells as numbers: `default` for an empty one, `wrong` for one that is none."""
    different = set(cells)
    if 4 * len(different) < len(cells):
        known = dict(zip(different, _numbers(list(different), default, wrong), strict=True))
        return [known[cell] for cell in cells]
    try:
        return [int(cell, 0) if cell else default for cell in cells]
    except ValueError:
        return [_number(cell, wrong) if cell.strip() else default for cell in cells]


def _number(cell: str, wrong: int) -> int:
    """A cell as a number, however a spreadsheet or a data frame writes a whole one (008, 24.0); `wrong` for none."""
    whole = re.fullmatch(r"\s*([-+]?\d{1,20})(?:\.0*)?\s*", cell)
    try:
        return int(whole[1]) if whole else int(cell, 0)
    except ValueError:
        return wrong
