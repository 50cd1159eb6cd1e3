"""A few functions, a few rules, and a judge for the tests of searches that rewrite."""

from __future__ import annotations

from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.moves import Rewriting
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.problem import Budget, Problem
from m4alloc.superopt.rule import Rule


def rule(name: str, kind: str, pattern: str, replacement: str, condition: str = "True") -> Rule:
    return Rule(name, kind, pattern, replacement, "", condition)


FEW = Rewriting(
    (
        rule("take twice", "reassociate", "(sub x (sub x y))", "y"),
        rule("or and and", "bits", "(add (or x y) (and x y))", "(add x y)"),
        rule("less by a part", "bits", "(sub x (and x y))", "(and x (xor y -1))"),
        rule("not of negative", "bits", "(xor (sub 0 x) -1)", "(add x -1)"),
        rule("add of constants", "reassociate", "(add (add x C1) C2)", "(add x {C1 + C2})"),
        rule("double", "strength", "(add x x)", "(shl x 1)"),
        rule("halve the double", "strength", "(shl x 1)", "(add x x)"),
    )
)
"""Enough for the functions below; the last two lead in a circle."""

LOWEST = "define i8 @lowest(i8 noundef %x) { %n = sub i8 0, %x %l = and i8 %x, %n %r = sub i8 %x, %l ret i8 %r }"
"""3 instructions, 2 at best: by the rules only through a function that is as dear."""

PARTS = """define i8 @parts(i8 noundef %x, i8 noundef %y) {
  %o = or i8 %x, %y
  %a = and i8 %x, %y
  %r = add i8 %o, %a
  ret i8 %r
}"""
"""3 instructions, 1 at best, by one rule."""

ALREADY = "define i8 @already(i8 noundef %x, i8 noundef %y) { %r = xor i8 %x, %y ret i8 %r }"
"""Nothing is cheaper."""


def problem(text: str) -> Problem:
    return Problem(parse_function(text))


def judge(text: str, proposals: int = 1000, seconds: float = 10.0) -> TheJudge:
    return TheJudge(problem(text), Budget(seconds=seconds, proposals=proposals))
