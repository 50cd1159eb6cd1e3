from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.emptiness import Counted, Lasso, connected, nested
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, conjunction, negation
from spec.ltl.parser import parse, parse_word
from spec.ltl.translate import buchi
from spec.model.catalogue import program
from spec.model.counterexample import LETTERS, WORK, ReplayError, changes, lasso_path, replay, shorten, show, simplify
from spec.model.execution import Execution
from spec.model.fairness import is_fair
from spec.model.path import PathSystem
from spec.model.product import STAY, Product
from spec.model.search import check
from spec.model.system import Path, Step
from tests.spec.ltl.formulas import formulas
from tests.spec.model.programs import philosophers
from tests.spec.model.systems import TableSystem, lassos, share, systems

ZERO = Step(0, "edge 0", 0)
ONE = Step(0, "edge 1", 1)


@share(66)
@given(systems(most=4), formulas(names="pq", leaves=3))
def test_a_shortened_lasso_accepts_and_is_no_longer_than_any_simple_lasso_that_violates(
    system: TableSystem, formula: Formula
) -> None:
    product = Product(system, buchi(negation(formula)))
    found = connected(product)
    if found is None:
        return
    short = shorten(product, found)
    assert len(short.nodes) <= len(found.nodes)
    path = lasso_path(short)
    replay(system, path)
    assert not holds(formula, path.word(system))
    # In the product the shortest is a simple lasso: none is shorter.
    least = min((length for length in range(1, len(short.nodes) + 1) if any_lasso(product, length)), default=0)
    assert len(short.nodes) == least


def any_lasso(product: Product[int], length: int) -> bool:
    """Whether a lasso of so many nodes, all different, accepts."""
    everything = (1 << product.sets) - 1

    def grow(nodes: list[tuple[int, int]], marks: list[int]) -> bool:
        for _, target, mark in product.successors(nodes[-1]):
            if target in nodes:
                seen = mark
                for one in marks[nodes.index(target) :]:
                    seen |= one
                if seen == everything:
                    return True
            elif len(nodes) < length and grow([*nodes, target], [*marks, mark]):
                return True
        return False

    return any(grow([node], []) for node in product.initial())


def test_shortening_without_work_gives_back_what_it_was_given() -> None:
    product = Product(TableSystem([[(0, 1)], [(0, 0)]]), Automaton((), ((Edge(1, 0),),)))
    lasso = Lasso(((0, 0), (1, 0)), ((0, 0), (1, 0)), (ZERO,) * 4)
    assert shorten(product, lasso, work=1) is lasso
    assert len(shorten(product, lasso).nodes) == 2


def test_a_long_lasso_of_a_nested_search_under_fairness_becomes_short_with_a_bound_on_the_work() -> None:
    # The search comes back with a lasso of 1,421 states; the product has 57,214, more than are looked at.
    model = program("free_list", {"LOCKED": 0})
    system = Execution(model)
    formula = next(one.formula for one in model.properties if one.name == "freed_once")
    violation = conjunction(*(one.formula for one in model.assumptions), negation(formula))
    product = Product(system, buchi(violation), (0, 1))
    product.skip_faults = True
    found = nested(Counted(product))
    assert found is not None
    lasso = Lasso(tuple(node for node, _ in found.prefix), tuple(node for node, _ in found.cycle), found.labels)
    asked = []
    original = product.successors
    product.successors = lambda node: asked.append(node) or original(node)  # type: ignore[method-assign, func-returns-value]
    short = shorten(product, lasso)
    assert len(lasso.nodes) > 1000 and len(short.nodes) < 100
    assert len(asked) < WORK
    path = lasso_path(short)
    replay(system, path)
    assert holds(violation, path.word(system)) and is_fair(system, path, (0, 1))


