from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.ltl.word import show_letter
from spec.model.execution import IDLE, Execution
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Command,
    Constant,
    Expression,
    Guard,
    Process,
    Program,
    Raise,
    Read,
)
from spec.model.reader import read

sys.path.insert(0, str(Path(__file__).parent))
from interpreter import CELLS, EXPRESSIONS, VALUES, Fault, steps, value
from programs import programs


@settings(max_examples=60, deadline=None)
@given(st.lists(EXPRESSIONS, min_size=1, max_size=6), VALUES)
def test_generated_code_calculates_what_the_definition_says(
    expressions: list[Expression], values: tuple[int, ...]
) -> None:
    wide = Cell("result", -(10**9), 10**9, 0)
    process = Process("p", 5, ("0",), frozenset())
    bodies = [(Assign(Read(4), expression),) for expression in expressions]
    commands = [Command(0, 0, 0, body) for body in bodies]
    commands += [Command(0, 0, 0, (Guard(expression), Assign(Read(4), Constant(1)))) for expression in expressions]
    system = Execution(Program("m", (*CELLS, wide, Cell("p@", 0, 0, 0, 0)), (process,), tuple(commands)))
    found = {step.command: (bool(step.fault), target[4]) for step, target in system.successors((*values, 0, 0))}
    for number, expression in enumerate(expressions):
        try:
            expected = value(expression, list(values))
        except Fault:
            assert found[number] == (True, 0) == found[number + len(expressions)]
        else:
            assert found[number] == (False, expected) and type(found[number][1]) is int
            assert found.get(number + len(expressions)) == ((False, 1) if expected else None)


@settings(max_examples=40, deadline=None)
@given(programs())
def test_steps_are_those_of_the_definition_in_order(program: Program) -> None:
    system = Execution(program)
    seen = set(system.initial())
    waiting = list(seen)
    while waiting and len(seen) < 150:
        state = waiting.pop()
        found = system.successors(state)
        assert [(step.command, bool(step.fault), target) for step, target in found] == steps(program, state)
        for step, target in found:
            if not step.fault and target not in seen:
                seen.add(target)
                waiting.append(target)


def faults(text: str) -> list[str]:
    """The faults of the first step of a model."""
    system = Execution(read(text))
    (state,) = system.initial()
    assert all(target == state for step, target in system.successors(state) if step.fault)
    return [step.fault for step, _ in system.successors(state)]


def test_every_fault_says_what_happened_and_where() -> None:
    head = "model m\nvar x: 0..3\nvar a: array[2] of 0..3\nvar m: array[2, 2] of bool\nvar i: -1..5 = 5\n"
    tail = "; x = 0; a[0] = 0; m[0, 0] = true; i = 0 }"
    for statement, fault in [
        ("x = i", "x = 5 is out of its range 0..3"),
        ("a[1] = i", "a[1] = 5 is out of its range 0..3"),
        ("a[x] = i", "a[0] = 5 is out of its range 0..3"),
        ("x = a[i]", "there is no a[5], only a[0] to a[1]"),
        ("a[i] = 0", "there is no a[5], only a[0] to a[1]"),
        ("m[0, i] = true", "an index of m is outside of the array"),
        ("x = 1 / a[0]", "division of 1 by 0"),
        ("x = 1 % a[0]", "remainder of 1 by 0"),
        ("await a[i] == 1", "there is no a[5], only a[0] to a[1]"),
        ("assert x > 0", "assertion x > 0 is false"),
        ("atomic { x = 1; a[x] = 1; assert a[1] == 0 }", "assertion a[1] == 0 is false"),
    ]:
        assert faults(f"{head}process p {{ {statement}{tail}") == [f"line 6: {fault}"], statement


def test_a_guard_that_is_false_hides_what_would_fail_after_it_and_nothing_before() -> None:
    cells = Cell("x", 0, 1, 0), Cell("p@", 0, 0, 0, 0)
    process = Process("p", 1, ("0",), frozenset())
    wrong = Assert(Constant(0), "wrong")
    commands = Command(0, 0, 0, (Guard(Read(0)), wrong)), Command(0, 0, 0, (wrong, Guard(Read(0))))
    system = Execution(Program("m", cells, (process,), commands))
    assert [(step.command, step.fault) for step, _ in system.successors((0, 0))] == [(1, "wrong")]


