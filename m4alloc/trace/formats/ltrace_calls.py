"""The calls that ltrace's lines tell of: what their arguments and their results mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from m4alloc.trace.formats.lines import shown
from m4alloc.trace.formats.problem import FormatError
from spec.event import FREEING, Event, Function

ENOMEM = 12
WORD = 2**64 - 1

_PLAIN: dict[str, tuple[Function, tuple[str, ...]]] = {
    "malloc": (Function.MALLOC, ("size",)),
    "calloc": (Function.CALLOC, ("count", "size")),
    "realloc": (Function.REALLOC, ("address", "size")),
    "reallocarray": (Function.REALLOCARRAY, ("address", "count", "size")),
    "free": (Function.FREE, ("address",)),
    "cfree": (Function.FREE, ("address",)),
    "aligned_alloc": (Function.ALIGNED_ALLOC, ("alignment", "size")),
    "memalign": (Function.MEMALIGN, ("alignment", "size")),
    "posix_memalign": (Function.POSIX_MEMALIGN, ("", "alignment", "size")),
    "valloc": (Function.VALLOC, ("size",)),
    "pvalloc": (Function.PVALLOC, ("size",)),
    "malloc_usable_size": (Function.USABLE_SIZE, ("address",)),
    "free_sized": (Function.FREE_SIZED, ("address", "size")),
    "free_aligned_sized": (Function.FREE_ALIGNED_SIZED, ("address", "alignment", "size")),
}
"""C's functions, each with what its arguments are; "" for one that says nothing."""
_OPERATOR = r"operator (?:new|delete)(?:\[\])?(?:\([^()]*\))?|_Zn[wa][jm]\w*|_Zd[la]Pv\w*"
FAMILY = "|".join([*sorted(_PLAIN, key=len, reverse=True), _OPERATOR])
"""A regular expression for the names of the family."""
_NUMBER = re.compile(r"0x[0-9a-f]{1,16}|-?\d{1,20}|\(?nil\)?|NULL")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it begins, and what its result does to the event."""

    event: Event
    returned: Callable[[Path, int, str, Event], Event]


def call_of(path: Path, number: int, line: str, name: str, arguments: str, column: int) -> Call:
    """The call that a line begins.  Raises FormatError: arguments are missing, or no numbers.

    >>> call_of(Path("x"), 1, "", "calloc", "3, 8", 7).event.request_size
    24
    >>> call_of(Path("x"), 1, "", "_ZdlPvm", "0x1000, 24, 3, 7", 8).event[:4]
    (<Function.DELETE: 15>, 0, 4096, 24)
    """
    function, fields = _PLAIN.get(name) or _operator(name)
    words = [word.strip() for word in arguments.split(",")] if arguments.strip() else []
    if len(words) < len(fields):
        wanted = ", ".join(each or "POINTER" for each in fields).upper()
        raise FormatError(
            path,
            f"expected {name}({wanted}), found {shown(f'{name}({arguments})')[1:-1]}",
            line=number,
            column=column + 1,
        )
    values: dict[str, int] = {}
    place = column
    for each, word in zip(fields, words, strict=False):
        place = line.find(word, place) if word in line[place:] else place
        if each and _NUMBER.fullmatch(word) is None:
            raise FormatError(path, f"expected a number, found {shown(word)}", line=number, column=place + 1)
        if each:
            values[each] = _number(word)
        place += len(word)
    return Call(Event(function, **values), _returned)  # type: ignore[arg-type]


def _operator(name: str) -> tuple[Function, tuple[str, ...]]:
    """operator new and delete, mangled or not: which arguments they have is in the name."""
    aligned = "align_val_t" in name
    if name.startswith(("_Zn", "operator new")):
        return Function.NEW, ("size", "alignment") if aligned else ("size",)
    sized = re.match(r"_Zd[la]Pv[jm]", name) is not None or re.search(r"\(void ?\*, ?unsigned", name) is not None
    return Function.DELETE, ("address", *(["size"] if sized else []), *(["alignment"] if aligned else []))


def _returned(path: Path, number: int, text: str, event: Event) -> Event:
    """The event with the result that a line shows.  Raises FormatError: it is no number."""
    if event.function in FREEING:
        return event
    if _NUMBER.fullmatch(text) is None:
        raise FormatError(path, f"expected the result of the call, found {shown(text)}", line=number)
    value = _number(text)
    if event.function is Function.POSIX_MEMALIGN:
        return event._replace(errno=value & 0xFFFF)
    failed = not value and event.function is not Function.USABLE_SIZE and not (event.address and not event.request_size)
    return event._replace(result=value, errno=ENOMEM if failed else 0)


def _number(word: str) -> int:
    """What a word says; a negative number is the 64 bits that it is."""
    if word.strip("()") in ("nil", "NULL"):
        return 0
    return int(word, 16 if word.startswith("0x") else 10) & WORD