class Refusal:
    """Says no to every path, and remembers how long they were."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, path: Path) -> bool:
        self.lengths.append(len(path.states))
        return False


def test_of_a_very_long_path_only_cuts_that_leave_little_are_made() -> None:
    path = Path((0, 1) * 50_000, (ZERO, ONE) * 50_000, 0)
    asked = Refusal()
    assert simplify(path, asked) == path
    assert asked.lengths and sum(length**2 for length in asked.lengths) <= LETTERS


@given(systems(most=4))
def test_every_lasso_of_a_system_replays(system: TableSystem) -> None:
    for path in list(lassos(system, 4))[:50]:
        replay(system, path)


SYSTEM = TableSystem([[(0, 1), (0, 0)], []])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (Path((1,), (STAY,), 0), "the path begins in state=1, which is not initial"),
        (Path((0, 1), (ZERO,), 1), "the path has 2 states and 1 steps"),
        (Path((0,), (ONE,), 1), "the path of 1 states goes back to state 1"),
        (Path((0, 0), (ZERO,)), "step 1, one: edge 0: leads to state=0, which is not among what it leads to"),
        (Path((0, 1, 0), (ZERO, ONE)), "step 2, one: edge 1: cannot be taken in state=1"),
        (Path((0,), (STAY,), 0), "step 1, stays as it is: cannot be taken in state=0"),
    ],
)
def test_a_path_that_is_not_one_of_the_system_is_refused_at_its_first_wrong_step(path: Path, message: str) -> None:
    with pytest.raises(ReplayError) as error:
        replay(SYSTEM, path)
    assert str(error.value) == message


def test_pieces_that_make_no_difference_are_cut_and_cycles_are_written_once() -> None:
    path = Path((0, 0, 0, 1, 1), (ONE, ONE, ZERO, STAY, STAY), 3)
    assert simplify(path, lambda cut: True) == Path((0,), (ONE,), 0)
    assert simplify(path, lambda cut: 1 in cut.states) == Path((0, 1), (ZERO, STAY), 1)
    assert simplify(path, lambda cut: False) == path
    again = Lasso(((0, 0),), ((0, 1), (0, 2)), (ONE, ONE, ONE))
    assert lasso_path(again) == Path((0,), (ONE,), 0)


def test_what_simplifying_leaves_is_wanted_and_a_run() -> None:
    system = Execution(philosophers(3))
    formula = parse("[]<>eats0")
    result = check(system, formula, engine="scc")
    assert result.counterexample is not None
    shorter = simplify(result.counterexample, lambda path: not holds(formula, path.word(system)))
    replay(system, shorter)
    assert not holds(formula, shorter.word(system))


def test_a_path_is_shown_a_line_a_step_with_what_changes() -> None:
    system = Execution(philosophers(2, ordered=False))
    result = check(system)
    assert result.counterexample is not None
    assert show(system, result.counterexample) == (
        "0                               fork=[0,0] philosopher[0]@thinks philosopher[1]@thinks\n"
        "1  philosopher[0]: take fork 0  fork=[1,0] philosopher[0]@waits\n"
        "2  philosopher[1]: take fork 1  fork=[1,1] philosopher[1]@waits\n"
        "-- from here on, for ever --\n"
        "3  stays as it is               back to 2"
    )


def test_a_fault_is_shown_where_it_happens() -> None:
    system = TableSystem([[(1, 0)]], faults=frozenset({(0, 0)}))
    result = check(system)
    assert result.counterexample is not None
    assert show(system, result.counterexample) == "0               state=0\n1  two: edge 0  it fails"


def test_a_change_is_seen_even_where_another_process_has_the_same_value() -> None:
    class Twins(TableSystem):
        def show(self, state: int) -> str:
            return ("x=1 y x=0", "x=1 y x=1")[state]

    system = Twins([[(0, 1)], []])
    assert changes(system, 1, 0) == "x=1"


def test_the_first_state_is_shown_in_full_and_propositions_in_braces() -> None:
    system = PathSystem(parse_word("p; cycle{q}"))
    assert show(system, Path((0,), ())) == "0    0: p  {p}"
    assert [changes(system, b, a) for a, b in pairwise([None, 0, 1]) if b is not None] == ["0: p", "1: q"]


def test_a_path_that_is_too_long_to_be_tried_stays_as_it_is() -> None:
    path = Path((0,) * 2000, (ONE,) * 2000, 0)
    assert lasso_path(Lasso((), tuple((0, place) for place in range(2000)), path.steps)) == Path((0,), (ONE,), 0)
    asked = Refusal()
    assert simplify(path._replace(steps=(ONE,) * 1999, back=None), asked).back is None
    assert sum(length**2 for length in asked.lengths) <= LETTERS
