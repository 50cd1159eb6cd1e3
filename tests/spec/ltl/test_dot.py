"""Automata as GraphViz text."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.dot import dot
from spec.ltl.printer import Spelling
from tests.spec.ltl.automata import automata


def test_accepting_states_of_a_plain_automaton_have_a_double_circle() -> None:
    edges = ((Edge(0b01, 0), Edge(0b10, 1)), (Edge(0b11, 1, 1),), ())
    assert dot(Automaton(("p",), edges, 0, 1), '<>"p"', Spelling.ASCII).splitlines() == [
        "digraph automaton {",
        "    rankdir=LR",
        "    node [shape=circle]",
        '    label="<>\\"p\\""',
        "    1 [shape=doublecircle]",
        "    2",
        "    start [shape=point]",
        "    start -> 0",
        '    0 -> 0 [label="!p"]',
        '    0 -> 1 [label="p"]',
        '    1 -> 1 [label="true"]',
        "}",
    ]


def test_marks_of_several_sets_are_in_braces() -> None:
    edges = ((Edge(0b01, 0, 0b11), Edge(0b10, 0, 0b10), Edge(0b11, 0)),)
    drawn = dot(Automaton(("p",), edges, 0, 2))
    assert '[label="¬p {0 1}"]' in drawn and '[label="p {1}"]' in drawn and '[label="⊤"]' in drawn


@pytest.mark.skipif(shutil.which("dot") is None, reason="GraphViz is not installed: apt-get install graphviz")
@settings(max_examples=3, deadline=None)
@given(automata(names=("p", 'a "b\\')))
def test_graphviz_draws_it(automaton: Automaton) -> None:
    done = subprocess.run(["dot", "-Tplain"], input=dot(automaton, "x"), capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count("\nedge ") == 1 + sum(map(len, automaton.edges))
