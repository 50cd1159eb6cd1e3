"""Automata and lassos as pictures."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.emptiness import Lasso
from spec.ltl.monitor import monitor
from spec.ltl.parser import parse, parse_word
from spec.ltl.picture import MOST_STATES, automaton, lasso
from spec.ltl.translate import translate

SVG = "{http://www.w3.org/2000/svg}"


FORMULAS = (
    "[]<>p",
    "p U q",
    "<>[]p || [](q -> <>r)",
    "true",
    "false",
    "[]<>p && []<>q",
    "(!a W m) && [](f -> X(!a W m))",
)


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_state_is_drawn_and_every_label_stands_within_the_picture(formula: str) -> None:
    graph = translate(parse(formula))
    tree = ElementTree.fromstring(graph._repr_html_())
    assert len(list(tree.iter(f"{SVG}circle"))) == graph.states
    _within(tree)


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_monitor_says_in_each_state_what_is_known_and_rings_what_is_for_good(formula: str) -> None:
    machine = monitor(parse(formula))
    tree = ElementTree.fromstring(machine._repr_html_())
    known = [machine.four(state) for state in range(machine.states)]
    said = [text.text for text in tree.iter(f"{SVG}text")]
    assert all(said.count(value.value.replace("-", " ")) >= known.count(value) for value in known)
    definite = sum(verdict.definite for verdict in machine.verdict)
    assert len(list(tree.iter(f"{SVG}circle"))) == machine.states + definite
    _within(tree)


def test_a_monitor_of_many_states_is_a_table() -> None:
    shown = monitor(parse(" && ".join(f"<>p{i}" for i in range(5))))._repr_html_()
    assert shown.count("<tr>") == 2**5 + 1
    assert "presumably false" in shown


def test_where_nobody_says_what_the_page_looks_like_the_ink_is_dark_on_white() -> None:
    for drawn in (
        translate(parse("[]p")),
        monitor(parse("[]p")),
        parse_word("cycle{p}"),
        Lasso((0,), (1,), ("a", "b")),
    ):
        alone = drawn._repr_svg_() or ""  # type: ignore[attr-defined]
        assert ElementTree.fromstring(alone).attrib["style"].startswith("color:#1b1f24;background:#ffffff;")
        assert drawn._repr_html_() in alone.replace("color:#1b1f24;background:#ffffff;", "")  # type: ignore[attr-defined]


def _within(tree: ElementTree.Element) -> None:
    width, height = float(tree.attrib["width"]), float(tree.attrib["height"])
    for text in tree.iter(f"{SVG}text"):
        wide = 6.0 * len(text.text or "")
        left = float(text.attrib["x"]) - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.attrib["text-anchor"]]
        assert 0 <= left <= left + wide <= width
        assert 0 < float(text.attrib["y"]) < height


def test_a_large_automaton_is_a_table_of_its_edges() -> None:
    states = MOST_STATES + 1
    ring = Automaton(("p",), tuple((Edge(0b11, (state + 1) % states),) for state in range(states)))
    assert automaton(ring).count("<tr>") == states + 1


@pytest.mark.parametrize("states", [2, MOST_STATES + 1])
def test_what_a_proposition_is_called_is_text_and_not_markup(states: int) -> None:
    evil = "<img src=x onerror=alert(1)>"
    ring = Automaton((evil,), tuple((Edge(0b10, (state + 1) % states),) for state in range(states)))
    assert "<img" not in automaton(ring)
    many = " && ".join(['[]!"<img>"', *(f"<>p{i}" for i in range(5))])
    assert "<img>" not in monitor(parse(many))._repr_html_()


def test_a_word_shows_its_letters_and_closes_its_cycle() -> None:
    drawn = parse_word("a; b&c; cycle{a; 1}")._repr_html_()
    tree = ElementTree.fromstring(drawn)
    assert len(list(tree.iter(f"{SVG}circle"))) == 4
    assert "2 states, then 2 for ever" in drawn
    assert "b&amp;c" in drawn


def test_a_run_that_ends_has_no_arc() -> None:
    assert "C" not in lasso(["a", "b"], [], ["step"]).split("<title>")[1].replace("currentColor", "")


def test_a_lasso_of_a_search_is_drawn_with_its_labels() -> None:
    drawn = Lasso((0, 1), (2,), ("go", "on", "round"))._repr_html_()
    assert all(f"- {label}" in drawn for label in ("go", "on", "round"))
