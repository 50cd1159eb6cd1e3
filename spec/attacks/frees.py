"""Frees and reallocs of what must not be freed, and requests that must not be granted."""

from __future__ import annotations

from capability.architecture import Hazard
from spec.attacks.goal import Accepted, Served, Shared
from spec.attacks.kind import Attack, Family
from spec.attacks.step import (
    GLOBAL,
    STACK,
    WILD,
    aligned_alloc,
    calloc,
    free,
    free_aligned_sized,
    free_sized,
    malloc,
    realloc,
)
from spec.attacks.temporal import LARGE

ATTACKS = (
    Attack(
        "double-free",
        Family.FREEING,
        "A block is freed twice in a row; two later mallocs may then return the same memory.",
        "CWE-415, double free",
        (malloc("a", 64), free("a"), free("a"), malloc("b", 64), malloc("c", 64)),
        Shared("b", "c"),
    ),
    Attack(
        "double-free-with-one-between",
        Family.FREEING,
        "Another block is freed between the two frees, which is enough to pass a test of the last freed block alone.",
        "the fastbin-dup technique; CWE-415",
        (
            malloc("a", 64),
            malloc("b", 64),
            free("a"),
            free("b"),
            free("a"),
            malloc("c", 64),
            malloc("d", 64),
            malloc("e", 64),
        ),
        Shared("c", "e"),
    ),
    Attack(
        "double-free-after-reuse",
        Family.FREEING,
        "The second free comes when the memory is another owner's block, and frees that; the next malloc shares it.",
        "CWE-415; use after free through free itself",
        (malloc("a", 64), free("a"), malloc("b", 64), free("a"), malloc("c", 64)),
        Shared("b", "c"),
        Hazard.USE_AFTER_REUSE,
    ),
    Attack(
        "double-free-large",
        Family.FREEING,
        "A large block is freed twice: large blocks have a path of their own, where the test is easily forgotten.",
        "ArcHeap (USENIX Security 2020): mimalloc issue 161, DieHarder issue 12",
        (malloc("a", LARGE), free("a"), free("a"), malloc("b", LARGE), malloc("c", LARGE)),
        Shared("b", "c"),
    ),
    Attack(
        "double-free-from-another-thread",
        Family.FREEING,
        "A second thread frees what the first one has freed, over the path for remote frees.",
        "CWE-415; CWE-362, race condition",
        (malloc("a", 64), free("a"), free("a", thread=2), malloc("b", 64), malloc("c", 64)),
        Shared("b", "c"),
    ),
    Attack(
        "double-free-by-realloc",
        Family.FREEING,
        "realloc with size 0 frees the block and returns NULL; the program takes that for a failure and frees it "
        "again.",
        "CWE-415; ISO C23 7.24.3.7 leaves realloc(p, 0) undefined",
        (malloc("a", 64), realloc("r", "a", 0), free("a"), malloc("b", 64), malloc("c", 64)),
        Shared("b", "c"),
    ),
    Attack(
        "realloc-after-free",
        Family.FREEING,
        "A block that was freed is resized, which frees it a second time and copies what it does not own.",
        "CWE-416, CWE-415",
        (malloc("a", 64), free("a"), realloc("b", "a", 128), malloc("c", 64), malloc("d", 64)),
        Shared("c", "d"),
    ),
    Attack(
        "realloc-after-reuse",
        Family.FREEING,
        "A stale pointer is resized when its memory is another owner's block, which moves away under that owner.",
        "CWE-416, CWE-415",
        (malloc("a", 64), free("a"), malloc("b", 64), realloc("c", "a", 256), malloc("d", 64)),
        Shared("b", "d"),
        Hazard.USE_AFTER_REUSE,
    ),
    Attack(
        "wild-free",
        Family.FREEING,
        "An address that no allocator ever returned is freed, and handed out by the next malloc.",
        "CWE-590, free of memory not on the heap; the house-of-spirit technique",
        (malloc("a", 64), free("", WILD)),
        Accepted("the free is carried out"),
    ),
    Attack(
        "interior-free",
        Family.FREEING,
        "The address of the inside of a block is freed: a parser has moved the pointer on before it gives the block "
        "up.",
        "CWE-761, free of pointer not at start of buffer",
        (malloc("a", 64), free("a", 16)),
        Accepted("the free is carried out"),
    ),
    Attack(
        "free-of-stack",
        Family.FREEING,
        "The address of a local variable is freed.",
        "CWE-590; the house-of-spirit technique",
        (malloc("a", 64), free("", STACK)),
        Accepted("the free is carried out"),
    ),
    Attack(
        "free-of-global",
        Family.FREEING,
        "The address of a static variable is freed, as when a default that was never allocated is replaced.",
        "CWE-590",
        (malloc("a", 64), free("", GLOBAL)),
        Accepted("the free is carried out"),
    ),
    Attack(
        "free-with-wrong-size",
        Family.FREEING,
        "A sized free names the size of another type, and the block goes on the list of another size class.",
        "CWE-763; ISO C23 7.24.3.4 free_sized",
        (malloc("a", 64), free_sized("a", 256), malloc("b", 256)),
        Accepted("the free is carried out"),
    ),
    Attack(
        "free-with-wrong-alignment",
        Family.FREEING,
        "An aligned block is given up as one of another alignment.",
        "ISO C23 7.24.3.5 free_aligned_sized",
        (aligned_alloc("a", 64, 64), free_aligned_sized("a", 32, 64)),
        Accepted("the free is carried out"),
    ),
    Attack(
        "calloc-product-overflow",
        Family.REQUEST,
        "count and size multiply to more than an address can say; a wrapped product gives a block of 64 bytes for "
        "2**64.",
        "CWE-190; CVE-2002-0391 and the calloc overflows of that year",
        (calloc("a", (1 << 58) + 1, 64),),
        Served("a"),
    ),
    Attack(
        "negative-size",
        Family.REQUEST,
        "A length that has become -16 is asked for; added to a header's size it wraps to almost nothing.",
        "CWE-195; ArcHeap (USENIX Security 2020): Mesh issue 62",
        (malloc("a", (1 << 64) - 16),),
        Served("a"),
    ),
)
