"""`m4alloc.label` and `m4alloc.labelled`: to the recorder, to recordings of arenas, or to nobody."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import m4alloc
from m4alloc import labels
from spec.event import Event, Function
from tests.m4alloc.trace.recording import recorded

PROGRAM = """
import os, m4alloc

@m4alloc.labelled("request")
def handle(fails):
    m4alloc.label("parsed", 0x7000)
    if fails:
        raise ValueError

handle(False)
try:
    handle(True)
except ValueError:
    m4alloc.label("caught gr\\u00fc\\u00dfe")
if os.fork() == 0:
    m4alloc.label("child")
    os._exit(0)
os.wait()
"""


def said(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.label, event.address) for event in events if event.function is Function.LABEL]


def test_labels_of_a_python_program_are_recorded(tmp_path: Path) -> None:
    parent, child = recorded([sys.executable, "-c", PROGRAM], tmp_path).tree.traces
    request = [("request_start", 0), ("parsed", 0x7000), ("request_end", 0)]
    assert said(list(parent.events())) == [*request, *request, ("caught grüße", 0)]
    assert said(list(child.events())) == [("child", 0)]


def test_a_program_that_nobody_records_says_its_labels_to_nobody() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_label_alone_imports_no_specification() -> None:
    code = "import sys, m4alloc; m4alloc.label('x'); print('spec' in sys.modules, 'numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False False\n"


def test_a_recorded_arena_has_the_labels_in_their_place_with_their_block() -> None:
    with m4alloc.Arena(1 << 20) as arena, arena.record() as events:
        with m4alloc.labelled("request"):
            block = arena.malloc(24)
            address = block.address
            m4alloc.label("parsed", block)
            arena.free(block)
        m4alloc.label("done", address)
    found = [event.label or event.function.name for event in events]
    assert found == ["request_start", "MALLOC", "parsed", "FREE", "request_end", "done"]
    assert said(events) == [("request_start", 0), ("parsed", address), ("request_end", 0), ("done", address)]
    assert [(event.begin, event.end) for event in events] == [(n, n + 1) for n in range(1, 12, 2)]


def test_a_label_goes_to_every_recording_under_way_and_to_none_that_is_over() -> None:
    with m4alloc.Arena(1 << 20) as one, m4alloc.Arena(1 << 20) as other, one.record() as outer:
        with other.record() as inner:
            m4alloc.label("both")
        m4alloc.label("outer")
    m4alloc.label("nobody")
    assert said(outer) == [("both", 0), ("outer", 0)]
    assert said(inner) == [("both", 0)]
    assert not labels.look() or labels.look() == labels._listeners


def test_labels_of_threads_carry_their_thread() -> None:
    with m4alloc.Arena(1 << 20) as arena, arena.record() as events:
        m4alloc.label("first")
        thread = threading.Thread(target=m4alloc.label, args=("second",))
        thread.start()
        thread.join()
    assert [(event.label, event.thread) for event in events] == [("first", 0), ("second", 1)]


def test_the_end_is_said_after_an_error_too_and_the_error_goes_on() -> None:
    @m4alloc.labelled("work")
    def fails() -> None:
        raise KeyError("lost")

    with m4alloc.Arena(1 << 20) as arena, arena.record() as events, pytest.raises(KeyError, match="lost"):
        fails()
    assert [name for name, _ in said(events)] == ["work_start", "work_end"]


def test_a_decorated_function_keeps_its_name_its_result_and_may_call_itself() -> None:
    @m4alloc.labelled("f")
    def factorial(n: int) -> int:
        """n!"""
        return n * factorial(n - 1) if n else 1

    with m4alloc.Arena(1 << 20) as arena, arena.record() as events:
        assert factorial(2) == 2
    assert (factorial.__name__, factorial.__doc__) == ("factorial", "n!")
    assert [name for name, _ in said(events)] == ["f_start"] * 3 + ["f_end"] * 3


def test_a_coroutine_is_labelled_while_it_runs() -> None:
    @m4alloc.labelled("fetch")
    async def fetch() -> int:
        m4alloc.label("inside")
        await asyncio.sleep(0)
        return 7

    with m4alloc.Arena(1 << 20) as arena, arena.record() as events:
        waiting = fetch()
        m4alloc.label("made")
        assert asyncio.run(waiting) == 7
    assert [name for name, _ in said(events)] == ["made", "fetch_start", "inside", "fetch_end"]


@pytest.mark.parametrize(
    ("name", "about", "message"),
    [
        ("", None, "the label '': a label is a text of at least one character, none of them NUL"),
        ("a\0b", None, r"the label 'a\x00b': a label is a text of at least one character, none of them NUL"),
        ("x", -1, "the label 'x' is about the address -1; addresses are from 0 to 2**64 - 1"),
        ("x", 2**64, f"the label 'x' is about the address {2**64}; addresses are from 0 to 2**64 - 1"),
    ],
)
def test_an_impossible_label_is_refused_whether_or_not_anybody_listens(
    name: str, about: int | None, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        m4alloc.label(name, about)
    assert str(caught.value) == message


def test_a_dead_block_is_nothing_that_a_label_can_be_about() -> None:
    with m4alloc.Arena(1 << 20) as arena:
        block = arena.malloc(24)
        arena.free(block)
        with pytest.raises(m4alloc.Misuse, match="dead"):
            m4alloc.label("late", block)
