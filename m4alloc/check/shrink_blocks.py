"""Shrink a failing plan by whole blocks: a block goes with every operation on it, and the rest keep theirs.

An operation names its block by how young it is among the live ones. Leaving single operations out changes which blocks
all later ones mean; leaving out whole lives does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sortedcontainers import SortedList

from m4alloc.check.operation import Aim, Operation
from spec.event import ALLOCATING, FREEING, RESIZING

Plan = list[Operation]
Owned = tuple[Operation, int]
"""An operation, and the number of the block it is on; -1 where that is none."""


def without_blocks(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """The plan without any block, and all that is done with it, that it still fails without.

    Cost: O(n log n) tests at worst, each of which renames the blocks of the plan, some microseconds an operation.

    >>> from spec.event import Function
    >>> malloc, free = Operation(Function.MALLOC, size=8), Operation(Function.FREE, aim=Aim.LIVE)
    >>> plan = [malloc._replace(size=n) for n in range(9)] + [free] * 9
    >>> [step.size for step in without_blocks(plan, lambda kept: any(step.size == 7 for step in kept))]
    [7, 0]
    """
    owned = owners(plan)
    blocks = list(dict.fromkeys(block for _, block in owned if block >= 0))
    length = len(blocks)
    while length > 0:
        end = len(blocks)
        while end > 0:
            start = max(end - length, 0)
            gone = set(blocks[start:end])
            fewer = [pair for pair in owned if pair[1] not in gone]
            if fails(named(fewer)):
                owned = fewer
                del blocks[start:end]
            end = start
        length = min(length // 2, len(blocks))
    return named(owned)


def owners(plan: Sequence[Operation]) -> list[Owned]:
    """The block of each operation, numbered by when it was asked for. Cost: O(live blocks) an operation.

    >>> from spec.event import Function
    >>> malloc, free = Operation(Function.MALLOC), Operation(Function.FREE, aim=Aim.LIVE)
    >>> [block for _, block in owners([malloc, malloc, free, free])]
    [0, 1, 1, 0]
    """
    live: list[int] = []
    made = 0
    found: list[Owned] = []
    for step in plan:
        function, aim = step.function, step.aim
        block = -1
        if aim is Aim.NULL and (function in ALLOCATING or function in RESIZING):
            block = made
            live.append(block)
            made += 1
        elif aim in (Aim.LIVE, Aim.INSIDE) and live:
            place = len(live) - 1 - step.block % len(live)
            block = live[place]
            if aim is Aim.LIVE and function in FREEING:
                del live[place]
            elif aim is Aim.LIVE and function in RESIZING:
                live.append(live.pop(place))
        found.append((step, block))
    return found


def named(owned: Iterable[Owned]) -> Plan:
    """The operations with their blocks named anew, each by how young it is. Cost: O(log live blocks) an operation."""
    live: SortedList[int] = SortedList()  # the live blocks by when they last became the youngest
    since: dict[int, int] = {}
    plan: Plan = []
    for time, (step, block) in enumerate(owned):
        function, aim = step.function, step.aim
        if block < 0:
            plan.append(step)
        elif aim is Aim.NULL:
            since[block] = time
            live.add(time)
            plan.append(step)
        elif block in since:
            plan.append(step._replace(block=len(live) - 1 - live.index(since[block])))
            if aim is Aim.LIVE and (function in FREEING or function in RESIZING):
                live.remove(since.pop(block))
                if function in RESIZING:
                    since[block] = time
                    live.add(time)
    return plan
