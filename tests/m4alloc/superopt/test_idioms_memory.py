"""Neighbouring bytes stored together."""

from __future__ import annotations

import pytest

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.idioms_memory import wide_stores
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function


def filled(*values: str, arguments: str = "ptr noundef %p, i8 noundef %v") -> Function:
    """Stores of bytes side by side."""
    lines = []
    for k, value in enumerate(values):
        lines += [f"%p{k} = getelementptr i8, ptr %p, i64 {k}", f"store i8 {value}, ptr %p{k}, align 1"]
    body = "\n".join(lines)
    return parse_function(f"define void @f({arguments}) {{\n{body}\nret void\n}}")


def copied(attributes: str) -> Function:
    lines = []
    for k in range(4):
        lines += [f"%q{k} = getelementptr i8, ptr %q, i64 {k}", f"%v{k} = load i8, ptr %q{k}, align 1"]
        lines += [f"%p{k} = getelementptr i8, ptr %p, i64 {k}", f"store i8 %v{k}, ptr %p{k}, align 1"]
    body = "\n".join(lines)
    return parse_function(f"define void @f(ptr {attributes} noundef %p, ptr noundef %q) {{\n{body}\nret void\n}}")


def only(function: Function) -> Function:
    (form,) = wide_stores(function, function, ())
    return form


@pytest.mark.parametrize("values", [("%v",) * 4, ("%v",) * 8, ("1", "2", "3", "4")])
def test_filling_bytes_is_one_store(values: tuple[str, ...]) -> None:
    function = filled(*values)
    form = only(function)
    assert [one.opcode for one in form].count("store") == 1
    assert refines(function, form).accepted


def test_another_constant_is_refuted() -> None:
    assert refines(filled("1", "2", "3", "4"), only(filled("1", "2", "4", "3"))).exit_status == 1


@pytest.mark.campaign
def test_a_copy_is_one_access_where_nothing_overlaps() -> None:
    function = copied("noalias")
    assert refines(function, only(function)).accepted


def test_a_copy_is_refuted_where_the_two_may_overlap() -> None:
    function = copied("")
    assert refines(function, only(function), seconds=20.0).exit_status == 1


def test_a_hole_or_an_odd_count_is_left_alone() -> None:
    for function in (filled("%v", "%v", "%v"), filled("%v")):
        assert list(wide_stores(function, function, ())) == []


def test_memory_that_another_thread_sees_is_not_written_more_widely() -> None:
    function = filled(*("%v",) * 4)
    assert not refines(function, only(function), shared=True).accepted
