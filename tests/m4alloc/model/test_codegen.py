from __future__ import annotations

import ctypes
import sys
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

pytest.importorskip("numba", reason="pip install 'm4alloc[fast]'")
from m4alloc.model.codegen import FAILED, module, most_successors
from m4alloc.model.native import Native
from m4alloc.model.packing import packing
from spec.ltl.error import TooLargeError
from spec.model.execution import Execution
from spec.model.program import Assign, Binary, Cell, Command, Constant, Element, Process, Program, Raise, Read

sys.path.insert(0, str(Path(__file__).parent))
from random_programs import EVENTS, programs

POINTER = ctypes.POINTER(ctypes.c_uint64)
PROPOSITIONS = ("q", "e", "p", "f")


class Machine:
    """The compiled functions of a program, called from Python."""

    def __init__(self, program: Program, propositions: tuple[str, ...] = ()) -> None:
        self.packed = packing(program, 3)
        self.native = Native(module(program, self.packed, propositions))
        self.most = most_successors(program)

    def call(self, name: str, *arrays: ctypes.Array[ctypes.c_uint64]) -> int:
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[POINTER] * len(arrays))
        return int(kind(self.native.address(name))(*arrays))

    def state(self, values: tuple[int, ...]) -> ctypes.Array[ctypes.c_uint64]:
        words = self.packed.pack(values)
        return (ctypes.c_uint64 * len(words))(*words)

    def successors(self, values: tuple[int, ...]) -> list[tuple[int, bool, tuple[int, ...]]]:
        """Command, whether it fails, and target."""
        words = self.packed.words
        targets = (ctypes.c_uint64 * (self.most * words))()
        commands = (ctypes.c_uint64 * self.most)()
        found = []
        for place in range(self.call("successors", self.state(values), targets, commands)):
            command = ctypes.c_int64(commands[place]).value
            failed = command >= FAILED
            target = self.packed.unpack(targets[place * words : (place + 1) * words])
            found.append((command - FAILED * failed, failed, target))
        return found


def reachable(system: Execution, most: int) -> list[tuple[int, ...]]:
    """States of the system, breadth first."""
    found = dict.fromkeys(system.initial())
    waiting = list(found)
    while waiting and len(found) < most:
        following = []
        for state in waiting:
            for _, target in system.successors(state):
                if target not in found:
                    found[target] = None
                    following.append(target)
        waiting = following
    return list(islice(found, most))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_machine_code_makes_the_steps_that_the_execution_makes(program: Program) -> None:
    system, machine = Execution(program), Machine(program, PROPOSITIONS)
    for state in reachable(system, 60):
        wanted = [(step.command, bool(step.fault), target) for step, target in system.successors(state)]
        assert machine.successors(state) == wanted
        letter = machine.call("letter", machine.state(state))
        assert {name for bit, name in enumerate(PROPOSITIONS) if letter >> bit & 1} == system.letter(state)
        assert machine.call("ended", machine.state(state)) == system.ended(state)


def one_command(cells: tuple[Cell, ...], *body: object, letters: tuple[frozenset[str], ...] = ()) -> Program:
    cells = (*cells, Cell("p@", 0, 0, 0, 0), Cell("event", 0, max(0, len(letters) - 1), 0))
    process = Process("p", len(cells) - 2, ("main",), frozenset())
    command = Command(0, 0, 0, body, "step", 7)  # type: ignore[arg-type]
    return Program("one", cells, (process,), (command,), len(cells) - 1, letters or (frozenset(),))


@pytest.mark.parametrize("length", [2, 40, 100])
@pytest.mark.parametrize("span", [0, 1, 5])
def test_an_element_is_found_wherever_its_array_lies(length: int, span: int) -> None:
    cells = tuple(Cell(f"a[{i}]", -1, span - 1, -1 + i % (span + 1)) for i in range(length))
    cells += Cell("i", 0, length - 1, 0), Cell("seen", -1, span - 1, -1)
    look = Assign(Read(length + 1), Element(0, length, Read(length)))
    put = Assign(Element(0, length, Binary("-", Constant(length - 1), Read(length))), Constant(span - 1))
    program = one_command(cells, look, put)
    machine, system = Machine(program), Execution(program)
    state = next(iter(system.initial()))
    for index in (0, 1, length // 2, length - 1):
        at = (*state[:length], index, *state[length + 1 :])
        ((_, failed, target),) = machine.successors(at)
        assert not failed
        assert target == system.successors(at)[0][1]


def test_division_truncates_towards_zero() -> None:
    cells = Cell("n", -7, 7, 0), Cell("d", -3, 3, 0), Cell("q", -9, 9, 0), Cell("r", -9, 9, 0)
    divide = Assign(Read(2), Binary("/", Read(0), Read(1))), Assign(Read(3), Binary("%", Read(0), Read(1)))
    machine = Machine(one_command(cells, *divide))
    assert machine.successors((-7, 2, 0, 0, 0, 0)) == [(0, False, (-7, 2, -3, -1, 0, 0))]
    assert machine.successors((7, -2, 0, 0, 0, 0)) == [(0, False, (7, -2, -3, 1, 0, 0))]
    assert machine.successors((7, 0, 0, 0, 0, 0)) == [(0, True, (7, 0, 0, 0, 0, 0))]


def test_events_of_one_step_are_one_letter_and_an_unlisted_one_is_a_failure() -> None:
    letters = frozenset(), frozenset({"e", "f"}), frozenset({"e"})
    program = one_command((Cell("x", 0, 1, 0),), Raise("e", Read(0)), Raise("f"), letters=letters)
    machine = Machine(program, EVENTS)
    assert machine.successors((1, 0, 0)) == [(0, False, (1, 0, 1))]
    assert machine.successors((1, 0, 1)) == [(-1, False, (1, 0, 0))]
    assert machine.call("letter", machine.state((1, 0, 1))) == 0b11
    assert machine.successors((0, 0, 0)) == [(0, True, (0, 0, 0))]
    with pytest.raises(ValueError, match="f is raised, and the program does not list this event letter"):
        Execution(program).successors((0, 0, 0))


def test_numbers_that_may_pass_62_bits_are_refused() -> None:
    power = Read(0)
    for _ in range(3):
        power = Binary("*", power, power)  # type: ignore[assignment]
    program = one_command((Cell("x", 0, 300, 2),), Assign(Read(0), Binary("%", power, Constant(7))))
    with pytest.raises(TooLargeError, match=r"an operand or result of \* may pass 62 bits"):
        Machine(program)


def test_events_without_an_event_cell_are_refused() -> None:
    program = Program(
        "none", (Cell("p@", 0, 0, 0, 0),), (Process("p", 0, ("l",), frozenset()),), (Command(0, 0, 0, (Raise("e"),)),)
    )
    with pytest.raises(ValueError, match="line 0: the command raises e, and the program has no event cell"):
        Machine(program)


def test_unknown_propositions_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="the model one has no proposition nonsense; it has"):
        Machine(one_command((Cell("x", 0, 1, 0),)), ("nonsense",))


def test_predicates_that_may_have_no_value_are_refused() -> None:
    cells = Cell("a[0]", 0, 1, 0), Cell("a[1]", 0, 1, 0), Cell("i", 0, 2, 0)
    program = one_command(cells)
    wrong = Program(
        program.name, program.cells, program.processes, program.commands, predicates=(("p", Element(0, 2, Read(2))),)
    )
    with pytest.raises(ValueError, match="the predicate p may have no value: the index of a may be 2"):
        Machine(wrong, ("p",))
