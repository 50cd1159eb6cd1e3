"""Allocators over capabilities: a careful one, and for each rule one that breaks it and no other."""

from __future__ import annotations

from errno import EINVAL, ENOMEM

from capability.architecture import Range
from capability.cheri.capability import Capability
from capability.cheri.isa import MORELLO, Isa
from capability.cheri.move import set_address
from capability.cheri.narrow import representable_length, representable_mask, set_bounds
from capability.cheri.permit import limit_rights
from capability.cheri.revocation import Revocation
from capability.memory import TaggedMemory
from capability.perms import DATA, Perms
from capability.word import align_up, is_power_of_two, mask
from spec.error import Misuse
from spec.event import FREEING, NOT_OBSERVED, RESIZING, Event, Function

BASE, CAPACITY = 1 << 16, 1 << 22
UNIT = 16


class Careful:
    """Blocks one behind the other, padded and aligned as the format needs; freed ones are reused by length.

    It is not the reference allocator: sizes are exact where the format allows it, realloc resizes in place where it can
    and narrows the bounds, and the bytes that it cuts off are zeroed.
    """

    def __init__(self, isa: Isa = MORELLO) -> None:
        self.isa = isa
        self.memory = TaggedMemory(BASE, CAPACITY, capability_granule=isa.format.capability_bytes)
        self.metadata: tuple[Range, ...] = ()
        self.root = Capability.root(isa.format)
        self.next = BASE
        self.live: dict[int, tuple[Capability, Capability]] = {}  # by base: what was handed out, and its whole place
        self.free: dict[int, list[int]] = {}  # by room

    def request(self, event: Event, presented: Capability | None) -> tuple[Event, Capability | None]:
        if event.function in FREEING:
            if event.address:
                self.give_up(self.block(event, presented))
            return event, None
        if event.function in RESIZING and event.address:
            return self.resize(event, self.block(event, presented), presented)
        return self.hand_out(event)

    # The parts that the broken ones do in another way.

    def block(self, event: Event, presented: Capability | None) -> int:
        """The base of the live block that a pointer is for."""
        found = self.live.get(event.address)
        if found is None or presented is None or not self.accepts(presented, found[0]):
            raise Misuse("invalid-free", f"{presented} is for no block")
        return event.address

    def accepts(self, presented: Capability, issued: Capability) -> bool:
        return presented == issued

    def padded(self, size: int) -> int:
        """The room that a block takes up."""
        return align_up(representable_length(max(size, UNIT), self.isa), UNIT)

    def issue(self, place: Capability, size: int) -> Capability:
        """What is handed out for a block."""
        return limit_rights(set_bounds(place, max(size, UNIT), self.isa), DATA, self.isa)

    def reissue(self, issued: Capability, presented: Capability) -> Capability:
        """What realloc hands out, never with more permissions than it was handed."""
        return limit_rights(issued, presented.rights, self.isa)

    def revoke(self, capability: Capability) -> None:
        revocation = self.memory.state(Revocation)
        revocation.paint(capability)
        revocation.sweep(self.memory)

    def scrub(self, base: int, top: int) -> None:
        """Zero what a freed block leaves behind."""
        self.memory.fill(base, top - base, 0)

    def cut(self, base: int, top: int) -> None:
        """Zero what realloc cuts off."""
        self.memory.fill(base, top - base, 0)

    # The parts that all of them share.

    def hand_out(self, event: Event) -> tuple[Event, Capability | None]:
        size = event.request_size
        aligns = event.function in (Function.ALIGNED_ALLOC, Function.POSIX_MEMALIGN)
        if aligns and not (is_power_of_two(event.alignment) and event.alignment >= 8):
            return event._replace(errno=EINVAL), None
        if size > CAPACITY // 2:
            return event._replace(errno=ENOMEM), None
        alignment = max(UNIT, event.alignment, -representable_mask(size, self.isa) & mask(self.isa.format.address_bits))
        room = self.padded(size)
        base = self.place(room, alignment)
        if base + room > BASE + CAPACITY:
            return event._replace(errno=ENOMEM), None
        place = set_bounds(set_address(self.root, base, self.isa), room, self.isa)
        place = place.issued(self.memory.state(Revocation).issue(place.bounds))
        issued = self.issue(place, size)
        self.live[base] = issued, place
        if event.function is not Function.CALLOC:
            return event._replace(result=base, usable=max(issued.length, size)), issued
        self.memory.fill(base, size, 0)
        return event._replace(result=base, usable=max(issued.length, size), intact=size), issued

    def place(self, room: int, alignment: int) -> int:
        for base in self.free.get(room, []):
            if base % alignment == 0:
                self.free[room].remove(base)
                return base
        base = align_up(self.next, alignment)
        self.next = base + room
        return base

    def give_up(self, base: int) -> None:
        _, place = self.live.pop(base)
        self.scrub(base, place.top)
        self.revoke(place)
        self.free.setdefault(place.length, []).append(base)

    def resize(self, event: Event, base: int, presented: Capability | None) -> tuple[Event, Capability | None]:
        assert presented is not None
        issued, place = self.live[base]
        size = event.request_size
        if self.padded(size) <= place.length and base & ~representable_mask(size, self.isa) == 0:
            if size < issued.length:
                self.cut(base + max(size, UNIT), place.top)
            result = self.reissue(self.issue(place, size), presented)
            self.live[base] = result, place
            return event._replace(result=base, usable=max(result.length, size)), result
        reply, fresh = self.hand_out(event._replace(function=Function.MALLOC, address=0))
        if fresh is None:
            return event._replace(errno=reply.errno), None
        self.memory.move(fresh.base, base, min(issued.length, fresh.length))
        self.clear(fresh.base + min(issued.length, fresh.length), fresh.top)
        self.give_up(base)
        result = self.reissue(fresh, presented)
        self.live[fresh.base] = result, self.live[fresh.base][1]
        return event._replace(result=fresh.base, usable=max(result.length, size)), result

    def clear(self, base: int, top: int) -> None:
        """Zero what a block gains when it moves."""
        self.memory.fill(base, max(top - base, 0), 0)


