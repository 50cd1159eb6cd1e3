"""What formulas yield: capabilities, words and truths without numbers in them, and all that can be seen of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from capability.fault import FaultKind
from m4alloc.superopt.cheri.term import TermError
from m4alloc.superopt.cheri.words import Truth, Word

KINDS: Mapping[FaultKind, int] = {
    FaultKind.TAG: 1,
    FaultKind.SEAL: 2,
    FaultKind.LENGTH: 3,
    FaultKind.PERMISSION: 4,
    FaultKind.ALIGNMENT: 5,
}
"""The neutral kinds as numbers."""


class Unsupported(TermError):  # noqa: N818 - like the errors of DESIGN, named for what it says
    """A term that the formulas do not speak: never a proof, never a refutation."""


class Cap(NamedTuple):
    """A capability: its upper word in register form, its address, its tag."""

    upper: Word
    address: Word
    tag: Truth


Symbol: TypeAlias = "Cap | Word | Truth | tuple[Symbol, ...] | None"


class Event(NamedTuple):
    """A write that happens where `guard` holds: what it was, and the words that say where and what."""

    guard: Truth
    what: str
    words: tuple[Word, ...]


class Seen(NamedTuple):
    """The formulas of one evaluation: as `model.Observation`; where it trapped, the value means nothing."""

    value: Symbol
    trapped: Truth
    kind: Word
    events: tuple[Event, ...]
    loaded: tuple[Cap, ...]
    """Capabilities that came out of memory: they were derived by somebody."""
    facts: tuple[Truth, ...] = ()
    """What lemmas say of the manipulations in it."""
