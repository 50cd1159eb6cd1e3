"""Capabilities through memory: where tags travel, and where they are lost."""

from __future__ import annotations

from capability.architecture import Access
from capability.cheri.access import check_access
from capability.cheri.capability import Capability
from capability.cheri.revocation import Revocation
from capability.memory import TaggedMemory
from capability.perms import Perms

_CURSOR_BYTES = 8


def store_capability(memory: TaggedMemory, through: Capability, address: int, value: Capability) -> None:
    """Store `value` at `address`; an untagged one is stored as data, a local one needs the right to store it.

    The bytes that a data load then sees are the address in the lower word, as in every 128-bit format, and zeros in
    the upper word, whose layout belongs to the format.  Raises Fault.  Source: ISAv9, store_cap.

    >>> from capability.cheri.capability import ROOT
    >>> memory = TaggedMemory()
    >>> store_capability(memory, ROOT, 0x1000, ROOT.set_address(0x2000))
    >>> load_capability(memory, ROOT, 0x1000).tag
    True
    >>> memory.store(0x1003, b"!")
    >>> load_capability(memory, ROOT, 0x1000)
    0x21002000 [,0x0-0x10000000000000000] (invalid)
    """
    registers = memory.state(Revocation)
    value = registers.current(value)
    granule = memory.capability_granule
    if not value.tag:
        access = Access.STORE
    elif Perms.GLOBAL in value.perms:
        access = Access.STORE_CAPABILITY
    else:
        access = Access.STORE_LOCAL_CAPABILITY
    check_access(registers.current(through), address, granule, access, granule)
    image = value.address.to_bytes(_CURSOR_BYTES, "little").ljust(granule, b"\0")
    if value.tag:
        memory.store_capability(address, value, image)
    else:
        memory.store(address, image)


def load_capability(memory: TaggedMemory, through: Capability, address: int) -> Capability:
    """Load what is at `address` into a capability register; without PERMIT_LOAD_CAP it arrives untagged.

    Raises Fault.  Source: ISAv9, load_cap.
    """
    granule = memory.capability_granule
    through = memory.state(Revocation).current(through)
    check_access(through, address, granule, Access.LOAD_CAPABILITY, granule)
    held = memory.load_capability(address)
    if held is None:
        return Capability.from_integer(int.from_bytes(memory.load(address, _CURSOR_BYTES), "little"))
    assert isinstance(held, Capability), f"{held!r} at {address:#x} is not a capability"
    return held if Perms.PERMIT_LOAD_CAP in through.perms else held.clear_tag()
