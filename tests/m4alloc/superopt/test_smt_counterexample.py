"""Counterexamples say the input, the memory, and what both sides do; they hold when they are tried."""

from __future__ import annotations

import re

import pytest

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.generate import PLAIN, functions
from m4alloc.superopt.generate_mutants import mutants
from m4alloc.superopt.interpret_memory import Memory
from m4alloc.superopt.interpret_ops import POISON
from m4alloc.superopt.interpret_run import outcomes
from m4alloc.superopt.verdict import Counterexample, Outcome
from tests.m4alloc.superopt.pairs import REJECT, Pair
from tests.m4alloc.superopt.test_equivalence import UNDECIDED, body, check


def shown(a: str, b: str, **options: bool) -> Counterexample:
    """The counterexample."""
    verdict = check(a, b, **options)
    assert verdict.counterexample is not None, verdict
    return verdict.counterexample


def test_poison_and_undef_inputs_are_named() -> None:
    found = shown(body("i8 @f(i8 %x)", "%r = freeze i8 %x", "ret i8 %r"), body("i8 @f(i8 %x)", "ret i8 %x"))
    assert found.inputs == (("x", "poison"),)
    assert found.target == "poison"
    found = shown(body("i8 @f(i8 %x)", "%r = shl i8 %x, 1", "ret i8 %r"),
                  body("i8 @f(i8 %x)", "%r = add i8 %x, %x", "ret i8 %r"))  # fmt: skip
    assert found.inputs == (("x", "undef"),)


def test_undefined_behaviour_is_named() -> None:
    found = shown(
        body("i8 @f(i8 noundef %x)", "ret i8 1"), body("i8 @f(i8 noundef %x)", "%r = udiv i8 %x, %x", "ret i8 %r")
    )
    assert (found.inputs, found.source, found.target) == ((("x", "0"),), "1", "undefined behaviour")


def test_pointers_are_shown_by_block_and_offset_and_bytes_of_memory_by_address() -> None:
    found = shown(body("void @f(ptr noundef %p)", "store i8 1, ptr %p", "ret void"),
                  body("void @f(ptr noundef %p)", "store i8 3, ptr %p", "ret void"))  # fmt: skip
    assert re.fullmatch(r"0x[0-9a-f]+ \(block 1, offset \d+\)", dict(found.inputs)["p"])
    assert re.fullmatch(r"\[0x[0-9a-f]+\] = 1", found.source)
    assert re.fullmatch(r"\[0x[0-9a-f]+\] = 3", found.target)


def test_the_memory_that_is_read_is_shown() -> None:
    found = shown(body("i8 @f(ptr noundef %p)", "%v = load i8, ptr %p", "ret i8 %v"),
                  body("i8 @f(ptr noundef %p)", "%v = load i8, ptr %p", "%r = add i8 %v, 1", "ret i8 %r"))  # fmt: skip
    assert len(found.memory) == 1
    assert str(found).startswith("p = 0x")


def test_accesses_of_shared_memory_are_shown_in_order() -> None:
    a = body("void @f(ptr noundef %p)", "store i8 1, ptr %p", "store i8 2, ptr %p", "ret void")
    b = body("void @f(ptr noundef %p)", "store i8 2, ptr %p", "ret void")
    found = shown(a, b, shared=True)
    assert re.fullmatch(r"\(store 1 at (0x\w+) = 1; store 1 at \1 = 2\)", found.source)
    assert re.fullmatch(r"\(store 1 at 0x\w+ = 2\)", found.target)


def test_vectors_are_shown_lane_by_lane() -> None:
    found = shown(body("<2 x i8> @f(<2 x i8> noundef %x)", "ret <2 x i8> %x"),
                  body("<2 x i8> @f(<2 x i8> noundef %x)", "ret <2 x i8> <i8 1, i8 poison>"))  # fmt: skip
    assert re.fullmatch(r"<\d+, \d+>", found.source)
    assert found.target == "<1, poison>"


DECIDED = [pair for pair in REJECT if pair.name not in UNDECIDED]


@pytest.mark.parametrize("pair", DECIDED[::5], ids=lambda pair: pair.name)
def test_both_sides_of_a_counterexample_differ(pair: Pair) -> None:
    found = shown(pair.a, pair.b)
    assert found.source != found.target


def test_the_interpreter_confirms_counterexamples_of_random_mutants() -> None:
    confirmed = 0
    for number, function in enumerate(functions(9, 40, 6, 4, PLAIN)):
        for mutant, _ in mutants(function, number, 1):
            verdict = refines(function, mutant)
            if verdict.outcome is not Outcome.COUNTEREXAMPLE or verdict.counterexample is None:
                continue
            given = tuple(frozenset({int(value)}) for _, value in verdict.counterexample.inputs)
            theirs, ours = (outcomes(one, given, Memory({})) for one in (function, mutant))
            assert isinstance(theirs, frozenset)
            assert theirs != ours
            values = {element for outcome in theirs for element in (outcome.value or ())}
            assert POISON not in values
            confirmed += 1
    assert confirmed > 10
