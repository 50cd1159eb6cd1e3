"""The Hanoi Omega-Automata format."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.ltl import hoa
from spec.ltl.automaton import Automaton, Edge
from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.formula import Formula
from spec.ltl.parser import parse_word
from spec.ltl.translate import buchi, translate
from tests.spec.ltl.automata import automata, on_states
from tests.spec.ltl.formulas import EVERYTHING, formulas, lassos

EVERYTHING_THE_FORMAT_HAS = """HOA: v1 /* a comment /* nested, with a quote " */ in two */
tool: "someone's" "1.0"
name: "G(p) \\" /* no comment */"
States: 3
Start: 0
AP: 2 "p" "q\\"r"
Alias: @a 0 & !1
Alias: @b (@a | 1) & !(0&1)
unknown: t 1 word "text"
acc-name: generalized-Buchi 2
Acceptance: 2 (Inf(0)) & Inf(1)
properties: trans-labels explicit-labels
--BODY--
State: 0 "zero"
[@a] 1 {0 1}
[!@b | 1] 0
State: [t] 1 {0}
1 2 {1}
State: 2
0 1 2 2 {0}
--END--
"""


def one_state(acceptance: str, marks: str = "{0}", name: str = "") -> Automaton:
    """p with marks on it, and !p without."""
    return hoa.read(
        f'HOA: v1 {name} States: 1 Start: 0 AP: 1 "p" Acceptance: {acceptance} '
        f"--BODY-- State: 0 [0] 0 {marks} [!0] 0 --END--"
    )


@settings(max_examples=30)
@given(automata(names=("p", 'a "b\\')), st.text(st.characters(codec="utf-8"), max_size=5))
def test_what_is_written_reads_back_as_it_was(automaton: Automaton, name: str) -> None:
    assert hoa.read(hoa.write(automaton, name)) == automaton
    assert hoa.read(hoa.write(on_states(automaton), name)) == on_states(automaton)


@settings(max_examples=30, deadline=None)
@given(formulas(EVERYTHING, leaves=5))
def test_the_automata_of_formulas_read_back_as_they_were(formula: Formula) -> None:
    for automaton in (translate(formula), buchi(formula)):
        assert hoa.read(hoa.write(automaton, str(formula))) == automaton


def test_marks_are_written_on_states_where_that_is_possible() -> None:
    edges = ((Edge(0b01, 0, 1), Edge(0b10, 1, 1)), (Edge(0b11, 0, 0),))
    assert hoa.write(Automaton(("p",), edges, 1, 1)).splitlines() == [
        "HOA: v1",
        "States: 2",
        "Start: 1",
        'AP: 1 "p"',
        "acc-name: Buchi",
        "Acceptance: 1 Inf(0)",
        "properties: trans-labels explicit-labels state-acc deterministic complete",
        "--BODY--",
        "State: 0 {0}",
        "[!0] 0",
        "[0] 1",
        "State: 1",
        "[t] 0",
        "--END--",
    ]


def test_every_part_of_the_format_is_understood() -> None:
    assert hoa.read(EVERYTHING_THE_FORMAT_HAS) == Automaton(
        ("p", 'q"r'),
        (
            (Edge(0b0010, 1, 0b11), Edge(0b1101, 0)),
            (Edge(0b1111, 1, 0b01), Edge(0b1111, 2, 0b11)),
            (Edge(0b0001, 0), Edge(0b0010, 1), Edge(0b0100, 2), Edge(0b1000, 2, 0b01)),
        ),
        0,
        2,
    )


@given(automata(), st.data())
def test_several_initial_states_accept_what_any_of_them_does(automaton: Automaton, data: st.DataObject) -> None:
    starts = data.draw(st.lists(st.integers(0, automaton.states - 1), max_size=3, unique=True))
    text = hoa.write(automaton).replace(
        f"Start: {automaton.initial}", "\n".join(f"Start: {state}" for state in starts), 1
    )
    several = hoa.read(text)
    word = data.draw(lassos("pq"))
    singles = [Automaton(automaton.propositions, automaton.edges, state, automaton.sets) for state in starts]
    assert several.accepts(word) == any(single.accepts(word) for single in singles)


@pytest.mark.parametrize(
    ("acceptance", "word", "accepted"),
    [
        ("0 t", "cycle{1}", True),
        ("0 f", "cycle{p}", False),
        ("1 Inf(0)", "cycle{p; 1}", True),
        ("1 Inf(0)", "p; cycle{1}", False),
        ("1 Inf(!0)", "cycle{p}", False),
        ("1 Inf(!0)", "cycle{p; 1}", True),
        ("2 Inf(0) & Inf(1)", "cycle{p}", False),
        ("2 Inf(0) | Inf(1)", "cycle{p}", True),
        ("2 (Inf(0) | Inf(1)) & t", "cycle{1}", False),
        ("2 Inf(1) | t", "cycle{1}", True),
        ("2 Inf(1) & Inf(1) | f", "cycle{p}", False),
    ],
)
def test_every_acceptance_without_fin_is_read(acceptance: str, word: str, accepted: bool) -> None:
    marks = "{0}" if acceptance[0] != "0" else ""
    assert one_state(acceptance, marks).accepts(parse_word(word)) == accepted


@pytest.mark.parametrize(
    ("name", "acceptance"), [("all", "0 t"), ("none", "0 f"), ("Buchi", "1 Inf(0)"), ("generalized-Buchi 0", "0 t")]
)
def test_a_name_that_agrees_with_the_acceptance_is_read(name: str, acceptance: str) -> None:
    one_state(acceptance, "{0}" if acceptance[0] != "0" else "", f"acc-name: {name}").check()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("HOA: v1", "HOA: v2", "line 1, column 6: version v2 of the format; v1 is read"),
        ("HOA: v1", "foo", "line 1, column 1: `foo` does not belong here; `HOA:` would be right"),
        ("*/ in two */", "*/ in two", "line 1, column 9: this comment is not closed"),
        ("tool:", "Tool:", "line 2, column 1: Tool: changes what the automaton means, and is not known"),
        ("States: 3", "States: 2", "line 18, column 3: state 2 of 2, counted from 0"),
        ("Start: 0", "Start: 0&1", "line 5, column 10: a conjunction of initial states: alternating automata are not"),
        ("AP: 2", "AP: 3", "line 6, column 5: AP: says 3 propositions and names 2"),
        (
            "AP: 2",
            "AP 2",
            "line 6, column 1: `AP` does not belong here; `&`, a header item or `--BODY--` would be right",
        ),
        ('"q\\"r"', '"p"', 'line 6, column 11: the proposition "p" is named twice'),
        ('"q\\"r"', '""', "line 6, column 11: a proposition is empty"),
        ("@b (@a", "@b (@c", "line 8, column 12: the alias @c is not defined before this place"),
        ("@b (@a", "@a (@a", "line 8, column 8: the alias @a is defined twice"),
        ("@a 0 &", "@a 2 &", "line 7, column 11: proposition 2 of 2, counted from 0"),
        ("Inf(1)", "Fin(1)", "column 26: the acceptance condition uses Fin (generalized-Buchi 2); only those of Inf"),
        ("Inf(1)", "Inf(2)", "line 11, column 30: acceptance set 2 of 2, counted from 0"),
        ("& Inf(1)", "", "line 10, column 11: acc-name: generalized-Buchi 2 is not the condition of Acceptance:"),
        ("& Inf(1)", "& Inf(1", "line 12, column 1: `properties:` does not belong here; `)` would be right"),
        ("Acceptance:", "acceptance:", "line 11, column 15: `(` does not belong here; "),
        ("[@a] 1", "[@a] 1&2", "line 15, column 8: an edge to a conjunction of states: alternating automata are not"),
        ("[@a] 1", "[@a 1", "line 15, column 5: `1` does not belong here; `&`, `]` or `|` would be right"),
        ("[!@b | 1] 0", "0", "line 15, column 6: state 0 has edges with labels and edges without"),
        ("1 2 {1}", "[t] 2", "line 18, column 5: state 1 has a label, so its edges have none"),
        ("1 2 {1}", "1 2 {2}", "line 18, column 6: acceptance set 2 of 2, counted from 0"),
        ("[t] 1", "[t] 0", "line 17, column 12: state 0 is described twice"),
        (
            "0 1 2 2 {0}",
            "0 1 2",
            "line 19, column 8: state 2 has 3 edges without labels; one for each of the 4 letters",
        ),
        ("--END--", "--ABORT--", "line 21, column 1: the automaton was aborted by the tool that wrote it"),
        ("--END--", "", "line 20, column 12: the automaton ends here; a number, `[`, `State:` or `--END--` would be"),
        ("--END--", "--END--HOA: v1", "line 21, column 8: `HOA:` begins a second automaton; one is read"),
        ("States: 3", "States: 3 States: 3", "line 4, column 19: a second States:, of which there is one"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(before: str, after: str, message: str) -> None:
    assert before in EVERYTHING_THE_FORMAT_HAS
    with pytest.raises(LogicError) as caught:
        hoa.read(EVERYTHING_THE_FORMAT_HAS.replace(before, after, 1))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the automaton is empty; the format begins with `HOA: v1`"),
        ("HOA: v1 --BODY-- --END--", "the automaton has no Acceptance:, which says which runs accept"),
        ("HOA: v1 States: 1", "line 1, column 18: the automaton ends here; a header item or `--BODY--` would be right"),
    ],
)
def test_what_is_missing_is_said(text: str, message: str) -> None:
    with pytest.raises(LogicError) as caught:
        hoa.read(text)
    assert str(caught.value).startswith(message)


def test_what_is_too_large_is_refused_by_its_bound() -> None:
    names = " ".join(f'"p{i}"' for i in range(17))
    with pytest.raises(TooLargeError, match="17 propositions, over the bound of 16"):
        hoa.read(f"HOA: v1 AP: 17 {names} Acceptance: 0 t --BODY-- --END--")
    with pytest.raises(TooLargeError, match="1000001 states, over the bound of 1000000"):
        hoa.read("HOA: v1 States: 1000001 Acceptance: 0 t --BODY-- --END--")
    condition = "&".join(f"Inf({i})" for i in range(65))
    with pytest.raises(TooLargeError, match="acceptance of over 64 sets"):
        hoa.read(f"HOA: v1 Acceptance: 65 {condition} --BODY-- --END--")


def test_deep_nesting_is_no_limit() -> None:
    label = "(" * 5_000 + "0" + ")" * 5_000
    text = f'HOA: v1 States: 1 Start: 0 AP: 1 "p" Acceptance: 0 t --BODY-- State: 0 [{"!" * 5_000}{label}] 0 --END--'
    assert hoa.read(text).edges == ((Edge(0b10, 0),),)
