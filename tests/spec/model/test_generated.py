"""The model of a shape keeps its promises, breaks those that it does not make, and refuses what no allocator does."""

from __future__ import annotations

from itertools import product

import pytest

from spec.event import Event, Function
from spec.ltl.parser import parse
from spec.model.counterexample import replay
from spec.model.execution import Execution
from spec.model.generated import PROPERTIES, RefusedError, admits, generated
from spec.model.search import check
from spec.model.shape import Shape
from spec.model.system import Verdict

SHAPES = {
    "one slot": Shape(slots=1),
    "no delay": Shape(slots=2, clients=2),
    "delay": Shape(slots=3, clients=2, threads=2, delay_line=1),
    "quarantine": Shape(slots=3, delay_line=1, quarantine=1),
    "random": Shape(slots=3, delay_line=1, quarantine=1, quarantine_random=True),
    "two sizes": Shape(slots=2, sizes=2, delay_line=1),
}
STATES = {"one slot": 5, "no delay": 48, "delay": 699, "quarantine": 180, "random": 192, "two sizes": 512}
# no delay: two slots, each free or one client's, are 9, for each of 2 tracked ones 18; the event of a malloc or of an
# access by either client stands beside 3 states of the other slot and 2 tracked ones, 12 each, and of a free 6.


@pytest.mark.parametrize("name", SHAPES)
def test_the_number_of_states_of_a_shape(name: str) -> None:
    result = check(Execution(generated(SHAPES[name]).program))
    assert (result.verdict, result.states) == (Verdict.HOLDS, STATES[name])


SAFE = [name for name in PROPERTIES if name != "freed_eventually"]


@pytest.mark.parametrize(("name", "asked"), list(product(SHAPES, SAFE)))
def test_every_shape_is_safe(name: str, asked: str) -> None:
    assert check(Execution(generated(SHAPES[name]).program), parse(PROPERTIES[asked])).verdict is Verdict.HOLDS


@pytest.mark.parametrize("name", SHAPES)
def test_blocks_are_freed_only_by_clients_that_free(name: str) -> None:
    system = Execution(generated(SHAPES[name]).program)
    freed = parse(PROPERTIES["freed_eventually"])
    leak = check(system, freed)
    assert leak.verdict is Verdict.VIOLATED
    assert leak.counterexample is not None
    replay(system, leak.counterexample)
    assert check(system, freed, assumptions=[parse("[](!malloc || <>free)")]).verdict is Verdict.HOLDS


def test_a_random_quarantine_promises_no_more_than_the_delay_line() -> None:
    """With one slot more to wait for than there is in the line, an early reuse is found."""
    shape = SHAPES["random"]
    assert (shape.wait, shape.scaled(quarantine_random=False).wait) == (1, 2)
    events = [Event(Function.MALLOC, size=16, result=base, usable=16) for base in (0x10, 0x20, 0x30)]
    events += [Event(Function.FREE, address=base) for base in (0x10, 0x20, 0x30)]
    events += [Event(Function.MALLOC, size=16, result=0x20, usable=16)]
    with pytest.raises(RefusedError, match=r"action 7, client 0: malloc returns slot 1 \(0x20\): no step of the model"):
        admits(shape.scaled(quarantine_random=False), events)
    assert admits(shape, [*events[:-1], events[-1]._replace(result=0x10)]) == 7


MALLOC = Event(Function.MALLOC, size=16, result=0x10, usable=16)
FREE = Event(Function.FREE, address=0x10)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([MALLOC, MALLOC], r"action 2, client 0: malloc returns slot 0 \(0x10\): no step of the model in state "),
        ([MALLOC, FREE, FREE], r"action 3, client 0: frees slot 0 \(0x10\): no step of the model in state "),
        ([FREE], r"action 1, client 0: frees 0x10, which is no slot's"),
    ],
)
def test_what_a_correct_allocator_and_client_never_do_is_refused(events: list[Event], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        admits(Shape(slots=2), events)


@pytest.mark.parametrize(
    ("shape", "events", "message"),
    [
        (Shape(slots=1), [MALLOC, MALLOC._replace(result=0x20)], "the history uses more than 1 slots of 16 bytes"),
        (Shape(), [MALLOC, MALLOC._replace(result=0x40, usable=32)], "the history has more than 1 usable sizes"),
        (Shape(), [MALLOC, FREE._replace(thread=7)], "the history has more than 1 threads"),
        (Shape(clients=2), [MALLOC], "2 clients on 1 threads: a recording has one on each"),
    ],
)
def test_a_shape_too_small_for_a_history_is_refused(shape: Shape, events: list[Event], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        admits(shape, events)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"slots": 0}, "slots is 0; it must be at least 1"),
        ({"delay_line": -1}, "delay_line is -1; it must be at least 0"),
        ({"clients": 3, "threads": 2}, "3 clients on 2 threads: each thread must have as many as another"),
    ],
)
def test_an_impossible_shape_is_refused(numbers: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Shape(**numbers)
