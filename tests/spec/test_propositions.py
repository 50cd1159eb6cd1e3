"""Which letter of a history goes to which address, block and thread."""

from __future__ import annotations

import errno
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spec.event import MISUSE_CAUGHT, NEVER_RETURNED, Event, Function
from spec.heap import Block, Heap
from spec.ltl.word import show_letter
from spec.property import Index
from spec.propositions import Delivery, Sort, Words, values
from tests.spec.test_history import history, mutations, sequential

F = Function
A, B, C = 0x1000, 0x2000, 0x3000


def malloc(result: int, size: int = 24, **more: Any) -> Event:
    return Event(F.MALLOC, size=size, result=result, usable=32, **more)


def free(address: int, **more: Any) -> Event:
    return Event(F.FREE, address=address, **more)


def load(address: int, size: int = 1) -> Event:
    return Event(F.LOAD, address=address, size=size)


def told(*events: Event, everything: bool = False, **how: int) -> list[str]:
    """Each event letter as `address #generation letter`; with `everything` those of calls as well."""
    shown = []
    for one in Words(events, **how):  # type: ignore[arg-type]
        if everything or one.sort not in (Sort.CALL, Sort.RESIZE):
            letter = (
                one.letter if everything else one.letter - {"client_access_mem", "mem_allocate_end", "mem_free_start"}
            )
            about = "" if one.base is None else f"{one.base:#x} #{one.generation} "
            shown.append(about + show_letter(letter))
    return shown


# What is a malloc, what is a free.


def test_each_block_of_an_address_is_a_generation() -> None:
    assert told(malloc(A), free(A), malloc(B), malloc(A)) == [
        "0x1000 #1 malloc",
        "0x1000 #1 free",
        "0x2000 #1 malloc",
        "0x1000 #2 malloc",
    ]


def test_realloc_that_moves_is_a_free_and_then_a_malloc() -> None:
    moved = Event(F.REALLOC, address=A, size=100, result=B, usable=112)
    assert told(malloc(A), moved) == ["0x1000 #1 malloc", "0x1000 #1 free", "0x2000 #1 malloc"]


def test_realloc_in_place_is_neither_and_says_the_new_size() -> None:
    grown = Event(F.REALLOC, address=A, size=30, result=A, usable=32)
    assert told(malloc(A), grown) == ["0x1000 #1 malloc"]
    resized = next(one for one in Words([malloc(A), grown]) if one.sort is Sort.RESIZE)
    assert (resized.letter, resized.number, resized.base, resized.size) == (frozenset(), 2, A, 30)


def test_realloc_of_null_is_a_malloc_and_of_zero_bytes_a_free() -> None:
    assert told(Event(F.REALLOC, size=30, result=A, usable=32)) == ["0x1000 #1 malloc"]
    assert told(malloc(A), Event(F.REALLOC, address=A)) == ["0x1000 #1 malloc", "0x1000 #1 free"]


def test_failed_requests_and_free_of_null_are_neither() -> None:
    assert told(Event(F.MALLOC, size=1 << 60, errno=errno.ENOMEM), free(0)) == []
    refused = Event(F.REALLOC, address=A, size=1 << 60, errno=errno.ENOMEM)
    assert told(malloc(A), refused) == ["0x1000 #1 malloc"]
    assert told(Event(F.POSIX_MEMALIGN, size=8, alignment=3, errno=errno.EINVAL, result=0x7)) == []


def test_free_of_what_is_no_block_is_a_free_all_the_same() -> None:
    assert told(malloc(A), free(A), free(A, flags=MISUSE_CAUGHT), free(B)) == [
        "0x1000 #1 malloc",
        "0x1000 #1 free",
        "0x1000 #1 free",
        "0x2000 #0 free",
    ]


# Accesses.


def test_access_belongs_to_the_live_block_that_contains_it() -> None:
    assert told(malloc(A), load(A + 23))[1] == "0x1000 #1 access"


def test_access_to_freed_memory_belongs_to_the_block_that_was_freed_last_there() -> None:
    old, new = malloc(A, 24), malloc(A - 16, 40)._replace(usable=48)
    assert told(old, free(A), new, free(A - 16), load(A - 8))[-1] == "0xff0 #1 access"


