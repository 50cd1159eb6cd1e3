"""What each named policy does with a block, generation after generation."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Access
from capability.fault import Fault
from capability.memory import TaggedMemory
from capability.mte.draw import TagSource
from capability.mte.policy import POLICIES, Glibc, HardenedMalloc, PartitionAlloc, RandomTags, Scudo, TagPolicy, Xzone
from capability.mte.protection import MTE, MtePointer
from capability.mte.site import LatestTags, Site
from capability.perms import DATA

every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
BASE, SLOT = 0x40000, 48


def derive(policy: TagPolicy, memory: TaggedMemory, slot: int = 0, size: int = SLOT) -> MtePointer:
    return MTE(policy).derive(memory, BASE + SLOT * slot, size, DATA)


def generations(policy: TagPolicy, count: int) -> list[int]:
    """The tags of one slot's blocks, one after the other."""
    memory, tags = TaggedMemory(), []
    for _ in range(count):
        pointer = derive(policy, memory)
        tags.append(pointer.tag)
        MTE(policy).retire(memory, pointer)
    return tags


def test_partition_alloc_is_certain_for_fourteen_generations_and_fails_at_the_fifteenth() -> None:
    tags = generations(PartitionAlloc(), 16)
    assert sorted(tags[:15]) == list(range(1, 16)) and tags[15] == tags[0]
    assert all(after == before % 15 + 1 for before, after in pairwise(tags))


@pytest.mark.parametrize(
    "policy", [Scudo(), Scudo(odd_even=True), HardenedMalloc(), Xzone(), PartitionAlloc()], ids=str
)
def test_the_next_block_of_a_slot_never_has_the_last_ones_tag(policy: TagPolicy) -> None:
    tags = generations(policy, 300)
    assert all(before != after for before, after in pairwise(tags)) and 0 not in tags


@pytest.mark.parametrize("policy", [RandomTags(), Glibc()], ids=str)
def test_without_a_memory_of_the_last_tag_it_comes_back_now_and_then(policy: TagPolicy) -> None:
    tags = generations(policy, 300)
    assert 8 <= sum(before == after for before, after in pairwise(tags)) <= 36


@pytest.mark.parametrize(("policy", "free"), [(Glibc(), 0), (HardenedMalloc(), 0), (HardenedMalloc(reserved=15), 15)])
def test_free_memory_has_the_tag_that_no_block_has(policy: TagPolicy, free: int) -> None:
    memory = TaggedMemory()
    tags = set()
    for slot in range(200):
        pointer = derive(policy, memory, slot)
        tags.add(pointer.tag)
        MTE(policy).retire(memory, pointer)
        assert memory.allocation_tag(pointer.base) == memory.allocation_tag(pointer.top - 1) == free
    assert free not in tags and 0 not in tags and len(tags) == len({*range(16)} - {0, free})


@pytest.mark.parametrize("policy", [Scudo(), Xzone(), PartitionAlloc()], ids=str)
def test_the_tag_written_at_free_is_the_next_users(policy: TagPolicy) -> None:
    memory = TaggedMemory()
    MTE(policy).retire(memory, derive(policy, memory))
    waiting = memory.allocation_tag(BASE)
    assert derive(policy, memory).tag == waiting != 0


def test_odd_even_gives_neighbours_tags_of_different_parity_whatever_the_slot_size() -> None:
    for size in (16, 32, 48, 80, 96, 112, 1024):
        memory = TaggedMemory()
        mte = MTE(Scudo(odd_even=True))
        parities = [mte.derive(memory, size * 64 + size * slot, size, DATA).tag % 2 for slot in range(20)]
        assert parities == [parities[0], 1 - parities[0]] * 10


@pytest.mark.parametrize("policy", [Scudo(odd_even=True), HardenedMalloc(), Xzone(page=1 << 20)], ids=str)
@given(choices=st.lists(st.integers(0, 7), min_size=1, max_size=60), seed=st.integers(0, 1 << 32))
def test_live_neighbours_never_have_the_same_tag(policy: TagPolicy, choices: list[int], seed: int) -> None:
    """Slots are taken and given up in any order; every two live neighbours differ at any time."""
    memory = TaggedMemory()
    memory.state(TagSource).seed = seed
    live: dict[int, MtePointer] = {}
    for slot in choices:
        if slot in live:
            MTE(policy).retire(memory, live.pop(slot))
        else:
            live[slot] = derive(policy, memory, slot)
        assert all(live[slot].tag != live[slot + 1].tag for slot in live if slot + 1 in live)


@every_policy
def test_a_block_over_several_old_ones_avoids_as_many_of_their_tags_as_it_can(policy: TagPolicy) -> None:
    """Only what a policy promises is certain, but a mixed place still gets one tag, and one that is allowed."""
    for seed in range(40):
        memory = TaggedMemory()
        memory.state(TagSource).seed = seed
        for slot in range(20):
            MTE(policy).retire(memory, derive(policy, memory, slot))
        pointer = derive(policy, memory, size=20 * SLOT)
        tags = {memory.allocation_tag(at) for at in range(BASE, pointer.top, 16)}
        assert tags == {pointer.tag} and pointer.tag != 0


@pytest.mark.parametrize("policy", [Scudo(), HardenedMalloc(), Xzone(), PartitionAlloc()], ids=str)
def test_a_block_above_the_largest_is_untagged_whatever_was_there(policy: TagPolicy) -> None:
    mte, memory = MTE(policy), TaggedMemory()
    assert policy.largest is not None
    memory.set_allocation_tag(BASE, 64, 9)
    assert mte.derive(memory, BASE, policy.largest, DATA).tag != 0
    pointer = mte.derive(memory, BASE, policy.largest + 1, DATA)
    assert pointer.tag == 0 and memory.allocation_tag(BASE) == 0
    mte.retire(memory, pointer)
    mte.check(memory, pointer, BASE, 8, Access.LOAD)


@every_policy
def test_freed_bytes_are_zeroed_by_policies_that_say_so(policy: TagPolicy) -> None:
    memory = TaggedMemory()
    pointer = derive(policy, memory)
    memory.store(BASE, b"secret")
    MTE(policy).retire(memory, pointer)
    assert (memory.load(BASE, 6) == bytes(6)) == policy.zeroes


@every_policy
def test_a_second_free_is_refused_where_the_tag_differs(policy: TagPolicy) -> None:
    mte, memory = MTE(policy), TaggedMemory()
    pointer = derive(policy, memory)
    mte.retire(memory, pointer)
    if memory.allocation_tag(BASE) != pointer.tag:
        with pytest.raises(Fault, match="retire of 0x"):
            mte.retire(memory, pointer)


def test_the_history_of_tags_copies_with_the_machine() -> None:
    memory = TaggedMemory()
    memory.state(LatestTags).record(Site(memory, BASE, 32), 7)
    twin = memory.copy()
    twin.state(LatestTags).record(Site(twin, BASE, 16), 8)
    assert [memory.state(LatestTags).of(BASE + offset) for offset in (0, 31, 32)] == [7, 7, 0]
    assert twin.key() != memory.key()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomTags(exclude=0xFFFF), "at least one must be left"),
        (lambda: RandomTags(exclude=0x10000), "0 <= mask <= 0xffff"),
        (lambda: HardenedMalloc(reserved=16), "0 <= tag <= 15"),
        (lambda: Xzone(page=100), "a power of two"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
