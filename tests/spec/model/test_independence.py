from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given

from spec.model.execution import Execution
from spec.model.independence import UnknownError, commute, effect, folded
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Choice,
    Command,
    Constant,
    Element,
    Guard,
    Process,
    Program,
    Raise,
    Read,
    Unary,
)
from tests.spec.model.programs import bodies, failing_bodies
from tests.spec.model.systems import share

CELLS = (
    Cell("a", 0, 1, 0),
    Cell("b", 0, 2, 0),
    Cell("c[0]", 0, 1, 0),
    Cell("c[1]", 0, 1, 0),
    Cell("event", 0, 3, 0),
    Cell("p0.x", 0, 1, 0, 0),
    Cell("p0@", 0, 1, 0, 0),
    Cell("p1.x", 0, 1, 0, 1),
    Cell("p1@", 0, 1, 0, 1),
)


def two(first: tuple[object, ...], second: tuple[object, ...], cells: tuple[Cell, ...] = CELLS) -> Program:
    """A command of each of two processes."""
    count = len(cells)
    processes = tuple(
        Process(f"p{i}", place, ("l", "m"), frozenset()) for i, place in enumerate((count - 3, count - 1))
    )
    letters = (frozenset[str](), frozenset({"e"}), frozenset({"f"}), frozenset({"e", "f"}))
    commands = Command(0, 0, 1, first, "first"), Command(1, 0, 1, second, "second")  # type: ignore[arg-type]
    return Program("two", cells, processes, commands, count - 5, letters)


def commuting(program: Program) -> bool:
    first, second = program.commands
    return commute(first, second, program)


def assert_commuting_is_seen_in_every_state(program: Program) -> None:
    """If the commands are held to commute they do, wherever both can be taken, events and faults included."""
    if not commuting(program):
        return
    system = Execution(program)

    def after(state: tuple[int, ...], process: int) -> list[tuple[str, int, tuple[int, ...]]]:
        """The fault of one process's command, the event that it raises, and where it leads without it."""
        return [
            (step.fault, target[4], (*target[:4], 0, *target[5:]))
            for step, target in system.successors(state)
            if step.process == process
        ]

    for a, b, c, d, x, y in product(range(2), range(3), *[range(2)] * 4):
        state = (a, b, c, d, 0, x, 0, y, 0)
        one, other = after(state, 0), after(state, 1)
        if not one or not other:
            continue
        (fault, event, there), (other_fault, other_event, elsewhere) = one[0], other[0]
        # Neither prevents the other, and each fails or raises what it would if the other had not been before.
        if not fault:
            assert [step[:2] for step in after(there, 1)] == [(other_fault, other_event)]
        if not other_fault:
            assert [step[:2] for step in after(elsewhere, 0)] == [(fault, event)]
        if not fault and not other_fault:
            assert after(there, 1)[0][2] == after(elsewhere, 0)[0][2]


@given(bodies([0, 1, 2, 3, 5], 5, True), bodies([0, 1, 2, 3, 7], 7, True))
def test_commands_that_are_held_to_commute_do_so_in_every_state(
    first: tuple[object, ...], second: tuple[object, ...]
) -> None:
    assert_commuting_is_seen_in_every_state(two(first, second))


@share(50)
@given(failing_bodies([0, 1, 2, 3, 5]), failing_bodies([0, 1, 2, 3, 7]))
def test_commands_that_may_fail_anywhere_commute_where_they_are_held_to(
    first: tuple[object, ...], second: tuple[object, ...]
) -> None:
    assert_commuting_is_seen_in_every_state(two(first, second))


def test_a_command_that_may_fail_before_a_guard_that_is_false_is_not_held_to_commute() -> None:
    # While b is 2 the index is wrong and the command fails, whatever stands behind it; when b is set to 0 it does not.
    zero = Guard(Binary("==", Read(1), Constant(0)))
    for statement in (
        Guard(Element(2, 2, Read(1))),
        Raise("e", Element(2, 2, Read(1))),
        Assert(Binary("<", Read(1), Constant(2)), "small"),
        Assign(Read(5), Read(1)),
    ):
        assert not commuting(two((Assign(Read(1), Constant(0)),), (statement, zero)))


def send(first: int, capacity: int, length: int, value: object) -> tuple[object, ...]:
    return (
        Guard(Binary("<", Read(length), Constant(capacity))),
        Assign(Element(first, capacity, Read(length)), value),  # type: ignore[arg-type]
        Assign(Read(length), Binary("+", Read(length), Constant(1))),
    )


