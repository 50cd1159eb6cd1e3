"""The kernels' operations give what the quick tests' own evaluation gives."""

import subprocess
import sys

import numpy as np
import pytest

from m4alloc.superopt.enumerate_operations import OPERATIONS, applies_to, evaluated, one
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.vectors_ops import Lanes, evaluate

WIDTHS = (1, 4, 8, 16, 31, 32, 64)


def _words(width: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    rng = np.random.default_rng(seed)
    top = 1 << (width - 1)
    edges = [word & (2 * top - 1) for word in (0, 1, 2, 3, -1, -2, top, top - 1, top + 1, width, width - 1, 5)]
    drawn = rng.integers(0, 2 * top - 1, 60, dtype=np.uint64, endpoint=True)
    return np.concatenate([np.array(edges, np.uint64), drawn, drawn >> np.uint64(width // 2)])


def _expected(code: int, width: int, a: np.ndarray, b: np.ndarray) -> Lanes | None:  # type: ignore[type-arg]
    """By ORACLE's operations; None where one is not defined at that width."""
    operation = OPERATIONS[code]
    x, y = Lanes(a), Lanes(b)
    false = Lanes(np.zeros_like(a))
    match operation.kind:
        case "binary":
            return evaluate(operation.word, (x, y), width=width)
        case "icmp":
            return evaluate("icmp", (x, y), width=1, source_width=width, predicate=operation.word)
        case "overflow":
            callee = f"llvm.{operation.word}.bit"
            return evaluate("call", (x, y), width=1, source_width=width, callee=callee)
        case "counting":
            return evaluate("call", (x, false), width=width, callee=f"llvm.{operation.word}")
        case "rotate":
            return evaluate("call", (x, x, y), width=width, callee=f"llvm.{operation.word}")
    if operation.word == "bswap" and width % 16:
        return None
    operands = (x,) if operation.arity == 1 else (x, y)
    return evaluate("call", operands, width=width, callee=f"llvm.{operation.word}")


@pytest.mark.parametrize("code", [code for code, one in OPERATIONS.items() if one.kind != "cast"])
def test_an_operation_agrees_with_the_quick_tests(code: int) -> None:
    for width in WIDTHS:
        if width == 1 and OPERATIONS[code].kind in ("three-way", "rotate", "intrinsic", "counting", "overflow"):
            continue
        a = np.repeat(_words(width, 1), 24)[:1200]
        b = np.tile(_words(width, 2), 30)[: len(a)]
        expected = _expected(code, width, a, b)
        if expected is None:
            continue
        mask = np.uint64((1 << width) - 1)
        states = [one(code, np.uint64(width), mask, x, y) for x, y in zip(a, b, strict=True)]
        lost = np.array([state for _, state in states])
        poison = np.zeros(len(a), bool) if expected.poison is None else expected.poison
        undefined = np.zeros(len(a), bool) if expected.ub is None else expected.ub
        assert ((lost == 2) == undefined).all(), width
        assert ((lost == 1) == (poison & ~undefined)).all(), width
        fine = lost == 0
        values = np.array([value for value, _ in states], np.uint64)
        assert (values[fine] == expected.value[fine]).all(), width


def test_casts_widen_and_narrow() -> None:
    a = np.array([0x80, 0x7F], np.uint64)
    assert evaluated(60, np.uint64(8), np.uint64(0xFFFF), a, None).tolist() == [0x80, 0x7F]
    assert evaluated(61, np.uint64(8), np.uint64(0xFFFF), a, None).tolist() == [0xFF80, 0x7F]
    assert evaluated(62, np.uint64(8), np.uint64(0xF), a, None).tolist() == [0, 0xF]


def test_a_funnel_shift_by_a_constant_joins_two_words() -> None:
    a, b = np.array([0x12], np.uint64), np.array([0x34], np.uint64)
    assert evaluated(100 + 4, np.uint64(8), np.uint64(0xFF), a, b).tolist() == [0x23]


def test_an_intrinsic_of_the_source_is_seen() -> None:
    source = parse_function("define i8 @f(i8 %x) { %a = call i8 @llvm.umin.i8(i8 %x, i8 3) ret i8 %a }")
    words = {OPERATIONS[code].word for code in OPERATIONS if applies_to(code, source)}
    assert words == {"umin"}


def test_without_numba_only_enumeration_is_missing_and_says_what_installs_it() -> None:
    code = (
        "import sys; sys.modules['numba'] = None; import m4alloc.superopt.run, m4alloc.superopt.pipeline as pipeline\n"
        "pipeline.search_of('rules')\ntry:\n    pipeline.search_of('enumeration')\n"
        "except ModuleNotFoundError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "enumeration needs numba: pip install 'm4alloc[superopt]'", done.stderr
