"""The fast form of CHERI Concentrate is the ideal one, and bounds survive being stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.cheri import ideal
from capability.cheri.bounds import Mantissas
from capability.cheri.concentrate import Concentrate
from capability.cheri.format import Format
from capability.cheri.formats import FORMATS, ISAV9_128, MORELLO_128, RISCV_64, RISCV_128
from capability.word import WidthError, mask
from tests.capability.cheri.strategies import CONCENTRATED, addresses, near_powers

each_format = pytest.mark.parametrize("format", CONCENTRATED, ids=lambda format: format.name)
every_format = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda format: format.name)


def concentrate(format: Format) -> Concentrate:
    assert isinstance(format.bounds, Concentrate)
    return format.bounds


def blocks(format: Format) -> st.SearchStrategy[tuple[int, int]]:
    """(base, top) in the address space, of every order of length."""

    def place(base: int, length: int) -> tuple[int, int]:
        base &= mask(format.address_bits)
        return base, min(base + length, 1 << format.address_bits)

    return st.builds(place, addresses(format), near_powers(format.address_bits))


@each_format
@given(data=st.data())
def test_the_fast_decoding_is_the_ideal_one_for_all_bits(format: Format, data: st.DataObject) -> None:
    codec = concentrate(format)
    bits = data.draw(st.integers(0, mask(codec.width)))
    address = data.draw(addresses(format))
    assert codec.decode(bits, address) == ideal.decode(codec, bits, address)


@each_format
@given(data=st.data())
def test_the_fast_encoding_is_the_ideal_one(format: Format, data: st.DataObject) -> None:
    codec = concentrate(format)
    base, top = data.draw(blocks(format))
    assert codec.encode(base, top) == ideal.encode(codec, base, top)


@every_format
@given(data=st.data())
def test_what_is_encoded_is_decoded_and_rounding_is_outward(format: Format, data: st.DataObject) -> None:
    base, top = data.draw(blocks(format))
    if format is MORELLO_128:
        base = top = format.bounds.counted(base)
        top += data.draw(st.integers(0, (1 << 64) - base))
    encoding = format.bounds.encode(base, top)
    decoded = format.bounds.decode(encoding.bits, base)
    unit = encoding.alignment
    outward = (base & -unit, (top + unit - 1) & -unit)
    if outward[1] <= 1 << format.address_bits:
        assert decoded[:2] == outward and decoded.valid
    assert encoding.exact == (outward == (base, top))


@every_format
@given(data=st.data())
def test_every_address_in_bounds_decodes_to_the_same_bounds(format: Format, data: st.DataObject) -> None:
    base, top = data.draw(blocks(format))
    if format is MORELLO_128 and (base ^ top) >> 55:
        return  # across bit 55 Morello's bounds do change: test_move has that
    base, top = format.bounds.counted(base), format.bounds.counted(top) if format is MORELLO_128 else top
    if not base < top:
        return
    encoding = format.bounds.encode(base, top)
    if encoding.exact:
        inside = data.draw(st.integers(base, top - 1))
        assert format.bounds.decode(encoding.bits, inside)[:2] == (base, top)


@each_format
@given(data=st.data())
def test_mantissas_are_put_together_as_they_were_taken_apart(format: Format, data: st.DataObject) -> None:
    codec = concentrate(format)
    bits = data.draw(st.integers(0, mask(codec.width)))
    fields = codec.split(bits)
    assert ideal.assemble(codec, fields) == bits


@each_format
def test_the_root_and_null_cover_the_whole_address_space(format: Format) -> None:
    for word in (format.root, format.null):
        assert format.bounds.decode(word & mask(format.bounds.width), 0) == (0, 1 << format.address_bits, True)


@pytest.mark.parametrize(
    ("format", "exact", "inexact", "rounded"),
    [("128", 4096, 4097, 4104), ("128m", 16384, 16385, 16392), ("64", 64, 65, 72), ("64r", 512, 513, 520)],
)
def test_the_first_lengths_that_need_alignment_are_those_that_were_measured(
    format: str, exact: int, inexact: int, rounded: int
) -> None:
    codec = FORMATS[format].bounds
    assert codec.encode(3, 3 + exact - 1).exact and not codec.encode(3, 3 + exact).exact
    assert codec.encode(0, exact).exact and not codec.encode(0, inexact).exact
    assert codec.decode(codec.encode(0, inexact).bits, 0).top == rounded


def test_isav9_clamps_an_exponent_that_is_too_large() -> None:
    codec = ISAV9_128.bounds
    fields = codec.split(ISAV9_128.root & mask(27))
    assert fields == Mantissas(52, True, 0, 4096)
    largest = ideal.assemble(concentrate(ISAV9_128), fields._replace(exponent=63))
    assert codec.split(largest).exponent == 63
    assert codec.decode(largest, 0) == (0, 1 << 64, True)


@pytest.mark.parametrize(("exponent", "valid"), [(50, True), (51, False), (62, False), (63, True)])
def test_morello_has_all_of_memory_beyond_its_largest_exponent_and_calls_only_63_valid(
    exponent: int, valid: bool
) -> None:
    codec = concentrate(MORELLO_128)
    bits = ideal.assemble(codec, Mantissas(exponent, True, 0, 1 << 14))
    assert codec.decode(bits, 0x1234) == (0, 1 << 64, valid)


@pytest.mark.parametrize(
    ("format", "fields"),
    [
        (RISCV_128, Mantissas(-1, True, 0, 0)),
        (RISCV_128, Mantissas(52, True, 8, 0)),
        (RISCV_128, Mantissas(51, True, 1 << 13, 0)),
        (RISCV_64, Mantissas(-7, True, 0, 0)),
        (RISCV_64, Mantissas(0, True, 0, 0)),
        (RISCV_64, Mantissas(23, True, 1 << 9, 0)),
    ],
    ids=str,
)
def test_the_riscv_drafts_malformed_encodings_have_no_bounds(format: Format, fields: Mantissas) -> None:
    codec = concentrate(format)
    bits = ideal.assemble(codec, fields)
    assert codec.split(bits).exponent == fields.exponent
    assert codec.decode(bits, mask(format.address_bits)) == (0, 0, False)


@pytest.mark.parametrize(("base", "top"), [(-1, 5), (1 << 64, (1 << 64) + 1), (8, 7), (0, (1 << 64) + 1)])
def test_bounds_that_do_not_fit_are_refused_with_the_range(base: int, top: int) -> None:
    with pytest.raises(WidthError, match="0 <= "):
        ISAV9_128.bounds.encode(base, top)
