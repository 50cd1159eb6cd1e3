"""Histories that are no run of a model are refused, with the event and what the model had instead."""

from __future__ import annotations

import pytest

from spec.event import Event, Function
from spec.model.conformance import RefusedError, admits
from spec.model.shape import Shape


def test_a_random_quarantine_promises_no_more_than_the_delay_line() -> None:
    """With one slot more to wait for than there is in the line, an early reuse is found."""
    shape = Shape(slots=3, delay_line=1, quarantine=1, quarantine_random=True)
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
