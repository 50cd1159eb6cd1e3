"""The reference allocator, under random requests, on every policy and every kind of architecture.

A model that knows nothing of allocators, a dict of bytes, says what a client must find. The acceptor, which was
written apart from the allocator, says what it may reply.
"""

from __future__ import annotations

import subprocess
import sys
from errno import EINVAL, ENOMEM

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from capability.architecture import Architecture, Hazard
from capability.cheri.capability import Capability
from capability.cheri.protection import Cheri
from capability.fault import Fault, FaultKind
from capability.flat import Flat
from capability.perms import DATA
from spec.acceptor import Acceptor
from spec.allocator import ReferenceAllocator, candidates, step
from spec.error import Misuse
from spec.event import ALLOCATING, RESIZING, Event, Function
from spec.policy import Anywhere, FirstFit, Policy
from spec.standard import ReallocZero
from tests.spec.reference import ARCHITECTURES, COARSE, POLICIES

BASE, CAPACITY = 0x100000, 1 << 15
sizes = st.one_of(st.integers(0, 80), st.integers(0, 3000), st.sampled_from([CAPACITY, 1 << 40, (1 << 63) + 1]))
alignments = st.sampled_from([0, 1, 3, 8, 16, 24, 64, 256, 4096, 1 << 40])
every_pair = [
    pytest.param(policy, architecture, id=f"{type(policy).__name__}-{architecture}")
    for policy in POLICIES
    for architecture in ARCHITECTURES
]


