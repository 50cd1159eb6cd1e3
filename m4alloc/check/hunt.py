"""From a plan that breaks a rule to a finding: shrunk, told as a script, and carried out again by fresh drivers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from m4alloc.check.finding import TIMES, Finding, is_repeated, planned, requests_in, script_of
from m4alloc.check.foreign import Foreign
from m4alloc.check.instruction import Instructions, Planner
from m4alloc.check.judgement import Broken, Terms, held_back, judge, judge_usage
from m4alloc.check.observe import observe
from m4alloc.check.operation import Aim, Directive, Operation, directive
from m4alloc.check.script_plan import instructions
from m4alloc.check.shrink import shrunk
from m4alloc.check.target import EndedError
from spec.contract import EXPECTATIONS, EXPECTED, RULES
from spec.event import RESIZING, Function
from spec.statement import Script

REPEATED_BYTES = 1 << 28
LARGE = 1 << 14
"""Blocks from this size on are given back to pools that some allocators are slow to turn to again."""
ATTEMPTS = 8
"""How often a plan of threads at the same time is tried while it is shrunk."""
HUNG = "no answer in time"
HANGING = 0.7
"""Seconds after which a call hangs while a hang is shrunk."""
AT_LEAST = 3
"""Times that a finding is carried out again even where each takes long and the time is over."""
BISECTIONS = 5
LONG = 40_000
"""Operations from which on a plan is first tried as a repetition of few."""


@dataclass(slots=True)
class Hunt:
    """Searches one library and keeps what it found.

    start: makes a driver of the library. patience: seconds that shrinking one finding may take. operations: carried
    out and judged so far. observed: how often each rule was seen to hold.
    starved: plans that the system ended, since memory ran out.
    """

    start: Callable[[], Foreign]
    terms: Terms
    patience: float = 20.0
    operations: int = 0
    observed: dict[str, int] = field(default_factory=dict)
    target: Foreign | None = None
    starved: int = 0

    def foreign(self) -> Foreign:
        """The driver in use."""
        if self.target is None:
            self.target = self.start()
        return self.target

    def close(self) -> None:
        """End the driver."""
        if self.target is not None:
            self.target.close()
            self.starved += self.target.starved
            self.target = None

    def look(self, plan: Sequence[Operation], *, repeated: bool = False, told: bool = False) -> Broken | None:
        """Carry out one plan: the first rule that broke, with its history if `told`.  Raises WorkerError."""
        if repeated:
            return self.usage(Planner().plan(plan))
        return self.see(Planner().plan(plan), told=told)

    def see(self, rows: Instructions, *, told: bool = False) -> Broken | None:
        """Carry out instructions: the first rule that broke."""
        seen = observe(self.foreign(), rows, self.terms, told=told)
        self.operations += seen.operations
        for name, number in seen.observed.items():
            self.observed[name] = self.observed.get(name, 0) + number
        return seen.broken

    def carry_out(self, script: Script) -> Broken | None:
        """Carry out a script, over and over if it asks for that: the first rule that broke."""
        rows = instructions(script)
        return self.usage(rows) if is_repeated(script) else self.see(rows)

    def usage(self, rows: Instructions) -> Broken | None:
        """Carry out instructions over and over: whether they take ever more memory."""
        plan = [
            Operation(
                Function(int(row["function"])), int(row["thread"]), size=int(row["size"]), count=int(row["count"])
            )
            for row in rows
            if row["function"] != Function.LABEL
        ]
        large = max((operation.size * operation.count for operation in plan), default=0) >= LARGE
        limit = (REPEATED_BYTES if large else REPEATED_BYTES >> 5) + 2 * held_back(plan, self.terms)
        try:
            usage = self.foreign().repeat_rows(rows, limit)
        except EndedError as ended:
            return judge(ended.episode, self.terms)
        self.operations += len(plan)  # of one round: the others are the same again
        self.observed["freed-is-reused"] = self.observed.get("freed-is-reused", 0) + 1
        return judge_usage(plan, usage, self.terms)

    def finding(
        self, plan: list[Operation], broken: Broken, engine: str, where: str, *, repeated: bool = False
    ) -> Finding:
        """Shrink what broke a rule, and carry it out again."""
        began = time.monotonic()
        until = began + self.patience
        usual = self.foreign().timeout
        short = not repeated and not is_long(plan) and broken.rule.name != "call-returns"
        if HUNG in broken.message or short:
            self.foreign().timeout = min(usual, HANGING)  # else most of the time is spent waiting for plans that hang
        broken = self.again(plan, broken.rule.name, repeated=repeated, told=True) or broken
        if self.is_slow(broken):
            until = began + self.patience / 2  # carrying out again takes as long
        plan = self.smallest(plan, broken.rule.name, broken.number, until, repeated=repeated)
        last = self.again(plan, broken.rule.name, repeated=repeated, told=True) or broken
        self.foreign().timeout = usual
        script = script_of(last, plan, self.terms, repeated=repeated)
        latest = self.last_replay(last)
        replays, times = replayed(self.start, self.terms, script, last, until=latest)
        if replays < times and attempts(plan) > 1:
            # Where threads race, what they did after the violation may have been what made it likely.
            whole = planned(plan, self.terms)
            others, of = replayed(self.start, self.terms, whole, last, until=latest)
            if others * times > replays * of:
                script, replays, times = whole, others, of
        return self.found(last, engine, where, script, replays, times)

    def is_slow(self, broken: Broken) -> bool:
        """Whether carrying it out again takes a second each time, since it hangs."""
        return HUNG in broken.message

    def last_replay(self, broken: Broken) -> float | None:
        """When carrying a finding out again is to end, before all TIMES: None for what takes no time."""
        return time.monotonic() + self.patience / 2 if self.is_slow(broken) else None

    def told(self, broken: Broken, engine: str, where: str) -> Finding:
        """The finding of a history that is as small as it gets."""
        script = script_of(broken, [], self.terms)
        replays, times = replayed(self.start, self.terms, script, broken, until=self.last_replay(broken))
        return self.found(broken, engine, where, script, replays, times)

    def found(
        self, broken: Broken, engine: str, where: str, script: Script, replays: int, times: int = TIMES
    ) -> Finding:
        """A finding of this library."""
        count, demanded = requests_in(script), clause(broken, self.terms)
        return Finding(broken.rule, demanded, broken.message, engine, where, script, count, replays, times)

    def again(
        self, plan: Sequence[Operation], rule: str, *, repeated: bool = False, told: bool = False
    ) -> Broken | None:
        """The plan's violation of that rule, if it shows within as many attempts as its kind needs."""
        for _ in range(attempts(plan)):
            seen = self.look(plan, repeated=repeated, told=told)
            if seen is not None and seen.rule.name == rule:
                return seen
        return None

    def smallest(self, plan: list[Operation], rule: str, seen: int, until: float, *, repeated: bool) -> list[Operation]:
        """The plan cut down as far as time allows; the rule broke at about operation number `seen` of it."""
        best = plan

        def fails(candidate: list[Operation]) -> bool:
            nonlocal best
            if time.monotonic() >= until:
                raise OutOfTimeError
            if not (self.terms.resizes_to_nothing or all(map(defined, candidate))):
                return False
            broke = self.again(candidate, rule, repeated=repeated) is not None
            if broke and len(candidate) <= len(best):
                best = candidate
            return broke

        try:
            if not repeated and self.foreign().timeout > HANGING and is_long(plan):
                short = next((short for short in repetitions(plan) if fails(short)), None)
                if short is not None:
                    return fewer_rounds(short, fails)
            if any(is_directive(operation, Directive.REPEAT) for operation in plan):
                return plan  # each try takes seconds
            if seen + 2 < len(plan) and fails(plan[: seen + 2]):
                plan = plan[: seen + 2]
            return shrunk(tightened(plan, fails), fails, numbers=not repeated)
        except OutOfTimeError:
            return best


