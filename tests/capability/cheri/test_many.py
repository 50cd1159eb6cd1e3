"""The compiled twin gives the readable original's answers, for every format and for garbage too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capability.cheri.capability import Capability
from capability.cheri.format import Format
from capability.cheri.formats import CHERIOT, ISAV9_64, ISAV9_128
from capability.cheri.isa import ISAS, ISAV8_128, Isa
from capability.cheri.narrow import narrowed, set_bounds
from capability.word import WidthError, mask
from tests.capability.cheri.strategies import CONCENTRATED, derived, garbage, near_powers

pytest.importorskip("numba", reason="pip install 'm4alloc[fast]'")
from capability.cheri.many import decode_many, set_bounds_many

CLEARING = [isa for isa in ISAS if isa.format is not CHERIOT]


@pytest.mark.parametrize("format", CONCENTRATED, ids=lambda format: format.name)
@settings(deadline=None)
@given(data=st.data())
def test_many_bounds_are_decoded_as_one_by_one(format: Format, data: st.DataObject) -> None:
    caps = data.draw(st.lists(garbage(format), min_size=1, max_size=20))
    found = decode_many(format, [cap.pesbt for cap in caps], [cap.address for cap in caps])
    for number, cap in enumerate(caps):
        base, top, beyond, valid = (column[number] for column in found)
        assert (int(base), int(top) + (int(beyond) << format.address_bits), bool(valid)) == cap.decoded


@pytest.mark.slow
@pytest.mark.parametrize("isa", CLEARING, ids=str)
@settings(deadline=None)
@given(data=st.data())
def test_many_bounds_are_set_as_one_by_one(isa: Isa, data: st.DataObject) -> None:
    one = st.one_of(garbage(isa.format), derived(isa))
    caps = data.draw(st.lists(one, min_size=1, max_size=20))
    lengths = [data.draw(near_powers(isa.format.address_bits)) & mask(isa.format.address_bits) for _ in caps]
    pesbts, addresses, tags = ([getattr(cap, name) for cap in caps] for name in ("pesbt", "address", "tag"))
    found = set_bounds_many(isa, pesbts, addresses, lengths, tags)
    for number, (cap, length) in enumerate(zip(caps, lengths, strict=True)):
        result = set_bounds(cap, length, isa)
        assert int(found.pesbt[number]) == result.pesbt
        assert bool(found.tag[number]) == result.tag
        assert bool(found.exact[number]) == narrowed(cap, length)[1].exact


def test_shapes_are_kept_and_must_agree() -> None:
    assert decode_many(ISAV9_128, [[ISAV9_128.root] * 3] * 2, [[0] * 3] * 2).base.shape == (2, 3)
    with pytest.raises(WidthError, match="shapes must be equal"):
        decode_many(ISAV9_128, [0, 0], [0])
    with pytest.raises(WidthError, match="they must be equal"):
        set_bounds_many(ISAS[0], [0, 0], [0, 0], [0])


def test_values_that_do_not_fit_are_refused_with_the_range() -> None:
    with pytest.raises(WidthError, match="0x100000000 does not fit in 32 bits: 0 <= value <= 0xffffffff"):
        decode_many(ISAV9_64, [1 << 32], [0])
    for value in (-1, 1 << 64, 0.5):
        with pytest.raises(WidthError, match="0 <= value"):
            decode_many(ISAV9_128, [value], [0])


def test_what_has_no_twin_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="format cheriot is not CHERI Concentrate"):
        decode_many(CHERIOT, [0], [0])
    with pytest.raises(ValueError, match="ISAv8 128 traps"):
        set_bounds_many(ISAV8_128, [0], [0], [0])


def test_the_root_is_one_of_many() -> None:
    root = Capability.root(ISAV9_128)
    found = decode_many(ISAV9_128, [root.pesbt], [0])
    assert (found.base[0], found.top[0], bool(found.beyond[0])) == (0, 0, True)
