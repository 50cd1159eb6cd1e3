"""The promises of step 3: pointers that reach their block and nothing else, and reuse only after revocation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import permutations
from types import ModuleType

from capability.adi.protection import Adi
from capability.architecture import Access, Architecture
from capability.cheri.isa import CHERIOT, MORELLO
from capability.cheri.protection import Cheri
from capability.flat import Flat
from capability.mte.protection import MTE
from exercises.course.promise import Promise
from exercises.course.seam import BASE, SIZE, UNREPRESENTABLE, Holder

CAPABILITIES = (Cheri(), Cheri(MORELLO), Cheri(CHERIOT))
ALL: tuple[Architecture, ...] = (Flat(), *CAPABILITIES, MTE(), Adi())
SIZES = (16, 1, 40, 100, 1000)
LARGE = (65537, 16, 100001, 31, 20473)


def several(module: ModuleType, sizes: tuple[int, ...], on: tuple[Architecture, ...]) -> Iterator[Holder]:
    """A heap with one or two blocks of these sizes, on each architecture: the smallest history that shows a fault."""
    for architecture in on:
        for some in (*((size,) for size in sizes), *permutations(sizes, 2)):
            holder = Holder(module, architecture)
            for size in some:
                holder.must_have(size, "most of the heap is free")
            yield holder


def reaches(module: ModuleType) -> None:
    """Each byte asked for can be stored to."""
    for holder in several(module, SIZES, ALL):
        name, pointer, size = holder.live[-1]
        for at in {pointer.address, pointer.address + size - 1}:
            if not holder.allows(pointer, at):
                raise holder.broken(f"{name} does not reach its own byte {at - pointer.address} of {size}.")


def narrow(module: ModuleType) -> None:
    """No byte of another block, nor of the free memory around, can be reached."""
    for holder in several(module, SIZES, CAPABILITIES):
        for one in holder.live:
            for other in holder.live:
                for at in (other.pointer.address, other.pointer.address + other.size - 1):
                    if one is not other and holder.allows(one.pointer, at):
                        raise holder.broken(f"{one.name} reaches byte {at - other.pointer.address} of {other.name}.")
            start = one.pointer.address
            for at in (BASE, start - 1, BASE + SIZE - 1):
                if not start <= at < start + one.size and holder.allows(one.pointer, at):
                    raise holder.broken(f"{one.name} has {one.size} bytes at {start:#x}, and reaches {at:#x}.")


def representable(module: ModuleType) -> None:
    """Long blocks have bounds that the format can hold, and that reach into no other block."""
    for architecture in CAPABILITIES:
        for first, second in permutations(LARGE, 2):
            holder = Holder(module, architecture)
            one = holder.must_have(first, "most of the heap is free")
            two = holder.must_have(second, "most of the heap is free")
            if one.pointer.base < two.pointer.top and two.pointer.base < one.pointer.top:
                raise holder.broken(f"The bounds of {one.name} and {two.name} overlap.")
            for held in (one, two):
                if not holder.allows(held.pointer, held.pointer.address, held.size):
                    raise holder.broken(f"{held.name} does not reach all of its {held.size} bytes.")
        holder = Holder(module, architecture)
        holder.must_have(0, "a block of 0 bytes is a block, too", "Round the size up: one granule will do.")
        for _ in range(8):
            holder.free(holder.must_have(LARGE[0], "nothing else is live; each refusal takes a place from `space`"))


def granules(module: ModuleType) -> None:
    """No two blocks share a unit of protection, on any hardware."""
    for holder in several(module, SIZES, ALL):
        held, unit = holder.live[-1], holder.architecture.granule
        if held.pointer.address % unit:
            raise holder.broken(f"{held.name} begins at {held.pointer.address:#x}, no multiple of {unit}.")


def data_only(module: ModuleType) -> None:
    """What is stored in a block cannot be executed; a pointer that is stored there stays one."""
    for holder in several(module, (64,), CAPABILITIES):
        if holder.allows(holder.live[0].pointer, holder.live[0].pointer.address, 4, Access.FETCH):
            raise holder.broken("a can be executed: a pointer to data needs the rights in DATA, and no more.")
        unit = holder.memory.capability_granule
        for access, word in ((Access.STORE_CAPABILITY, "stored"), (Access.LOAD_CAPABILITY, "loaded")):
            if not holder.allows(holder.live[0].pointer, holder.live[0].pointer.address, unit, access):
                what = f"A pointer cannot be {word} through a, so that no list can be kept there: DATA has this right."
                raise holder.broken(what)


def waits(module: ModuleType) -> None:
    """As long as a stale pointer works, its memory is nobody else's."""
    for architecture in (Cheri(sweep_at=1 << 16), Cheri(MORELLO, sweep_at=1 << 16)):
        holder = Holder(module, architecture)
        stale = holder.must_have(64, "nothing is allocated")
        holder.free(stale)
        for _ in range(3):
            block = holder.must_have(64, "most of the heap is free")
            if holder.allows(stale.pointer, block.pointer.address):
                raise holder.broken(
                    f"{stale.name} was freed, but not revoked yet: the stale pointer to it still works, and it reaches "
                    f"{block.name}."
                )


