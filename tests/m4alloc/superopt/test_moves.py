"""Tests of m4alloc.superopt.moves: every move keeps the meaning, and finding one at random finds no other than all."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.match import applications
from m4alloc.superopt.moves import GROWTH, Rewriting, key, starts
from m4alloc.superopt.problem import Problem
from m4alloc.superopt.rule import Rule
from tests.m4alloc.superopt.rewriting_cases import FEW, LOWEST, PARTS, problem


def test_each_move_is_a_refinement() -> None:
    for text in (LOWEST, PARTS):
        asked = problem(text)
        steps = [FEW.taken(asked.source, move, asked) for move in FEW.moves(asked.source)]
        assert sum(step is not None for step in steps) >= 1
        for step in steps:
            assert step is None or refines(asked.source, step.result).accepted


def test_moves_are_found_once() -> None:
    calls: list[Function] = []

    def counted(function: Function, rules: Sequence[Rule], facts: Sequence[Fact]) -> Iterable[object]:
        calls.append(function)
        return applications(function, rules, facts)

    rewriting = Rewriting(FEW.rules, counted)  # type: ignore[arg-type]
    source = problem(PARTS).source
    assert rewriting.moves(source) is rewriting.moves(source) and calls == [source]


def test_a_move_at_random_is_one_of_all_and_each_of_them_comes() -> None:
    source = problem("define i8 @f(i8 %x) { %a = add i8 %x, %x %b = add i8 %a, %a ret i8 %b }").source
    everything = {(move.rule.name, move.at) for move in FEW.moves(source)}
    rng = random.Random(0)
    found = {(move.rule.name, move.at) for _ in range(60) if (move := FEW.some(source, (), rng)) is not None}
    assert found == everything and len(everything) >= 2


def test_where_nothing_applies_there_is_no_move() -> None:
    source = problem("define i8 @f(i8 %x) { %a = mul i8 %x, 9 ret i8 %a }").source
    assert FEW.moves(source) == () and FEW.some(source, (), random.Random(0)) is None


def test_what_is_opaque_is_left_alone() -> None:
    source = problem("define i8 @f(i8 %x) { %a = add i8 %x, %x fence seq_cst ret i8 %a }").source
    assert source.is_opaque and FEW.moves(source) == () and FEW.some(source, (), random.Random(0)) is None


def test_a_move_to_something_far_larger_is_no_step() -> None:
    asked = problem(PARTS)
    large = "".join(
        f"%s{at} = mul i8 %x, {at + 3} %t{at} = xor i8 %{f't{at - 1}' if at else 'x'}, %s{at} " for at in range(9)
    )
    larger = problem(f"define i8 @f(i8 noundef %x, i8 noundef %y) {{ {large} ret i8 %t8 }}").source
    assert larger.size > asked.source.size + GROWTH

    def grown(function: Function, rules: Sequence[Rule], facts: Sequence[Fact]) -> Iterable[object]:
        yield FEW.rules[0], "%r", lambda: larger

    rewriting = Rewriting(FEW.rules, grown)  # type: ignore[arg-type]
    assert rewriting.taken(asked.source, rewriting.moves(asked.source)[0], asked) is None


def test_a_search_begins_at_the_source_the_cleaned_one_and_each_seed_once() -> None:
    source = problem("define i8 @f(i8 %x) { %d = mul i8 %x, 3 %a = add i8 %x, 1 ret i8 %a }").source
    seed = problem("define i8 @f(i8 %x) { %a = sub i8 %x, -1 ret i8 %a }").source
    found = starts(Problem(source, seeds=(seed, seed)), FEW)
    assert [len(steps) for _, steps in found] == [0, 1, 1]
    assert [key(function) for function, _ in found] == [key(source), key(FEW.cleaned(source)), key(seed)]
