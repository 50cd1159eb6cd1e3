"""Following all instances at once gives each the verdict on its own slice, at the letter that decides it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spec.error import Bug
from spec.ltl.error import TooLargeError
from spec.ltl.finite import rv_ltl
from spec.ltl.formula import Formula
from spec.ltl.monitor import monitor
from spec.ltl.parametric import Index, Occurrence, Outcome, Parametric, slices
from spec.ltl.parser import parse
from spec.ltl.truth import FourTruth
from tests.spec.ltl.formulas import EVERYTHING, formulas

F1 = "(!access W malloc) && [](free -> X(!access W malloc)) && [](access -> <>free)"
NAMES = "pqr"


def occurrences() -> st.SearchStrategy[Occurrence]:
    """Events of the values a, b and c and labels, of two threads; r and s are labels, of which s is never named."""
    events = st.builds(
        Occurrence,
        st.frozensets(st.sampled_from("pq")),
        st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple),
        st.sampled_from((0, 1)),
    )
    labels = st.builds(Occurrence, st.frozensets(st.sampled_from("rs")), st.none(), st.sampled_from((0, 1, None)))
    return st.one_of(events, events, labels)


def by_definition(formula: Formula, stream: Sequence[Occurrence], index: str) -> dict[Hashable, Outcome]:
    """Each value's outcome from its slices of every prefix of the stream."""
    outcomes: dict[Hashable, Outcome] = {}
    for length in range(1, len(stream) + 1):
        for value, word in slices(stream[:length], index, formula.propositions).items():
            known = outcomes.get(value)
            if known is None or known.position is None:
                truth = rv_ltl(formula, word, weak=True)
                outcomes[value] = Outcome(value, truth, length if truth.definite else None)
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("index", Index)
@given(formula=formulas(EVERYTHING, names=NAMES, leaves=5), stream=st.lists(occurrences(), max_size=10))
def test_every_instance_is_judged_on_its_slice(index: str, formula: Formula, stream: list[Occurrence]) -> None:
    try:
        follow = Parametric(monitor(formula), index)
        expected = by_definition(formula, stream, index)
    except TooLargeError:
        assume(False)
    reported: list[Outcome] = []
    for occurrence in stream:
        reported += follow.read(occurrence)
        follow.check()
    assert {outcome.value: outcome for outcome in follow.finish()} == expected
    assert reported == [outcome for outcome in follow.finish() if outcome.position is not None]
    assert follow.position == len(stream)
    assert follow.live + follow.decided == len(expected)


@given(stream=st.lists(occurrences(), max_size=30), retired=st.sets(st.integers(0, 29)))
def test_forgetting_a_value_leaves_the_others_alone(stream: list[Occurrence], retired: set[int]) -> None:
    machine = monitor(parse("[](p -> <>q) && [](q -> X(!p W r))"))
    whole, part = Parametric(machine, "address"), Parametric(machine, "address")
    for number, occurrence in enumerate(stream):
        whole.read(occurrence)
        part.read(occurrence)
        if number in retired and "a" in {outcome.value for outcome in part.finish()}:
            part.retire("a")
        part.check()
    assert [outcome for outcome in part.finish() if outcome.value != "a"] == [
        outcome for outcome in whole.finish() if outcome.value != "a"
    ]


def test_each_block_is_judged_alone() -> None:
    follow = Parametric(monitor(parse(F1)), "block")
    assert follow.event({"malloc"}, (1,)) == []
    assert follow.event({"malloc"}, (2,)) == []
    assert follow.event({"access"}, (1, 2)) == []
    assert follow.event({"free"}, (1,)) == []
    assert follow.event({"access"}, (1,)) == [Outcome(1, FourTruth.FALSE, 5)]
    assert follow.finish() == [Outcome(1, FourTruth.FALSE, 5), Outcome(2, FourTruth.PRESUMABLY_FALSE, None)]
    assert follow.event({"free"}, (2,)) == []
    assert follow.finish()[1] == Outcome(2, FourTruth.PRESUMABLY_TRUE, None), "the run went on"


