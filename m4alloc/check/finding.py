"""A finding: the rule that broke, the smallest history that breaks it, and how surely it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from m4alloc.check.instruction import Planner, Row
from m4alloc.check.judgement import Broken, Terms
from m4alloc.check.operation import LABELS, Aim, Directive, Operation
from m4alloc.check.scripted import told
from spec.contract import Rule
from spec.event import ALLOCATING, RESIZING, Event, Function
from spec.statement import Pointer, Script, Step

OVER_AND_OVER = "over-and-over"
"""The label at the head of a script that shows what it shows when all of it is carried out over and over, with whatever
is left over freed after each round."""
TIMES = 10
"""How often a finding is carried out again, each time by a driver of its own."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that an allocator broke.

    rule, clause, message: what broke, where that is demanded, and what was seen. engine, where: which search found it,
    and in which of its parts. script: the smallest history found, with its claims; the plan alone, without replies,
    where the history is too long to be told. requests: calls of the malloc family that it takes, a repeated one counted
    once; with the label OVER_AND_OVER at its head all of it is repeated. replays: how often the rule broke again, of
    `times` tries.
    """

    rule: Rule
    clause: str
    message: str
    engine: str
    where: str
    script: Script
    requests: int
    replays: int
    times: int = TIMES

    @property
    def flaky(self) -> bool:
        """Whether it does not show every time."""
        return self.replays < self.times

    @property
    def repeated(self) -> bool:
        """Whether the script shows it only when it is carried out over and over."""
        return is_repeated(self.script)

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.message}"


def is_repeated(script: Script) -> bool:
    """Whether a script asks to be carried out over and over."""
    first = script.steps[0].event if script.steps else None
    return first is not None and first.function is Function.LABEL and first.label == OVER_AND_OVER


def script_of(broken: Broken, plan: Sequence[Operation], terms: Terms, *, repeated: bool = False) -> Script:
    """The script that shows a rule broken: the history up to there.

    The plan instead when there is no history, or when the plan says in one line what the history repeats.
    repeated: what matters is what the plan takes when it is carried out over and over.
    """
    if repeated:
        script = planned(plan, terms)
        return replace(script, steps=(Step(Event(Function.LABEL, label=OVER_AND_OVER)), *script.steps))
    repeats = any(step.function is Function.LABEL and step.count == Directive.REPEAT for step in plan)
    if repeats or not broken.history:
        return planned(plan, terms)
    return told([event._replace(site=0) for event in broken.history[: broken.number + 1]], terms)


def planned(plan: Sequence[Operation], terms: Terms) -> Script:
    """The plan as a script without replies, each block named after its slot.

    >>> from spec.script_writer import render
    >>> plan = [Operation(Function.MALLOC, size=24), Operation(Function.FREE, aim=Aim.LIVE)]
    >>> print(render(planned(plan, Terms())), end="")
    given standard c17
    given observes errno
    b0 = malloc 24
    free b0
    """
    return Script(tuple(map(_step, Planner().rows(plan))), terms.settings())


def _step(row: Row) -> Step:
    function = Function(row.function)
    event = Event(function, row.thread, 0, row.size, row.count, row.alignment)
    name = f"b{row.slot}"
    if function is Function.LABEL:
        label = LABELS[row.count - 1] if row.count else "label"
        return Step(event._replace(count=1, label=label))
    if function in ALLOCATING:
        return Step(event, name)
    offset = 1 + row.offset if row.aim == Aim.INSIDE else 0
    pointer = Pointer(name, offset) if row.uses_slot and row.aim else Pointer()
    if function in RESIZING:
        return Step(event, name, pointer)
    return Step(event, "", pointer)


def requests_in(script: Script) -> int:
    """Calls of the malloc family in a script."""
    return sum(step.event is not None and step.event.function < Function.LOAD for step in script.steps)
