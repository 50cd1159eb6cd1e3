"""TaggedMemory against the simplest thing that could be right: a dict of bytes and two dicts of tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.word import WidthError

BASE, SIZE = 0x1000, 0x200
addresses = st.integers(BASE, BASE + SIZE - 1)
granules = st.integers(0, SIZE // 16 - 1).map(lambda number: BASE + 16 * number)


@dataclass
class DictMemory:
    """What TaggedMemory should be, one byte at a time."""

    contents: dict[int, int] = field(default_factory=dict)
    capabilities: dict[int, str] = field(default_factory=dict)
    tags: dict[int, int] = field(default_factory=dict)

    def load(self, address: int, size: int) -> bytes:
        return bytes(self.contents.get(at, 0) for at in range(address, address + size))

    def store(self, address: int, data: bytes) -> None:
        for at, byte in enumerate(data, address):
            self.contents[at] = byte
            self.capabilities.pop(at - at % 16, None)

    def move(self, target: int, source: int, size: int) -> None:
        whole = {at: held for at, held in self.capabilities.items() if source <= at and at + 16 <= source + size}
        self.store(target, self.load(source, size))
        if (target - source) % 16 == 0:
            self.capabilities.update({at + target - source: held for at, held in whole.items()})


class MemoryMachine(RuleBasedStateMachine):
    """Every operation on both; they never differ. Pages of 64 bytes make crossings common."""

    @initialize(page=st.sampled_from([16, 64, 4096]))
    def start(self, page: int) -> None:
        self.memory = TaggedMemory(BASE, SIZE, allocation_granule=32, page=page)
        self.model = DictMemory()

    def _clip(self, address: int, size: int) -> int:
        return min(size, BASE + SIZE - address)

    @rule(address=addresses, data=st.binary(max_size=150))
    def store(self, address: int, data: bytes) -> None:
        data = data[: self._clip(address, len(data))]
        self.memory.store(address, data)
        self.model.store(address, data)

    @rule(address=addresses, size=st.integers(0, 200), value=st.sampled_from([0, 0, 0x5A]))
    def fill(self, address: int, size: int, value: int) -> None:
        size = self._clip(address, size)
        self.memory.fill(address, size, value)
        self.model.store(address, bytes([value]) * size)

    @rule(to=addresses | granules, source=addresses | granules, size=st.integers(0, 200))
    def move(self, to: int, source: int, size: int) -> None:
        size = min(self._clip(to, size), self._clip(source, size))
        self.memory.move(to, source, size)
        self.model.move(to, source, size)

    @rule(address=granules, name=st.sampled_from("abc"))
    def store_capability(self, address: int, name: str) -> None:
        self.memory.store_capability(address, name, name.encode() * 16)
        self.model.store(address, name.encode() * 16)
        self.model.capabilities[address] = name

    @rule(address=granules)
    def clear_capability_tag(self, address: int) -> None:
        self.memory.clear_capability_tag(address)
        self.model.capabilities.pop(address, None)

    @rule(first=st.integers(0, SIZE // 32 - 1), count=st.integers(0, 4), tag=st.integers(0, 15))
    def tag(self, first: int, count: int, tag: int) -> None:
        count = min(count, SIZE // 32 - first)
        assert self.memory.set_allocation_tag(BASE + 32 * first, 32 * count, tag) == count
        for number in range(first, first + count):
            self.model.tags[number] = tag

    @rule(address=addresses, data=st.binary(min_size=1, max_size=40))
    def write_through_a_view(self, address: int, data: bytes) -> None:
        data = data[: min(self._clip(address, len(data)), self.memory.page - address % self.memory.page)]
        self.memory.view(address, len(data))[:] = data
        self.model.store(address, data)

    @rule()
    def go_on_with_a_copy(self) -> None:
        original, self.memory = self.memory, self.memory.copy()
        assert original.key() == self.memory.key()
        before = original.load(BASE, SIZE)
        original.fill(BASE, SIZE, 0xEE)
        original.set_allocation_tag(BASE, SIZE, 7)
        assert self.memory.load(BASE, SIZE) == self.model.load(BASE, SIZE) == before

    @rule(address=addresses, size=st.integers(0, SIZE))
    def leading_zeros(self, address: int, size: int) -> None:
        size = self._clip(address, size)
        data = self.model.load(address, size)
        assert self.memory.leading_zeros(address, size) == len(data) - len(data.lstrip(b"\0"))

    @rule(address=addresses, size=st.integers(0, SIZE))
    def capability_addresses(self, address: int, size: int) -> None:
        size = self._clip(address, size)
        touched = {at - at % 16 for at in range(address, address + size)}
        assert self.memory.capability_addresses(address, size) == sorted(touched & set(self.model.capabilities))

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "memory"):
            return
        self.memory.check()
        assert self.memory.load(BASE, SIZE) == self.model.load(BASE, SIZE)
        for at in range(BASE, BASE + SIZE, 16):
            assert self.memory.load_capability(at) == self.model.capabilities.get(at)
        for at in range(BASE, BASE + SIZE):
            assert self.memory.allocation_tag(at) == self.model.tags.get((at - BASE) // 32, 0)


TestMemoryMachine = MemoryMachine.TestCase


@given(granules, st.integers(0, 15), st.binary(min_size=1, max_size=1))
def test_a_store_of_one_byte_clears_the_capability_tag_and_keeps_the_other_bytes(
    granule: int, offset: int, byte: bytes
) -> None:
    memory = TaggedMemory(BASE, SIZE)
    memory.store_capability(granule, "authority", b"sixteen bytes...")
    memory.store(granule + offset, byte)
    assert memory.load_capability(granule) is None
    kept = bytearray(b"sixteen bytes...")
    kept[offset : offset + 1] = byte
    assert memory.load(granule, 16) == kept


@given(st.integers(0, 40), st.integers(0, 60), st.sampled_from([0, 0, 8]))
def test_a_move_keeps_the_tag_of_a_granule_exactly_when_it_moves_all_of_it_to_a_granule(
    start: int, size: int, skew: int
) -> None:
    memory = TaggedMemory(BASE, SIZE)
    memory.store_capability(BASE + 16, "authority", b"sixteen bytes...")
    memory.move(BASE + 0x100 + start + skew, BASE + start, size)
    whole = start <= 16 and start + size >= 32 and skew == 0
    assert memory.load_capability(BASE + 0x110) == ("authority" if whole else None)
    assert memory.capability_addresses(BASE, SIZE) == ([BASE + 16, BASE + 0x110] if whole else [BASE + 16])


def test_zeroing_more_than_a_page_gives_pages_back_and_never_walks_missing_ones() -> None:
    memory = TaggedMemory()
    memory.store(0x5000, b"x" * 0x3000)
    memory.fill(0, 1 << 60, 0)
    assert memory.load(0x5000, 0x3000) == bytes(0x3000)
    assert memory.key() == TaggedMemory().key()
    assert memory.leading_zeros(0, 1 << 60) == 1 << 60


def test_the_first_deferred_fault_is_raised_once_at_synchronise() -> None:
    memory = TaggedMemory()
    memory.synchronise()
    first, second = (Fault(FaultKind.TAG_MISMATCH, 8, None, text) for text in ("first", "second"))
    memory.defer(first)
    memory.defer(second)
    with pytest.raises(Fault) as report:
        memory.synchronise()
    assert report.value is first
    memory.synchronise()


@pytest.mark.parametrize(
    "access",
    [
        lambda memory: memory.load(BASE - 1, 1),
        lambda memory: memory.load(BASE + SIZE - 1, 2),
        lambda memory: memory.load(BASE, -1),
        lambda memory: memory.store(BASE + SIZE, b"x"),
        lambda memory: memory.fill(BASE, SIZE + 1, 0),
        lambda memory: memory.move(BASE, BASE + SIZE - 1, 2),
        lambda memory: memory.move(BASE + SIZE - 1, BASE, 2),
        lambda memory: memory.load_capability(BASE + SIZE),
        lambda memory: memory.allocation_tag(BASE - 1),
    ],
)
def test_an_access_outside_memory_faults_and_names_the_range(access: Callable[[TaggedMemory], object]) -> None:
    with pytest.raises(Fault) as fault:
        access(TaggedMemory(BASE, SIZE))
    assert fault.value.kind is FaultKind.UNMAPPED
    assert "[0x1000, 0x1200)" in str(fault.value)


@pytest.mark.parametrize(
    "access",
    [
        lambda memory: memory.load_capability(BASE + 8),
        lambda memory: memory.store_capability(BASE + 1, "c", bytes(16)),
        lambda memory: memory.set_allocation_tag(BASE + 8, 16, 1),
        lambda memory: memory.set_allocation_tag(BASE, 8, 1),
    ],
)
def test_a_misaligned_tag_access_faults_and_names_the_granule(access: Callable[[TaggedMemory], object]) -> None:
    with pytest.raises(Fault) as fault:
        access(TaggedMemory(BASE, SIZE))
    assert fault.value.kind is FaultKind.ALIGNMENT
    assert "of 16" in str(fault.value)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: TaggedMemory(page=3000), "power of two"),
        (lambda: TaggedMemory(capability_granule=0), "power of two"),
        (lambda: TaggedMemory(base=-1), "at least 0"),
        (lambda: TaggedMemory().fill(0, 1, 256), "0 <= value <= 255"),
        (lambda: TaggedMemory().set_allocation_tag(0, 16, -1), "at least 0"),
        (lambda: TaggedMemory().store_capability(0, "c", b"short"), "16 bytes, not 5"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_range(make: Callable[[], object], named: str) -> None:
    with pytest.raises(WidthError) as refusal:
        make()
    assert named in str(refusal.value)


def test_a_view_across_pages_is_refused() -> None:
    with pytest.raises(ValueError, match="cross a page of 64 bytes"):
        TaggedMemory(page=64).view(60, 8)
