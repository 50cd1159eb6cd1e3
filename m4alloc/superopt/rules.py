"""The library of rewrite rules, all kinds together."""

from __future__ import annotations

from typing import Final

from m4alloc.superopt import (
    rules_bits,
    rules_cast,
    rules_compare,
    rules_identity,
    rules_masks,
    rules_minmax,
    rules_overflow,
    rules_reassociate,
    rules_select,
    rules_smear,
    rules_strength,
)
from m4alloc.superopt.rule import Rule

ALL: Final[tuple[Rule, ...]] = (
    *rules_identity.RULES,
    *rules_reassociate.RULES,
    *rules_strength.RULES,
    *rules_compare.RULES,
    *rules_bits.RULES,
    *rules_masks.RULES,
    *rules_smear.RULES,
    *rules_select.RULES,
    *rules_cast.RULES,
    *rules_minmax.RULES,
    *rules_overflow.RULES,
)
"""Every rule, in a fixed order, with a name of its own."""
