"""An attack on a defence as a life: one run of it, each step marked with what came of it, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from m4alloc.view.explorer.build import life_of
from m4alloc.view.explorer.build_columns import columns_of_events
from m4alloc.view.explorer.build_guards import NONE
from m4alloc.view.explorer.build_marks import in_order, renamed
from m4alloc.view.explorer.build_protection import Seen, granule_of, protected, through_pointers
from m4alloc.view.explorer.life import FindingKind, Life, Mark
from m4alloc.view.explorer.sources_attack_log import Heard, events_of
from m4alloc.view.explorer.sources_problem import ViewError
from m4alloc.view.explorer.sources_script import defence_of, protection_of
from spec.attack import CATALOGUE, plan, tell, verdict
from spec.attacks.verdict import Catcher, Outcome
from spec.event import ACCESSING, Function


def life_of_attack(name: str, on: str, seed: int = 0) -> Life:
    """One run of the attack `name` on the defence `on`, with what the model's generators draw from this seed.

    Raises ViewError: there is no such attack or defence, or the attack means nothing there.
    Cost: milliseconds; up to a second for the exact verdict.

    >>> life = life_of_attack("use-after-reuse-write", "mte-scudo")
    >>> [mark.name for mark in life.marks if mark.kind == "fault"], life.blocks.tag.tolist()
    (['tag mismatch fault'], [11, 9])
    """
    if name not in CATALOGUE:
        near = get_close_matches(name, list(CATALOGUE), 3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(CATALOGUE)}"
        raise ViewError(f"no attack is called {name!r}; {hint}")
    defence, attack = defence_of(on), CATALOGUE[name]
    judged = verdict(name, defence.name)
    if not judged.applies:
        raise ViewError(f"{name} means nothing on {defence.name}: {judged.reason}")
    planned = plan(name, defence.name)
    story = tell(name, defence.name, seed)
    heard = Heard(planned)
    outcome, catch, _ = heard.listening().trial(seed)
    stopped = outcome is Outcome.CAUGHT and catch is not None and catch.step <= len(attack.steps)
    seen = Seen(protection_of(defence), granule_of(defence.architecture))
    told = events_of(heard, len(story.lines), seen, stopped=stopped)
    columns = columns_of_events([event for _, event in told])
    life = life_of(columns, title=f"{attack.title} on {defence.name}", allocator="reference allocator, first fit")
    life = protected(through_pointers(life, columns.address, seen.through), seen)

    steps = [step for step, _ in told]
    last = {step: event for event, step in enumerate(steps)}
    told_of = _renaming(life)
    marks = [
        _mark(life, last[line.step - 1], "attack", f"step {line.step}: {line.text}", told_of(line.answer))
        for line in story.lines
        if line.step - 1 in last
    ]
    end = len(steps) - 1
    if catch is not None:
        kind: FindingKind = "fault" if catch.by is Catcher.HARDWARE else "misuse"
        what = f"{catch.kind} fault" if catch.by is Catcher.HARDWARE else catch.kind
        reason = f"{told_of(catch.message)}; {story.ending}"
        marks.append(_mark(life, end, kind, what, reason, f"to reach: {attack.goal.text}"))
    if outcome in (Outcome.MISSED, Outcome.LATE):
        marks.append(_mark(life, end, "missed", f"{name} succeeds", story.ending, f"to reach: {attack.goal.text}"))
    return replace(
        life,
        sentence=f"{story.ending[:1].upper()}{story.ending[1:]}. Over all runs: {judged}. {attack.sentence}",
        marks=in_order(marks),
        script=tuple(str(step) for step in attack.steps),
        script_lines=tuple(step + 1 for step in steps),
        guard_note=NONE,
    )


def _renaming(life: Life) -> Callable[[str], str]:
    """The reference allocator's messages name events by the number of the request, and blocks as they came, from 1."""
    function, blocks = life.events.function.tolist(), life.blocks
    requests = [event for event, code in enumerate(function) if code < Function.LOAD]
    stayed = (blocks.origin >= 0) & (blocks.base[blocks.origin] == blocks.base)
    events = dict(enumerate(requests, 1))
    made = dict(enumerate(np.flatnonzero(~stayed).tolist(), 1))
    return lambda text: renamed(text, events, made)


def _mark(life: Life, event: int, kind: FindingKind, name: str, reason: str, claim: str = "") -> Mark:
    """A mark at an event, about its block and, where it is an access, about the bytes that it reached for."""
    block = int(life.events.block[event])
    address = length = 0
    if int(life.events.function[event]) in ACCESSING and block >= 0:
        address = int(life.blocks.base[block] + life.events.offset[event])
        length = max(1, int(life.events.size[event]))
    return Mark(event, block, kind, name, reason, claim, address, length)
