"""What is known of values holds in every run."""

from __future__ import annotations

from itertools import product

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.generate import Features, functions
from m4alloc.superopt.ir import Function, Int, Local
from m4alloc.superopt.known import Known, dominators, reverse_postorder
from m4alloc.superopt.known_extent import Extent
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.simplify_fold import UndefinedBehaviourError
from tests.m4alloc.superopt.plain_run import run

SHAPES = {
    "straight": Features(undefined=False, branches=False, noundef=1.0),
    "branches": Features(undefined=False, branches=True, noundef=1.0),
}


def _is_within(value: int, extent: Extent) -> bool:
    signed = value - (value >> extent.width - 1 << extent.width)
    return (
        value & extent.zeros == 0
        and value & extent.ones == extent.ones
        and extent.low <= value <= extent.high
        and extent.slow <= signed <= extent.shigh
    )


def _check(function: Function, width: int) -> int:
    """The number of values that were compared."""
    known = Known(function)
    compared = 0
    for given in product(range(1 << width), repeat=len(function.arguments)):
        try:
            path, _ = run(function, given)
        except UndefinedBehaviourError:
            continue
        for block, values in path:
            for name, value in values.items():
                if isinstance(value, int):
                    type = known.definitions[name].type if name in known.definitions else known.arguments[name].type
                    for place in ("", block):
                        extent = known.extent(Local(name, type), place)
                        if extent is not None and isinstance(type, Int):
                            assert _is_within(value, extent), (given, name, value, extent, place, function)
                            compared += 1
                elif value is None:
                    assert not known.is_defined(Local(name, Int(width))), (name, function)
    return compared


@pytest.mark.parametrize("shape", SHAPES)
def test_extents_hold_in_every_run_of_random_functions(shape: str) -> None:
    compared = sum(_check(function, 3) for function in functions(7, 45, 3, 6, SHAPES[shape]))
    assert compared > 10_000


@pytest.mark.campaign
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(8))
def test_extents_hold_in_every_run_of_many_random_functions(shape: str, seed: int) -> None:
    assert sum(_check(function, 4) for function in functions(100 + seed, 120, 4, 9, SHAPES[shape])) > 10_000


def test_a_dominating_condition_narrows_a_value() -> None:
    function = parse_function(
        "define i8 @f(i8 %x) { %c = icmp ult i8 %x, 8 br i1 %c, label %a, label %b "
        "a: %s = shl i8 %x, 2 ret i8 %s b: ret i8 %x }"
    )
    known = Known(function)
    x = function.arguments[0].value
    inside, outside = known.extent(x, "a"), known.extent(x, "b")
    assert inside is not None and outside is not None
    assert (inside.high, outside.low) == (7, 8)
    shifted = known.extent(Local("s", Int(8)), "a")
    assert shifted is not None and shifted.high == 28


def test_both_sides_of_a_conjunction_hold_where_it_does() -> None:
    function = parse_function(
        "define i8 @f(i8 %x) { %c = icmp ult i8 %x, 8 %d = icmp ugt i8 %x, 3 %e = select i1 %c, i1 %d, i1 false "
        "br i1 %e, label %a, label %b a: ret i8 %x b: ret i8 0 }"
    )
    inside = Known(function).extent(function.arguments[0].value, "a")
    assert inside is not None and (inside.low, inside.high) == (4, 7)


def test_a_join_forgets_what_its_predecessors_knew() -> None:
    function = parse_function(
        "define i8 @f(i8 %x) { %c = icmp eq i8 %x, 0 br i1 %c, label %a, label %b a: br label %b b: ret i8 %x }"
    )
    found = Known(function).extent(function.arguments[0].value, "b")
    assert found is not None and (found.low, found.high) == (0, 255)


def test_a_given_fact_narrows_a_defined_argument_alone() -> None:
    text = "define i8 @f(i8 {} %x) {{ ret i8 %x }}"
    for attribute, high in (("noundef", 63), ("", 255)):
        function = parse_function(text.format(attribute))
        found = Known(function, [Fact("x < 64")]).extent(function.arguments[0].value)
        assert found is not None and found.high == high


