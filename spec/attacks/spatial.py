"""Attacks that reach outside a block."""

from __future__ import annotations

from capability.architecture import Hazard
from spec.attacks.defence import Feature
from spec.attacks.goal import Leaked, Overwritten, Written
from spec.attacks.kind import Attack, Family
from spec.attacks.step import OWN, SECRET, fill, load, malloc, narrow, overflow, overread, store

_TWO = (malloc("a", 64), malloc("b", 64))
_FAR = (malloc("a", 64), malloc("b", 192), malloc("c", 64))

ATTACKS = (
    Attack(
        "linear-overflow",
        Family.SPATIAL,
        "A copy without a length check runs over the end of a block into the next one, whose contents are the "
        "attacker's.",
        "CWE-122, heap-based buffer overflow",
        (*_TWO, fill("b", OWN), overflow("a", "b")),
        Overwritten("b"),
        Hazard.ADJACENT_OVERFLOW,
    ),
    Attack(
        "linear-overread",
        Family.SPATIAL,
        "A reply is as long as the request says it is, and carries the next block's contents with it.",
        "CWE-126; CVE-2014-0160 (Heartbleed)",
        (*_TWO, fill("b", SECRET), overread("reply", "a", "b")),
        Leaked("reply"),
        Hazard.ADJACENT_OVERFLOW,
    ),
    Attack(
        "linear-underflow",
        Family.SPATIAL,
        "A loop that runs downwards misses its end and stores below the block, into the one before it.",
        "CWE-124, buffer underwrite",
        (*_TWO, fill("a", OWN), store("b", -32, 32)),
        Overwritten("a"),
        Hazard.ADJACENT_OVERFLOW,
    ),
    Attack(
        "linear-underread",
        Family.SPATIAL,
        "A negative index that was checked against the upper bound alone reads the block before.",
        "CWE-127, buffer under-read",
        (*_TWO, fill("a", SECRET), load("reply", "b", -32, 32)),
        Leaked("reply"),
        Hazard.ADJACENT_OVERFLOW,
    ),
    Attack(
        "off-by-one",
        Family.SPATIAL,
        "A string's terminator is stored one byte past a block that the string fills, which in many heaps is a size "
        "field.",
        "CWE-193; the poison-null-byte technique",
        (*_TWO, fill("b", OWN), overflow("a", "b", 1)),
        Overwritten("b"),
        Hazard.ADJACENT_OVERFLOW,
    ),
    Attack(
        "distant-overflow",
        Family.SPATIAL,
        "An index that is not checked steps over whatever lies between and stores into a block far away.",
        "CWE-787, out-of-bounds write",
        (*_FAR, fill("c", OWN), store("a", at="c")),
        Overwritten("c"),
        Hazard.DISTANT_OVERFLOW,
    ),
    Attack(
        "distant-overread",
        Family.SPATIAL,
        "An index that is not checked reads a block far away.",
        "CWE-125, out-of-bounds read",
        (*_FAR, fill("c", SECRET), load("reply", "a", at="c")),
        Leaked("reply"),
        Hazard.DISTANT_OVERFLOW,
    ),
    Attack(
        "size-confusion",
        Family.SPATIAL,
        "A block of one type is used as another, larger type, whose last field lies in the next block.",
        "CWE-843, type confusion",
        (*_TWO, fill("b", OWN), store("a", 16, at="b")),
        Overwritten("b"),
        Hazard.ADJACENT_OVERFLOW,
    ),
    Attack(
        "intra-granule-overflow",
        Family.SPATIAL,
        "A copy ends past the size that was asked for, but in bytes that rounding has given to the block: no other "
        "block is harmed, and with the usable size as its bounds even a capability lets it pass.",
        "CWE-787; the limit that Arm's and Android's MTE documents state",
        (malloc("a", 40), store("a", 40)),
        Written("a", 40),
    ),
    Attack(
        "zero-size-access",
        Family.SPATIAL,
        "A length that came out as 0 is allocated and then written to: a block of 0 bytes has none.",
        "CWE-131, incorrect calculation of buffer size",
        (malloc("a", 0), store("a")),
        Written("a"),
    ),
    Attack(
        "intra-object-overflow",
        Family.SPATIAL,
        "A buffer within a structure overflows into the field after it, a function pointer; the block is never left.",
        "CWE-787 within one object",
        (malloc("a", 64), fill("a", OWN), store("a", 16)),
        Overwritten("a"),
    ),
    Attack(
        "intra-object-overflow-narrowed",
        Family.SPATIAL,
        "The same, but the compiler has narrowed the pointer to the buffer to the buffer's own bounds.",
        "CHERI C/C++, sub-object bounds (-Xclang -cheri-bounds=subobject-safe)",
        (malloc("a", 64), fill("a", OWN), narrow("buffer", "a", 16), store("buffer", 16)),
        Overwritten("a"),
        needs=frozenset({Feature.BOUNDS}),
    ),
)
