"""Threads in enclaves: EENTER and EEXIT."""

from __future__ import annotations

from dataclasses import replace

from capability.sgx.build import initialised
from capability.sgx.code import bad_page, general_protection
from capability.sgx.machine import Inside, Machine, Outcome
from capability.sgx.page import PageType


def eenter(machine: Machine, thread: int, tcs: int) -> Outcome:
    """Let a thread into the enclave through a TCS that no other thread is using.

    thread: a number of the caller's choosing, at least 0; the thread must be outside. tcs: the frame.
    Raises Fault: #GP; #PF for a TCS that is not valid, or blocked, pending or modified.  Source: SDM, EENTER.
    """
    if thread < 0 or machine.threads.get(thread) is not None:
        raise general_protection("EENTER", f"thread {thread} is in an enclave, or no number from 0 on")
    entry = machine.valid("EENTER", tcs, PageType.TCS)
    if not entry.is_settled:
        raise bad_page("EENTER", tcs, "is blocked, pending or modified")
    assert entry.secs is not None
    enclave = initialised(machine, "EENTER", entry.secs)
    if any(inside.tcs == tcs for _, inside in machine.threads.items()):
        raise general_protection("EENTER", f"the TCS in frame {tcs} is in use")
    return Outcome(replace(machine, threads=machine.threads.put(thread, Inside(entry.secs, tcs, enclave.epoch))))


def eexit(machine: Machine, thread: int) -> Outcome:
    """Let a thread out; so does an interrupt (AEX). Its translations of enclave addresses are gone with that.

    Raises Fault: #GP for a thread outside.  Source: SDM, EEXIT; "Asynchronous Enclave Exit".
    """
    machine.active("EEXIT", thread)
    return Outcome(replace(machine, threads=machine.threads.drop(thread)))
