"""Sizes and offsets are those of the 64-bit ABIs."""

from __future__ import annotations

import pytest

from m4alloc.superopt.ir import Int, Struct, Vector
from m4alloc.superopt.parse_types import parse_type
from m4alloc.superopt.smt_layout import alignment, array, bits, offsets, size, stored
from m4alloc.superopt.verdict import UnsupportedError


@pytest.mark.parametrize(
    ("text", "expected", "aligned"),
    [
        ("i1", 1, 1), ("i8", 1, 1), ("i24", 4, 4), ("i32", 4, 4), ("i48", 8, 8), ("i64", 8, 8), ("i128", 16, 16),
        ("ptr", 8, 8), ("float", 4, 4), ("half", 2, 2), ("<4 x i32>", 16, 16), ("<3 x i8>", 4, 4),
        ("[3 x i16]", 6, 2), ("[2 x [3 x i8]]", 6, 1), ("{ i8, i32 }", 8, 4), ("{ i8, ptr, i8 }", 24, 8), ("{}", 0, 1),
    ],
)  # fmt: skip
def test_size_and_alignment(text: str, expected: int, aligned: int) -> None:
    assert (size(parse_type(text)), alignment(parse_type(text))) == (expected, aligned)


def test_fields_are_aligned() -> None:
    assert list(offsets(Struct((Int(8), Int(64), Int(16))))) == [0, 8, 16, 24]


def test_only_whole_bytes_are_stored() -> None:
    assert stored(Vector(3, Int(16))) == 6
    for text in ("i1", "i20", "<8 x i1>"):
        with pytest.raises(UnsupportedError, match="not a multiple of 8 bits"):
            stored(parse_type(text))


def test_what_has_no_size_is_refused() -> None:
    assert array(Int(8)) is None
    for text in ("ptr addrspace(200)", "x86_fp80", "<{ i8, i32 }>", "%T"):
        with pytest.raises(UnsupportedError, match="not a type that is compared"):
            bits(parse_type(text))
