"""Idioms of C: found, proved, and refused where they are wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from m4alloc.superopt import source
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms import Offer, find
from m4alloc.superopt.idioms_constants import tables
from m4alloc.superopt.ir import Function
from tests.m4alloc.superopt import idioms_cases

KNOWN = tables([idioms_cases.TABLE])


def calls(offer: Offer) -> list[str]:
    return [one.callee.split(".")[1] if one.callee else one.opcode for one in offer.function]


def only(function: Function, *facts: str, seconds: float = 10.0) -> Offer:
    """The one offer for the function."""
    (offer,) = find(function, [Fact(fact) for fact in facts], seconds=seconds, known=KNOWN).offers
    assert offer.verdict.accepted and offer.verdict.obligations
    return offer


@pytest.mark.parametrize("name", ["count_shift", pytest.param("count_index", marks=pytest.mark.campaign)])
def test_a_loop_that_counts_bits_is_a_population_count(name: str) -> None:
    assert calls(only(idioms_cases.function(name))) == ["ctpop", "trunc", "ret"]


def test_clearing_the_lowest_bit_until_none_is_left_is_a_population_count() -> None:
    offer = only(idioms_cases.function("count_clear"), seconds=30.0)
    assert calls(offer) == ["ctpop", "zext", "ret"]
    assert "invariant of the loop: state != 0" in offer.verdict.obligations


@pytest.mark.campaign
def test_a_loop_that_looks_for_a_bit_is_a_count_of_trailing_zeros() -> None:
    assert calls(only(idioms_cases.function("first_index"))) == ["cttz", "trunc", "ret"]


@pytest.mark.campaign
def test_a_loop_that_need_not_end_is_replaced_only_under_a_fact_that_ends_it() -> None:
    function = idioms_cases.function("first_shift")
    found = find(function)
    assert not found.offers
    assert "may run more often than it was unrolled" in found.refused[0].verdict.reason
    assert calls(only(function, "x != 0")) == ["cttz", "trunc", "ret"]


def test_classes_of_one_size_are_a_shift() -> None:
    function = idioms_cases.function("of_sixteen")
    assert calls(only(function, "1 <= n <= 80")) == ["sub", "lshr", "trunc", "ret"]
    assert calls(only(function)) == ["usub", "lshr", "umin", "trunc", "ret"]


def test_classes_that_double_are_a_count_of_leading_zeros() -> None:
    function = idioms_cases.function("of_doubles")
    assert calls(only(function, "1 <= n <= 512")) == ["sub", "or", "ctlz", "sub", "trunc", "ret"]
    assert "umin" in calls(only(function))


def test_classes_without_a_formula_are_a_table_in_a_word() -> None:
    offer = only(idioms_cases.function("of_any"), "1 <= n <= 128")
    assert calls(offer) == ["sub", "lshr", "shl", "lshr", "and", "trunc", "ret"]


def test_a_form_that_is_right_on_samples_only_is_refuted_and_the_next_one_taken() -> None:
    found = find(idioms_cases.function("of_any"), [Fact("1 <= n <= 260")])
    assert [offer.verdict.exit_status for offer in found.refused] == [1] * len(found.refused) != []
    assert "umin" in calls(found.offers[0])


@pytest.mark.campaign
def test_a_search_of_a_table_ends_because_reading_past_it_is_undefined() -> None:
    function = idioms_cases.function("of_search")
    assert calls(only(function)) == ["usub", "lshr", "trunc", "ret"]
    assert not find(function, seconds=3.0).offers, "without the table nothing is known of what is read"


def test_a_division_of_a_small_number_is_a_multiplication() -> None:
    function = idioms_cases.function("slot")
    assert calls(only(function, "offset < 4096")) == ["mul", "lshr", "ret"]
    assert not find(function).offers, "without a limit the product does not fit"


@pytest.mark.campaign
def test_copying_byte_by_byte_is_not_one_copy_where_the_two_may_overlap() -> None:
    found = find(idioms_cases.function("copied"))
    assert not found.offers
    (refused,) = found.refused
    # A counterexample, or on a busy machine no decision: never a proof.
    assert refused.idiom == "bytes in a loop" and not refused.verdict.accepted


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
@pytest.mark.campaign
def test_the_same_is_found_in_c(tmp_path: Path) -> None:
    path = tmp_path / "idioms.c"
    path.write_text(idioms_cases.C)
    module = source.read(path)
    facts = {"first_shift": "x != 0", "slot": "offset < 4096"}
    found = {
        function.name: find(
            function,
            [Fact(facts[function.name])] if function.name in facts else (),
            seconds=30.0,
            known=tables(module.globals),
        ).offers
        for function in module.functions
    }
    assert [name for name, offers in found.items() if not offers] == ["copied"]
