"""Enclaves to test with: built, initialised, and with the frames where their parts are."""

from __future__ import annotations

from capability.sgx.access import Translation
from capability.sgx.build import eadd, ecreate, einit
from capability.sgx.machine import Machine
from capability.sgx.page import PAGE, RW, PageType, Rights, SecInfo
from capability.sgx.thread import eenter

BASE, SIZE = 0x100000, 0x8000
SECS, TCS, DATA, FREE = 0, 1, 2, 3
"""Frames of the one enclave that `enclave` builds; from FREE on they are free."""
HEAP = BASE + 0x4000
DATA_AT = BASE + PAGE


def enclave(frames: int = 12, contents: bytes = bytes(PAGE), rights: Rights = RW) -> Machine:
    """An initialised enclave with a TCS at BASE and a REG page at DATA_AT."""
    machine = ecreate(Machine(frames), SECS, BASE, SIZE).done()
    machine = eadd(machine, TCS, SECS, BASE, SecInfo(PageType.TCS)).done()
    machine = eadd(machine, DATA, SECS, DATA_AT, SecInfo(PageType.REG, rights), contents).done()
    return einit(machine, SECS, machine.secs("", SECS).measurement.hex()).done()


def entered(frames: int = 12, contents: bytes = bytes(PAGE), rights: Rights = RW) -> Machine:
    """The same with thread 0 inside."""
    return eenter(enclave(frames, contents, rights), 0, TCS).done()


def maps(heap: int | None = None) -> dict[int, Translation]:
    """A page table with the data page, and at HEAP the frame named."""
    table = {DATA_AT: Translation(DATA)}
    return table if heap is None else table | {HEAP: Translation(heap)}
