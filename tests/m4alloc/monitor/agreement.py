"""Random programs, run under the runtime: what it says of properties, and what everybody else says of the same events.

The program is one interpreter of scripts (agreement.c), so that an example costs a process, not a compiler run. The
events are those of the trace that the end of the run writes, which holds all of it: each example watches `NEVER_SAID`,
which every end violates. The program's own account of what it did is kept beside them.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from m4alloc.check.properties import evaluate_trace
from m4alloc.monitor.compiler import command
from m4alloc.monitor.machine import Run
from m4alloc.monitor.table import Table
from m4alloc.trace.read import Trace
from spec.event import Event, Function
from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.finite import ltl3, weak_reading
from spec.ltl.parametric import Occurrence, slices
from spec.ltl.truth import Truth
from spec.ltl.word import Word
from spec.properties import find
from spec.property import Index, Property
from spec.property_verdict import OF_BLOCKS, concerns, evaluate
from spec.propositions import Delivery, Sort, Words, values
from tests.m4alloc.monitor.deliveries import LABELLED, OTHERS, PLAIN
from tests.m4alloc.monitor.reports import HEADERS, MONITOR

SOURCE = Path(__file__).with_name("agreement.c")
STEPS = 48
SLOTS = 6
LABELS = ("a", "b", "mem_free_end")
SIZES = (1, 8, 24, 40, 100, 100, 24, 3000, 70_000)
PLAIN_NAMES = frozenset({"malloc", "free", "access", "outside"})
NEVER_SAID = find("global: <>never_said")
BUILT_IN = tuple(map(find, ("S1", "no-double-free", "access-in-bounds", "freed-eventually")))
LIBRARY = [one for one in map(find, (*PLAIN, *LABELLED, *OTHERS)) if "uninitialised" not in one.needs]

Violations = list[tuple[int, frozenset[str]]]
"""The steps of a script at which properties were violated for good, and which."""


# Scripts.


def script(seed: int, *, accesses: bool = True) -> str:
    """What a program does, right or wrong."""
    rng = random.Random(seed)
    threads, wrong = rng.choice((1, 1, 2, 3)), rng.choice((0.0, 0.1, 0.4))
    sizes = dict.fromkeys(range(SLOTS), 0)
    live, dead = set[int](), set[int]()
    steps: list[str] = []
    slots, length = rng.randint(1, SLOTS), rng.randint(3, STEPS)
    while len(steps) < length:
        slot, what = rng.randrange(slots), rng.choice("mmcrffllssssLLBBt" if accesses else "mmcrffLLBBt")
        if what == "t":
            steps.append(f"t {rng.randrange(threads)}")
        elif what == "L":
            steps.append(f"L {rng.choice(LABELS)}")
        elif what in "mc":
            if slot not in live or rng.random() < 0.1:
                sizes[slot] = rng.choice(SIZES)
                steps.append(f"{what} {slot} {sizes[slot]}")
                live.add(slot)
                dead.discard(slot)
        elif slot not in live and (slot not in dead or rng.random() > wrong):
            continue
        elif what == "r" and rng.random() < 0.1:
            steps.append(f"r {slot} 0")
            live.discard(slot)
            dead.add(slot)
        elif what == "r":
            sizes[slot] = rng.choice(SIZES) if slot in live else sizes[slot]
            steps.append(f"r {slot} {sizes[slot]}")
        elif what == "f":
            inside = 8 if rng.random() < wrong / 4 and sizes[slot] > 8 else 0
            steps.append(f"f {slot} {inside}")
            if not inside:
                live.discard(slot)
                dead.add(slot)
        elif what == "B":
            steps.append(f"B {rng.choice(LABELS)} {slot}")
        else:
            width = rng.choice((1, 2, 4, 8))
            most = sizes[slot] + (8 if rng.random() < wrong else -width)
            if most >= 0:
                steps.append(f"{what} {slot} {rng.randint(0, most // width) * width} {width}")
    return ";".join(steps)


def formula(rng: random.Random, depth: int, names: Sequence[str]) -> str:
    """A random formula."""
    if depth == 0 or rng.random() < 0.1:
        return rng.choice(names)
    one, operator = (
        formula(rng, depth - 1, names),
        rng.choice(("!", "!", "X", "Y", "[]", "<>", *("&&", "||", "->"), *"UWS")),
    )
    if operator in ("!", "X", "Y", "[]", "<>"):
        return f"{operator}({one})"
    return f"({one}) {operator} ({formula(rng, depth - 1, names)})"


def own_property(rng: random.Random) -> Property:
    """A random property of any index, often about all positions of a word."""
    index = rng.choice(("address", "address", "block", "block", "thread", "global"))
    names = sorted(PLAIN_NAMES)
    if rng.random() < 0.6:
        names += LABELS
    if index in ("thread", "global") and rng.random() < 0.3:
        names += ["mem_allocate_start", "mem_free_start", "mem_allocate_end"]
    text = formula(rng, rng.randint(1, 3), names)
    if rng.random() < 0.6:
        text = f"[]({rng.choice(names)} -> {rng.choice(('', 'X', '<>'))}({text}))"
    return find(f"{index}: {text}")


def properties(seed: int) -> tuple[Property, ...]:
    """Properties to be watched together, NEVER_SAID last: as many of them as share a table."""
    rng = random.Random(seed)
    found = list(BUILT_IN) if rng.random() < 0.7 else []
    for one in (*rng.sample(LIBRARY, rng.randint(0, 3)), *(own_property(rng) for _ in range(rng.randint(1, 5)))):
        try:
            Table.of([*found, one, NEVER_SAID])
        except TooLargeError:
            continue
        found.append(one)
    return tuple(dict.fromkeys([*found, NEVER_SAID]))


# Runs.


@dataclass(frozen=True)
class Told:
    """A run: what the runtime said of it, its trace, and the program's own log.

    during: the findings before the end. owed: of each property that the end violated, how many blocks owe something.
    counts: findings of each property. log: the program's words for what it did, a line each.
    """

    during: Violations
    owed: Mapping[str, int]
    counts: Mapping[str, int]
    log: Sequence[Sequence[str]]
    steps: Sequence[tuple[int, int, int]]
    path: Path | None

    @cached_property
    def trace(self) -> Trace:
        assert self.path is not None
        return Trace.open(self.path)

    @cached_property
    def events(self) -> list[Event]:
        """Those of the trace; the site of a label, which has none there, is its step in the log."""
        said = iter(int(line[0]) for line in self.log if line[2] in "LB")
        return [
            event._replace(site=next(said)) if event.function is Function.LABEL else event
            for event in self.trace.events()
        ]

    @cached_property
    def threads(self) -> int:
        return 1 + max((int(line[1]) for line in self.log), default=0)

    def violations(self, run: Run, letters: Iterable[Delivery], step: Callable[[Delivery], int | None]) -> Violations:
        """What stepping the tables in Python says of letters, in the steps of the script."""
        found = []
        for letter in letters:
            bits = run.read(letter)
            names = frozenset(one.name for number, one in enumerate(run.table.properties) if bits >> number & 1)
            where = step(letter)
            if names and where is not None:
                found.append((where, names))
        return found


@dataclass(frozen=True)
class Bench:
    """An interpreter, a folder for its runs, and where the code of each step is in the program's file."""

    program: Path
    folder: Path
    steps: Sequence[tuple[int, int, int]]
    rebuilt: bool

    @classmethod
    def of(cls, folder: Path, hooks: str) -> Bench:
        """Build the interpreter by `m4alloc cc`, or by gcc alone: hooks "none", of a program that was not rebuilt."""
        program = folder / f"agreement-{hooks}"
        words = ["-O1", "-w", "-fno-builtin", "-fno-ipa-icf", "-fno-optimize-sibling-calls", "-pthread"]
        words += [f"-I{HEADERS}", str(SOURCE), "-o", str(program)]
        made = ["gcc", *words] if hooks == "none" else command([f"--hooks={hooks}", *words], library=MONITOR)
        subprocess.run(made, check=True)
        said = subprocess.run(["nm", "-S", str(program)], capture_output=True, text=True, check=True).stdout
        found = re.findall(r"^(\w+) (\w+) [tT] step_(\d+)$", said, re.MULTILINE)
        steps = [(int(at, 16), int(at, 16) + int(size, 16), int(number)) for at, size, number in found]
        assert len(steps) == STEPS
        return cls(program, folder, steps, hooks != "none")

    def step_at(self, offset: int) -> int | None:
        """The step to whose code a call returns there; None: the C library's, or between steps."""
        return next((number for begin, end, number in self.steps if begin < offset <= end), None)

    def run(self, text: str, table: Table, **options: object) -> Told:
        """Run a script. options: of M4ALLOC_OPTIONS; with `trace` the trace is there afterwards."""
        (self.folder / "table").write_bytes(table.to_bytes())
        for old in (*self.folder.glob("findings"), *self.folder.glob("trace*")):
            old.unlink()
        given: dict[str, object] = {
            "properties": self.folder / "table",
            "json": self.folder / "findings",
            "on_violation": "continue",
            "leaks": "all",
            "symbolize": 0,
            "frames": 1,
            **options,
        }
        environment = os.environ | {"M4ALLOC_OPTIONS": ",".join(f"{key}={value}" for key, value in given.items())}
        if not self.rebuilt:
            environment["LD_PRELOAD"] = str(MONITOR)
        done = subprocess.run([self.program, text], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), done.stderr
        *lines, end = map(json.loads, (self.folder / "findings").read_text().splitlines())
        assert end["class"] == "end"
        during: Violations = []
        owed = Counter[str]()
        refused = set[str]()
        for line in lines:
            if line["verdict"] == "violated at exit":
                owed.update(dict.fromkeys(line["violated"], line["blocks"]))
            elif (step := self._step(line)) is not None:
                names = frozenset(line["violated"])
                if line["class"] in ("double-free", "invalid-free"):  # told each time; the first one decided
                    names -= {"no-double-free"} if line["access"]["address"] in refused else set()
                    refused.add(line["access"]["address"])
                during.append((step, names))
        log = [line.split() for line in done.stdout.splitlines()]
        traces = sorted(self.folder.glob("trace*"), key=lambda path: int(path.suffix[1:] or 1))
        return Told(during, owed, end["counts"], log[1:], self._loaded(log), traces[-1] if traces else None)

    def _step(self, line: Mapping[str, Any]) -> int | None:
        here = line["stacks"]["here"]
        if not here or here[0].get("module") != str(self.program):
            return None
        return self.step_at(int(here[0]["offset"], 16) + 1)

    def _loaded(self, log: Sequence[Sequence[str]]) -> Sequence[tuple[int, int, int]]:
        """The steps where they were in that process; the first line of a log says where the first one was."""
        bias = int(log[0][0], 16) - next(begin for begin, _, number in self.steps if number == 0)
        return [(begin + bias, end + bias, number) for begin, end, number in self.steps]


