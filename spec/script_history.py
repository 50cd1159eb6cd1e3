"""Heap scripts and histories: a history as a script that names its blocks, and back, losing nothing but times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sortedcontainers import SortedDict

from spec.event import RESIZING, Event, Function
from spec.history import Phase, points
from spec.judge import extent, granted, hands_out
from spec.script_words import OPERANDS, REPLYING
from spec.statement import Pointer, Script, ScriptError, Settings, Step


def from_events(events: Sequence[Event], settings: Settings | None = None, source: str = "<history>") -> Script:
    """The script of a history: blocks are named a, b, ... z, b26, b27 ... in the order of their requests.

    events: ordered by begin. A block that is resized in place keeps its name.
    Raises: ValueError when events are out of order.  Cost: O(n log n).

    >>> from spec.script_writer import render
    >>> history = [Event(Function.MALLOC, size=24, result=0x1000), Event(Function.FREE, address=0x1000)]
    >>> print(render(from_events(history)), end="")
    a = malloc 24 -> 0x1000
    free a
    """
    own = [event._replace(time_ns=0) for event in events]  # each an object of its own
    names = _fresh_names(own)
    pointers: dict[int, Pointer] = {}
    bound: SortedDict[int, tuple[str, Event]] = SortedDict()
    for phase, event in points(own):
        key = id(event)
        if phase != Phase.END and "pointer" in OPERANDS[Function(event.function)]:
            pointer = pointers[key] = _pointer(event.address, bound)
            if hands_out(event) and event.result == event.address and not pointer.offset:
                names[key] = pointer.name
        if phase != Phase.BEGIN and names.get(key):
            bound[event.result] = names[key], event
    blocks: dict[str, Event] = {}
    steps = [_step(event, names.get(id(event), ""), pointers.get(id(event)), blocks) for event in own]
    return Script(tuple(steps), settings or Settings(), source)


def to_events(script: Script) -> list[Event]:
    """The history that a script with replies tells.

    Raises: ScriptError for a call whose reply the script does not have.  Cost: O(n).

    >>> from spec.script_reader import parse
    >>> [event.address for event in to_events(parse("a = malloc 24 -> 0x1000\\nfree a+8"))]
    [0, 4104]
    """
    blocks: dict[str, Event] = {}
    return [event for step in script.steps if (event := recorded(script, step, blocks)) is not None]


def recorded(script: Script, step: Step, blocks: dict[str, Event]) -> Event | None:
    """The event that one step of a script with replies tells; None when it only claims something.

    blocks: the last event that each name was given to; updated.  Raises: ScriptError when there is no reply.
    """
    if step.event is None:
        return None
    if step.event.function in REPLYING and not step.replied:
        call = Function(step.event.function).name.lower()
        raise ScriptError(script.source, step.line, 1, f"{call} has no reply ('-> ...'): run the script to get one")
    event = resolved(step, blocks)
    if step.name:
        blocks[step.name] = event
    return event


def resolved(step: Step, blocks: dict[str, Event]) -> Event:
    """The event of `step` with its pointer as an address, given what each name stands for.  Cost: O(1)."""
    event, pointer = step.event, step.pointer
    assert event is not None, "a step that only claims has no event"
    if pointer is None:
        return event
    base = blocks[pointer.name].result if pointer.name else 0
    event = event._replace(address=base + pointer.offset)
    return event._replace(size=granted(blocks[pointer.name])) if step.whole else event


def _fresh_names(events: Iterable[Event]) -> dict[int, str]:
    """A name for each event that hands out a block somewhere else than it was, by identity of the event."""
    names: dict[int, str] = {}
    for event in events:
        if hands_out(event) and not (event.function in RESIZING and event.result == event.address):
            names[id(event)] = chr(ord("a") + len(names)) if len(names) < 26 else f"b{len(names)}"
    return names


def _pointer(address: int, bound: SortedDict[int, tuple[str, Event]]) -> Pointer:
    """How `address` is written, given the name last given at each address."""
    for base in bound.irange(None, address, reverse=True):
        name, event = bound[base]
        if address == base or address < base + extent(event):
            return Pointer(name, address - base)
        break
    return Pointer("", address)


def _step(event: Event, name: str, pointer: Pointer | None, blocks: dict[str, Event]) -> Step:
    """The step of `event`; blocks: the last event on an earlier line that each name was given to; updated."""
    if name:
        blocks[name] = event
    fills = event.function == Function.FILL and pointer is not None and pointer.name and not pointer.offset
    whole = bool(fills and pointer and granted(blocks[pointer.name]) == event.size)
    if pointer is not None:
        event = event._replace(address=0, size=0 if whole else event.size)
    return Step(event, name, pointer, event.function in REPLYING, whole)
