"""The order of faults: what is wrong first is what is reported, with the architecture's own code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Access
from capability.cheri.access import check_access
from capability.cheri.capability import Capability
from capability.cheri.cause import Cause, MorelloStatus, RiscvCapability, RiscvMisaligned
from capability.cheri.isa import ISAV9_128, MORELLO, RISCV_128, Isa
from capability.cheri.narrow import set_bounds
from capability.cheri.permission import MorelloPerms
from capability.cheri.permit import clear_perms, limit_rights
from capability.cheri.seal import seal_entry
from capability.fault import Fault, FaultKind
from capability.perms import ALL_PERMS, Perms

LOADS = {Access.LOAD, Access.LOAD_CAPABILITY}
STORES = {Access.STORE, Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY}
CAPABILITIES = {Access.LOAD_CAPABILITY, Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY}


def block(isa: Isa = ISAV9_128) -> Capability:
    return set_bounds(Capability.root(isa.format, address=0x1000), 0x40, isa)


def expected(cap: Capability, address: int, size: int, access: Access) -> int | None:
    """The whole rule as one list of conditions, in order (facts: tag, seal, permission, bounds, then alignment)."""
    store_cap = access in {Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY}
    conditions: list[tuple[bool, int]] = [
        (not cap.tag, 2),
        (cap.sealed, 3),
        (access is Access.FETCH and Perms.PERMIT_EXECUTE not in cap.rights, 0x11),
        (access in LOADS and Perms.PERMIT_LOAD not in cap.rights, 0x12),
        (access in STORES and Perms.PERMIT_STORE not in cap.rights, 0x13),
        (store_cap and Perms.PERMIT_STORE_CAP not in cap.rights, 0x15),
        (access is Access.STORE_LOCAL_CAPABILITY and Perms.PERMIT_STORE_LOCAL_CAP not in cap.rights, 0x16),
        (any(not cap.base <= at < cap.top for at in range(address, address + size)), 1),
        (size == 0 and not cap.base <= address <= cap.top, 1),
        (access in CAPABILITIES and address % 16 != 0, -1),
    ]
    return next((code for failed, code in conditions if failed), None)


@given(
    st.booleans(),
    st.sampled_from([False, False, True]),
    st.integers(0, 0x7F).map(lambda missing: ALL_PERMS & ~Perms(missing)),
    st.integers(0xFE0, 0x1060),
    st.integers(0, 0x50),
    st.sampled_from(Access),
)
def test_the_fault_of_highest_priority_is_raised(
    tag: bool, sealed: bool, perms: Perms, address: int, size: int, access: Access
) -> None:
    cap = limit_rights(block(), perms, ISAV9_128)
    cap = seal_entry(cap, ISAV9_128) if sealed else cap
    cap = cap if tag else cap.clear_tag()
    code = expected(cap, address, size, access)
    if code is None:
        check_access(cap, address, size, access, ISAV9_128)
        return
    with pytest.raises(Fault) as fault:
        check_access(cap, address, size, access, ISAV9_128)
    assert fault.value.address == address
    if code == -1:
        assert fault.value.kind is FaultKind.ALIGNMENT
        assert fault.value.code is (RiscvMisaligned.STORE if access in STORES else RiscvMisaligned.LOAD)
    else:
        assert fault.value.code == code
        assert str(fault.value).endswith(Cause(code).name)


def test_an_access_at_the_end_of_the_address_space_does_not_wrap() -> None:
    root = Capability.root(ISAV9_128.format)
    with pytest.raises(Fault) as fault:
        check_access(root, 2**64 - 4, 8, Access.LOAD, ISAV9_128)
    assert fault.value.code is Cause.LENGTH
    check_access(root, 2**64 - 8, 8, Access.LOAD, ISAV9_128)


def test_zero_bytes_at_the_top_pass() -> None:
    check_access(block(), block().top, 0, Access.STORE, ISAV9_128)


@pytest.mark.parametrize(
    ("isa", "cap", "address", "access", "code"),
    [
        (MORELLO, block(MORELLO).clear_tag(), 0x1000, Access.LOAD, MorelloStatus.TAG),
        (MORELLO, seal_entry(block(MORELLO), MORELLO), 0x1000, Access.LOAD, MorelloStatus.SEAL),
        (MORELLO, limit_rights(block(MORELLO), Perms(0), MORELLO), 0, Access.LOAD, MorelloStatus.PERMISSION),
        (MORELLO, block(MORELLO), 0, Access.STORE, MorelloStatus.BOUNDS),
        (
            MORELLO,
            clear_perms(block(MORELLO), MorelloPerms.EXECUTE, MORELLO),
            0x1000,
            Access.FETCH,
            MorelloStatus.PERMISSION,
        ),
        (MORELLO, block(MORELLO), 0x1008, Access.STORE_CAPABILITY, MorelloStatus.ALIGNMENT),
        (RISCV_128, block(RISCV_128), 0, Access.LOAD, RiscvCapability.CHERI_LOAD),
        (RISCV_128, block(RISCV_128).clear_tag(), 0x1000, Access.STORE, RiscvCapability.CHERI_STORE),
        (RISCV_128, block(RISCV_128), 0, Access.FETCH, RiscvCapability.CHERI_FETCH),
        (RISCV_128, block(RISCV_128), 0x1008, Access.LOAD_CAPABILITY, RiscvCapability.LOAD_ACCESS),
    ],
    ids=str,
)
def test_every_architecture_reports_its_own_code(
    isa: Isa, cap: Capability, address: int, access: Access, code: int
) -> None:
    with pytest.raises(Fault) as fault:
        check_access(cap, address, 16, access, isa)
    assert fault.value.code is code


def test_morello_checks_the_address_without_its_top_byte_where_the_system_ignores_it() -> None:
    tagged = 0x5A << 56 | 0x1000
    with pytest.raises(Fault):
        check_access(block(MORELLO), tagged, 8, Access.LOAD, MORELLO)
    check_access(block(MORELLO), tagged, 8, Access.LOAD, replace(MORELLO, top_byte_ignored=True))
