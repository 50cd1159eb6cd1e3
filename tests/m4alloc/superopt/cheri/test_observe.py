"""m4alloc.superopt.cheri.observe: what a target may not do, by its name."""

from __future__ import annotations

import pytest

from capability.cheri.capability import Capability
from capability.cheri.isa import ISAV9_128
from capability.cheri.move import set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import and_perms
from capability.cheri.seal import seal_entry
from capability.fault import FaultKind
from capability.memory import TaggedMemory
from m4alloc.superopt.cheri.model import Observation
from m4alloc.superopt.cheri.observe import Effect, difference, value_difference

ROOT = Capability.root(ISAV9_128.format, address=0x1000)
BLOCK = set_bounds(ROOT, 64, ISAV9_128)
OTHER = set_bounds(set_address(ROOT, 0x1010, ISAV9_128), 0x100, ISAV9_128)


@pytest.mark.parametrize(
    ("source", "target", "effect"),
    [
        (BLOCK, BLOCK, None),
        (BLOCK.clear_tag(), BLOCK, Effect.GAINS_TAG),
        (BLOCK, BLOCK.clear_tag(), Effect.LOSES_TAG),
        (BLOCK, ROOT, Effect.WIDENS_BOUNDS),
        (ROOT, BLOCK, Effect.NARROWS),
        (BLOCK, set_address(OTHER, 0x1000, ISAV9_128), Effect.SUBSTITUTES),
        (and_perms(BLOCK, 1, ISAV9_128), BLOCK, Effect.GAINS_PERMISSION),
        (BLOCK, and_perms(BLOCK, 1, ISAV9_128), Effect.NARROWS),
        (seal_entry(BLOCK, ISAV9_128), BLOCK, Effect.UNSEALS),
        (BLOCK, set_address(BLOCK, 0x1008, ISAV9_128), Effect.OTHER_VALUE),
        ((BLOCK, 1), (BLOCK, 2), Effect.OTHER_VALUE),
        ((1, BLOCK.clear_tag()), (2, BLOCK), Effect.GAINS_TAG),
        (True, 1, Effect.OTHER_VALUE),
    ],
)
def test_the_gravest_difference_is_named(source: object, target: object, effect: Effect | None) -> None:
    assert value_difference(source, target) is effect  # type: ignore[arg-type]  # any values


def test_untagged_values_are_data_unless_one_says_otherwise() -> None:
    one, other = BLOCK.clear_tag(), Capability.null(ISAV9_128.format, 0x1000)
    assert value_difference(one, other) is Effect.OTHER_VALUE
    assert value_difference(one, other, strict=False) is None
    assert value_difference(one, Capability.null(ISAV9_128.format), strict=False) is Effect.OTHER_VALUE


def test_traps_are_observable_and_kept() -> None:
    trap = Observation(None, FaultKind.TAG)
    value = Observation(1)
    assert difference(trap, value) is Effect.REMOVES_TRAP
    assert difference(value, trap) is Effect.ADDS_TRAP
    assert difference(trap, Observation(None, FaultKind.LENGTH)) is Effect.OTHER_TRAP
    assert difference(trap, trap) is None


def test_memory_is_compared_also_after_a_trap() -> None:
    written = TaggedMemory()
    written.store(0, b"!")
    trap = Observation(None, FaultKind.TAG)
    assert difference(trap, Observation(None, FaultKind.TAG, memory=written)) is Effect.OTHER_MEMORY


def test_widening_is_a_vulnerability_narrowing_a_bug_and_a_removed_trap_a_finding() -> None:
    kinds = (Effect.WIDENS_BOUNDS, Effect.NARROWS, Effect.REMOVES_TRAP)
    assert [effect.verdict for effect in kinds] == ["vulnerability", "bug", "finding"]
