"""Random programs, run under the runtime: what it says of properties, and what everybody else says of the same events.

The program is one interpreter of scripts (agreement.c), so that an example costs a process, not a compiler run.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m4alloc.check.properties import evaluate_trace
from m4alloc.monitor.compiler import command
from m4alloc.monitor.machine import Run
from m4alloc.monitor.table import Table
from m4alloc.trace.read import Trace
from spec.event import Event, Function
from spec.ltl.evaluate import holds
from spec.ltl.finite import ltl3, weak_reading
from spec.ltl.parametric import Occurrence, slices
from spec.ltl.truth import Truth
from spec.properties import find
from spec.property import Property
from spec.property_verdict import concerns, evaluate
from spec.propositions import Delivery, Words, values
from tests.m4alloc.monitor.reports import HEADERS, MONITOR

SOURCE = Path(__file__).with_name("agreement.c")
STEPS = 48
SLOTS = 6
LABELS = ("a", "b", "mem_free_end")
SIZES = (1, 8, 24, 40, 100, 100, 24, 3000)
NEVER_SAID = find("global: <>never_said")
"""What the end of every run violates, which makes it write its trace."""


def build(folder: Path, hooks: str) -> Path:
    """The interpreter, built by `m4alloc cc`."""
    target = folder / f"agreement-{hooks}"
    words = ["-O1", "-g", "-w", "-fno-builtin", "-fno-ipa-icf", "-fno-optimize-sibling-calls", "-pthread"]
    words += [f"-I{HEADERS}", f"--hooks={hooks}", str(SOURCE), "-o", str(target)]
    subprocess.run(command(words, library=MONITOR), check=True)
    return target


def starts_of_steps(program: Path) -> list[tuple[int, int, int]]:
    """Where the code of each step begins and ends in the program's file, and its number; -1 and -2 hand over."""
    said = subprocess.run(["nm", "-S", str(program)], capture_output=True, text=True, check=True).stdout
    found = []
    for at, size, name in re.findall(r"^(\w+) (\w+) [tT] (step_\d+|give|take)$", said, re.MULTILINE):
        number = {"give": -1, "take": -2}.get(name)
        found.append((int(at, 16), int(size, 16), int(name[5:]) if number is None else number))
    assert len(found) == STEPS + 2
    return found


# Scripts.


def script(seed: int) -> str:
    """What a program does, right or wrong."""
    rng = random.Random(seed)
    threads, wrong = rng.choice((1, 1, 2, 3)), rng.choice((0.0, 0.1, 0.4))
    sizes = {number: 0 for number in range(SLOTS)}
    live: set[int] = set()
    dead: set[int] = set()
    steps: list[str] = []
    slots = rng.randint(1, SLOTS)
    while len(steps) < rng.randint(3, STEPS):
        slot = rng.randrange(slots)
        what = rng.choice("mmcrffllssssLLBBt")
        if what == "t":
            if threads > 1:
                steps.append(f"t {rng.randrange(threads)}")
        elif what == "L":
            steps.append(f"L {rng.choice(LABELS)}")
        elif what in "mc":
            if slot in live and rng.random() > 0.1:
                continue
            sizes[slot] = rng.choice(SIZES)
            steps.append(f"{what} {slot} {sizes[slot]}")
            live.add(slot)
            dead.discard(slot)
        elif slot not in live and (slot not in dead or rng.random() > wrong):
            continue
        elif what == "r":
            if slot in live:
                sizes[slot] = rng.choice(SIZES)
            steps.append(f"r {slot} {sizes[slot]}")
        elif what == "f":
            inside = 8 if rng.random() < wrong / 4 and sizes[slot] > 8 else 0
            steps.append(f"f {slot} {inside}")
            if not inside:
                live.discard(slot)
                dead.add(slot)
        elif what in "ls":
            width = rng.choice((1, 2, 4, 8))
            most = sizes[slot] + (8 if rng.random() < wrong else -width)
            if most < 0:
                continue
            steps.append(f"{what} {slot} {rng.randint(0, most // width) * width} {width}")
        else:
            steps.append(f"B {rng.choice(LABELS)} {slot}")
    return ";".join(steps[:STEPS])


def formula(rng: random.Random, depth: int, names: Sequence[str]) -> str:
    """A random formula."""
    if depth == 0 or rng.random() < 0.1:
        return rng.choice(names)
    one = formula(rng, depth - 1, names)
    operator = rng.choice(("!", "!", "X", "Y", "[]", "<>", "&&", "||", "->", "U", "W", "S"))
    if operator in ("!", "X", "Y", "[]", "<>"):
        return f"{operator}({one})"
    return f"({one}) {operator} ({formula(rng, depth - 1, names)})"


