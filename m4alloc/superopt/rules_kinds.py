"""How the library writes its rules down: one line for each, the kind said once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from m4alloc.superopt.rule import Rule

WIDTHS: Final = (1, 2, 4, 8, 16, 32, 64)
"""Where a rule is proved unless it says otherwise; 1 and 2 find the rules that hold by accident at useful widths."""
PRODUCTS: Final = (1, 2, 4, 8)
"""Where z3 decides rules over products and divisions of two unknowns."""

MakeRule = Callable[..., Rule]


def of_kind(kind: str) -> MakeRule:
    """A function that makes rules of one kind.

    defined: names of values that must be neither undef nor poison.  need: a need, as in `Rule.needs`.

    >>> of_kind("select")("logical-and", "(select c x false)", "(and c x)", "both", defined="x").needs
    ('noundef(x)',)
    """

    def made(
        name: str,
        pattern: str,
        replacement: str,
        reason: str,
        condition: str = "True",
        *,
        need: str | tuple[str, ...] = (),
        defined: str = "",
        widths: tuple[int, ...] = WIDTHS,
    ) -> Rule:
        needs = (
            *((need,) if isinstance(need, str) else need),
            *(f"noundef({one})" for one in defined.split()),
        )
        return Rule(name, kind, pattern, replacement, reason, condition, needs, widths)

    return made
