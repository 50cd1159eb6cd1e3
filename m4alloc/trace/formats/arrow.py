"""Arrow (Feather) and Parquet: the table of events in columns, for pandas, polars, DuckDB and their like."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from m4alloc.check.progress import Progress
from m4alloc.trace.formats.columns import (
    DEFAULTS,
    FUNCTIONS,
    NUMBERS,
    UNKNOWN,
    Table,
    UnknownFunctionError,
    check_columns,
    function_numbers,
    history_of,
    meta_of,
    table_of,
)
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.problem import FormatError, MissingPackageError
from m4alloc.trace.whole import replacing
from spec.event import Function

META = b"m4alloc"
"""The key of the metadata: JSON, what `Table.meta` is."""
COMPRESSION = "zstd"


def write_arrow(path: Path, history: History, progress: Progress) -> tuple[str, ...]:
    """Write an Arrow IPC file (Feather version 2), compressed by zstd.  Cost: 1 us an event."""
    arrow = _package("pyarrow", path)
    table = _arrow_table(arrow, table_of(history), progress)
    options = arrow.ipc.IpcWriteOptions(compression=COMPRESSION)
    with replacing(path) as file, arrow.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)
    return ()


def write_parquet(path: Path, history: History, progress: Progress) -> tuple[str, ...]:
    """Write a Parquet file, compressed by zstd.  Cost: 1 us an event."""
    parquet = _package("pyarrow.parquet", path)
    table = _arrow_table(_package("pyarrow", path), table_of(history), progress)
    with replacing(path) as file:
        parquet.write_table(table, file, compression=COMPRESSION)
    return ()


def read_arrow(path: Path, image: str, progress: Progress) -> History:
    """Read an Arrow IPC file.  Raises FormatError: damaged, a column missing or of another kind.

    Cost: 0.2 us a row.
    """
    arrow = _package("pyarrow", path)
    progress.phase("reading columns")
    with path.open("rb") as file:
        try:
            table = _valid(arrow.ipc.open_file(file).read_all())
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise FormatError(path, f"not an Arrow file that can be read: {error}") from error
    return _history(arrow, path, "arrow", table)


def read_parquet(path: Path, image: str, progress: Progress) -> History:
    """Read a Parquet file.  Raises FormatError: damaged, a column missing or of another kind.  Cost: 0.2 us a row."""
    parquet = _package("pyarrow.parquet", path)
    arrow = _package("pyarrow", path)
    progress.phase("reading columns")
    with path.open("rb") as file:
        try:
            table = _valid(parquet.ParquetFile(file).read())
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise FormatError(path, f"not a Parquet file that can be read: {error}") from error
    return _history(arrow, path, "parquet", table)


def _valid(table: Any) -> Any:
    """The table, if what it says of its own buffers is true: a damaged file may lead anywhere.

    Raises arrow.ArrowException; ValueError: a name or a text is no UTF-8.
    """
    table.validate(full=True)
    return table.select(table.column_names)  # decodes the names


def _package(name: str, path: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"{path}: this format needs pyarrow, which is not installed: pip install 'm4alloc[arrow]'"
        ) from error


def _arrow_table(arrow: Any, table: Table, progress: Progress) -> Any:
    progress.phase("writing columns")
    codes = list(FUNCTIONS)
    place = np.zeros(256, np.int8)
    place[codes] = np.arange(len(codes))
    columns = {"function": _dictionary(arrow, place[table.function], list(FUNCTIONS.values()))}
    for name in NUMBERS:
        values = table.numbers[name]
        columns[name] = arrow.array(values, mask=values == -1 if name in UNKNOWN else None)
    marked = table.function == Function.LABEL
    columns["label"] = arrow.DictionaryArray.from_arrays(
        arrow.array(table.label.astype(np.int32), mask=~marked), arrow.array(["", *table.labels], arrow.string())
    )
    columns["block"] = arrow.array(table.block, mask=table.block < 0)
    made = arrow.table(columns)
    return made.replace_schema_metadata({META: json.dumps(dict(table.meta))})


def _dictionary(arrow: Any, indices: Any, values: list[str]) -> Any:
    return arrow.DictionaryArray.from_arrays(arrow.array(indices), arrow.array(values, arrow.string()))


def _history(arrow: Any, path: Path, format: str, table: Any) -> History:
    metadata = table.schema.metadata or {}
    table = table.rename_columns([name.strip().lower() for name in table.column_names])
    notes = check_columns(path, table.column_names)
    columns = {name: _column(arrow, path, table, name) for name in NUMBERS}
    texts = _texts(arrow, path, table, "function").to_pylist()
    if None in texts:
        raise FormatError(path, f"row {texts.index(None) + 1}: no function")
    try:
        function = function_numbers([text.lower() for text in texts])
    except UnknownFunctionError as error:
        raise FormatError(path, f"row {error.row + 1}: {error}") from error
    label = np.zeros(len(function), np.int64)
    labels: dict[str, int] = {}
    if "label" in table.column_names:
        marks = _texts(arrow, path, table, "label").to_pylist()
        for place, text in enumerate(marks):
            if text:
                if function[place] != Function.LABEL or "\0" in text:
                    raise FormatError(path, f"row {place + 1}: only a label has a text, and no NUL: {text!r}")
                label[place] = labels.setdefault(text, len(labels) + 1)
    meta = meta_of(path, metadata[META]) if META in metadata else {}
    made = Table(function, columns, label, tuple(labels), np.zeros(0, np.int64), meta)
    return history_of(path, format, made).note(*notes)


def _nanoseconds(arrow: Any, column: Any) -> Any:
    """Durations and moments, in whatever unit, as numbers."""
    made = arrow.duration("ns") if arrow.types.is_duration(column.type) else arrow.timestamp("ns", column.type.tz)
    return column.cast(made).cast(arrow.int64())


def _texts(arrow: Any, path: Path, table: Any, name: str) -> Any:
    try:
        return table[name].cast(arrow.string())
    except arrow.ArrowException as error:
        raise FormatError(path, f"column {name}: expected texts, found {table[name].type}") from error


def _column(arrow: Any, path: Path, table: Any, name: str) -> Any:
    """A column of numbers as numpy has it, with what is not known filled in."""
    kind = NUMBERS[name]
    default = DEFAULTS.get(name, 0)
    if name not in table.column_names:
        return np.full(len(table), default, kind)
    try:
        column = table[name]
        if arrow.types.is_duration(column.type) or arrow.types.is_timestamp(column.type):
            column = _nanoseconds(arrow, column)
        column = column.cast(arrow.from_numpy_dtype(kind)).fill_null(default)
    except arrow.ArrowException as error:
        raise FormatError(
            path, f"column {name}: expected {np.dtype(kind)}, found {table[name].type}: {error}"
        ) from error
    return column.combine_chunks().to_numpy(zero_copy_only=False)