def own_property(seed: int, labels: Sequence[str]) -> Property:
    """A random property of any index, in half of the cases about all positions of a word."""
    rng = random.Random(seed)
    index = rng.choice(("address", "address", "block", "block", "thread", "global"))
    names = ["malloc", "free", "access", "outside"]
    if rng.random() < 0.6:
        names += labels
    if index in ("thread", "global") and rng.random() < 0.3:
        names += ["mem_allocate_start", "mem_free_start", "mem_allocate_end"]
    text = formula(rng, rng.randint(1, 3), names)
    if rng.random() < 0.6:
        text = f"[]({rng.choice(names)} -> {rng.choice(('', 'X', '<>'))}({text}))"
    return find(f"{index}: {text}")


# Runs.


@dataclass(frozen=True, slots=True)
class Told:
    """What a run said: of each finding before the end the step and the properties; what the end violated, in words."""

    during: tuple[tuple[int | None, frozenset[str]], ...]
    at_exit: Mapping[str, int]
    counts: Mapping[str, int]
    bases: int
    log: tuple[list[str], ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """An interpreter and a folder for its runs."""

    program: Path
    folder: Path
    steps: tuple[tuple[int, int, int], ...] = field(default=())

    @classmethod
    def of(cls, folder: Path, hooks: str) -> Bench:
        program = build(folder, hooks)
        return cls(program, folder, tuple(starts_of_steps(program)))

    def step_at(self, offset: int) -> int | None:
        """The step whose code that is."""
        for at, size, number in self.steps:
            if at < offset <= at + size:
                return number
        return None

    def run(self, text: str, table: Table, **options: object) -> Told:
        """Run a script."""
        (self.folder / "table").write_bytes(table.to_bytes())
        for old in ("findings", "trace"):
            for path in self.folder.glob(f"{old}*"):
                path.unlink()
        given = {
            "properties": self.folder / "table",
            "json": self.folder / "findings",
            "on_violation": "continue",
            "leaks": "all",
            "symbolize": 0,
            "frames": 1,
            **options,
        }
        environment = dict(os.environ, M4ALLOC_OPTIONS=",".join(f"{key}={value}" for key, value in given.items()))
        library = str(MONITOR.parent)
        environment["LD_LIBRARY_PATH"] = library
        done = subprocess.run([self.program, text], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), (done.returncode, done.stdout[:2000], done.stderr[:2000])
        lines = [json.loads(line) for line in (self.folder / "findings").read_text().splitlines()]
        log = [line.split() for line in done.stdout.splitlines()]
        loaded = int(log[0][0], 16) - next(at for at, _, number in self.steps if number == 0)
        during = []
        at_exit: Counter[str] = Counter()
        for line in lines[:-1]:
            if line["verdict"] == "violated at exit":
                for name in line["violated"]:
                    at_exit[name] += line["blocks"]
            else:
                during.append((self._step(line), frozenset(line["violated"])))
        assert lines[-1]["class"] == "end"
        return Told(tuple(during), at_exit, lines[-1]["counts"], loaded, tuple(log[1:]))

    def _step(self, line: Mapping[str, Any]) -> int | None:
        here = line["stacks"]["here"]
        if not here or here[0].get("module") != str(self.program):
            return None
        return self.step_at(int(here[0]["offset"], 16) + 1)

    def trace(self) -> Trace:
        """What the end of the last run wrote."""
        last = max(self.folder.glob("trace*"), key=lambda path: int(path.suffix[1:] or 1))
        return Trace.open(last)


def own_account(log: Iterable[Sequence[str]], steps: list[int]) -> list[Event]:
    """The events that the program says to have made; of each its step is added to `steps`."""
    found = []
    for number, thread, what, *rest in log:
        steps.append(int(number))
        place = int(rest[-1], 16) if what in "mcflsB" else 0
        if place == 0 and what not in "Lr":
            steps.pop()
            continue
        who = int(thread) + 1
        match what:
            case "m" | "c":
                function = Function.MALLOC if what == "m" else Function.CALLOC
                size = int(rest[0])
                found.append(Event(function, who, size=size, result=place, usable=size + 16))
            case "r":
                size, moved, old = int(rest[0]), *(0 if one == "(nil)" else int(one, 16) for one in rest[1:])
                if moved:
                    found.append(Event(Function.REALLOC, who, old, size, result=moved, usable=size + 16))
                else:
                    found.append(Event(Function.FREE, who, old))  # it was no block: refused
            case "f":
                found.append(Event(Function.FREE, who, place))
            case "l" | "s":
                function = Function.LOAD if what == "l" else Function.STORE
                found.append(Event(function, who, place, int(rest[0])))
            case "L":
                found.append(Event(Function.LABEL, who, label=rest[0]))
            case "B":
                found.append(Event(Function.LABEL, who, place, label=rest[0]))
    return found