class AllocatorMachine(RuleBasedStateMachine):
    """Requests, contents, misuse; every reply is compared with the model and handed to three acceptors."""

    @initialize(
        policy=st.sampled_from(POLICIES), architecture=st.sampled_from(ARCHITECTURES), quarantine=st.integers(0, 3)
    )
    def start(self, policy: Policy, architecture: Architecture, quarantine: int) -> None:
        self.allocator = ReferenceAllocator(policy, architecture, CAPACITY, BASE, quarantine=quarantine)
        arena = (BASE, BASE + CAPACITY)
        standards = ("c17", "posix", "c17,glibc")
        self.acceptors = [Acceptor(name, quarantine=quarantine, arena=arena) for name in standards]
        self.live: dict[int, bytes] = {}

    def _admit(self, event: Event) -> None:
        for acceptor in self.acceptors:
            freed = event.function in RESIZING and event.address and not event.request_size
            if freed and acceptor.contract.realloc_zero is not ReallocZero.FREES:
                # realloc(p, 0) frees, as in glibc. C17 leaves that open and POSIX.1-2024 forbids it: they see a free.
                assert acceptor.step(Event(Function.FREE, address=event.address)) == []
            else:
                assert acceptor.step(event) == []

    def _request(self, event: Event) -> Event:
        reply = self.allocator.request(event)
        assert reply[: Event._fields.index("result")] == event[: Event._fields.index("result")]
        self._admit(reply)
        return reply

    def _pick(self, number: int) -> int:
        return sorted(self.live)[number % len(self.live)]

    def _note(self, reply: Event, kept: bytes) -> None:
        """A block was handed out: its first bytes are `kept`, the rest is whatever memory holds."""
        if reply.result:
            assert reply.usable % 16 == 0
            assert reply.usable == self.allocator.request(Event(Function.USABLE_SIZE, address=reply.result)).result
            contents = self.allocator.memory.load(reply.result, reply.usable)
            assert contents.startswith(kept)
            self.live[reply.result] = contents

    @rule(function=st.sampled_from(sorted(ALLOCATING - {Function.CALLOC})), size=sizes, alignment=alignments)
    def allocate(self, function: Function, size: int, alignment: int) -> None:
        if function in (Function.MALLOC, Function.VALLOC, Function.PVALLOC):
            alignment = 0
        self._note(self._request(Event(function, size=size, alignment=alignment)), b"")

    @rule(size=sizes, count=st.integers(0, 5))
    def calloc(self, size: int, count: int) -> None:
        reply = self._request(Event(Function.CALLOC, size=size, count=count))
        assert reply.result == 0 or reply.intact == size * count
        self._note(reply, bytes(reply.usable) if reply.result else b"")

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 99), size=sizes, count=st.integers(0, 3), array=st.booleans())
    def realloc(self, number: int, size: int, count: int, array: bool) -> None:
        address = self._pick(number)
        old = self.live.pop(address)
        if array:
            reply = self._request(Event(Function.REALLOCARRAY, address=address, size=size, count=count))
            size *= count
        else:
            reply = self._request(Event(Function.REALLOC, address=address, size=size))
        if reply.result == 0 and size:
            assert reply.errno == ENOMEM
            self.live[address] = old
        else:
            self._note(reply, old[: min(size, len(old))])

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 99))
    def free(self, number: int) -> None:
        address = self._pick(number)
        del self.live[address]
        self._request(Event(Function.FREE, address=address))

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 99), start=st.integers(0, 4000), length=st.integers(1, 4000), value=st.integers(0, 255))
    def fill(self, number: int, start: int, length: int, value: int) -> None:
        address = self._pick(number)
        old = self.live[address]
        start %= len(old)
        length = min(length, len(old) - start)
        self._request(Event(Function.FILL, address=address + start, size=length, result=value))
        self.live[address] = old[:start] + bytes([value]) * length + old[start + length :]

    @precondition(lambda self: self.live)
    @rule(number=st.integers(0, 99), start=st.integers(0, 4000))
    def load(self, number: int, start: int) -> None:
        address = self._pick(number)
        self._request(Event(Function.LOAD, address=address + start % len(self.live[address]), size=1))

    @rule(
        function=st.sampled_from([Function.FREE, Function.REALLOC, Function.USABLE_SIZE]),
        unit=st.integers(0, CAPACITY // 8),
    )
    def misuse(self, function: Function, unit: int) -> None:
        """An address that is no live block's: refused, named as the acceptor names it, and nothing changes."""
        event = Event(function, address=BASE + 8 * unit, size=24)
        if event.address in self.live:
            return
        before = self.allocator.key()
        with pytest.raises(Misuse) as caught:
            self.allocator.request(event)
        assert self.allocator.key() == before
        for acceptor in self.acceptors:
            (finding,) = acceptor.release(event)
            assert isinstance(finding, Misuse)
            assert finding.kind == caught.value.kind

    @rule()
    def go_on_with_a_copy(self) -> None:
        """A copy is equal, and what is done to the original afterwards does not reach it."""
        original, self.allocator = self.allocator, self.allocator.copy()
        assert original.key() == self.allocator.key()
        for address in self.live:
            original.memory.fill(address, 1, 0xEE)
            original.request(Event(Function.FREE, address=address))
        original.check()

    @invariant()
    def contents_are_kept(self) -> None:
        if hasattr(self, "allocator"):
            for address, contents in self.live.items():
                assert self.allocator.memory.load(address, len(contents)) == contents

    @invariant()
    def the_allocator_is_consistent(self) -> None:
        if hasattr(self, "allocator"):
            self.allocator.check()
            assert set(self.allocator.heap.live) == set(self.live)


TestAllocatorMachine = AllocatorMachine.TestCase


def malloc(allocator: ReferenceAllocator, size: int) -> int:
    reply = allocator.request(Event(Function.MALLOC, size=size))
    assert reply.result
    return reply.result


def free(allocator: ReferenceAllocator, address: int) -> None:
    allocator.request(Event(Function.FREE, address=address))


def small(**options: object) -> ReferenceAllocator:
    return ReferenceAllocator(capacity=CAPACITY, base=BASE, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("standard", "found"),
    [("c17", []), ("c23", []), ("glibc", []), ("posix,glibc", []), ("posix", ["realloc-zero"])],
)
def test_realloc_to_zero_bytes_is_that_of_glibc_which_posix_alone_refuses(standard: str, found: list[str]) -> None:
    allocator, acceptor = small(), Acceptor(standard)
    block = malloc(allocator, 24)
    acceptor.step(Event(Function.MALLOC, size=24, result=block))
    reply = allocator.request(Event(Function.REALLOC, address=block))
    assert (reply.result, reply.errno, allocator.heap.live_bytes) == (0, 0, 0)
    assert [str(finding).split(":")[0] for finding in acceptor.step(reply)] == found


@pytest.mark.parametrize(("policy", "architecture"), every_pair)
def test_replies_of_every_pair_are_admitted_under_c17_and_posix(policy: Policy, architecture: Architecture) -> None:
    """A fixed script that reaches every function, exhaustion and reuse, on each pair for certain."""
    allocator = ReferenceAllocator(policy, architecture, CAPACITY, BASE, quarantine=2)
    acceptors = [Acceptor(name, quarantine=2, arena=(BASE, BASE + CAPACITY)) for name in ("c17", "posix", "c17,posix")]
    live: list[int] = []

    def ask(function: Function, **fields: int) -> Event:
        reply = allocator.request(Event(function, **fields))
        for acceptor in acceptors:
            assert acceptor.step(reply) == []
        allocator.check()
        return reply

    for turn in range(6):
        live.append(ask(Function.MALLOC, size=24 + turn).result)
        live.append(ask(Function.CALLOC, size=40, count=turn).result)
        for function in (Function.ALIGNED_ALLOC, Function.MEMALIGN, Function.POSIX_MEMALIGN, Function.NEW):
            live.append(ask(function, size=100 * turn, alignment=16 << turn).result)
            assert ask(function, size=8, alignment=24).result == 0
        live.append(ask(Function.VALLOC, size=turn).result)
        live.append(ask(Function.PVALLOC, size=turn).result)
        live = [address for address in live if address]
        live[0] = ask(Function.REALLOC, address=live[0], size=300 * turn + 1).result or live[0]
        live[1] = ask(Function.REALLOCARRAY, address=live[1], size=7, count=turn + 1).result or live[1]
        live.append(ask(Function.REALLOC, address=0, size=turn).result)
        live = [address for address in live if address]
        for address in live[turn % 2 :: 2]:
            ask(Function.USABLE_SIZE, address=address)
            ask(Function.FREE, address=address)
            live.remove(address)
    assert ask(Function.MALLOC, size=CAPACITY + 1).errno == ENOMEM
    exhausted = 0
    while not exhausted:
        reply = ask(Function.MALLOC, size=700)
        exhausted = reply.errno
        live += [reply.result] if reply.result else []
    assert exhausted == ENOMEM
    for address in live:
        ask(Function.FREE, address=address)
    for acceptor in acceptors:
        assert acceptor.refused == 0 and not acceptor.misuses
        observed = {name for name in acceptor.contract.rules if name not in acceptor.not_observed}
        assert {"result-disjoint", "calloc-zeroes", "realloc-keeps-contents", "quarantine-respected"} <= observed


@pytest.mark.parametrize(("policy", "architecture"), every_pair)
def test_every_choice_is_admitted_and_leaves_the_state_as_it_was(policy: Policy, architecture: Architecture) -> None:
    state = ReferenceAllocator(policy, architecture, 1 << 12, BASE)
    kept = malloc(state, 100)
    free(state, malloc(state, 30))
    before = state.key()
    for event in (
        Event(Function.MALLOC, size=30),
        Event(Function.CALLOC, size=1, count=300),
        Event(Function.REALLOC, address=kept, size=99),
        Event(Function.REALLOC, address=kept, size=300),
        Event(Function.REALLOC, address=kept, size=0),
        Event(Function.POSIX_MEMALIGN, size=30, alignment=256),
        Event(Function.POSIX_MEMALIGN, size=30, alignment=4),
        Event(Function.MALLOC, size=1 << 12),
        Event(Function.FREE, address=kept),
        Event(Function.LABEL, label="here"),
    ):
        choices = candidates(state, event)
        assert choices, "there is always a way to reply"
        for choice in choices:
            acceptor = Acceptor("c17", heap=state.heap.copy(), arena=(BASE, BASE + (1 << 12)))
            after, reply = step(state, event, choice)
            assert acceptor.step(reply) == []
            assert reply.result == choice or event.function is Function.LABEL
            after.check()
        assert step(state, event)[1].result in choices, "the policy's own reply is one of them"
    assert state.key() == before


def test_what_is_no_candidate_is_refused() -> None:
    for choice in (BASE + 8, BASE + CAPACITY, BASE - 16):
        with pytest.raises(ValueError, match="is no candidate"):
            step(small(), Event(Function.MALLOC, size=32), choice)


@pytest.mark.parametrize(
    ("architecture", "states"), [(Flat(), 29), (Cheri(), 29), (Cheri(sweep_at=1 << 20), 139)], ids=str
)
def test_exploration_of_four_slots_ends(architecture: Architecture, states: int) -> None:
    """Blocks of one and two slots in four: f(n) = 2 f(n-1) + f(n-2) gives 29 heaps.

    While a sweep is pending a dead block still takes its place: f(n) = 3 f(n-1) + 2 f(n-2) gives 139.
    """
    start = ReferenceAllocator(Anywhere(), architecture, 64, BASE)
    seen = {start.key()}
    todo = [start]
    while todo:
        state = todo.pop()
        events = [Event(Function.MALLOC, size=16), Event(Function.MALLOC, size=32)]
        events += [Event(Function.FREE, address=address) for address in state.heap.live]
        for event in events:
            for choice in candidates(state, event):
                after, _ = step(state, event, choice)
                if after.key() not in seen:
                    after.check()
                    seen.add(after.key())
                    todo.append(after)
    assert len(seen) == states


def test_the_key_forgets_history_and_names() -> None:
    straight, detour = small(), small()
    malloc(straight, 16)
    free(detour, malloc(detour, 16))
    malloc(detour, 16)
    assert detour.key() == straight.key()
    malloc(detour, 16)
    assert detour.key() != straight.key()


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_a_stale_access_is_caught_as_often_as_detection_says(architecture: Architecture) -> None:
    allocator = small(architecture=architecture)
    address = malloc(allocator, 64)
    stale = allocator.pointer(address)
    allocator.request(Event(Function.LOAD, address=address, size=64))
    free(allocator, address)
    certain = architecture.detection(Hazard.USE_AFTER_FREE)
    if certain not in (0, 1):
        certain = round(certain)  # the tags that this seed draws differ
    for event in (Event(Function.LOAD, address=address + 8, size=8), Event(Function.FILL, address=address, size=1)):
        if certain:
            with pytest.raises(Fault) as fault:
                allocator.request(event)
                allocator.memory.synchronise()  # a disrupting store happens, and is reported later
            assert fault.value.kind in {FaultKind.TAG, FaultKind.TAG_MISMATCH, FaultKind.VERSION_MISMATCH}
        else:
            allocator.request(event)
    if architecture.detection(Hazard.USE_AFTER_REUSE):
        while malloc(allocator, 64) != address:
            pass
        with pytest.raises(Fault):
            allocator.access(Event(Function.LOAD, address=address, size=1), stale)
        allocator.request(Event(Function.LOAD, address=address, size=1))


@pytest.mark.parametrize("architecture", [each for each in ARCHITECTURES if isinstance(each, Cheri)], ids=str)
@given(st.lists(st.integers(0, 2000), min_size=1, max_size=12))
def test_capabilities_handed_out_are_narrow_stripped_and_disjoint(
    architecture: Architecture, requests: list[int]
) -> None:
    allocator = small(architecture=architecture)
    reached: set[int] = set()
    for size in requests:
        reply = allocator.request(Event(Function.MALLOC, size=size))
        if reply.result:
            cap = allocator.pointer(reply.result)
            assert isinstance(cap, Capability)
            assert cap.tag and not cap.sealed and cap.rights == DATA
            assert cap.address == cap.base == reply.result and cap.length == reply.usable
            assert not reached & set(range(cap.base, cap.top))
            reached |= set(range(cap.base, cap.top))


def test_blocks_are_padded_and_aligned_to_what_the_format_can_hold() -> None:
    allocator = small(architecture=COARSE)
    malloc(allocator, 16)
    reply = allocator.request(Event(Function.MALLOC, size=1025))
    assert reply.usable == 1152, "lengths from 1024 to 2048 are kept in units of 128"
    assert reply.result % 128 == 0


def test_a_pending_sweep_is_brought_forward_when_memory_runs_out() -> None:
    allocator = ReferenceAllocator(FirstFit(), Cheri(sweep_at=1 << 20), 1 << 12, BASE)
    address = malloc(allocator, 1 << 12)
    free(allocator, address)
    assert candidates(allocator, Event(Function.MALLOC, size=64)) == [BASE]
    allocator.request(Event(Function.LOAD, address=address, size=1))
    assert malloc(allocator, 64) == BASE
    with pytest.raises(Fault):
        allocator.access(Event(Function.LOAD, address=address, size=1), allocator.pointer(address + 64))


def test_calloc_zeroes_what_another_block_left_behind_to_the_last_usable_byte() -> None:
    allocator = small()
    address = malloc(allocator, 64)
    allocator.request(Event(Function.FILL, address=address, size=64, result=0x5A))
    free(allocator, address)
    reply = allocator.request(Event(Function.CALLOC, size=50, count=1))
    assert (reply.result, reply.usable, reply.intact) == (address, 64, 50)
    assert allocator.memory.load(address, 64) == bytes(64)


def test_a_copy_remembers_its_own_stale_pointers() -> None:
    allocator = small(architecture=Cheri())
    address = malloc(allocator, 64)
    stale = allocator.pointer(address)
    free(allocator, address)
    twin = allocator.copy()
    free(allocator, malloc(allocator, 16))
    assert allocator.pointer(address) != stale
    assert twin.pointer(address) == stale


def test_quarantine_delays_reuse_by_its_length() -> None:
    allocator = small(quarantine=3)
    first, *others = (malloc(allocator, 64) for _ in range(4))
    malloc(allocator, CAPACITY - 4 * 64)
    free(allocator, first)
    for address in others:
        assert allocator.request(Event(Function.MALLOC, size=64)).errno == ENOMEM
        free(allocator, address)
    assert malloc(allocator, 64) == first


def test_a_stale_address_finds_its_own_pointer_after_its_base_was_reused() -> None:
    allocator = small(architecture=Cheri(sweep_at=1 << 11))
    address = malloc(allocator, 1 << 12)
    stale = allocator.pointer(address)
    free(allocator, address)
    assert malloc(allocator, 16) == address
    assert allocator.pointer(address) != stale
    assert allocator.pointer(address + 64) == stale
    with pytest.raises(Fault):
        allocator.request(Event(Function.LOAD, address=address + 64, size=1))


def test_a_pointer_to_where_no_block_ever_was_is_an_integer() -> None:
    pointer = small().pointer(BASE + 0x100)
    assert pointer.address == pointer.base == pointer.top == BASE + 0x100
    small().request(Event(Function.LOAD, address=BASE + 0x100, size=8))
    with pytest.raises(Fault) as fault:
        small(architecture=Cheri()).request(Event(Function.LOAD, address=BASE + 0x100, size=8))
    assert fault.value.kind is FaultKind.TAG


def test_zero_bytes_are_a_block_of_their_own() -> None:
    allocator = small()
    assert len({malloc(allocator, 0) for _ in range(5)}) == 5


def test_realloc_to_zero_frees_and_returns_null_without_error() -> None:
    allocator = small()
    address = malloc(allocator, 24)
    reply = allocator.request(Event(Function.REALLOC, address=address, size=0))
    assert (reply.result, reply.errno) == (0, 0)
    with pytest.raises(Misuse, match="double-free"):
        free(allocator, address)


def test_realloc_moves_capabilities_with_their_tags() -> None:
    allocator = small(architecture=Cheri())
    address = malloc(allocator, 32)
    held = allocator.pointer(address)
    allocator.memory.store_capability(address + 16, held, bytes(16))
    moved = allocator.request(Event(Function.REALLOC, address=address, size=3000)).result
    assert moved != address
    assert allocator.memory.load_capability(moved + 16) is None, "it pointed into the block that is gone: revoked"
    allocator.memory.store_capability(moved + 16, allocator.pointer(moved), bytes(16))
    other = malloc(allocator, 16)
    allocator.memory.store_capability(moved + 32, allocator.pointer(other), bytes(16))
    again = allocator.request(Event(Function.REALLOC, address=moved, size=9000)).result
    assert allocator.memory.load_capability(again + 16) is None
    assert allocator.memory.load_capability(again + 32) == allocator.pointer(other)


def test_free_of_null_does_nothing() -> None:
    allocator = small()
    before = allocator.key()
    for function in (Function.FREE, Function.FREE_SIZED, Function.DELETE, Function.USABLE_SIZE):
        reply = allocator.request(Event(function, address=0))
        assert (reply.result, reply.errno) == (0, 0)
    assert allocator.key() == before


@pytest.mark.parametrize(
    ("event", "errno"),
    [
        (Event(Function.ALIGNED_ALLOC, size=8, alignment=0), EINVAL),
        (Event(Function.ALIGNED_ALLOC, size=8, alignment=24), EINVAL),
        (Event(Function.MEMALIGN, size=8, alignment=24), EINVAL),
        (Event(Function.POSIX_MEMALIGN, size=8, alignment=4), EINVAL),
        (Event(Function.POSIX_MEMALIGN, size=8, alignment=24), EINVAL),
        (Event(Function.ALIGNED_ALLOC, size=8, alignment=1), 0),
        (Event(Function.ALIGNED_ALLOC, size=24, alignment=64), 0),
        (Event(Function.POSIX_MEMALIGN, size=8, alignment=8), 0),
        (Event(Function.NEW, size=8), 0),
        (Event(Function.ALIGNED_ALLOC, size=8, alignment=1 << 62), ENOMEM),
        (Event(Function.CALLOC, size=1 << 33, count=1 << 33), ENOMEM),
        (Event(Function.REALLOCARRAY, size=1 << 33, count=1 << 33), ENOMEM),
        (Event(Function.MALLOC, size=(1 << 64) - 1), ENOMEM),
        (Event(Function.PVALLOC, size=(1 << 64) - 1), ENOMEM),
    ],
    ids=str,
)
def test_arguments_are_answered_with_the_errno_of_the_standard(event: Event, errno: int) -> None:
    reply = small().request(event)
    assert reply.errno == errno
    assert bool(reply.result) == (errno == 0)


@pytest.mark.parametrize(
    "event",
    [
        Event(Function.FREE_SIZED, size=23),
        Event(Function.FREE_SIZED, size=24, alignment=64),
        Event(Function.FREE_ALIGNED_SIZED, size=24, alignment=64),
        Event(Function.DELETE, size=32),
    ],
    ids=lambda event: f"{event.function.name.lower()}-{event.size}-{event.alignment}",
)
def test_a_sized_free_must_name_what_was_requested(event: Event) -> None:
    allocator = small()
    address = malloc(allocator, 24)
    with pytest.raises(Misuse, match="size-mismatch"):
        allocator.request(event._replace(address=address))
    allocator.request(Event(Function.FREE_SIZED, address=address, size=24))
    with pytest.raises(Misuse, match="double-free"):
        free(allocator, address)


def test_misuse_says_what_was_meant_and_since_when() -> None:
    allocator = small()
    address = malloc(allocator, 40)
    with pytest.raises(Misuse) as interior:
        free(allocator, address + 8)
    assert str(interior.value) == (
        "interior-free: free(0x100008) at event 2 names 8 bytes into block #1 (40 bytes at 0x100000, usable 48), "
        "live since event 1"
    )
    free(allocator, address)
    with pytest.raises(Misuse) as double:
        free(allocator, address)
    assert str(double.value) == (
        "double-free: free(0x100000) at event 4 names the start of block #1 (40 bytes at 0x100000, usable 48), "
        "freed at event 3"
    )


def test_an_arena_of_one_page_of_memory_has_a_view_of_every_block() -> None:
    allocator = small(page=CAPACITY)
    addresses = [malloc(allocator, 5000) for _ in range(4)]
    for number, address in enumerate(addresses):
        allocator.memory.view(address, 5000)[:] = bytes([number]) * 5000
    for number, address in enumerate(addresses):
        assert allocator.memory.load(address, 5000) == bytes([number]) * 5000


@pytest.mark.parametrize(
    ("capacity", "base"), [(100, BASE), (-16, BASE), (CAPACITY, 8), (CAPACITY, 0)], ids=["cut", "negative", "odd", "0"]
)
def test_an_arena_that_makes_no_sense_is_refused(capacity: int, base: int) -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        ReferenceAllocator(capacity=capacity, base=base)


def test_importing_it_is_cheap() -> None:
    heavy = "numpy, numba, hypothesis, lark, rich, asyncio"
    code = f"import sys, spec.allocator; print(sorted(set(sys.modules) & set('{heavy}'.split(', '))))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
