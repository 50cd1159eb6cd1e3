"""The definitions of x86 operations, held against the processor for every pair of bytes."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from m4alloc.superopt.idioms_tables import Arithmetic, Leaf, Sum
from m4alloc.superopt.idioms_x86 import OPERATIONS, operation
from m4alloc.superopt.parse import parse_function

FLAGS = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
X, Y = Leaf("x", 0), Leaf("y", 0)
Bytes: TypeAlias = NDArray[np.uint8]
EXTREMES = (0, 1, 127, 128, 129, 255)

CHILD = """
import ctypes, sys
from m4alloc.superopt import toolchain
name, operand, result, size = sys.argv[1:]
size = int(size)
text = f'''define void @f(ptr %a, ptr %b, ptr %r) {{
  %x = load {operand}, ptr %a, align 1
  %y = load {operand}, ptr %b, align 1
  %z = call {result} @{name}({operand} %x, {operand} %y)
  store {result} %z, ptr %r, align 1
  ret void
}}'''
native = toolchain.native(text)
call = native.callable("f", None, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t)
given = sys.stdin.buffer.read()
half = len(given) // 2
buffer, out = ctypes.create_string_buffer(given, len(given)), ctypes.create_string_buffer(half)
a, r = ctypes.addressof(buffer), ctypes.addressof(out)
for at in range(0, half, size):
    call(a + at, a + half + at, r + at)
sys.stdout.buffer.write(out.raw)
"""


def run(name: str, element: int, result: int, a: Bytes, b: Bytes) -> bytes:
    """What the processor gives for rows of operands, in a process of its own; element, result: bits of their lanes."""
    if "avx2" not in FLAGS.split():
        pytest.skip("the processor has no AVX2")
    bits = 8 * a.shape[1]
    types = [f"<{bits // width} x i{width}>" for width in (element, result)]
    words = [sys.executable, "-c", CHILD, name, *types, str(a.shape[1])]
    return subprocess.run(words, input=a.tobytes() + b.tobytes(), capture_output=True, check=True).stdout


def pairs(width: int) -> tuple[Bytes, Bytes]:
    """Every pair of bytes, in rows of `width`."""
    x, y = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8), indexing="ij")
    return x.reshape(-1, width), y.reshape(-1, width)


def table(value: Sum) -> NDArray[np.int64]:
    """The value for every x and y."""
    total = np.zeros((256, 256), np.int64)
    for leaves, entries in value.tables.items():
        total += entries.reshape([256 if leaf in leaves else 1 for leaf in (X, Y)])
    return total


@pytest.mark.parametrize(
    ("name", "size"),
    [("llvm.x86.avx2.psign.b", 32), pytest.param("llvm.x86.ssse3.psign.b.128", 16, marks=pytest.mark.campaign)],
)
def test_psignb_is_defined_as_the_processor_does_it(name: str, size: int) -> None:
    native = np.frombuffer(run(name, 8, 8, *pairs(size)), np.int8).reshape(256, 256)
    arithmetic = Arithmetic()
    (lane,) = OPERATIONS[name](arithmetic, (arithmetic.byte(X),), (arithmetic.byte(Y),))
    assert (native == table(lane)).all()


@pytest.mark.parametrize(
    ("name", "size"),
    [("llvm.x86.avx2.pmadd.ub.sw", 32), pytest.param("llvm.x86.ssse3.pmadd.ub.sw.128", 16, marks=pytest.mark.campaign)],
)
def test_pmaddubsw_is_defined_as_the_processor_does_it(name: str, size: int) -> None:
    """Every product of two bytes beside the product of two of EXTREMES."""
    beside = list(product(EXTREMES, EXTREMES))
    left, right = [], []
    for a, b in beside:
        for rows, bytes_, other in zip((left, right), pairs(size // 2), (a, b), strict=True):
            mixed = np.full((len(bytes_), size), other, np.uint8)
            mixed[:, 0::2] = bytes_
            rows.append(mixed)
    made = run(name, 8, 16, np.concatenate(left), np.concatenate(right))
    native = np.frombuffer(made, np.int16).reshape(len(beside), 256, 256)
    arithmetic = Arithmetic()
    x, y = arithmetic.byte(X), arithmetic.byte(Y)
    for (a, b), values in zip(beside, native, strict=True):
        lanes = OPERATIONS[name](
            arithmetic, (x, arithmetic.constant(8, a)), (y, arithmetic.constant(8, b))
        )  # fmt: skip
        assert (values == table(lanes[0])).all()


@pytest.mark.parametrize(("name", "size"), [("llvm.x86.avx2.pmadd.wd", 32), ("llvm.x86.sse2.pmadd.wd", 16)])
@pytest.mark.parametrize("high", [*(pytest.param(at, marks=pytest.mark.campaign) for at in (0, 127, 128)), 255])
def test_pmaddwd_is_defined_as_the_processor_does_it(name: str, size: int, high: int) -> None:
    """Words whose low bytes are all pairs and whose high bytes are the same, beside the lowest word squared."""
    operands = []
    for bytes_ in pairs(size // 4):
        words = np.full((len(bytes_), size // 2), 0x8000, np.uint16)
        words[:, 0::2] = bytes_.astype(np.uint16) | high << 8
        operands.append(words.view(np.uint8))
    native = np.frombuffer(run(name, 16, 32, *operands), np.int32).reshape(256, 256)
    arithmetic = Arithmetic()
    lowest, top = arithmetic.constant(16, 0x8000), arithmetic.constant(8, high)
    x, y = (arithmetic.joined((arithmetic.byte(leaf), top)) for leaf in (X, Y))
    lanes = OPERATIONS[name](arithmetic, (x, lowest), (y, lowest))
    assert (native == table(lanes[0])).all()


@pytest.mark.parametrize(
    ("name", "size"),
    [("llvm.x86.avx2.phadd.d", 32), pytest.param("llvm.x86.ssse3.phadd.d.128", 16, marks=pytest.mark.campaign)],
)
def test_phaddd_is_defined_as_the_processor_does_it(name: str, size: int) -> None:
    numbers = np.array([1 << k for k in range(size // 2)], np.int32).reshape(2, -1)
    operands = [row.view(np.uint8).reshape(1, -1) for row in numbers]
    native = np.frombuffer(run(name, 32, 32, *operands), np.int32).tolist()
    arithmetic = Arithmetic()
    a, b = (tuple(arithmetic.constant(32, int(number)) for number in row) for row in numbers)
    assert [lane.constant for lane in OPERATIONS[name](arithmetic, a, b)] == native


def test_a_call_is_read_from_the_text_it_is_kept_as() -> None:
    text = """define <16 x i16> @f(<32 x i8> %v) {
      %r = call <16 x i16> @llvm.x86.avx2.pmadd.ub.sw(<32 x i8> splat (i8 8), <32 x i8> %v)
      ret <16 x i16> %r
    }"""
    found = operation(parse_function(text).blocks[0].instructions[0])
    assert found is not None
    name, (constant, argument) = found
    assert name == "llvm.x86.avx2.pmadd.ub.sw"
    assert {element.value for element in constant.elements} == {8}  # type: ignore[union-attr]
    assert argument.name == "v"  # type: ignore[union-attr]


def test_another_call_is_not_taken_for_one() -> None:
    text = """declare i32 @g(i32)
    define i32 @f(i32 %v) {
      %r = call i32 @g(i32 %v)
      ret i32 %r
    }"""
    assert operation(parse_function(text, "f").blocks[0].instructions[0]) is None
