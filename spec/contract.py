"""The contract: the rules by name, each with its sentence and its sources.

Here is only what the rules say and who says it. How each is judged on one call is in `spec.judge`; which standard
demands what is in `spec.standard`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PROMISE = "promise"
"""The source of rules that no standard states: the allocator itself promises them, in the header of its trace."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One clause of the contract.

    name: what reports, scripts and tables call it. sentence: what must hold, in English.
    sources: (standard, clause) pairs; the rule is in force under each standard that is named.

    >>> RULES["calloc-zeroes"].sentence
    'The bytes that calloc hands out are all zero.'
    >>> RULES["calloc-zeroes"].clause("c17")
    'ISO C17 7.22.3.2 p2'
    """

    name: str
    sentence: str
    sources: tuple[tuple[str, str], ...]

    @property
    def standards(self) -> frozenset[str]:
        """The standards that state the rule."""
        return frozenset(standard for standard, _ in self.sources)

    @property
    def source(self) -> str:
        """Every clause that states the rule, in one line.

        >>> RULES["free-keeps-errno"].source
        'POSIX.1-2024 free(); glibc 2.33 free(3)'
        """
        return "; ".join(clause for _, clause in self.sources)

    def clause(self, standard: str) -> str:
        """The clause in which `standard` states the rule; the first clause of any when it does not."""
        return dict(self.sources).get(standard, self.sources[0][1])


def _table(*rules: tuple[str, str, dict[str, str]]) -> Mapping[str, Rule]:
    return MappingProxyType({name: Rule(name, text, tuple(sources.items())) for name, text, sources in rules})


RULES: Mapping[str, Rule] = _table(
    (
        "result-non-null-or-enomem",
        "A request either hands out a block or fails with a null pointer and errno ENOMEM.",
        {"posix": "POSIX.1-2024 malloc(), RETURN VALUE and ERRORS", "glibc": "glibc malloc(3), ERRORS"},
    ),
    (
        "result-aligned-fundamental",
        "A block from malloc, calloc, realloc or reallocarray suits every type of fundamental alignment: "
        "16 bytes on 64-bit targets (C23 and POSIX: every type that fits into the block); "
        "one from operator new suits every type of exactly its size.",
        {
            "c17": "ISO C17 7.22.3 p1",
            "c23": "ISO C23 7.24.3 p1",
            "posix": "POSIX.1-2024 malloc(), DESCRIPTION",
            "glibc": "glibc manual 3.2.3.6, Allocating Aligned Memory Blocks",
            "cheri": "CHERI C: aligned for a capability store at offset 0",
        },
    ),
    (
        "result-aligned-as-requested",
        "A block from aligned_alloc, memalign, posix_memalign, valloc, pvalloc or aligned operator new starts at a "
        "multiple of the alignment requested.",
        {
            "c17": "ISO C17 7.22.3.1 p2",
            "c23": "ISO C23 7.24.3 aligned_alloc",
            "posix": "POSIX.1-2024 posix_memalign(), DESCRIPTION",
            "glibc": "glibc posix_memalign(3), DESCRIPTION",
        },
    ),
    (
        "result-contained",
        "A block lies wholly inside the memory the allocator may hand out: not at null, not wrapping around the "
        "address space, inside user addresses, and inside the arena when that is known.",
        {
            "c17": "ISO C17 7.22.3 p1",
            "c23": "ISO C23 7.24.3 p1",
            "posix": "POSIX.1-2024 malloc(), DESCRIPTION",
            "glibc": "glibc malloc(3)",
            "cheri": "CHERI C: bounds cover the request",
        },
    ),
    (
        "result-disjoint",
        "A block shares no byte with any other live block.",
        {
            "c17": "ISO C17 7.22.3 p1",
            "c23": "ISO C23 7.24.3 p1",
            "posix": "POSIX.1-2024 malloc(), DESCRIPTION",
            "glibc": "glibc malloc(3)",
            "cheri": "CHERI C: bounds reach no other live block",
        },
    ),
    (
        "zero-size-distinct",
        "A request of zero bytes that hands out a pointer hands out one of its own: that of no other live block.",
        {
            "c17": "ISO C17 7.22.3 p1",
            "c23": "ISO C23 7.24.3 p1",
            "posix": "POSIX.1-2024 malloc(), DESCRIPTION",
            "glibc": "glibc malloc(3), DESCRIPTION",
        },
    ),
    (
        "reuse-only-after-free",
        "An address that was handed out is handed out again only after its block was given up.",
        {
            "c17": "ISO C17 7.22.3 p1 (lifetime)",
            "c23": "ISO C23 7.24.3 p1 (lifetime)",
            "posix": "POSIX.1-2024 malloc(), DESCRIPTION",
            "glibc": "glibc malloc(3)",
            "cheri": "CHERI C: no reuse while a capability to the block is live",
        },
    ),
    (
        "quarantine-respected",
        "Between the free of a block and the reply that reuses any byte of it, at least Q other blocks of its size "
        "class are freed in the process.",
        {PROMISE: "the trace header: quarantine Q and the largest usable size it applies to"},
    ),
    (
        "usable-at-least-requested",
        "A block has at least as many usable bytes as were requested.",
        {
            "c17": "ISO C17 7.22.3.4 p2",
            "c23": "ISO C23 7.24.3 malloc",
            "posix": "POSIX.1-2024 malloc(), DESCRIPTION",
            "glibc": "glibc malloc_usable_size(3)",
        },
    ),
    (
        "calloc-overflow-refused",
        "calloc fails when the product of its arguments is no size_t.",
        {
            "c17": "ISO C17 7.22.3.2 p2 (space for an array of nmemb objects)",
            "c23": "ISO C23 7.24.3 calloc",
            "posix": "POSIX.1-2024 calloc(), ERRORS",
            "glibc": "glibc calloc(3), DESCRIPTION",
        },
    ),
    (
        "calloc-zeroes",
        "The bytes that calloc hands out are all zero.",
        {
            "c17": "ISO C17 7.22.3.2 p2",
            "c23": "ISO C23 7.24.3 calloc",
            "posix": "POSIX.1-2024 calloc(), DESCRIPTION",
            "glibc": "glibc calloc(3), DESCRIPTION",
        },
    ),
    (
        "reallocarray-overflow-refused",
        "reallocarray fails with ENOMEM when the product of its arguments is no size_t.",
        {"posix": "POSIX.1-2024 reallocarray(), ERRORS", "glibc": "glibc reallocarray(3), DESCRIPTION"},
    ),
    (
        "realloc-keeps-contents",
        "realloc keeps the contents up to the smaller of the old and the new size.",
        {
            "c17": "ISO C17 7.22.3.5 p2",
            "c23": "ISO C23 7.24.3 realloc",
            "posix": "POSIX.1-2024 realloc(), DESCRIPTION",
            "glibc": "glibc realloc(3), DESCRIPTION",
        },
    ),
    (
        "realloc-failure-keeps-block",
        "A realloc that fails leaves the old block live and its contents unchanged.",
        {
            "c17": "ISO C17 7.22.3.5 p3",
            "c23": "ISO C23 7.24.3 realloc",
            "posix": "POSIX.1-2024 realloc(), RETURN VALUE",
            "glibc": "glibc realloc(3), RETURN VALUE",
        },
    ),
    (
        "realloc-zero",
        "realloc of a block to zero bytes does what the standard says: POSIX.1-2024 hands out a block or fails with "
        "EINVAL or ENOMEM; glibc frees the block and returns null.",
        {"posix": "POSIX.1-2024 realloc(), RETURN VALUE", "glibc": "glibc realloc(3), DESCRIPTION"},
    ),
    (
        "aligned-alloc-arguments",
        "aligned_alloc fails when the alignment is no power of two (POSIX: with EINVAL).",
        {
            "c17": "ISO C17 7.22.3.1 p2 (after DR 460)",
            "c23": "ISO C23 7.24.3 aligned_alloc",
            "posix": "POSIX.1-2024 aligned_alloc(), ERRORS",
            "glibc": "glibc 2.38 aligned_alloc(3), ERRORS",
        },
    ),
    (
        "posix-memalign-arguments",
        "posix_memalign returns EINVAL unless the alignment is a power of two and a multiple of sizeof(void *), else 0 "
        "or ENOMEM; where it fails, *memptr is unchanged or null.",
        {
            "posix": "POSIX.1-2024 posix_memalign(), RETURN VALUE and ERRORS",
            "glibc": "glibc posix_memalign(3), RETURN VALUE and ERRORS",
        },
    ),
    (
        "free-null-does-nothing",
        "Freeing a null pointer has no effect, and is no misuse.",
        {
            "c17": "ISO C17 7.22.3.3 p2",
            "c23": "ISO C23 7.24.3 free",
            "posix": "POSIX.1-2024 free(), DESCRIPTION",
            "glibc": "glibc free(3), DESCRIPTION",
        },
    ),
    (
        "free-keeps-errno",
        "free leaves errno as it was.",
        {"posix": "POSIX.1-2024 free()", "glibc": "glibc 2.33 free(3)"},
    ),
    (
        "valid-call-accepted",
        "A call that frees or resizes a live block is not reported as misuse.",
        {
            "c17": "ISO C17 7.22.3.3 p2",
            "c23": "ISO C23 7.24.3 free",
            "posix": "POSIX.1-2024 free(), DESCRIPTION",
            "glibc": "glibc free(3), DESCRIPTION",
        },
    ),
    (
        "misuse-caught",
        "A call that frees or resizes what is not a live block is reported by the allocator at that call.",
        {PROMISE: "the allocator counts the misuse it reports"},
    ),
)
"""The rules an allocator is held to, by name, in the order in which a reply is judged.

