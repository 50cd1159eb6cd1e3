"""The excerpt of a violation is short, and breaks the same rule at the same call."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from m4alloc.check.excerpt import LIMIT, excerpt
from m4alloc.check.images import Judged, Judges
from m4alloc.trace.index import open_index
from m4alloc.trace.read import Trace
from spec import script
from spec.event import Event, Function
from tests.m4alloc.traces import write_trace

A = 0x10000


def judged(trace: Trace) -> Judged:
    return Judges([trace], "c17,glibc").run()[0]


def told(trace: Trace, one: Judged) -> script.Script:
    first = one.acceptor.violations[0]
    return script.parse(excerpt(trace, open_index(trace.path).inherited(trace), first, one.acceptor))


@st.composite
def careless(draw: st.DrawFn) -> list[Event]:
    """An allocator that places blocks without looking, and a client that frees only what it has."""
    events: list[Event] = []
    held: list[int] = []
    for _ in range(draw(st.integers(1, 40))):
        kind = draw(st.sampled_from(["malloc", "malloc", "calloc", "realloc", "free"]))
        place = A + 16 * draw(st.integers(0, 30))
        size = draw(st.integers(1, 60))
        if kind == "free" and held:
            events.append(Event(Function.FREE, address=held.pop(draw(st.integers(0, len(held) - 1)))))
        elif kind == "realloc" and held:
            old = held.pop(draw(st.integers(0, len(held) - 1)))
            intact = draw(st.sampled_from([size, 0]))
            events.append(Event(Function.REALLOC, address=old, size=size, result=place, usable=size, intact=intact))
            held.append(place)
        else:
            function = Function.CALLOC if kind == "calloc" else Function.MALLOC
            intact = draw(st.sampled_from([size, size - 1])) if kind == "calloc" else -1
            usable = size - draw(st.sampled_from([0, 0, 0, 1]))
            events.append(Event(function, size=size, result=place, usable=usable, intact=intact))
            held.append(place)
    return events


@given(careless(), st.sampled_from([0, 3]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_excerpt_breaks_the_same_rule_at_the_same_call(
    tmp_path: Path, events: list[Event], quarantine: int
) -> None:
    trace = write_trace(tmp_path / "t.1.0", events, quarantine=quarantine)
    one = judged(trace)
    assume(one.acceptor.violations)
    first = one.acceptor.violations[0]
    again = script.check(told(trace, one)).acceptor.violations
    assert again and first.event is not None
    assert (again[0].rule, again[0].event) == (first.rule, first.event)


def test_calls_at_other_addresses_are_left_out(tmp_path: Path) -> None:
    others = [Event(Function.MALLOC, size=16, result=0x90000 + 64 * n) for n in range(500)]
    clash = [Event(Function.MALLOC, size=32, result=A), Event(Function.MALLOC, size=32, result=A + 16)]
    trace = write_trace(tmp_path / "t.1.0", [clash[0], *others, clash[1]])
    assert len(told(trace, judged(trace)).steps) == 2


def test_a_long_story_is_told_from_its_end(tmp_path: Path) -> None:
    pair = [Event(Function.MALLOC, size=32, result=A), Event(Function.FREE, address=A)]
    clash = [Event(Function.MALLOC, size=32, result=A), Event(Function.MALLOC, size=32, result=A + 16)]
    trace = write_trace(tmp_path / "t.1.0", [*pair * 400, *clash])
    excerpted = told(trace, judged(trace))
    assert len(excerpted.steps) == LIMIT
    assert [violation.rule.name for violation in script.check(excerpted).acceptor.violations] == ["result-disjoint"]


@pytest.mark.parametrize("inside", [0, 8])
def test_a_block_inherited_from_the_parent_is_part_of_the_story(tmp_path: Path, inside: int) -> None:
    parent = write_trace(tmp_path / "t.1.0", [Event(Function.MALLOC, size=64, result=A, usable=64)], pid=1)
    child = write_trace(
        tmp_path / "t.2.0",
        [Event(Function.MALLOC, size=64, result=A + 16 + inside * 2, usable=64)],
        pid=2,
        parent="t.1.0",
        fork_sequence=2,
    )
    one = Judges([parent, child], "c17,glibc").run()[1]
    excerpted = told(child, one)
    assert len(excerpted.steps) == 2
    assert [violation.rule.name for violation in script.check(excerpted).acceptor.violations] == ["result-disjoint"]


def test_a_dead_neighbour_is_told_with_its_death_and_a_block_that_only_touches_is_not_told(tmp_path: Path) -> None:
    events = [
        Event(Function.MALLOC, size=60, result=A),
        Event(Function.FREE, address=A),
        Event(Function.MALLOC, size=32, result=A),
        Event(Function.MALLOC, size=16, result=A + 32),
        Event(Function.MALLOC, size=16, result=A + 32),
    ]
    trace = write_trace(tmp_path / "t.1.0", events)
    excerpted = told(trace, judged(trace))
    assert [step.event.function.name for step in excerpted.steps if step.event] == [
        "MALLOC",
        "FREE",
        "MALLOC",
        "MALLOC",
    ]
    assert len(script.check(excerpted).acceptor.violations) == 1