def own_account(told: Told) -> tuple[list[Event], list[int]]:
    """The events that the program says to have made, and the step of each."""
    events, steps = list[Event](), list[int]()
    for number, thread, what, *rest in told.log:
        who, places = (
            int(thread) + 1,
            [0 if one == "(nil)" else int(one, 16) for one in rest if one[0] in "0(" and one != "0"],
        )
        match what:
            case "m" | "c":
                function = Function.MALLOC if what == "m" else Function.CALLOC
                event = Event(function, who, size=int(rest[0]), result=places[-1], usable=int(rest[0]) + 16)
            case "r" if places[0]:
                size = int(rest[0])
                event = Event(Function.REALLOC, who, places[1], size, result=places[0], usable=size + 16)
            case "r":  # of nothing it is a free; of what is no block it is refused
                event = Event(Function.REALLOC, who, places[-1])
            case "f":
                event = Event(Function.FREE, who, places[-1])
            case "L" | "B":
                event = Event(Function.LABEL, who, places[0] if places else 0, label=rest[0])
            case _:
                function = Function.LOAD if what == "l" else Function.STORE
                event = Event(function, who, places[-1], int(rest[0]))
        if event.address or event.result or what == "L":
            events.append(event)
            steps.append(int(number))
    return events, steps


def goes_astray(told: Told) -> bool:
    """Whether an access is nearer to another block than to the one that it was computed from.

    While a program runs it is the nearest live block's; in a recording, of the block whose slack it is in.
    """
    sizes = dict[int, int]()
    for _, _, what, *rest in told.log:
        if what in "mcr" and rest[1] != "(nil)":
            sizes[int(rest[1], 16)] = int(rest[0])
        elif what in "ls":
            address = int(rest[1], 16)
            base = max((one for one in sizes if one <= address), default=0)
            if address + int(rest[0]) > base + sizes.get(base, 0) + 8:
                return True
    return False


