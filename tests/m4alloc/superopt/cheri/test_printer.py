"""m4alloc.superopt.cheri.printer: programs as LLVM's text, which reads as the same program."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from m4alloc.superopt.cheri.printer import to_llvm
from m4alloc.superopt.cheri.reader import read_text
from m4alloc.superopt.parse import parse_module

CAP = "ptr addrspace(200)"
EXAMPLES = sorted(one.name for one in files("m4alloc.superopt.cheri").joinpath("examples").iterdir())
EVERYTHING = f"""define {CAP} @f({CAP} noundef %c, i64 %n, i1 noundef %t) {{
entry:
  %o = mul i64 %n, 48
  %p = lshr i64 %o, 2
  %a = getelementptr i8, {CAP} %c, i64 %p
  %b = call {CAP} @llvm.cheri.cap.bounds.set.i64({CAP} %a, i64 -1)
  %s = call {CAP} @llvm.cheri.cap.seal({CAP} %b, {CAP} %c)
  %d = call i1 @llvm.cheri.cap.subset.test({CAP} %s, {CAP} %c)
  %e = and i1 %d, %t
  %x = xor i1 %e, %t
  %g = xor i1 %x, true
  %h = select i1 %g, {CAP} %b, {CAP} null
  %v = load i64, {CAP} %h, align 1
  %w = sub i64 %v, %n
  store i64 %w, {CAP} %b, align 1
  %l = load {CAP}, {CAP} %b, align 16
  store {CAP} %l, {CAP} %b, align 16
  %i = icmp uge i64 %w, 7
  br i1 %i, label %then1, label %else1
then1:
  %j = inttoptr i64 %w to {CAP}
  ret {CAP} %j
else1:
  ret {CAP} %l
}}
"""


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_reads_as_it_prints(name: str) -> None:
    text = files("m4alloc.superopt.cheri").joinpath("examples", name).read_text(encoding="utf-8")
    program = read_text(text)
    again = read_text(to_llvm(program))
    assert (again.term, again.before, again.parameters) == (program.term, program.before, program.parameters)


def test_everything_that_is_read_is_printed_and_read_again() -> None:
    program = read_text(EVERYTHING)
    text = to_llvm(program)
    again = read_text(text)
    assert (again.term, again.before) == (program.term, program.before)
    assert to_llvm(again) == text


def test_llvm_verifies_what_is_printed() -> None:
    assert [one.name for one in parse_module(to_llvm(read_text(EVERYTHING))).functions] == ["f"]


def test_an_argument_that_may_be_undef_is_frozen_before_anything_uses_it() -> None:
    text = to_llvm(read_text(EVERYTHING))
    assert "%n.frozen = freeze i64 %n" in text and "%o = mul i64 %n.frozen, 48" in text
    assert not re.search(r"%n\b(?!\.frozen)", text.split("freeze i64 %n\n")[1])
    assert "freeze" not in to_llvm(read_text(f"define {CAP} @f({CAP} noundef %c) {{\n ret {CAP} %c\n}}"))


def test_declarations_have_no_attributes_that_llvm_could_fold_by() -> None:
    lines = [line for line in to_llvm(read_text(EVERYTHING)).splitlines() if line.startswith("declare")]
    assert lines and all(re.fullmatch(r"declare [\w() ]+ @llvm\.cheri\.[\w.]+\([\w(), ]*\)", line) for line in lines)
