"""Tracking, explored to the end of a bound: no order of steps leaves a thread with a translation it should not have.

One enclave, two threads, one data page. The host proposes, blocks, tracks, evicts and removes at the worst moments; a
thread accepts as soon as it can. What a thread has translated stays in its TLB until it leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from capability.architecture import Access
from capability.fault import Fault
from capability.sgx.accept import eaccept
from capability.sgx.access import Reach, reach
from capability.sgx.augment import emodpr, emodt
from capability.sgx.build import eadd, ecreate, einit, eremove
from capability.sgx.code import Code
from capability.sgx.machine import Machine, Outcome
from capability.sgx.page import PAGE, RW, PageType, Rights, SecInfo
from capability.sgx.paging import eblock, epa, ewb
from capability.sgx.thread import eenter, eexit
from capability.sgx.track import etrack
from tests.capability.sgx.enclaves import BASE, DATA, DATA_AT, SECS, SIZE, maps

TCS, VA = (1, 3), 4
DEPTH = 8


class State(NamedTuple):
    """The machine, and which threads hold a writable translation of the data page."""

    machine: Machine
    tlb: frozenset[int]


def start() -> State:
    machine = ecreate(Machine(5), SECS, BASE, SIZE).done()
    for tcs, address in zip(TCS, (BASE, BASE + 2 * PAGE), strict=True):
        machine = eadd(machine, tcs, SECS, address, SecInfo(PageType.TCS)).done()
    machine = eadd(machine, DATA, SECS, DATA_AT, SecInfo(PageType.REG, RW)).done()
    machine = epa(einit(machine, SECS, machine.secs("", SECS).measurement.hex()).done(), VA).done()
    return State(machine, frozenset())


LEAVES: dict[str, Callable[[Machine], Outcome]] = {
    "trim": lambda m: emodt(m, DATA, PageType.TRIM),
    "restrict": lambda m: emodpr(m, DATA, Rights.R),
    "block": lambda m: eblock(m, DATA),
    "track": lambda m: etrack(m, SECS),
    "evict": lambda m: ewb(m, DATA, VA, 0)[0],
    "remove": lambda m: eremove(m, DATA),
    "accept trim": lambda m: eaccept(m, 1, maps(), DATA_AT, SecInfo(PageType.TRIM, modified=True)),
    "accept restrict": lambda m: eaccept(m, 1, maps(), DATA_AT, SecInfo(PageType.REG, Rights.R, restricted=True)),
}


def successors(state: State) -> list[tuple[str, State]]:
    found = []
    for name, leaf in LEAVES.items():
        try:
            outcome = leaf(state.machine)
        except Fault:
            continue
        if outcome.code is Code.SUCCESS:
            found.append((name, State(outcome.machine, state.tlb)))
    for thread, tcs in enumerate(TCS):
        if state.machine.threads.get(thread) is None:
            found.append((f"enter {thread}", State(eenter(state.machine, thread, tcs).done(), state.tlb)))
            continue
        found.append((f"leave {thread}", State(eexit(state.machine, thread).done(), state.tlb - {thread})))
        try:
            if reach(state.machine, thread, maps(), DATA_AT, Access.STORE) is Reach.EPC:
                found.append((f"touch {thread}", State(state.machine, state.tlb | {thread})))
        except Fault:
            pass
    return found


def is_safe(state: State) -> bool:
    """Who can still write to the frame may do so, or the host's proposal has not been accepted."""
    entry = state.machine.epcm.get(DATA)
    if not state.tlb:
        return True
    return entry is not None and (entry.modified or entry.restricted or entry.rights == RW)


def test_no_translation_outlives_the_page_or_the_right_to_it() -> None:
    seen: dict[State, tuple[str, ...]] = {start(): ()}
    frontier = [start()]
    names = set()
    for _ in range(DEPTH):
        following = []
        for state in frontier:
            for name, after in successors(state):
                names.add(name)
                if after not in seen:
                    seen[after] = (*seen[state], name)
                    assert is_safe(after), " / ".join(seen[after])
                    following.append(after)
        frontier = following
    assert names >= set(LEAVES), "every leaf succeeded somewhere"
    assert len(seen) == 1914, "HOLDS up to this depth, in so many states"
    for state in frontier[:50]:
        state.machine.check()
