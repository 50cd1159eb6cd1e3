"""Which slot an operation means is settled before anything is carried out, as if every request succeeded."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.check import instruction
from m4alloc.check.instruction import INSTRUCTION, KEPT_DEAD, Planner, Row
from m4alloc.check.operation import Aim, Directive, Operation, directive
from m4alloc.check.strategies import plans
from spec.event import ALLOCATING, FREEING, RESIZING, Function

MALLOC, REALLOC, FREE = Function.MALLOC, Function.REALLOC, Function.FREE
FUNCTIONS = frozenset(Function) - {Function.DELETE, Function.STORE, Function.LABEL}


def slots(*operations: Operation) -> list[int]:
    """The slot of each instruction that has one."""
    return [row.slot for row in Planner().rows(operations) if row.uses_slot]


def live(function: Function, block: int = 0, **fields: int) -> Operation:
    return Operation(function, aim=Aim.LIVE, block=block, **fields)


def test_a_block_is_counted_from_the_youngest_modulo_how_many_there_are() -> None:
    three = [Operation(MALLOC, size=8)] * 3
    for block, slot in ((0, 2), (1, 1), (2, 0), (3, 2), (7, 1)):
        assert slots(*three, live(FREE, block)) == [0, 1, 2, slot]


def test_what_is_resized_counts_as_the_youngest() -> None:
    three = [Operation(MALLOC, size=8)] * 3
    assert slots(*three, live(REALLOC, 2, size=9), live(FREE), live(FREE), live(FREE)) == [0, 1, 2, 0, 0, 2, 1]


def test_a_dead_block_is_counted_from_the_last_that_was_freed() -> None:
    two = [Operation(MALLOC, size=8)] * 2
    again = Operation(FREE, aim=Aim.DEAD)
    assert slots(*two, live(FREE), live(FREE), again, again._replace(block=1)) == [0, 1, 1, 0, 0, 1]


def test_what_finds_no_block_is_left_out_and_a_directive_is_not() -> None:
    plan = [live(FREE), Operation(FREE, aim=Aim.DEAD), live(Function.LOAD), directive(Directive.JOIN), Operation(FREE)]
    assert list(Planner().rows(plan)) == [
        Row(Function.LABEL, count=Directive.JOIN),
        Row(FREE),
    ]


def test_a_slot_is_used_again_once_enough_others_were_freed() -> None:
    churn = [op for _ in range(KEPT_DEAD + 2) for op in (Operation(MALLOC, size=8), live(FREE))]
    used = [row.slot for row in Planner().rows(churn)]
    assert used[::2] == [*range(KEPT_DEAD + 1), 0] and used[::2] == used[1::2]


def test_numbers_are_taken_modulo_a_word() -> None:
    (row,) = Planner().plan([Operation(MALLOC, size=2**64 + 5, count=-1)])
    assert (int(row["size"]), int(row["count"])) == (5, 2**64 - 1)


def test_more_blocks_than_slots_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruction, "SLOTS", 3)
    with pytest.raises(ValueError, match="a plan holds at most 3 blocks at once"):
        Planner().plan([Operation(MALLOC, size=1)] * 4)


@given(plans(FUNCTIONS, threads=3, misuse=True))
def test_the_turns_of_a_slot_count_up_from_0(plan: list[Operation]) -> None:
    turns = Counter[int]()
    for row in Planner().rows(plan):
        if row.uses_slot:
            assert row.turn == turns[row.slot]
            turns[row.slot] += 1


@pytest.mark.slow
@given(plans(FUNCTIONS, misuse=True))
def test_only_a_live_block_is_given_up_and_no_slot_is_taken_twice(plan: list[Operation]) -> None:
    held: set[int] = set()
    for row in Planner().rows(plan):
        function, makes = Function(row.function), False
        makes = function in ALLOCATING or (function in RESIZING and row.aim == Aim.NULL)
        if makes:
            assert row.slot not in held
            held.add(row.slot)
        elif row.aim in (Aim.LIVE, Aim.INSIDE):
            assert row.slot in held
            if row.aim == Aim.LIVE and function in FREEING:
                held.remove(row.slot)
        elif row.aim == Aim.DEAD:
            assert row.slot not in held


@pytest.mark.slow
@given(plans(FUNCTIONS, threads=2), st.data())
def test_a_plan_may_be_cut_anywhere_in_a_session(plan: list[Operation], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(plan)))
    planner = Planner()
    parts = [planner.plan(plan[:cut]), planner.plan(plan[cut:])]
    whole = Planner().plan(plan)
    joined = np.concatenate([part for part in parts if len(part)] or [np.zeros(0, INSTRUCTION)])
    assert joined.tolist() == whole.tolist()


def test_a_block_that_is_not_there_after_all_is_dropped() -> None:
    planner = Planner()
    planner.plan([Operation(MALLOC, size=8)] * 2)
    planner.drop(1)
    planner.drop(1)
    assert [row.slot for row in planner.rows([live(FREE), Operation(FREE, aim=Aim.DEAD)])] == [0, 0]
