from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.parser import parse
from spec.ltl.translate import buchi
from spec.ltl.word import Word
from spec.model.counterexample import replay
from spec.model.execution import Execution
from spec.model.fairness import is_fair
from spec.model.options import OptionError
from spec.model.path import PathSystem
from spec.model.product import STAY
from spec.model.program import Program
from spec.model.search import check, check_automaton
from spec.model.system import Path, Result, Step, Verdict
from tests.spec.ltl.formulas import EVERYTHING, formulas
from tests.spec.ltl.formulas import lassos as words
from tests.spec.model.programs import philosophers
from tests.spec.model.systems import TableSystem, lassos, share, systems
from tests.spec.model.texts import leader, peterson

SMALL = formulas(operators=EVERYTHING, names="pq", leaves=4)


def assert_right(system: TableSystem, formula: Formula, result: Result, fair: tuple[int, ...] = ()) -> None:
    """A violation is a run that violates; and where the verdict is HOLDS, no short run does."""
    if result.verdict is Verdict.VIOLATED:
        path = result.counterexample
        assert path is not None
        replay(system, path)
        if path.back is None:
            # A bad prefix: whatever comes after it, here anything that the system can do, violates the formula.
            path = extended(system, path)
            assert not holds(formula, path.word(system))
        else:
            assert not holds(formula, path.word(system))
            assert is_fair(system, path, fair)
    else:
        assert result.verdict is Verdict.HOLDS
        for path in islice(lassos(system, 5), 500):
            assert holds(formula, path.word(system)) or not is_fair(system, path, fair)


def extended(system: TableSystem, path: Path) -> Path:
    """The path, continued by first steps until a state comes again."""
    states, steps = list(path.states), list(path.steps)
    while True:
        step, target = (system.successors(states[-1]) or [(STAY, states[-1])])[0]
        steps.append(step)
        if target in states:
            return Path(tuple(states), tuple(steps), states.index(target))
        states.append(target)


@share(66)
@given(systems(), SMALL)
def test_a_verdict_is_what_every_run_says_and_engines_agree(system: TableSystem, formula: Formula) -> None:
    results = [check(system, formula, engine=engine) for engine in ("auto", "nested", "scc")]
    assert len({result.verdict for result in results}) == 1
    for result in results:
        assert_right(system, formula, result)


@pytest.mark.slow
@share(66)
@given(systems(), SMALL, st.sets(st.integers(0, 2)))
def test_fair_runs_are_those_that_count_and_engines_agree(
    system: TableSystem, formula: Formula, fair: set[int]
) -> None:
    results = [check(system, formula, engine=engine, fairness=fair) for engine in ("nested", "scc")]
    assert len({result.verdict for result in results}) == 1
    for result in results:
        assert_right(system, formula, result, tuple(fair))


@pytest.mark.slow
@share(33)
@given(systems(), SMALL, SMALL)
def test_a_run_against_an_assumption_does_not_count(system: TableSystem, formula: Formula, assumption: Formula) -> None:
    result = check(system, formula, assumptions=[assumption])
    assert_right(system, assumption >> formula, result)
    assert result.verdict == check(system, assumption >> formula).verdict


@share(66)
@given(words("pq"), SMALL)
def test_checking_one_path_is_evaluating_its_word(word: Word, formula: Formula) -> None:
    assert (check(PathSystem(word), formula).verdict is Verdict.HOLDS) == holds(formula, word)


def test_a_shortest_bad_prefix_is_found_and_ends_where_nothing_can_mend_it() -> None:
    system = TableSystem([[(0, 1), (0, 2)], [(0, 3)], [(0, 2)], [(0, 4)], [(0, 4)]], ["", "", "", "p", "p"])
    result = check(system, parse("[]!p"))
    assert (result.verdict, result.engine, result.reason) == (Verdict.VIOLATED, "breadth", "[]!p")
    assert result.counterexample == Path((0, 1, 3), (Step(0, "edge 0", 0), Step(0, "edge 0", 0)))


