"""A rewrite rule: pattern, replacement, side condition, name and reason, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """`pattern -> replacement` where `condition` holds.

    Terms are S-expressions: `(add nsw x y)`, `(icmp ult x C)`, `(select c x y)`, `(umin x y)` for an intrinsic,
    `(zext x)`; lower-case names match any value, names that begin with a capital match constants, numbers match
    themselves (-1 at every width).  A flag written in the pattern is demanded; flags not written are allowed and lost.
    The replacement may compute constants: `{C1 + C2}`, `{log2(C)}`, `{width(x) - 1}`.

    condition: a Python expression over the constants and `width(x)`: decided when the rule is matched
    (`ispow2(C)`, `C < width(x)`); needs: facts about values that have to be *established* by analysis or given
    (`x != 0`, `x & y == 0`, `x < 2**31`), in the language of `Fact`.
    kind: "fold", "identity", "strength", "compare", "bits", "reassociate", "select", "minmax", "overflow", "memory",
    "branch", "cast", "vector".
    """

    name: str
    kind: str
    pattern: str
    replacement: str
    reason: str
    condition: str = "True"
    needs: tuple[str, ...] = ()
    widths: tuple[int, ...] = (4, 8, 16, 32, 64)
    """At which the rule is proved; a product or a division leaves the widest out where z3 gives up, and says so."""
