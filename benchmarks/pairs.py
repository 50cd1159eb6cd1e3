"""Nanoseconds of a malloc/free pair, against glibc and the peers of Debian in the same run.

    python benchmarks/pairs.py [--rounds 5] [--seconds 0.05] [--json FILE] [--library NAME=PATH]

Every round runs every allocator in a child of its own, in random order; a cell is the least of all rounds, in CPU time
of the measuring thread. The geometric means are over the 16 cells of four sizes and four orders; the rows below the
line are for information.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from m4alloc.bench.peer import Peer, geometric_mean, interleaved, machine, peers
from m4alloc.view.text import table

SOURCE = Path(__file__).with_name("pairs.c")
PATTERNS = ("pair", "lifo", "fifo", "random")
CELLS = [f"{size}-{pattern}" for size in (16, 64, 256, 4096) for pattern in PATTERNS]


def compile_pairs(directory: Path) -> Path:
    """The compiled benchmark, in which the calls of malloc are calls of malloc."""
    program = directory / "pairs"
    words = ["gcc", "-O2", "-fno-builtin", "-pthread", str(SOURCE), "-o", str(program)]
    subprocess.run(words, check=True)
    return program


def measure(program: Path, peer: Peer, seconds: float) -> dict[str, float]:
    """One child: row to nanoseconds."""
    done = subprocess.run(
        [program, str(seconds)], env=peer.environment(), capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode != 0 or done.stderr:
        raise SystemExit(f"{peer.name} ended with status {done.returncode}: {done.stderr.strip()}")
    return {row: float(value) for row, value in (line.split() for line in done.stdout.splitlines())}


def least(samples: list[dict[str, float]]) -> dict[str, float]:
    """Row by row the least of all rounds."""
    return {row: min(sample[row] for sample in samples) for row in samples[0]}


def report(best: dict[str, dict[str, float]]) -> list[str]:
    """The table of nanoseconds, then the means as ratios to glibc and to mimalloc."""
    names = list(best)

    def line(row: str) -> list[str]:
        return [
            row,
            *(f"{best[name][row]:.1f}" if best[name][row] < 1e5 else f"{best[name][row]:.2e}" for name in names),
        ]

    rows = [line(row) for row in CELLS]
    others = [line(row) for row in best[names[0]] if row not in CELLS]
    lines = table([*rows, ["" for _ in [0, *names]], *others], ["ns a pair", *names], right=range(1, len(names) + 1))
    means = []
    for against in [name for name in ("glibc", "mimalloc", "jemalloc") if name in best]:
        groups = {"all 16": CELLS} | {
            size: [c for c in CELLS if c.startswith(f"{size}-")] for size in ("16", "64", "256", "4096")
        }
        for group, cells in groups.items():
            ratios = [geometric_mean(best[name][cell] / best[against][cell] for cell in cells) for name in names]
            means.append([f"{group} to {against}", *(f"{ratio:.2f}" for ratio in ratios)])
    return [*lines, "", *table(means, ["geometric mean", *names], right=range(1, len(names) + 1))]


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="children an allocator (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.05, help="CPU time a cell and child (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the children")
    parser.add_argument("--json", type=Path, help="write every sample there")
    parser.add_argument("--library", action="append", default=[], metavar="NAME=PATH", help="one more allocator")
    chosen = parser.parse_args(words)
    try:
        among, missing = peers(chosen.library)
    except ValueError as error:
        parser.error(str(error))
    samples: dict[str, list[dict[str, float]]] = {peer.name: [] for peer in among}
    with tempfile.TemporaryDirectory() as directory:
        program = compile_pairs(Path(directory))
        for number, peer in interleaved(among, chosen.rounds, chosen.seed):
            print(f"\rround {number + 1} of {chosen.rounds}: {peer.name:12}", end="", file=sys.stderr, flush=True)
            samples[peer.name].append(measure(program, peer, chosen.seconds))
    print(file=sys.stderr)
    best = {name: least(taken) for name, taken in samples.items()}
    print("\n".join([*report(best), *missing]))
    if chosen.json:
        result = {
            "benchmark": "pairs",
            "machine": machine(),
            "seconds": chosen.seconds,
            "best": best,
            "samples": samples,
        }
        chosen.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