def test_an_event_is_true_in_one_state_and_the_idle_step_clears_it() -> None:
    system = Execution(
        read("model m track b: 0..1 process p { label mem_allocate_end(1) end } process q { await false }")
    )
    one, other = system.initial()
    assert [system.show(state) for state in (one, other)] == ["b=0 p@0 q@0", "b=1 p@0 q@0"]
    ((step, after),) = system.successors(one)
    assert (step.process, step.text, system.letter(after)) == (0, "label mem_allocate_end(1)", frozenset())
    ((_, raised),) = system.successors(other)
    assert show_letter(system.letter(raised)) == "malloc&mem_allocate_end"
    assert system.show(raised) == "b=1 p@end q@0"  # events are in the letter
    assert system.successors(raised) == [(IDLE, (1, 0, *after[2:]))]


def test_a_program_may_end_where_all_its_processes_may_stay() -> None:
    system = Execution(read("model m var go: bool process p { go = true } process q { stay here: await go }"))
    (state,) = system.initial()
    assert not system.ended(state) and system.processes == ("p", "q")
    (_, state), *_ = system.successors(state)
    assert system.ended(state) and system.show(state) == "go=1 p@end q@here"


def test_letters_are_events_and_the_predicates_that_are_true() -> None:
    system = Execution(
        read("model m var x: 0..2 process p { x = 2 } predicate two = x == 2 predicate low = x < 2 || p@end")
    )
    (state,) = system.initial()
    assert system.letter(state) == {"low"}
    assert system.letter(system.successors(state)[0][1]) == {"two", "low"}


def test_states_show_arrays_together() -> None:
    system = Execution(
        read("model m var a: array[2] of 0..3 = [1, 2] channel c[2] of bool process p[i: 0..0] { a[0] = 1 c ! true }")
    )
    assert [system.show(state) for state in system.initial()] == ["a=[1,2] c.length=0 c=[0,0] p[0]@0"]


def test_an_event_letter_that_is_not_listed_is_refused() -> None:
    cells = Cell("event@", 0, 1, 0), Cell("p@", 0, 0, 0, 0)
    process = Process("p", 1, ("0",), frozenset())
    command = Command(0, 0, 0, (Raise("e"),))
    with pytest.raises(ValueError, match=re.escape("the program does not list this event letter")):
        Execution(Program("m", cells, (process,), (command,), 0)).successors((0, 0))
    with pytest.raises(ValueError, match="no event cell"):
        Execution(Program("m", cells, (process,), (command,)))


def test_what_no_expression_can_be_is_refused() -> None:
    cells = (Cell("p@", 0, 0, 0, 0),)
    command = Command(0, 0, 0, (Guard(Binary("^", Constant(1), Constant(1))),))
    with pytest.raises(ValueError, match="has no meaning"):
        Execution(Program("m", cells, (Process("p", 0, ("0",), frozenset()),), (command,)))


def test_many_guards_and_long_sums_are_no_matter() -> None:
    sums = Binary("==", Constant(0), Read(0))
    for _ in range(150):
        sums = Binary("&&", sums, Binary("==", Constant(0), Read(0)))
    cells = Cell("x", 0, 1, 0), Cell("p@", 0, 0, 0, 0)
    command = Command(0, 0, 0, (Guard(sums),) * 100)
    system = Execution(Program("m", cells, (Process("p", 1, ("0",), frozenset()),), (command,)))
    assert len(system.successors((0, 0))) == 1 and not system.successors((1, 0))


@pytest.mark.campaign
def test_a_hundred_thousand_steps_take_less_than_a_second() -> None:
    flags = "flag[i] = true; turn = 1 - i; await !flag[1 - i] || turn == i; skip; flag[i] = false"
    text = f"model m var flag: array[2] of bool var turn: 0..1 process p[i: 0..1] {{ loop {{ {flags} }} }}"
    system = Execution(read(text))
    states = list(system.initial())
    count, start = 0, time.process_time()
    while count < 100_000:
        found = system.successors(states[count % len(states)])
        count += len(found)
        states = [target for _, target in found] or states
    assert time.process_time() - start < 1
