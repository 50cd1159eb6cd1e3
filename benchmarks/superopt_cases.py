"""Does the superoptimiser reach what is known? The enumeration baseline and the default pipeline on every case.

    python -m benchmarks.superopt_cases [--budget 60] [--jobs 2] [--only PART] [--without enumeration] [--json FILE]

Cases: the public ones of tests/vectors/superopt, and those of tests/m4alloc/superopt/cases.py. For each: IR
instructions, the return not counted, of the source, of what LLVM -O3 makes of it, of the best that enumeration alone
proved, of the best that the pipeline proved, and the fewest known; seconds of both, which method found it, and by what
it was proved. A case is a miss where the pipeline has more than the fewest known. Both searches get the same budget;
they end earlier where nothing is left to try.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from m4alloc.superopt.enumerate import Enumeration
from m4alloc.superopt.ir import Function
from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.pipeline import superoptimise
from m4alloc.superopt.problem import TARGETS, Budget, Problem
from m4alloc.superopt.toolchain import optimised
from m4alloc.view.text import table
from tests.m4alloc.superopt.cases import CASES

PUBLIC = Path("tests/vectors/superopt")


@dataclass(frozen=True)
class Row:
    """One case. -1 where a figure was not asked for."""

    name: str
    source: int
    llvm: int
    enumeration: int
    enumeration_seconds: float
    pipeline: int
    pipeline_seconds: float
    best: int
    found_by: str
    proof: str
    timed_out: int

    @property
    def is_reached(self) -> bool:
        """The pipeline has no more than the fewest known."""
        return self.pipeline <= self.best


def cases(folder: Path) -> list[tuple[str, int, Function]]:
    """(name, fewest instructions known, source): the public ones first, where the folder holds them."""
    found = []
    listing = folder / "cases.json"
    if listing.exists():
        for row in json.loads(listing.read_text())["superopt"]:
            found.append((row["id"], row["best_known_ir"], parse_function((folder / row["src"]).read_text())))
    return found + [(case.name, case.best, parse_function(case.text)) for case in CASES]


def measured(name: str, best: int, source: Function, options: argparse.Namespace) -> Row:
    """Run both searches on one case."""
    problem = Problem(source, target=options.target)
    try:
        llvm = optimised(source, options.target).size
    except ValueError:
        llvm = -1
    alone, alone_seconds = -1, 0.0
    if "enumeration" not in options.without:
        judge = TheJudge(problem, Budget(options.budget))
        began = time.monotonic()
        Enumeration().run(judge, options.seed)
        alone, alone_seconds = judge.best.cost.ir, time.monotonic() - began
    result = superoptimise(problem, Budget(options.budget), seed=options.seed, jobs=options.jobs)
    return Row(
        name, source.size, llvm, alone, alone_seconds, result.best.cost.ir, result.seconds, best, result.best.method,
        result.best.verdict.method, result.tally.timed_out,
    )  # fmt: skip


def text(rows: Sequence[Row]) -> str:
    """The table and what it comes to."""
    header = ["case", "source", "-O3", "enumeration", "s", "pipeline", "s", "best known", "found by", "proof", ""]
    cells = [
        [
            row.name, str(row.source), _number(row.llvm), _number(row.enumeration), f"{row.enumeration_seconds:.1f}",
            str(row.pipeline), f"{row.pipeline_seconds:.1f}", str(row.best), row.found_by, row.proof,
            "MISS" if not row.is_reached else "better" if row.pipeline < row.best else "",
        ]
        for row in rows
    ]  # fmt: skip
    reached = sum(row.is_reached for row in rows)
    alone = sum(0 <= row.enumeration <= row.best for row in rows)
    beaten = sum(row.pipeline < row.llvm for row in rows if row.llvm >= 0)
    return "\n".join(
        [
            *table(cells, header, right=(1, 2, 3, 4, 5, 6, 7)),
            f"{reached} of {len(rows)} reached by the pipeline, {alone} by enumeration alone; "
            f"the pipeline beats LLVM -O3 on {beaten}",
            f"seconds in all: pipeline {sum(row.pipeline_seconds for row in rows):.0f}, "
            f"enumeration {sum(row.enumeration_seconds for row in rows):.0f}; "
            f"proofs that ran out of time: {sum(row.timed_out for row in rows)}",
        ]
    )


def _number(count: int) -> str:
    return str(count) if count >= 0 else "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a case was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for each search on each case")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the pipeline")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", default="x86-64", choices=TARGETS)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument(
        "--without", action="append", default=[], choices=["enumeration"], help="leave the baseline out"
    )
    parser.add_argument("--json", type=Path, help="a file for the rows")
    options = parser.parse_args(arguments)
    rows = []
    for name, best, source in cases(PUBLIC):
        if options.only in name:
            rows.append(measured(name, best, source, options))
            print(f"{name}: {rows[-1].pipeline} ({best} known)", file=sys.stderr, flush=True)
    print(text(rows))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return int(not all(row.is_reached for row in rows))


if __name__ == "__main__":
    sys.exit(main())
