"""What the superoptimiser's findings in the core gain: both forms side by side, and whole libraries before and after.

    python benchmarks/superopt_core.py [--rounds 21] [--json FILE] [--before LIB --after LIB]

Pieces: superopt_core.c holds both forms of what docs/superopt-core.md says was adopted; gcc -O3 -march of the core.
Libraries: malloc's part of a loop that frees and allocates blocks again, and pairs of memalign and free, under two
preload libraries, each run in a process of its own.

CPU time, in turns, the order drawn anew each round; a ratio is after / before in the same round, with the interval in
which its median lies with 95 %. Before timing, both forms are run on 300 patterns and compared byte by byte.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from m4alloc.bench.peer import machine
from m4alloc.strategy import Strategy
from m4alloc.superopt.measure import interval
from m4alloc.view.text import table

PIECES = Path(__file__).with_name("superopt_core.c")
PROGRAM = Path(__file__).with_name("superopt_core_program.c")
TENTHS = (10, 9, 5, 1)
"""Of the slots that are wanted, in a slab."""
LIBRARY = (
    ("aligned", 20000, 100, 64),
    ("aligned", 20000, 100, 4096),
    ("in order", 100000, 16, 0),
    ("shuffled", 100000, 16, 0),
    ("half", 100000, 16, 0),
    ("half", 100000, 128, 0),
    ("remote half", 100000, 16, 0),
    ("remote", 100000, 16, 0),
)


@dataclass(frozen=True)
class Row:
    """Nanoseconds a slot or call, medians; the ratio's median and its interval."""

    name: str
    before: float
    after: float
    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """In a word; a difference of less than a hundredth is none."""
        return "faster" if self.high < 0.99 else "slower" if self.low > 1.01 else "no difference shown"


def compared(name: str, rounds: int, run: Callable[[int], float], rng: random.Random) -> Row:
    """Both forms in each round, in random order.  run: 0 before, 1 after, to nanoseconds."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        order = [0, 1]
        rng.shuffle(order)
        found = {form: run(form) for form in order}
        times.append((found[0], found[1]))
    ratios = sorted(after / before for before, after in times)
    low, high = interval(len(ratios))
    return Row(
        name, median(before for before, _ in times), median(after for _, after in times), median(ratios), ratios[low],
        ratios[high],
    )  # fmt: skip


def compiled(folder: Path, source: Path, *flags: str) -> Path:
    """The program or, with -shared, the library made of a source."""
    result = folder / source.stem
    words = ["gcc", "-std=gnu17", "-O3", "-fno-builtin-malloc", "-pthread", *flags, str(source), "-o", str(result)]
    subprocess.run(words, check=True)
    return result


def pieces(folder: Path, rounds: int, rng: random.Random) -> list[Row]:
    """Take, collect and aligned_class in both forms."""
    library = ctypes.CDLL(str(compiled(folder, PIECES, "-shared", "-fPIC")))
    for function in (library.run_take, library.run_collect, library.run_aligned):
        function.restype = ctypes.c_double
    for seed in range(1, 301):
        if not library.same(rng.randrange(11), ctypes.c_uint64(seed * 0x9E3779B97F4A7C15), rng.randrange(1, 200)):
            raise SystemExit(f"the two forms differ on the pattern of seed {seed}")
    rows = []
    for name, function in (("take_slots", library.run_take), ("collect_slab", library.run_collect)):
        for tenths in TENTHS:

            def run(form: int, function: Callable[..., float] = function, tenths: int = tenths) -> float:
                return function(form, tenths, 40, ctypes.c_uint64(rng.getrandbits(63) | 1))

            rows.append(compared(f"{name}, {10 * tenths} % of a slab", rounds, run, rng))
    sizes = (ctypes.c_uint32 * len(Strategy.default().classes))(*Strategy.default().classes)
    for alignment in (32, 64, 512, 4096):

        def call(form: int, alignment: int = alignment) -> float:
            return float(library.run_aligned(form, sizes, len(sizes), ctypes.c_uint64(alignment), 20_000))

        rows.append(compared(f"aligned_class, {alignment}", rounds, call, rng))
    return rows


def libraries(folder: Path, before: Path, after: Path, rounds: int, rng: random.Random) -> list[Row]:
    """A program under both libraries."""
    program = compiled(folder, PROGRAM)
    rows = []
    for what, blocks, size, alignment in LIBRARY:
        words = [str(program), what, str(blocks), str(size), str(alignment)]

        def run(form: int, words: Sequence[str] = words) -> float:
            environment = {**os.environ, "LD_PRELOAD": str((after if form else before).resolve())}
            done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=120)
            return float(done.stdout)

        label = f"{what}, {size} bytes" + (f" at {alignment}" if alignment else "")
        rows.append(compared(label, rounds, run, rng))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 1 where something is slower."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--before", type=Path, help="a preload library")
    parser.add_argument("--after", type=Path, help="another")
    parser.add_argument("--json", type=Path, help="a file for the rows")
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        rows = pieces(Path(name), options.rounds, rng)
        if options.before is not None and options.after is not None:
            rows += libraries(Path(name), options.before, options.after, options.rounds, rng)
    print(machine())
    cells = [
        [row.name, f"{row.before:.2f}", f"{row.after:.2f}", f"{row.ratio:.3f}", f"{row.low:.3f} to {row.high:.3f}",
         row.verdict]
        for row in rows
    ]  # fmt: skip
    print("\n".join(table(cells, ["what", "before ns", "after ns", "ratio", "95 %", ""], right=(1, 2, 3))))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return int(any(row.verdict == "slower" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
