"""A script is carried out as it stands: its requests, its accesses, and what its directives ask for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from m4alloc.check.board import CAPACITY
from m4alloc.check.foreign import Foreign, batches
from m4alloc.check.instruction import ABSOLUTE, RAW, Row
from m4alloc.check.operation import Aim, Directive
from m4alloc.check.script_plan import instructions
from m4alloc.check.target import End, Episode
from spec.event import NEVER_RETURNED, Event, Function
from spec.script import parse

Bump = Callable[..., str]
MALLOC, FREE, LOAD, STORE = Function.MALLOC, Function.FREE, Function.LOAD, Function.STORE


def rows(text: str) -> list[Row]:
    """The instructions of a script."""
    return [Row(*(int(field) for field in row)) for row in instructions(parse(text))]


def carried_out(library: str, text: str) -> Episode:
    with Foreign(library, timeout=5) as target:
        return target.carry_out(instructions(parse(text)))


def test_a_name_is_a_slot_and_a_step_waits_for_those_before_it() -> None:
    assert rows("a = malloc 24\nb = calloc 3 8\n@2 free a\nfree b\nfree NULL") == [
        Row(MALLOC, slot=0, size=24, uses_slot=1),
        Row(Function.CALLOC, slot=1, size=8, count=3, uses_slot=1),
        Row(FREE, Aim.LIVE, 2, 0, turn=1, uses_slot=1),
        Row(FREE, Aim.LIVE, 0, 1, turn=1, uses_slot=1),
        Row(FREE),
    ]


def test_what_is_resized_goes_on_in_its_slot_under_its_new_name() -> None:
    made = rows("a = malloc 24\nb = realloc a 50\nfree b\nfree a\nc = realloc NULL 7\nfree c")
    assert [(row.function, row.aim, row.slot) for row in made] == [
        (MALLOC, Aim.NULL, 0),
        (Function.REALLOC, Aim.LIVE, 0),
        (FREE, Aim.LIVE, 0),
        (FREE, RAW, 0),
        (Function.REALLOC, Aim.NULL, 1),
        (FREE, Aim.LIVE, 1),
    ]


@pytest.mark.parametrize(
    ("step", "aim", "offset"),
    [("free a+8", RAW, 8), ("free a", Aim.LIVE, 0), ("free 0x1234", ABSOLUTE, 0x1234), ("free NULL", Aim.NULL, 0)],
)
def test_a_pointer_is_handed_in_as_it_stands(step: str, aim: int, offset: int) -> None:
    *_, last = rows(f"a = malloc 24\n{step}")
    assert (last.aim, last.offset) == (aim, offset)


def test_an_address_of_the_upper_half_is_handed_in_whole() -> None:
    (row,) = rows("free 0xfffffffffffffff0")
    assert (row.aim, row.offset & (2**64 - 1)) == (ABSOLUTE, 2**64 - 16)


@pytest.mark.parametrize(
    ("text", "number", "size"),
    [
        ("@2 label thread-end", Directive.THREAD_END, 0),
        ("label parallel", Directive.PARALLEL, 0),
        ("label join", Directive.JOIN, 0),
        ("label fork-child", Directive.FORK_CHILD, 0),
        ("label fork-parent", Directive.FORK_PARENT, 0),
        ("label limit-memory size 4096", Directive.LIMIT_MEMORY, 4096),
        ("label repeat size 9", Directive.REPEAT, 9),
        ("label end-repeat", Directive.END_REPEAT, 0),
        ("label of-no-meaning", 0, 0),
    ],
)
def test_a_label_is_a_directive_by_its_text(text: str, number: int, size: int) -> None:
    (row,) = rows(text)
    assert (row.function, row.count, row.size, row.thread) == (Function.LABEL, number, size, 2 * ("@2" in text))


def test_bytes_are_stored_and_read_where_the_script_says(bump: Bump) -> None:
    text = "a = malloc 24\nstore a 8 4 result 171\nload a 6 6\nfree a\nstore a 0 1 result 5\nload a 0 1\nload a 9 2"
    episode = carried_out(bump(), text)
    assert episode.end is End.FINISHED
    _, store, load, _, late, again, rest = episode.events
    assert (store.function, store.address % 8, store.size) == (STORE, 0, 4)
    assert load.result >> 16 == 0xABABABAB
    assert (late.function, again.result, rest.result) == (STORE, 5, 0xABAB)


def test_a_load_of_a_whole_block_compares_it_with_what_was_written(bump: Bump) -> None:
    *_, load = carried_out(bump(), "a = malloc 24\nload a 0 24").events
    assert (load.function, load.size, load.intact) == (LOAD, 24, 24)
    changed = "a = malloc 24\nb = malloc 24\nfree a\nload b 0 24"
    loads = [event for event in carried_out(bump("SCRIBBLE"), changed).events if event.function is LOAD]
    assert {(event.size, event.intact) for event in loads} == {(24, 23)}


def test_an_overflow_into_a_neighbour_is_seen_when_that_is_compared(bump: Bump) -> None:
    episode = carried_out(bump(), "a = malloc 24\nb = malloc 24\nstore a 32 1 result 1\nstore a 33 1 result 2\nfree b")
    first, second, *_ = episode.events
    (found,) = (event for event in episode.events if event.function is LOAD)
    assert found.address == second.result and found.intact == first.result + 32 - second.result


def test_an_access_that_faults_is_told_as_it_was_asked(bump: Bump) -> None:
    for step, function in (("load 0x10 0 4", LOAD), ("store 0x10 0 4", STORE)):
        episode = carried_out(bump(), f"a = malloc 24\n{step}")
        assert episode.end is End.CRASHED
        assert episode.pending == Event(function, address=16, size=4, flags=NEVER_RETURNED)


def test_an_empty_script_is_no_instruction(bump: Bump) -> None:
    assert rows("# nothing") == [] and carried_out(bump(), "").events == []


def test_a_repetition_is_carried_out_within_one_heap() -> None:
    text = "label repeat size 1000\na = malloc 24\nfree a\nlabel end-repeat\nb = malloc 24"
    events = carried_out("system", text).events
    assert len(events) == 2003 and len({event.result for event in events if event.function is MALLOC}) == 1


@pytest.mark.slow
def test_a_batch_never_ends_between_a_directive_and_its_end() -> None:
    body = "a = malloc 24\nfree a\n"
    text = body * 10 + "label repeat size 2\n" + body * (CAPACITY // 2 - 5) + "label end-repeat\n" + body
    made = instructions(parse(text))
    cuts = list(batches(made))
    assert cuts == [(0, 20), (20, len(made))] or cuts[0] == (0, 20)
    assert [start for start, _ in cuts][1:] == [stop for _, stop in cuts][:-1] and cuts[-1][1] == len(made)
    assert all(stop - start <= CAPACITY for start, stop in cuts)
    with pytest.raises(ValueError, match=f"holds at most {CAPACITY} instructions"):
        list(batches(instructions(parse("label parallel\n" + body * CAPACITY + "label join"))))