def receive(first: int, capacity: int, length: int, into: int) -> tuple[object, ...]:
    shift = [Assign(Read(first + i), Read(first + i + 1)) for i in range(capacity - 1)]
    return (
        Guard(Binary(">", Read(length), Constant(0))),
        Assign(Read(into), Read(first)),
        *shift,
        Assign(Read(first + capacity - 1), Constant(0)),
        Assign(Read(length), Binary("-", Read(length), Constant(1))),
    )


def channel(capacity: int) -> tuple[Cell, ...]:
    """Cells: the length, the places, the event, and a local and a location of two processes."""
    places = [Cell(f"q[{i}]", 0, 99, 0) for i in range(capacity)]
    ends = CELLS[4:5] + tuple(cell._replace(high=99) if cell.name.endswith(".x") else cell for cell in CELLS[5:])
    return (Cell("len", 0, capacity, 0), *places, *ends)


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_sending_commutes_with_receiving_and_not_with_sending(capacity: int) -> None:
    cells = channel(capacity)
    mine, yours = len(cells) - 4, len(cells) - 2
    program = two(send(1, capacity, 0, Read(mine)), receive(1, capacity, 0, yours), cells)
    assert commuting(program)
    program = two(send(1, capacity, 0, Read(mine)), send(1, capacity, 0, Read(yours)), cells)
    assert commuting(program) is (capacity == 0)
    program = two(receive(1, capacity, 0, mine), receive(1, capacity, 0, yours), cells)
    assert not commuting(program)


def test_adding_commutes_with_adding_and_not_with_setting() -> None:
    add = (Assign(Read(1), Binary("+", Read(1), Constant(1))),)
    # Each may leave the range, alone or after the other, and then the order tells.
    program = two(add, add)
    assert not commuting(program)
    both = (Guard(Binary("==", Read(1), Constant(0))), *add)
    # Here each prevents the other.
    program = two(both, both)
    assert not commuting(program)
    wide = (CELLS[0], Cell("b", 0, 2, 0), *CELLS[2:])
    turn = (Assign(Read(0), Binary("-", Constant(1), Read(0))),)
    program = two(turn, turn, wide)
    assert commuting(program)
    program = two(turn, (Assign(Read(0), Constant(1)),), wide)
    assert not commuting(program)


def test_cells_of_too_many_values_are_held_to_be_dependent() -> None:
    cells = (Cell("a", 0, 300, 0), *CELLS[1:])
    keep = (Guard(Binary(">", Read(0), Constant(7))), Assign(Read(0), Binary("+", Read(0), Constant(0))))
    program = two(keep, keep, cells)
    assert not commuting(program)


def test_an_effect_takes_an_array_as_a_whole_unless_the_index_is_constant() -> None:
    body = Guard(Read(0)), Assign(Element(2, 2, Read(5)), Read(1)), Assign(Element(2, 2, Constant(1)), Constant(0))
    program = two(body, ())
    found = effect(program.commands[0], program)
    assert found.reads == {0, 1, 5, 6}
    assert found.writes == {2, 3, 6}
    assert found.examined == {0, 5, 6}


def test_folding_computes_what_is_known_and_fails_on_nothing() -> None:
    values = {0: Constant(2), 1: Constant(0)}
    assert folded(Binary("/", Read(0), Read(1)), values) == Binary("/", Constant(2), Constant(0))
    assert folded(Binary("&&", Read(1), Binary("/", Read(0), Read(1))), values) == Constant(0)
    assert folded(Binary("||", Read(0), Read(9)), values) == Constant(1)
    assert folded(Choice(Read(1), Read(8), Unary("-", Read(0))), values) == Constant(-2)
    assert folded(Unary("!", Binary(">=", Read(0), Constant(2))), values) == Constant(0)
    with pytest.raises(UnknownError):
        folded(Element(0, 2, Read(7)), values)


def test_events_and_assertions_are_part_of_what_a_command_does() -> None:
    raises = (Raise("e", Binary("==", Read(0), Constant(1))),)
    program = two(raises, (Assign(Read(0), Constant(1)),))
    assert not commuting(program)
    program = two((Assert(Binary("==", Read(0), Constant(1)), "one"),), (Assign(Read(0), Constant(1)),))
    assert not commuting(program)
    program = two(raises, (Raise("f"),))
    assert commuting(program)
