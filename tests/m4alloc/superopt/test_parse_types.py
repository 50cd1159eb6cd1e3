"""m4alloc.superopt.parse_types: types and metadata nodes as data."""

from __future__ import annotations

import pytest

from m4alloc.superopt.ir import VOID, Float, Int, OpaqueType, Pointer, Struct, Type, Vector
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.parse_types import Context, parse_type

TYPES: dict[str, Type] = {
    "i1": Int(1),
    "i128": Int(128),
    "i129": OpaqueType("i129"),
    "ptr": Pointer(),
    "ptr addrspace(200)": Pointer(200),
    "double": Float("double"),
    "void": VOID,
    "<4 x i8>": Vector(4, Int(8)),
    "<2 x ptr addrspace(1)>": Vector(2, Pointer(1)),
    "<vscale x 4 x i32>": OpaqueType("<vscale x 4 x i32>"),
    "{ i8, { i1 } }": Struct((Int(8), Struct((Int(1),)))),
    "[2 x [3 x i8]]": OpaqueType("[2 x [3 x i8]]"),
    "<{ i8, i32 }>": OpaqueType("<{ i8, i32 }>"),
    'target("aarch64.svcount")': OpaqueType('target("aarch64.svcount")'),
}


@pytest.mark.parametrize("text", TYPES)
def test_a_type_is_read_and_written(text: str) -> None:
    assert parse_type(text) == TYPES[text]
    assert str(TYPES[text]) == text


@pytest.mark.parametrize("text", ["", "i8 i8", "int", "<4 i8>", "{ i8"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(IrError):
        parse_type(text)


def test_a_node_that_leads_to_itself_stays_a_reference() -> None:
    context = Context(nodes={"!0": "!{!1}", "!1": "!{!0, i8 1}", "!2": "!{i8 1}", "!3": "!{!2, null}"})
    assert context.node("!0") == "!0"
    assert context.node("!3") == "!{!{i8 1}, null}"
