"""The promises of step 2: coalescing."""

from __future__ import annotations

from itertools import permutations
from types import ModuleType

from exercises.course import free_list
from exercises.course.client import SIZE, Client, Make, plans
from exercises.course.promise import BrokenPromise, Promise
from m4alloc.check.operation import Operation
from m4alloc.check.shrink import shrunk


def freed_in_order(module: ModuleType, sizes: tuple[int, ...], order: tuple[int, ...], because: str) -> None:
    """Fill the heap with blocks of these sizes, free them in this order; then one block has to have all of it."""
    client = Client(module.Heap)
    blocks = [client.must_serve(size, "so much of the heap is free") for size in sizes]
    for index in order:
        client.free(blocks[index])
        client.must_not_have_raised()
    if len(order) == len(sizes):
        client.must_serve(SIZE, because)


def forwards(module: ModuleType) -> None:
    """The block joins the free range behind it."""
    freed_in_order(module, (SIZE // 2,) * 2, (1, 0), "a ends where b, which is free, begins: they are one range")


def backwards(module: ModuleType) -> None:
    """The block joins the free range before it."""
    freed_in_order(module, (SIZE // 2,) * 2, (0, 1), "b begins where a, which is free, ends: they are one range")


def both(module: ModuleType) -> None:
    """The block joins the free ranges on both sides."""
    freed_in_order(module, (1024, 1024, SIZE - 2048), (0, 2, 1), "b fills the hole between two free ranges")


def any_order(module: ModuleType) -> None:
    """However blocks are freed, one range is left in the end. Powers of two, which a buddy system has, too."""
    for sizes in ((2048, 1024, 512, 512), (16, 16, 32, 64, 128, 256, 512, 1024, 2048)):
        for order in permutations(range(4)):
            first, last = range(4, len(sizes), 2), range(5, len(sizes), 2)
            freed_in_order(module, sizes, (*first, *order, *last), "every block has been freed")


def nothing_lost(module: ModuleType) -> None:
    """Whatever was asked for, of whatever length and alignment: when all is freed, the heap is one range again."""
    make: Make = module.Heap

    def loses(plan: list[Operation]) -> bool:
        client = emptied(make, plan)
        return not client.found and not client.events[-1].result

    for plan in plans():
        if loses(plan):
            client = emptied(make, shrunk(plan, loses))
            raise BrokenPromise(f"A block of {SIZE} bytes was refused, though {_ALL_FREED}.", client.history())


def emptied(make: Make, plan: list[Operation]) -> Client:
    """A heap after a plan, the frees of what the plan left, and a request for all of it."""
    client = Client(make).play(plan)
    for address in [*client.executor.live]:
        client.free(address)
    client.malloc(SIZE)
    return client


def only_neighbours(module: ModuleType) -> None:
    """Ranges with a live block between them stay two."""
    client = Client(module.Heap)
    a, b, c = (client.must_serve(size, "so much of the heap is free") for size in (1024, 1024, SIZE - 2048))
    client.free(a)
    client.free(c)
    client.must_not_have_raised()
    client.must_refuse(SIZE - 1024, "b is live, and lies between the two free ranges")
    if b in (client.malloc(1024), client.malloc(1024)):
        raise BrokenPromise("b is live, and was handed out again.", client.history())


def once(module: ModuleType) -> None:
    """What was joined is in the list once."""
    client = Client(module.Heap)
    blocks = [client.must_serve(SIZE // 4, "so much of the heap is free") for _ in range(4)]
    for index in (1, 3, 2, 0):
        client.free(blocks[index])
        client.must_not_have_raised()
    for _ in range(4):
        client.must_serve(SIZE // 4, "every block has been freed")
    client.must_refuse(16, "four blocks of a quarter of the heap are live")


_ALL_FREED = "every block has been freed, and the heap had so many bytes at first"
_TOUCH = "A free range (low, high) touches the block [start, end) if high == start or low == end: look for both."

PROMISES = (
    Promise("joins behind", "A freed block joins the free range that begins where it ends.", _TOUCH, forwards),
    Promise("joins before", "A freed block joins the free range that ends where it begins.", _TOUCH, backwards),
    Promise(
        "joins both",
        "A freed block that lies between two free ranges joins both.",
        "After the block has been joined with one range, go on with what they are together: it may touch another one.",
        both,
    ),
    Promise(
        "only neighbours",
        "Ranges that do not touch are not joined.",
        "The list is in no order unless you keep it in one: neighbours in it are not neighbours in memory.",
        only_neighbours,
    ),
    Promise(
        "once",
        "What was joined is in the list once.",
        "A range that is joined with another one leaves the list; else its memory is handed out twice.",
        once,
    ),
    Promise(
        "any order",
        "In whatever order blocks are freed, the whole heap is one range in the end.",
        "Draw the list after each free of the history: which two ranges touch, and are still two?",
        any_order,
    ),
    Promise(
        "nothing lost",
        "When all blocks are freed, whatever they were, the heap is one range again.",
        "Add up the lengths in `ranges` and in `lengths`: the sum never changes. At which line of the history does it? "
        "If it does not, two ranges that touch are still two.",
        nothing_lost,
    ),
    *free_list.PROMISES,
)