The order matters where one reply breaks several: it is one finding, of the first rule that broke.
"""

MISUSES: Mapping[str, Rule] = _table(
    (
        "double-free",
        "A block is given up once.",
        {"c17": "ISO C17 7.22.3.3 p2", "c23": "ISO C23 7.24.3 free"},
    ),
    (
        "invalid-free",
        "Only a pointer that the malloc family handed out is given up.",
        {"c17": "ISO C17 7.22.3.3 p2", "c23": "ISO C23 7.24.3 free"},
    ),
    (
        "interior-free",
        "A block is given up by the pointer to its first byte.",
        {"c17": "ISO C17 7.22.3.3 p2", "c23": "ISO C23 7.24.3 free"},
    ),
    (
        "use-after-free",
        "A block is used only while it is live.",
        {"c17": "ISO C17 6.2.4 p2", "c23": "ISO C23 6.2.4 p2"},
    ),
    (
        "out-of-bounds",
        "An access lies wholly inside one block.",
        {"c17": "ISO C17 6.5.6 p8", "c23": "ISO C23 6.5.7 p9"},
    ),
    (
        "size-mismatch",
        "A sized free names the size, and the alignment if any, that was requested.",
        {"c23": "ISO C23 7.24.3 free_sized, free_aligned_sized"},
    ),
)
"""What the client is held to, by the kind of Misuse that breaks it."""
