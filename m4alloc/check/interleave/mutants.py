"""Nineteen seeded faults of concurrency, and the scenario that must show each: who tests the checker.

Each is a macro, M4_ORDER_FAULT=n, that weakens one memory order or swaps two steps of the core.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One seeded fault: its number, what it does, the scenario that shows it, and the bounds that suffice there."""

    number: int
    name: str
    scenario: str
    bound: int
    stale: int


MUTANTS = (
    Mutant(1, "a state is exchanged by a load and a store", "two-remote", 1, 0),
    Mutant(2, "release dropped: a count of remote frees is raised", "drain", 1, 0),
    Mutant(3, "acquire dropped: a drain lowers the count", "drain", 1, 0),
    Mutant(4, "release dropped: the process's arena is open", "first-call", 0, 0),
    Mutant(5, "acquire and release dropped: a drain takes the list", "two-slabs", 0, 1),
    Mutant(6, "release dropped: a thread has set the states it counted", "drain", 2, 1),
    Mutant(7, "acquire and release dropped: a slab is put on its owner's list", "drain", 0, 0),
    Mutant(8, "release dropped: the lock is released", "lock", 0, 0),
    Mutant(9, "who waits for the lock does not say so", "lock", 1, 0),
    Mutant(10, "a slab is put on the list by a plain store", "two-slabs", 1, 0),
    Mutant(11, "the count is raised after the states are set", "drain", 1, 0),
    Mutant(12, "a drain forgets a slab with frees still to come", "drain", 1, 0),
    Mutant(13, "a drain reads the link after the count is lowered", "dissolve", 0, 0),
    Mutant(14, "a thread says that it has published before it has", "drain", 1, 0),
    Mutant(15, "a slab is dissolved with frees still counted", "freed-twice-flushed", 1, 0),
    Mutant(16, "a thread trusts that a slab has not been dissolved", "freed-twice-dissolved", 1, 1),
    Mutant(17, "an exiting thread lists its heap before it is done with it", "owner-exits", 0, 0),
    Mutant(18, "a forked child trusts the stacks of vanished threads", "fork-mid-push", 1, 0),
    Mutant(19, "a forked child trusts half-written entries of delay lines", "fork-mid-push", 1, 0),
)
"""The numbers are those of M4_ORDER_FAULT in m4alloc/_atomics.h and m4alloc/_core/fault.pxd."""
