from __future__ import annotations

import re

import pytest

from spec.ltl.parser import parse
from spec.model.catalogue import program
from spec.model.execution import Execution
from spec.model.reader import read
from spec.model.search import check
from spec.model.system import Verdict
from spec.model.vocabulary import PropositionError, refuse_unknown, vocabulary, with_locations

TURNS = """
model turns
var turn: 0..1 = 0
process p[i: 0..1] { loop { waits: await turn == i; inside: turn = 1 - i } }
process once { for k in 0..1 { again: skip } }
predicate second = turn == 1
"""


def test_a_formula_may_speak_of_locations_that_the_model_does_not_speak_of() -> None:
    formula = parse('[]!("p[0]@inside" && "p[1]@inside")')
    model = with_locations(read(TURNS), [formula])
    assert [name for name, _ in model.predicates] == ["second", "p[0]@inside", "p[1]@inside"]
    assert check(Execution(model), formula).verdict is Verdict.HOLDS
    same = read(TURNS + f"property q: {formula}")
    assert model.predicates == same.predicates
    assert check(Execution(same), formula).states == check(Execution(model), formula).states


def test_a_location_that_is_copied_is_any_of_its_copies() -> None:
    formula = parse('"once@again" W "once@end"')
    model = with_locations(read(TURNS), [formula])
    assert check(Execution(model), formula).verdict is Verdict.HOLDS
    assert check(Execution(model), parse('[]"once@again"')).verdict is Verdict.VIOLATED


def test_a_program_that_has_all_of_it_stays_as_it_is() -> None:
    model = read(TURNS)
    assert with_locations(model, [parse("[]<>second"), parse("[]!free")]) is model


def test_events_of_allocators_are_false_where_nothing_raises_them() -> None:
    model = read(TURNS)
    assert {"malloc", "free", "access", "mem_free_end"} <= vocabulary(model)
    assert check(Execution(model), parse("[]!(malloc || mem_free_end)")).verdict is Verdict.HOLDS
    assert check(Execution(model), parse("<>malloc")).verdict is Verdict.VIOLATED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]secnod", "the model turns has no proposition secnod; did you mean second?"),
        ("[]acess", "the model turns has no proposition acess; did you mean access?"),
        (
            "[]x",
            "the model turns has no proposition x; it has second, the events of allocators, and locations in quotes",
        ),
        ('[]"q@inside"', "the model turns has no process q; it has p[0], p[1], once"),
        ('[]"p@inside"', "the model turns has no process p; it has p[0], p[1], once"),
        ('[]"p[0]@insde"', "the model turns: p[0] has no location insde; it has inside, waits"),
    ],
)
def test_what_is_unknown_is_named_with_what_is_right(text: str, message: str) -> None:
    with pytest.raises(PropositionError, match="^" + re.escape(message) + "$"):
        with_locations(read(TURNS), [parse(text)])


def test_a_search_of_a_model_refuses_what_the_model_does_not_have() -> None:
    with pytest.raises(PropositionError, match="the model peterson has no proposition critical2; did you mean"):
        check(Execution(program("peterson")), parse("[]!critical2"))
    with pytest.raises(PropositionError, match="no proposition mine"):
        check(Execution(program("peterson")), parse("[]!critical1"), assumptions=[parse("mine")])
    refuse_unknown(program("peterson"), ["critical1", "free"])
