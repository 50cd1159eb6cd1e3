"""ADI under an allocator: detection against exact enumeration, and what the seam owes."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from capability.adi.mcd import Thread
from capability.adi.policy import VersionPolicy
from capability.adi.protection import Adi, AdiPointer
from capability.adi.version import LINE, VERSIONS, matches
from capability.architecture import Access, Hazard
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import DATA
from capability.word import WidthError

BASE = 0x10000
POLICIES = [VersionPolicy(free, exclude) for free, exclude in product((0, 3, 14, 15), (False, True))]


def caught(policy: VersionPolicy, pointer: int, before: int, after: int) -> Fraction:
    """How often a pointer of this version is caught at a block that is drawn between these neighbours."""
    choices = policy.choices(before, after)
    return Fraction(sum(not matches(pointer, drawn) for drawn in choices), len(choices))


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_detection_is_the_least_over_every_situation(policy: VersionPolicy) -> None:
    around = sorted({0, policy.free_version, *policy.live})
    situations = list(product(policy.live, around, around))
    independent = min(caught(policy, *situation) for situation in situations)
    assert policy.detection(Hazard.USE_AFTER_REUSE) == policy.detection(Hazard.DISTANT_OVERFLOW) == independent
    adjacent = min(caught(policy, pointer, pointer, after) for pointer, after in product(policy.live, around))
    assert policy.detection(Hazard.ADJACENT_OVERFLOW) == adjacent
    stale = min(Fraction(not matches(pointer, policy.free_version)) for pointer in policy.live)
    assert policy.detection(Hazard.USE_AFTER_FREE) == stale
    forged = min(caught(policy, 0, before, after) for _, before, after in situations)
    assert policy.detection(Hazard.FORGED_POINTER) == forged == 1


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_a_live_block_never_has_a_universal_version_or_the_free_one(policy: VersionPolicy) -> None:
    for before, after in product(range(VERSIONS), repeat=2):
        choices = policy.choices(before, after)
        assert len(choices) >= 11
        assert not {0, 15, policy.free_version} & set(choices)
        assert not policy.exclude_neighbours or not {before, after} & set(choices)


def test_a_free_version_that_is_universal_switches_the_check_off() -> None:
    memory, adi = TaggedMemory(BASE, 1 << 12), Adi(VersionPolicy(free_version=0))
    pointer = adi.derive(memory, BASE, 64, DATA)
    adi.retire(memory, pointer)
    adi.check(memory, pointer, BASE, 8, Access.STORE)
    memory.synchronise()
    assert adi.detection(Hazard.USE_AFTER_FREE) == 0


@pytest.mark.parametrize("version", [-1, 16])
def test_a_policy_with_an_impossible_free_version_is_refused(version: int) -> None:
    with pytest.raises(WidthError, match="0 <= version <= 15"):
        VersionPolicy(free_version=version)


def test_a_seed_repeats_the_draws_and_a_copy_goes_on_alike() -> None:
    def draws(memory: TaggedMemory, count: int = 20) -> list[int]:
        adi = Adi(seed=11)
        return [adi.derive(memory, BASE + 2 * LINE * n, 1, DATA).version for n in range(count)]

    memory = TaggedMemory(BASE, 1 << 14)
    assert draws(memory) == draws(TaggedMemory(BASE, 1 << 14))
    twin = memory.copy()
    assert draws(twin) == draws(memory)


def test_every_live_version_is_drawn() -> None:
    seen = {Adi(seed=n).derive(TaggedMemory(BASE, 1 << 12), BASE, 1, DATA).version for n in range(300)}
    assert seen == set(range(1, 14))


def test_neighbours_differ_on_both_sides_after_any_order_of_derivation() -> None:
    adi, memory = Adi(), TaggedMemory(BASE, 1 << 14)
    order = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    versions = {n: adi.derive(memory, BASE + n * LINE, LINE, DATA).version for n in order}
    assert all(versions[n] != versions[n + 1] for n in range(9))


def test_the_rest_of_the_last_line_belongs_to_the_block() -> None:
    adi, memory = Adi(), TaggedMemory(BASE, 1 << 12)
    pointer = adi.derive(memory, BASE, 65, DATA)
    adi.check(memory, pointer, BASE + 65, 63, Access.LOAD)
    assert adi.retire(memory, pointer).granules == 2


def test_retiring_twice_faults() -> None:
    adi, memory = Adi(), TaggedMemory(BASE, 1 << 12)
    pointer = adi.derive(memory, BASE, 64, DATA)
    adi.retire(memory, pointer)
    with pytest.raises(Fault, match="retired before") as fault:
        adi.retire(memory, pointer)
    assert fault.value.kind is FaultKind.VERSION_MISMATCH


@pytest.mark.parametrize(("base", "size"), [(BASE + 16, 64), (BASE, 0), (BASE, -1)])
def test_a_block_begins_at_a_line_and_is_not_empty(base: int, size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 64"):
        Adi().derive(TaggedMemory(BASE, 1 << 12), base, size, DATA)


def test_a_thread_that_has_not_enabled_adi_is_not_protected() -> None:
    adi, memory = Adi(thread=Thread(mcde=False)), TaggedMemory(BASE, 1 << 12)
    pointer = adi.derive(memory, BASE, 64, DATA)
    assert pointer == AdiPointer(BASE, BASE, BASE + 64, 0)
    assert adi.retire(memory, pointer).granules == 0
    adi.check(memory, pointer, BASE, 64, Access.STORE)
    assert all(adi.detection(kind) == 0 for kind in Hazard)
