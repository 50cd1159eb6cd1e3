"""Four placement policies meet the same program, and fragment its memory differently.

You learn where fragmentation comes from: inside blocks (rounding) and between them (holes too small for what is asked),
and that a policy is two small functions. The program keeps long-lived small blocks among short-lived large ones.
Run it: python examples/policies_compared.py
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from spec.allocator import ReferenceAllocator
from spec.event import Event, Function
from spec.free import FreeRanges
from spec.policy import BestFit, FirstFit, Policy, SegregatedSizeClasses

ROUNDS = 1500
CAPACITY, BASE = 1 << 19, 1 << 20


@dataclass(frozen=True)
class WorstFit(FirstFit):
    """The longest free range, "because what is left of it is still useful". Is it?"""

    def place(self, free: FreeRanges, usable: int, alignment: int) -> int | None:
        """Its start; aligned requests are left to first fit."""
        longest = max(free, key=lambda found: found.top - found.base, default=None)
        fits = longest is not None and longest.top - longest.base >= usable and longest.base % alignment == 0
        return longest.base if longest and fits else super().place(free, usable, alignment)


def run(policy: Policy) -> str:
    """The program on one policy: where its highest byte lay, and what is wasted after the last round."""
    draw = random.Random(1)
    heap = ReferenceAllocator(policy, capacity=CAPACITY, base=BASE)
    live: list[tuple[int, int]] = []  # (dies in this round, address)
    top = refused = 0
    for now in range(ROUNDS):
        while live and live[0][0] <= now:
            heap.request(Event(Function.FREE, address=live.pop(0)[1]))
        small = draw.random() < 0.7
        size = draw.randrange(16, 200) if small else draw.randrange(500, 5000)
        reply = heap.request(Event(Function.MALLOC, size=size))
        refused += not reply.result
        if reply.result:
            live.append((now + draw.randrange(1, 900 if small else 60), reply.result))
            live.sort()
            top = max(top, reply.result + reply.usable - BASE)
    asked = sum(block.size for block in heap.heap.live.values())
    given = sum(block.usable for block in heap.heap.live.values())
    ranges = [found.top - found.base for found in heap.free]
    inside = 1 - asked / given
    between = 1 - max(ranges) / sum(ranges)
    name = type(policy).__name__
    return f"{name:22} {top:>9,} {inside:>8.1%} {between:>9.1%} {len(ranges):>7,} {refused:>8,}"


def main() -> None:
    """One line a policy."""
    print(f"{'policy':22} {'highest':>9} {'inside':>8} {'between':>9} {'ranges':>7} {'refused':>8}")
    for policy in (FirstFit(), BestFit(), WorstFit(), SegregatedSizeClasses()):
        print(run(policy))
    print("highest: bytes from the start of the arena to the highest byte ever used")
    print("inside:  share of live blocks that nobody asked for; between: share of free memory not in the longest range")


if __name__ == "__main__":
    main()
