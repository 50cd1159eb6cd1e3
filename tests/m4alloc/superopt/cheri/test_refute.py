"""m4alloc.superopt.cheri.refute: every killed rule has a counterexample that the concrete model runs."""

from __future__ import annotations

import pytest

from capability.cheri.capability import Capability
from capability.cheri.isa import ISAV8_128, ISAV9_128, MORELLO, RISCV_128, Isa
from capability.cheri.move import set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.seal import seal_entry
from m4alloc.superopt.cheri.killed import UNSOUND, Killed
from m4alloc.superopt.cheri.model import Value, traps
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.observe import Effect
from m4alloc.superopt.cheri.refute import environment_of, is_derived, refuted
from m4alloc.superopt.cheri.trial import replayed

BY_NAME = {killed.name: killed for killed in UNSOUND}


def block(base: int, top: int, address: int) -> Capability:
    """A capability of ISAv9 with these bounds, pointing there."""
    root = Capability.root(ISAV9_128.format, address=base)
    return set_address(set_bounds(root, top - base, ISAV9_128), address, ISAV9_128)


WITNESSES: tuple[tuple[str, dict[str, Value], Effect], ...] = (
    ("U1", {"c": block(0x1FFFFFFFFFFE0, 0x2000000007000, 0x2000000007000), "m": 0x1000, "n": 0}, Effect.GAINS_TAG),
    ("U2", {"c": block(0x8000, 0x8200, 0x81FF), "m": 0x1000, "n": 0}, Effect.GAINS_TAG),
    ("U3", {"c": block(0, 1 << 64, 0), "n": 0x803FFFFFFFEA}, Effect.OTHER_VALUE),
    ("U4", {"c": block(0, 1 << 64, 3), "n": 0x803FFFE}, Effect.OTHER_VALUE),
    (
        "U6",
        {"c": block(0, 0x100800000000, 0x100800000000), "i": 0x27F800000000, "j": -0x27F800000000 % 2**64},
        Effect.GAINS_TAG,
    ),
    ("U7", {"c": block(0x22097D, 0x22098D, 0x2210B7), "i": 0x2F48}, Effect.GAINS_TAG),
    ("U9", {"c": block(0, 0x1D, 0x1D), "i": 0x37F1}, Effect.OTHER_VALUE),
    ("U11", {"c": block(0, 1 << 64, 0x41601C), "n": 0x1000}, Effect.GAINS_TAG),
    ("U13", {"c": block(0, 1 << 64, 0x345AAE693), "n": 0x562A8CB6}, Effect.WIDENS_BOUNDS),
)
"""The counterexamples that the table publishes, where it gives numbers."""


@pytest.mark.parametrize(("name", "values", "effect"), WITNESSES, ids=[name for name, _, _ in WITNESSES])
def test_the_published_counterexample_is_one(name: str, values: dict[str, Value], effect: Effect) -> None:
    rule = BY_NAME[name].rule
    failure = replayed(rule.source, rule.target, values, ISAV9_128)
    assert failure is not None and failure.effect is effect


@pytest.mark.campaign
@pytest.mark.parametrize("isa", (ISAV9_128, ISAV8_128, MORELLO, RISCV_128), ids=str)
@pytest.mark.parametrize("killed", UNSOUND, ids=lambda killed: killed.name)
def test_a_killed_rule_is_refuted_by_what_instructions_can_make(killed: Killed, isa: Isa) -> None:
    rule = killed.rule
    condition = rule.condition_on(isa)
    if condition is None:
        pytest.skip(f"{isa} has no such instruction")
    spared = {("U8 length", str(isa)), ("U7", str(RISCV_128))}
    failure = refuted(rule.source, rule.target, condition, isa, count=3000, seconds=120)
    is_sound = (rule.name, str(isa)) in spared or (killed.blame.name == "TRAPPING" and not traps(isa))
    assert (failure is None) is is_sound
    if failure is not None:
        held = [value for value in failure.environment.values() if isinstance(value, Capability)]
        assert all(is_derived(value, isa) for value in held)


def test_z3s_model_becomes_values_of_the_format() -> None:
    root = Capability.root(ISAV9_128.format, address=7)
    assert environment_of({"c": (root.pesbt, 7, True), "n": 3, "t": True}, ISAV9_128) == {"c": root, "n": 3, "t": True}


def test_what_trying_does_not_find_is_asked_of_z3() -> None:
    source, target = parsed("addr(c) + 1"), parsed("if(addr(c) == 0x123456789abcdef, addr(c), addr(c) + 1)")
    failure = refuted(source, target, parsed("true"), ISAV9_128, count=5)
    assert failure is not None
    found = failure.environment["c"]
    assert isinstance(found, Capability) and found.address == 0x123456789ABCDEF


def test_garbage_with_a_tag_is_not_derived() -> None:
    root = Capability.root(ISAV9_128.format)
    assert is_derived(root, ISAV9_128)
    assert is_derived(seal_entry(block(0x1000, 0x1040, 0x1010), ISAV9_128), ISAV9_128)
    assert is_derived(Capability(ISAV9_128.format, 0x1234, 0, False), ISAV9_128)
    assert not is_derived(Capability(ISAV9_128.format, 0xFFFF1FFFFC018004 | 7, 0, True), ISAV9_128)