# What is held to what.


def disagreements(bench: Bench, text: str, watched: Sequence[Property], **options: object) -> Iterator[str]:
    """Where the runtime, Python's stepping, both evaluations of the trace, the definition of a word's truth and the
    program's own account of itself do not say the same.

    Not comparable: events of several threads as one word, for the C library's own in a thread that begins are in no
    order with those of the one that made it; and the words of places in the middle of a block, which nobody keeps.
    """
    table = Table.of(watched)
    told = bench.run(text, table, history="accesses", trace=bench.folder / "trace", **options)
    if goes_astray(told):
        return
    inner = [(int(line[0]), line[3]) for line in told.log if line[2] == "f" and int(line[3], 16) % 16]
    again_inner = {step for place, (step, address) in enumerate(inner) if address in [one for _, one in inner[:place]]}
    alike = [
        one
        for one in watched
        if not (one.index is Index.GLOBAL and told.threads > 1)
        and not (inner and one.index in OF_BLOCKS and one.formula.propositions - PLAIN_NAMES)
    ]
    names = frozenset(one.name for one in alike)

    def shown(violations: Violations, of: frozenset[str] = names, but: Collection[int] = ()) -> Violations:
        return [(step, found & of) for step, found in violations if found & of and step not in {*but, *again_inner}]

    letters = list(Words(told.events))
    sites = {event.begin: event for event in told.events}

    def step(letter: Delivery) -> int | None:
        event = sites.get(letter.number)
        if event is None or event.function is Function.LABEL:
            return None if event is None else event.site
        return next((number for begin, end, number in told.steps if begin < event.site <= end), None)

    run = Run(table)
    of_trace = told.violations(run, letters, step)
    unfulfilled = run.unfulfilled()
    if shown(of_trace) != shown(told.during):
        yield f"in the trace {shown(of_trace)}, at run time {shown(told.during)}"
    if not inner:
        yield from _ends(alike, watched, unfulfilled, told)

    # Offline.
    for number, (one, quick) in enumerate(zip(watched, evaluate_trace(told.trace, watched), strict=True)):
        slow = evaluate(one, told.events)
        if quick != slow:
            yield f"{one.name}: {quick} of the trace, {slow} of its events"
        if not slow.missing and (slow.violated, slow.unfulfilled) != (run.violated[number], unfulfilled[number]):
            yield f"{one.name}: {slow} of the trace, {run.violated[number]} and {unfulfilled[number]} by tables"
        counted = truth(one, words_of(one, letters))
        if counted != (run.violated[number], unfulfilled[number]):
            yield f"{one.name}: {counted} by definition, {run.violated[number]} and {unfulfilled[number]} by tables"

    # The program's account. Labels are also in words of blocks that it knows nothing of; so are addresses used before.
    events, steps = own_account(told)
    saying = {int(line[0]) for line in told.log if line[2] == "L"}
    mine = frozenset(one.name for one in alike if one.index in (OF_BLOCKS if not options else {Index.BLOCK}))
    account = shown(told.violations(Run(table), Words(events), lambda letter: steps[letter.number - 1]), mine, saying)
    account = [one for one in account if one[0] >= 0]
    if account != shown(told.during, mine, saying):
        yield f"by its own account {account}, at run time {shown(told.during, mine, saying)}"

    # The same where most accesses pass by the shadow.
    again = bench.run(text, table, **options)
    if (shown(again.during), again.owed) != (shown(told.during), told.owed):
        yield f"with each access {told.during} {told.owed}, without {again.during} {again.owed}"


