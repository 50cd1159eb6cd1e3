"""The dot product on capability memory: every load of both versions goes through a bounded Morello capability.

Run it: python examples/dot/morello.py        (needs clang and llvmlite)

No Morello processor is involved: loads are checked by `capability`, and what is computed from the loaded bytes comes
from the tables that the proof compared.  The rewrite reads no byte that the plain code does not, so that it faults
nowhere else.
"""

from __future__ import annotations

import random
from pathlib import Path

from capability.architecture import Access
from capability.cheri.access import check_access
from capability.cheri.capability import Capability
from capability.cheri.isa import MORELLO
from capability.cheri.narrow import set_bounds_exactly
from capability.fault import Fault
from capability.memory import TaggedMemory
from m4alloc.superopt import source
from m4alloc.superopt.idioms_dot import candidates
from m4alloc.superopt.idioms_lanes import Evaluated, evaluate
from m4alloc.superopt.idioms_prove import plain
from m4alloc.superopt.idioms_tables import Arithmetic, Leaf
from m4alloc.superopt.ir import Function

BLOCKS, Q4, Q8 = 8, 20, 36
"""Blocks of a row, and the bytes of a block of each kind."""
WEIGHTS, VALUES = 0x10000, 0x20000
HERE = Path(__file__).parent


def functions() -> dict[str, Function]:
    """The sum of one 4-bit block as plain code, its loop written out, and the best proved form."""
    function, _ = plain(source.read(HERE / "before.c", "sum_q4", flags=("-DALONE",)).function("sum_q4"), 64)
    best = candidates(function)[0]
    assert best.verdict.accepted
    return {"plain": function, best.way: best.function}


def memory() -> TaggedMemory:
    """One row of weights and the vector, filled at random, the same each time."""
    found = TaggedMemory()
    filling = random.Random(4)
    found.store(WEIGHTS, filling.randbytes(BLOCKS * Q4))
    found.store(VALUES, filling.randbytes(BLOCKS * Q8))
    return found


def bounded(address: int, size: int) -> Capability:
    """A capability to these bytes and to no others."""
    return set_bounds_exactly(Capability.root(MORELLO.format, address=address), size, MORELLO)


def block_sum(
    evaluated: Evaluated, held: TaggedMemory, through: dict[str, Capability], addresses: dict[str, int]
) -> int:
    """Run the loads, each checked, and give the sum of the block at these addresses; Fault where one is refused."""
    found: dict[Leaf, int] = {}
    for load in evaluated.loads:
        base, offset = load.address.base, load.address.offset
        check_access(through[base], addresses[base] + offset, load.size, Access.LOAD, MORELLO)
        data = held.load(addresses[base] + offset, load.size)
        found.update({Leaf(base, offset + k): byte for k, byte in enumerate(data)})
    (lane,) = evaluated.lanes
    assert lane is not None
    value = Arithmetic().joined(lane)
    total = sum(int(table[tuple(found[leaf] for leaf in leaves)]) for leaves, table in value.tables.items())
    return (total + (1 << 31)) % (1 << 32) - (1 << 31)


def row(function: Function, held: TaggedMemory, size: int) -> list[int]:
    """The sums of a row's blocks, the weights reached through a capability of `size` bytes."""
    evaluated = evaluate(function, Arithmetic())
    through = {"x": bounded(WEIGHTS, size), "y": bounded(VALUES, BLOCKS * Q8)}
    return [block_sum(evaluated, held, through, {"x": WEIGHTS + k * Q4, "y": VALUES + k * Q8}) for k in range(BLOCKS)]


def main() -> None:
    """Both versions over the whole row, then with the last block out of bounds."""
    held = memory()
    for name, function in functions().items():
        loads = len(evaluate(function, Arithmetic()).loads)
        print(f"{name}: {loads} loads a block, sums {row(function, held, BLOCKS * Q4)}")
        try:
            row(function, held, (BLOCKS - 1) * Q4)
        except Fault as fault:
            print(f"  one block short: {fault}")


if __name__ == "__main__":
    main()
