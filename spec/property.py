"""What a property is: a formula over the events of one index, with its sentence, its class and examples."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from spec.ltl.formula import Formula
from spec.ltl.parametric import Index as Index
from spec.ltl.parser import parse

EVENTS: Final = frozenset({"malloc", "free", "access", "client_access_mem"})
"""A block is handed out, is given up, is loaded from or stored to (two names for one proposition)."""
CALLS: Final = frozenset({"mem_allocate_start", "mem_allocate_end", "mem_free_start", "mem_free_end"})
"""The labels that every call raises by itself: a request begins, its reply is there."""
OF_MALLOC: Final = frozenset({"early", "overlap", "stale_tag", "dirty"})
"""What the heap counts or compares, true in the letter of a malloc. early: the block reuses bytes that were freed fewer
than Q frees of their size class ago; overlap: it shares bytes with a live block; stale_tag: it has the tag that its
memory had before it was freed; dirty: it had to be zero and is not."""
OF_ACCESS: Final = frozenset({"outside", "uninitialised"})
"""The same of an access. outside: it is not wholly within the bytes that were requested of its block; uninitialised: it
reads bytes of its block that nothing has written since the block was handed out."""
NUMBERS: Final = OF_MALLOC | OF_ACCESS
"""The propositions that are true only together with an event, of which somebody has to know more than the call."""

KNOWN: Final = EVENTS | CALLS | NUMBERS
"""The propositions that are no labels."""


class About(StrEnum):
    """Whose fault a violation is: the allocator's, the program's, or nobody's (the property itself is amiss)."""

    ALLOCATOR = "allocator"
    PROGRAM = "program"
    NOBODY = "nobody"


class Kind(StrEnum):
    """The least class of the hierarchy of Manna and Pnueli that the formula is in.

    SAFETY: what violates it has a last letter. RECURRENCE: something happens again and again, or, whenever asked for,
    at last. OBLIGATION: a Boolean combination of safety and its opposite, guarantee.
    """

    SAFETY = "safety"
    OBLIGATION = "obligation"
    RECURRENCE = "recurrence"


@dataclass(frozen=True, slots=True)
class Property:
    """One property of the library, or of a user.

    text: the formula. index: what it is of. sentence: the same in English. kind: its class; None for a user's.
    satisfied, violated: words that do and do not satisfy it, in the notation of `spec.ltl.parser.parse_word`.
    restates: the properties of the library that say the same in another form, all of them together.
    aliases: further names. note: what to know.
    """

    name: str
    text: str
    index: Index
    sentence: str
    about: About
    kind: Kind | None = None
    satisfied: tuple[str, ...] = ()
    violated: tuple[str, ...] = ()
    restates: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    note: str = ""

    @property
    def formula(self) -> Formula:
        """The formula that `text` spells.  Cost: parsed once."""
        return formula_of(self.text)

    @property
    def labels(self) -> frozenset[str]:
        """The propositions that somebody must raise by name.

        >>> Property("p", "[](free -> (!malloc W quarantine_end))", Index.ADDRESS, "", About.ALLOCATOR).labels
        frozenset({'quarantine_end'})
        """
        return self.formula.propositions - KNOWN

    @property
    def needs(self) -> frozenset[str]:
        """The propositions that are not in every recording, and without which it is no evidence of anything.

        >>> formulas = "[](access -> !early)", "[](malloc -> <>free)"
        >>> [sorted(Property("p", text, Index.ADDRESS, "", About.PROGRAM).needs) for text in formulas]
        [['access', 'early'], []]
        """
        wanted = self.formula.propositions & NUMBERS
        return wanted | {"access"} if self.formula.propositions & {"access", "client_access_mem"} else wanted

    def __str__(self) -> str:
        return f"{self.name} = {self.index}: {self.text}"


@cache
def formula_of(text: str) -> Formula:
    """The formula that `text` spells, parsed once.  Raises: LogicError."""
    return parse(text)
