"""How a finding of each kind is shown: in lists, on the map of the page, and in pictures. Never by its colour alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from m4alloc.view.explorer.life import FindingKind


@dataclass(frozen=True, slots=True)
class Kind:
    """sign: in lists, before its word. letter: on a map. tone: whether it is good news. role: its colour (palette.py).

    Its outline on the page's map is in map_marks.js.
    """

    sign: str
    letter: str
    word: str
    tone: Literal["good", "bad", "muted"]
    role: str


KINDS: dict[FindingKind, Kind] = {
    "missed": Kind("!", "!", "nothing stopped it", "bad", "bad"),
    "violation": Kind("✗", "V", "the allocator broke a rule", "bad", "bad"),
    "misuse": Kind("✗", "M", "the program misused the heap", "bad", "warn"),
    "fault": Kind("■", "F", "the hardware stopped it", "good", "accent"),
    "property": Kind("✗", "P", "a temporal property is violated", "bad", "bad"),
    "attack": Kind("→", "A", "step of the attack", "muted", "ink"),
    "label": Kind("·", "L", "said by the program", "muted", "muted"),
}
"""Gravest first."""


def table() -> str:
    """The same for the page's script, as JSON.

    >>> table()[:31]
    '{"missed":{"sign":"!","letter":'
    """
    told = {kind: asdict(one) for kind, one in KINDS.items()}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
