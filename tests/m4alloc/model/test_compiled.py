from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="pip install 'm4alloc[fast]'")
from m4alloc.model import exploration
from m4alloc.model.compiled import check, check_automaton
from spec.ltl.automaton import Automaton, Edge
from spec.ltl.evaluate import holds
from spec.ltl.meter import Meter
from spec.ltl.parser import parse
from spec.model import search
from spec.model.counterexample import replay
from spec.model.execution import Execution
from spec.model.fairness import fair_processes, is_fair
from spec.model.options import OptionError
from spec.model.program import Assign, Binary, Cell, Command, Constant, Expression, Process, Program, Raise, Read
from spec.model.reader import read, read_file
from spec.model.system import Result, Verdict

sys.path.insert(0, str(FilePath(__file__).parent))
from random_programs import philosophers, programs

FORMULAS = (
    "[]p",
    "[](e -> X !e)",
    "[](e -> <>f)",
    "[]<>p -> []<>q",
    "<>[]q",
    "p U (q U e)",
    "[](e -> O p)",
    "!q W (p && X q)",
    "[]<>e && []<>f",
)


def few(examples: int) -> settings:
    """So many examples, however long they take."""
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    return settings(deadline=None, max_examples=examples, suppress_health_check=slow)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Slices of a few transitions, and arrays that have to grow all the time."""
    monkeypatch.setattr(exploration, "SHARE", 3)
    monkeypatch.setattr(exploration, "FIRST_ENTRIES", 4)
    monkeypatch.setattr(exploration, "FIRST_ROOM", 2)
    yield


def assert_equal(program: Program, ours: Result, theirs: Result) -> None:
    """The verdicts are the same, and so are the counts of searches that came to their end."""
    assert ours.verdict is theirs.verdict
    if ours.verdict is Verdict.HOLDS:
        assert (ours.states, ours.depth) == (theirs.states, theirs.depth)
        assert ours.reason == theirs.reason == ""
    else:
        assert ours.counterexample is not None
        replay(Execution(program), ours.counterexample)


def same_deadlocks_and_faults(program: Program, deadlock: bool) -> None:
    ours, theirs = check(program, deadlock=deadlock), search.check(Execution(program), deadlock=deadlock)
    assert_equal(program, ours, theirs)
    if ours.counterexample is None or theirs.counterexample is None:
        assert ours.transitions == theirs.transitions
        return
    # Both searches are breadth-first: another run may have been found, but none that is shorter.
    assert len(ours.counterexample.states) == len(theirs.counterexample.states)
    assert ours.reason == (ours.counterexample.steps[-1].fault or "deadlock")


def same_verdicts(program: Program, text: str, fairness: bool | tuple[int, ...]) -> None:
    system, formula = Execution(program), parse(text)
    ours, theirs = check(program, formula, fairness=fairness), search.check(system, formula, fairness=fairness)
    # Either may come to a fault first, or to a run that violates.
    assert_equal(program, ours, theirs)
    path = ours.counterexample
    if path is not None and ours.reason == str(formula):
        if path.back is not None:
            assert not holds(formula, path.word(system))
            assert is_fair(system, path, fair_processes(system, fairness))
    elif path is not None:
        assert ours.reason == path.steps[-1].fault != ""


FAIRNESS = st.sampled_from([False, True, (0,)])


@pytest.mark.usefixtures("small")
@few(12)
@given(programs(), st.booleans())
def test_deadlocks_and_faults_are_those_of_the_readable_search(program: Program, deadlock: bool) -> None:
    same_deadlocks_and_faults(program, deadlock)


@pytest.mark.usefixtures("small")
@few(20)
@given(programs(), st.sampled_from(FORMULAS), FAIRNESS)
def test_verdicts_are_those_of_the_readable_search(
    program: Program, text: str, fairness: bool | tuple[int, ...]
) -> None:
    same_verdicts(program, text, fairness)


@pytest.mark.campaign
@pytest.mark.usefixtures("small")
@few(1000)
@given(programs(), st.sampled_from(FORMULAS), FAIRNESS, st.booleans())
def test_the_readable_search_finds_the_same_in_many_more_programs(
    program: Program, text: str, fairness: bool | tuple[int, ...], deadlock: bool
) -> None:
    same_deadlocks_and_faults(program, deadlock)
    same_verdicts(program, text, fairness)


def walk(edges: list[tuple[int, int]], true: list[int]) -> Program:
    """One process that walks through a graph; p is true in some of its nodes."""
    nodes = max(max(edge) for edge in edges) + 1
    process = Process("walk", 0, tuple(f"n{i}" for i in range(nodes)), frozenset())
    commands = tuple(Command(0, source, target, ()) for source, target in edges)
    p: Expression = Constant(0)
    for node in true:
        p = Binary("||", p, Binary("==", Read(0), Constant(node)))
    return Program("graph", (Cell("at", 0, nodes - 1, 0, 0),), (process,), commands, predicates=(("p", p),))


@st.composite
def graphs(draw: st.DrawFn, most: int = 7) -> Program:
    """Walks of a few nodes, p true in one or two of them."""
    nodes = draw(st.integers(2, most))
    node = st.integers(0, nodes - 1)
    edges = draw(st.lists(st.tuples(node, node), min_size=nodes - 1, max_size=2 * nodes, unique=True))
    return walk(edges, draw(st.lists(node, min_size=1, max_size=2, unique=True)))


def same_cycles(program: Program) -> None:
    """Nested search finds a cycle through p exactly when the search by components does."""
    formula = parse("<>[]!p")
    ours, theirs = check(program, formula), search.check(Execution(program), formula, engine="scc")
    assert_equal(program, ours, replace_counts(theirs, ours))


def replace_counts(result: Result, like: Result) -> Result:
    return result._replace(states=like.states, depth=like.depth)


@pytest.mark.usefixtures("small")
@few(40)
@given(graphs())
def test_cycles_are_found_that_components_show(program: Program) -> None:
    same_cycles(program)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 2, 1, 3, 4)])
def test_a_state_with_a_way_back_to_one_that_was_left_is_not_red(order: tuple[int, ...]) -> None:
    # The short cycle is left first; the long one, through the only node where p holds, closes over what it left.
    edges = [(0, 1), (1, 0), (1, 2), (2, 3), (3, 0)]
    program = walk([edges[place] for place in order], [2])
    result = check(program, parse("<>[]!p"))
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample is not None
    assert len(result.counterexample.states) == 4


@pytest.mark.campaign
@pytest.mark.usefixtures("small")
@few(3000)
@given(graphs(12))
def test_cycles_are_found_that_components_show_in_many_more_graphs(program: Program) -> None:
    same_cycles(program)


STUTTERING = [text for text in FORMULAS if "X" not in text]


def same_with_reduction(program: Program, text: str) -> None:
    """The verdict does not change, with a formula and without one, and there are no more states."""
    for formula in (None, parse(text)):
        whole = check(program, formula, fairness=False, engine="auto" if formula else "nested")
        less = check(program, formula, fairness=False, reduction=True)
        assert less.engine == "compiled, nested, reduction"
        assert less.verdict is whole.verdict
        assert less.states <= whole.states or whole.verdict is Verdict.VIOLATED
        if less.counterexample is not None:
            replay(Execution(program), less.counterexample)


@few(10)
@given(programs(), st.sampled_from(STUTTERING))
def test_reduction_changes_no_verdict(program: Program, text: str) -> None:
    same_with_reduction(program, text)


@pytest.mark.campaign
@few(1000)
@given(programs(), st.sampled_from(STUTTERING))
def test_reduction_changes_no_verdict_of_many_more_programs(program: Program, text: str) -> None:
    same_with_reduction(program, text)


def test_reduction_leaves_one_order_of_steps_that_only_their_process_sees() -> None:
    cells, processes, commands = [], [], []
    for number in range(4):
        cells.append(Cell(f"p{number}@", 0, 3, 0, number))
        processes.append(Process(f"p{number}", number, ("a", "b", "c", "d"), frozenset({3})))
        commands += [Command(number, source, source + 1, ()) for source in range(3)]
    at_end = ("ended", Binary("==", Read(3), Constant(3)))
    program = Program("apart", tuple(cells), tuple(processes), tuple(commands), predicates=(at_end,))
    assert check(program).states == 4**4
    assert check(program, reduction=True).states == 4 * 3 + 1
    result = check(program, parse("<>ended"), reduction=True)
    # The last step of the last process is seen, so that it has to be tried in every order with those of the others
    # that are still to come: none is.
    assert (result.verdict, check(program, parse("<>ended")).verdict) == (Verdict.HOLDS, Verdict.HOLDS)
    assert result.states <= 2 * 13


def test_reduction_does_not_put_off_a_step_for_ever() -> None:
    # One process goes round without doing anything; that must not keep the other one from being looked at.
    cells = Cell("idler@", 0, 1, 0, 0), Cell("worker@", 0, 1, 0, 1)
    processes = Process("idler", 0, ("a", "b"), frozenset()), Process("worker", 1, ("a", "b"), frozenset({1}))
    commands = Command(0, 0, 1, ()), Command(0, 1, 0, ()), Command(1, 0, 1, ())
    worked = ("worked", Binary("==", Read(1), Constant(1)))
    program = Program("idler", cells, processes, commands, predicates=(worked,))
    assert check(program, parse("[]!worked"), reduction=True).verdict is Verdict.VIOLATED
    assert check(program, parse("<>worked"), reduction=True).verdict is Verdict.VIOLATED
    assert check(program, reduction=True).states == 4


def test_reduction_is_refused_where_it_could_be_seen() -> None:
    program = philosophers(3, asymmetric=True)
    with pytest.raises(OptionError, match="X, N, Y, Z with reduction is refused"):
        check(program, parse("X X !eat0"), reduction=True)
    with pytest.raises(OptionError, match="fairness with reduction is refused"):
        check(program, parse("[]<>eat0"), reduction=True, fairness=True)
    with pytest.raises(OptionError, match="breadth with reduction is refused"):
        check(program, reduction=True, engine="breadth")


BUNDLED = sorted((FilePath(__file__).parents[3] / "spec" / "model" / "bundled").glob("*.m4m"))


def same_on_a_bundled_model(file: FilePath, chosen: slice) -> None:
    program = read_file(file)
    system = Execution(program)
    assumptions = [named.formula for named in program.assumptions]
    for named in program.properties[chosen]:
        ours = check(program, named.formula, assumptions=assumptions)
        assert_equal(program, ours, search.check(system, named.formula, assumptions=assumptions))
    same_deadlocks_and_faults(program, True)


@pytest.mark.slow
@pytest.mark.parametrize("file", BUNDLED, ids=lambda file: str(file.stem))
def test_bundled_models_are_judged_as_by_the_readable_search(file: FilePath) -> None:
    same_on_a_bundled_model(file, slice(-1, None))


@pytest.mark.campaign
@pytest.mark.parametrize("file", BUNDLED, ids=lambda file: str(file.stem))
def test_every_property_of_a_bundled_model_is_judged_as_by_the_readable_search(file: FilePath) -> None:
    same_on_a_bundled_model(file, slice(None))


@few(6)
@given(programs(tame=True), st.sampled_from(["[]p", "[](e -> X !e)", "!q W (p && X q)"]))
def test_breadth_first_and_nested_search_agree_on_safety_properties(program: Program, text: str) -> None:
    wide, deep = (check(program, parse(text), engine=engine) for engine in ("breadth", "nested"))
    assert wide.verdict is deep.verdict
    assert wide.states == deep.states or wide.verdict is Verdict.VIOLATED
    for result in (wide, deep):
        if result.counterexample is not None:
            assert result.reason == str(parse(text))
            replay(Execution(program), result.counterexample)


@pytest.mark.usefixtures("small")
@few(6)
@given(programs())
def test_depth_first_search_visits_the_states_that_breadth_first_search_does(program: Program) -> None:
    wide, deep = (check(program, engine=engine) for engine in ("breadth", "nested"))
    assert wide.verdict is deep.verdict
    if wide.verdict is Verdict.HOLDS:
        assert (wide.states, wide.transitions) == (deep.states, deep.transitions)
    else:
        replay(Execution(program), deep.counterexample)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "states", "transitions"), [(2, 9, 10), (6, 1485, 5806), (9, 67089, 401051)])
def test_philosophers_who_do_not_all_begin_alike_have_no_deadlock(count: int, states: int, transitions: int) -> None:
    result = check(philosophers(count, asymmetric=True))
    assert result.verdict is Verdict.HOLDS
    assert (result.states, result.transitions) == (states, transitions)
    assert result.engine == "compiled, breadth"


def test_philosophers_who_all_begin_alike_come_to_a_deadlock_in_a_step_each() -> None:
    program = philosophers(7, asymmetric=False)
    result = check(program)
    assert (result.verdict, result.reason) == (Verdict.VIOLATED, "deadlock")
    path = result.counterexample
    assert path is not None
    assert len(path.states) == 8
    assert path.back == 7
    replay(Execution(program), path)
    assert check(program, deadlock=False).verdict is Verdict.HOLDS


def test_fairness_to_all_lets_somebody_eat() -> None:
    program = philosophers(3, asymmetric=True)
    formula = parse("<>(eat0 || eat1 || eat2)")
    assert check(program, formula, fairness=False).verdict is Verdict.HOLDS
    formula = parse("[]<>eat0")
    unfair = check(program, formula, fairness=(0, 1))
    assert (unfair.verdict, unfair.engine) == (Verdict.VIOLATED, "compiled, nested, fairness")
    fair = check(program, formula, fairness=True)
    assert fair.verdict is Verdict.VIOLATED  # weakly fair is not enough: the neighbour may be the faster one each time
    assert is_fair(Execution(program), fair.counterexample, (0, 1, 2))  # type: ignore[arg-type]


def test_assumptions_leave_out_the_runs_that_break_them() -> None:
    program = philosophers(4, asymmetric=True)
    formula = parse("[](eat0 -> <>!eat0)")
    assert check(program, formula, fairness=False).verdict is Verdict.VIOLATED
    assert check(program, formula, assumptions=[parse("[]<>!eat0")], fairness=False).verdict is Verdict.HOLDS
    with pytest.raises(OptionError, match="assuming true needs a formula to be assumed for"):
        check(program, assumptions=[parse("true")])


def counting(bits: int) -> Program:
    """A process that counts to 2^bits for ever: one state for each number."""
    top = (1 << bits) - 1
    more = Assign(Read(0), Binary("%", Binary("+", Read(0), Constant(1)), Constant(top + 1)))
    cells = Cell("n", 0, top, 0), Cell("p@", 0, 0, 0, 0)
    last = ("last", Binary("==", Read(0), Constant(top)))
    return Program(
        "count",
        cells,
        (Process("p", 1, ("l",), frozenset()),),
        (Command(0, 0, 0, (more,), "n++"),),
        None,
        predicates=(last,),
    )


@pytest.mark.parametrize("bits", [1, 5, 16])
def test_every_state_is_counted_once_however_much_the_arrays_have_to_grow(bits: int) -> None:
    assert check(counting(bits)).states == 1 << bits
    result = check(counting(bits), parse("[]<>last"))
    assert (result.verdict, result.states, result.depth) == (Verdict.HOLDS, (2 << bits) - 1, 1 << bits)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("formula", ["", "[]<>last"])
def test_a_bound_on_states_is_reached_by_one_state_too_many(formula: str) -> None:
    wanted = parse(formula) if formula else None
    whole = check(counting(6), wanted)
    enough, few = (check(counting(6), wanted, states=whole.states - missing) for missing in (0, 1))
    assert enough.verdict is Verdict.HOLDS
    assert (few.verdict, few.reason) == (Verdict.EXHAUSTED, f"more than {whole.states - 1} states")
    assert few.states == whole.states - 1


def test_a_bound_on_memory_is_kept_before_an_array_grows() -> None:
    result = check(counting(22), memory=1 << 20)
    assert (result.verdict, result.reason) == (Verdict.EXHAUSTED, "more than 1,048,576 bytes of memory")
    assert 0 < result.states < 1 << 22


def test_a_bound_on_time_is_kept() -> None:
    result = check(counting(40), seconds=0.2)
    assert (result.verdict, result.reason) == (Verdict.EXHAUSTED, "more than 0.2 seconds")
    assert result.seconds < 5


def test_progress_is_told_what_has_been_counted_and_may_interrupt() -> None:
    seen: list[tuple[int, int]] = []

    def progress(meter: Meter) -> None:
        seen.append((meter.states, meter.transitions))
        raise KeyboardInterrupt

    result = check(counting(40), progress=progress)
    assert (result.verdict, result.reason) == (Verdict.EXHAUSTED, "interrupted")
    assert seen == [(result.states, result.transitions)]
    assert 0 < result.states <= result.transitions + 1


def test_an_interrupt_ends_the_search_with_what_was_explored() -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    result = check(counting(40))
    timer.join()
    assert (result.verdict, result.reason) == (Verdict.EXHAUSTED, "interrupted")
    assert result.states > 0


def test_a_fault_is_found_by_a_shortest_run_whatever_was_asked() -> None:
    program = counting(3)
    (command,) = program.commands
    wrong = replace(program, commands=(command._replace(body=(Assign(Read(0), Binary("+", Read(0), Constant(1))),)),))
    for formula in (None, parse("[]<>last"), parse("[]!(last && X last)")):
        result = check(wrong, formula)
        assert (result.verdict, result.reason) == (Verdict.VIOLATED, "n = 8 is out of its range 0..7")
        assert result.counterexample is not None
        assert len(result.counterexample.states) == 9
        replay(Execution(wrong), result.counterexample)


RUNNING_AWAY = """
model running_away
var n: 0..60 = 0
var m: 0..1000 = 0
process p { loop { atomic { assert n < 50; n = n + 1 } } }
process q { loop { atomic { await m < 1000; m = m + 1 } } }
predicate zero = n == 0
"""


def test_a_fault_that_was_found_is_told_whatever_bounds_the_search_for_a_shorter_run() -> None:
    # Depth-first 50 steps lead there; breadth-first there are more states before it than the bound.
    program = read(RUNNING_AWAY)
    result = check(program, parse("[]<>zero"), states=200)
    assert (result.verdict, result.reason) == (Verdict.VIOLATED, "line 5: assertion n < 50 is false")
    assert result.counterexample is not None
    replay(Execution(program), result.counterexample)


@pytest.mark.parametrize("stopped", ["shorten", "simplify"])
def test_a_violation_that_was_found_is_told_when_shortening_it_is_interrupted(
    stopped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"m4alloc.model.compiled.{stopped}", interrupted)
    program, formula = philosophers(2, asymmetric=True), parse("[]<>eat0")
    result = check(program, formula, fairness=False)
    assert (result.verdict, result.reason) == (Verdict.VIOLATED, str(formula))
    assert result.counterexample is not None and result.counterexample.back is not None
    replay(Execution(program), result.counterexample)
    assert not holds(formula, result.counterexample.word(Execution(program)))


def test_a_deadlock_that_reduction_comes_to_is_told_in_the_fewest_steps() -> None:
    result = check(philosophers(5, asymmetric=False), reduction=True)
    assert (result.verdict, result.reason) == (Verdict.VIOLATED, "deadlock")
    assert result.counterexample is not None and len(result.counterexample.states) == 6


def test_reduction_keeps_a_guard_that_fails_before_one_that_is_false() -> None:
    program = read(
        """
        model guards
        var a: array[1] of 0..1 = 1
        var x: 0..1 = 1
        process q { x = 0 }
        process p { atomic { await a[x] == 1  await x == 0 } }
        """
    )
    result = check(program, reduction=True)
    assert (result.verdict, result.reason) == (Verdict.VIOLATED, "line 6: there is no a[1], only a[0] to a[0]")


def test_an_event_letter_that_is_not_listed_is_an_error_of_the_model() -> None:
    cells = Cell("event", 0, 0, 0), Cell("p@", 0, 0, 0, 0)
    program = Program(
        "wrong", cells, (Process("p", 1, ("l",), frozenset()),), (Command(0, 0, 0, (Raise("e"),)),), 0, (frozenset(),)
    )
    with pytest.raises(ValueError, match="e is raised, and the program does not list this event letter"):
        check(program)


def test_a_run_to_the_initial_state_alone_can_violate() -> None:
    program = counting(2)
    result = check(program, parse("last"))
    assert result.verdict is Verdict.VIOLATED
    assert len(result.counterexample.states) == 1  # type: ignore[union-attr]


def test_automata_are_checked_as_they_are() -> None:
    program = counting(2)
    never_last = Automaton(("last",), ((Edge(0b01, 0, 1),),), 0, 1)
    assert check_automaton(program, never_last).verdict is Verdict.HOLDS
    infinitely_often = Automaton(
        ("last",), ((Edge(0b01, 0), Edge(0b10, 1)), (Edge(0b01, 0, 1), Edge(0b10, 1, 1))), 0, 1
    )
    result = check_automaton(program, infinitely_often)
    assert (result.verdict, result.reason) == (Verdict.VIOLATED, "accepted by the automaton")
    with pytest.raises(ValueError, match="needs an automaton with accepting states"):
        check_automaton(program, Automaton(("last",), ((Edge(0b01, 0), Edge(0b10, 0, 1)),), 0, 1))


def test_unknown_engines_are_refused_by_name() -> None:
    with pytest.raises(OptionError, match="there is no engine 'scc'; auto, breadth, nested would be right"):
        check(counting(1), engine="scc")
    with pytest.raises(OptionError, match="breadth-first search finds no cycles"):
        check(counting(1), parse("[]<>last"), engine="breadth")


def test_without_numba_the_search_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("m4alloc.model.") or name == "numba"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ModuleNotFoundError, match=r"the compiled search needs numba: pip install 'm4alloc\[fast\]'"):
        check(counting(1))
