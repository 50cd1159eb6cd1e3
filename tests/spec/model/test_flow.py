"""Random processes: what their commands do is what their statements say, in one step and in many."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.ltl.error import TooLargeError
from spec.model import flow, scope, syntax
from spec.model.execution import Execution
from spec.model.lower import lower
from spec.model.program import Program
from spec.model.reader import read
from spec.model.syntax import Body, ModelError, Number, Operation, Span, Target

sys.path.insert(0, str(Path(__file__).parent))
from interpreter import calculated

# A small language of its own: two variables x and y in 0..2, and what is done to them, by definition.

SPAN = Span(Number(0), Number(2))
ATOMS = st.sampled_from([Target("x"), Target("y"), Number(0), Number(1), Number(2)])
CONDITIONS = st.builds(Operation, st.sampled_from(["==", "!=", "<"]), st.tuples(ATOMS, ATOMS))
VARIABLES = st.sampled_from([Target("x"), Target("y")])


def bodies(depth: int = 3) -> st.SearchStrategy[Body]:
    """Statements that end, and never fail."""
    simple: list[st.SearchStrategy[syntax.Statement]] = [
        st.just(syntax.Skip()),
        st.builds(syntax.Wait, CONDITIONS),
        st.builds(syntax.Set, VARIABLES.map(lambda target: (target,)), ATOMS.map(lambda value: (value,))),
        st.just(syntax.Set((Target("x"), Target("y")), (Target("y"), Target("x")))),
        st.builds(syntax.Pick, VARIABLES, st.just(SPAN)),
    ]
    if depth:
        inner = bodies(depth - 1)
        over = st.just(Span(Number(0), Number(1)))
        simple += [
            st.builds(syntax.Atomic, inner),
            st.builds(syntax.Choose, st.lists(inner, min_size=1, max_size=2).map(tuple)),
            st.builds(syntax.ChooseIn, st.just("k"), over, inner),
            st.builds(syntax.Each, st.just("k"), over, inner),
            st.builds(
                syntax.Branches,
                st.lists(st.tuples(CONDITIONS, inner), min_size=1, max_size=2).map(tuple),
                st.none() | inner,
            ),
        ]
    return st.lists(st.one_of(simple), min_size=0 if depth < 3 else 1, max_size=3).map(tuple)


Pair = tuple[int, int]


def outcomes(body: Body, state: Pair) -> set[Pair]:
    """Where the statements may lead, one after another."""
    states = {state}
    for statement in body:
        states = {after for before in states for after in single(statement, before)}
    return states


def single(statement: syntax.Statement, state: Pair) -> Iterator[Pair]:
    match statement:
        case syntax.Skip():
            yield state
        case syntax.Wait(condition):
            if value(condition, state):
                yield state
        case syntax.Set(targets, values):
            new = dict(zip("xy", state, strict=True))
            new |= {target.name: value(each, state) for target, each in zip(targets, values, strict=True)}
            yield new["x"], new["y"]
        case syntax.Pick(Target("x"), _):
            yield from ((number, state[1]) for number in range(3))
        case syntax.Pick():
            yield from ((state[0], number) for number in range(3))
        case syntax.Atomic(body):
            yield from outcomes(body, state)
        case syntax.Choose(bodies):
            for body in bodies:
                yield from outcomes(body, state)
        case syntax.ChooseIn(body=body):
            yield from outcomes(body, state)
        case syntax.Each(body=body):
            yield from outcomes(body + body, state)
        case syntax.Branches(branches, otherwise):
            for condition, body in branches:
                if value(condition, state):
                    yield from outcomes(body, state)
                    return
            yield from outcomes(otherwise or (), state)


def value(expression: syntax.Expression, state: Pair) -> int:
    match expression:
        case Number(number):
            return number
        case Target(name):
            return state["xy".index(name)]
        case Operation(operator, (left, right)):
            return calculated(operator, value(left, state), value(right, state))
        case _:
            raise AssertionError(expression)


def program(body: Body) -> Program:
    """The process alone; what it never does is no matter, so all is used once at its end."""
    use: Body = (syntax.Wait(Operation("==", (Target("x"), Target("y")))),)
    variables = tuple(syntax.Variable(name, SPAN) for name in "xy")
    process = syntax.ProcessOf("p", (*body, syntax.Located("over", syntax.Skip()), *use))
    return lower(syntax.Tree("m", (*variables, process)))


def distinct(body: Body, used: list[int]) -> Body:
    """The same with another name for each loop's variable, since an inner one may not hide an outer one."""
    found: list[syntax.Statement] = []
    for statement in body:
        match statement:
            case syntax.Atomic(inner):
                found.append(syntax.Atomic(distinct(inner, used)))
            case syntax.Choose(several):
                found.append(syntax.Choose(tuple(distinct(inner, used) for inner in several)))
            case syntax.Branches(branches, otherwise):
                pairs = tuple((condition, distinct(inner, used)) for condition, inner in branches)
                found.append(syntax.Branches(pairs, None if otherwise is None else distinct(otherwise, used)))
            case syntax.ChooseIn(_, over, inner) | syntax.Each(_, over, inner):
                used.append(len(used))
                found.append(type(statement)(f"k{len(used)}", over, distinct(inner, used)))
            case _:
                found.append(statement)
    return tuple(found)


