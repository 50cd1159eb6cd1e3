"""Pairs of functions with what the checker must say: `accept` where b refines a, `reject` where it does not."""

from __future__ import annotations

from typing import NamedTuple

from tests.m4alloc.superopt import pairs_control, pairs_memory, pairs_undefined, pairs_values


class Pair(NamedTuple):
    """Two functions as LLVM's text; `why` says what makes the rewrite right or wrong."""

    name: str
    accept: bool
    a: str
    b: str
    why: str


def _pairs(accept: bool, *texts: str) -> list[Pair]:
    """`name: why`, then the signature, then both bodies divided by a line `=>`; entries are divided by blank lines.

    A body's lines; a second signature may stand before the target's body.
    """
    found = []
    for entry in "\n\n".join(one.strip() for one in texts).split("\n\n"):
        title, *lines = entry.splitlines()
        name, why = title.split(": ", 1)
        cut = lines.index("=>")
        left, right = lines[:cut], lines[cut + 1 :]
        head = left.pop(0)
        other = right.pop(0) if right[0].startswith("define") else head
        a, b = ("\n".join((first, *body, "}")) for first, body in ((head, left), (other, right)))
        found.append(Pair(name, accept, a, b, why))
    return found


KINDS = pairs_memory, pairs_control, pairs_values, pairs_undefined
REJECT = _pairs(False, *(kind.REJECT for kind in KINDS))
ACCEPT = _pairs(True, *(kind.ACCEPT for kind in KINDS))
PAIRS = REJECT + ACCEPT
