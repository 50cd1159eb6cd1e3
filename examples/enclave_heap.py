"""An enclave heap grows, gives pages back, and meets a host that does not play by the rules.

Run it: python examples/enclave_heap.py
"""

from __future__ import annotations

from capability.architecture import Access
from capability.fault import Fault
from capability.sgx import picture
from capability.sgx.accept import eaccept
from capability.sgx.access import Translation, reach
from capability.sgx.augment import eaug
from capability.sgx.heap import SECS, THREAD, DoubleCommitError, EnclaveHeap
from capability.sgx.page import PAGE, RW, PageType, SecInfo

BASE, TOP = 0x10000, 0x18000
PENDING = SecInfo(PageType.REG, RW, pending=True)


def grow_and_trim(heap: EnclaveHeap) -> None:
    """Three pages come; the middle one goes, and its frame is free for anybody."""
    heap.commit(range(BASE, BASE + 3 * PAGE, PAGE))
    print(picture.text(heap.machine))
    heap.trim([BASE + PAGE])
    print("after the trim of the middle page:")
    print(picture.text(heap.machine))


def swap(heap: EnclaveHeap) -> None:
    """The host exchanges two translations: the EPCM knows where each page belongs."""
    first, last = heap.table[BASE], heap.table[BASE + 2 * PAGE]
    swapped = {BASE: last, BASE + 2 * PAGE: first}
    try:
        reach(heap.machine, THREAD, swapped, BASE, Access.LOAD)
    except Fault as fault:
        print(f"two pages exchanged:     {fault}")


def peek(heap: EnclaveHeap) -> None:
    """The host reads an enclave page: ones, and no fault that would tell it anything."""
    outsider = THREAD + 1
    print(f"the host reads a page:   {reach(heap.machine, outsider, heap.table, BASE, Access.LOAD).value}")


def double(heap: EnclaveHeap) -> None:
    """The host adds a second page where one is. The processor would let the enclave accept it; the heap does not."""
    spare = 9
    machine = eaug(heap.machine, spare, SECS, BASE).done()
    code = eaccept(machine, THREAD, heap.table | {BASE: Translation(spare)}, BASE, PENDING).code
    print(f"a second page, accepted: {code.name} says the processor")
    try:
        heap.commit([BASE])
    except DoubleCommitError as error:
        print(f"the heap's own check:    {error}")


def main() -> None:
    """Build the enclave, then the four scenes."""
    heap = EnclaveHeap()
    heap.build(BASE, TOP)
    for scene in (grow_and_trim, swap, peek, double):
        scene(heap)
    heap.machine.check()


if __name__ == "__main__":
    main()
