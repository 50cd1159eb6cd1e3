"""Attacks that read what an earlier owner left behind: nothing is out of bounds, and no pointer is stale."""

from __future__ import annotations

from spec.attacks.defence import Feature
from spec.attacks.goal import Gained, Leaked
from spec.attacks.kind import Attack, Family
from spec.attacks.step import SECRET, calloc, fill, free, load, load_pointer, malloc, read_only, realloc, store_pointer

_LEFT = (malloc("a", 256), fill("a", SECRET))

ATTACKS = (
    Attack(
        "uninitialised-read",
        Family.STALE,
        "A fresh block is sent out before all of it was written, and carries what the last owner of its memory kept "
        "there.",
        "CWE-908, use of uninitialized resource",
        (*_LEFT, free("a"), malloc("b", 256), load("reply", "b", 0, 256)),
        Leaked("reply"),
    ),
    Attack(
        "stale-data-after-shrink",
        Family.STALE,
        "A block is shrunk to 1 byte, freed and allocated anew: the bytes that realloc cut off are still there.",
        "undef, Picking a CHERI Allocator (ISMM 2023)",
        (*_LEFT, realloc("b", "a", 1), free("b"), malloc("c", 256), load("reply", "c", 0, 256)),
        Leaked("reply"),
    ),
    Attack(
        "realloc-narrow-widen",
        Family.STALE,
        "A block is shrunk to 1 byte and grown again; what was cut off, but for the 16 bytes that a block of 1 byte "
        "has, is visible once more.",
        "narrowwiden, Picking a CHERI Allocator (ISMM 2023)",
        (*_LEFT, realloc("b", "a", 1), realloc("c", "b", 256), load("reply", "c", 16, 240)),
        Leaked("reply"),
    ),
    Attack(
        "realloc-tail",
        Family.STALE,
        "A block grows, and the bytes it gained are read before they were written.",
        "CWE-908; CERT MEM04-C, MEM08-C",
        (*_LEFT, malloc("x", 64), free("a"), realloc("y", "x", 256), load("reply", "y", 64, 192)),
        Leaked("reply"),
    ),
    Attack(
        "calloc-of-stale-data",
        Family.STALE,
        "A block is freed with its secrets in it, and calloc hands out its memory: every byte must be zero.",
        "CWE-212; the rule calloc-zeroes",
        (*_LEFT, free("a"), calloc("b", 4, 64), load("reply", "b", 0, 256)),
        Leaked("reply"),
    ),
    Attack(
        "stale-pointer-in-fresh-block",
        Family.STALE,
        "A freed block held a pointer to a live one. The next owner loads it from the fresh block, and can use it.",
        "narrow_widen_cap_leak, Picking a CHERI Allocator (ISMM 2023)",
        (
            malloc("key", 64),
            fill("key", SECRET),
            malloc("a", 64),
            store_pointer("a", "key"),
            free("a"),
            malloc("b", 64),
            load_pointer("found", "b"),
            load("reply", "found"),
        ),
        Leaked("reply"),
    ),
    Attack(
        "read-only-after-shrink",
        Family.STALE,
        "A block is lent out through a pointer without the right to store; its borrower shrinks and grows it, and "
        "holds a pointer that may store.",
        "escperms and narrowwiden together, Picking a CHERI Allocator (ISMM 2023)",
        (*_LEFT, read_only("lent", "a"), realloc("b", "lent", 1), realloc("c", "b", 256)),
        Gained("c", "lent"),
        needs=frozenset({Feature.BOUNDS}),
    ),
)
