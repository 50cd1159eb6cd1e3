"""Tests of m4alloc.superopt.features: fixed lengths, bounds, and that what matters can be told apart."""

from __future__ import annotations

import numpy as np

from m4alloc.superopt.features import (
    ACTION,
    FEATURES,
    FUNCTION,
    MOST,
    Places,
    Standing,
    action_row,
    depths,
    function_row,
    stop_row,
)
from m4alloc.superopt.ir import VOID, Argument, Block, Function, Instruction, Int, Vector, constant
from m4alloc.superopt.rule import Rule

BYTE = Int(8)
X = Argument("x", BYTE)
RULE = Rule("mul to shl", "strength", "(mul x C)", "(shl x {log2(C)})", "cheaper", "ispow2(C)")


def chain(length: int) -> Function:
    """x, added to itself so many times."""
    value = X.value
    body = []
    for number in range(length):
        body.append(Instruction("add", BYTE, (value, constant(BYTE, number)), f"s{number}"))
        value = body[-1].result
    return Function("f", BYTE, (X,), (Block("entry", (*body, Instruction("ret", VOID, (value,)))),))


def told(name: str, row: np.ndarray[tuple[int], np.dtype[np.float32]], names: tuple[str, ...]) -> float:
    return float(row[names.index(name)])


def test_the_names_are_told_apart() -> None:
    assert len(set(FEATURES)) == len(FEATURES) == len(FUNCTION) + len(ACTION)


def test_every_function_gives_a_row_of_the_same_length_within_bounds() -> None:
    for length in (0, 1, 7, 500):
        row = function_row(chain(length))
        assert row.shape == (len(FUNCTION),) and row.dtype == np.float32
        assert np.abs(row).max() <= MOST


def test_a_longer_chain_is_deeper_and_larger() -> None:
    short, long = function_row(chain(2)), function_row(chain(6))
    for name in ("count of add", "depth", "size"):
        assert told(name, short, FUNCTION) < told(name, long, FUNCTION)
    assert told("share of i8", long, FUNCTION) == 1.0
    assert told("steps left", function_row(chain(2), Standing(left=0.25)), FUNCTION) == 0.25


def test_depth_counts_instructions_on_the_longest_chain() -> None:
    assert depths(chain(3)) == {"x": 0, "s0": 1, "s1": 2, "s2": 3}


def test_a_place_is_known_by_its_uses_its_depth_and_whether_it_is_returned() -> None:
    places = Places.of(chain(3))
    first, last = (action_row(places, RULE, at, Standing()) for at in ("%s0", "%s2"))
    assert first.shape == (len(ACTION),)
    assert told("place is returned", last, ACTION) == 1.0 and told("place is returned", first, ACTION) == 0.0
    assert told("depth of the place", first, ACTION) < told("depth of the place", last, ACTION)


def test_a_rule_is_known_by_what_it_takes_and_gives() -> None:
    row = action_row(Places.of(chain(1)), RULE, "%s0", Standing())
    assert told("kind strength", row, ACTION) == 1.0 and told("kind fold", row, ACTION) == 0.0
    assert told("gains shl", row, ACTION) > 0.0 > told("gains mul", row, ACTION)
    assert told("is conditional", row, ACTION) == 1.0 and told("needs facts", row, ACTION) == 0.0


def test_rules_that_differ_in_name_only_differ_in_their_marks() -> None:
    other = Rule("another name", RULE.kind, RULE.pattern, RULE.replacement, RULE.reason, RULE.condition)
    places = Places.of(chain(1))
    assert (action_row(places, RULE, "%s0", Standing()) != action_row(places, other, "%s0", Standing())).any()


def test_what_was_applied_before_is_remembered() -> None:
    places = Places.of(chain(1))
    row = action_row(places, RULE, "%s0", Standing(applied=("mul to shl", "other", "mul to shl")))
    assert told("applied before", row, ACTION) == 0.5 and told("applied last", row, ACTION) == 1.0
    again = action_row(places, RULE, "%s0", Standing())
    assert told("applied before", again, ACTION) == 0.0  # the cached part is not written to


def test_to_stop_is_an_action_like_no_other() -> None:
    assert told("stop", stop_row(), ACTION) == 1.0 and stop_row().sum() == 1.0


def test_vectors_have_a_place_of_their_own() -> None:
    lanes = Vector(4, BYTE)
    value = Argument("v", lanes)
    body = Instruction("add", lanes, (value.value, value.value), "s"), Instruction("ret", VOID, (value.value,))
    row = function_row(Function("f", lanes, (value,), (Block("entry", body),)))
    assert told("share of vectors", row, FUNCTION) == 1.0
