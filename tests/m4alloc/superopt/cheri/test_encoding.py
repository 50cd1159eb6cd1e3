"""m4alloc.superopt.cheri.encoding: the formulas are `capability.cheri.concentrate`."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from capability.cheri.concentrate import Concentrate
from capability.cheri.formats import FORMATS
from capability.cheri.isa import ISAV9_128, MORELLO, RISCV_128
from m4alloc.superopt.cheri import encoding
from m4alloc.superopt.cheri.layout import scaled
from m4alloc.superopt.cheri.words import Word

FULL = {name: format.bounds for name, format in FORMATS.items() if isinstance(format.bounds, Concentrate)}
SMALL = {f"{isa} scaled": scaled(isa).codec for isa in (ISAV9_128, MORELLO, RISCV_128)}


@pytest.mark.parametrize("codec", [*FULL.values(), *SMALL.values()], ids=[*FULL, *SMALL])
def test_every_formula_agrees_with_the_codec_on_edge_biased_numbers(codec: Concentrate) -> None:
    random, bits = Random(11), codec.address_bits
    space = 1 << bits
    for number in range(250):
        address = random.getrandbits(random.randrange(1, bits + 1))
        length = random.getrandbits(random.randrange(1, bits + 1))
        packed = codec.encode(address, address + length)
        stored = packed.bits if number % 2 else random.getrandbits(codec.width)
        old = (address + random.randrange(length + 1)) % space
        new = (old + random.randrange(-2 * length - 2, 2 * length + 2)) % space
        word, before, after = Word(stored, codec.width), Word(old, bits), Word(new, bits)
        decoded, encoded = (
            encoding.decode(codec, word, before),
            encoding.encode(codec, Word(address, bits), Word(length, bits + 1)),
        )
        assert (decoded.base.raw, decoded.top.raw, decoded.valid.raw) == tuple(codec.decode(stored, old))
        assert (encoded.bits.raw, encoded.exact.raw, 1 << encoded.shift.raw) == tuple(packed)
        assert encoding.keeps_bounds(codec, word, before, after).raw == codec.keeps_bounds(stored, old, new)
        assert encoding.keeps_bounds_fast(codec, word, before, after).raw == codec.keeps_bounds_fast(stored, old, new)
        assert encoding.counted(codec, before).raw == codec.counted(old)
        exponent = encoding.split(codec, word).exponent
        assert encoding.changes_sign(codec, exponent, before, after).raw == codec.changes_sign(stored, old, new)
        if codec.split(stored).exponent >= 0:
            assert encoding.depends_on_address(codec, exponent).raw == codec.depends_on_address(stored)


@pytest.mark.parametrize("codec", SMALL.values(), ids=[*SMALL])
def test_the_scaled_formats_decode_every_encoding_as_the_codec_does(codec: Concentrate) -> None:
    addresses = np.arange(256, dtype=np.int64)
    for stored in range(0, 1 << codec.width, 7):
        found = encoding.decode(codec, Word(stored, codec.width), Word(addresses, 8))
        base, top, valid = (np.broadcast_to(np.asarray(one.raw), (256,)) for one in found)
        expected = [codec.decode(stored, address) for address in range(256)]
        assert [tuple(one) for one in expected] == list(zip(base.tolist(), top.tolist(), valid.tolist(), strict=True))


@pytest.mark.parametrize("codec", SMALL.values(), ids=[*SMALL])
def test_the_scaled_formats_round_outward_and_no_further_than_needed(codec: Concentrate) -> None:
    for base in range(0, 128 if codec.signed_bits else 256, 3):
        seen = codec.counted(base)
        for length in range(0, 257 - seen, 2):
            packed = codec.encode(seen, seen + length)
            first, top, valid = codec.decode(packed.bits, base)
            unit = packed.alignment
            assert (first, top, valid) == (seen & -unit, -(-(seen + length) // unit) * unit, True)