def test_access_where_no_block_ever_was_belongs_to_its_own_address_and_is_outside() -> None:
    assert told(load(B)) == ["0x2000 #0 access&outside"]


def test_access_is_outside_when_a_byte_of_it_was_not_requested() -> None:
    assert told(malloc(A), load(A + 20, 4))[1] == "0x1000 #1 access"
    assert told(malloc(A), load(A + 20, 5))[1] == "0x1000 #1 access&outside"
    assert told(malloc(A), load(A + 31))[1] == "0x1000 #1 access&outside"  # in the slack: usable, and not requested
    assert told(malloc(A, 0), load(A))[1] == "0x1000 #1 access&outside"
    assert told(malloc(A), malloc(B), load(B - 1, 2))[2] == "0x1fff #0 access&outside"


def test_bounds_of_a_block_are_those_of_its_last_size_and_stay_when_it_is_freed() -> None:
    grown = Event(F.REALLOC, address=A, size=30, result=A, usable=32)
    assert told(malloc(A), grown, load(A + 29), load(A + 30))[1:] == ["0x1000 #1 access", "0x1000 #1 access&outside"]
    freed = told(malloc(A), free(A), load(A + 23), load(A + 24))
    assert freed[2:] == ["0x1000 #1 access", "0x1000 #1 access&outside"]


def test_whoever_watches_the_program_says_which_accesses_read_what_was_not_written() -> None:
    def knows(event: Event) -> list[str]:
        return ["uninitialised"] if event.function is F.LOAD else []

    words = Words([malloc(A), load(A), free(A)], facts=knows, sees=["uninitialised"])
    assert [("uninitialised" in one.letter) for one in words if one.sort is Sort.EVENT] == [False, True, False]
    assert "uninitialised" in words.observed


# Numbers.


def test_reply_that_shares_bytes_with_a_live_block_overlaps() -> None:
    assert told(malloc(A), malloc(A + 16))[1] == "0x1010 #1 malloc&overlap"
    assert told(malloc(A), malloc(A + 32))[1] == "0x1020 #1 malloc"


def test_reply_is_early_until_enough_blocks_of_the_class_were_freed() -> None:
    start = [malloc(A), malloc(B), malloc(C), free(A)]
    assert told(*start, malloc(A), quarantine=2)[-1] == "0x1000 #2 early&malloc"
    assert told(*start, free(B), malloc(A), quarantine=2)[-1] == "0x1000 #2 early&malloc"
    assert told(*start, free(B), free(C), malloc(A), quarantine=2)[-1] == "0x1000 #2 malloc"
    assert told(*start, malloc(A), quarantine=2, quarantine_limit=31)[-1] == "0x1000 #2 malloc"


def test_calloc_that_was_not_found_zero_is_dirty() -> None:
    calloc = Event(F.CALLOC, size=8, count=3, result=A, usable=32)
    assert told(calloc._replace(intact=23)) == ["0x1000 #1 dirty&malloc"]
    assert told(calloc._replace(intact=24)) == told(calloc) == ["0x1000 #1 malloc"]


def test_what_only_the_recorder_knows_is_raised_with_the_malloc() -> None:
    words = Words([malloc(A), free(A)], facts=lambda event: ["stale_tag"], sees=["stale_tag"])
    assert [("stale_tag" in one.letter) for one in words] == [False, True, False, False]
    assert "stale_tag" in words.observed


# Evidence.


def seen(*events: Event, **how: int) -> set[str]:
    words = Words(events, **how)  # type: ignore[arg-type]
    list(words)
    return words.observed


def test_only_what_could_have_been_seen_counts_as_observed() -> None:
    assert seen(malloc(A)) == {"overlap"}
    assert seen(malloc(A), quarantine=3) == {"overlap", "early"}
    assert seen(malloc(A), load(B)) == {"overlap", "access", "outside"}
    assert seen(Event(F.CALLOC, size=8, result=A, intact=8)) == {"overlap", "dirty"}
    assert seen(Event(F.CALLOC, size=8, result=A)) == {"overlap"}
    assert seen(Event(F.LABEL, label="flush")) == {"overlap", "flush"}


# Order.


