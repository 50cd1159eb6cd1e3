"""Which check a vector file asks for by its name."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, cast

from m4alloc.vectors.row import Check

_CHERI_FORMATS = ("128", "128m", "128r", "64", "64r")
_CHERI_OPERATIONS = ("decode", "compress", "setbounds", "setaddr", "crrl", "perms", "seal", "constants")
_LTL_KINDS = ("formulas", "lasso", "ltl3", "pairs", "ltlf")


class Entry(NamedTuple):
    """A module with a function `check`, and what it takes before the row."""

    module: str
    arguments: tuple[str, ...] = ()


def _cheri(name: str, operation: str) -> Entry:
    return Entry("m4alloc.vectors.cheri", (name, operation))


CHECKS: Mapping[str, Entry] = MappingProxyType(
    {
        **{
            f"{name}-{operation}": _cheri(name, operation) for name in _CHERI_FORMATS for operation in _CHERI_OPERATIONS
        },
        "128m-rrmask": _cheri("128m", "rrmask"),
        "128-access": _cheri("128", "access"),
        "mte": Entry("m4alloc.vectors.mte"),
        **{kind: Entry("m4alloc.vectors.ltl", (kind,)) for kind in _LTL_KINDS},
    }
)
"""How a file's name begins, to what checks its rows."""


class UnknownVectorError(ValueError):
    """The file's name begins like none that there is a check for."""


def find(path: str | Path) -> Check:
    """The check for a file, by the longest beginning of its name that the registry has.

    Raises UnknownVectorError.

    >>> find("128m-setbounds.public.jsonl.gz").args
    ('128m', 'setbounds')
    >>> find("notes.txt")
    Traceback (most recent call last):
    m4alloc.vectors.registry.UnknownVectorError: notes.txt: a vector file's name begins with FORMAT-OPERATION ...
    """
    name = Path(path).name
    beginnings = [prefix for prefix in CHECKS if name.startswith(prefix) and not name[len(prefix) :][:1].isalnum()]
    if not beginnings:
        raise UnknownVectorError(
            f"{name}: a vector file's name begins with FORMAT-OPERATION (CHERI: {', '.join(_CHERI_FORMATS)}; "
            f"{', '.join(_CHERI_OPERATIONS)}; also 128m-rrmask, 128-access), mte, or for temporal logic "
            f"{', '.join(_LTL_KINDS)}"
        )
    entry = CHECKS[max(beginnings, key=len)]
    check = importlib.import_module(entry.module).check
    return functools.partial(check, *entry.arguments) if entry.arguments else cast(Check, check)
