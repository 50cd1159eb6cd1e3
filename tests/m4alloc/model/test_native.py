from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numba", reason="pip install 'm4alloc[fast]'")
import numba
from llvmlite import ir

from m4alloc.model import engine, native
from m4alloc.model.native import Native, call1, call3, kept


def summing(arguments: int) -> Native:
    """A function `sum` that adds the numbers its pointers point to."""
    word = ir.IntType(64)
    module = ir.Module(name="sums")
    function = ir.Function(module, ir.FunctionType(word, [word.as_pointer()] * arguments), name="sum")
    builder = ir.IRBuilder(function.append_basic_block())
    total = ir.Constant(word, 0)
    for argument in function.args:
        total = builder.add(total, builder.load(argument))
    builder.ret(total)
    return Native(module)


def test_compiled_functions_call_machine_code_by_its_address() -> None:
    one, three = summing(1), summing(3)
    numbers = (ctypes.c_int64 * 3)(5, 70, -2)
    first = ctypes.addressof(numbers)

    @numba.njit
    def both(address1: int, address3: int, at: int) -> tuple[int, int]:
        return call1(address1, at), call3(address3, at, at + 8, at + 16)

    assert both(one.address("sum"), three.address("sum"), first) == (5, 73)


def test_where_nothing_can_be_written_functions_are_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_a_place(**options: Any) -> Callable[[Any], Any]:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(**options)  # type: ignore[no-any-return]

    monkeypatch.setattr(native, "njit", without_a_place)
    assert kept(lambda number: number + 1)(41) == 42


def test_what_was_kept_before_a_file_changed_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept:
        class stats:  # noqa: N801  (numba's name)
            cache_path = str(tmp_path)

    monkeypatch.setattr(engine, "nested", Kept)
    old, new, other = (tmp_path / name for name in ("engine.old.nbi", "engine.new.nbi", "table.old.nbi"))
    for file in (old, new, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (1, 1))
    engine._forget_stale()
    assert not old.exists()
    assert new.exists()
    assert other.exists()
