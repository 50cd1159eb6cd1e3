"""A round of the random search: what it is about, and a generator that fills it with thousands of requests.

What a round is about is small (sizes, functions, how many blocks and threads, what happens in between), so that drawing
it costs little and varies widely; each feature is left out in some rounds, since many faults show only without others.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from m4alloc.check.edges import IMPOSSIBLE
from m4alloc.check.operation import Aim, Directive, Operation, directive
from m4alloc.check.survey import possible
from spec.event import ALLOCATING, RESIZING, Function

SECTION = 12_000
"""Operations of a round that runs in parallel."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of the random search is about.

    palette: sizes in bytes. makers: functions that hand out blocks. resizing, sized, measuring, impossible, misuse:
    whether the round has such requests. spread: how old the blocks are that are given up, 1 for the youngest alone.
    phases: (operations, share of them that hand out a block). threads: how many; parallel: whether at the same time.
    ends: whether threads end. fork: the directive in the middle, if any. memory: bytes left from the middle on, 0: all.
    """

    seed: int
    palette: tuple[int, ...]
    makers: tuple[Function, ...]
    alignment: int
    resizing: bool
    sized: bool
    measuring: bool
    impossible: bool
    misuse: bool
    spread: int
    phases: tuple[tuple[int, float], ...]
    threads: int = 1
    parallel: bool = False
    ends: bool = False
    fork: Directive | None = None
    memory: int = 0

    def plan(self, functions: frozenset[Function], *, realloc_zero: bool = False) -> list[Operation]:
        """The operations: the same for the same round.  Cost: about 2 us an operation."""
        chance = random.Random(self.seed)
        plan: list[Operation] = []
        for number, (length, share) in enumerate(self.phases):
            if number == 1 and self.fork is not None:
                plan.append(directive(self.fork))
            if number == 1 and self.memory:
                plan.append(directive(Directive.LIMIT_MEMORY, self.memory))
            phase = self.phase(chance, length, share)
            phase = [operation for operation in phase if possible(operation, functions, realloc_zero)]
            if self.parallel:
                phase = [directive(Directive.PARALLEL), *phase[:SECTION], directive(Directive.JOIN)]
            plan += phase
        return plan

    def phase(self, chance: random.Random, length: int, share: float) -> list[Operation]:
        """One phase: a share of requests that hand out blocks, else requests on those there are."""
        made = []
        threads = range(self.threads)
        for _ in range(length):
            thread = chance.choice(threads)
            if chance.random() < share:
                made.append(self.maker(chance, thread))
            else:
                made.append(self.user(chance, thread))
            if self.ends and not self.parallel and chance.random() < 0.004:
                made.append(directive(Directive.THREAD_END, thread=thread))
        return made

    def maker(self, chance: random.Random, thread: int) -> Operation:
        """A request for a block."""
        if self.impossible and chance.random() < 0.02:
            count = chance.choice((1, 2, 1 << 32))
            return Operation(
                chance.choice(self.makers), thread, size=chance.choice(IMPOSSIBLE), count=count, alignment=64
            )
        function, size = chance.choice(self.makers), chance.choice(self.palette)
        if self.resizing and chance.random() < 0.05:
            return Operation(Function.REALLOC, thread, size=size)
        alignment = max(self.alignment, 8) if function is Function.POSIX_MEMALIGN else self.alignment
        named = function in ALIGNED
        count = chance.choice((1, 1, 2, 3)) if function is Function.CALLOC and size < 1 << 16 else 1
        return Operation(function, thread, size=size, count=count, alignment=alignment if named else 0)

    def user(self, chance: random.Random, thread: int) -> Operation:
        """A request on a block there is, mostly to give it up."""
        block = chance.randrange(self.spread)
        kind = chance.random()
        if self.resizing and kind < 0.25:
            return Operation(Function.REALLOC, thread, Aim.LIVE, block, chance.choice(self.palette))
        if self.measuring and kind < 0.35:
            which = chance.choice((Function.USABLE_SIZE, Function.LOAD, Function.FILL))
            return Operation(which, thread, Aim.LIVE, block)
        if self.misuse and kind < 0.4:
            aim = chance.choice((Aim.DEAD, Aim.INSIDE))
            return Operation(Function.FREE, thread, aim, block, offset=chance.randrange(256))
        if self.sized and kind < 0.7:
            return Operation(Function.FREE_SIZED, thread, Aim.LIVE, block)
        return Operation(Function.FREE, thread, Aim.LIVE, block)


ALIGNED = frozenset({Function.ALIGNED_ALLOC, Function.POSIX_MEMALIGN, Function.MEMALIGN})


def asks(plan: Sequence[Operation]) -> int:
    """How many requests a plan makes at most, directives aside."""
    return sum(operation.function is not Function.LABEL for operation in plan)


def sized(operation: Operation) -> bool:
    """Whether the operation names a size."""
    return operation.function in ALLOCATING or operation.function in RESIZING
