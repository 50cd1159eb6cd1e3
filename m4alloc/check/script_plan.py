"""A heap script as instructions for the driver: names become slots, directives what they ask for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from m4alloc.check.instruction import ABSOLUTE, INSTRUCTION, RAW, WORD, Instructions, Row
from m4alloc.check.operation import LABELS, Aim
from spec.event import ACCESSING, ALLOCATING, FREEING, RESIZING, Event, Function
from spec.statement import Script, Step


def instructions(script: Script) -> Instructions:
    """The requests and accesses of the script, without its replies; its claims are for whoever judges.

    A load of a whole live block compares its contents with what the driver wrote; a `fill` of a whole block writes the
    driver's own pattern. Other accesses are made as they stand.

    >>> from spec.script import parse
    >>> [int(row["slot"]) for row in instructions(parse("a = malloc 24\\nb = malloc 8\\nfree b\\nstore a 0 1"))]
    [0, 1, 1, 0]
    """
    compiler = _Compiler()
    rows = [row for step in script.steps if (row := compiler.row(step)) is not None]
    return np.array(rows, INSTRUCTION) if rows else np.zeros(0, INSTRUCTION)


@dataclass(slots=True)
class _Named:
    """What a name stands for: its slot, whether its block is live as far as the script tells, and how long it is."""

    slot: int
    live: bool
    size: int


@dataclass(slots=True)
class _Compiler:
    names: dict[str, _Named] = field(default_factory=dict)
    uses: list[int] = field(default_factory=list)

    def row(self, step: Step) -> Row | None:
        event = step.event
        if event is None:
            return None
        if event.function is Function.LABEL:
            number = LABELS.index(event.label) + 1 if event.label in LABELS else 0
            return Row(event.function, 0, event.thread, 0, event.size & WORD, number)
        if event.function in ACCESSING:
            return self.access(step, event)
        return self.request(step, event)

    def request(self, step: Step, event: Event) -> Row:
        aim, slot, offset = self.target(step)
        held = self.names.get(step.pointer.name) if step.pointer and aim in (Aim.LIVE, Aim.DEAD) else None
        function = event.function
        if function in RESIZING and aim == RAW:  # of what is no block: should it hand one out, that is in the same slot
            self.names[step.name or f" {slot}"] = _Named(slot, True, event.request_size)
        elif function in ALLOCATING or (function in RESIZING and held is None):
            slot = self.fresh(step.name, event)
        elif function in RESIZING and held is not None:
            if step.name:  # what is resized goes on in its slot, under the name it is given
                self.names[step.name] = _Named(held.slot, True, event.request_size)
                if step.pointer is not None and step.name != step.pointer.name:
                    held.live = False
        elif function in FREEING and held is not None and aim is Aim.LIVE:
            held.live = False
        return self.made(event, aim, slot, offset)

    def access(self, step: Step, event: Event) -> Row:
        aim, slot, offset = self.target(step)
        held = self.names.get(step.pointer.name) if step.pointer else None
        whole = False
        if held is not None and held.live and not offset:
            whole = step.whole or (event.function is Function.LOAD and event.size >= held.size > 0)
        if aim != ABSOLUTE and not whole:
            aim = RAW
        size = event.size or (held.size if held is not None else 0)
        return self.made(event._replace(size=size, count=event.result), aim, slot, offset)

    def target(self, step: Step) -> tuple[int, int, int]:
        """Aim, slot (-1: none) and offset of the pointer that the step hands in."""
        pointer = step.pointer
        if pointer is None or (not pointer.name and not pointer.offset):
            return Aim.NULL, -1, 0
        held = self.names.get(pointer.name)
        if held is None:
            offset = pointer.offset & WORD
            return ABSOLUTE, -1, offset - (1 << 64) if offset >> 63 else offset
        if pointer.offset:
            return RAW, held.slot, pointer.offset
        return (Aim.LIVE if held.live else RAW), held.slot, 0

    def fresh(self, name: str, event: Event) -> int:
        slot = len(self.uses)
        self.uses.append(0)
        self.names[name or f" {slot}"] = _Named(slot, True, event.request_size)
        return slot

    def made(self, event: Event, aim: int, slot: int, offset: int) -> Row:
        fields = (event.size & WORD, event.count & WORD, event.alignment & WORD, offset)
        if slot < 0:
            return Row(event.function, aim, event.thread, 0, *fields)
        turn = self.uses[slot]
        self.uses[slot] = turn + 1
        return Row(event.function, aim, event.thread, slot, *fields, turn, 1)
