"""States and transitions a second of the compiled search and of SPIN, on the same exported models, in one run.

    python -m benchmarks.checker.checker_speed [--rounds 3] [--case NAME ...] [--json FILE]

Bundled models are made larger by their constants and exported to Promela. `spin -a` and `gcc -O2` make SPIN's verifier
(-DNOREDUCE, unless it says reduced; without a formula -DSAFETY -DNOCLAIM), LLVM makes ours. A cell is the best of all
rounds, in CPU time of the search alone; what comes before it, once a model, stands in its own column. The two take
turns. Without a formula both store the same states, which is checked. With one, the counts are those of two different
ways to search a product, and SPIN counts what its inner search visits once more; the rates can be compared, and who is
done first.
"ratio" is ours by SPIN's, of transitions a second and of time.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from m4alloc.model.exploration import Exploration
from m4alloc.model.spin import SpinError, require
from spec.ltl.formula import Formula, negation
from spec.ltl.meter import Meter
from spec.ltl.parser import parse
from spec.ltl.translate import buchi
from spec.model.product import terminal
from spec.model.program import Program
from spec.model.promela import promela
from spec.model.reader import read

MODELS = Path(__file__).parents[2] / "spec" / "model" / "bundled"


class Case(NamedTuple):
    """A bundled model with other constants and more lines, and what to ask: nothing, a property of it, or a formula.

    reduced: with each one's own partial-order reduction, whose counts differ.
    """

    name: str
    model: str
    changes: dict[str, str]
    formula: str = ""
    lines: str = ""
    reduced: bool = False


FREE_LIST = {"CLIENTS": "3", "BLOCKS": "3"}
NO_LEAK = "[]<>!using0 && []<>!using1 && []<>!using2 -> [](malloc -> <>free)"
SOMEBODY = "predicate somebody = " + " || ".join(f"philosopher[{i}]@eating" for i in range(8))
CASES = (
    Case("free list, 3 clients", "free_list", FREE_LIST),
    Case("free list: used_while_allocated", "free_list", FREE_LIST, "used_while_allocated"),
    Case("free list: clients finish -> no leak", "free_list", FREE_LIST, NO_LEAK, "predicate using2 = client[2]@using"),
    Case("8 philosophers", "philosophers", {"PHILOSOPHERS": "8"}),
    Case("8 philosophers: []<>somebody eats", "philosophers", {"PHILOSOPHERS": "8"}, "[]<>somebody", SOMEBODY),
    Case("9 philosophers", "philosophers", {"PHILOSOPHERS": "9"}),
    Case("9 philosophers, reduced", "philosophers", {"PHILOSOPHERS": "9"}, reduced=True),
    Case("leader of 6", "leader", {"PROCESSES": "6"}),
    Case("leader of 6, reduced", "leader", {"PROCESSES": "6"}, reduced=True),
    Case("leader of 5: elects, fair", "leader", {"PROCESSES": "5"}, "elects"),
)


class Sample(NamedTuple):
    """One search: what it counted, its CPU time, and that of what came before it."""

    states: int
    transitions: int
    seconds: float
    before: float

    @property
    def rate(self) -> float:
        """Transitions a second."""
        return self.transitions / max(self.seconds, 1e-6)


def program(case: Case) -> Program:
    """The model with its constants changed; the free list's links are those of so many blocks."""
    text = (MODELS / f"{case.model}.m4m").read_text(encoding="utf-8")
    for name, value in case.changes.items():
        text = re.sub(rf"^(const {name} = )\S+", rf"\g<1>{value}", text, flags=re.MULTILINE)
    blocks = int(case.changes.get("BLOCKS", "0"))
    if blocks:
        text = text.replace("[1, -1]", str([*range(1, blocks), -1]))
    return read(f"{text}\n{case.lines}\n", case.model)


def question(case: Case, of: Program) -> Formula | None:
    """The formula that is asked."""
    if not case.formula:
        return None
    found = next((named.formula for named in of.properties if named.name == case.formula), None)
    return parse(case.formula) if found is None else found


def fairness(of: Program, formula: Formula | None) -> tuple[int, ...]:
    """The processes that the model wants to be treated fairly, where that can make a difference."""
    return () if formula is None or terminal(buchi(negation(formula))) else tuple(sorted(of.fair))


def ours(of: Program, formula: Formula | None, reduced: bool) -> Sample:
    """One compiled search: breadth-first without a formula, else nested depth-first."""
    begin = time.process_time()
    automaton = None if formula is None else buchi(negation(formula))
    fair = fairness(of, formula)
    meter = Meter()
    exploration = Exploration(of, automaton, fair=fair, reduction=reduced, meter=meter)
    compiled = time.process_time()
    if formula is None:
        exploration.breadth()
    else:
        exploration.nested()
    return Sample(meter.states, meter.transitions, time.process_time() - compiled, compiled - begin)


