"""The integer dot product of quantised rows before and after its proved rewrite: time of the whole kernel.

    python benchmarks/dot_product.py [--rounds 40] [--rows 256 4096] [--march x86-64 x86-64-v3 native]
                                     [--compiler "clang" --compiler "gcc"] [--json FILE]

Compared, by the same compiler at -O3 with the same flags, on a matrix of 4096 columns:

before   examples/dot/before.c, the plain code
strides  the plain sums in the loop over four blocks that the rewritten kernel has: what is left between it and "after"
         is the proved part alone
after    examples/dot/after.c, the rewrite as C
found    what m4alloc.superopt.idioms_dot makes of the plain loops by itself, proved, as LLVM's assembly (for -march
         native that of x86-64-v3); called once for four blocks, not inlined

CPU time, in turns, the order changing each round; a ratio is the median of the rounds' ratios, with its
95% interval by order statistics.  Before timing, the results of all are compared bit by bit, for 0 to 70 blocks a row
too.  A compiler that is not there is left out.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import comb
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from m4alloc.bench.peer import machine
from m4alloc.superopt import idioms_dot, printer, source, toolchain

HERE = Path(__file__).parent
SOURCES = HERE.parent / "examples" / "dot"
COLUMNS, VALUES = 4096, 32
Q8 = np.dtype([("scale", "<f4"), ("q", "i1", VALUES)])
Q4 = np.dtype([("scale", "<f4"), ("q", "u1", VALUES // 2)])
ROWS = {
    "8-bit": ("dot_q8", ()),
    "8-bit, never -128": ("dot_q8", ("-DNEVER_MINUS_128",)),
    "4-bit": ("dot_q4", ()),
}
"""What a row of the table is called: the kernel, flags of the rewritten one."""
FUNCTIONS = ("sum_q8", "sum_q4", "four_q8", "four_q4")


@dataclass(frozen=True)
class Timing:
    """One row: nanoseconds a block (best round) of each variant, and ratios of times with their 95% intervals."""

    compiler: str
    march: str
    kernel: str
    rows: int
    nanoseconds: dict[str, float]
    after_to_before: tuple[float, float, float]
    after_to_strides: tuple[float, float, float]
    found_to_before: tuple[float, float, float]


def eight_bits(values: NDArray[np.float32]) -> NDArray[np.void]:
    """Rows of blocks of 8 bits: the largest of each block becomes 127 or -127, so that -128 never occurs."""
    blocks = values.reshape(*values.shape[:-1], -1, VALUES)
    scale = np.abs(blocks).max(axis=-1) / 127
    made = np.zeros(scale.shape, Q8)
    made["scale"] = scale
    made["q"] = np.rint(blocks / np.where(scale == 0, 1, scale)[..., None])
    return made


def four_bits(values: NDArray[np.float32]) -> NDArray[np.void]:
    """Rows of blocks of 4 bits: the value furthest from zero becomes -8."""
    blocks = values.reshape(*values.shape[:-1], -1, VALUES)
    furthest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., None], -1)[..., 0]
    scale = furthest / np.float32(-8)
    levels = np.clip(np.rint(blocks / np.where(scale == 0, 1, scale)[..., None]) + 8, 0, 15).astype(np.uint8)
    made = np.zeros(scale.shape, Q4)
    made["scale"] = scale
    made["q"] = levels[..., : VALUES // 2] | levels[..., VALUES // 2 :] << 4
    return made


class Kernel:
    """A kernel as it was compiled, with the loop over the rows of a matrix around it."""

    def __init__(self, command: Sequence[str], sources: Sequence[Path], name: str, folder: Path) -> None:
        library = folder / f"{len(list(folder.iterdir()))}.so"
        words = [*command, "-O3", "-ffp-contract=off", "-shared", "-fPIC", f"-DKERNEL={name}"]
        files = [str(source) for source in (*sources, HERE / "dot_product.c")]
        subprocess.run([*words, *files, "-o", str(library)], check=True)
        self._timed = ctypes.CDLL(str(library)).timed
        self._timed.restype = ctypes.c_double
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        self._timed.argtypes = [pointer, size, pointer, size, size, pointer]

    def __call__(self, matrix: NDArray[np.void], vector: NDArray[np.void], blocks: int) -> tuple[float, bytes]:
        """Nanoseconds, and the products' bits, of the first `blocks` blocks of each row."""
        out = np.zeros(len(matrix), np.float32)
        taken = self._timed(
            matrix.ctypes.data, matrix.strides[0], vector.ctypes.data, blocks, len(matrix), out.ctypes.data
        )
        return float(taken), out.tobytes()


def ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> tuple[float, float, float]:
    """The median of the ratios, and the order statistics that hold it with 95% (the extremes of a short sample)."""
    ordered = sorted((above / below).tolist())
    count, rank, tail = len(ordered), 0, 0.0
    while rank < count // 2 and tail + comb(count, rank) / 2**count <= 0.025:
        tail += comb(count, rank) / 2**count
        rank += 1
    return median(ordered), ordered[max(rank - 1, 0)], ordered[count - max(rank, 1)]