def test_block_is_given_up_when_its_free_begins_and_handed_out_when_its_call_ends() -> None:
    events = [malloc(A, begin=1, end=2), free(A, begin=3, end=6, thread=1), malloc(A, begin=4, end=5)]
    assert told(*events) == ["0x1000 #1 malloc", "0x1000 #1 free", "0x1000 #2 malloc"]
    late = [malloc(A, begin=1, end=2), malloc(A, begin=3, end=4), free(A, begin=5, end=6, thread=1)]
    assert told(*late) == ["0x1000 #1 malloc", "0x1000 #2 malloc&overlap", "0x1000 #2 free"]


def test_calls_begin_and_end_in_letters_of_their_own() -> None:
    moved = Event(F.REALLOC, address=A, size=100, result=B)
    assert told(malloc(A), moved, Event(F.MALLOC, size=1 << 60, errno=12), everything=True) == [
        "mem_allocate_start",
        "0x1000 #1 malloc&mem_allocate_end",
        "mem_allocate_start",
        "0x1000 #1 free&mem_free_start",
        "0x1000 #1 mem_free_end",
        "0x2000 #1 malloc&mem_allocate_end",
        "mem_allocate_start",
        "mem_allocate_end",
    ]


def test_a_call_that_never_came_back_gives_up_its_block_and_hands_out_nothing() -> None:
    start = malloc(A, begin=1, end=2)
    assert told(start, free(A, begin=3)) == ["0x1000 #1 malloc", "0x1000 #1 free"]
    assert told(start, Event(F.REALLOC, address=A, size=9, begin=3)) == ["0x1000 #1 malloc", "0x1000 #1 free"]
    words = Words([start, Event(F.MALLOC, 4, size=8, begin=3), Event(F.FREE, 5, A, begin=4, flags=NEVER_RETURNED)])
    assert [show_letter(one.letter) for one in words][-1] == "free&mem_free_start"
    assert words.cut == {4}  # the other one did not just run out of recording


def test_a_heap_that_a_history_starts_with_is_handed_out_first() -> None:
    heap = Heap()
    heap.insert(Block(A, 24, 32, thread=7))
    first, *rest = Words([free(A)], heap=heap)
    assert first == Delivery(frozenset({"malloc", "mem_allocate_end"}), Sort.EVENT, 0, 7, A, 1, 24)
    assert [(one.base, one.generation) for one in rest] == [(A, 1), (A, 1)]
    assert len(heap.live) == 1


# Whose.


def test_letters_have_the_value_of_each_index() -> None:
    label, start = Delivery(frozenset({"x"}), Sort.LABEL, 1, 3), Delivery(frozenset(), Sort.CALL, 1, 3)
    for one in (label, start):
        assert [values(index, one) for index in Index] == [None, None, (3,), (None,)]


def test_a_label_with_an_address_is_about_its_block() -> None:
    label = Event(F.LABEL, address=A + 8, label="revoked")
    assert told(malloc(A), free(A), label)[-1] == "0x1000 #1 revoked"
    assert told(malloc(A), label._replace(address=0))[-1] == "revoked"


@given(seed=st.integers(0, 2**32), threads=st.integers(1, 4), numbered=st.booleans())
def test_every_history_has_one_letter_for_each_block_handed_out_and_given_up(
    seed: int, threads: int, numbered: bool
) -> None:
    events = history(seed, 60, threads if numbered else 1, 0)
    events = events if numbered else sequential(events)
    letters = [one for one in Words(events) if one.sort is Sort.EVENT]
    inside: dict[int, bool] = {}
    for one in letters:
        assert one.base is not None
        if "malloc" in one.letter:
            assert not inside.get(one.base) and "overlap" not in one.letter
            inside[one.base] = True
        else:
            assert inside[one.base]
            inside[one.base] = "free" not in one.letter


@given(seed=st.integers(0, 2**32))
def test_no_history_is_too_wrong_to_have_words(seed: int) -> None:
    events = list(mutations(random.Random(seed), history(seed, 60, 2, 0)))
    words = Words(events, quarantine=2)
    generation: dict[int, int] = {}
    for one in words:
        if one.base is not None:
            before = generation.get(one.base, 0)
            assert one.generation == before + ("malloc" in one.letter)
            generation[one.base] = one.generation
