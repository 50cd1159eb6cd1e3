"""The rows of CHERI vectors: the fields of each operation, answered by the models and by the library-only functions.

Where the file was made by CTSRD-CHERI/cheri-compressed-cap, its own answers are compared with the functions that carry
the library's name, and the fields that name an instruction with that instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from capability.cheri import ideal, library
from capability.cheri.capability import Capability
from capability.cheri.concentrate import Concentrate
from capability.cheri.format import Format
from capability.cheri.formats import FORMATS
from capability.cheri.isa import ISAS, Isa
from capability.cheri.move import increment, set_address
from capability.cheri.narrow import narrowed, set_bounds, set_bounds_exactly
from capability.cheri.seal import with_otype
from capability.word import WidthError, mask
from m4alloc.vectors import cheri_access, cheri_constants
from m4alloc.vectors.cheri_text import Numbers, flag, small
from m4alloc.vectors.row import Mismatch, Row, RowError, compare

ISA_OF: Mapping[str, Isa] = MappingProxyType({isa.format.name: isa for isa in ISAS})


def check(name: str, operation: str, row: Row) -> list[Mismatch]:
    """The fields of one row on which the format's model and the reference disagree.  Raises RowError.

    >>> check("64", "crrl", {"len": "0x00000041", "crrl": "0x00000048", "cram": "0xfffffff8", "align": "0x00000010"})
    [Mismatch(field='align', reference='0x00000010', model='0x00000008')]
    """
    try:
        answers = _OPERATIONS[operation](FORMATS[name], row)
    except KeyError as missing:
        raise RowError(f"the row has no field {missing}: it has {', '.join(row)}") from missing
    except WidthError as wide:
        raise RowError(str(wide)) from wide
    return compare(row, answers)


def decode(format: Format, row: Row) -> dict[str, object]:
    """pesbt and address to everything that they say; `sail_ok` to the ideal form's agreement with the fast one."""
    show = Numbers(format)
    capability = _capability(format, row, flag(row, "tag"))
    split = format.bounds.split(capability.pesbt & mask(format.bounds.width))
    return {
        "mem": show.word(capability.pesbt ^ format.xor),
        "base": show.word(capability.base),
        "top": show.long(capability.top),
        "exp": split.exponent % 256,
        "ie": split.internal,
        "B": split.bottom,
        "T": split.top,
        "bounds_valid": capability.decoded.valid,
        "perms": hex(format.permissions.read(capability.pesbt)),
        "otype": capability.otype,
        "sealed": capability.sealed,
        "flags": capability.flags,
        "reserved": show.word(capability.reserved),
        "level": capability.level,
        "sail_ok": _ideal_agrees(capability),
    }


def compress(format: Format, row: Row) -> dict[str, object]:
    """Bounds to bits and back."""
    show = Numbers(format)
    base, top = show.read(row, "base"), show.read_long(row, "top")
    encoding = format.bounds.encode(base, top)
    decoded = format.bounds.decode(encoding.bits, base)
    return {
        "exact": encoding.exact,
        "ebt": show.bounds(encoding.bits),
        "mask": show.word(-library.library_alignment(format, base, top)),
        "exp": format.bounds.split(encoding.bits).exponent,
        "dec_base": show.word(decoded.base),
        "dec_top": show.long(decoded.top),
        "roundtrip": decoded[:2] == (base, top),
    }


def setbounds(format: Format, row: Row) -> dict[str, object]:
    """A new address by the library's rule, then new bounds by the instruction's."""
    show, isa = Numbers(format), ISA_OF[format.name]
    capability = _capability(format, row, flag(row, "tag"))
    at, length = show.read(row, "req_base"), show.read_long(row, "req_len")
    if row["kind"] == "garbage":
        moved = capability.with_bits(capability.pesbt, at, True)
    else:
        moved = library.library_set_address(capability, at)
    result, encoding = narrowed(moved, length)
    again = Capability(format, result.pesbt, result.address, False)
    return {
        "in_base": show.word(capability.base),
        "in_top": show.long(capability.top),
        "tag_after_setaddr": moved.tag,
        "out_pesbt": show.word(result.pesbt),
        "out_addr": show.word(result.address),
        "out_base": show.word(result.base),
        "out_top": show.long(result.top),
        "exp": format.bounds.split(encoding.bits).exponent,
        "exact": encoding.exact,
        "out_tag": set_bounds(moved, length, isa).tag,
        "out_tag_exact": set_bounds_exactly(moved, length, isa).tag,
        "redecode_same": again.decoded == result.decoded,
        "sail_ok": _ideal_agrees(result),
    }


