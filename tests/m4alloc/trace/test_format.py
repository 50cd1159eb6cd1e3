"""The documented layout, numpy's and the recorder's C structures are one."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import numpy as np
import pytest

from m4alloc.trace import format as layout
from m4alloc.trace.format import HEADER, RECORD, TEXT, EndReason
from spec.event import ACCESSING, ERRNO_CHANGED, MISUSE_CAUGHT, Function

ROOT = Path(__file__).resolve().parents[3]
DECLARATIONS = (ROOT / "m4alloc" / "_record_layout.pxd").read_text()
PAGE = (ROOT / "docs" / "trace-format.md").read_text()
C_TYPES = {
    "char": ctypes.c_char,
    "uint8_t": ctypes.c_uint8,
    "uint16_t": ctypes.c_uint16,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
    "int64_t": ctypes.c_int64,
}
RENAMED = {"error": "errno"}
"""errno is a macro in C."""

Layout = list[tuple[str, int, int]]


def of_numpy(kind: np.dtype[np.void]) -> Layout:
    assert kind.fields is not None
    return [(name, offset, field.itemsize) for name, (field, offset, *_) in kind.fields.items()]


def of_c(struct: str) -> Layout:
    """The layout that the C compiler gives the structure, by ctypes."""
    body = re.search(rf"^cdef struct {struct}:.*?\n((?:    .*\n)+)", DECLARATIONS, re.MULTILINE)
    assert body is not None
    fields: list[tuple[str, type]] = []
    for kind, name, count in re.findall(r"^    (\w+) (\w+)(?:\[(\d+)\])?", body[1], re.MULTILINE):
        fields.append((RENAMED.get(name, name), C_TYPES[kind] * int(count) if count else C_TYPES[kind]))
    compiled = type(struct, (ctypes.Structure,), {"_fields_": fields})
    return [(name, getattr(compiled, name).offset, getattr(compiled, name).size) for name, _ in fields]


def of_page(heading: str) -> Layout:
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\w+) \|", section, re.MULTILINE)
    return [(name, int(offset), int(size)) for offset, size, name in rows]


def enum_in_c(name: str) -> dict[str, int]:
    body = re.search(rf"^cdef enum {name}:.*\n((?:    .*\n)+)", DECLARATIONS, re.MULTILINE)
    assert body is not None
    return {word: int(value) for word, value in re.findall(r'^    (\w+)(?: "\w+")? = (\d+)', body[1], re.MULTILINE)}


def constants_in_c() -> dict[str, int]:
    return {word: int(value) for word, value in re.findall(r"^    ([A-Z_]+) = (\d+)", DECLARATIONS, re.MULTILINE)}


@pytest.mark.parametrize(
    ("name", "kind", "heading"),
    [("Header", HEADER, "Header"), ("Record", RECORD, "Record"), ("Text", TEXT, "Label texts")],
)
def test_numpy_c_and_the_page_agree_on_every_field(name: str, kind: np.dtype[np.void], heading: str) -> None:
    assert len(of_numpy(kind)) >= 7
    assert of_c(name) == of_numpy(kind)
    assert of_page(heading) == of_numpy(kind)


def test_the_sizes_are_those_of_version_1() -> None:
    assert (HEADER.itemsize, RECORD.itemsize, TEXT.itemsize) == (4096, 88, 88)
    assert {TEXT.fields[name] for name in ("begin", "end", "function")} == {  # type: ignore[index]
        RECORD.fields[name]  # type: ignore[index]
        for name in ("begin", "end", "function")
    }
    constants = constants_in_c()
    assert (constants["HEADER_SIZE"], constants["RECORD_SIZE"]) == (layout.HEADER_SIZE, layout.RECORD_SIZE)
    assert (layout.HEADER_SIZE, layout.RECORD_SIZE) == (4096, 88)
    assert constants["VERSION"] == layout.VERSION == 1


def test_c_and_python_number_functions_flags_and_end_reasons_alike() -> None:
    functions = enum_in_c("Function")
    assert functions == {function.name: int(function) for function in Function if function not in ACCESSING}
    assert enum_in_c("Flag") == {"ERRNO_CHANGED": ERRNO_CHANGED, "MISUSE_CAUGHT": MISUSE_CAUGHT}
    assert enum_in_c("EndReason") == {reason.name: int(reason) for reason in EndReason}


def test_the_page_names_every_end_reason() -> None:
    for reason in EndReason:
        assert f"{int(reason)} {reason.name.lower().replace('_', '-')}" in PAGE


def test_only_exit_and_running_are_complete() -> None:
    assert [reason for reason in EndReason if reason.is_complete] == [EndReason.RUNNING, EndReason.EXIT]


def test_the_page_shows_the_magic() -> None:
    assert f"`{layout.MAGIC.hex(' ')}`" in PAGE


def test_chunks_of_records_begin_where_the_last_one_ended() -> None:
    constants = constants_in_c()
    first, last, doublings = constants["FIRST_CHUNK"], constants["LAST_CHUNK"], constants["DOUBLINGS"]
    assert first << doublings == last
    assert first % constants["BATCH"] == 0, "no batch lies in two chunks"