def test_what_the_first_letter_decides_has_a_counterexample_of_one_state() -> None:
    for engine in ("breadth", "nested", "scc"):
        result = check(TableSystem([[(0, 0)]], ["p"]), parse("!p"), engine=engine)
        assert result.counterexample == Path((0,), ())


def test_a_deadlock_is_where_no_step_is_possible_and_the_run_may_not_end() -> None:
    stuck = TableSystem([[(0, 1)], []])
    for engine in ("breadth", "nested", "scc"):
        result = check(stuck, engine=engine)
        assert (result.verdict, result.reason) == (Verdict.VIOLATED, "deadlock")
        assert result.counterexample == Path((0, 1), (Step(0, "edge 0", 0), STAY), 1)
        replay(stuck, result.counterexample)
        assert check(stuck, engine=engine, deadlock=False).verdict is Verdict.HOLDS
    assert check(TableSystem([[(0, 1)], []], ends=frozenset({1}))).verdict is Verdict.HOLDS


def test_a_fault_is_a_violation_whatever_was_asked() -> None:
    system = TableSystem([[(0, 1)], [(1, 1), (0, 0)]], ["", "p"], faults=frozenset({(1, 0)}))
    for formula in (None, parse("[]<>q"), parse("[]!q")):
        for engine in ("auto", "nested", "scc"):
            result = check(system, formula, engine=engine)
            assert (result.verdict, result.reason) == (Verdict.VIOLATED, "it fails")
            path = result.counterexample
            assert path is not None and (path.states, path.back) == ((0, 1, 1), None)
            replay(system, path)


def test_a_run_that_ends_stays_as_it_is_for_ever() -> None:
    system = TableSystem([[(0, 1)], []], ["", "p"])
    assert check(system, parse("<>[]p")).verdict is Verdict.HOLDS
    result = check(system, parse("[]<>!p"))
    assert result.counterexample == Path((0, 1), (Step(0, "edge 0", 0), STAY), 1)


def long_chain(length: int) -> TableSystem:
    return TableSystem([[(0, state + 1)] for state in range(length)] + [[(0, length)]])


@pytest.mark.parametrize("engine", ["breadth", "nested", "scc"])
def test_a_bound_ends_the_search_with_what_was_explored(engine: str) -> None:
    result = check(long_chain(100), parse("[]!p"), engine=engine, states=10)
    assert (result.verdict, result.reason, result.states) == (Verdict.EXHAUSTED, "more than 10 states", 10)
    assert result.counterexample is None


def test_time_and_memory_are_bounds_too() -> None:
    assert check(long_chain(2000), seconds=0).reason == "more than 0 seconds"
    assert check(long_chain(2000), memory=1).reason == "more than 1 bytes of memory"


class Interrupted(TableSystem):
    """The user loses patience at state 50."""

    def successors(self, state: int) -> list[tuple[Step, int]]:
        if state == 50:
            raise KeyboardInterrupt
        return super().successors(state)


@pytest.mark.parametrize("engine", ["breadth", "nested", "scc"])
def test_an_interrupt_ends_the_search_with_what_was_explored(engine: str) -> None:
    result = check(Interrupted(long_chain(100).edges), parse("[]!p"), engine=engine)
    assert (result.verdict, result.reason) == (Verdict.EXHAUSTED, "interrupted")
    assert (result.states, result.transitions) == (51, 50)


def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr("spec.ltl.meter.time.perf_counter", lambda: next(clock))
    seen: list[int] = []
    check(long_chain(3000), progress=lambda meter: seen.append(meter.transitions))
    assert seen == [1024, 2048]


def test_an_automaton_can_be_asked_for_directly() -> None:
    automaton = buchi(parse("[]<>p"))
    system = TableSystem([[(0, 1)], [(0, 0)]], ["", "p"])
    for engine in ("nested", "scc"):
        result = check_automaton(system, automaton, engine=engine)
        assert result.verdict is Verdict.VIOLATED and result.counterexample is not None
        assert automaton.accepts(result.counterexample.word(system))
    assert check_automaton(TableSystem([[(0, 0)]]), automaton).verdict is Verdict.HOLDS


