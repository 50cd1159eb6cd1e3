"""Figures of the chapters on promises, on one malloc and on the core; lengths and orders are asked of the code."""

from __future__ import annotations

from docs.figures import figure
from docs.figures_hardware_draw import arrow, cell, words
from m4alloc.strategy import Strategy
from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, path, picture
from spec.allocator import ReferenceAllocator
from spec.event import Event, Function
from spec.policy import FirstFit


def middle(text: str, x: float, y: float, *, size: float = 12, **more: str) -> Element:
    """A line of text around a place."""
    return words(text, x, y, anchor="middle", size=size, **more)


@figure("acceptor")
def acceptor() -> Element:
    """Who asks, who answers, who judges."""
    parts: list[Child] = [
        *cell(10, 30, 130, 56, "client", "series-1"),
        *cell(310, 30, 150, 56, "any allocator", "series-3"),
        *arrow([(140, 46), (310, 46)]),
        middle("malloc(24)", 225, 39),
        *arrow([(310, 72), (140, 72)]),
        middle("0x1000", 225, 89),
        *cell(310, 140, 150, 60, "", "accent"),
        middle("acceptor", 385, 165),
        middle("holds the abstract heap", 385, 184, size=11, class_="muted"),
        *arrow([(225, 98), (225, 170), (310, 170)]),
        words("the event:", 216, 130, anchor="end", size=11, class_="muted"),
        words("request and reply", 216, 146, anchor="end", size=11, class_="muted"),
        *arrow([(460, 158), (560, 158)], role="good"),
        words("admitted: the reply is now the truth", 566, 152, size=11),
        words("the heap steps", 566, 166, size=11, class_="muted"),
        *arrow([(460, 186), (560, 186)], role="bad"),
        words("refused: the name of the rule that broke,", 566, 186, size=11),
        words("its sentence and its source", 566, 200, size=11, class_="muted"),
    ]
    return picture(parts, 810, 214, "A client, any allocator, and the acceptor that judges each reply")


@figure("malloc-layers")
def malloc_layers() -> Element:
    """Region, units, slab, slots; and what lies apart from them."""
    slot = next(size for size in Strategy.default().classes if size >= 100)
    slots = 65536 // slot
    parts: list[Child] = [
        middle("what the program's pointers lead to", 250, 16, size=12, class_="muted"),
        middle("what only the allocator reaches", 660, 16, size=12, class_="muted"),
        words("region: reserved by mmap, opened from the left by mprotect", 20, 42),
    ]
    for unit in range(8):
        label = "unit" if unit < 3 else "closed" if unit > 4 else ""
        parts += cell(20 + unit * 58, 50, 58, 34, label, "series-1", dashed=unit > 4)
    parts += [
        words("slab: one unit of 64 KiB, cut into slots", 20, 124),
        path([(20, 84), (20, 134)], stroke=variable("line"), fill="none"),
        path([(78, 84), (484, 134)], stroke=variable("line"), fill="none"),
    ]
    for index in range(8):
        label = "p" if index == 0 else "…" if index == 6 else ""
        parts += cell(20 + index * 58, 134, 58, 34, label, "group-3" if index == 0 else "series-4")
    parts += [
        middle(f"{slots} slots of {slot} bytes, no header between them", 250, 188, size=11, class_="muted"),
        *cell(560, 50, 200, 34, "a record a unit", "series-3"),
        *arrow([(484, 67), (560, 67)], dashed=True),
        middle("address >> 16", 522, 40, size=11, class_="muted"),
        *cell(560, 134, 200, 34, "a state byte a slot", "accent"),
        *arrow([(660, 84), (660, 134)]),
        words("start, 1/size, owner, states", 652, 113, anchor="end", size=11, class_="muted"),
        *cell(560, 204, 200, 34, "a stack of slots at hand", "accent"),
        *arrow([(560, 221), (49, 221), (49, 168)], role="accent"),
        middle("malloc takes the top: one address, one state", 300, 214, size=11),
        *arrow([(660, 204), (660, 168)], role="accent"),
    ]
    return picture(parts, 800, 250, "From a region of address space to one slot, and the records beside it")


@figure("slot-states")
def slot_states() -> Element:
    """The states of a slot and what leads from one to the next."""
    at = {"FREE": (20, 40), "CACHED": (210, 40), "LIVE": (430, 40), "DELAYED": (430, 150), "REMOTE": (210, 150)}
    parts: list[Child] = [
        part
        for name, (x, y) in at.items()
        for part in cell(x, y, 120, 44, name, "series-1" if name == "LIVE" else "accent")
    ]
    parts += [
        middle("in its slab", 80, 100, size=11, class_="muted"),
        middle("at hand, or in the delay line", 290, 104, size=11, class_="muted"),
        words("the program's", 560, 66, size=11, class_="muted"),
        *arrow([(140, 54), (210, 54)]),
        middle("refill", 175, 47, size=11),
        *arrow([(210, 72), (140, 72)]),
        middle("flush", 168, 88, size=11),
        *arrow([(330, 54), (430, 54)]),
        middle("malloc", 380, 47, size=11),
        *arrow([(430, 72), (330, 72)]),
        middle("free", 380, 88, size=11),
        *arrow([(490, 84), (490, 150)], dashed=True),
        words("free by another thread", 498, 122, size=11),
        *arrow([(430, 172), (330, 172)], dashed=True),
        middle("its batch leaves", 380, 166, size=11),
        *arrow([(210, 172), (80, 172), (80, 106)]),
        middle("the owner collects", 130, 190, size=11),
        middle("in the other thread's line", 490, 210, size=11, class_="muted"),
    ]
    return picture(parts, 700, 222, "FREE, CACHED, LIVE, and the way back through other threads: DELAYED, REMOTE")


LINE = 16


@figure("delay-line")
def delay_line() -> Element:
    """Which free each reuse goes back to: asked of the reference allocator with a line of the core's length."""
    frees = 26
    waits = reuses(frees)
    step, left = 26, 60
    parts: list[Child] = [words("freed", 12, 46), words("reused", 12, 136)]
    for number in range(frees):
        x = left + number * step
        parts += cell(x, 30, 20, 24, str(number + 1), "group-1" if number == 0 else "series-1", size=10)
    for earlier, later in waits:
        x0, x1 = left + earlier * step + 10, left + later * step + 10
        parts += arrow([(x0, 54), (x1, 118)], role="accent" if earlier == 0 else "muted")
        parts.append(middle(str(earlier + 1), x1, 136, size=10))
    first = waits[0][1]
    parts += [
        path([(left + 10, 152), (left + first * step + 10, 152)], stroke=variable("accent"), fill="none"),
        middle(f"{first} more frees before slot 1 can be handed out", left + first * step / 2 + 10, 168, size=11),
    ]
    return picture(parts, left + frees * step + 20, 180, "Each freed slot waits until sixteen more have been freed")


def reuses(frees: int) -> list[tuple[int, int]]:
    """Pairs: the number of a free, and how many frees there had been when its slot was handed out again."""
    allocator = ReferenceAllocator(FirstFit(), capacity=1 << 20, quarantine=LINE)
    blocks = [allocator.request(Event(Function.MALLOC, size=64)).result for _ in range(frees)]
    found = []
    for number, block in enumerate(blocks):
        allocator.request(Event(Function.FREE, address=block))
        taken = allocator.request(Event(Function.MALLOC, size=64)).result
        if taken in blocks:
            found.append((blocks.index(taken), number))
    return found
