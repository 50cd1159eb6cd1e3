"""EnclaveHeap: an enclave whose heap grows by EAUG and EACCEPT, and gives pages back by trimming.

The host and the enclave are both here, and both are honest: the host does what it is asked, and the enclave never
accepts a page that it already has. That last check is all that keeps a dishonest host from giving it two pages for
one address, in turn.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from capability.sgx.accept import eaccept
from capability.sgx.access import Translation
from capability.sgx.augment import eaug, emodt
from capability.sgx.build import eadd, ecreate, einit, eremove
from capability.sgx.machine import Machine
from capability.sgx.page import PAGE, RW, PageType, SecInfo
from capability.sgx.thread import eenter, eexit
from capability.sgx.track import etrack

SECS, TCS, THREAD = 0, 1, 0
"""The frames of the enclave's two control pages, and the number of its one thread."""
_EPC = 1 << 40
_PENDING = SecInfo(PageType.REG, RW, pending=True)
_TRIMMED = SecInfo(PageType.TRIM, modified=True)


class DoubleCommitError(Exception):
    """The enclave was asked to accept a page at an address where it has one."""


class EnclaveHeap:
    """Which pages the heap has, and the machine they are in. The host pages as it likes, so the EPC is never full.

    >>> heap = EnclaveHeap()
    >>> heap.build(0x10000, 0x20000)
    >>> heap.commit([0x10000, 0x11000])
    >>> heap.trim([0x10000])
    >>> heap.is_committed(0x10000), heap.is_committed(0x11000)
    (False, True)
    """

    __slots__ = ("_free", "_next", "machine", "table")

    def __init__(self) -> None:
        self.machine = Machine(_EPC)
        self.table: dict[int, Translation] = {}
        self._free: list[int] = []
        self._next = TCS + 1

    @property
    def is_built(self) -> bool:
        """There is an enclave, and the thread is in it."""
        return self.machine.threads.get(THREAD) is not None

    def build(self, base: int, top: int) -> None:
        """Make an enclave whose range covers [base, top) and a control page, and enter it.

        The range of an enclave is a power of two and a multiple of itself, so it may reach further on both sides.
        Raises Fault OPERAND where no range below 2**64 covers it.  Source: the order of SDM, "Creating an Enclave".
        """
        size = 2 * PAGE
        while not _covers(base, top, size):
            size *= 2
        start = base & -size
        machine = ecreate(self.machine, SECS, start, size).done()
        control = start if start + PAGE <= base else start + size - PAGE
        machine = eadd(machine, TCS, SECS, control, SecInfo(PageType.TCS)).done()
        machine = einit(machine, SECS, machine.secs("EINIT", SECS).measurement.hex()).done()
        self.machine = eenter(machine, THREAD, TCS).done()

    def is_committed(self, page: int) -> bool:
        """The enclave has a page at this address: it accepted one, and did not give it back.  Cost: O(1)."""
        return page in self.table

    def commit(self, pages: Iterable[int]) -> None:
        """For each page: the host adds it (EAUG) and maps it, the enclave accepts it (EACCEPT). They are zero.

        pages: addresses, multiples of 4096 in the enclave's range.  Raises DoubleCommitError; Fault.
        Cost: O(log n) a page.
        """
        for page in pages:
            if page in self.table:
                raise DoubleCommitError(f"the page at {page:#x} is committed: accepting another there would swap it")
            frame = self._take_frame()
            self.machine = eaug(self.machine, frame, SECS, page).done()
            self.table[page] = Translation(frame, RW)
            self.machine = eaccept(self.machine, THREAD, self.table, page, _PENDING).done()

    def trim(self, pages: Iterable[int]) -> None:
        """Give pages back, all in one go: EMODT, ETRACK, leave and re-enter, EACCEPT, EREMOVE.

        The enclave's EACCEPT is its consent: without it, EREMOVE would be refused while a thread is inside.
        pages: committed.  Cost: O(log n) a page.  Source: SDM, "Trimming a Page".
        """
        going = list(pages)
        for page in going:
            self.machine = emodt(self.machine, self._frame(page), PageType.TRIM).done()
        self.machine = etrack(self.machine, SECS).done()
        self.machine = eenter(eexit(self.machine, THREAD).done(), THREAD, TCS).done()
        for page in going:
            self.machine = eaccept(self.machine, THREAD, self.table, page, _TRIMMED).done()
        for page in going:
            frame = self._frame(page)
            self.machine = eremove(self.machine, frame).done()
            del self.table[page]
            self._free.append(frame)

    def copy(self) -> EnclaveHeap:
        """An independent copy.  Cost: O(pages)."""
        twin = EnclaveHeap()
        twin.machine, twin.table = self.machine, dict(self.table)
        twin._free, twin._next = list(self._free), self._next
        return twin

    def key(self) -> Hashable:
        """The pages committed: which frames they are in, and what was before, nobody inside can tell."""
        return frozenset(self.table)

    def _frame(self, page: int) -> int:
        frame = self.table[page].frame
        assert frame is not None
        return frame

    def _take_frame(self) -> int:
        if self._free:
            return self._free.pop()
        self._next += 1
        return self._next - 1


def _covers(base: int, top: int, size: int) -> bool:
    """A naturally aligned range of this size holds [base, top) and a page more."""
    start = base & -size
    return top <= start + size and (start + PAGE <= base or top + PAGE <= start + size)
