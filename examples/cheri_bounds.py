"""What compressed bounds cost: how blocks are padded and aligned so that their bounds are exact.

You learn why an allocator for CHERI asks before it places a block. A capability has few bits for its bounds; long
blocks have coarse ones. Bounds that were rounded outward would reach the neighbour.
Run it: python examples/cheri_bounds.py
"""

from __future__ import annotations

from capability.cheri.capability import Capability
from capability.cheri.isa import CHERIOT, ISAV9_128, MORELLO, RISCV_64, Isa
from capability.cheri.move import set_address
from capability.cheri.narrow import representable_length, representable_mask, set_bounds

SIZES = (40, 511, 513, 4097, 20_473, 65_537, 100_001, 1_000_001)
ISAS = (ISAV9_128, MORELLO, RISCV_64, CHERIOT)


def needs(size: int, isa: Isa) -> tuple[int, int]:
    """What base and length of a block must be multiples of, and the padded length."""
    space = 1 << isa.format.address_bits
    return -representable_mask(size, isa) % space, representable_length(size, isa)


def worst(isa: Isa) -> tuple[int, float]:
    """The size up to 1 MiB, one above a power of two, at which the largest share is padding."""
    candidates = [(1 << power) + 1 for power in range(4, 20)]
    found = max(candidates, key=lambda size: needs(size, isa)[1] / size)
    return found, needs(found, isa)[1] / found - 1


def main() -> None:
    """The table, the worst size of each format, and what happens to who does not ask."""
    print("bytes of padding / alignment needed")
    print(f"{'malloc of':>12}" + "".join(f"{isa!s:>26}" for isa in ISAS))
    for size in SIZES:
        cells = [(length - size, unit) for unit, length in (needs(size, isa) for isa in ISAS)]
        print(f"{size:>12,}" + "".join(f"{padding:>15,} / {unit:<8,}" for padding, unit in cells))
    for isa in ISAS:
        size, share = worst(isa)
        print(f"{isa!s:>26}: at worst {share:.2%} of padding, for {size:,} bytes")

    root = set_address(Capability.root(MORELLO.format), 0x10010, MORELLO)
    rounded = set_bounds(root, 65_537, MORELLO)
    print(f"\nMorello, 65,537 bytes at 0x10010 without asking: {rounded}")
    print(
        f"{rounded.base:#x} is {0x10010 - rounded.base} bytes before the block, {rounded.top:#x} is "
        f"{rounded.top - 0x10010 - 65_537} bytes behind its end: the pointer reaches the neighbours"
    )


if __name__ == "__main__":
    main()
