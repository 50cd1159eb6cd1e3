"""What the reference allocator is tested on: every policy, and every kind of architecture that the seam allows."""

from __future__ import annotations

from capability.adi.mcd import Thread
from capability.adi.protection import Adi
from capability.architecture import Architecture
from capability.cheri.isa import CHERIOT, ISAV9_64, MORELLO, RISCV_64, RISCV_128
from capability.cheri.protection import Cheri
from capability.flat import Flat
from capability.mte.policy import POLICIES as TAG_POLICIES
from capability.mte.protection import MTE
from capability.sgx.protection import Sgx
from spec.policy import Anywhere, BestFit, FirstFit, Policy, SegregatedSizeClasses

COARSE = Cheri(ISAV9_64)
"""Capabilities of 64 bits with a mantissa of 8: blocks from 64 bytes on need alignment and padding."""

ARCHITECTURES: list[Architecture] = [
    Flat(),
    Flat(granule=64),
    Cheri(),
    Cheri(sweep_at=1 << 11),
    COARSE,
    *(Cheri(isa) for isa in (MORELLO, RISCV_128, RISCV_64, CHERIOT)),
    *(MTE(policy) for policy in TAG_POLICIES.values()),
    Adi(),
    Adi(thread=Thread(mcdperr=True)),
    Sgx(trim_at=2),
]
POLICIES: list[Policy] = [
    FirstFit(),
    BestFit(),
    Anywhere(),
    SegregatedSizeClasses(classes=(16, 32, 48, 64, 128, 256, 512), large_unit=256),
]
