"""Machine: the EPC, the EPCM, and the threads in enclaves, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from capability.sgx.code import Code, bad_page, general_protection
from capability.sgx.measure import Measurement
from capability.sgx.page import PAGE, ZERO_PAGE, Entry, PageType, Rights
from capability.sgx.trie import Trie
from capability.word import is_aligned

VersionArray = tuple[int, ...]
"""The slots of a VA page; 0 is an empty one."""


@dataclass(frozen=True, slots=True)
class Secs:
    """An enclave: its range of linear addresses (ELRANGE), whether EINIT has sealed it, and what is tracked.

    eid: the identity that survives paging of the SECS. epoch: how often ETRACK succeeded. children: EPC pages that
    belong to it.  Source: SDM, "SGX Enclave Control Structure (SECS)".
    """

    base: int
    size: int
    eid: int
    measurement: Measurement
    initialised: bool = False
    epoch: int = 0
    children: int = 0

    def contains(self, address: int) -> bool:
        """The address is in ELRANGE."""
        return self.base <= address < self.base + self.size


class Inside(NamedTuple):
    """Where a thread is: in which enclave, by which TCS, since which epoch."""

    secs: int
    tcs: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Machine:
    """One package: `frames` EPC pages, of which those with an entry in `epcm` are in use.

    contents: of a REG, TCS or TRIM page 4096 bytes, of an SECS page the Secs, of a VA page its slots. threads: the
    logical processors that are in an enclave, by number.

    >>> Machine(frames=4).check()
    """

    frames: int
    epcm: Trie[Entry] = field(default_factory=Trie)
    contents: Trie[bytes | Secs | VersionArray] = field(default_factory=Trie)
    threads: Trie[Inside] = field(default_factory=Trie)
    next_eid: int = 1
    next_version: int = 1

    # What the leaves ask

    def entry(self, leaf: str, frame: int) -> Entry | None:
        """The EPCM entry of a frame, None when it is free.  Raises Fault: #PF for what is no EPC page."""
        if not 0 <= frame < self.frames:
            raise bad_page(leaf, frame, f"is not in the EPC: 0 <= frame < {self.frames}")
        return self.epcm.get(frame)

    def valid(self, leaf: str, frame: int, *types: PageType) -> Entry:
        """The entry of a frame that is in use, with one of the types if any are named.  Raises Fault: #PF."""
        found = self.entry(leaf, frame)
        if found is None:
            raise bad_page(leaf, frame, "is not valid")
        if types and found.page_type not in types:
            raise bad_page(leaf, frame, f"is {found.page_type.name}, not {' or '.join(kind.name for kind in types)}")
        return found

    def free(self, leaf: str, frame: int) -> None:
        """Raise Fault, #PF, unless the frame is in the EPC and not in use."""
        if self.entry(leaf, frame) is not None:
            raise bad_page(leaf, frame, "is in use")

    def secs(self, leaf: str, frame: int) -> Secs:
        """The enclave whose SECS is in this frame.  Raises Fault: #PF."""
        self.valid(leaf, frame, PageType.SECS)
        found = self.contents.get(frame)
        assert isinstance(found, Secs)
        return found

    def owner(self, leaf: str, entry: Entry) -> Secs:
        """The enclave that a page belongs to."""
        assert entry.secs is not None
        return self.secs(leaf, entry.secs)

    def active(self, leaf: str, thread: int) -> Inside:
        """Where a thread is.  Raises Fault: #GP for an ENCLU leaf outside every enclave."""
        found = self.threads.get(thread)
        if found is None:
            raise general_protection(leaf, f"thread {thread} is not in an enclave")
        return found

    def data(self, frame: int) -> bytes:
        """The 4096 bytes of a page of an enclave."""
        found = self.contents.get(frame)
        assert isinstance(found, bytes)
        return found

    # The next machine

    def with_page(self, frame: int, entry: Entry, contents: bytes | Secs | VersionArray = ZERO_PAGE) -> Machine:
        """With one page more; a page of an enclave is counted as its child."""
        grown = replace(self, epcm=self.epcm.put(frame, entry), contents=self.contents.put(frame, contents))
        return grown if entry.secs is None else grown._with_children(entry.secs, 1)

    def without_page(self, frame: int, entry: Entry) -> Machine:
        """With one page less."""
        shrunk = replace(self, epcm=self.epcm.drop(frame), contents=self.contents.drop(frame))
        return shrunk if entry.secs is None else shrunk._with_children(entry.secs, -1)

    def with_entry(self, frame: int, entry: Entry) -> Machine:
        """With the entry of a page in use replaced."""
        return replace(self, epcm=self.epcm.put(frame, entry))

    def with_contents(self, frame: int, contents: bytes | Secs | VersionArray) -> Machine:
        """With what a page holds replaced."""
        return replace(self, contents=self.contents.put(frame, contents))

    def _with_children(self, secs: int, more: int) -> Machine:
        enclave = self.contents.get(secs)
        assert isinstance(enclave, Secs)
        return self.with_contents(secs, replace(enclave, children=enclave.children + more))

    # What always holds

    def check(self) -> None:
        """Assert every invariant of the EPCM.  Cost: O(pages)."""
        children: dict[int, int] = {}
        for frame, entry in self.epcm.items():
            where = f"frame {frame}: {entry}"
            assert 0 <= frame < self.frames, f"{where}: outside the EPC"
            assert not entry.info.is_misconfigured, f"{where}: writable, not readable"
            assert not (entry.pending and entry.modified), f"{where}: both proposals at once"
            if entry.page_type in (PageType.SECS, PageType.VA):
                assert entry == Entry(entry.page_type), f"{where}: an attribute that only pages of enclaves have"
                continue
            assert entry.secs is not None, f"{where}: belongs to no enclave"
            children[entry.secs] = children.get(entry.secs, 0) + 1
            enclave = self.secs("check", entry.secs)
            assert enclave.contains(entry.address) and is_aligned(entry.address, PAGE), f"{where}: outside ELRANGE"
            assert len(self.data(frame)) == PAGE, f"{where}: not a page of bytes"
            if entry.page_type is not PageType.REG:
                assert entry.rights == Rights.NONE and not entry.pending, f"{where}: reachable"
            if entry.pending or entry.modified or entry.restricted:
                assert enclave.initialised, f"{where}: changed before EINIT"
            assert entry.epoch <= enclave.epoch, f"{where}: from a later epoch"
        for frame, held in self.contents.items():
            assert self.epcm.get(frame) is not None, f"frame {frame} holds something, but is free"
            if isinstance(held, Secs):
                assert held.children == children.get(frame, 0), f"SECS {frame} miscounts its children"
        for thread, inside in self.threads.items():
            enclave = self.secs("check", inside.secs)
            assert enclave.initialised and inside.epoch <= enclave.epoch, f"thread {thread}: {inside}"
        assert len({inside.tcs for _, inside in self.threads.items()}) == len(self.threads), "two threads in one TCS"


class Outcome(NamedTuple):
    """What a leaf did: the machine afterwards, and the error code in RAX. A refused leaf leaves the machine as it was.

    >>> Outcome(Machine(frames=1)).done().frames
    1
    """

    machine: Machine
    code: Code = Code.SUCCESS

    def done(self) -> Machine:
        """The machine, when the leaf succeeded.  Raises RuntimeError with the code otherwise."""
        if self.code is not Code.SUCCESS:
            raise RuntimeError(f"the leaf was refused: {self.code.name} ({self.code.value})")
        return self.machine
