"""The heap at a finding: what the specification knew when the rule broke, staged for a picture."""

from __future__ import annotations

import re
from collections.abc import Iterable

from m4alloc.check.showing import Shown, judge_of, request_line, shown, told_events
from m4alloc.view.heap_at import heap_at
from m4alloc.view.heap_at_text import heap_at_text
from m4alloc.view.scene import Line, Mark, Scene, Shape, State
from m4alloc.view.svg import document
from spec.acceptor import USER_ADDRESSES, Acceptor
from spec.contract import Rule
from spec.event import ERRNO_CHANGED, FREEING, MISUSE_CAUGHT, NEVER_RETURNED, RESIZING, Event, Function
from spec.heap import Block
from spec.history import Phase, points
from spec.judge import extent, granted, hands_out
from spec.script_writer import line_of
from spec.standard import FUNDAMENTAL
from spec.statement import Script
from spec.story import error

LINES = 12
"""Lines of the script that a picture lists: the last ones up to the call."""
GRAVES = 200
"""Freed blocks in a scene: the youngest ones that no live block covers."""


def svg_of(script: Script, rule: Rule | None = None, message: str = "") -> str:
    """The picture of the heap at the violation, as an SVG file.

    script: with replies; it claims the violation or holds it. rule, message: as `showing.shown` takes them.
    Raises: ValueError when nothing breaks, ScriptError when a reply is missing.
    """
    return document(heap_at(scene(script, rule, message)))


def text_of(script: Script, rule: Rule | None = None, message: str = "", *, width: int = 100) -> list[str]:
    """The same picture in characters, as lines.

    >>> from spec.script import parse
    >>> text = "a = malloc 24 -> 0x1000\\nb = malloc 24 -> 0x1010   ! violates result-disjoint"
    >>> print(*text_of(parse(text))[:6], sep="\\n")
    result-disjoint: b = malloc 24 returned 0x1010
    <BLANKLINE>
    0x1000  ##################XXXXXXXXXXXX                    a  24 bytes, harmed
    0x1010                    XXXXXXXXXXXX==================  b  24 bytes, the reply
    <BLANKLINE>
    bytes 16 to 23 of a are bytes 0 to 7 of b
    """
    return heap_at_text(scene(script, rule, message), width=width)


def scene(script: Script, rule: Rule | None = None, message: str = "") -> Scene:
    """The heap at the violation that a script with replies shows.  Cost: one pass over the script.

    >>> from spec.script import parse
    >>> text = "a = malloc 24 -> 0x1000\\nb = malloc 24 -> 0x1010   ! violates result-disjoint"
    >>> staged = scene(parse(text))
    >>> [(block.name, block.harmed) for block in staged.blocks], staged.reply.name, staged.said
    ([('a', True)], 'b', 'returned 0x1010')
    """
    seen = shown(script, rule, message)
    if seen is None:
        raise ValueError(f"{script.source} breaks no rule: there is no violation to draw")
    told = dict(told_events(script))
    places = [number for number in sorted(told) if number <= seen.step]
    if not places:
        raise ValueError(f"{script.source} has no call up to step {seen.step + 1}")
    number = places[-1]
    stage = _Stage(script, told, number)
    event = told[number]
    step = script.steps[number]
    lines = tuple(
        Line(place + 1, line_of(one), place == number)
        for place, one in enumerate(script.steps[: number + 1])
        if place > number - LINES
    )
    return Scene(
        rule=seen.rule.name,
        sentence=seen.rule.sentence,
        clause=seen.clause,
        message=_named(seen.message, stage.names),
        call=request_line(step),
        said=said(event),
        blocks=tuple(stage.shapes(seen)),
        reply=_reply(event, step.name or "the reply"),
        marks=tuple(_marks(seen, event, stage.acceptor)),
        lines=lines,
    )


