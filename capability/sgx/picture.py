"""The EPC, to look at: a page a line of text, or an SVG drawing with a square a page. Pure: strings from values."""

from __future__ import annotations

from html import escape

from capability.sgx.machine import Machine
from capability.sgx.page import Entry, Rights

_STEP, _ROW = 46, 8
_COLOURS = {
    "free": "#fff",
    "SECS": "#b9c7e8",
    "TCS": "#c9b9e8",
    "VA": "#d8d8d8",
    "REG": "#bfe3bf",
    "pending": "#fff2a8",
    "modified": "#ffd0a0",
    "blocked": "#f2b3b3",
    "TRIM": "#e8dcc8",
}


def state(entry: Entry | None) -> str:
    """One word for what stands between a page and its use: blocked, pending or modified; else its type, or free.

    >>> from capability.sgx.page import PageType
    >>> state(None), state(Entry(PageType.REG)), state(Entry(PageType.REG, pending=True))
    ('free', 'REG', 'pending')
    """
    if entry is None:
        return "free"
    if entry.blocked:
        return "blocked"
    if entry.pending:
        return "pending"
    return "modified" if entry.modified else entry.page_type.name


def text(machine: Machine, first: int = 0, last: int | None = None) -> str:
    """The EPCM as a table, for the frames first <= frame <= last; by default up to the last one in use.

    Cost: O(frames shown).

    >>> from capability.sgx.build import ecreate
    >>> print(text(ecreate(Machine(frames=4), 1, 0x10000, 0x2000).done()))
    frame  type  secs  address  rights  state
        0  -     -     -        -       free
        1  SECS  -     -        -       SECS
    """
    rows = [("frame", "type", "secs", "address", "rights", "state")]
    for frame in _frames(machine, first, last):
        entry = machine.epcm.get(frame)
        rows.append((str(frame), *_columns(entry), state(entry)))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    cut = (
        [row[0].rjust(widths[0]), *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    )
    return "\n".join("  ".join(cells).rstrip() for cells in cut)


def svg(machine: Machine, first: int = 0, last: int | None = None) -> str:
    """The same as a drawing: the colour is the state, the words are the type and the rights.

    >>> svg(Machine(frames=4), 0, 3).count("<rect ")
    4
    """
    frames = _frames(machine, first, last)
    height = -(-len(frames) // _ROW) * _STEP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_ROW * _STEP}" height="{height}" role="img" '
        f'aria-label="EPC frames {frames.start} to {frames.stop - 1}" font-family="monospace" font-size="11">'
    ]
    for number, frame in enumerate(frames):
        entry = machine.epcm.get(frame)
        x, y = number % _ROW * _STEP, number // _ROW * _STEP
        words = ", ".join(
            f"{name} {cell}"
            for name, cell in zip(("type", "SECS", "address", "rights"), _columns(entry), strict=True)
            if cell != "-"
        )
        title = f"frame {frame}: {state(entry)}" + (f"; {words}" if words else "")
        parts.append(
            f'<rect x="{x + 1}" y="{y + 1}" width="{_STEP - 2}" height="{_STEP - 2}" fill="{_COLOURS[state(entry)]}" '
            f'stroke="#444"><title>{escape(title)}</title></rect>'
            f'<text x="{x + 5}" y="{y + 18}">{"" if entry is None else entry.page_type.name}</text>'
            f'<text x="{x + 5}" y="{y + 36}">{"" if entry is None else _rights(entry.rights)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _frames(machine: Machine, first: int, last: int | None) -> range:
    """The frames to show.  Raises ValueError when they are not in the EPC."""
    if last is None:
        last = max((frame for frame, _ in machine.epcm.items()), default=first)
    if not 0 <= first <= last < machine.frames:
        raise ValueError(f"frames {first} to {last}: must be in order, and in the EPC: 0 to {machine.frames - 1}")
    return range(first, last + 1)


def _columns(entry: Entry | None) -> tuple[str, str, str, str]:
    """Type, SECS, address, rights."""
    if entry is None:
        return "-", "-", "-", "-"
    if entry.secs is None:
        return entry.page_type.name, "-", "-", "-"
    return entry.page_type.name, str(entry.secs), f"{entry.address:#x}", _rights(entry.rights)


def _rights(rights: Rights) -> str:
    return "".join(right.name or "" for right in Rights if right in rights) or "-"
