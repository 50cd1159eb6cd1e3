"""Capabilities to test with: derived ones, as instructions make them, and garbage, as memory may hold."""

from __future__ import annotations

from hypothesis import strategies as st

from capability.cheri.capability import Capability
from capability.cheri.format import Format
from capability.cheri.formats import FORMATS
from capability.cheri.isa import ISAS, ISAV8_64, ISAV8_128, Isa
from capability.cheri.move import set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import and_perms

CONCENTRATED = [format for format in FORMATS.values() if format.name != "cheriot"]
CLEARING = list(ISAS)
TRAPPING = [ISAV8_128, ISAV8_64]

isas = st.sampled_from(CLEARING)
formats = st.sampled_from(list(FORMATS.values()))


def near_powers(bits: int) -> st.SearchStrategy[int]:
    """Numbers of up to `bits` bits, many of them near powers of two, where rounding changes."""
    edges = st.builds(lambda exponent, delta: (1 << exponent) + delta, st.integers(0, bits), st.integers(-9, 9))
    return st.one_of(edges, st.integers(0, 1 << bits), st.integers(0, 1 << 13)).map(lambda n: min(max(n, 0), 1 << bits))


def addresses(format: Format) -> st.SearchStrategy[int]:
    top = (1 << format.address_bits) - 1
    return st.one_of(near_powers(format.address_bits), near_powers(20).map(lambda n: top - n)).map(lambda n: n & top)


def garbage(format: Format) -> st.SearchStrategy[Capability]:
    """Any bits, untagged."""
    word = st.integers(0, (1 << format.address_bits) - 1)
    return st.builds(lambda pesbt, address: Capability(format, pesbt, address, False), word, addresses(format))


@st.composite
def derived(draw: st.DrawFn, isa: Isa) -> Capability:
    """A tagged capability that instructions made from the root: narrowed up to twice, stripped, moved."""
    format = isa.format
    cap = Capability.root(format, draw(st.sampled_from(list(format.roots))))
    for _ in range(draw(st.integers(0, 2))):
        room = cap.top - cap.base
        offset = draw(st.one_of(near_powers(room.bit_length() - 1), st.integers(0, room))) if room else 0
        moved = set_address(cap, (cap.base + min(offset, room)) & ((1 << format.address_bits) - 1), isa)
        length = draw(near_powers(format.address_bits))
        narrowed = set_bounds(moved, min(length, max(cap.top - moved.address, 0)), isa)
        cap = narrowed if narrowed.tag else cap
    if draw(st.booleans()):
        cap = and_perms(cap, draw(st.integers(0, format.permissions.mask)), isa)
    moved = set_address(cap, draw(st.one_of(st.integers(cap.base, cap.top), addresses(format))) & _ones(format), isa)
    return moved if moved.tag else cap


def _ones(format: Format) -> int:
    return (1 << format.address_bits) - 1
