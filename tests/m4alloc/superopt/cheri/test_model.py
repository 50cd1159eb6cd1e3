"""m4alloc.superopt.cheri.model: what a term does."""

from __future__ import annotations

import pytest

from capability.cheri.capability import Capability
from capability.cheri.isa import CHERIOT, ISAV8_128, ISAV9_128, MORELLO, RISCV_128, Isa
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import and_perms
from capability.fault import FaultKind
from capability.memory import TaggedMemory
from capability.perms import Perms
from m4alloc.superopt.cheri.model import Observation, Value, evaluated, holds
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.term import TermError

C = Capability.root(ISAV9_128.format, address=0x1000)


def seen(text: str, isa: Isa = ISAV9_128, memory: TaggedMemory | None = None, **values: Value) -> Observation:
    return evaluated(parsed(text), values, isa, memory)


def test_a_refused_manipulation_clears_the_tag_or_traps_as_the_instruction_set_says() -> None:
    narrow = set_bounds(C, 64, ISAV9_128)
    cleared = seen("set(c, 65)", c=narrow).value
    assert isinstance(cleared, Capability) and not cleared.tag
    assert seen("set(c, 65)", ISAV8_128, c=narrow).trap is FaultKind.LENGTH


def test_a_trap_ends_the_evaluation_and_what_was_written_before_stays() -> None:
    memory = TaggedMemory()
    done = seen("do(store(c, 1, 8), load(cleartag(c), 8), store(c, 2, 8))", memory=memory, c=C)
    assert done.trap is FaultKind.TAG
    assert done.memory.load(0x1000, 8) == (1).to_bytes(8, "little")
    assert memory.load(0x1000, 8) == bytes(8)


def test_if_evaluates_one_arm_and_select_both() -> None:
    null = Capability.null(ISAV9_128.format)
    assert seen("if(true, c, set(d, 1))", ISAV8_128, c=C, d=null).trap is None
    assert seen("select(true, c, set(d, 1))", ISAV8_128, c=C, d=null).trap is FaultKind.TAG


def test_integers_wrap_to_the_address_space() -> None:
    assert seen("0 - 1").value == 2**64 - 1
    assert seen("addr(inc(c, -0x1001))", c=C).value == 2**64 - 1


def test_a_revocation_clears_what_memory_holds_and_not_yet_registers() -> None:
    block = and_perms(set_bounds(C, 64, ISAV9_128), ~Perms.SW_VMEM & (1 << 64) - 1, ISAV9_128)
    slot = Capability.root(ISAV9_128.format, address=0x2000)
    text = "do(storecap(s, r), revoke(r), tuple(tag(r), tag(loadcap(s))))"
    assert seen(text, s=slot, r=block).value == (True, False)


def test_length_and_top_are_at_most_what_a_register_holds() -> None:
    assert seen("tuple(length(c), top(c))", c=C).value == (2**64 - 1, 2**64 - 1)


def test_within_does_not_wrap() -> None:
    assert holds(parsed("within(c, -1, 1)"), {"c": C}, ISAV9_128)
    assert not holds(parsed("within(c, -1, 2)"), {"c": C}, ISAV9_128)


def test_a_condition_that_traps_does_not_hold() -> None:
    assert not holds(parsed("tag(set(c, 1))"), {"c": C.clear_tag()}, ISAV8_128)


@pytest.mark.parametrize(
    ("text", "isa", "message"),
    [
        ("seal(c, k)", RISCV_128, "RISC-V draft, 128r seals with sentries only"),
        ("build(c, k)", CHERIOT, "CHERIoT builds no capability from bits"),
        ("set(c, n)", ISAV9_128, "n has no value; there are c, k"),
    ],
)
def test_what_cannot_be_evaluated_is_said(text: str, isa: Isa, message: str) -> None:
    cap = Capability.root(isa.format)
    with pytest.raises(TermError, match=message):
        seen(text, isa, c=cap, k=cap)


def test_morello_alone_has_a_sign_and_flags() -> None:
    assert seen("tuple(same_sign(0, 0x80000000000000), canonical(0x80000000000000))").value == (True, True)
    assert seen("tuple(same_sign(0, 0x80000000000000), canonical(0x80000000000000))", MORELLO).value == (False, False)
