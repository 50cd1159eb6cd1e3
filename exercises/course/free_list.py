"""The promises of step 1: a free list."""

from __future__ import annotations

from types import ModuleType

from exercises.course.client import BASE, SIZE, Client, rule
from exercises.course.promise import BrokenPromise, Promise


def whole_heap(module: ModuleType) -> None:
    """A range is used when it is exactly as long as the block."""
    client = Client(module.Heap)
    client.must_serve(SIZE, f"the heap has {SIZE} bytes and nothing is allocated")
    client.must_refuse(1, "every byte of the heap is allocated")


def refused(module: ModuleType) -> None:
    """Nothing is handed out that is not there."""
    for size in (SIZE + 1, 1 << 40, 2**64 - 8):
        Client(module.Heap).must_refuse(size, f"the heap has no more than {SIZE} bytes")


def used_again(module: ModuleType) -> None:
    """Freed memory comes back."""
    client = Client(module.Heap)
    for _ in range(20):
        block = client.must_serve(SIZE // 2, "no other block is live: what was freed has to be used again")
        client.free(block)
        client.must_not_have_raised()


def gap_stays_free(module: ModuleType) -> None:
    """What an aligned block skips is not lost."""
    client = Client(module.Heap)
    client.must_serve(64, "nothing is allocated")
    at = client.must_serve(1024, "half of the heap is free", alignment=1024)
    if at != BASE + 1024:
        return  # another policy than first fit: then what follows would have another reason
    client.must_serve(2048, "the 2048 bytes behind the aligned block are free")
    client.must_serve(960, "the 960 bytes that the aligned block skipped are free")


def free_null(module: ModuleType) -> None:
    """free(0) does nothing."""
    client = Client(module.Heap)
    block = client.malloc(16)
    client.free(0)
    client.must_not_have_raised()
    if client.malloc(16) == block:
        raise BrokenPromise("After free(0) the live block was handed out again.", client.history())


PROMISES = (
    Promise(
        "aligned",
        "Every block begins at a multiple of 16, or of the alignment asked for.",
        "Round the start of the free range up, `start + -start % alignment`, and the size, too: else the next block "
        "begins at an odd place.",
        rule("result-aligned-fundamental", "result-aligned-as-requested"),
    ),
    Promise(
        "inside",
        "Every block lies wholly inside the heap.",
        "A range (start, end) has room for a block at `address` only if address + length <= end. Test that before you "
        "take it, and try the next range if it does not hold.",
        rule("result-contained"),
    ),
    Promise(
        "apart",
        "No two live blocks share a byte, and what a client writes stays.",
        "When a block is cut from a range, what is left begins where the block *ends*: at address + length, with the "
        "rounded length. A block of 0 bytes needs an address of its own.",
        rule("result-disjoint", "zero-size-distinct", "reuse-only-after-free", "block-keeps-contents"),
    ),
    Promise(
        "large enough",
        "A block has as many usable bytes as were asked for.",
        "Keep the length that the block really has in `lengths`: the size rounded up, never down.",
        rule("usable-at-least-requested", "usable-size-null"),
    ),
    Promise(
        "returns",
        "Every call returns.",
        "0 says that there is no room. Iterate over a copy if you change the list while you go through it.",
        rule("call-returns", "block-accessible", "valid-call-accepted"),
    ),
    Promise(
        "refused",
        "A request that does not fit is refused: malloc returns 0.",
        "Where no range has room the loop ends, and the function returns 0.",
        refused,
    ),
    Promise(
        "whole heap",
        "A request that fits is served, to the last byte.",
        "Off by one? A range fits when address + length <= end, with `<=`: a range may be used up entirely.",
        whole_heap,
    ),
    Promise(
        "used again",
        "Freed memory is handed out again.",
        "free(address) puts (address, address + length) back into `ranges`, and takes the block out of `lengths`.",
        used_again,
    ),
    Promise(
        "gap",
        "What an aligned block skips stays free.",
        "A block in the middle of a range leaves two ranges: (start, address) and (address + length, end).",
        gap_stays_free,
    ),
    Promise("free(0)", "free(0) does nothing.", "0 is the null pointer: return at once.", free_null),
)
