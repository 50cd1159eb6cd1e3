"""A history as a table, one row an event and a column a field: what CSV, Arrow and Parquet hold.

docs/formats.md describes the columns. Nothing of a trace's records is lost in them; `block` is there for whoever asks
questions of the table, and is not read back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m4alloc.trace.format import RECORD, EndReason
from m4alloc.trace.formats.blocks import calls_of
from m4alloc.trace.formats.history import History, of_records
from m4alloc.trace.formats.problem import FormatError
from m4alloc.trace.index import SCHEMA
from m4alloc.trace.read import Records
from spec.event import Function

NUMBERS: dict[str, npt.DTypeLike] = {
    "thread": np.uint32,
    "address": np.uint64,
    "size": np.uint64,
    "count": np.uint64,
    "alignment": np.uint64,
    "result": np.uint64,
    "errno": np.uint16,
    "usable": np.int64,
    "intact": np.int64,
    "begin": np.uint64,
    "end": np.uint64,
    "time_ns": np.uint64,
    "site": np.uint64,
    "flags": np.uint8,
}
"""The columns of numbers, in the order of the table, between `function` and `label`."""
NAMES = ("function", *NUMBERS, "label", "block")
NEEDED = ("function", "address", "size", "result")
"""Without these there is no history; the others are what `Event` has when nothing is known."""
UNKNOWN = frozenset({"usable", "intact", "block"})
"""Columns whose -1, not observed or none, is an empty cell."""
DEFAULTS = {"count": 1, "usable": -1, "intact": -1}
FUNCTIONS = {int(function): function.name.lower() for function in Function}
_BY_NAME = {name: number for number, name in FUNCTIONS.items()}
_COUNTED = (Function.CALLOC, Function.REALLOCARRAY)


@dataclass(frozen=True, slots=True)
class Table:
    """function: its numbers. numbers: the columns of NUMBERS. label: number of its text in `labels`, from 1, or 0.

    block: number of the block from 0 by beginning, a resize keeps it; -1 for none. meta: what the header says.
    """

    function: npt.NDArray[np.uint8]
    numbers: Mapping[str, npt.NDArray[Any]]
    label: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    block: npt.NDArray[np.int64]
    meta: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.function)


def table_of(history: History) -> Table:
    """The table of a history, what was there at the start as calls before the first.  Cost: 1 us an event."""
    whole = history.whole()
    trace = whole.trace
    calls = calls_of(whole)
    records = calls.records
    function = records["function"].copy()
    counted, label = np.isin(function, _COUNTED), function == Function.LABEL
    extra = records["extra"]
    numbers = {name: records[name].copy() for name in NUMBERS if name in RECORD.fields}  # type: ignore[operator]
    numbers["address"] = np.where(label, extra, records["address"])
    numbers["count"] = np.where(counted, extra, np.uint64(1))
    numbers["alignment"] = np.where(counted | label, np.uint64(0), extra)
    block = np.full(len(records), -1, np.int64)
    block[calls.record] = calls.block
    number = np.where(label, records["address"], 0).astype(np.int64)
    number[number > len(trace.labels)] = 0
    meta = {
        "schema": SCHEMA,
        "format": history.format,
        "allocator": trace.allocator,
        "command": list(trace.command),
        "end": trace.end_reason.name.lower().replace("_", "-"),
        "pid": trace.pid,
        "quarantine": trace.quarantine,
        "quarantine_limit": trace.quarantine_limit,
        "placed_by": history.placed_by,
        "notes": list(history.notes),
    }
    return Table(function, numbers, number, trace.labels, block, meta)


def history_of(path: Path, format: str, table: Table) -> History:
    """The history that a table tells."""
    records: Records = np.zeros(len(table), RECORD)
    function, numbers = table.function, table.numbers
    counted, label = np.isin(function, _COUNTED), function == Function.LABEL
    for name in NUMBERS:
        if name in RECORD.fields:  # type: ignore[operator]
            records[name] = numbers[name]
    records["function"] = function
    records["extra"] = np.where(counted, numbers["count"], np.where(label, numbers["address"], numbers["alignment"]))
    records["address"] = np.where(label, table.label.astype(np.uint64), numbers["address"])
    wrong = np.flatnonzero((~counted & (numbers["count"] != 1)) | ((counted | label) & (numbers["alignment"] != 0)))
    if len(wrong):
        row = int(wrong[0])
        name = "alignment" if numbers["count"][row] == 1 or counted[row] else "count"
        call = FUNCTIONS[int(function[row])]
        raise FormatError(path, f"row {row + 1}: {call} has no {name}, and here it is {numbers[name][row]}")
    meta = table.meta
    try:
        reason = EndReason[str(meta.get("end", "exit")).upper().replace("-", "_")]
    except KeyError:
        raise FormatError(path, f"damaged: there is no end {meta.get('end')!r}") from None
    history = of_records(
        path,
        format,
        records,
        table.labels,
        allocator=str(meta.get("allocator", "")),
        command=[str(word) for word in meta.get("command", ())],
        end_reason=reason,
        pid=int(meta.get("pid", 0)),
        quarantine=int(meta.get("quarantine", 0)),
        quarantine_limit=int(meta.get("quarantine_limit", 0)),
        notes=[str(note) for note in meta.get("notes", ())],
    )
    return History(path, format, history.trace, placed_by=str(meta.get("placed_by", "")), notes=history.notes)


class UnknownFunctionError(ValueError):
    """A name that is no function's; row: its place, from 0."""

    def __init__(self, name: str, row: int) -> None:
        super().__init__(f"no function {name!r}; there are {', '.join(_BY_NAME)}")
        self.row = row


def function_numbers(names: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Names as numbers.  Raises UnknownFunctionError: there is no such function."""
    try:
        return np.array([_BY_NAME[name] for name in names], np.uint8)
    except KeyError as error:
        raise UnknownFunctionError(error.args[0], list(names).index(error.args[0])) from None


def check_columns(path: Path, names: Sequence[str]) -> list[str]:
    """A sentence on the columns that are not read.  Raises FormatError: one is missing, or there twice."""
    missing = [name for name in NEEDED if name not in names]
    if not any(names):
        raise FormatError(path, f"it names no columns; wanted are {', '.join(NEEDED)} at least (docs/formats.md)")
    if missing:
        raise FormatError(
            path,
            f"no column {' or '.join(missing)} among {', '.join(names) or 'none'}; docs/formats.md lists the columns",
        )
    twice = sorted({name for name in names if name and list(names).count(name) > 1})
    if twice:
        raise FormatError(path, f"two columns are called {twice[0]}")
    others = [name for name in names if name and name not in NAMES]
    return [f"columns not read: {', '.join(others)}"] if others else []


def meta_of(path: Path, text: bytes) -> dict[str, Any]:
    """What the metadata of a table says.  Raises FormatError: it is no JSON object."""
    try:
        meta = json.loads(text)
        # Half a surrogate is no text, but for those that stand for the bytes of a command line that is not UTF-8.
        json.dumps(meta, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except (ValueError, RecursionError):
        meta = None
    if not isinstance(meta, dict) or not all(isinstance(meta.get(name, []), list) for name in ("command", "notes")):
        raise FormatError(path, "damaged: its metadata 'm4alloc' is no JSON object")
    for name, highest in (("pid", 1 << 32), ("quarantine", 1 << 32), ("quarantine_limit", 1 << 64)):
        number = meta.get(name, 0)
        if not isinstance(number, int) or not 0 <= number < highest:
            raise FormatError(path, f"damaged: in its metadata 'm4alloc' {name} is {number!r:.60}")
    return meta