def test_a_label_decides_all_instances_it_reaches_at_once() -> None:
    follow = Parametric(monitor(parse("[](malloc -> (!shutdown U free))")), "block")
    for block in range(5):
        follow.event({"malloc"}, (block,), thread=block % 2)
    follow.event({"free"}, (0,))
    assert follow.label({"shutdown"}, thread=0) == [Outcome(2, FourTruth.FALSE, 7), Outcome(4, FourTruth.FALSE, 7)]
    assert follow.label({"shutdown"}) == [Outcome(1, FourTruth.FALSE, 8), Outcome(3, FourTruth.FALSE, 8)]
    assert follow.finish()[-1] == Outcome(0, FourTruth.PRESUMABLY_TRUE, None)


def test_labels_before_the_first_event_are_the_address_s_and_not_the_block_s() -> None:
    outcomes = {}
    for index in ("address", "block"):
        follow = Parametric(monitor(parse("O epoch")), index)
        follow.label({"epoch"})
        outcomes[index] = follow.event({"malloc"}, ("a",))
    assert outcomes == {"address": [Outcome("a", FourTruth.TRUE, 2)], "block": [Outcome("a", FourTruth.FALSE, 2)]}


def test_a_label_that_the_property_does_not_name_is_no_letter() -> None:
    follow = Parametric(monitor(parse("[](free -> X malloc)")), "address")
    follow.event({"free"}, ("a",))
    assert follow.label({"mem_free_end"}) == []
    assert follow.event({"malloc"}, ("a",)) == []
    assert follow.finish() == [Outcome("a", FourTruth.PRESUMABLY_TRUE, None)]


def test_labels_reach_the_instances_of_their_thread_alone() -> None:
    follow = Parametric(monitor(parse("[]!stop")), "address")
    follow.event({"malloc"}, ("a",), thread=1)
    follow.event({"malloc"}, ("b",), thread=2)
    follow.event({"free"}, ("a",), thread=2)
    assert follow.label({"stop"}, thread=1) == []
    assert [outcome.value for outcome in follow.label({"stop"}, thread=2)] == ["b", "a"]


def test_a_label_costs_one_step_for_each_state_however_many_instances() -> None:
    machine = monitor(parse("[](p -> (!r U q))"))
    follow = Parametric(machine, "address")
    for value in range(1000):
        follow.event({"p"} if value % 2 else {"q"}, (value,))
    follow.check()
    assert len(follow._places[0]) <= machine.states
    assert len(follow.label({"r"})) == 500


def test_more_instances_than_allowed_are_refused() -> None:
    follow = Parametric(monitor(parse(F1)), "block", limit=2)
    follow.event({"malloc"}, (1,))
    follow.event({"malloc"}, (2,))
    with pytest.raises(TooLargeError, match=r"^more than limit=2 instances of the property are live$"):
        follow.event({"malloc"}, (3,))
    follow.retire(1)
    assert follow.event({"malloc"}, (3,)) == []


def test_misuse_is_refused_with_what_would_be_right() -> None:
    machine = monitor(parse("[]p"))
    with pytest.raises(ValueError, match=r"^a property is of address, block, thread, global; not of 'page'$"):
        Parametric(machine, "page")
    with pytest.raises(ValueError, match=r"^a property is of address, block, thread, global; not of 'page'$"):
        slices([Occurrence(frozenset())], "page", "p")
    with pytest.raises(ValueError, match=r"^limit=0; at least one instance must be allowed$"):
        Parametric(machine, limit=0)
    with pytest.raises(ValueError, match=r"^an event is some thread's; only a label can be every thread's$"):
        Parametric(machine).read(Occurrence(frozenset("p"), ("a",), None))
    with pytest.raises(KeyError, match="no event of 'a' has been seen"):
        Parametric(machine).retire("a")


def test_a_broken_invariant_is_a_bug() -> None:
    follow = Parametric(monitor(parse("[]p")), "block")
    follow.event({"p"}, (1,))
    del follow._where[1]
    with pytest.raises(Bug, match="is said to be elsewhere"):
        follow.check()
