"""What a label costs: compiled out, set where nobody listens, and recorded; beside an empty loop and a recorded call.

    python benchmarks/label_cost.py [--count 1000000] [--rounds 7] [--folder /dev/shm] [--json FILE]

CPU time of one turn of a loop, kernel included, in nanoseconds: the median of all rounds, in which the rows take turns.
Recorded into a file in --folder; each turn that is recorded needs 88 bytes there, a malloc and free 176. The rows of
Python time `m4alloc.label` in the same way, beside a call of an empty function.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from m4alloc.bench.peer import machine
from m4alloc.lib import include, recorder
from m4alloc.trace.preload import preloaded
from m4alloc.view.text import table

SOURCE = Path(__file__).with_suffix(".c")
OUT = ("-DM4ALLOC_NO_LABELS",)
PROGRAMS: dict[str, tuple[int, tuple[str, ...], bool]] = {
    "empty loop": (0, (), False),
    "label, compiled out": (1, OUT, False),
    "label, nobody listens": (1, (), False),
    "label, nobody listens, fixed address": (1, ("-no-pie", "-fno-pie"), False),
    "label, recorded": (1, (), True),
    "label about a block, recorded": (2, (), True),
    "malloc and free, recorded": (3, (), True),
}
"""What the row is called: the body of the loop, the compiler's flags, whether it is recorded."""
PYTHON = """
import sys, time, m4alloc
count, label = int(sys.argv[1]), (lambda name: None) if sys.argv[2] == "empty" else m4alloc.label
label("request_start")
start = time.process_time_ns()
for _ in range(count):
    label("request_start")
print((time.process_time_ns() - start) / count)
"""
CALLS = {
    "Python: empty function": ("empty", False),
    "Python: label, nobody listens": ("label", False),
    "Python: label, recorded": ("label", True),
}


def compiled(folder: Path, body: int, flags: tuple[str, ...]) -> str:
    """The path of the program with that body."""
    target = folder / "-".join([f"body{body}", *(flag.strip("-") for flag in flags)])
    words = ["cc", "-std=gnu17", "-O2", "-fno-builtin", f"-DBODY={body}", *flags, f"-I{include()}", str(SOURCE)]
    subprocess.run([*words, "-o", str(target)], check=True)
    return str(target)


def timed(words: list[str], records: bool, folder: Path) -> float:
    """Nanoseconds of one turn, as the program says it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:])}
    if not records:
        return float(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout)
    with preloaded([recorder()], "") as value, tempfile.TemporaryDirectory(dir=folder) as traces:
        environment |= {"LD_PRELOAD": value, "M4ALLOC_RECORD": str(Path(traces) / "t")}
        return float(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout)


def measure(count: int, rounds: int, folder: Path) -> dict[str, float]:
    """The median of each row, in nanoseconds."""
    with tempfile.TemporaryDirectory() as scratch:
        rows = {
            name: ([compiled(Path(scratch), body, flags), str(count)], records)
            for name, (body, flags, records) in PROGRAMS.items()
        }
        for name, (what, records) in CALLS.items():
            rows[name] = [sys.executable, "-c", PYTHON, str(max(count // 10, 1)), what], records
        taken: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(rounds):
            for name, (words, records) in rows.items():
                taken[name].append(timed(words, records, folder))
    return {name: median(values) for name, values in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measure(arguments.count, arguments.rounds, arguments.folder)
    base = {name: "Python: empty function" if name.startswith("Python") else "empty loop" for name in found}
    rows = [[name, f"{value:.2f}", f"{value - found[base[name]]:.2f}"] for name, value in found.items()]
    print(*table(rows, ["loop around", "ns a turn", "over the empty one"], right=[1, 2]), sep="\n")
    print(f"{arguments.count:,} turns, median of {arguments.rounds} rounds in turns, {machine()['cpu']}")
    if arguments.json:
        report = {"machine": machine(), "count": arguments.count, "rounds": arguments.rounds, "nanoseconds": found}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
