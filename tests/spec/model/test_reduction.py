from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.ltl.formula import Formula, Operator
from spec.ltl.meter import Meter
from spec.ltl.parser import parse
from spec.model.counterexample import replay
from spec.model.execution import Execution
from spec.model.options import OptionError
from spec.model.program import Assert, Assign, Constant, Guard, Program, Raise, Read, Statement
from spec.model.reader import read
from spec.model.reduction import Reduced, Reduction
from spec.model.search import check
from spec.model.system import Verdict
from tests.spec.ltl.formulas import formulas
from tests.spec.model.programs import lines, loose_programs, philosophers, programs
from tests.spec.model.systems import share
from tests.spec.model.texts import diners, leader, peterson

STUTTER_INVARIANT = (
    Operator.NOT,
    Operator.AND,
    Operator.OR,
    Operator.EVENTUALLY,
    Operator.ALWAYS,
    Operator.UNTIL,
    Operator.RELEASE,
    Operator.SINCE,
    Operator.ONCE,
)


def assert_same(program: Program, formula: Formula) -> None:
    """With reduction the verdict is that without, and a counterexample is a run of the system as it is."""
    system = Execution(program)
    whole = check(system, formula, fairness=False)
    for engine in ("nested", "scc"):
        reduced = check(system, formula, fairness=False, reduction=True, engine=engine)
        assert reduced.verdict == whole.verdict
        if reduced.counterexample is not None:
            replay(system, reduced.counterexample)


ORDERS = [
    parse(text)
    for text in (
        "!q W p",
        "!p W q",
        "!f W e",
        "!e W f",
        "!e W p",
        "!q W f",
        "[](e -> <>p)",
        "<>p",
        "<>[]!e",
        "[]!(p && q)",
    )
]


@given(loose_programs(), st.sampled_from(ORDERS) | formulas(operators=STUTTER_INVARIANT, names="pqef", leaves=4))
def test_reduction_keeps_the_verdict_where_processes_seldom_meet(program: Program, formula: Formula) -> None:
    assert_same(program, formula)


@share(50)
@given(programs(), formulas(operators=STUTTER_INVARIANT, names="pqe", leaves=4))
def test_reduction_keeps_the_verdict_where_processes_often_meet(program: Program, formula: Formula) -> None:
    assert_same(program, formula)


SKIP: tuple[Statement, ...] = ()
SET_A, SET_B, SET_C = ((Assign(Read(cell), Constant(1)),) for cell in range(3))


@pytest.mark.parametrize(
    ("program", "text"),
    [
        # Steps that change what the formula speaks of are tried in both orders, whether they are changes or events.
        (lines([(0, 1, SET_A)], [(0, 1, SET_B)]), "!b W a"),
        (lines([(0, 1, SET_A)], [(0, 1, SET_B)]), "!a W b"),
        (lines([(0, 1, (Raise("e"),))], [(0, 1, (Raise("f"),))]), "!f W e"),
        (lines([(0, 1, (Raise("e"),))], [(0, 1, (Raise("f"),))]), "!e W f"),
        # A process that goes round for ever does not put off the other, be it by doing nothing or by raising events.
        (lines([(0, 0, SKIP)], [(0, 1, SET_B)]), "[]!b"),
        (lines([(0, 0, (Raise("g"),))], [(0, 1, SET_B)]), "[]!b"),
        (lines([(0, 1, SKIP), (1, 0, (Raise("g"),))], [(0, 1, SET_B)]), "[]!b"),
        # One step goes round, another leads off; only who goes round has b and never c.
        (lines([(0, 0, SKIP), (0, 1, SKIP), (1, 0, SET_C)], [(0, 1, SET_B)]), "!(<>b && []!c)"),
        # The only way to b leads over another process's cell.
        (lines([(0, 1, (Guard(Read(2)),)), (1, 2, SET_B)], [(0, 1, SKIP), (1, 2, SET_C)]), "[]!b"),
    ],
)
def test_a_violation_is_not_reduced_away(program: Program, text: str) -> None:
    system, formula = Execution(program), parse(text)
    for engine in ("nested", "scc"):
        result = check(system, formula, reduction=True, engine=engine)
        assert result.verdict is Verdict.VIOLATED
        assert result.counterexample is not None
        replay(system, result.counterexample)


@pytest.mark.parametrize(
    "text",
    [
        # The first guard is true as long as the second is not; that the first may come to fail is all that q is for.
        """
        var a: array[2] of 0..1 = [1, 1]  var x: 0..5 = 0  var y: 0..1 = 0
        process p { choose { atomic { await a[x] == 1  await y == 1 } } or { skip } }
        process q { x = 5 }
        """,
        # q makes the second guard true, and the first one, which has failed, succeed.
        """
        var a: array[1] of 0..1 = 1  var x: 0..1 = 1
        process q { x = 0 }
        process p { atomic { await a[x] == 1  await x == 0 } }
        """,
    ],
)
def test_a_guard_that_fails_before_one_that_is_false_is_a_fault(text: str) -> None:
    system = Execution(read("model guards" + text + "predicate usual = x >= 0"))
    for formula in (None, parse("[]<>usual")):
        whole, reduced = check(system, formula), check(system, formula, reduction=True)
        assert whole.verdict is reduced.verdict is Verdict.VIOLATED
        assert "there is no a[" in reduced.reason
        assert reduced.counterexample is not None
        replay(system, reduced.counterexample)


