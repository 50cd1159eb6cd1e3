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
    Client(module.Heap).must_serve(0, "it is a block like any other, with an address of its own", hint=_EMPTY)


def refused(module: ModuleType) -> None:
    """Nothing is handed out that is not there."""
    for size in (SIZE + 1, 1 << 40, 2**64 - 8):
        Client(module.Heap).must_refuse(size, f"the heap has no more than {SIZE} bytes")


def used_again(module: ModuleType) -> None:
    """Freed memory comes back, all of it: blocks of every length, wherever they lie, in whatever order."""
    none_live = "no other block is live: what was freed has to be used again"
    for size in (SIZE // 2, SIZE, 1001):
        client = Client(module.Heap)
        for _ in range(5):
            client.free(client.must_serve(size, none_live))
            client.must_not_have_raised()
    for size in (SIZE // 4, SIZE // 16):
        for order in ORDERS:
            client = Client(module.Heap)
            for _ in range(2):
                because = "the heap was full of such blocks, and all of them were freed"
                blocks = [client.must_serve(size, because) for _ in range(SIZE // size)]
                for block in blocks[order]:
                    client.free(block)
                    client.must_not_have_raised()
    for size in (0, 17):
        client = Client(module.Heap, size=64)
        block = client.malloc(size)  # refused: this heap's blocks are longer than 64 bytes
        for _ in range(5 if block else 0):
            client.free(block)
            client.must_not_have_raised()
            block = client.must_serve(size, none_live)


def gap_stays_free(module: ModuleType) -> None:
    """What an aligned block skips is not lost: in one piece, or in pieces, as a buddy system has it."""
    client = Client(module.Heap)
    client.must_serve(64, "nothing is allocated")
    at = client.must_serve(1024, "half of the heap is free", alignment=1024)
    if at != BASE + 1024:
        return  # another policy than first fit: then what follows would have another reason
    client.must_serve(2048, "the 2048 bytes behind the aligned block are free")
    if client.malloc(960):
        return
    for size in (512, 256, 128, 64):
        client.must_serve(size, "the 960 bytes that the aligned block skipped are free")


def free_null(module: ModuleType) -> None:
    """free(0) does nothing."""
    client = Client(module.Heap, size=64)
    client.must_serve(16, "nothing is allocated")
    client.free(0)
    client.must_not_have_raised()
    while client.malloc(16) and not client.found:
        pass
    over = client.found.get("result-disjoint") or client.found.get("reuse-only-after-free")
    if over:
        raise BrokenPromise(f"After free(0) a live block was handed out again. {over[0]}", client.history())


ORDERS = (slice(None), slice(None, None, -1))
"""In which order blocks are freed: the oldest first, the youngest first."""
_EMPTY = "Round a size of 0 up to one unit, `max(..., UNIT)`: then nothing else has to know of it."


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
        "Three ways lead here. A cut: what is left begins where the block *ends*, at address + length, with the "
        "rounded length, and a block of 0 bytes is one unit long. A look at the room from `start`, when the block is "
        "to begin later, at `address`. Or a free that put back more than the block, or the block twice.",
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