def ends(body: Body) -> set[Pair]:
    """The values of x and y wherever the process may come to the location after the body."""
    system = Execution(program(body))
    counter = system.program.processes[0].counter
    over = system.program.processes[0].locations.index("over")
    seen = set(system.initial())
    waiting = list(seen)
    while waiting:
        for _, target in system.successors(waiting.pop()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return {(state[0], state[1]) for state in seen if state[counter] == over}


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(bodies())
def test_commands_do_what_statements_say(body: Body) -> None:
    body = distinct(body, [])
    expected = outcomes(body, (0, 0))
    try:
        stepwise, at_once = ends(body), ends((syntax.Atomic(body),))
    except TooLargeError:
        return
    except ModelError as error:
        # Where nothing can be reached any more, the location has no name in the program.
        raise AssertionError(error) from error
    except ValueError:
        assert not expected
        return
    assert stepwise == at_once == expected


# Locations and commands, one construct at a time.


def commands(body: str, declarations: str = "var x: 0..3") -> list[tuple[str, str, str]]:
    """(where from, text, where to) of each command of a process."""
    program = read(f"model m {declarations} process p {{ {body} }}")
    names = program.processes[0].locations
    return [(names[each.source], each.text, names[each.target]) for each in program.commands]


def test_one_statement_is_one_step() -> None:
    assert commands("x = 1; await x == 1; skip; assert x == 1") == [
        ("0", "x = 1", "1"),
        ("1", "await x == 1", "2"),
        ("2", "skip", "3"),
        ("3", "assert x == 1", "end"),
    ]


def test_jumps_take_no_step_unless_they_are_all_that_a_branch_or_a_location_has() -> None:
    assert commands("loop { x = 1; if x == 2 { break } }") == [
        ("0", "x = 1", "1"),
        ("1", "if x == 2", "end"),
        ("1", "if !(x == 2)", "0"),
    ]
    assert commands("choose { goto out } or { x = 1 } out: end") == [("0", "goto out", "out"), ("0", "x = 1", "out")]
    assert commands("a: goto b b: x = 1") == [("a", "goto b", "b"), ("b", "x = 1", "end")]


def test_a_branch_that_begins_with_a_loop_takes_a_step_to_it() -> None:
    assert commands("choose { while x < 2 { x = x + 1 } } or { skip }") == [
        ("0", "skip", "1"),
        ("1", "while x < 2", "2"),
        ("2", "x = x + 1", "1"),
        ("1", "leave while x < 2", "end"),
        ("0", "skip", "end"),
    ]


def test_a_free_loop_chooses_between_its_body_and_what_follows() -> None:
    assert commands("while * { x = 1 } x = 2") == [
        ("0", "x = 1", "0"),
        ("0", "leave while *", "1"),
        ("1", "x = 2", "end"),
    ]


def test_else_if_is_taken_when_what_is_before_it_is_false() -> None:
    system = Execution(
        read("model m var x: 0..3 process p { if x == 0 { x = 1 } else if x < 2 { x = 2 } else { x = 3 } }")
    )
    taken = [[step.text for step, _ in system.successors((x, 0))] for x in range(4)]
    assert taken == [["if x == 0"], ["if x < 2"], ["else"], ["else"]]


def test_constants_decide_without_a_step() -> None:
    declarations = "const BUG = false var x: 0..3"
    assert commands("if BUG { x = 1 } else { x = 2 }", declarations) == [("0", "x = 2", "end")]
    assert commands("while BUG { x = 1 } x = 2", declarations) == [("0", "x = 2", "end")]
    assert commands("if BUG { x = 9 } x = 2", declarations) == [("0", "x = 2", "end")]
    assert commands("while !BUG { x = 2 }", declarations) == [("0", "x = 2", "0")]
    assert commands("atomic { if !BUG { goto out } x = 1 } out: x = 2", declarations) == [
        ("0", "goto out", "out"),
        ("out", "x = 2", "end"),
    ]


def test_for_and_choose_write_their_values_into_the_steps() -> None:
    assert commands("for k in 0..1 { a[k] = x }", "var x: 0..3 var a: array[2] of 0..3") == [
        ("0", "a[0] = x", "1"),
        ("1", "a[1] = x", "end"),
    ]
    assert commands("choose k in 1..2 { x = k }") == [("0", "x = 1", "end"), ("0", "x = 2", "end")]
    assert commands("x = any 2..3") == [("0", "x = 2", "end"), ("0", "x = 3", "end")]
    assert commands("for k in 0..1 { if x == k { break } skip }") == [
        ("0", "if x == 0", "end"),
        ("0", "if !(x == 0)", "1"),
        ("1", "skip", "2"),
        ("2", "if x == 1", "end"),
        ("2", "if !(x == 1)", "3"),
        ("3", "skip", "end"),
    ]
    assert commands("for k in 1..0 { x = k } x = 2") == [("0", "x = 2", "end")]


def test_each_copy_of_a_body_has_its_own_locations() -> None:
    found = commands("choose k in 0..1 { x = k; if x == 0 { goto done } x = 1; done: skip }")
    assert {source for source, text, _ in found if text == "skip"} == {"done[0]", "done[1]"}


def test_an_atomic_section_is_a_command_for_each_way_through_it() -> None:
    body = "loop { atomic { await x < 3; if x == 0 { x = 1; break } choose { x = 2 } or { goto out } } } out: end"
    assert commands(body) == [
        ("0", "await x < 3; if x == 0; x = 1; break", "out"),
        ("0", "await x < 3; if !(x == 0); x = 2", "0"),
        ("0", "await x < 3; if !(x == 0); goto out", "out"),
    ]
    assert commands("atomic { for k in 0..3 { if x == k { break } x = k } }")[1][1:] == (
        "if !(x == 0); x = 0; if x == 1; break",
        "end",
    )


def test_a_location_that_may_be_stayed_at_is_an_end() -> None:
    program = read("model m var x: 0..1 process p { stay idle: await x == 1; x = 0; done: end }")
    (process,) = program.processes
    assert {process.locations[place] for place in process.ends} == {"idle", "done"}


def test_two_names_of_one_place_are_both_known() -> None:
    program = read("model m var x: 0..1 process p { a: loop { b: x = 1 } } predicate both = p@a && p@b")
    assert Execution(program).letter((0, 0)) == {"both"}


def test_too_many_commands_and_ways_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (flow.MOST_COMMANDS, flow.MOST_PATHS, scope.MOST_COPIES) == (20_000, 2000, 100_000)
    monkeypatch.setattr(flow, "MOST_COMMANDS", 200)
    monkeypatch.setattr(flow, "MOST_PATHS", 20)
    monkeypatch.setattr(scope, "MOST_COPIES", 1000)
    with pytest.raises(TooLargeError, match="MOST_COMMANDS = 200"):
        commands("for k in 0..200 { x = 1 }")
    with pytest.raises(TooLargeError, match="MOST_PATHS = 20"):
        commands("atomic { for k in 0..4 { choose { x = 1 } or { x = 2 } } }")
    with pytest.raises(TooLargeError, match="MOST_COPIES = 1000"):
        commands("for k in 0..99 { for l in 0..99 { } } x = 1")