class _Stage:
    """The blocks that are live when the call of step `number` begins, and their names."""

    def __init__(self, script: Script, told: dict[int, Event], number: int) -> None:
        self.acceptor = judge_of(script)
        self.names: dict[int, str] = {}
        self.event = told[number]
        steps = {id(event): script.steps[place] for place, event in told.items()}
        for phase, event in points(told.values()):
            if event is self.event and phase != Phase.BEGIN:
                break
            if event is self.event and phase == Phase.BEGIN and event.flags & NEVER_RETURNED:
                break
            if phase != Phase.END:
                self.acceptor.release(event)
            if phase == Phase.BEGIN:
                continue
            self.acceptor.acquire(event)
            name, block = steps[id(event)].name, self.acceptor.heap.live.get(event.result)
            if name and block is not None:
                self.names[block.id] = name

    def shapes(self, seen: Shown) -> Iterable[Shape]:
        """The live blocks, and the freed ones that none of them covers, by address."""
        heap = self.acceptor.heap
        harmed = seen.violation.block if seen.violation is not None else None
        handed_in = self.event.address if self.event.function in FREEING | RESIZING else 0
        shapes = []
        for block in heap.live.values():
            given_up = block.base == handed_in
            hurt = harmed is not None and harmed.id == block.id
            shapes.append(self.shape(block, State.GIVEN_UP if given_up else State.LIVE, hurt))
        graves = sorted(heap.graves.values(), key=lambda grave: grave.freed, reverse=True)
        dead: list[Shape] = []
        for grave in graves:
            hurt = harmed is not None and harmed.id == grave.block.id
            if not hurt and len(dead) >= GRAVES:
                continue
            shape = self.shape(grave.block, State.FREED, hurt)
            if hurt or not any(shape.shared(one) for one in [*shapes, *dead]):
                dead.append(shape)
        shapes += dead
        return sorted(shapes, key=lambda shape: (shape.base, shape.top))

    def shape(self, block: Block, state: State, harmed: bool) -> Shape:
        """A block as the picture names it."""
        name = self.names.get(block.id, f"#{block.id}")
        return Shape(name, block.base, block.size, block.extent, state, harmed, f"since event {block.born}")


def said(event: Event) -> str:
    """What a call replied, in words.

    >>> said(Event(Function.MALLOC, errno=12)), said(Event(Function.MALLOC, result=0x1000))
    ('returned NULL with ENOMEM', 'returned 0x1000')
    """
    if event.flags & NEVER_RETURNED:
        return "never returned"
    if event.flags & MISUSE_CAUGHT:
        return "was reported as misuse"
    if event.function == Function.LOAD and event.intact >= 0:
        return "found what was stored" if event.intact >= event.size else "did not find what was stored"
    if event.function == Function.USABLE_SIZE:
        return f"returned {event.result}"
    if event.function in FREEING:
        return "changed errno" if event.flags & ERRNO_CHANGED else "returned"
    if event.function == Function.POSIX_MEMALIGN and event.errno:
        return f"returned {error(event.errno)}"
    if event.result and event.function < Function.LOAD:
        return f"returned {event.result:#x}"
    return f"returned NULL with {error(event.errno)}" if event.function < Function.LOAD else "was made"


def _named(message: str, names: dict[int, str]) -> str:
    """The message with the names of the script where it says `block #3`."""
    return re.sub(r"block #(\d+)", lambda found: names.get(int(found[1]), found[0]), message)


def _reply(event: Event, name: str) -> Shape | None:
    """The block handed out, or the one that malloc_usable_size spoke of."""
    if event.flags & NEVER_RETURNED:
        return None
    if event.function == Function.USABLE_SIZE and event.address:
        return Shape("what it said", event.address, event.result, max(event.result, 1))
    if not hands_out(event):
        return None
    return Shape(name, event.result, granted(event), extent(event))


def _marks(seen: Shown, event: Event, acceptor: Acceptor) -> Iterable[Mark]:
    """The addresses that the finding is about."""
    base = event.address if event.function == Function.LOAD or not event.result else event.result
    match seen.rule.name:
        case "calloc-zeroes" | "calloc-zeroes-usable":
            yield Mark(base + event.intact, f"byte {event.intact} is not zero")
        case "realloc-keeps-contents" | "block-keeps-contents":
            yield Mark(base + event.intact, f"byte {event.intact} has changed")
        case "realloc-failure-keeps-block" if not event.result and event.intact >= 0:
            yield Mark(base + event.intact, f"byte {event.intact} has changed")
        case "usable-at-least-requested" | "pvalloc-whole-pages" if hands_out(event):
            yield Mark(base + max(event.usable, 0), f"usable bytes end here, after {event.usable}", byte=False)
        case "result-aligned-fundamental" | "result-aligned-as-requested":
            need = _alignment(event, acceptor)
            yield Mark(base - base % need, f"multiple of {need}", byte=False)
            yield Mark(base, f"{base % need} above a multiple of {need}", byte=False)
            yield Mark(base - base % need + need, f"multiple of {need}", byte=False)
        case "result-contained" if hands_out(event):
            low, high = acceptor.span
            what = "user addresses" if acceptor.span == USER_ADDRESSES else "the arena"
            if base + extent(event) > high:
                yield Mark(high, f"{what} end", byte=False)
            elif base < low:
                yield Mark(low, f"{what} begin", byte=False)


def _alignment(event: Event, acceptor: Acceptor) -> int:
    """The alignment that the reply lacks, in bytes."""
    if event.alignment:
        return event.alignment
    if event.function in (Function.VALLOC, Function.PVALLOC):
        return acceptor.page
    if event.function == Function.NEW:
        return min(FUNDAMENTAL, event.size & -event.size or 1)
    return acceptor.contract.fundamental(granted(event))