class Spin:
    """SPIN's verifiers of a program, one for each value of its tracked cell."""

    def __init__(self, of: Program, formula: Formula | None, reduced: bool, folder: Path) -> None:
        self.folders = []
        tracked = of.tracked
        values = range(of.cells[tracked].low, of.cells[tracked].high + 1) if tracked is not None else [None]
        begin = _children()
        for value in values:
            inside = folder / str(value)
            inside.mkdir(parents=True)
            (inside / "model.pml").write_text(promela(of, formula, fair=fairness(of, formula)), encoding="utf-8")
            define = [] if value is None else [f"-DTRACKED={value}"]
            subprocess.run(["spin", *define, "-a", "-o1", "-o2", "-o3", "model.pml"], cwd=inside, check=True)
            options = ["-DSAFETY", "-DNOCLAIM"] if formula is None else []
            options += [] if reduced else ["-DNOREDUCE"]
            memory = ["-DMEMLIM=8000"]
            command = ["gcc", "-O2", "-w", *options, *memory, "-o", "pan", "pan.c"]
            subprocess.run(command, cwd=inside, check=True)
            self.folders.append(inside)
        self.before = _children() - begin
        self.arguments = ["-E"] if formula is None else ["-a", "-E"]
        self.depth = 1000

    def run(self) -> Sample:
        """One search, the sum over the tracked cell's values."""
        while True:
            begin = _children()
            texts = [
                subprocess.run(
                    ["./pan", f"-m{self.depth}", "-w22", *self.arguments],
                    cwd=inside,
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
                for inside in self.folders
            ]
            seconds = _children() - begin
            if not any("max search depth too small" in text for text in texts):
                break
            # A stack that is larger than needed costs time: it is allocated in advance.
            self.depth *= 2
        states = sum(_number(r"^\s*(\S+) states, stored", text) for text in texts)
        transitions = sum(_number(r"^\s*(\S+) transitions", text) for text in texts)
        return Sample(states, transitions, seconds, self.before)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"SPIN says: {text}")
    return int(float(found[1]))


def measure(case: Case, rounds: int) -> tuple[Sample, Sample]:
    """The best sample of each: ours, SPIN's."""
    of = program(case)
    formula = question(case, of)
    with TemporaryDirectory(prefix="m4alloc-checker-") as folder:
        spin = Spin(of, formula, case.reduced, Path(folder))
        ours(of, formula, case.reduced)  # so that numba's code is loaded
        samples = [(ours(of, formula, case.reduced), spin.run()) for _ in range(rounds)]
    best = min((sample for sample, _ in samples), key=lambda sample: sample.seconds)
    other = min((sample for _, sample in samples), key=lambda sample: sample.seconds)
    if formula is None and not case.reduced and best.states != other.states:
        raise SystemExit(f"{case.name}: {best.states} states here, {other.states} in SPIN")
    return best, other


def rows(cases: tuple[Case, ...], rounds: int) -> Iterator[tuple[Case, Sample, Sample]]:
    """A line of the table for each case."""
    print(f"{'':40}{'states':>11}{'transitions':>13}{'CPU s':>8}{'M tr/s':>8}{'before':>8}{'ratio':>15}")
    for case in cases:
        best, other = measure(case, rounds)
        faster = f"{best.rate / other.rate:8.2f}{other.seconds / best.seconds:7.1f}"
        for name, sample, ratio in ((case.name, best, faster), ("  SPIN", other, "")):
            counts = f"{sample.states:11,}{sample.transitions:13,}"
            print(
                f"{name:40}{counts}{sample.seconds:8.3f}{sample.rate / 1e6:8.2f}{sample.before:8.2f}{ratio}", flush=True
            )
        yield case, best, other


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="searches of each kind (default 3)")
    parser.add_argument("--case", action="append", default=[], help="only cases whose name contains this")
    parser.add_argument("--json", type=Path, help="write the samples")
    arguments = parser.parse_args(words)
    try:
        require()
    except SpinError as missing:
        parser.error(str(missing))
    chosen = tuple(case for case in CASES if not arguments.case or any(part in case.name for part in arguments.case))
    found = list(rows(chosen, arguments.rounds))
    if arguments.json:
        made = [{"case": case.name, "ours": ours._asdict(), "spin": spin._asdict()} for case, ours, spin in found]
        arguments.json.write_text(json.dumps(made, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
