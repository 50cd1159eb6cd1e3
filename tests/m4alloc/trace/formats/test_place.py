"""Requests put on an allocator again: the reference policy answers as the reference allocator does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from m4alloc import _backend
from m4alloc.check.script_strategies import scripts
from m4alloc.trace.formats import open_history, placed
from m4alloc.trace.formats.history import of_records, records_of
from m4alloc.trace.preload import AllocatorError
from spec.acceptor import Acceptor
from spec.allocator import ReferenceAllocator
from spec.event import Event, Function
from spec.script import run
from spec.statement import Script

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "formats"
native = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")


@settings(max_examples=60, deadline=None)
@given(script=scripts(max_steps=30))
def test_the_reference_policy_places_as_the_reference_allocator_does(script: Script) -> None:
    events = run(script, ReferenceAllocator(capacity=1 << 20)).events
    made = [event for event in events if not event.errno and event.function is not Function.USABLE_SIZE]
    history = placed(of_records(Path("x"), "m4t", *records_of(made)))
    fields = [(event.function, event.address, event.result, event.usable) for event in history.events()]
    assert fields == [(event.function, event.address, event.result, event.usable) for event in made]


def test_threads_times_sites_and_labels_stay() -> None:
    events = [
        Event(Function.MALLOC, thread=3, size=8, result=0x10, time_ns=5, site=7),
        Event(Function.LABEL, thread=3, address=0x10, label="here", time_ns=6),
        Event(Function.FREE, thread=4, address=0x10, time_ns=9, site=8),
    ]
    history = placed(of_records(Path("x"), "m4t", *records_of(events)))
    at = 1 << 32
    assert list(history.events()) == [
        events[0]._replace(result=at, usable=16),
        events[1]._replace(address=0),
        events[2]._replace(address=at),
    ]


def test_calls_that_cannot_be_made_again_are_counted() -> None:
    events = [Event(Function.MALLOC, size=1 << 62, errno=12), Event(Function.FREE, address=0x10)]
    history = placed(of_records(Path("x"), "m4t", *records_of(events)))
    assert list(history.events()) == []
    assert history.notes[-1] == "2 calls could not be made again and are left out"


@native
@pytest.mark.parametrize("allocator", ["m4alloc", "system"])
def test_a_library_serves_the_same_requests_by_its_own_contract(allocator: str) -> None:
    history = open_history(VECTORS / "churn.mtrace", allocator=allocator)
    events, own = list(history.events()), list(open_history(VECTORS / "churn.mtrace").events())
    assert [event.size for event in events] == [event.size for event in own if not event.errno]
    acceptor = Acceptor()
    assert [finding for event in events for finding in acceptor.step(event)] == []
    assert history.placed_by == allocator


@native
def test_a_script_without_replies_runs_on_the_allocator_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.heap").write_text("a = malloc 24\nstore a 0 8\nfree a\n")
    reference, system = (open_history(tmp_path / "a.heap", allocator=name) for name in ("", "system"))
    assert (reference.placed_by, system.placed_by) == ("reference", "system")
    assert next(reference.events()).result == 1 << 32 != next(system.events()).result


def test_there_must_be_such_an_allocator() -> None:
    with pytest.raises(AllocatorError):
        open_history(VECTORS / "churn.mtrace", allocator="/nowhere/lib.so")
