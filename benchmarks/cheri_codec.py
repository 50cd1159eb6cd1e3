"""CHERI set-bounds and decode: operations a second, readable Python and compiled twin, for every format.

    python benchmarks/cheri_codec.py [--count 20000] [--many 2000000] [--rounds 5] [--json FILE]

One operation of the readable column sets the bounds of a capability and decodes the result; the compiled columns set
bounds or decode arrays. A cell is the best of all rounds, in CPU time; compilation is not counted.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

from capability.cheri.capability import Capability
from capability.cheri.isa import ISAV9_64, ISAV9_128, MORELLO, RISCV_64, RISCV_128, Isa
from capability.cheri.narrow import set_bounds
from m4alloc.bench.peer import machine
from m4alloc.view.text import table

ISAS = {isa.format.name: isa for isa in (ISAV9_128, MORELLO, RISCV_128, ISAV9_64, RISCV_64)}
COLUMNS = ("set_bounds + decode", "set_bounds_many", "decode_many")


def blocks(isa: Isa, count: int, seed: int) -> tuple[list[int], list[int]]:
    """Addresses and lengths as an allocator would ask for them: most short, some of every order of size."""
    chosen = random.Random(seed)
    bits = isa.format.address_bits
    addresses = [chosen.randrange(1 << min(bits - 2, 47)) & -16 for _ in range(count)]
    lengths = [1 + chosen.randrange(1 << chosen.randrange(4, bits - 3)) for _ in range(count)]
    return addresses, lengths


def best(rounds: int, count: int, work: Callable[[], object]) -> float:
    """Operations a second in the best round."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return count / max(min(taken), 1e-9)


def readable(isa: Isa, count: int, rounds: int) -> float:
    addresses, lengths = blocks(isa, count, 1)
    starts = [Capability.root(isa.format, address=address) for address in addresses]

    def work() -> None:
        for start, length in zip(starts, lengths, strict=True):
            set_bounds(start, length, isa).decoded  # noqa: B018 - the decoding is what is timed

    return best(rounds, count, work)


def compiled(isa: Isa, count: int, rounds: int) -> tuple[float, float]:
    import numpy as np

    from capability.cheri.many import decode_many, set_bounds_many

    addresses, lengths = (np.array(column, np.uint64) for column in blocks(isa, count, 1))
    roots = np.full(count, isa.format.root, np.uint64)
    narrowed = set_bounds_many(isa, roots, addresses, lengths).pesbt
    decode_many(isa.format, narrowed, addresses)
    return (
        best(rounds, count, lambda: set_bounds_many(isa, roots, addresses, lengths)),
        best(rounds, count, lambda: decode_many(isa.format, narrowed, addresses)),
    )


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="operations a round, readable (default %(default)s)")
    parser.add_argument("--many", type=int, default=2_000_000, help="elements a round, compiled (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the best counts (default %(default)s)")
    parser.add_argument("--json", type=Path, help="write the result there")
    arguments = parser.parse_args(words)
    result: dict[str, dict[str, float]] = {}
    for name, isa in ISAS.items():
        row = [readable(isa, arguments.count, arguments.rounds)]
        try:
            row += compiled(isa, arguments.many, arguments.rounds)
        except ModuleNotFoundError as missing:
            print(missing)
        result[name] = dict(zip(COLUMNS, row, strict=False))
    rows = [
        [name, *(f"{cells[column]:,.0f}" if column in cells else "-" for column in COLUMNS)]
        for name, cells in result.items()
    ]
    print("\n".join(table(rows, ["format", *COLUMNS], right=(1, 2, 3))))
    print("operations a second; wanted: 100,000 readable, 20,000,000 compiled")
    if arguments.json:
        document = {"machine": machine(), "rounds": arguments.rounds, "operations_a_second": result}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