def setaddr(format: Format, row: Row) -> dict[str, object]:
    """A new address: what the library's checks, Sail's, and the two instructions make of it."""
    show, isa = Numbers(format), ISA_OF[format.name]
    capability = _capability(format, row, flag(row, "tag"))
    at = show.read(row, "new_addr")
    codec = format.bounds
    moved = library.library_set_address(capability, at)
    sail_precise = library.recorded_sail_precise(capability, at)
    sail_fast = codec.keeps_bounds_fast(capability.pesbt & mask(codec.width), capability.address, at)
    if library.has_no_fast_check(format):
        sail_fast = sail_precise  # the harness's artefact included
    return {
        "base": show.word(capability.base),
        "top": show.long(capability.top),
        "inc": show.word(at - capability.address),
        "rep": library.library_is_representable(capability, at, precise=False),
        "rep_precise": library.library_is_representable(capability, at, precise=True),
        "raw_fast": library.library_fast_check(capability, at),
        "raw_precise": library.library_precise_check(capability, at),
        "out_tag": moved.tag,
        "out_addr": show.word(moved.address),
        "out_base": show.word(moved.base),
        "out_top": show.long(moved.top),
        "sail_fast": sail_fast,
        "sail_precise": sail_precise,
        "isa_tag_add": increment(capability, at - capability.address, isa).tag,
        "isa_tag_setaddr": set_address(capability, at, isa).tag,
    }


def crrl(format: Format, row: Row) -> dict[str, object]:
    """A length to the representable length and the mask, as the library works them out."""
    show = Numbers(format)
    length = show.read(row, "len")
    kept = library.library_mask(format, length)
    answers: dict[str, object] = {
        "crrl": show.word(library.library_length(format, length)),
        "cram": show.word(kept),
        "align": show.word(-kept),
    }
    if "sail_ok" in row:
        assert isinstance(format.bounds, Concentrate)
        answers["sail_ok"] = not length or -ideal.encode(format.bounds, 0, length).alignment == kept - (
            1 << format.address_bits
        )
    return answers


def perms(format: Format, row: Row) -> dict[str, object]:
    """Permissions AND a mask, written exactly or not at all."""
    if small(row, "lvbits", 1) == 0:
        format = format.without_levels()
    show = Numbers(format)
    codec = format.permissions
    capability = Capability(format, show.read(row, "pesbt"), 0, False)
    wanted = codec.read(capability.pesbt) & show.read(row, "mask")
    result, done = library.library_set_permissions(capability, wanted)
    return {
        "perms": hex(codec.read(capability.pesbt)),
        "out_pesbt": show.word(result.pesbt),
        "out_perms": hex(codec.read(result.pesbt)),
        "set_ok": done,
    }


def seal(format: Format, row: Row) -> dict[str, object]:
    """The otype field written and cleared again; a sealed capability loses its tag to any new address."""
    show = Numbers(format)
    capability = _capability(format, row, True)
    otype = small(row, "otype", format.otype.mask >> format.otype.low)
    sealed = with_otype(capability, otype)
    return {
        "out_pesbt": show.word(sealed.pesbt),
        "out_mem": show.word(sealed.pesbt ^ format.xor),
        "sealed": sealed.sealed,
        "reserved_otype": format.otypes.is_reserved(otype),
        "base": show.word(sealed.base),
        "top": show.long(sealed.top),
        "tag_after_setaddr_same": library.library_set_address(sealed, sealed.address).tag,
        "unsealed_pesbt": show.word(with_otype(sealed, format.otypes.unsealed).pesbt),
    }


def _capability(format: Format, row: Row, tag: bool) -> Capability:
    show = Numbers(format)
    return Capability(format, show.read(row, "pesbt"), show.read(row, "addr"), tag)


def _ideal_agrees(capability: Capability) -> bool:
    """What the second implementation says, of which the reference recorded whether it agreed with the first."""
    codec = capability.format.bounds
    assert isinstance(codec, Concentrate)
    return ideal.decode(codec, capability.pesbt & mask(codec.width), capability.address) == capability.decoded


_OPERATIONS: Mapping[str, Callable[[Format, Row], Mapping[str, object]]] = MappingProxyType(
    {
        "decode": decode,
        "compress": compress,
        "setbounds": setbounds,
        "setaddr": setaddr,
        "crrl": crrl,
        "perms": perms,
        "seal": seal,
        "constants": cheri_constants.constants,
        "rrmask": cheri_access.rrmask,
        "access": cheri_access.access,
    }
)
