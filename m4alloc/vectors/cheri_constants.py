"""CHERI rows that record constants of a format and where its fields are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from capability.cheri import library
from capability.cheri.capability import Capability
from capability.cheri.concentrate import Concentrate
from capability.cheri.field import Field
from capability.cheri.format import Format
from capability.word import mask
from m4alloc.vectors.row import Row, RowError


def constants(format: Format, row: Row) -> dict[str, object]:
    """One named constant, as a number of the width that the row itself uses, or one field's position."""
    name = row["name"]
    if name.startswith("field_"):
        places = _fields(format)
        if name not in places:
            raise RowError(f"name is {name!r}: of the fields, one of {', '.join(places)}")
        return {"start": places[name].low, "size": places[name].width}
    if name not in _VALUES:
        raise RowError(f"name is {name!r}: field_... or one of {', '.join(_VALUES)}")
    return {"value": f"0x{_VALUES[name](format):0{len(row['value']) - 2}x}"}


def _concentrate(format: Format) -> Concentrate:
    assert isinstance(format.bounds, Concentrate)
    return format.bounds


def _exponent(format: Format, upper: int) -> int:
    return format.bounds.split(upper & mask(format.bounds.width)).exponent


def _fields(format: Format) -> dict[str, Field]:
    """The bounds' parts, by the library's names; T's and B's low bits are the exponent's when it is internal."""
    codec = _concentrate(format)
    width, low = codec.mantissa, codec.split_bits
    return {
        "field_EBT": Field(codec.width - 1, 0),
        "field_TOP_ENCODED": Field(2 * width - 3, width),
        "field_BOTTOM_ENCODED": Field(width - 1, 0),
        "field_EXP_NONZERO_TOP": Field(2 * width - 3, width + low),
        "field_EXPONENT_HIGH_PART": Field(width + low - 1, width),
        "field_EXP_NONZERO_BOTTOM": Field(width - 1, low),
        "field_EXPONENT_LOW_PART": Field(low - 1, 0),
        "field_OTYPE": format.otype,
    }


_VALUES: Mapping[str, Callable[[Format], int]] = MappingProxyType(
    {
        "null_pesbt_raw": lambda format: format.null,
        "null_pesbt_mem": lambda format: format.null ^ format.xor,
        "mem_xor_mask": lambda format: format.xor,
        "null_base": lambda format: Capability.null(format).base,
        "null_top": lambda format: Capability.null(format).top,
        "null_exp": lambda format: _exponent(format, format.null),
        "root_pesbt_raw": lambda format: format.root,
        "root_pesbt_mem": lambda format: format.root ^ format.xor,
        "root_base": lambda format: Capability.root(format).base,
        "root_top": lambda format: Capability.root(format).top,
        "root_exp": lambda format: _exponent(format, format.root),
        "root_perms": lambda format: format.permissions.read(format.root),
        "reset_ebt": lambda format: format.root & mask(format.bounds.width),
        "null_ebt": lambda format: format.null & mask(format.bounds.width),
        "mantissa_width": lambda format: _concentrate(format).mantissa,
        "max_exponent": lambda format: _concentrate(format).largest,
        "addr_width": lambda format: format.address_bits,
        "otype_bits": lambda format: format.otype.width,
        "otype_unsealed": lambda format: format.otypes.unsealed,
        "otype_sentry": lambda format: format.otypes.sentry,
        "max_representable_otype": lambda format: mask(format.otype.width),
        "min_reserved_otype": lambda format: min(format.otypes.reserved),
        "max_reserved_otype": lambda format: max(format.otypes.reserved),
        "perms_mask": lambda format: format.permissions.mask,
        "perms_all_hw": library.library_architectural_permissions,
        "perms_sw_all": library.software_permissions,
        "perms_reserved_ones": lambda format: format.permissions.ones,
        "sail_null_pesbt": lambda format: format.null,
        "sail_root_pesbt": lambda format: format.root,
    }
)
