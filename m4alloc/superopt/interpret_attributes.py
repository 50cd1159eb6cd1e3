"""What the text of attributes, or of an intrinsic's name, says about values."""

from __future__ import annotations

import re
from collections.abc import Sequence


def range_of(attributes: Sequence[str]) -> tuple[int, int] | None:
    """The bounds of a `range(iN low, high)` attribute or `!range` node, as written; the upper one is exclusive.

    >>> range_of(("noundef", "range(i8 -1, 4)"))
    (-1, 4)
    """
    for attribute in attributes:
        found = re.fullmatch(r"range\(i\d+ (-?\d+), (-?\d+)\)", attribute.strip())
        if found:
            return int(found[1]), int(found[2])
    return None


def in_range(value: int, bounds: tuple[int, int], width: int) -> bool:
    """The value is in the half-open range, which may wrap around.

    >>> [in_range(value, (-1, 2), 8) for value in (255, 1, 2)]
    [True, True, False]
    """
    mask = (1 << width) - 1
    low, high = bounds[0] & mask, bounds[1] & mask
    return low <= value < high if low < high else value >= low or value < high


def base_name(callee: str) -> str:
    """The intrinsic's name without its types.

    >>> base_name("llvm.uadd.with.overflow.i32"), base_name("llvm.vector.reduce.add.v4i8")
    ('llvm.uadd.with.overflow', 'llvm.vector.reduce.add')
    """
    parts = callee.split(".")
    while len(parts) > 1 and parts[-1][:1] in "iv" and parts[-1][1:2].isdigit():
        parts.pop()
    return ".".join(parts)