def test_ranges_of_attributes_count() -> None:
    function = parse_function("define i8 @f(i8 range(i8 1, 9) %x) { ret i8 %x }")
    found = Known(function).extent(function.arguments[0].value)
    assert found is not None and (found.low, found.high) == (1, 8)


def test_the_range_of_a_load_counts() -> None:
    function = parse_function("define i8 @f(ptr %p) { %x = load i8, ptr %p, !range !0 ret i8 %x }\n!0 = !{i8 0, i8 2}")
    found = Known(function).extent(Local("x", Int(8)))
    assert found is not None and (found.low, found.high) == (0, 1)


def test_the_bits_of_an_aligned_address_are_clear() -> None:
    function = parse_function("define i64 @f(ptr align 16 %p) { %a = ptrtoint ptr %p to i64 ret i64 %a }")
    found = Known(function).extent(Local("a", Int(64)))
    assert found is not None and found.trailing == 4


def test_freezing_what_may_be_poison_forgets_its_bits() -> None:
    function = parse_function("define i8 @f(i8 %x) { %a = and i8 %x, 1 %b = freeze i8 %a ret i8 %b }")
    found = Known(function).extent(Local("b", Int(8)))
    assert found is not None and found.high == 255


@pytest.mark.parametrize(
    ("body", "is_fixed", "is_defined"),
    [
        ("%a = add i8 %x, 1", True, True),
        ("%a = add nsw i8 %x, 1", True, False),
        ("%a = add i8 %u, 1", False, False),
        ("%a = freeze i8 %u", True, True),
        ("%a = shl i8 %x, %x", True, False),
        ("%a = shl i8 %x, 7", True, True),
        ("%a = load i8, ptr %p", False, False),
        ("%a = load i8, ptr %p, !noundef !0", True, True),
        ("%a = call i8 @llvm.cttz.i8(i8 %x, i1 true)", True, False),
        ("%a = call i8 @llvm.cttz.i8(i8 %x, i1 false)", True, True),
    ],
)
def test_undef_and_poison_are_told_apart(body: str, is_fixed: bool, is_defined: bool) -> None:
    function = parse_function(
        f"define i8 @f(i8 noundef %x, i8 %u, ptr noundef %p) {{ {body}\n ret i8 %a }}\n!0 = !{{}}"
    )
    known, value = Known(function), Local("a", Int(8))
    assert (known.is_fixed(value), known.is_defined(value)) == (is_fixed, is_defined)


def test_a_long_chain_is_analysed_in_linear_time() -> None:
    lines = ["%v0 = add i8 %x, %x"] + [f"%v{n} = add i8 %v{n - 1}, %v{n - 1}" for n in range(1, 60)]
    function = parse_function("define i8 @f(i8 %x) {\n" + "\n".join(lines) + "\nret i8 %v59 }")
    found = Known(function).extent(Local("v59", Int(8)))
    assert found is not None and found.width == 8


def test_dominators_leave_out_what_is_never_reached() -> None:
    function = parse_function(
        "define void @f(i1 %c) { e: br i1 %c, label %a, label %b a: br label %j b: br label %j "
        "j: ret void d: br label %j }"
    )
    assert dominators(function) == {"e": ("e",), "a": ("e", "a"), "b": ("e", "b"), "j": ("e", "j")}
    assert reverse_postorder(function)[0] == "e" and reverse_postorder(function)[-1] == "j"


def test_a_loop_ends_the_analysis() -> None:
    function = parse_function(
        "define i8 @f(i8 %n) { e: br label %l l: %i = phi i8 [ 0, %e ], [ %j, %l ] %j = add nuw i8 %i, 1 "
        "%c = icmp ult i8 %j, %n br i1 %c, label %l, label %x x: ret i8 %i }"
    )
    found = Known(function).extent(Local("i", Int(8)))
    assert found is not None and found.high == 255
