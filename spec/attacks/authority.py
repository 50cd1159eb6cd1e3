"""Attacks that ask for more authority than a pointer carries."""

from __future__ import annotations

from capability.architecture import Hazard
from spec.attacks.defence import Feature
from spec.attacks.goal import Accepted, BoundsOverlap, Freed, Gained, Leaked, Overwritten, Served
from spec.attacks.kind import Attack, Family
from spec.attacks.step import (
    OWN,
    SECRET,
    execute,
    fill,
    forge,
    free,
    load,
    malloc,
    narrow,
    read_only,
    realloc,
    store,
    untag,
    widen,
)

_BOUNDS = frozenset({Feature.BOUNDS})
_VALIDITY = frozenset({Feature.VALIDITY})

ATTACKS = (
    Attack(
        "forged-pointer",
        Family.AUTHORITY,
        "The address of a block has leaked; a pointer is made from that number, and stores into the block.",
        "CWE-822, untrusted pointer dereference",
        (malloc("a", 64), fill("a", OWN), forge("p", "a"), store("p")),
        Overwritten("a"),
        Hazard.FORGED_POINTER,
    ),
    Attack(
        "forged-free",
        Family.AUTHORITY,
        "A number that happens to be a block's address is freed.",
        "CWE-763, release of invalid pointer",
        (malloc("a", 64), forge("p", "a"), free("p")),
        Freed("a"),
    ),
    Attack(
        "untagged-realloc",
        Family.AUTHORITY,
        "A pointer whose tag was cleared, so that it is data, is handed to realloc, which returns a valid one.",
        "escinauthentic, Picking a CHERI Allocator (ISMM 2023)",
        (malloc("a", 64), untag("u", "a"), realloc("b", "u", 128)),
        Served("b"),
        needs=_VALIDITY,
    ),
    Attack(
        "untagged-free",
        Family.AUTHORITY,
        "A pointer whose tag was cleared is handed to free, which gives the block up.",
        "CheriBSD, mrs: an untagged argument aborts",
        (malloc("a", 64), untag("u", "a"), free("u")),
        Freed("a"),
        needs=_VALIDITY,
    ),
    Attack(
        "realloc-gains-rights",
        Family.AUTHORITY,
        "A pointer narrowed to 8 bytes and to loads is handed to realloc; the new one may store.",
        "escperms, Picking a CHERI Allocator (ISMM 2023)",
        (malloc("a", 16), narrow("n", "a", 8), read_only("r", "n"), realloc("b", "r", 16)),
        Gained("b", "r"),
        needs=_BOUNDS,
    ),
    Attack(
        "realloc-widens-bounds",
        Family.AUTHORITY,
        "A pointer to the first half of a block is handed to realloc, and what lay behind its bounds comes with the "
        "copy.",
        "narrow_realloc, Picking a CHERI Allocator (ISMM 2023)",
        (malloc("a", 64), fill("a", SECRET), narrow("n", "a", 16), realloc("b", "n", 128), load("reply", "b", 16, 48)),
        Leaked("reply"),
        needs=_BOUNDS,
    ),
    Attack(
        "narrowed-free",
        Family.AUTHORITY,
        "A pointer to a part of a block is handed to free, and the whole block is gone.",
        "CheriBSD, mrs and issue 1527; the draft rules for free",
        (malloc("a", 64), narrow("n", "a", 16), free("n")),
        Freed("a"),
        needs=_BOUNDS,
    ),
    Attack(
        "widened-bounds",
        Family.AUTHORITY,
        "A pointer is narrowed, lent out, and its borrower sets the bounds back to what they were.",
        "monotonicity: CHERI ISAv9, section 2.3",
        (malloc("a", 64), fill("a", OWN), narrow("n", "a", 16), widen("w", "n", 64), store("w", 32)),
        Overwritten("a"),
        needs=_BOUNDS,
    ),
    Attack(
        "unrepresentable-overlap",
        Family.AUTHORITY,
        "Blocks are asked for whose exact bounds the format cannot hold; bounds rounded outward reach the next block.",
        "overlap, Picking a CHERI Allocator (ISMM 2023), with lengths that its test does not reach",
        (malloc("a", 65537), malloc("b", 16), malloc("c", 100001)),
        BoundsOverlap("a", "b"),
        needs=_BOUNDS,
    ),
    Attack(
        "execute-heap",
        Family.AUTHORITY,
        "Code is stored in a block and jumped to.",
        "CWE-94, code injection",
        (malloc("a", 64), fill("a", OWN), execute("a")),
        Accepted("what was stored in a is executed"),
        needs=frozenset({Feature.RIGHTS}),
    ),
)
