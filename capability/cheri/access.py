"""Which fault an access through a capability raises: the first that applies, in the architecture's order."""

from __future__ import annotations

from capability.architecture import Access
from capability.cheri.capability import Capability
from capability.cheri.cause import Cause
from capability.fault import Fault, FaultKind
from capability.memory import MemoryCode
from capability.perms import Perms

_STORES_DATA = (Perms.PERMIT_STORE, Cause.PERMIT_STORE)
_STORES_CAPS = (Perms.PERMIT_STORE_CAP, Cause.PERMIT_STORE_CAP)

_NEEDED: dict[Access, tuple[tuple[Perms, Cause], ...]] = {
    Access.LOAD: ((Perms.PERMIT_LOAD, Cause.PERMIT_LOAD),),
    Access.STORE: (_STORES_DATA,),
    Access.FETCH: ((Perms.PERMIT_EXECUTE, Cause.PERMIT_EXECUTE),),
    # Without PERMIT_LOAD_CAP the load succeeds and what it loads is untagged: see transfer.load_capability.
    Access.LOAD_CAPABILITY: ((Perms.PERMIT_LOAD, Cause.PERMIT_LOAD),),
    Access.STORE_CAPABILITY: (_STORES_DATA, _STORES_CAPS),
    Access.STORE_LOCAL_CAPABILITY: (
        _STORES_DATA,
        _STORES_CAPS,
        (Perms.PERMIT_STORE_LOCAL_CAP, Cause.PERMIT_STORE_LOCAL_CAP),
    ),
}
_OF_CAPABILITIES = frozenset({Access.LOAD_CAPABILITY, Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY})


def check_access(capability: Capability, address: int, size: int, access: Access, granule: int = 16) -> None:
    """Let the access to [address, address + size) pass, or raise Fault with the highest priority that applies.

    The order is tag, seal, permission (data before capabilities, capabilities before local ones), length, alignment.
    Source: sail-cheri-riscv, src/cheri_insts.sail, execute of the loads and stores (ISAv9).

    >>> from capability.cheri.capability import ROOT
    >>> check_access(ROOT.set_address(0x1000).set_bounds(64), 0x1040, 1, Access.LOAD)
    Traceback (most recent call last):
    capability.fault.Fault: load of 1 byte at 0x1040 through 0x1000 [rwxRW,0x1000-0x1040]: LENGTH
    """
    if not capability.tag:
        raise _fault(FaultKind.TAG, Cause.TAG, capability, address, size, access)
    if capability.sealed:
        raise _fault(FaultKind.SEAL, Cause.SEAL, capability, address, size, access)
    for needed, cause in _NEEDED[access]:
        if needed not in capability.perms:
            raise _fault(FaultKind.PERMISSION, cause, capability, address, size, access)
    if not capability.covers(address, size):
        raise _fault(FaultKind.LENGTH, Cause.LENGTH, capability, address, size, access)
    if access in _OF_CAPABILITIES and address % granule:
        text = f"{_describe(access, size, address)}: the address must be a multiple of {granule}"
        raise Fault(FaultKind.ALIGNMENT, MemoryCode.BUS_ADRALN, address, text)


def _fault(kind: FaultKind, cause: Cause, capability: Capability, address: int, size: int, access: Access) -> Fault:
    return Fault(kind, cause, address, f"{_describe(access, size, address)} through {capability!r}: {cause.name}")


def _describe(access: Access, size: int, address: int) -> str:
    name = access.name.lower().replace("_", " ")
    return f"{name} of {size} byte{'' if size == 1 else 's'} at {address:#x}"
