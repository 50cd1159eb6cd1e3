"""Attacks through pointers that outlive their block."""

from __future__ import annotations

from capability.architecture import Hazard
from spec.attacks.goal import Leaked, Overwritten, Shared, Written
from spec.attacks.kind import Attack, Family
from spec.attacks.step import (
    OWN,
    SECRET,
    fill,
    free,
    load,
    load_pointer,
    malloc,
    overflow,
    realloc,
    store,
    store_pointer,
)

LARGE = 132 << 10
"""Above what most allocators tag, and above the size from which they map blocks one by one."""
_REUSED = (malloc("a", 64), free("a"), malloc("b", 64))

ATTACKS = (
    Attack(
        "use-after-free-read",
        Family.TEMPORAL,
        "A block is read after it was freed and before its memory is anything else: what it held can still be there.",
        "CWE-416, use after free",
        (malloc("a", 64), fill("a", SECRET), free("a"), load("reply", "a", 0, 64)),
        Leaked("reply"),
        Hazard.USE_AFTER_FREE,
    ),
    Attack(
        "use-after-free-write",
        Family.TEMPORAL,
        "A block is written to after it was freed: what the allocator or the next owner finds there is the attacker's.",
        "CWE-416, use after free",
        (malloc("a", 64), free("a"), store("a")),
        Written("a"),
        Hazard.USE_AFTER_FREE,
    ),
    Attack(
        "use-after-reuse-read",
        Family.TEMPORAL,
        "The memory of a freed block is another block by now, and the old pointer reads the new owner's secret.",
        "CWE-416; use after reallocation in the CHERI literature",
        (*_REUSED, fill("b", SECRET), load("reply", "a")),
        Leaked("reply"),
        Hazard.USE_AFTER_REUSE,
    ),
    Attack(
        "use-after-reuse-write",
        Family.TEMPORAL,
        "The memory of a freed block is another block by now, and the old pointer overwrites the new owner's contents.",
        "CWE-416; use after reallocation in the CHERI literature",
        (*_REUSED, fill("b", OWN), store("a")),
        Overwritten("b"),
        Hazard.USE_AFTER_REUSE,
    ),
    Attack(
        "use-after-free-large",
        Family.TEMPORAL,
        "A block of 132 KiB, which several allocators do not tag, is written to after it was freed.",
        "CWE-416; untagged large blocks of Scudo, hardened_malloc and xzone",
        (malloc("a", LARGE), free("a"), store("a")),
        Written("a"),
    ),
    Attack(
        "use-after-realloc",
        Family.TEMPORAL,
        "realloc moves a block; a second pointer to it was kept, and reads what now lies at the old place.",
        "CWE-416; CERT MEM30-C",
        (
            malloc("a", 64),
            malloc("wall", 64),
            realloc("a2", "a", 256),
            malloc("b", 64),
            fill("b", SECRET),
            load("reply", "a"),
        ),
        Leaked("reply"),
        Hazard.USE_AFTER_REUSE,
    ),
    Attack(
        "dangling-stored-pointer",
        Family.TEMPORAL,
        "A pointer kept in another block survives the free of what it points to; it is loaded and used afterwards.",
        "CWE-825, expired pointer dereference",
        (
            malloc("list", 64),
            malloc("a", 64),
            store_pointer("list", "a"),
            free("a"),
            malloc("b", 64),
            fill("b", OWN),
            load_pointer("stale", "list"),
            store("stale"),
        ),
        Overwritten("b"),
        Hazard.USE_AFTER_REUSE,
    ),
    Attack(
        "free-list-poisoning",
        Family.TEMPORAL,
        "The first word of a freed block, where many allocators keep a link, is overwritten, so that the second malloc "
        "from then on returns what the attacker chose.",
        "the tcache and fastbin poisoning techniques; HeapHopper, ArcHeap",
        (
            malloc("target", 64),
            malloc("a", 64),
            free("a"),
            store_pointer("a", "target"),
            malloc("b", 64),
            malloc("c", 64),
        ),
        Shared("c", "target"),
        Hazard.USE_AFTER_FREE,
    ),
    Attack(
        "header-overwrite",
        Family.SPATIAL,
        "The words before a block, where many allocators keep its size, are overwritten, so that its free gives back "
        "too much and the next malloc returns memory that is in use.",
        "the overlapping-chunks technique; CWE-787",
        (
            malloc("a", 64),
            malloc("b", 64),
            malloc("c", 64),
            store("b", -16, 16),
            free("b"),
            malloc("d", 144),
        ),
        Shared("c", "d"),
        Hazard.ADJACENT_OVERFLOW,
    ),
    Attack(
        "next-header-overflow",
        Family.SPATIAL,
        "An overflow replaces what lies between two blocks, and the second one is freed with it.",
        "the unsafe-unlink technique; CWE-122",
        (malloc("a", 64), malloc("b", 64), malloc("c", 64), overflow("a", "b", 1), free("b"), malloc("d", 144)),
        Shared("c", "d"),
        Hazard.ADJACENT_OVERFLOW,
    ),
)
