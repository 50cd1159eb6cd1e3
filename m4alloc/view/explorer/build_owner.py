"""Which block an access or a misuse was about: the one that was live there, else the last that had been."""

from __future__ import annotations

import numpy as np
from sortedcontainers import SortedDict

from m4alloc.check.lives import Booleans, Integers
from m4alloc.view.explorer.build_columns import Columns


def owners(
    columns: Columns, base: Integers, usable: Integers, born: Integers, died: Integers, block: Integers
) -> tuple[Integers, Integers]:
    """`block` completed for the events that neither hand out nor give up, and each one's offset from the block's base.

    block: of each event the block that it handed out or gave up, else -1.
    Cost: O(n log n); what names no live block's base takes some microseconds an event, and as much for each block
    that lay there.
    """
    offset = np.zeros(len(columns), np.int64)
    wanted = np.flatnonzero((block < 0) & (columns.address > 0))
    if not len(wanted) or not len(base):
        return block, offset
    asked = columns.address[wanted]
    found = _named(asked, wanted, base, born, died)
    rest = np.flatnonzero(found < 0)
    if len(rest):
        near = np.flatnonzero(_holds_any(base, usable, asked[rest]))
        swept = _sweep(asked[rest], wanted[rest], base[near], usable[near], born[near], died[near])
        found[rest] = np.where(swept >= 0, near[swept] if len(near) else -1, -1)
    block = block.copy()
    block[wanted] = found
    hit = found >= 0
    offset[wanted[hit]] = asked[hit] - base[found[hit]]
    return block, offset


def _named(addresses: Integers, at: Integers, base: Integers, born: Integers, died: Integers) -> Integers:
    """The blocks that live at those events and begin at those addresses; -1 for none."""
    order = np.lexsort((born, base))
    bases = np.unique(base)
    width = int(max(born.max(), at.max())) + 3
    keys = np.searchsorted(bases, base[order]) * width + born[order] + 1
    place = np.minimum(np.searchsorted(bases, addresses), len(bases) - 1)
    # The last that was born there before the event.
    last = np.searchsorted(keys, place * width + at, side="right") - 1
    found = order[np.maximum(last, 0)]
    lives = (last >= 0) & (base[found] == addresses) & (born[found] < at) & (died[found] >= at)
    return np.where(lives, found, -1)


def _holds_any(base: Integers, usable: Integers, addresses: Integers) -> Booleans:
    """Which blocks hold any of the addresses."""
    points = np.unique(addresses)
    held: Booleans = np.searchsorted(points, base) < np.searchsorted(points, base + usable)
    return held


def _sweep(
    addresses: Integers, at: Integers, base: Integers, usable: Integers, born: Integers, died: Integers
) -> Integers:
    """One pass over births, deaths and questions; live bases are kept in order, and the last grave of each base."""
    count = len(base)
    when = np.concatenate((born, died, at))
    # At one event a question is asked before a death, and a death comes before a birth: the call names what was there.
    rank = np.concatenate((np.full(count, 2), np.full(count, 1), np.zeros(len(at), np.int64)))
    who = np.concatenate((np.arange(count), np.arange(count), np.arange(len(at))))
    order = np.lexsort((rank, when))
    brief = set(np.flatnonzero(died <= born).tolist())  # overwritten as they began: dead at once
    live: SortedDict[int, int] = SortedDict()
    dead: SortedDict[int, int] = SortedDict()
    answer = np.full(len(at), -1, np.int64)
    starts, lengths, asked = base.tolist(), usable.tolist(), addresses.tolist()
    for kind, index in zip(rank[order].tolist(), who[order].tolist(), strict=True):
        if kind == 2:
            if index not in brief:
                live[starts[index]] = index
        elif kind == 1:
            if live.get(starts[index]) == index:
                del live[starts[index]]
            dead[starts[index]] = index
        else:
            found = _at(asked[index], live, starts, lengths)
            answer[index] = found if found >= 0 else _last(asked[index], dead, starts, lengths, died)
    return answer


def _at(address: int, blocks: SortedDict[int, int], starts: list[int], lengths: list[int]) -> int:
    """The block that holds the address, among those by base; -1 for none."""
    for base in blocks.irange(None, address, reverse=True):
        index: int = blocks[base]
        return index if address < starts[index] + lengths[index] else -1
    return -1


def _last(address: int, dead: SortedDict[int, int], starts: list[int], lengths: list[int], died: Integers) -> int:
    """The block that died last of those that held the address; -1 for none.  Graves overlap, so all below are asked."""
    exact = dead.get(address)
    if exact is not None:
        return int(exact)
    held = [dead[base] for base in dead.irange(None, address) if address < starts[dead[base]] + lengths[dead[base]]]
    return max(held, key=lambda index: int(died[index]), default=-1)
