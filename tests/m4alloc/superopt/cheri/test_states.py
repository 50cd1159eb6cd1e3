"""m4alloc.superopt.cheri.states: the inputs are legal, repeatable, and hit the edges."""

from __future__ import annotations

import pytest

from capability.cheri.capability import Capability
from capability.cheri.isa import CHERIOT, ISAV8_128, ISAV9_128, MORELLO, RISCV_64, Isa
from capability.cheri.move import increment, set_address
from capability.cheri.rebuild import is_within
from m4alloc.superopt.cheri.states import States
from m4alloc.superopt.cheri.term import Sort

SORTS = {"c": Sort.CAP, "d": Sort.CAP, "n": Sort.INT, "t": Sort.BOOL}


@pytest.mark.parametrize("isa", [ISAV9_128, ISAV8_128, MORELLO, RISCV_64, CHERIOT], ids=str)
def test_every_tagged_one_descends_from_a_root(isa: Isa) -> None:
    states = States(isa, SORTS, 3)
    roots = [Capability.root(isa.format, name) for name in isa.format.roots]
    for _ in range(400):
        cap = states.next()["c"]
        assert isinstance(cap, Capability)
        assert not cap.tag or any(is_within(cap, root) for root in roots)


def test_the_same_seed_gives_the_same_inputs() -> None:
    one, other = States(ISAV9_128, SORTS, 5), States(ISAV9_128, SORTS, 5)
    assert [one.next() for _ in range(50)] == [other.next() for _ in range(50)]


def test_the_kinds_that_break_rewrites_all_occur() -> None:
    states = States(ISAV9_128, SORTS, 9)
    seen: set[str] = set()
    for _ in range(1500):
        values = states.next()
        cap, n = values["c"], values["n"]
        assert isinstance(cap, Capability) and isinstance(n, int)
        if not cap.tag:
            seen.add("sealed garbage" if cap.sealed else "garbage")
            continue
        moved, set_ = increment(cap, n, ISAV9_128), set_address(cap, (cap.address + n) % 2**64, ISAV9_128)
        seen |= {name for name, applies in {
            "sealed": cap.sealed and not cap.is_sentry,
            "sentry": cap.is_sentry,
            "zero length": cap.length == 0,
            "top of memory": cap.top == 2**64,
            "one past the end": cap.address == cap.top,
            "out of bounds": not cap.covers(cap.address, 0),
            "the last granule": not cap.sealed and set_.tag and not moved.tag,
            "beyond the region": not cap.sealed and not set_.tag,
        }.items() if applies}  # fmt: skip
    assert seen == {
        "garbage", "sealed garbage", "sealed", "sentry", "zero length", "top of memory", "one past the end",
        "out of bounds", "the last granule", "beyond the region",
    }  # fmt: skip