@share(33)
@given(systems(), SMALL)
def test_compaction_to_enough_bytes_changes_no_verdict(system: TableSystem, formula: Formula) -> None:
    assert check(system, formula, compaction=True).verdict == check(system, formula).verdict


@share(50)
@given(systems(most=8))
def test_compaction_to_few_bytes_misses_states_and_invents_none(system: TableSystem) -> None:
    result = check(system, compaction=1)
    if result.counterexample is not None:
        replay(system, result.counterexample)
    else:
        assert result.reason.startswith("unless a state was missed: 1-byte digests, probability at most ")


def test_misuse_is_told() -> None:
    system = TableSystem([[(0, 0)]])
    with pytest.raises(OptionError, match="there is no engine 'fast'; auto, breadth, nested, scc would be right"):
        check(system, engine="fast")
    with pytest.raises(OptionError, match="assuming p needs a formula to be assumed for"):
        check(system, assumptions=[parse("p")])
    with pytest.raises(OptionError, match="breadth with liveness is refused: breadth-first search finds no cycles"):
        check(system, parse("[]<>p"), engine="breadth")
    with pytest.raises(OptionError, match="reduction needs the commands of a model; this system has none"):
        check(system, reduction=True)
    with pytest.raises(ValueError, match="there is no process 3; they are 0 to 2"):
        check(system, parse("[]<>p"), fairness=[3])


PINNED = [
    (peterson(), None, (42, 76, 11)),
    (peterson(), "[]!both", (42, 76, 11)),
    (philosophers(5), None, (261, 876, 13)),
    (philosophers(6), None, (862, 3516, 16)),
    (leader(3), None, (310, 746, 27)),
    (leader(4), "[]!two", (1985, 6358, 38)),
]


@pytest.mark.parametrize(("program", "text", "counts"), PINNED)
def test_the_classics_hold_in_a_known_number_of_states(
    program: Program, text: str | None, counts: tuple[int, int, int]
) -> None:
    result = check(Execution(program), None if text is None else parse(text))
    assert result.verdict is Verdict.HOLDS
    assert (result.states, result.transitions, result.depth) == counts


def test_progress_of_the_classics_needs_no_fairness_or_gets_it() -> None:
    enters = parse("[](waiting0 -> <>critical0)")
    for engine in ("nested", "scc"):
        for fairness in (False, True):
            result = check(Execution(peterson()), enters, fairness=fairness, engine=engine)
            assert result.verdict is Verdict.HOLDS
        assert check(Execution(leader(3)), parse("<>[]elected"), engine=engine).verdict is Verdict.HOLDS
        # A neighbour may take the fork each time before one comes to it.
        starved = check(Execution(philosophers(3)), parse("[]<>eats0"), fairness=True, engine=engine)
        assert starved.verdict is Verdict.VIOLATED and starved.counterexample is not None
        assert is_fair(Execution(philosophers(3)), starved.counterexample, range(3))


def test_philosophers_who_all_begin_with_the_same_hand_come_to_a_deadlock() -> None:
    result = check(Execution(philosophers(5, ordered=False)))
    assert (result.verdict, result.reason, result.states, result.depth) == (Verdict.VIOLATED, "deadlock", 178, 6)
    assert result.counterexample is not None and len(result.counterexample.states) == 6


def test_fairness_is_what_a_waiting_process_needs() -> None:
    # One process turns round; the other is able to make p true, and a run in which it never does is not fair.
    system = TableSystem([[(0, 0), (1, 1)], [(0, 1)]], ["", "p"])
    assert check(system, parse("<>p")).verdict is Verdict.VIOLATED
    assert check(system, parse("<>p"), fairness=[0]).verdict is Verdict.VIOLATED
    for engine in ("nested", "scc"):
        assert check(system, parse("<>p"), fairness=[1], engine=engine).verdict is Verdict.HOLDS
