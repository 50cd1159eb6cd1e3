"""m4alloc.superopt.cheri.layout: what the formulas know of an instruction set is what the instruction set says."""

from __future__ import annotations

import pytest

from capability.cheri.capability import Capability
from capability.cheri.isa import CHERIOT, ISAV8_128, ISAV9_64, ISAV9_128, MORELLO, RISCV_64, RISCV_128, Isa
from capability.cheri.permit import limit_rights
from capability.perms import Perms
from m4alloc.superopt.cheri.layout import layout_of, scaled
from m4alloc.superopt.cheri.symbol import Cap
from m4alloc.superopt.cheri.symbolic import SymbolicMachine
from m4alloc.superopt.cheri.term import TermError
from m4alloc.superopt.cheri.words import TRUE, Word

ISAS = (ISAV9_128, ISAV8_128, MORELLO, RISCV_128, ISAV9_64)
NAMES = {
    "is_global": Perms.GLOBAL,
    "execute": Perms.PERMIT_EXECUTE,
    "load": Perms.PERMIT_LOAD,
    "store": Perms.PERMIT_STORE,
    "seal": Perms.PERMIT_SEAL,
    "unseal": Perms.PERMIT_UNSEAL,
}


@pytest.mark.parametrize("isa", ISAS, ids=str)
def test_each_right_is_the_bit_that_the_format_calls_so(isa: Isa) -> None:
    layout = layout_of(isa)
    machine = SymbolicMachine(layout)
    root = Capability.root(isa.format)
    clearing = ISAV9_128 if isa is ISAV8_128 else isa
    for name, right in NAMES.items():
        if right not in root.rights:
            continue
        for cap in (root, limit_rights(root, ~right, clearing)):
            symbol = Cap(Word(cap.pesbt, layout.upper_bits), Word(0, layout.address_bits), TRUE)
            assert machine.has(symbol, getattr(layout.rights, name)).raw == (right in cap.rights)


@pytest.mark.parametrize("isa", ISAS, ids=str)
def test_a_scaled_layout_keeps_the_rules_and_has_small_words(isa: Isa) -> None:
    full, small = layout_of(isa), scaled(isa)
    assert (small.trapping, small.increment, small.set_address) == (full.trapping, full.increment, full.set_address)
    assert (small.address_bits, small.upper_bits, small.is_scaled) == (8, small.codec.width + 5, True)
    assert small.format != full.format


@pytest.mark.parametrize("isa", [RISCV_64, CHERIOT], ids=str)
def test_what_only_the_concrete_model_speaks_is_said(isa: Isa) -> None:
    with pytest.raises(TermError, match="has no proofs: its permissions or its bounds"):
        layout_of(isa)
