"""Tests of m4alloc.superopt.saturate: what egglog is told, and what it finds where it is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.rule import Rule
from m4alloc.superopt.saturate import Saturation, SaturationError, decoded, encoded, rewrites
from tests.m4alloc.superopt.rewriting_cases import ALREADY, FEW, LOWEST, PARTS, judge

needs_egglog = pytest.mark.skipif(find_spec("egglog") is None, reason="egglog is not installed")


def told(pattern: str, replacement: str, condition: str = "True", needs: tuple[str, ...] = ()) -> list[str]:
    """What egglog is told of one rule."""
    return rewrites([Rule("r", "bits", pattern, replacement, "", condition, needs)])[len(rewrites([])) :]


def test_a_rule_holds_at_every_width() -> None:
    assert told("(xor (sub 0 x) -1)", "(add x -1)") == [
        '(rewrite (Bin "xor" w0 (Bin "sub" w0 (Const w0 0) x) (Const w0 -1)) (Bin "add" w0 x (Const w0 -1)))'
    ]
    assert told("(select (icmp ugt x y) x y)", "(umax x y)") != []


def test_a_rule_that_needs_anything_is_left_out() -> None:
    assert told("(mul x C)", "(shl x {log2(C)})", "ispow2(C)") == []
    assert told("(add (add x C1) C2)", "(add x {C1 + C2})") == []
    assert told("(shl x 1)", "(add x x)", needs=("notundef(x)",)) == []
    assert told("(add nsw x 0)", "x") == []


def test_a_function_comes_back_as_it_was_told() -> None:
    source = parse_function(LOWEST)
    lines = list(encoded(source))
    assert lines[0] == '(let $v0 (Bin "sub" 8 (Const 8 0) (Arg "0" 8)))'
    term = '(Bin "sub" 8 (Arg "0" 8) (Bin "and" 8 (Arg "0" 8) (Bin "sub" 8 (Const 8 0) (Arg "0" 8))))'
    assert refines(source, decoded(term, source)).accepted and decoded(term, source).size == 3


def test_equal_parts_become_one_instruction() -> None:
    source = parse_function(PARTS)
    part = '(Bin "or" 8 (Arg "0" 8) (Arg "1" 8))'
    assert decoded(f'(Bin "add" 8 {part} {part})', source).size == 2


def test_comparisons_casts_choices_and_intrinsics_are_in_the_language() -> None:
    body = (
        "%c = icmp ult i8 %x, %y %w = zext i8 %x to i16 %t = trunc i16 %w to i8 "
        "%m = call i8 @llvm.umin.i8(i8 %t, i8 %y) "
        "%n = call i8 @llvm.ctlz.i8(i8 %m, i1 false) %r = select i1 %c, i8 %n, i8 %x ret i8 %r"
    )
    source = parse_function(f"define i8 @f(i8 %x, i8 %y) {{ {body} }}")
    lines = list(encoded(source))
    known = {f"$v{number}": line.split(" ", 2)[2][:-1] for number, line in enumerate(lines[:-1])}
    term = "$v5"
    for _ in range(8):
        for name, text in known.items():
            term = term.replace(name, text)
    assert refines(source, decoded(term, source)).accepted


def test_memory_branches_and_freeze_are_refused() -> None:
    for body in ("%a = load i8, ptr %p ret i8 %a", "%a = freeze i8 %x ret i8 %a"):
        with pytest.raises(SaturationError):
            list(encoded(parse_function(f"define i8 @f(i8 %x, ptr %p) {{ {body} }}")))
    with pytest.raises(SaturationError, match="has 2 blocks"):
        list(encoded(parse_function("define i8 @f(i8 %x) { br label %b\nb: ret i8 %x }")))


@pytest.mark.skipif(find_spec("egglog") is not None, reason="egglog is installed")
def test_without_it_the_error_says_how_to_get_it() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'm4alloc\[saturate\]'"):
        Saturation(FEW.rules).run(judge(PARTS), 0)


def test_importing_the_module_does_not_import_egglog() -> None:
    program = "import sys, m4alloc.superopt.saturate; print('egglog' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


@needs_egglog
def test_it_finds_what_is_behind_a_function_that_is_as_dear() -> None:
    rules = (*FEW.rules, Rule("sub as not", "bits", "(xor (sub 0 x) -1)", "(sub x 1)", ""))
    for text, least in ((PARTS, 1), (LOWEST, 2), (ALREADY, 1)):
        asked = judge(text)
        Saturation(rules).run(asked, 0)
        assert asked.best.cost.ir == least, text


@needs_egglog
def test_what_it_cannot_be_told_is_counted() -> None:
    asked = judge("define i8 @f(ptr %p) { %a = load i8, ptr %p ret i8 %a }")
    Saturation(FEW.rules).run(asked, 0)
    assert asked.tally.unsupported == 1
