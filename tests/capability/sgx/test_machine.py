"""The EPCM under a hostile host and careless enclaves: whatever is called, in whatever order, its promises hold.

Two enclaves at the same linear addresses, three threads, and page tables that lead wherever the host likes. Each
thread has a TLB: what it once translated it can still use until it leaves the enclave. That is what ETRACK is for,
and what is checked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from capability.architecture import Access
from capability.fault import Fault
from capability.sgx.accept import eaccept, eacceptcopy, emodpe
from capability.sgx.access import Reach, Translation, reach
from capability.sgx.augment import eaug, emodpr, emodt
from capability.sgx.build import eadd, ecreate, einit, eremove
from capability.sgx.code import Code
from capability.sgx.machine import Machine, Outcome
from capability.sgx.page import PAGE, RW, Entry, PageType, Rights, SecInfo
from capability.sgx.paging import Evicted, eblock, eldb, eldu, epa, ewb
from capability.sgx.thread import eenter, eexit
from capability.sgx.track import etrack
from capability.sgx.trie import Trie

FRAMES = 10
VA = 4
BASE = 0x10000
SIZE = 4 * PAGE
ADDRESSES = range(BASE, BASE + SIZE, PAGE)
frames = st.integers(0, FRAMES - 1)
busy = st.sampled_from([5, 6, 8, 9])
lies = st.none() | st.none() | st.none() | frames
addresses = st.sampled_from(ADDRESSES)
threads = st.integers(0, 2)
rights = st.sampled_from([Rights.NONE, Rights.R, RW, Rights.R | Rights.X, RW | Rights.X])
secs_frames = st.sampled_from([0, 1])


class HostileHost(RuleBasedStateMachine):
    """Every leaf, with operands that are sometimes right."""

    @initialize()
    def build(self) -> None:
        machine = Machine(FRAMES)
        for secs in (0, 1):
            machine = ecreate(machine, secs, BASE, SIZE).done()
            machine = eadd(machine, 2 + secs, secs, BASE, SecInfo(PageType.TCS)).done()
            machine = eadd(machine, 5 + secs, secs, BASE + PAGE, SecInfo(PageType.REG, RW)).done()
            if secs == 0:
                machine = eadd(machine, 7, secs, BASE + 3 * PAGE, SecInfo(PageType.TCS)).done()
            machine = einit(machine, secs, machine.secs("", secs).measurement.hex()).done()
        self.machine = epa(machine, VA).done()
        self.evicted: list[Evicted] = []
        self.tlbs: dict[int, dict[int, Rights]] = {}
        for thread, tcs in enumerate((2, 3, 7)):
            self.enter(thread, tcs)
            self.touch(thread, BASE + PAGE, None)

    def do(self, leaf: Callable[[], Outcome]) -> Code | None:
        """Run a leaf; a fault or a refusal leaves the machine as it was."""
        try:
            outcome = leaf()
        except Fault:
            return None
        assert outcome.code in (Code.SUCCESS, Code.SGX_VA_SLOT_OCCUPIED) or outcome.machine is self.machine
        self.machine = outcome.machine
        return outcome.code

    def table_of(self, thread: int, address: int, frame: int | None) -> dict[int, Translation]:
        """What the thread's process maps: the honest translation, or the one that the host prefers."""
        inside = self.machine.threads.get(thread)
        mine = ((at, entry) for at, entry in self.machine.epcm.items() if inside and entry.secs == inside.secs)
        honest = {entry.address: Translation(at) for at, entry in mine}
        return honest if frame is None else honest | {address: Translation(frame)}

    @rule(frame=frames, secs=secs_frames, address=addresses)
    def aug(self, frame: int, secs: int, address: int) -> None:
        self.do(lambda: eaug(self.machine, frame, secs, address))

    @rule(frame=busy, kept=rights)
    def restrict(self, frame: int, kept: Rights) -> None:
        self.do(lambda: emodpr(self.machine, frame, kept))

    @rule(frame=busy, page_type=st.sampled_from([PageType.TCS, PageType.TRIM]))
    def change_type(self, frame: int, page_type: PageType) -> None:
        self.do(lambda: emodt(self.machine, frame, page_type))

    @rule(secs=secs_frames)
    def track(self, secs: int) -> None:
        self.do(lambda: etrack(self.machine, secs))

    @rule(frame=busy)
    def block(self, frame: int) -> None:
        self.do(lambda: eblock(self.machine, frame))

    @rule(frame=frames)
    def remove(self, frame: int) -> None:
        self.do(lambda: eremove(self.machine, frame))

    @rule(frame=busy, slot=st.integers(0, 2))
    def write_back(self, frame: int, slot: int) -> None:
        pages: list[Evicted | None] = []

        def leaf() -> Outcome:
            outcome, page = ewb(self.machine, frame, VA, slot)
            pages.append(page)
            return outcome

        self.do(leaf)
        self.evicted += [page for page in pages if page is not None]

    @rule(frame=frames, number=st.integers(0, 9), slot=st.integers(0, 2), secs=secs_frames, blocked=st.booleans())
    def load_back(self, frame: int, number: int, slot: int, secs: int, blocked: bool) -> None:
        if self.evicted:
            page = self.evicted[number % len(self.evicted)]
            load = eldb if blocked else eldu
            self.do(lambda: load(self.machine, frame, page, VA, slot, secs))

    @rule(thread=threads, tcs=st.sampled_from([2, 3, 7]))
    def enter(self, thread: int, tcs: int) -> None:
        if self.do(lambda: eenter(self.machine, thread, tcs)) is Code.SUCCESS:
            self.tlbs[thread] = {}

    @rule(secs=secs_frames)
    def shoot_down(self, secs: int) -> None:
        """What an honest host does: a new epoch, and an interrupt for every thread inside."""
        self.track(secs)
        for thread, inside in list(self.machine.threads.items()):
            if inside.secs == secs:
                self.leave(thread)

    @rule(thread=threads)
    def leave(self, thread: int) -> None:
        if self.do(lambda: eexit(self.machine, thread)) is Code.SUCCESS:
            del self.tlbs[thread]

    @rule(thread=threads, address=addresses, lie=lies, data=st.data())
    def accept(self, thread: int, address: int, lie: int | None, data: st.DataObject) -> None:
        infos = [entry.info for _, entry in self.machine.epcm.items() if entry.address == address]
        info = data.draw(st.sampled_from(infos)) if infos else SecInfo(PageType.REG)
        self.do(lambda: eaccept(self.machine, thread, self.table_of(thread, address, lie), address, info))

    @rule(thread=threads, address=addresses, source=addresses, lie=lies, given=rights)
    def accept_copy(self, thread: int, address: int, source: int, lie: int | None, given: Rights) -> None:
        self.do(lambda: eacceptcopy(self.machine, thread, self.table_of(thread, address, lie), address, source, given))

    @rule(thread=threads, address=addresses, lie=lies, more=rights)
    def extend(self, thread: int, address: int, lie: int | None, more: Rights) -> None:
        self.do(lambda: emodpe(self.machine, thread, self.table_of(thread, address, lie), address, more))

    @rule(thread=threads, address=addresses, lie=lies)
    def touch(self, thread: int, address: int, lie: int | None) -> None:
        """Fill the thread's TLB: the rights of the moment, for as long as it stays."""
        table = self.table_of(thread, address, lie)
        for access in (Access.LOAD, Access.STORE, Access.FETCH):
            try:
                reached = reach(self.machine, thread, table, address, access)
            except Fault:
                continue
            if reached is Reach.EPC:
                frame = table[address].frame
                assert frame is not None
                entry = self.machine.epcm.get(frame)
                assert entry is not None
                self.tlbs[thread][frame] = entry.rights

    @invariant()
    def the_epcm_is_consistent(self) -> None:
        if hasattr(self, "machine"):
            self.machine.check()

    @invariant()
    def no_page_is_accessible_to_two_enclaves_nor_before_its_proposal_is_accepted(self) -> None:
        if not hasattr(self, "machine"):
            return
        for frame, entry in self.machine.epcm.items():
            owners = set()
            for thread in range(3):
                inside = self.machine.threads.get(thread)
                for address in ADDRESSES:
                    for access in (Access.LOAD, Access.FETCH):
                        try:
                            found = reach(self.machine, thread, {address: Translation(frame)}, address, access)
                        except Fault:
                            continue
                        assert found is not Reach.MEMORY
                        if found is Reach.EPC:
                            assert inside is not None
                            assert entry.is_settled and entry.page_type is PageType.REG
                            assert (entry.secs, entry.address) == (inside.secs, address)
                            owners.add(inside.secs)
            assert len(owners) <= 1

    @invariant()
    def no_thread_has_a_translation_that_the_epcm_has_forgotten(self) -> None:
        """A page that is gone, reassigned, or accepted as trimmed or restricted is in no TLB with more than it has."""
        for thread, tlb in getattr(self, "tlbs", {}).items():
            for frame, held in tlb.items():
                entry = self.machine.epcm.get(frame)
                assert entry is not None and entry.secs == self.machine.active("", thread).secs
                if not entry.modified and not entry.restricted:
                    assert entry.page_type is PageType.REG
                    assert held & entry.rights == held


