"""A campaign: directed plans, every sequence up to a bound, then a random search, within a budget of time.

What has been done is plain data, which is saved as it grows, so that a campaign that was cut short goes on later.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from m4alloc.check.alphabet import MAX_DEPTH, Alphabet
from m4alloc.check.explore import explore
from m4alloc.check.finding import Finding
from m4alloc.check.foreign import Foreign
from m4alloc.check.hunt import HANGING, HUNG, Hunt
from m4alloc.check.judgement import Broken, Terms
from m4alloc.check.operation import Operation
from m4alloc.check.progress import Progress
from m4alloc.check.round import Round
from m4alloc.check.survey import Directed, survey
from m4alloc.trace.whole import write_whole
from spec.event import Function

DIRECTED, EXHAUSTIVE, RANDOM = "directed", "exhaustive", "random"
ENGINES = (DIRECTED, EXHAUSTIVE, RANDOM)
TOLD_WRONGLY = frozenset(
    {
        "result-non-null-or-enomem",
        "result-aligned-fundamental",
        "result-aligned-as-requested",
        "usable-size-null",
        "aligned-alloc-arguments",
        "posix-memalign-arguments",
        "free-keeps-errno",
    }
)
"""Rules whose violation leaves the heap as it should be: once found, what comes after it is looked at without them."""
SHARES = {DIRECTED: 0.5, EXHAUSTIVE: 0.5, RANDOM: 1.0}
"""The share of the time that is left which an engine may take at most, in this order."""
SPLIT = 2
"""Requests at the beginning of a sequence that tell the parts of an exploration apart."""
CHECKPOINT_SECONDS = 10.0
HANG_SHARE, HANG_LEAST = 0.1, 3.0
"""A call hangs after that share of the budget, if that is less than the timeout, but not before so many seconds."""
SHRINKING_SHARE, HUNG_SHARE = 0.6, 0.3
"""The share of the time that is left which one finding may take at most; one that hangs would always take it all."""
AT_ONCE = 16
"""Rounds that Hypothesis draws at once."""


@dataclass(slots=True)
class Done:
    """What a campaign has done so far; all of it can be saved.

    plans: directed plans by name; planned: how many there are. depth: the greatest of which every sequence was carried
    out; sequences: of that depth; nodes: requests of all explorations, each once. parts: of the depth under way, those
    carried out, with their sequences. batches, rounds: of the random search. operations: by engine. broken: rules by
    engine.
    observed: how often each rule was seen to hold. seconds: spent. findings: as plain data, by rule.
    """

    plans: list[str] = field(default_factory=list)
    depth: int = 0
    sequences: int = 0
    nodes: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    batches: int = 0
    rounds: int = 0
    operations: dict[str, int] = field(default_factory=dict)
    broken: dict[str, list[str]] = field(default_factory=dict)
    observed: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    planned: int = 0

    def save(self, path: Path, identity: dict[str, object], library: str = "") -> None:
        """Write it down, whole or not at all. library: where the one lies whose campaign it is."""
        write_whole(path, json.dumps({"identity": identity, "path": library, "done": asdict(self)}, indent=1))

    @classmethod
    def load(cls, path: Path, identity: dict[str, object]) -> Done:
        """Read it back. Raises ValueError: the file is of another campaign, and says of which."""
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            for name, value in identity.items():
                if held["identity"].get(name) != value:
                    told = f"{name} {held['identity'].get(name)!r}, not {value!r}"
                    raise ValueError(f"{path}: the campaign there has {told}; it goes on only as it began")
            return cls(**held["done"])
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: no state of a campaign: {error}") from None


@dataclass(slots=True)
class Campaign:
    """Runs the engines on one library with several drivers at once, and keeps what they find: one finding a rule.

    start: makes a driver. terms: what the library is held to. budget: seconds. jobs: drivers at once. seed: of all that
    is drawn. found: told of each finding as it is made. checkpoint: called every ten seconds to save `done`.
    stopped: asked often; once it says True everything ends.
    """

    start: Callable[[], Foreign]
    terms: Terms
    alphabet: Alphabet
    budget: float
    jobs: int = 1
    seed: int = 0
    most_depth: int = MAX_DEPTH
    engines: tuple[str, ...] = ENGINES
    at_first: bool = False
    done: Done = field(default_factory=Done)
    progress: Progress | None = None
    found: Callable[[Finding], None] = lambda _: None
    stopped: Callable[[], bool] = lambda: False
    checkpoint: Callable[[], None] = lambda: None
    checked: float = field(default_factory=time.monotonic)
    findings: dict[str, Finding] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)
    local: threading.local = field(default_factory=threading.local)
    hunts: list[Hunt] = field(default_factory=list)
    hangs: bool = False

    def run(self) -> None:
        """Spend the budget. Raises WorkerError: the library cannot be driven."""
        functions = self.hunt().foreign().functions
        for engine, rules in self.done.broken.items():  # what was cut off before it was a finding
            self.done.broken[engine] = [rule for rule in rules if rule in self.findings]
        with self.workers() as pool:
            for engine in ENGINES:
                if engine not in self.engines or self.over():
                    continue
                until = time.monotonic() + self.left() * (SHARES[engine] if self.later(engine) else 1.0)
                getattr(self, f"run_{engine}")(pool, functions, until)
        self.done.seconds += time.monotonic() - self.began

    def later(self, engine: str) -> bool:
        """Whether another engine comes after this one."""
        return any(other in self.engines for other in ENGINES[ENGINES.index(engine) + 1 :])

    def left(self) -> float:
        """Seconds left."""
        return self.budget - (time.monotonic() - self.began)

    def over(self) -> bool:
        """Whether nothing more is to be done."""
        return self.left() <= 0 or self.stopped() or (self.at_first and bool(self.findings))

    @contextmanager
    def workers(self) -> Iterator[ThreadPoolExecutor]:
        """The threads that each drive a driver of their own; the work is the drivers'."""
        with ThreadPoolExecutor(self.jobs, "m4check") as pool:
            try:
                yield pool
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
                for hunt in self.hunts:
                    hunt.close()

    def hunt(self) -> Hunt:
        """This thread's."""
        hunt: Hunt | None = getattr(self.local, "hunt", None)
        if hunt is None:
            hunt = self.local.hunt = Hunt(self.driver, self.terms)
            with self.lock:
                self.hunts.append(hunt)
        return hunt

    def driver(self) -> Foreign:
        """A driver whose hang is recognised within a share of the budget."""
        foreign = self.start()
        foreign.timeout = min(foreign.timeout, max(HANG_LEAST, HANG_SHARE * self.budget))
        return foreign

    # The engines.

    def run_directed(self, pool: ThreadPoolExecutor, functions: frozenset[Function], until: float) -> None:
        """Every directed plan once; what breaks a rule is shrunk when all have had their turn: that takes longest."""
        whole = survey(functions, realloc_zero=self.terms.resizes_to_nothing, misuse=self.terms.misuse)
        plans = [plan for plan in whole if plan.name not in self.done.plans]
        self.done.planned = len(whole)
        self.phase("directed plans", len(plans))
        guilty: list[tuple[Directed, Broken, frozenset[str]]] = []

        def carried_out(directed: Directed, shrunk: int = 0) -> None:
            with self.lock:
                self.done.plans.append(directed.name)
                self.advance(shrunk or len(self.done.plans))

        def task(directed: Directed) -> Callable[[], None]:
            def carry_out() -> None:
                aside: frozenset[str] = frozenset()
                found = []
                while (
                    broken := self.look(DIRECTED, directed.plan, repeated=directed.repeated, aside=aside)
                ) is not None:
                    if self.is_news(DIRECTED, broken):
                        found.append((directed, broken, aside))
                    if self.at_first or broken.rule.name not in TOLD_WRONGLY - aside:
                        break
                    aside |= {broken.rule.name}  # what is told wrongly hides nothing that comes after it
                if self.at_first and found:
                    finish(*found[0])
                elif found:
                    guilty.extend(found)
                else:
                    carried_out(directed)

            return carry_out

        def finish(directed: Directed, broken: Broken, aside: frozenset[str], number: int = 0) -> None:
            plan = list(directed.plan)
            self.shrink(DIRECTED, directed.name, plan, broken, repeated=directed.repeated, aside=aside)
            if directed.name not in self.done.plans:
                carried_out(directed, number)

        self.all_of(pool, (task(plan) for plan in plans), until)
        if guilty:
            self.phase("shrinking what was found", len(guilty))
        for future in [pool.submit(finish, *one, number) for number, one in enumerate(guilty, 1)]:
            future.result()

    def run_exhaustive(self, pool: ThreadPoolExecutor, functions: frozenset[Function], until: float) -> None:
        """Every sequence of one request, of two, and so on."""
        rate = 0.0
        while self.done.depth < self.most_depth and time.monotonic() < until and not self.over():
            depth = self.done.depth + 1
            whole = self.alphabet.sequences(depth)
            if rate and whole / rate > 3 * (until - time.monotonic()) * self.jobs:
                break  # most of it would be left out
            began, before = time.monotonic(), self.done.nodes
            parts = [
                part for part in self.alphabet.parts(min(SPLIT, depth - 1)) if name_of(part) not in self.done.parts
            ]
            self.phase(f"sequences of {depth}", whole)
            self.all_of(pool, (self.part_task(depth, part, until) for part in parts), until)
            rate = (self.done.nodes - before) / max(time.monotonic() - began, 1e-3) / self.jobs
            if sum(self.done.parts.values()) != whole or EXHAUSTIVE in self.done.broken:
                break
            self.done.depth, self.done.sequences, self.done.parts = depth, whole, {}

    def part_task(self, depth: int, part: tuple[int, ...], until: float) -> Callable[[], None]:
        """The work on one part of an exploration."""

        def carry_out() -> None:
            hunt = self.hunt()
            go_on = lambda _: time.monotonic() < until and not self.over()  # noqa: E731
            here = sorted(os.sched_getaffinity(0))
            processor = here[self.hunts.index(hunt) % len(here)]
            seen = explore(
                hunt.foreign(), self.alphabet, depth, self.terms, part=part, processor=processor, go_on=go_on
            )
            with self.lock:
                self.done.nodes += seen.nodes
                self.note(EXHAUSTIVE, seen.nodes, seen.observed)
                if seen.complete:
                    self.done.parts[name_of(part)] = seen.sequences
                self.advance(sum(self.done.parts.values()))
            if seen.broken is not None and self.is_news(EXHAUSTIVE, seen.broken):
                self.shrink(EXHAUSTIVE, f"depth {depth}", [], seen.broken)

        return carry_out

    def run_random(self, pool: ThreadPoolExecutor, functions: frozenset[Function], until: float) -> None:
        """Rounds that Hypothesis draws, until the time is over."""
        from m4alloc.check.draw import drawn  # which needs Hypothesis; nothing else here does

        self.phase("random rounds")

        def task(number: int, one: Round) -> Callable[[], None]:
            def carry_out() -> None:
                plan = one.plan(functions, realloc_zero=self.terms.resizes_to_nothing)
                self.try_plan(RANDOM, f"round {number}", plan)
                with self.lock:
                    self.done.rounds += 1
                    self.advance(self.done.operations.get(RANDOM, 0))

            return carry_out

        def tasks() -> Iterator[Callable[[], None]]:
            while True:
                batch = drawn(functions, self.terms, self.seed, self.done.batches, AT_ONCE)
                for number, one in enumerate(batch, self.done.batches * AT_ONCE):
                    yield task(number, one)
                self.done.batches += 1

        self.all_of(pool, tasks(), until)

    # What they share.

    def all_of(self, pool: ThreadPoolExecutor, tasks: Iterator[Callable[[], None]], until: float) -> None:
        """Carry out the tasks, some at once, until they or the time are over. Raises what a task raised."""
        under_way: set[Future[None]] = set()
        for task in tasks:
            if time.monotonic() >= until or self.over():
                break
            under_way.add(pool.submit(self.unless_over, task))
            if len(under_way) > self.jobs:
                done, under_way = wait(under_way, timeout=None, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
        for future in wait(under_way).done:
            future.result()

    def unless_over(self, task: Callable[[], None]) -> None:
        """Carry out a task, unless all was over before its turn came."""
        if not self.over():
            task()

    def try_plan(self, engine: str, where: str, plan: Sequence[Operation], *, repeated: bool = False) -> None:
        """Carry out one plan, and make a finding of what it breaks."""
        with self.lock:
            aside = TOLD_WRONGLY & frozenset(self.findings)
        broken = self.look(engine, plan, repeated=repeated, aside=aside)
        if broken is not None and self.is_news(engine, broken):
            self.shrink(engine, where, list(plan), broken, repeated=repeated, aside=aside)

    @contextmanager
    def leaving(self, aside: frozenset[str]) -> Iterator[Hunt]:
        """This thread's hunt, with some rules left aside."""
        hunt = self.hunt()
        hunt.terms = replace(self.terms, without=self.terms.without | aside)
        try:
            yield hunt
        finally:
            hunt.terms = self.terms

    def look(
        self, engine: str, plan: Sequence[Operation], *, repeated: bool = False, aside: frozenset[str] = frozenset()
    ) -> Broken | None:
        """Carry out one plan: what it breaks."""
        with self.leaving(aside) as hunt:
            before = hunt.operations
            hunt.observed = {}
            if self.hangs:  # which is known: every further hang is to cost less
                hunt.foreign().timeout = min(hunt.foreign().timeout, 2 * HANGING)
            broken = hunt.look(plan, repeated=repeated)
        with self.lock:
            self.hangs = self.hangs or (broken is not None and HUNG in broken.message)
            self.note(engine, hunt.operations - before, hunt.observed)
        return broken

    def note(self, engine: str, operations: int, observed: dict[str, int]) -> None:
        """Count what was done."""
        done = self.done
        done.operations[engine] = done.operations.get(engine, 0) + operations
        for name, number in observed.items():
            done.observed[name] = done.observed.get(name, 0) + number

    def is_news(self, engine: str, broken: Broken) -> bool:
        """Whether the engine breaks the rule for the first time, which is noted."""
        rule = broken.rule.name
        with self.lock:
            rules = self.done.broken.setdefault(engine, [])
            known = rule in rules or (engine == RANDOM and any(rule in names for names in self.done.broken.values()))
            if rule not in rules:
                rules.append(rule)
        return not known

    def shrink(
        self,
        engine: str,
        where: str,
        plan: list[Operation],
        broken: Broken,
        *,
        repeated: bool = False,
        aside: frozenset[str] = frozenset(),
    ) -> None:
        """Make a finding of what broke a rule, and keep the smaller of two findings of one rule."""
        rule = broken.rule.name
        with self.leaving(aside) as hunt:
            before = hunt.operations
            share = HUNG_SHARE if HUNG in broken.message else SHRINKING_SHARE
            hunt.patience = 0.0 if self.stopped() else max(3.0, min(20.0, self.left() * share))
            if plan:
                finding = hunt.finding(plan, broken, engine, where, repeated=repeated)
            else:
                finding = hunt.told(broken, engine, where)
            hunt.operations = before
        with self.lock:
            other = self.findings.get(rule)
            if other is None or better(finding, other):
                self.findings[rule] = finding
                self.found(finding)

    def phase(self, name: str, total: int | None = None) -> None:
        """Say what is going on."""
        if self.progress is not None:
            self.progress.phase(name, total)

    def advance(self, done: int) -> None:
        """Say how far it is, and save that now and then."""
        if time.monotonic() - self.checked > CHECKPOINT_SECONDS:
            self.checked = time.monotonic()
            self.checkpoint()
        if self.progress is not None:
            self.progress.advance(done)


def better(one: Finding, other: Finding) -> bool:
    """Whether a finding is worth more than another of the same rule: surer, or shorter and as sure."""
    return (one.replays, -one.requests) > (other.replays, -other.requests)


def name_of(part: Sequence[int]) -> str:
    """A part of an exploration as the key of a saved state.

    >>> name_of((3, 11))
    '3.11'
    """
    return ".".join(map(str, part))
