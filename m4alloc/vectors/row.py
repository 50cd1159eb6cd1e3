"""What a check says of one row: the fields on which model and reference disagree, or why the row is not judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

Row: TypeAlias = Mapping[str, Any]
"""One JSON object of a vector file."""


class Mismatch(NamedTuple):
    """One field of one row: what the reference recorded, and what the model answers.

    >>> print(Mismatch("top", "0x1000", "0x1008"))
    top: reference 0x1000, model 0x1008
    """

    field: str
    reference: object
    model: object

    def __str__(self) -> str:
        return f"{self.field}: reference {self.reference}, model {self.model}"


class Skip(NamedTuple):
    """The row is not judged, and why: it records the emulator, not the architecture."""

    reason: str


Check: TypeAlias = Callable[[Row], "list[Mismatch] | Skip"]
"""Judges one row; an empty list is a pass. Raises RowError where the row is not what its file's name says."""


class RowError(ValueError):
    """A row lacks a field, or a field has a value that the format cannot hold."""


def compare(row: Row, answers: Mapping[str, object]) -> list[Mismatch]:
    """The fields of `answers` on which the row says something else.  Raises RowError when the row lacks one.

    >>> compare({"base": "0x10", "tag": True}, {"base": "0x10", "tag": False})
    [Mismatch(field='tag', reference=True, model=False)]
    """
    missing = [name for name in answers if name not in row]
    if missing:
        raise RowError(f"the row has no field {', '.join(missing)}: it has {', '.join(row)}")
    return [Mismatch(name, row[name], model) for name, model in answers.items() if row[name] != model]
