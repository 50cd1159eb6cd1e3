"""Sub-goals: what a term has to be, and the programs that are made of one."""

import numpy as np

from m4alloc.superopt.enumerate_bank import CONSTANT, Term
from m4alloc.superopt.enumerate_goals import COMPARED, EXACT, Goal, Leaf, derived, finished, whole
from m4alloc.superopt.enumerate_operations import ADD, AND, EQ, LSHR, OPERATIONS, SLT, ULT, ZEXT

T = Term(8, 3)


def _words(*values: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.array(values, np.uint64)


def test_a_comparison_with_a_threshold_is_read_off() -> None:
    goal = Goal(8, _words(1, 1, 0), _words(255, 255, 255), COMPARED)
    made = list(finished(goal, T, _words(3, 5, 9)))
    limits = {term.parts[1].row for term in made if term.code == ULT and term.parts[0] == T}
    assert {6, 9, 8} <= limits and all(6 <= limit <= 9 for limit in limits)
    assert all(term.width == 1 for term in made)


def test_a_signed_comparison_is_read_off() -> None:
    goal = Goal(8, _words(1, 0, 0), _words(255, 255, 255), COMPARED)
    codes = {term.code for term in finished(goal, T, _words(200, 5, 9))}
    assert SLT in codes and EQ in codes


def test_what_is_added_last_is_subtracted_first() -> None:
    leaf = Leaf(Term(8, 0), _words(1, 2), None)
    found = derived(whole(8, _words(10, 20)), [leaf], [1, 8])
    adding = next(goal for goal in found if goal.mode == EXACT and goal.wraps[0].code == ADD)
    assert adding.wanted.tolist() == [9, 18]
    assert next(finished(adding, T, adding.wanted)) == Term(8, 0, ADD, (T, leaf.term))


def test_a_mask_leaves_bits_free() -> None:
    leaf = Leaf(Term(8, 0), _words(0x0F, 0xF0), None)
    found = derived(whole(8, _words(0x05, 0x50)), [leaf], [8])
    masked = next(goal for goal in found if goal.mode == EXACT and goal.wraps[0].code == AND)
    assert masked.care.tolist() == [0x0F, 0xF0] and not masked.is_exact


def test_an_operation_that_cannot_be_the_last_gives_no_sub_goal() -> None:
    leaf = Leaf(Term(8, 0), _words(0x0F, 0x0F), None)
    found = derived(whole(8, _words(0xFF, 0x50)), [leaf], [8])
    assert not any(goal.mode == EXACT and goal.wraps[0].code == AND for goal in found)


def test_bits_above_are_free_before_a_shift_right_is_not() -> None:
    by = Leaf(Term(8, 1), _words(4, 4), 4)
    found = derived(whole(8, _words(0x0A, 0x0B)), [by], [8])
    shifted = next(goal for goal in found if goal.mode == EXACT and goal.wraps[0].code == LSHR)
    assert shifted.wanted.tolist() == [0xA0, 0xB0] and shifted.care.tolist() == [0xF0, 0xF0]


def test_a_narrow_result_may_have_been_widened() -> None:
    found = derived(whole(32, _words(1, 0)), [], [1, 32])
    widened = next(goal for goal in found if goal.width == 1)
    assert widened.wraps[0].code == ZEXT and OPERATIONS[ZEXT].word == "zext"


def test_a_constant_is_a_term() -> None:
    goal = derived(whole(8, _words(10, 11)), [], [8])[0]
    assert next(finished(goal, T, _words(1, 2))).parts[1] == Term(8, 9, CONSTANT)
