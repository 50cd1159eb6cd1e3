"""CSV: the table of events as text, for spreadsheets and whatever reads nothing better."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
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
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.problem import FormatError
from m4alloc.trace.formats.scratch import replacing
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
        quoting = csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL
        writer = csv.writer(text, lineterminator="\n", quoting=quoting)
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

    Raises FormatError: a column is missing, or the line of a cell that is wrong.  Cost: 5 us a row.
    """
    content = path.read_bytes()
    progress.phase("reading rows", content.count(b"\n"))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(path, f"not UTF-8: {error.reason}", byte=error.start) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        notes = check_columns(path, names)
        parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("function", *NUMBERS, "label")}
        labels: dict[str, int] = {}
        done = 1
        while rows := list(islice(reader, ROWS)):
            # A quoted cell may hold line ends; then rows are counted, else lines.
            exact = reader.line_num == done + len(rows)
            _take(_Place(path, done + 1 if exact else 0, done), names, rows, parts, labels)
            done = reader.line_num if exact else done + len(rows)
            progress.advance(done)
    except csv.Error as error:
        raise FormatError(path, str(error), line=reader.line_num) from error
    numbers = {name: _joined(parts[name], kind) for name, kind in NUMBERS.items()}
    function, label = _joined(parts["function"], np.uint8), _joined(parts["label"], np.int64)
    table = Table(function, numbers, label, tuple(labels), np.zeros(0, np.int64), {})
    return history_of(path, "csv", table).note(*notes)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where rows stand in the file: the line of the first, 0 when lines are not rows; and its row."""

    path: Path
    line: int
    row: int

    def error(self, offset: int, message: str) -> FormatError:
        if self.line:
            return FormatError(self.path, message, line=self.line + offset)
        return FormatError(self.path, f"row {self.row + offset}: {message}")


def _take(
    place: _Place,
    names: Sequence[str],
    rows: list[list[str]],
    parts: dict[str, list[npt.NDArray[Any]]],
    labels: dict[str, int],
) -> None:
    """Convert rows and add them to the parts of the columns.  Raises FormatError."""
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
        try:
            values = [int(cell, 0) if cell else default for cell in columns[name]]
        except ValueError:
            values = [low - 1]
        if not low <= min(values) <= max(values) <= high:
            offset = next(offset for offset, cell in enumerate(columns[name]) if not _fits(cell, low, high))
            found = columns[name][offset]
            raise place.error(offset, f"column {name}: expected a number from {low} to {high}, found {found!r}")
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


def _fits(cell: str, low: int, high: int) -> bool:
    try:
        return not cell or low <= int(cell, 0) <= high
    except ValueError:
        return False
