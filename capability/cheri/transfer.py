"""Capabilities through memory: where tags travel, and where they are lost."""

from __future__ import annotations

from capability.architecture import Access
from capability.cheri.access import check_access, check_capability_store, stored_tag
from capability.cheri.capability import Capability
from capability.cheri.isa import Isa
from capability.cheri.permit import after_load
from capability.cheri.revocation import Revocation
from capability.memory import TaggedMemory


def store_capability(memory: TaggedMemory, through: Capability, address: int, value: Capability, isa: Isa) -> None:
    """Store `value` at `address`; an untagged one is stored as data, a local one needs the right to store it.

    What a data load then sees are its bytes in memory form.  Raises Fault, and ValueError when memory's granule is not
    the size of a capability.  Source: ISAv9 store_cap, Morello STR, RISC-V SY.

    >>> from capability.cheri.isa import ISAV9_128
    >>> memory, root = TaggedMemory(), Capability.root(ISAV9_128.format)
    >>> store_capability(memory, root, 0x1000, root, ISAV9_128)
    >>> memory.load(0x1000, 16).hex()
    '0000000000000000000000000000ffff'
    >>> memory.store(0x1003, b"!")
    >>> load_capability(memory, root, 0x1000, ISAV9_128)
    0x21000000 [rwxRW,0x0-0x10000000000000000] (invalid)
    """
    isa.require(value)
    _granule(memory, isa)
    registers = memory.state(Revocation)
    value, through = registers.current(value), registers.current(through)
    check_capability_store(through, address, isa, tag=value.tag, is_global=value.level == 1)
    if stored_tag(value, through, isa):
        memory.store_capability(address, value, value.to_memory())
    else:
        memory.store(address, value.to_memory())


def load_capability(memory: TaggedMemory, through: Capability, address: int, isa: Isa) -> Capability:
    """Load what is at `address` into a capability register; without the right to load capabilities it is untagged.

    Raises Fault, and ValueError when memory's granule is not the size of a capability.
    Source: ISAv9 load_cap, Morello LDR, RISC-V LY.
    """
    granule = _granule(memory, isa)
    through = memory.state(Revocation).current(through)
    check_access(through, address, granule, Access.LOAD_CAPABILITY, isa)
    held = memory.load_capability(address)
    if held is None:
        return Capability.from_memory(isa.format, memory.load(address, granule), False)
    assert isinstance(held, Capability), f"{held!r} at {address:#x} is not a capability"
    return after_load(held, through, isa)


def _granule(memory: TaggedMemory, isa: Isa) -> int:
    """Bytes of a capability, which are the granule that the memory keeps a tag for."""
    size = isa.format.capability_bytes
    if memory.capability_granule != size:
        raise ValueError(
            f"capabilities of format {isa.format.name} are {size} bytes; this memory keeps a tag for each "
            f"{memory.capability_granule}: TaggedMemory(capability_granule={size})"
        )
    return size
