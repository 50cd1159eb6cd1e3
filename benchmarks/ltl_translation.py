"""How large are the automata of formulas, and how long do they take, beside recorded figures and `spin -f`?

    python -m benchmarks.ltl_translation [--vectors FILE] [--spin] [--seconds 6] [--every] [--json FILE]

FILE has the rows of tests/vectors/ltl/formulas.public.jsonl.gz: name, formula, and `tgba` and `ba` with their states. A
row is shown when ours is larger than a figure beside it, was refused, or took longer than 0.1 s; --every shows all.
--spin also runs `spin -f` where it is installed, on the formulas without X and M, and counts the states of its never
claim.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

from m4alloc.view.text import table
from spec.ltl.error import TooLargeError
from spec.ltl.formula import Formula, Operator, subformulas
from spec.ltl.parser import parse
from spec.ltl.printer import Spelling, show
from spec.ltl.translate import buchi, translate

VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "ltl" / "formulas.public.jsonl.gz"
FOREIGN = {Operator.NEXT, Operator.WEAK_NEXT, Operator.STRONG_RELEASE}
"""What SPIN's translator does not know."""


def spin_states(formula: Formula, seconds: float) -> int | None:
    """The states of SPIN's never claim; None where it has no answer in that time."""
    if {part.operator for part in subformulas(formula)} & FOREIGN or formula.past:
        return None
    command = ["spin", "-f", show(formula, Spelling.SPIN)]
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=folder, check=False)
        except subprocess.TimeoutExpired:
            return None
    return len(re.findall(r"^\w+:", found.stdout, re.MULTILINE)) or None


def measured(row: dict[str, Any], spin: bool, seconds: float) -> dict[str, Any]:
    """One formula: our states, the recorded ones and SPIN's, and our seconds."""
    formula = parse(row["formula"])
    recorded = {kind: (row.get(kind) or {}).get("states") for kind in ("tgba", "ba")}
    result = {"name": row["name"], "tgba": None, "ba": None, "refused": ""}
    start = time.perf_counter()
    try:
        result["ba"], result["tgba"] = buchi(formula).states, translate(formula).states
    except TooLargeError as error:
        result["refused"] = str(error)
    result["seconds"] = time.perf_counter() - start
    return result | {
        "recorded tgba": recorded["tgba"],
        "recorded ba": recorded["ba"],
        "spin": spin_states(formula, seconds) if spin else None,
    }


def larger(result: dict[str, Any], beside: str) -> bool:
    """Whether our plain automaton, or the generalised one, is larger than a figure."""
    ours = result["tgba"] if beside == "recorded tgba" else result["ba"]
    return ours is not None and result[beside] is not None and ours > result[beside]


def totals(results: list[dict[str, Any]]) -> Iterator[str]:
    """Our sums and the others', over the formulas that both answered; and the times."""
    for ours, beside in (("tgba", "recorded tgba"), ("ba", "recorded ba"), ("ba", "spin")):
        both = [(one[ours], one[beside]) for one in results if one[ours] is not None and one[beside] is not None]
        if both:
            left, right = sum(a for a, _ in both), sum(b for _, b in both)
            yield f"{ours} beside {beside}: {left} / {right} = {left / right:.3f} over {len(both)} formulas"
    times = [one["seconds"] for one in results]
    yield f"time: median {statistics.median(times) * 1000:.1f} ms, most {max(times):.2f} s, all {sum(times):.1f} s"
    yield f"refused: {sum(1 for one in results if one['refused'])} of {len(results)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--vectors", type=Path, default=VECTORS)
    parser.add_argument("--spin", action="store_true")
    parser.add_argument("--seconds", type=float, default=6.0, help="for one formula in SPIN")
    parser.add_argument("--every", action="store_true", help="show all rows")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.spin and not which("spin"):
        parser.error("spin is not installed; `apt-get install spin` has it")
    with gzip.open(options.vectors, "rt", encoding="utf-8") as lines:
        results = [measured(json.loads(line), options.spin, options.seconds) for line in lines]
    columns = ("name", "tgba", "recorded tgba", "ba", "recorded ba", "spin", "seconds", "refused")
    shown = [
        [
            one["name"],
            *("-" if one[c] is None else str(one[c]) for c in columns[1:6]),
            f"{one['seconds']:.3f}",
            one["refused"],
        ]
        for one in results
        if options.every
        or one["refused"]
        or one["seconds"] > 0.1
        or any(larger(one, beside) for beside in ("recorded tgba", "recorded ba", "spin"))
    ]
    if shown:
        print(*table(shown, columns, right=range(1, 7)), sep="\n")
    print(*totals(results), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
