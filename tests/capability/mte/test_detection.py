"""detection() is the frequency of an exact enumeration: every way the draws can fall, in the least favourable state."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from capability.architecture import Access, Hazard
from capability.fault import Fault
from capability.memory import TaggedMemory
from capability.mte.control import Mode
from capability.mte.policy import POLICIES as NAMED
from capability.mte.policy import Glibc, HardenedMalloc, PartitionAlloc, RandomTags, Scudo, TagPolicy, Xzone
from capability.mte.protection import MTE, MtePointer
from capability.mte.tag import with_tag
from capability.perms import DATA
from tests.capability.mte.draws import Moment, least

SLOT = 64
PAGE_END = 0x20000 - SLOT
POSITIONS = (0x10400, 0x10440, PAGE_END, 0x20000)
"""A slot of each parity in the middle of a page, the last slot of a page, and the first."""
POLICIES: dict[str, TagPolicy] = {
    **NAMED,
    "random-16": RandomTags(exclude=0),
    "random-4": RandomTags(exclude=0xFFF0),
    "hardened-15": HardenedMalloc(reserved=15),
}
every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)


class Slots:
    """A slot between two others, all of one size, and a distant one of either parity.

    The slot has had a block before, except where a policy draws only for a slot that never had one.
    """

    def __init__(self, policy: TagPolicy, position: int, moment: Moment) -> None:
        self.mte, self.memory, self.position = MTE(policy), TaggedMemory(), position
        self.left, self.right = self.derive(position - SLOT), self.derive(position + SLOT)
        self.fresh = isinstance(policy, PartitionAlloc)
        if self.fresh:
            moment.now()
        self.old = self.derive(position)
        if not self.fresh:
            moment.now()

    def derive(self, base: int) -> MtePointer:
        return self.mte.derive(self.memory, base, SLOT, DATA)

    def reuse(self) -> MtePointer:
        """The next block in the slot."""
        self.mte.retire(self.memory, self.old)
        return self.derive(self.position)

    def is_caught(self, pointer: MtePointer, address: int) -> bool:
        try:
            self.mte.check(self.memory, pointer, address, 1, Access.LOAD)
        except Fault:
            return True
        return False


def least_caught(policy: TagPolicy, hazard: Hazard) -> Iterator[Fraction]:
    """The least probability of each variant of the hazard."""
    # Tags that depend on nothing before need one state, and only two policies look at where a slot is.
    states = 1 if isinstance(policy, RandomTags | Glibc) else 3
    positions = POSITIONS if isinstance(policy, Xzone) or policy == Scudo(odd_even=True) else POSITIONS[:1]
    for position in positions:

        def use_after_free(moment: Moment, position: int = position) -> bool:
            slots = Slots(policy, position, moment)
            slots.mte.retire(slots.memory, slots.old)
            return slots.is_caught(slots.old, position)

        def use_after_reuse(moment: Moment, position: int = position) -> bool:
            slots = Slots(policy, position, moment)
            slots.reuse()
            return slots.is_caught(slots.old, position)

        def overflow(moment: Moment, position: int = position) -> bool:
            slots = Slots(policy, position, moment)
            return slots.is_caught(slots.reuse(), position + SLOT)

        def overflow_into(moment: Moment, position: int = position) -> bool:
            slots = Slots(policy, position, moment)
            slots.reuse()
            return slots.is_caught(slots.left, position)

        if hazard is Hazard.USE_AFTER_FREE:
            yield least(use_after_free, states)
        elif hazard is Hazard.USE_AFTER_REUSE:
            yield least(use_after_reuse, states)
        elif hazard is Hazard.ADJACENT_OVERFLOW:
            yield least(overflow, states)
            yield least(overflow_into, states)
        else:
            for tag in range(16):

                def elsewhere(moment: Moment, position: int = position, tag: int = tag) -> bool:
                    """A distant block of this tag is reached, or this tag is what a forger guesses."""
                    slots = Slots(policy, position, moment)
                    pointer = slots.reuse()
                    if hazard is Hazard.FORGED_POINTER:
                        forged = MtePointer(position, position, position + SLOT, tag)
                        return slots.is_caught(forged, position)
                    slots.memory.set_allocation_tag(0x90000, SLOT, tag)
                    return slots.is_caught(pointer, 0x90000)

                yield least(elsewhere, states)


@pytest.mark.slow
@every_policy
@pytest.mark.parametrize(
    "hazard",
    [hazard for hazard in Hazard if hazard is not Hazard.GRANULE_OVERFLOW],
    ids=lambda hazard: hazard.name.lower(),
)
def test_detection_is_the_enumerated_frequency(policy: TagPolicy, hazard: Hazard) -> None:
    assert MTE(policy).detection(hazard) == min(least_caught(policy, hazard))


@every_policy
def test_an_overflow_within_the_granule_is_never_caught(policy: TagPolicy) -> None:
    mte, memory = MTE(policy), TaggedMemory()
    pointer = mte.derive(memory, 0x1000, 7, DATA)
    mte.check(memory, pointer, 0x1007, 9, Access.STORE)
    assert mte.detection(Hazard.GRANULE_OVERFLOW) == 0


@pytest.mark.parametrize("hazard", Hazard)
def test_without_checks_nothing_is_detected(hazard: Hazard) -> None:
    assert MTE(mode=Mode.NONE).detection(hazard) == MTE(store_only=True).detection(hazard) == 0
    assert MTE(mode=Mode.ASYNC).detection(hazard) == MTE().detection(hazard)


def test_within_a_page_neighbours_under_xzone_always_differ() -> None:
    policy = Xzone(page=1 << 30)
    for variant in ("overflow", "overflow_into"):

        def scenario(moment: Moment, variant: str = variant) -> bool:
            slots = Slots(policy, 0x10400, moment)
            pointer = slots.reuse()
            if variant == "overflow":
                return slots.is_caught(pointer, 0x10400 + SLOT)
            return slots.is_caught(slots.left, 0x10400)

        assert least(scenario) == 1


def test_a_guess_at_a_bare_address_is_tag_zero_and_every_named_policy_keeps_that_out() -> None:
    for policy in NAMED.values():
        mte, memory = MTE(policy), TaggedMemory()
        pointer = mte.derive(memory, 0x1000, SLOT, DATA)
        assert pointer.tag != 0 and with_tag(0x1000, 0) == 0x1000
