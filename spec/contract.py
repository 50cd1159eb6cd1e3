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
EXPECTED = "expected"
"""The source of what every allocator is expected to do, though neither a standard nor the allocator says so."""


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


_DRAFT = "CHERI C/C++ Programming Guide, draft rules for allocators"
"""CTSRD-CHERI/cheri-c-programming, branch memory-allocators; it says more than UCAM-CL-TR-947, and may change."""

RULES: Mapping[str, Rule] = _table(
    (
        "call-returns",
        "A call that keeps the contract returns: it neither ends the program nor waits for ever.",
        {
            "c17": "ISO C17 7.22.3",
            "c23": "ISO C23 7.24.3",
            "posix": "POSIX.1-2024 malloc(), RETURN VALUE",
            "glibc": "glibc malloc(3), RETURN VALUE",
        },
    ),
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
        "ptrdiff-max-refused",
        "malloc, calloc, realloc and reallocarray fail when more than PTRDIFF_MAX bytes are requested.",
        {"glibc": "glibc malloc(3), RETURN VALUE"},
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
        "pvalloc-whole-pages",
        "A block from pvalloc has room for the requested size rounded up to whole pages.",
        {"glibc": "glibc pvalloc(3), DESCRIPTION"},
    ),
    (
        "usable-size-null",
        "The usable size of a null pointer is 0.",
        {"glibc": "glibc malloc_usable_size(3), RETURN VALUE"},
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
        "calloc-zeroes-usable",
        "Every usable byte of a block from calloc is zero, also behind those requested.",
        {PROMISE: "calloc-zeroes-usable, promised by name"},
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
        "or ENOMEM (POSIX leaves open which error, and whether there is a block, for 0 bytes); where it fails, *memptr "
        "is unchanged or null.",
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
            "c23": "ISO C23 7.24.3 free, free_sized, free_aligned_sized",
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
    (
        "block-accessible",
        "Every usable byte of a live block can be loaded and stored.",
        {
            "c17": "ISO C17 7.22.3 p1",
            "c23": "ISO C23 7.24.3 p1",
            "posix": "POSIX.1-2024 malloc(), DESCRIPTION",
            "glibc": "glibc malloc_usable_size(3)",
        },
    ),
    (
        "block-keeps-contents",
        "A live block keeps the values stored in it until it is given up.",
        {
            "c17": "ISO C17 6.2.4 p2",
            "c23": "ISO C23 6.2.4 p2",
            "posix": "POSIX.1-2024 malloc(), DESCRIPTION (defers to the ISO C standard)",
            "glibc": "glibc manual 3.2.3.1, Basic Memory Allocation",
        },
    ),
)
"""The rules an allocator is held to, by name, in the order in which a reply is judged.

The order matters where one reply breaks several: it is one finding, of the first rule that broke.
"""

PROMISES = frozenset({"calloc-zeroes-usable"})
"""The rules that are in force only for an allocator that promises them by name.

The other two promises are made otherwise: `quarantine-respected` by the quarantine that is given, `misuse-caught` by
whoever looks for reports of misuse.
"""

CAPABILITY_RULES: Mapping[str, Rule] = _table(
    (
        "untagged-refused",
        "realloc of a pointer that is not valid (its tag is cleared, or it is sealed) hands out nothing.",
        {"cheri": f"{_DRAFT}: free and realloc take the capability as it was issued; ISMM 2023, escinauthentic"},
    ),
    (
        "realloc-does-not-amplify",
        "What realloc hands out has no permission that the pointer handed in lacked, and shows no contents of the old "
        "block that it did not reach.",
        {"cheri": f"{_DRAFT}: free and realloc take the capability as it was issued; ISMM 2023, escperms"},
    ),
    (
        "capability-covers-request",
        "A block comes as a valid, unsealed capability that points at its own base, covers every byte requested, may "
        "load and store data and capabilities, and is aligned for a capability if it has room for one.",
        {"cheri": f"{_DRAFT}: the value that malloc returns"},
    ),
    (
        "permissions-stripped",
        "A capability to a block carries no permission beyond loading and storing data and capabilities: not to "
        "execute, to seal or unseal, to reach system registers, or to change mappings (SW_VMEM).",
        {"cheri": f"{_DRAFT}: permissions of the value that malloc returns"},
    ),
    (
        "capability-disjoint",
        "The bounds of a block reach no byte within the bounds of another live block, and none of the allocator's "
        "metadata.",
        {"cheri": f"{_DRAFT}: bounds reach no other allocation and no metadata; ISMM 2023, overlap"},
    ),
    (
        "capability-representable-padding",
        "The bounds of a block cover no more than its usable bytes, rounded up to the next representable length.",
        {"cheri": f"{_DRAFT}: a length that has no exact bounds is padded to CRRL; CHERI ISAv9, CRRL and CRAM"},
    ),
    (
        "no-reuse-while-reachable",
        "A byte is handed out again only when no valid capability to the block it belonged to is left in a register or "
        "in a live block.",
        {"cheri": "Cornucopia (IEEE S&P 2020), the invariant of revocation"},
    ),
    (
        "tags-cleared-on-free",
        "A block is handed out without any valid capability that an earlier owner stored in it.",
        {"cheri": f"{_DRAFT}: memory that a block's capability reaches is zeroed; ISMM 2023, undef"},
    ),
    (
        "realloc-does-not-resurrect",
        "What realloc cut off does not come back: bytes that a block gains hold nothing that it held there before it "
        "shrank.",
        {"cheri": "Picking a CHERI Allocator (ISMM 2023), narrowwiden"},
    ),
)
"""The rules of capabilities that blocks are handed out as, in the order in which a reply is judged.

An address cannot show them, so `spec.acceptor` does not judge them; `spec.authority` does, under the standard `cheri`.
"""

EXPECTATIONS: Mapping[str, Rule] = _table(
    (
        "freed-is-reused",
        "Freed memory is handed out again: repeating requests that free all they allocate does not use ever more.",
        {EXPECTED: "what every allocator is for; no standard says it"},
    ),
    (
        "request-served",
        "A request that is small against the memory there is succeeds.",
        {EXPECTED: "what every allocator is for; no standard says it"},
    ),
)
"""What every allocator is expected to do: no history shows it, so the acceptor does not judge it; experiments do."""

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
