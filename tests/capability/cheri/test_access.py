"""The order of faults: what is wrong first is what is reported."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Access
from capability.cheri.access import check_access
from capability.cheri.capability import ROOT, Capability
from capability.cheri.cause import Cause
from capability.fault import Fault, FaultKind
from capability.perms import ALL_PERMS, Perms

BLOCK = ROOT.set_address(0x1000).set_bounds(0x40)
LOADS = {Access.LOAD, Access.LOAD_CAPABILITY}
STORES = {Access.STORE, Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY}
CAPABILITIES = {Access.LOAD_CAPABILITY, Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY}


def expected(cap: Capability, address: int, size: int, access: Access) -> int | None:
    """The whole rule as one list of conditions, in order (facts: tag, seal, permission, bounds, then alignment)."""
    store_cap = access in {Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY}
    conditions: list[tuple[bool, int]] = [
        (not cap.tag, 2),
        (cap.otype is not None, 3),
        (access is Access.FETCH and Perms.PERMIT_EXECUTE not in cap.perms, 0x11),
        (access in LOADS and Perms.PERMIT_LOAD not in cap.perms, 0x12),
        (access in STORES and Perms.PERMIT_STORE not in cap.perms, 0x13),
        (store_cap and Perms.PERMIT_STORE_CAP not in cap.perms, 0x15),
        (access is Access.STORE_LOCAL_CAPABILITY and Perms.PERMIT_STORE_LOCAL_CAP not in cap.perms, 0x16),
        (any(not cap.base <= at < cap.top for at in range(address, address + size)), 1),
        (size == 0 and not cap.base <= address <= cap.top, 1),
        (access in CAPABILITIES and address % 16 != 0, -1),
    ]
    return next((code for failed, code in conditions if failed), None)


@given(
    st.booleans(),
    st.sampled_from([None, None, 5]),
    st.integers(0, 0x7F).map(lambda missing: ALL_PERMS & ~Perms(missing)),
    st.integers(0xFE0, 0x1060),
    st.integers(0, 0x50),
    st.sampled_from(Access),
)
def test_the_fault_of_highest_priority_is_raised(
    tag: bool, otype: int | None, perms: Perms, address: int, size: int, access: Access
) -> None:
    cap = replace(BLOCK, tag=tag, otype=otype, perms=perms)
    code = expected(cap, address, size, access)
    if code is None:
        check_access(cap, address, size, access)
        return
    with pytest.raises(Fault) as fault:
        check_access(cap, address, size, access)
    assert fault.value.address == address
    if code == -1:
        assert fault.value.kind is FaultKind.ALIGNMENT
    else:
        assert fault.value.code == code
        assert str(fault.value).endswith(Cause(code).name)


def test_an_access_at_the_end_of_the_address_space_does_not_wrap() -> None:
    with pytest.raises(Fault) as fault:
        check_access(ROOT, 2**64 - 4, 8, Access.LOAD)
    assert fault.value.code is Cause.LENGTH
    check_access(ROOT, 2**64 - 8, 8, Access.LOAD)


def test_zero_bytes_at_the_top_pass() -> None:
    check_access(BLOCK, BLOCK.top, 0, Access.STORE)


def test_a_missing_permission_is_reported_before_the_bounds() -> None:
    with pytest.raises(Fault) as fault:
        check_access(BLOCK.and_perms(Perms.PERMIT_LOAD), 0, 8, Access.STORE)
    assert fault.value.code is Cause.PERMIT_STORE