class OutOfTimeError(Exception):
    """Shrinking has taken as long as it may; the best so far is kept."""


def defined(operation: Operation) -> bool:
    """Whether the operation is no realloc of a block to nothing."""
    return operation.function not in RESIZING or operation.aim is not Aim.LIVE or operation.size * operation.count > 0


def attempts(plan: Iterable[Operation]) -> int:
    """How often a plan is tried before it counts as harmless: once, unless threads run at the same time."""
    return ATTEMPTS if any(is_directive(operation, Directive.PARALLEL) for operation in plan) else 1


def is_directive(operation: Operation, which: Directive) -> bool:
    """Whether the operation is that directive."""
    return operation.function is Function.LABEL and operation.count == which


def expanded_length(plan: Sequence[Operation]) -> int:
    """How many operations a plan carries out, those repeated counted each time."""
    total, factor = 0, 1
    for operation in plan:
        if is_directive(operation, Directive.REPEAT):
            factor = operation.size
        elif is_directive(operation, Directive.END_REPEAT):
            factor = 1
        else:
            total += factor
    return total


def is_long(plan: Sequence[Operation]) -> bool:
    """Whether what a plan breaks may take very many requests; where memory is limited, it is the limit that matters.

    >>> many = [malloc(100)] * (LONG + 1)
    >>> is_long(many), is_long([directive(Directive.LIMIT_MEMORY, 1 << 20), *many])
    (True, False)
    """
    return expanded_length(plan) > LONG and not any(is_directive(one, Directive.LIMIT_MEMORY) for one in plan)