class ShortBounds(Careful):
    """Sets the bounds of odd sizes to whole words, rounding down."""

    def issue(self, place: Capability, size: int) -> Capability:
        return super().issue(place, size if size <= UNIT else size & -8)


class KeepsExecute(Careful):
    """Takes SW_VMEM away, and forgets the right to execute."""

    def issue(self, place: Capability, size: int) -> Capability:
        return limit_rights(set_bounds(place, max(size, UNIT), self.isa), DATA | Perms.PERMIT_EXECUTE, self.isa)


class Published(Careful):
    """The bump allocator of "Picking a CHERI Allocator": advances by the size rounded up to 16, never reuses."""

    def padded(self, size: int) -> int:
        return align_up(max(size, UNIT), UNIT)

    def give_up(self, base: int) -> None:
        self.live.pop(base)

    def request(self, event: Event, presented: Capability | None) -> tuple[Event, Capability | None]:
        reply, issued = super().request(event, presented)
        return reply._replace(usable=NOT_OBSERVED), issued


class WholeSlots(Careful):
    """Every block lies in a slot of 256 bytes or more, and its bounds are the slot, whatever it says is usable."""

    def padded(self, size: int) -> int:
        return align_up(representable_length(align_up(max(size, UNIT), 256), self.isa), 256)

    def issue(self, place: Capability, size: int) -> Capability:
        return super().issue(place, place.length)

    def hand_out(self, event: Event) -> tuple[Event, Capability | None]:
        reply, issued = super().hand_out(event)
        return (reply if issued is None else reply._replace(usable=max(event.request_size, UNIT))), issued

    def resize(self, event: Event, base: int, presented: Capability | None) -> tuple[Event, Capability | None]:
        reply, issued = super().resize(event, base, presented)
        return (reply if issued is None else reply._replace(usable=max(event.request_size, UNIT))), issued


class NeverRevokes(Careful):
    """Reuses memory as if pointers were addresses."""

    def revoke(self, capability: Capability) -> None:
        pass


class LeavesTags(Careful):
    """Hands out a freed block as it was left."""

    def scrub(self, base: int, top: int) -> None:
        pass


class LeavesTails(Careful):
    """Cuts a block without zeroing what it cuts off."""

    def cut(self, base: int, top: int) -> None:
        pass


class Amplifies(Careful):
    """Looks up a block by its address, and hands out everything there is to it."""

    def accepts(self, presented: Capability, issued: Capability) -> bool:
        return presented.tag

    def reissue(self, issued: Capability, presented: Capability) -> Capability:
        return issued


class TakesUntagged(Careful):
    """Compares bounds and permissions, and forgets the tag."""

    def accepts(self, presented: Capability, issued: Capability) -> bool:
        return presented.clear_tag() == issued.clear_tag()


class KeepsVmem(Careful):
    """Takes the right to execute away, and leaves its holder the mapping."""

    def issue(self, place: Capability, size: int) -> Capability:
        return limit_rights(set_bounds(place, max(size, UNIT), self.isa), DATA | Perms.SW_VMEM, self.isa)


class HeaderInBounds(Careful):
    """Keeps 16 bytes of its own at the end of each place, inside the bounds."""

    def issue(self, place: Capability, size: int) -> Capability:
        self.metadata = (*self.metadata, Range(place.top - UNIT, place.top))
        return super().issue(place, place.length)


class SweepsRegistersOnly(Careful):
    """Clears the tags of registers, and not of what is in memory."""

    def revoke(self, capability: Capability) -> None:
        revocation = self.memory.state(Revocation)
        revocation.paint(capability)
        revocation.sweep(TaggedMemory())


class MasksPermissions(Careful):
    """As libmalloc-simple: takes any valid pointer to the start of a block, and hands out no more than its permissions.

    In its source: the bytes that a narrowed pointer did not reach are seen again when the block stays where it is.
    """

    def accepts(self, presented: Capability, issued: Capability) -> bool:
        return presented.tag


class MasksAndZeroes(MasksPermissions):
    """The same, and what the pointer did not reach is zeroed."""

    def resize(self, event: Event, base: int, presented: Capability | None) -> tuple[Event, Capability | None]:
        assert presented is not None
        place = self.live[base][1]
        self.memory.fill(presented.top, place.top - presented.top, 0)
        return super().resize(event, base, presented)


class RefusesAll(Careful):
    """Takes every free for misuse."""

    def accepts(self, presented: Capability, issued: Capability) -> bool:
        return False


BROKEN: dict[str, tuple[type[Careful], str]] = {
    "untagged-refused": (TakesUntagged, "escinauthentic"),
    "realloc-does-not-amplify": (Amplifies, "escperms"),
    "capability-covers-request": (ShortBounds, "requests"),
    "permissions-stripped": (KeepsExecute, "requests"),
    "capability-disjoint": (Published, "overlap"),
    "capability-representable-padding": (WholeSlots, "requests"),
    "no-reuse-while-reachable": (NeverRevokes, "stale"),
    "tags-cleared-on-free": (LeavesTags, "undef"),
    "realloc-does-not-resurrect": (LeavesTails, "narrowwiden"),
}
"""For each rule of capabilities an allocator that breaks it and no other rule, and the scenario that shows it."""