def sweeps(module: ModuleType) -> None:
    """When memory runs out, what waits is completed first."""
    holder = Holder(module, Cheri(sweep_at=1 << 30))
    for _ in range(4):
        held = holder.must_have(SIZE // 2, "no block is live, and one sweep would give all of the memory back")
        holder.free(held)


def comes_back(module: ModuleType) -> None:
    """What was revoked is used again, and joined."""
    for architecture in (Flat(), Cheri(), Cheri(sweep_at=SIZE // 4), MTE()):
        holder = Holder(module, architecture)
        whole = SIZE if Holder(module, architecture).malloc(SIZE) else SIZE // 2  # of a buddy system, for one
        for size in (SIZE // 4, SIZE // 8, SIZE // 2, SIZE // 4, SIZE // 2, whole):
            held = holder.must_have(size, "no other block is live")
            holder.free(held)
        holder.called("free None", partial(holder.heap.free, None))
        holder = Holder(module, architecture, 1 << 12)
        while holder.malloc(64):
            pass
        many = len(holder.live)
        for _ in range(2):
            for held in [*holder.live]:
                holder.free(held)
            while holder.malloc(64):
                pass
            if len(holder.live) < many:
                raise holder.broken(f"There was room for {many} such blocks at first, and now for {len(holder.live)}.")


PROMISES = (
    Promise(
        "granule",
        "Every block begins at a multiple of the architecture's granule.",
        "self.space.aligned_alloc(self.architecture.granule, size), and a size that is rounded up to the granule.",
        granules,
    ),
    Promise(
        "reaches",
        "The pointer reaches every byte that was asked for.",
        "derive(memory, base, length, DATA) takes the length of the block, at least the size asked for; round up.",
        reaches,
    ),
    Promise(
        "narrow",
        "The pointer reaches nothing but its block.",
        "Each block has a pointer derived for it alone: base and length of the block, not of the heap.",
        narrow,
    ),
    Promise(
        "representable",
        "Any size can be had; bounds that the format cannot hold are avoided.",
        UNREPRESENTABLE,
        representable,
    ),
    Promise(
        "data only",
        "The pointer carries the rights of data, and no other.",
        "The last argument of derive is DATA.",
        data_only,
    ),
    Promise(
        "waits",
        "Freed memory is not handed out before the pointers to it are revoked.",
        "retire(memory, pointer).reusable lists the ranges that may be handed out from now on: give those back to "
        "`space`, and only those. Each is a whole block; its base is all that `space` needs.",
        waits,
    ),
    Promise(
        "sweeps",
        "Before it says that there is no room, the heap has a sweep completed.",
        "When `space` has no room: retire(memory, None).reusable, give these ranges back, and try once more.",
        sweeps,
    ),
    Promise(
        "comes back",
        "What was revoked is used again.",
        "Every range in `reusable` has to arrive in `space`; what is dropped there never comes back.",
        comes_back,
    ),
)