def repetitions(plan: Sequence[Operation]) -> Iterable[list[Operation]]:
    """Short plans that make as many requests as the plan: a block over and over, beside some that stay."""
    length = expanded_length(plan)
    sizes = sorted({operation.size for operation in plan if operation.function is Function.MALLOC})
    for size in dict.fromkeys([16, *sizes[:3]]):
        again = [directive(Directive.REPEAT, length), malloc(size), free(), directive(Directive.END_REPEAT)]
        yield [malloc(size), malloc(size), *again, malloc(size), malloc(size)]


def fewer_rounds(plan: list[Operation], fails: Callable[[list[Operation]], bool]) -> list[Operation]:
    """The plan with fewer repetitions: some steps of a bisection, since each try takes long."""
    high = next(operation.size for operation in plan if is_directive(operation, Directive.REPEAT))
    low = 0
    for _ in range(BISECTIONS):
        middle = (low + high) // 2
        candidate = [
            operation._replace(size=middle) if is_directive(operation, Directive.REPEAT) else operation
            for operation in plan
        ]
        if fails(candidate):
            plan, high = candidate, middle
        else:
            low = middle
    return plan


def tightened(plan: list[Operation], fails: Callable[[list[Operation]], bool]) -> list[Operation]:
    """The plan with less memory left, if it still fails: then it takes fewer requests to use it up."""
    for room in (0, 1 << 16, 1 << 20):
        candidate = [
            operation._replace(size=room) if is_directive(operation, Directive.LIMIT_MEMORY) else operation
            for operation in plan
        ]
        if candidate == plan:
            return plan
        if fails(candidate):
            return candidate
    return plan


def malloc(size: int) -> Operation:
    """A plain request."""
    return Operation(Function.MALLOC, size=size)


def free() -> Operation:
    """The youngest block is given up."""
    return Operation(Function.FREE, aim=Aim.LIVE)


def replayed(
    start: Callable[[], Foreign],
    terms: Terms,
    script: Script,
    broken: Broken,
    *,
    times: int = TIMES,
    until: float | None = None,
) -> tuple[int, int]:
    """How often the rule breaks again when a fresh driver carries out the script each time, and of how many times.

    until: the moment (time.monotonic) from which on AT_LEAST times are enough; None: all of `times`.
    """
    count = 0
    for done in range(times):
        if until is not None and done >= AT_LEAST and time.monotonic() >= until:
            return count, done
        hunt = Hunt(start, terms)
        if HUNG in broken.message:
            hunt.foreign().timeout = min(hunt.foreign().timeout, 1.5 * HANGING)
        try:
            seen = hunt.carry_out(script)
            count += seen is not None and seen.rule.name == broken.rule.name
        finally:
            hunt.close()
    return count, times


def clause(broken: Broken, terms: Terms) -> str:
    """Where the rule that broke is demanded."""
    if broken.rule.name in RULES:
        return terms.acceptor().contract.clause(broken.rule)
    return EXPECTATIONS[broken.rule.name].clause(EXPECTED)
