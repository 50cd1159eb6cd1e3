from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.parser import parse
from spec.ltl.word import Word
from spec.model.counterexample import replay
from spec.model.execution import Execution
from spec.model.options import OptionError
from spec.model.path import PathSystem
from spec.model.program import Binary, Choice, Constant, Element, Program, Read, Symmetry
from spec.model.reader import read
from spec.model.search import check
from spec.model.symmetry import canonical, exchanged, invariant
from spec.model.syntax import ModelError
from spec.model.system import Verdict
from tests.spec.ltl.formulas import formulas
from tests.spec.model.programs import alternating, counters, symmetric_programs

# Three processes with two cells each, the second a name; cell 6 is a name outside of them.
NAMED = Symmetry((0, 1, 2), ((0, 1), (2, 3), (4, 5)), (1, 3, 5, 6))
PLAIN = Symmetry((0, 1, 2), ((0, 1), (2, 3), (4, 5)))


@pytest.mark.parametrize("symmetry", [NAMED, PLAIN])
@given(state=st.tuples(*[st.integers(0, 1), st.integers(-1, 2)] * 3, st.integers(-1, 3)))
def test_all_exchanges_of_a_state_have_one_representative_which_is_one_of_them(
    symmetry: Symmetry, state: tuple[int, ...]
) -> None:
    orbit = {exchanged(state, symmetry, order) for order in permutations(range(3))}
    representatives = {canonical(one, [symmetry]) for one in orbit}
    assert len(representatives) == 1 and representatives <= orbit


# Three processes whose second cell names one of two others, which have a cell that names one of the three; cell 8 is a
# name of the former outside of both, cell 9 one of the latter.
NAMING = Symmetry((0, 1, 2), ((0, 1), (2, 3), (4, 5)), (6, 7, 8))
OTHERS = Symmetry((3, 4), ((6,), (7,)), (1, 3, 5, 9))


@given(st.tuples(*[st.integers(0, 1), st.integers(-1, 1)] * 3, *[st.integers(-1, 2)] * 3, st.integers(-1, 1)))
def test_all_exchanges_of_two_groups_that_name_each_other_have_one_representative(state: tuple[int, ...]) -> None:
    orbit = {
        exchanged(exchanged(state, NAMING, order), OTHERS, turn)
        for order in permutations(range(3))
        for turn in permutations(range(2))
    }
    for groups in ([NAMING, OTHERS], [OTHERS, NAMING]):
        representatives = {canonical(one, groups) for one in orbit}
        assert len(representatives) == 1 and representatives <= orbit


FRIENDS = """
model friends
var n: 0..6 = 0
symmetric process a[i: 0..1] { loop { skip } }
symmetric process b[j: 0..1] {
  var friend: a = none
  choose x in a { friend = x }
  n = n + 1
  await n >= 2
  n = n + 1
  await n >= 4
  assert n < 5
  n = n + 1
}
"""


@pytest.mark.parametrize(("engine", "most"), [("breadth", 34), ("nested", 16)])
def test_a_group_that_names_another_is_merged_and_its_runs_replay(engine: str, most: int) -> None:
    system = Execution(read(FRIENDS))
    result = check(system, symmetry=True, engine=engine)
    assert (result.verdict, result.reason) == (Verdict.VIOLATED, "line 12: assertion n < 5 is false")
    assert result.counterexample is not None and result.states <= most
    replay(system, result.counterexample)


CHOOSING = """
model choosing
var inside: array[client] of bool
var last: client = none
symmetric process client[i: 0..1] {
    var friend: client = none
    choose j in client { atomic { await !inside[j]; inside[j] = true; friend = j } }
    atomic { choose j in client { if j == i { last = friend; goto met } else { inside[j] = true; goto missed } } }
    met: end
    missed: end
}
process other { choose j in client { last = j } }
predicate full = forall j in client: inside[j]
"""


@pytest.mark.parametrize("text", [FRIENDS, CHOOSING])
def test_exchanging_processes_exchanges_their_steps(text: str) -> None:
    system = Execution(read(text))
    symmetries = system.program.symmetries

    def steps(state: tuple[int, ...]) -> list[tuple[bool, tuple[int, ...]]]:
        return sorted((bool(step.fault), canonical(target, symmetries)) for step, target in system.successors(state))

    seen, waiting = set(), list(system.initial())
    while waiting:
        state = waiting.pop()
        if state not in seen:
            seen.add(state)
            waiting += [target for _, target in system.successors(state)]
            for symmetry in symmetries:
                for order in permutations(range(2)):
                    assert steps(exchanged(state, symmetry, order)) == steps(state)
    assert len(seen) > 40


def test_locations_have_the_same_numbers_in_all_symmetric_processes() -> None:
    # Which of the two ends is come to first in the text of the steps differs from process to process.
    first, second, _ = read(CHOOSING).processes
    assert first.locations == second.locations == ("0", "1", "met", "missed")