def found(march: str, never: bool, folder: Path) -> list[Path]:
    """Assembly of the best proved form of each function of before.c; RuntimeError where one has none."""
    target = march if march in idioms_dot.LANES else "x86-64-v3"
    domains = {"y": tuple(byte for byte in range(256) if byte != 128)} if never else {}
    paths = []
    for name in FUNCTIONS:
        path = folder / f"{name}-{target}-{never}.s"
        paths.append(path)
        if path.exists():
            continue
        function = source.read(SOURCES / "before.c", name, flags=("-DALONE",)).function(name)
        offered = idioms_dot.candidates(function, target, domains)
        if not offered or not offered[0].verdict.accepted:
            raise RuntimeError(f"no form of {name} was proved")
        path.write_text(toolchain.assembly(printer.print_function(offered[0].function), target), encoding="utf-8")
    return paths


def compared(kernels: Sequence[Kernel], matrix: NDArray[np.void], vector: NDArray[np.void]) -> None:
    """Refuse kernels that differ in a single bit: AssertionError."""
    for blocks in (*range(71), matrix.shape[1]):
        results = {kernel(matrix[:32], vector, blocks)[1] for kernel in kernels}
        assert len(results) == 1, f"the kernels differ at {blocks} blocks"


def measured(compilers: Sequence[str], marches: Sequence[str], rows: Sequence[int], rounds: int) -> Iterator[Timing]:
    """Every row of the table, one after another."""
    random = np.random.default_rng(9)
    vector = eight_bits(random.standard_normal(COLUMNS, np.float32))
    weights = random.standard_normal((max(rows), COLUMNS), np.float32)
    matrices = {"dot_q8": eight_bits(weights), "dot_q4": four_bits(weights)}
    blocks = COLUMNS // VALUES
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for march, (title, (name, flags)) in product(marches, ROWS.items()):
            if flags and march == "x86-64":
                continue  # it has no product of unsigned by signed bytes
            assembly = found(march, bool(flags), folder)
            for compiler in compilers:
                words = [*shlex.split(compiler), f"-march={march}"]
                before, after = SOURCES / "before.c", SOURCES / "after.c"
                kernels = {
                    "before": Kernel(words, [before], name, folder),
                    "strides": Kernel([*words, "-DSTRIDES"], [before], name, folder),
                    "after": Kernel([*words, *flags], [after], name, folder),
                    "found": Kernel(words, [SOURCES / "found.c", *assembly], name, folder),
                }
                compared(list(kernels.values()), matrices[name], vector)
                for count in rows:
                    taken = timed(kernels, matrices[name][:count], vector, rounds)
                    best = {kind: float(each.min()) / count / blocks for kind, each in taken.items()}
                    pairs = (("after", "before"), ("after", "strides"), ("found", "before"))
                    ratios = [ratio(taken[a], taken[b]) for a, b in pairs]
                    yield Timing(compiler, march, title, count, best, *ratios)


def timed(
    kernels: dict[str, Kernel], matrix: NDArray[np.void], vector: NDArray[np.void], rounds: int
) -> dict[str, NDArray[np.float64]]:
    """Nanoseconds of each kernel in each round; one more round goes first and does not count."""
    taken = {kind: np.zeros(rounds) for kind in kernels}
    for turn in range(-1, rounds):
        for kind in list(kernels)[:: -1 if turn % 2 else 1]:
            nanoseconds, _ = kernels[kind](matrix, vector, matrix.shape[1])
            if turn >= 0:
                taken[kind][turn] = nanoseconds
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--rows", type=int, nargs="+", default=[256, 4096])
    parser.add_argument("--march", nargs="+", default=["x86-64", "x86-64-v3", "native"])
    parser.add_argument("--compiler", action="append", help="default: clang, gcc")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    compilers = [name for name in arguments.compiler or ["clang", "gcc"] if shutil.which(shlex.split(name)[0])]
    titles = ["compiler -O3", "-march", "kernel", "rows", "before, ns a block", "strides", "after", "found",
              "after / before", "95%", "after / strides", "found / before"]  # fmt: skip
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    found_rows = []
    for row in measured(compilers, arguments.march, arguments.rows, arguments.rounds):
        found_rows.append(row)
        times = " | ".join(f"{row.nanoseconds[kind]:.2f}" for kind in ("before", "strides", "after", "found"))
        middle, low, high = row.after_to_before
        print(
            f"| {row.compiler} | {row.march} | {row.kernel} | {row.rows} | {times} | {middle:.3f} | "
            f"{low:.3f} to {high:.3f} | {row.after_to_strides[0]:.3f} | {row.found_to_before[0]:.3f} |",
            flush=True,
        )
    print(f"\n{COLUMNS} columns, {arguments.rounds} rounds in turns, {machine()['cpu']}")
    if arguments.json:
        report = {"machine": machine(), "rounds": arguments.rounds, "rows": [asdict(row) for row in found_rows]}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
