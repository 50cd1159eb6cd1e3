"""CHERI rows transcribed from the Sail text: Morello's own alignment mask, and the faults of ISAv9's accesses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from capability.architecture import Access
from capability.cheri import library
from capability.cheri.access import check_access, check_capability_store
from capability.cheri.capability import Capability
from capability.cheri.cause import Cause
from capability.cheri.format import Format
from capability.cheri.isa import ISAV9_128, MORELLO
from capability.cheri.narrow import representable_length, representable_mask
from capability.cheri.permit import after_load
from capability.fault import Fault
from m4alloc.vectors.cheri_text import Numbers, flag, small
from m4alloc.vectors.row import Row, RowError


def rrmask(format: Format, row: Row) -> dict[str, object]:
    """Morello's RRMASK and RRLEN, beside the library's."""
    show = Numbers(format)
    length = show.read(row, "len")
    kept, library_kept = representable_mask(length, MORELLO), library.library_mask(format, length)
    return {
        "rrmask": show.word(kept),
        "rrlen": show.word(representable_length(length, MORELLO)),
        "lib_cram": show.word(library_kept),
        "lib_crrl": show.word(library.library_length(format, length)),
        "differs": kept != library_kept,
    }


def access(format: Format, row: Row) -> dict[str, object]:
    """The first fault of an access, by its name in the Sail source; and the tag that a loaded capability has."""
    show = Numbers(format)
    capability = Capability(format, show.read(row, "pesbt"), show.read(row, "addr"), flag(row, "tag"))
    kind = row["kind"]
    if kind not in _ACCESSES:
        raise RowError(f"kind is {kind!r}: one of {', '.join(_ACCESSES)}")
    address, size = show.read(row, "ea"), small(row, "size", 1 << 16)
    fault = None
    try:
        if kind == "store_cap":
            tag, is_global = flag(row, "value_tag"), flag(row, "value_global")
            check_capability_store(capability, address, ISAV9_128, tag=tag, is_global=is_global)
        else:
            check_access(capability, address, size, _ACCESSES[kind], ISAV9_128)
    except Fault as refusal:
        fault = _NAMES[refusal.code] if isinstance(refusal.code, Cause) else "AddrAlign"
    answers: dict[str, object] = {"fault": fault}
    if kind == "load_cap":
        loaded = Capability.root(format) if flag(row, "mem_tag") else Capability.null(format)
        answers["loaded_tag"] = None if fault else after_load(loaded, capability, ISAV9_128).tag
    return answers


_ACCESSES: Mapping[str, Access] = MappingProxyType(
    {
        "load": Access.LOAD,
        "store": Access.STORE,
        "load_cap": Access.LOAD_CAPABILITY,
        "store_cap": Access.STORE_CAPABILITY,
        "fetch": Access.FETCH,
    }
)
_NAMES: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.TAG: "TagViolation",
        Cause.SEAL: "SealViolation",
        Cause.PERMIT_EXECUTE: "PermitExecuteViolation",
        Cause.PERMIT_LOAD: "PermitLoadViolation",
        Cause.PERMIT_STORE: "PermitStoreViolation",
        Cause.PERMIT_STORE_CAP: "PermitStoreCapViolation",
        Cause.PERMIT_STORE_LOCAL_CAP: "PermitStoreLocalCapViolation",
        Cause.LENGTH: "LengthViolation",
    }
)