TestHostileHost = HostileHost.TestCase
TestHostileHost.settings = settings(TestHostileHost.settings, max_examples=40)


def corrupted(frame: int, **fields: object) -> Machine:
    """A machine in a state that no leaf leads to."""
    host = HostileHost()
    host.build()
    entry = host.machine.epcm.get(frame)
    assert entry is not None
    return host.machine.with_entry(frame, replace(entry, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (lambda: corrupted(5, rights=Rights.W), "writable, not readable"),
        (lambda: corrupted(5, pending=True, modified=True), "both proposals"),
        (lambda: corrupted(5, address=0x50000), "outside ELRANGE"),
        (lambda: corrupted(5, address=BASE + 1), "outside ELRANGE"),
        (lambda: corrupted(5, secs=None), "belongs to no enclave"),
        (lambda: corrupted(5, secs=1), "miscounts its children"),
        (lambda: corrupted(2, rights=Rights.R), "reachable"),
        (lambda: corrupted(0, rights=Rights.R), "only pages of enclaves"),
        (lambda: corrupted(5, epoch=3), "later epoch"),
        (lambda: replace(corrupted(5), frames=3), "outside the EPC"),
        (lambda: replace(corrupted(5), epcm=Trie[Entry]()), "is free"),
    ],
)
def test_check_finds_what_no_leaf_leads_to(machine: Callable[[], Machine], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        machine().check()
