"""What notebooks show of an arena, a strategy and a trace: tables, bars and a heap map, without a script."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from m4alloc.view.palette import ROLES
from m4alloc.view.quantity import number, plural, size
from m4alloc.view.svg import STYLE, Element, element, escape, group, picture
from spec.picture import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from m4alloc.arena import ArenaFace
    from m4alloc.strategy import Strategy
    from m4alloc.trace.read import Trace
    from m4alloc.view.raster import Blocks

DRAWN = 200_000
"""Calls of a trace that its picture is made from; of a longer one the first so many, and the picture says so."""
_SCOPE = "m4-notebook"
_INK = (("muted", 70), ("line", 25), ("panel", 6))
"""Roles that are ink, and at what strength in per cent."""
_TEXT = ("accent", "good", "bad", "warn", "series-1", "series-2", "series-3", "series-4")
"""Roles that text is set in: mixed with ink, so that they can be read on any page."""
_PAGE = "oklch(from currentColor calc((0.6 - l)*100) 0 0)"
"""White where the ink is dark, black where it is light: the page's own colour is not to be had."""
_MOST_CLASSES = 24


def scoped(body: str) -> str:
    """Pieces of HTML and SVG with the colours of `m4alloc.view.palette`, scoped, so that nothing leaks out.

    Ink is the notebook's own: whether it is light or dark is its theme's business, not that of the reader's system.
    """
    mixed = ((role, f"color-mix(in srgb,currentColor {share}%,transparent)") for role, share in _INK)
    told = ((role, f"color-mix(in srgb,{ROLES[role][0]} 70%,currentColor)") for role in _TEXT)
    plain = {role: light for role, (light, _) in ROLES.items()}
    roles = plain | {"ink": "currentColor", "page": _PAGE, **dict(mixed), **dict(told)}
    colours = "".join(f"--{role}:{colour};" for role, colour in roles.items())
    style = f".{_SCOPE}{{{colours}}}\n{STYLE}"
    return f'<div class="{_SCOPE}"><style>{style}</style>{body}</div>'


def arena(face: ArenaFace) -> str:
    """An arena: its figures, and for each size class in use how its slots are divided.  Cost: that of `stats`.

    >>> from m4alloc.arena import Arena
    >>> with Arena(1 << 20) as heap:
    ...     block = heap.malloc(24)
    ...     "1 live block" in arena(heap)
    True
    """
    if face.closed:
        return "<p>Arena, closed: every block of it is gone.</p>"
    totals = face.totals()
    told = f"Arena with {plural(totals['live_blocks'], 'live block')}, {size(totals['live'])} usable"
    figures = [
        ["in slabs and large blocks", size(totals["spans"])],
        ["at its peak", size(totals["spans_peak"])],
        ["free slots that threads keep at hand", size(totals["cached"])],
        ["memory committed", size(totals["committed"])],
        ["metadata, out of line", size(totals["metadata"])],
        ["mallocs and frees", f"{number(totals['mallocs'])} and {number(totals['frees'])}"],
        ["calls refused as misuse", number(totals["misuses"])],
    ]
    drawn = _classes(face.classes())
    return scoped(f"<p><b>{escape(told)}</b></p>{drawn.write() if drawn else ''}{table(figures, right=[1])}")


def _classes(counts: Sequence[Mapping[str, int]]) -> Element | None:
    """A bar a size class: live slots solid, slots that a thread keeps at hand dotted by lines, the rest empty."""
    used = [one for one in counts if one["slots"]][:_MOST_CLASSES]
    if not used:
        return None
    left, width, pitch = 84.0, 380.0, 20.0
    parts: list[Element | str] = []
    for row, one in enumerate(used):
        y = 28 + row * pitch
        live, at_hand, slots = one["live_blocks"], one["cached_slots"], one["slots"]
        told = f"{number(live)} live, {number(at_hand)} at hand, of {number(slots)} slots"
        share = width * live / slots
        hand = width * min(at_hand, slots - live) / slots
        bar = [
            element("title", told),
            element("rect", x=left, y=y, width=width, height=13, class_="panel", stroke="var(--line)"),
            element("rect", x=left, y=y, width=share, height=13, fill="var(--series-1)"),
            element("rect", x=left + share, y=y + 4, width=hand, height=5, fill="var(--series-3)"),
        ]
        name = element("text", size(one["slot_size"]), x=left - 8, y=y + 11, text_anchor="end")
        parts += [group(bar), name, element("text", told, x=left + width + 8, y=y + 11, class_="small muted")]
    said = "slots of each size class: the full bar is live, the thin one kept at hand by threads, the rest free"
    parts.append(element("text", said, x=left, y=16, class_="small muted"))
    return picture(parts, 760, 34 + pitch * len(used), "Size classes of the arena", said)


def strategy(one: Strategy) -> str:
    """A strategy: the knobs that differ from the default's, and folded up all of them.

    >>> from m4alloc.strategy import Strategy
    >>> "delay_line" in strategy(Strategy(delay_line=64))
    True
    """
    usual = type(one)()
    rows = []
    for field in fields(one):
        value, default = getattr(one, field.name), getattr(usual, field.name)
        rows.append((value != default, [field.name, _value(value), _value(default)]))
    changed = [row for differs, row in rows if differs]
    told = f"{plural(len(changed), 'knob')} unlike the default" if changed else "the default strategy"
    header = ["knob", "value", "by default"]
    first = table(changed, header, right=[1, 2]) if changed else ""
    whole = table([row for _, row in rows], header, right=[1, 2])
    return scoped(f"<p><b>Strategy: {told}</b></p>{first}<details><summary>all knobs</summary>{whole}</details>")


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return f"{len(value)}: {value[0]:,} to {value[-1]:,}" if value else "none"
    return number(value) if isinstance(value, int) else str(value) or "none"


def trace(one: Trace) -> str:
    """A trace: what it is of, its figures, and the heap map of its first DRAWN calls.

    Cost: about a second for so many.
    """
    from m4alloc.check.images import calls_in
    from m4alloc.check.lives import lives_of

    used = one.used
    lives = lives_of(calls_in(replace(one, records=one.records[:DRAWN])))
    rows = [
        ["program", " ".join(one.command) or one.executable or "not known"],
        ["allocator", one.allocator or "not known"],
        ["calls", number(used)],
        ["blocks handed out", number(len(lives))],
        ["bytes asked for", size(float(lives.size.sum()))],
        ["live at the end", plural(len(lives.survivors), "block")],
    ]
    blocks = lives.blocks()
    shown = heap_map(blocks, max(1, lives.requests), "request") if len(blocks) else ""
    more = f"<p>Drawn are the first {number(DRAWN)} of {number(used)} calls.</p>" if used > DRAWN else ""
    return f"<p><b>Trace {escape(one.path.name)}</b></p>{table(rows)}{more}{shown}"


def heap_map(blocks: Blocks, stop: int, clock: str, *, counted: bool = False) -> str:
    """The map of a heap from 0 to `stop` on its clock: block by block where they are few, else as a grid of cells.

    counted: as of `m4alloc.view.heap_map.draw`.
    """
    from m4alloc.view.heap_map import draw

    return scoped(draw(blocks, stop, clock, number_at, columns=120, rows=60, counted=counted).write())


def number_at(place: float) -> str:
    """The label of a request's number on an axis.

    >>> number_at(1200.0)
    '1,200'
    """
    return number(round(place))
