from __future__ import annotations

import pytest
from hypothesis import given

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.emptiness import connected
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.parser import parse
from spec.ltl.translate import buchi, translate
from spec.ltl.word import Word
from spec.model.path import PathSystem
from spec.model.product import STAY, FailedStep, Product, terminal, universal
from tests.spec.ltl.formulas import formulas
from tests.spec.ltl.formulas import lassos as words
from tests.spec.model.systems import TableSystem


@given(words(), formulas(leaves=4))
def test_the_product_with_a_path_has_a_run_exactly_when_the_automaton_accepts_its_word(
    word: Word, formula: Formula
) -> None:
    found = connected(Product(PathSystem(word), translate(formula)))
    assert (found is not None) == holds(formula, word)


def test_a_state_without_successors_has_a_step_to_itself() -> None:
    product = Product(TableSystem([[]], ["p"]), Automaton(("p",), ((Edge(0b10, 0, 1),),), 0, 1))
    assert list(product.successors((0, 0))) == [(STAY, (0, 0), 1)]


def test_a_letter_that_the_automaton_cannot_read_ends_the_run_before_any_step() -> None:
    system = TableSystem([[(0, 0)]], ["p"], faults=frozenset({(0, 0)}))
    product = Product(system, Automaton(("p",), ((Edge(0b01, 0),),)))
    assert list(product.successors((0, 0))) == []


def test_a_step_that_fails_is_told_or_left_out() -> None:
    system = TableSystem([[(0, 0), (1, 1)], []], faults=frozenset({(0, 0)}))
    product = Product(system, Automaton((), ((Edge(0b1, 0),),)))
    with pytest.raises(FailedStep, match="it fails") as failed:
        product.successors((0, 0))
    assert (failed.value.node, failed.value.step.process, failed.value.target) == ((0, 0), 0, 0)
    product.skip_faults = True
    assert [node for _, node, _ in product.successors((0, 0))] == [(1, 0)]


@pytest.mark.parametrize(("text", "wanted"), [("<>p", True), ("p U q", True), ("X X p", True), ("[]p", False)])
def test_guarantees_have_terminal_automata(text: str, wanted: bool) -> None:
    assert terminal(buchi(parse(text))) is wanted


def test_a_state_is_universal_when_its_own_edges_take_every_letter_with_every_mark() -> None:
    loops = (Edge(0b01, 0, 1), Edge(0b10, 0, 1))
    assert universal(Automaton(("p",), (loops,), 0, 1)) == {0}
    assert universal(Automaton(("p",), (loops[:1],), 0, 1)) == frozenset()
    assert universal(Automaton(("p",), ((Edge(0b11, 0, 0),),), 0, 1)) == frozenset()
