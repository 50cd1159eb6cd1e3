"""One run of an attack, told step by step: what was asked, and what the machine answered."""

from __future__ import annotations

from typing import NamedTuple

from spec.attacks.judge import judge
from spec.attacks.plan import Plan
from spec.attacks.seam import (
    Accessed,
    Derived,
    Entry,
    Examined,
    Loaded,
    Made,
    Retired,
    State,
    Watched,
)
from spec.attacks.verdict import Catch, Outcome, Verdict, described
from spec.event import Event, Function


class Line(NamedTuple):
    """One step of a story. step: counted from 1. text: what is done. answer: what came of it."""

    step: int
    text: str
    answer: str


class Story(NamedTuple):
    """One run of an attack on a defence.

    lines: up to the step in which the run was stopped. outcome: of this run. ending: in words. verdict: of all runs.
    """

    attack: str
    defence: str
    seed: int
    lines: tuple[Line, ...]
    outcome: Outcome
    ending: str
    verdict: Verdict

    def _repr_html_(self) -> str:
        """For notebooks: a row a step, how this run ended, and what becomes of all runs."""
        from spec.attacks.picture import story

        return story(self)


def tell(plan: Plan, seed: int = 0) -> Story:
    """Tell one run, with what the model's generators draw from this seed; of repeated tries the last.

    >>> from spec.attack import plan
    >>> for line in tell(plan("use-after-reuse-write", "mte-glibc")).lines:
    ...     print(f"{line.step}. {line.text}: {line.answer}")  # doctest: +ELLIPSIS
    1. a = malloc 64: 0xb00000000010000
    2. free a: given up
    3. b = malloc 64: 0x100000000010000
    4. fill b 0x11: done
    5. store 8 bytes of 0x41 at a: store of 8 bytes at 0x10000 with tag 11: the granule of 0x10000 has tag 1
    """
    outcome, catch, state = plan.trial(seed)
    answers = _answers(plan, state, catch)
    steps = plan.attack.steps
    last = len(steps) if catch is None else min(catch.step, len(steps))
    lines = tuple(Line(index + 1, str(steps[index]), answers.get(index, "done")) for index in range(last))
    return Story(plan.attack.name, plan.defence.name, seed, lines, outcome, _ending(plan, outcome, catch), judge(plan))


def _ending(plan: Plan, outcome: Outcome, catch: Catch | None) -> str:
    goal = plan.attack.goal.text
    match outcome:
        case Outcome.MISSED:
            return f"missed: {goal}, and nobody noticed"
        case Outcome.HARMLESS:
            return f"harmless: nothing was reported, and this was not reached: {goal}"
    assert catch is not None
    what = f"by the {catch.by.name.lower()}: {described(catch)}"
    if outcome is Outcome.LATE:
        return f"caught late {what}, at the next entry to the kernel; by then {goal}"
    return f"caught at step {catch.step} {what}"


def _answers(plan: Plan, state: State, catch: Catch | None) -> dict[int, str]:
    """What to say of each step, by its index."""
    found: dict[int, str] = {}
    for entry in plan.record.log:
        said = _said(entry, state)
        if said:
            found[entry.step] = said
    for index, reply in plan.record.replies.items():
        refused = _refused(reply)
        if refused:
            found[index] = refused
        elif reply.result and index not in found:
            found[index] = f"in place, {reply.result:#x}"
    if catch is not None and catch.step <= len(plan.attack.steps):
        found[catch.step - 1] = catch.message
    elif catch is not None:
        found[len(plan.attack.steps) - 1] = f"it happens, and is noted: {catch.message}"
    return found


def _said(entry: Entry, state: State) -> str:
    match entry:
        case Derived() | Made() | Loaded():
            pointer = state.pointers.get(entry.number)
            return "nothing is there" if pointer is None else repr(pointer)
        case Retired() | Examined():
            return "given up"
        case Accessed() if entry.data:
            data = state.data.get(entry.data, b"")
            return f"{data[-8:].hex(' ')}{f' (the last 8 of {len(data)} bytes)' if len(data) > 8 else ''}"
        case Watched():
            return "the tags agree" if state.skip else "the tags never agree"
    return ""


def _refused(reply: Event) -> str:
    asked = reply.function not in (Function.FREE, Function.FREE_SIZED, Function.FREE_ALIGNED_SIZED)
    return f"NULL (errno {reply.errno})" if asked and not reply.result and reply.errno else ""
