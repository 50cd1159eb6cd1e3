"""What the recorder sees inside a call: zero bytes, kept bytes, errno; and calls made from inside other calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from spec.event import ERRNO_CHANGED, NOT_OBSERVED, Event, Function
from spec.history import accept
from tests.m4alloc.native import build
from tests.m4alloc.trace.recording import (
    ALLOCATORS,
    PROGRAMS,
    allocator,
    calls_from,
    own_counts,
    program,
    recorded,
)
from tests.m4alloc.trace.test_recorder_calls import assert_admitted


def faulty(*flags: str) -> str:
    return str(build(PROGRAMS / "faulty.c", "-shared", "-fPIC", *flags))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """The calls of looks.c on the faulty allocator."""
    ran = recorded([program("looks.c")], tmp_path_factory.mktemp("faulty"), on=faulty())
    assert ran.status == 0, ran
    return [event for event in ran.only.events() if event.size or event.address]


def test_calloc_is_scanned_for_bytes_that_are_not_zero(seen: list[Event]) -> None:
    observed = [(event.request_size, event.intact) for event in seen if event.function is Function.CALLOC]
    assert observed == [(70, 70), (77, 70)]


def test_realloc_is_compared_with_what_the_block_held(seen: list[Event]) -> None:
    observed = [(event.size, event.intact) for event in seen if event.function is Function.REALLOC]
    assert observed == [(98, 50), (99, 33)]


def test_a_realloc_that_fails_to_shrink_is_not_said_to_have_kept_less_than_all(tmp_path: Path) -> None:
    ran = recorded([program("shrinks.c")], tmp_path, on=faulty())
    assert ran.status == 0, ran
    observed = [(event.size, event.intact) for event in ran.only.events() if event.function is Function.REALLOC]
    assert observed == [(42, NOT_OBSERVED), (41, 41)]
    broken = {finding.rule.name for finding in accept(ran.only.events()).violations}
    assert "realloc-failure-keeps-block" not in broken


def test_what_is_allocated_to_answer_the_recorder_is_no_call_of_the_program(tmp_path: Path) -> None:
    asking = build(PROGRAMS / "asking.c", "-shared", "-fPIC", "-ftls-model=initial-exec")
    ran = recorded([program("ends.c"), "normally"], tmp_path, on=str(asking))
    assert ran.status == 0, ran
    blocks = [event for event in ran.only.events() if event.function is Function.MALLOC]
    assert 4711 not in {event.size for event in blocks}
    assert len(blocks) > 100 and all(event.usable == event.size for event in blocks)


def test_a_program_on_gperftools_is_recorded(tmp_path: Path) -> None:
    """Its malloc_usable_size makes an object by operator new when it is asked first; before that it answers 0."""
    ran = recorded([program("calls.c"), "threads", "2", "500"], tmp_path, on=allocator("libtcmalloc_minimal.so.4"))
    assert ran.status == 0, ran
    _, low, high, counts = own_counts(ran.out)
    assert calls_from(ran.only, low, high) == counts
    measured = [event for event in ran.only.events() if low <= event.site < high and event.function is Function.MALLOC]
    assert all(event.usable >= event.size for event in measured)


def test_an_errno_that_changes_without_failure_is_flagged_and_passed_on(seen: list[Event]) -> None:
    assert {event.function for event in seen if event.flags & ERRNO_CHANGED} == {Function.FREE}
    assert {event.errno for event in seen} == {0}


def test_an_allocator_without_malloc_usable_size_is_not_measured_by_the_c_librarys(tmp_path: Path) -> None:
    ran = recorded([program("looks.c")], tmp_path, on=faulty("-Dmalloc_usable_size=hidden_size"))
    assert ran.status == 0, ran
    assert {event.usable for event in ran.only.events()} == {NOT_OBSERVED}
    observed = [(event.function, event.intact) for event in ran.only.events() if event.intact != NOT_OBSERVED]
    assert observed == [(Function.CALLOC, 70), (Function.CALLOC, 70)]


@pytest.mark.parametrize("name", [name for name in ALLOCATORS if name != "libmimalloc.so.2"])
def test_operator_new_is_recorded_once_and_its_exceptions_pass(name: str, tmp_path: Path) -> None:
    """mimalloc is left out: Debian builds it as C, and it aborts where operator new has to throw."""
    ran = recorded([program("throws.cc", "-O0")], tmp_path, on=allocator(name))
    assert (ran.status, ran.out) == (0, "ok\n"), ran
    events = list(ran.only.events())
    huge = [event for event in events if event.size == 1 << 62]
    assert [event.function for event in huge] == [Function.NEW] * 8
    assert [(event.result, event.end > 0) for event in huge] == [(0, True)] * 8
    assert [event.alignment for event in huge] == [0, 64] * 3 + [0, 0]
    sized = {event.size: event for event in events if event.function is Function.NEW}
    assert sized[128].alignment == 128
    assert sized[128].result % 128 == 0
    assert not [event for event in events if event.function is Function.MALLOC and event.size in (5000, 384, 128)]
    assert_admitted(ran.only, (event for event in events if event not in huge))


def test_what_a_new_handler_frees_is_recorded_inside_the_call(tmp_path: Path) -> None:
    events = list(recorded([program("throws.cc", "-O0")], tmp_path).only.events())
    last = [event for event in events if event.size == 1 << 62][-1]
    reserve = next(event for event in events if event.size == 5000)
    freed = next(event for event in events if event.function is Function.DELETE and event.address == reserve.result)
    assert last.begin < freed.begin < freed.end < last.end


def test_a_plugin_brings_its_own_cplusplus_runtime(tmp_path: Path) -> None:
    plugin = build(PROGRAMS / "plugin.cc", "-shared", "-fPIC", "-O0")
    ran = recorded([program("host.c"), str(plugin)], tmp_path)
    assert (ran.status, ran.out) == (0, "caught\n"), ran
    events = list(ran.only.events())
    assert [event.result for event in events if event.size == 1 << 62] == [0]
    assert len([event for event in events if event.function is Function.NEW and event.size == 4321]) == 1
    assert_admitted(ran.only, (event for event in events if event.size != 1 << 62))
