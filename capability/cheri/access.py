"""Which fault an access through a capability raises: the first that applies, in the architecture's order."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from capability.architecture import Access
from capability.cheri.capability import Capability
from capability.cheri.cause import KINDS, Cause
from capability.cheri.isa import Illegal, Isa
from capability.fault import Fault, FaultKind
from capability.perms import Perms

_LOADS = (Perms.PERMIT_LOAD, Cause.PERMIT_LOAD)
_STORES = (Perms.PERMIT_STORE, Cause.PERMIT_STORE)
_STORES_CAPS = (Perms.PERMIT_STORE_CAP, Cause.PERMIT_STORE_CAP)
_STORES_LOCAL = (Perms.PERMIT_STORE_LOCAL_CAP, Cause.PERMIT_STORE_LOCAL_CAP)

_NEEDED: Mapping[Access, tuple[tuple[Perms, Cause], ...]] = MappingProxyType(
    {
        Access.LOAD: (_LOADS,),
        Access.STORE: (_STORES,),
        Access.FETCH: ((Perms.PERMIT_EXECUTE, Cause.PERMIT_EXECUTE),),
        # Without the right to load capabilities the load succeeds and its result is untagged: see permit.after_load.
        Access.LOAD_CAPABILITY: (_LOADS,),
        Access.STORE_CAPABILITY: (_STORES, _STORES_CAPS),
        Access.STORE_LOCAL_CAPABILITY: (_STORES, _STORES_CAPS, _STORES_LOCAL),
    }
)
OF_CAPABILITIES = frozenset({Access.LOAD_CAPABILITY, Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY})


def check_access(capability: Capability, address: int, size: int, access: Access, isa: Isa) -> None:
    """Let the access to [address, address + size) pass, or raise Fault with the highest priority that applies.

    The order is tag, seal, permission (data before capabilities, capabilities before local ones), length, alignment.
    Where an instruction set stores a tagged capability without its tag instead of refusing, that is no fault.
    Source: sail-cheri-riscv, src/cheri_insts.sail, the loads and stores; src/cheri_addr_checks.sail, the fetch;
    sail-morello, CheckCapability; riscv-cheri, src/cheri/insns/store_32bit_cap.adoc.

    >>> from capability.cheri.isa import ISAV9_128
    >>> from capability.cheri.narrow import set_bounds
    >>> block = set_bounds(Capability.root(ISAV9_128.format, address=0x1000), 64, ISAV9_128)
    >>> check_access(block, 0x1040, 1, Access.LOAD, ISAV9_128)
    Traceback (most recent call last):
    capability.fault.Fault: load of 1 byte at 0x1040 through 0x1000 [rwxRW,0x1000-0x1040]: LENGTH
    """
    isa.require(capability)
    if not capability.tag:
        raise _refusal(Cause.TAG, capability, address, size, access, isa)
    if capability.sealed:
        raise _refusal(Cause.SEAL, capability, address, size, access, isa)
    rights = capability.rights
    for needed, cause in _NEEDED[access]:
        if needed not in rights and _is_refused(cause, isa):
            raise _refusal(cause, capability, address, size, access, isa)
    if not capability.covers(seen_address(address, isa), size):
        raise _refusal(Cause.LENGTH, capability, address, size, access, isa)
    if access in OF_CAPABILITIES:
        _check_aligned(address, size, access, isa)


def check_capability_store(through: Capability, address: int, isa: Isa, *, tag: bool, is_global: bool) -> None:
    """Let a capability with this tag and this level be stored, or raise the Fault of highest priority.

    An untagged one needs no more rights than data, and is aligned all the same.
    """
    access = Access.STORE
    if tag:
        access = Access.STORE_CAPABILITY if is_global else Access.STORE_LOCAL_CAPABILITY
    size = isa.format.capability_bytes
    check_access(through, address, size, access, isa)
    _check_aligned(address, size, access, isa)


def _check_aligned(address: int, size: int, access: Access, isa: Isa) -> None:
    granule = isa.format.capability_bytes
    if address % granule:
        text = f"{_describe(access, size, address)}: the address must be a multiple of {granule}"
        raise Fault(FaultKind.ALIGNMENT, isa.codes.misaligned(access), address, text)


def seen_address(address: int, isa: Isa) -> int:
    """The address that is checked against the bounds: without its top byte where the system ignores that."""
    return isa.format.bounds.counted(address) if isa.top_byte_ignored else address


def stored_tag(value: Capability, through: Capability, isa: Isa) -> bool:
    """The tag with which `value` reaches memory, once the store was not refused.

    >>> from capability.cheri.isa import RISCV_128
    >>> from capability.cheri.permit import and_perms
    >>> from capability.cheri.permission import RiscvPerms
    >>> root = Capability.root(RISCV_128.format)
    >>> stored_tag(root, and_perms(root, RiscvPerms.W, RISCV_128), RISCV_128)
    False
    """
    rights = through.rights
    if not value.tag or Perms.PERMIT_STORE_CAP not in rights:
        return False
    return Perms.GLOBAL in value.rights or Perms.PERMIT_STORE_LOCAL_CAP in rights


def _is_refused(cause: Cause, isa: Isa) -> bool:
    if cause is Cause.PERMIT_STORE_CAP:
        return isa.capability_store is Illegal.TRAPS
    return cause is not Cause.PERMIT_STORE_LOCAL_CAP or isa.local_store is Illegal.TRAPS


def _refusal(cause: Cause, capability: Capability, address: int, size: int, access: Access, isa: Isa) -> Fault:
    text = f"{_describe(access, size, address)} through {capability!r}: {cause.name}"
    return Fault(KINDS[cause], isa.codes.refused(cause, access), address, text)


def _describe(access: Access, size: int, address: int) -> str:
    name = access.name.lower().replace("_", " ")
    return f"{name} of {size} byte{'' if size == 1 else 's'} at {address:#x}"
