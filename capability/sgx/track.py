"""ETRACK, and the epochs by which the processor knows that no thread has an old translation.

A page table entry can be changed under a thread whose TLB still holds the old one. A thread that leaves the enclave
loses its translations; so a page is safe once an ETRACK came after the change, and every thread that was inside
before that ETRACK has left.
"""

from __future__ import annotations

from dataclasses import replace

from capability.sgx.build import initialised
from capability.sgx.code import Code
from capability.sgx.machine import Machine, Outcome
from capability.sgx.page import Entry


def etrack(machine: Machine, secs: int) -> Outcome:
    """Begin a new epoch of the enclave.

    SGX_PREV_TRK_INCMPL: a thread is inside since an earlier epoch than the present one.  Raises Fault: #GP before
    EINIT, #PF.  Source: SDM, ETRACK (a leaf of the host).
    """
    enclave = initialised(machine, "ETRACK", secs)
    if any(inside.secs == secs and inside.epoch < enclave.epoch for _, inside in machine.threads.items()):
        return Outcome(machine, Code.SGX_PREV_TRK_INCMPL)
    return Outcome(machine.with_contents(secs, replace(enclave, epoch=enclave.epoch + 1)))


def is_tracked(machine: Machine, entry: Entry) -> bool:
    """No thread can have a translation from before the page was changed.  Cost: O(threads)."""
    if machine.owner("tracking", entry).epoch <= entry.epoch:
        return False
    inside = (inside for _, inside in machine.threads.items() if inside.secs == entry.secs)
    return all(thread.epoch > entry.epoch for thread in inside)