def _ends(
    alike: Sequence[Property], watched: Sequence[Property], unfulfilled: Sequence[int], told: Told
) -> Iterator[str]:
    """What the end of the run violated. A leak is counted by stacks, and blocks of the C library are none."""
    for one in alike:
        wanted, found = unfulfilled[watched.index(one)], told.owed.get(one.name, 0)
        if one.index not in OF_BLOCKS:
            wanted, found = int(wanted > 0), int(one.name in told.owed)
        if one.name != "freed-eventually" and wanted != found:
            yield f"{one.name}: {wanted} unfulfilled in the trace, {found} at run time"


def words_of(one: Property, letters: Iterable[Delivery]) -> list[Word]:
    """The words of a property, by their definition."""
    stream = [
        Occurrence(
            letter.letter,
            None if letter.sort is Sort.LABEL and letter.base is None else values(one.index, letter),
            letter.thread,
        )
        for letter in letters
        if concerns(one, letter)
    ]
    return list(slices(stream, one.index, one.formula.propositions).values())


def truth(one: Property, words: Iterable[Word]) -> tuple[int, int]:
    """How many words no continuation satisfies, and how many of the others are not satisfied where they end."""
    violated = unfulfilled = 0
    for word in words:
        decided = ltl3(one.formula, word).truth
        violated += decided is Truth.FALSE
        unfulfilled += decided is Truth.INCONCLUSIVE and not holds(weak_reading(one.formula), word)
    return violated, unfulfilled
