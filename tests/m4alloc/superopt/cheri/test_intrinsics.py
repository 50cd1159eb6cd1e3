"""m4alloc.superopt.cheri.intrinsics: one name an operator, in each of three languages."""

from __future__ import annotations

from m4alloc.superopt.cheri.intrinsics import NAMES, by_intrinsic, declaration, intrinsic
from m4alloc.superopt.cheri.term import MANIPULATIONS, OPERATORS


def test_every_manipulation_has_names_and_every_name_is_an_operator() -> None:
    assert set(NAMES) <= set(OPERATORS) and set(NAMES) >= MANIPULATIONS


def test_no_two_operators_share_a_name() -> None:
    for column in range(3):
        names = [row[column] for row in NAMES.values() if row[column]]
        assert len(names) == len(set(names))


def test_intrinsics_are_found_by_their_names_at_either_width() -> None:
    for bits in (32, 64):
        known = by_intrinsic(bits)
        assert all(known[intrinsic(operator, bits)] == operator for operator in NAMES if NAMES[operator].llvm)
        assert known[f"llvm.cheri.cap.offset.increment.i{bits}"] == "inc"


def test_a_declaration_has_the_operators_sorts() -> None:
    assert declaration("llvm.cheri.cap.bounds.set.i32", 32) == (
        "declare ptr addrspace(200) @llvm.cheri.cap.bounds.set.i32(ptr addrspace(200), i32)"
    )
    assert declaration("llvm.cheri.cap.tag.get", 64) == "declare i1 @llvm.cheri.cap.tag.get(ptr addrspace(200))"