@pytest.mark.parametrize(
    "body",
    [
        "await !inside[j]; inside[j] = true",
        "if !inside[j] { inside[j] = true }",
        "here: inside[j] = true",
        "while * { inside[j] = true }",
        "choose { inside[j] = true; skip } or { skip }",
    ],
)
def test_a_choice_among_symmetric_processes_that_a_location_would_remember_is_refused(body: str) -> None:
    group = (
        "model m var inside: array[c] of bool symmetric process c[i: 0..1] {{ inside[i] = true {} }} process p {{ {} }}"
    )
    choice = f"choose j in c {{ {body} }}"
    for text in (group.format(choice, "skip"), group.format("", choice)):
        with pytest.raises(
            ModelError, match=f"column {text.index('j in c') + 1}: of symmetric processes one is chosen"
        ):
            read(text)
    for kept in ("choose j in c { atomic { await !inside[j]; inside[j] = true } }", "choose j in 0..1 { skip; skip }"):
        read(group.format(kept, kept))


def test_the_fault_that_is_told_is_that_of_the_run() -> None:
    # In the representatives it is process 1 that is ahead, and in the run that they stand for it is process 0.
    system = Execution(read("model ranges symmetric process p[i: 0..1] { var x: 0..1 = 0  loop { x = x + 1 } }"))
    for engine in ("breadth", "nested", "scc"):
        result = check(system, symmetry=True, engine=engine)
        assert result.verdict is Verdict.VIOLATED and result.counterexample is not None
        assert result.reason == result.counterexample.steps[-1].fault != ""
        replay(system, result.counterexample)


def test_too_many_orders_for_a_state_exhaust_the_search_and_keep_its_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spec.model.symmetry.ARRANGEMENTS", 2)
    system = Execution(counters(3, named=True))
    result = check(system, symmetry=True)
    assert result.verdict is Verdict.EXHAUSTED
    assert result.reason == "6 orders of symmetric processes for one state, more than 2"


@pytest.mark.parametrize(("named", "counts"), [(False, (81, 22)), (True, (81, 22))])
def test_symmetry_merges_states_and_keeps_verdicts(named: bool, counts: tuple[int, int]) -> None:
    system = Execution(counters(3, named=named))
    whole, merged = check(system), check(system, symmetry=True)
    assert (whole.verdict, merged.verdict) == (Verdict.HOLDS, Verdict.HOLDS)
    assert (whole.states, merged.states) == counts


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("text", ["[]<>some", "<>some", "[](some -> <>!some)", "[]!some", "some W !some", "X some"])
def test_a_formula_of_all_processes_has_its_verdict_and_a_run_that_replays(named: bool, text: str) -> None:
    system, formula = Execution(counters(3, named=named)), parse(text)
    whole, merged = check(system, formula), check(system, formula, symmetry=True)
    assert whole.verdict == merged.verdict
    if merged.counterexample is not None:
        replay(system, merged.counterexample)
        if merged.counterexample.back is not None:
            assert not holds(formula, merged.counterexample.word(system))


@given(symmetric_programs(), formulas(names="pqe", leaves=4))
def test_symmetry_keeps_verdicts_and_its_runs_replay(program: Program, formula: Formula) -> None:
    system = Execution(program)
    for asked in (None, formula):
        whole = check(system, asked)
        for engine in ("nested", "scc"):
            merged = check(system, asked, symmetry=True, engine=engine)
            assert merged.verdict == whole.verdict
            if merged.counterexample is not None:
                replay(system, merged.counterexample)
                if asked is not None and merged.counterexample.back is not None:
                    assert not holds(formula, merged.counterexample.word(system))
        assert merged.verdict is Verdict.VIOLATED or merged.states <= check(system, asked, engine="scc").states


def test_a_proposition_of_one_process_is_refused() -> None:
    with pytest.raises(OptionError, match="the proposition first does not say the same of all symmetric processes"):
        check(Execution(counters(2)), parse("[]!first"), symmetry=True)


def test_a_system_that_declares_no_symmetry_is_refused() -> None:
    with pytest.raises(OptionError, match="symmetry needs the processes of a model"):
        check(PathSystem(Word.of([], [[]])), symmetry=True)


def test_invariance_is_seen_through_the_order_of_operands_and_names() -> None:
    def both(a: int, b: int) -> Binary:
        return Binary("&&", Read(a), Read(b))

    total = Binary("+", Binary("+", Read(4), Read(2)), Read(0))
    assert invariant(total, PLAIN) and invariant(Binary(">", total, Constant(1)), PLAIN)
    assert not invariant(both(0, 2), PLAIN)
    pairs = Binary("||", Binary("||", both(0, 2), both(4, 2)), both(4, 0))
    assert invariant(pairs, PLAIN)
    assert not invariant(Element(0, 6, Constant(0)), PLAIN)
    assert not invariant(Choice(Read(0), Read(2), Read(4)), PLAIN)
    # A name may be compared with none, and with another name; with one process alone it may not.
    assert invariant(Binary("==", Read(6), Constant(-1)), NAMED)
    assert not invariant(Binary("==", Read(6), Constant(1)), NAMED)
    assert not invariant(Binary("<", Read(6), Constant(1)), NAMED)


def test_a_cycle_of_representatives_is_unfolded_until_the_processes_are_where_they_were() -> None:
    system = Execution(alternating())
    merged = check(system, parse("[]<>!begun"), symmetry=True)
    assert check(system, symmetry=True).states == 2
    path = merged.counterexample
    assert path is not None and path.back is not None
    replay(system, path)
    assert [step.process for step in path.steps[path.back :]] in ([0, 1], [1, 0])