def test_a_fault_is_not_put_off_for_ever() -> None:
    program = lines([(0, 0, SKIP)], [(0, 1, SKIP), (1, 2, (Assert(Constant(0), "it fails"),))])
    result = check(Execution(program), reduction=True)
    assert (result.verdict, result.reason) == (Verdict.VIOLATED, "it fails")


@share(50)
@given(programs() | loose_programs(), st.booleans())
def test_reduction_keeps_deadlocks_and_faults(program: Program, deadlock: bool) -> None:
    system = Execution(program)
    whole = check(system, deadlock=deadlock)
    reduced = check(system, deadlock=deadlock, reduction=True)
    assert reduced.verdict == whole.verdict
    assert reduced.verdict is Verdict.VIOLATED or reduced.states <= whole.states


@pytest.mark.parametrize(
    ("program", "states"),
    [
        (peterson(), 36),
        (philosophers(5), 182),
        (philosophers(6), 519),
        (leader(3), 27),
        (leader(4), 38),
        (leader(6), 60),
    ],
)
def test_the_classics_reduce_to_a_known_number_of_states(program: Program, states: int) -> None:
    result = check(Execution(program), reduction=True)
    assert (result.verdict, result.states) == (Verdict.HOLDS, states)


@pytest.mark.parametrize(("text", "states"), [("[]!two", 38), ("<>[]elected", 39)])
def test_an_election_in_a_ring_needs_one_order_for_a_formula_too(text: str, states: int) -> None:
    result = check(Execution(leader(4)), parse(text), reduction=True)
    assert (result.verdict, result.states) == (Verdict.HOLDS, states)


def test_a_deadlock_that_reduction_comes_to_is_told_in_the_fewest_steps() -> None:
    result = check(Execution(philosophers(5, ordered=False)), reduction=True)
    assert (result.reason, result.states) == ("deadlock", 134)
    assert result.counterexample is not None and len(result.counterexample.states) == 6


def test_every_cycle_of_a_reduced_system_has_a_state_with_all_its_steps() -> None:
    execution = Execution(philosophers(3))
    reduced = Reduced(execution, ["eats0"])
    reduced.explore(Meter(), cycles=True)
    partial = {}
    waiting = list(reduced.initial())
    while waiting:
        state = waiting.pop()
        if state not in partial:
            steps = reduced.successors(state)
            partial[state] = steps if len(steps) < len(execution.successors(state)) else []
            waiting += [target for _, target in steps]
    assert any(partial.values())
    # Without the steps of states that keep all there is no cycle: take states without steps away, again and again.
    while True:
        gone = [state for state, steps in partial.items() if all(target not in partial for _, target in steps)]
        if not gone:
            break
        for state in gone:
            del partial[state]
    assert not partial


def test_steps_that_change_a_proposition_are_never_the_only_ones_kept() -> None:
    program = philosophers(3)
    execution = Execution(program)
    reduction = Reduction(program, ["eats0"])
    for state in (next(iter(execution.initial())), (1, 0, 0, 1, 0, 0)):
        for chosen in reduction.candidates(state, execution.successors(state)):
            assert all(not (step.process == 0 and step.command in (1, 2)) for step, _ in chosen)


@pytest.mark.parametrize("text", ["X eats0", "[](eats0 -> N eats1)", "<>(eats0 && Y eats1)"])
def test_a_formula_that_sees_stuttering_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="X, N, Y, Z with reduction is refused: runs are kept only up to stuttering"):
        check(Execution(philosophers(3)), parse(text), reduction=True)


def test_a_formula_with_x_that_does_not_see_stuttering_is_not_refused() -> None:
    formula = parse("[]!(eats0 && X(!eats0 && X eats0 && !eats0 && eats1 && !eats1))")
    assert check(Execution(philosophers(3)), formula, reduction=True).verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("program", "whole", "reduced"),
    [
        (diners(5), 2163, 396),
        pytest.param(diners(8), 216_993, 17_892, marks=pytest.mark.campaign),
        pytest.param(leader(6), 77_210, 60, marks=pytest.mark.campaign),
    ],
)
def test_reduction_leaves_a_small_part_of_the_states(program: Program, whole: int, reduced: int) -> None:
    # SPIN's reduction keeps 32,868 of 442,561 states of eight philosophers and 113 of 92,895 of a ring of six, in other
    # models of the two.
    results = [check(Execution(program), reduction=reduction) for reduction in (False, True)]
    assert [result.verdict for result in results] == [Verdict.HOLDS] * 2
    assert [result.states for result in results] == [whole, reduced]
