"""The promises of step 1: a free list."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from exercises.course.client import BASE, SIZE, Client, rule
from exercises.course.promise import BrokenPromise, Promise


def aligned(module: ModuleType) -> None:
    """Addresses are multiples: in the plans, and where the heap's own base is no multiple of the alignment."""
    _ALIGNED_RULES(module)
    client = Client(module.Heap, base=BASE + 4096, size=4 * SIZE)
    address = client.must_serve(16, "nothing is allocated", alignment=8192)
    if address % 8192:
        what = (
            f"The heap begins at {BASE + 4096:#x}; aligned_alloc(8192, 16) returned {address:#x}, no multiple of 8192."
        )
        raise BrokenPromise(what, client.history(), _ABSOLUTE)


def whole_heap(module: ModuleType) -> None:
    """A range is used when it is exactly as long as the block."""
    client = Client(module.Heap)
    client.must_serve(SIZE, f"the heap has {SIZE} bytes and nothing is allocated", hint=_HEADER)
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
    for size in (SIZE // 4, SIZE // 16, 64, 16):
        for order in ORDERS:
            client = Client(module.Heap)
            blocks = filled(client, size)
            for _ in range(2):
                for block in blocks[order]:
                    client.free(block)
                    client.must_not_have_raised()
                because = f"the heap was full of {len(blocks)} such blocks, and all of them were freed"
                blocks = [client.must_serve(size, because) for _ in blocks]
    client = Client(module.Heap)
    client.free(client.must_serve(SIZE, "nothing is allocated"))
    client.must_not_have_raised()
    for _ in range(4):
        client.must_serve(SIZE // 4, f"{SIZE} bytes were freed in one piece: cut what is needed from it", hint=_CUT)
    for size in (0, 17):
        client = Client(module.Heap, size=64)
        block = client.malloc(size)  # refused: this heap's blocks are longer than 64 bytes
        for _ in range(5 if block else 0):
            client.free(block)
            client.must_not_have_raised()
            block = client.must_serve(size, none_live)


def next_range(module: ModuleType) -> None:
    """A range that is long enough, and has no room at an aligned address, is passed over."""
    client = Client(module.Heap)
    client.must_serve(16, "nothing is allocated")
    block = client.must_serve(64, "most of the heap is free")
    client.must_serve(16, "most of the heap is free")
    client.free(block)
    client.must_not_have_raised()
    client.must_serve(64, f"no more than two blocks of 16 bytes are live, of {SIZE} bytes", alignment=64)


def filled(client: Client, size: int) -> list[int]:
    """Blocks of this size, until there is no more room, or more than there can be."""
    blocks: list[int] = []
    while len(blocks) <= SIZE // size and (block := client.malloc(size)):
        blocks.append(block)
    client.must_not_have_raised()
    return blocks


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


def rest_stays_free(module: ModuleType) -> None:
    """Of a range that is cut, the smallest rest is not lost: it can be had, or comes back with the block."""
    for alignment, size in ((0, SIZE - 16), (0, SIZE - 48), (0, SIZE - 112), (0, 16), (0, 48), (256, 48), (1024, 16)):
        client = Client(module.Heap)
        block = client.must_serve(size, "nothing is allocated", alignment=alignment)
        short = missing(client, SIZE - size)
        if block == BASE and short:  # else another policy than first fit, which leaves a rest on either side
            client.free(block)
            client.must_not_have_raised()
            client.must_serve(size + short, _WHOLE.format(short))
    client = Client(module.Heap)
    first, block = client.malloc(16), client.aligned_alloc(64, 64)
    if (first, block, client.malloc(SIZE - 128)) != (BASE, BASE + 64, BASE + 128):
        return
    short = missing(client, 48)
    if short:
        client.free(first)
        if not client.malloc(16 + short):
            client.free(block)
            client.must_serve(64 + short, _WHOLE.format(short))


def missing(client: Client, size: int) -> int:
    """Take what is free: `size` bytes in one piece, or in powers of two. The first of these refused; 0 if none is."""
    if client.malloc(size):
        return 0
    client.must_not_have_raised()
    for exponent in range(11, 3, -1):
        if size & 1 << exponent and not client.malloc(1 << exponent):
            return 1 << exponent
    return 0


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
_ALIGNED_RULES: Callable[[ModuleType], None] = rule("result-aligned-fundamental", "result-aligned-as-requested")
_ABSOLUTE = "The address itself is the multiple, not its distance from the heap's beginning."
_HEADER = (
    "Off by one? A range fits when address + length <= end, with `<=`: a range may be used up entirely. And nothing is "
    "stored in the memory: a block needs no room for a header, and no byte more than its size, rounded up to 16."
)
_CUT = (
    "A freed range serves any request that fits into it: it is cut, as the heap was at first. Lists for blocks of one "
    "length, from which only that length is served, keep what they were given once for ever."
)
_WHOLE = (
    "so many bytes lay side by side before a was cut from them, and a is freed: {} of them are in no range, and with "
    "no block; they are lost"
)
_EMPTY = "Round a size of 0 up to one unit, `max(..., UNIT)`: then nothing else has to know of it."


PROMISES = (
    Promise(
        "aligned",
        "Every block begins at a multiple of 16, or of the alignment asked for.",
        "Round the start of the free range up, `start + -start % alignment`, and the size, too: else the next block "
        "begins at an odd place.",
        aligned,
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
        "next range",
        "A range that has no room at the right place is passed over; the next one may have it.",
        "A range that is long enough may have no room at a multiple of the alignment. In each range work out the "
        "address first, ask whether address + length <= end, and if not, go on to the next range.",
        next_range,
    ),
    Promise(
        "gap",
        "What an aligned block skips stays free.",
        "A block in the middle of a range leaves two ranges: (start, address) and (address + length, end).",
        gap_stays_free,
    ),
    Promise(
        "rest",
        "What a cut leaves of a range stays free, however little it is.",
        "Heaps that keep links inside free blocks have a least size for them. Yours keeps its list beside the memory: "
        "put back every rest, if it is 16 bytes long. Or leave it with the block, and let `lengths` say how long that "
        "is, so that free brings all of it back.",
        rest_stays_free,
    ),
    Promise("free(0)", "free(0) does nothing.", "0 is the null pointer: return at once.", free_null),
)
