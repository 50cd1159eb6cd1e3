"""What a heap script is made of: settings, steps, pointers by name, and claims."""

from __future__ import annotations

from dataclasses import dataclass, field

from spec.event import Event


class ScriptError(ValueError):
    """A script that cannot be read or run: where (source, line, column from 1), and what was expected there."""

    def __init__(self, source: str, line: int, column: int, message: str) -> None:
        super().__init__(source, line, column, message)
        self.source = source
        self.line = line
        self.column = column
        self.message = message

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class Pointer:
    """An address as a script writes it: relative to a named block, or absolute when `name` is empty.

    >>> str(Pointer("a", 8)), str(Pointer("a")), str(Pointer("", 4096)), str(Pointer())
    ('a+8', 'a', '0x1000', 'NULL')
    """

    name: str = ""
    offset: int = 0

    def __str__(self) -> str:
        if self.name:
            return f"{self.name}{self.offset:+d}" if self.offset else self.name
        return f"{self.offset:#x}" if self.offset else "NULL"


@dataclass(frozen=True, slots=True)
class Claim:
    """Something a script asserts: `misuse double-free a`, `violates result-disjoint`, `disjoint c d`, `a dead`.

    kind: the word that says what is claimed. words: what it is claimed of, in the order of the text.
    pointer: what a misuse is claimed of, when the text says so.
    """

    kind: str
    words: tuple[str, ...] = ()
    pointer: Pointer | None = None
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if self.kind in ABOUT_BLOCK:
            return " ".join((self.words[0], self.kind, *self.words[1:]))
        pointer = () if self.pointer is None else (str(self.pointer),)
        return " ".join((self.kind, *self.words, *pointer))


ABOUT_CALL = {"misuse": "a kind of misuse", "violates": "a rule", "caught": "nothing more"}
"""Claims about the call on whose line they stand, with what follows the word."""
ABOUT_PAIR = frozenset({"disjoint", "same"})
"""Claims about two named blocks: they share no byte; they have one address."""
ABOUT_BLOCK = frozenset({"live", "dead", "null", "aligned"})
"""Claims about one named block, whose name stands first; `aligned` takes a number of bytes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `given` lines say about the history: arguments for `spec.acceptor.Acceptor`, with its defaults.

    >>> Settings(quarantine=4).arguments()
    {'quarantine': 4}
    """

    standard: str | None = None
    quarantine: int | None = None
    quarantine_limit: int | None = None
    arena: tuple[int, int] | None = None
    page: int | None = None
    observes: int | None = None
    promises: frozenset[str] | None = None

    def arguments(self) -> dict[str, object]:
        """The settings that were given, by argument name."""
        pairs = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True, slots=True)
class Step:
    """One line that does or claims something.

    event: the call, with its reply where the script has one; None for a line that only claims (`expect`).
    name: what the block handed out is called from here on. pointer: what stands in the text for event.address.
    replied: the text has a reply. whole: the access covers the whole block, whatever its size (`fill a 0x5a`).
    """

    event: Event | None
    name: str = ""
    pointer: Pointer | None = None
    replied: bool = False
    whole: bool = False
    claims: tuple[Claim, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """A heap script: what is given, and its steps. source: what errors call it."""

    steps: tuple[Step, ...]
    settings: Settings = field(default_factory=Settings)
    source: str = "<script>"

    def __str__(self) -> str:
        """The text of it."""
        from spec.script_writer import render

        return render(self)

    def _repr_html_(self) -> str:
        """For notebooks: the text, what is claimed of it apart from what is asked."""
        from spec.script_picture import script

        return script(self)
