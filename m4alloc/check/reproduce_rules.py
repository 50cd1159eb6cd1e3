"""Which check of a reproducing C program stands for which rule of the contract."""

from __future__ import annotations

from collections.abc import Mapping

CHECKS: Mapping[str, tuple[str, str]] = {
    "call-returns": ("on_signal", "a signal inside a call, or no answer within the time limit"),
    "result-non-null-or-enomem": ("failed", "errno, preset to a sentinel, is ENOMEM where NULL was returned"),
    "result-aligned-fundamental": ("got", "the address modulo the alignment that the size needs"),
    "result-aligned-as-requested": ("got_aligned", "the address modulo the alignment requested"),
    "ptrdiff-max-refused": ("refused", "NULL for more than PTRDIFF_MAX bytes"),
    "result-contained": ("take", "the usable bytes end below the end of user addresses"),
    "result-disjoint": ("take", "the bytes are compared with those of every live block"),
    "zero-size-distinct": ("take", "a block of 0 bytes counts as one byte"),
    "reuse-only-after-free": ("take", "the address is that of no live block"),
    "quarantine-respected": ("young", "frees of the size class are counted between the free and the reuse"),
    "usable-at-least-requested": ("take", "malloc_usable_size is at least the request"),
    "pvalloc-whole-pages": ("has_room", "malloc_usable_size is at least the request in whole pages"),
    "usable-size-null": ("measured_null", "malloc_usable_size(NULL) is 0"),
    "calloc-overflow-refused": ("refused", "NULL, and ENOMEM where the standard names it"),
    "calloc-zeroes": ("zero", "every byte requested, right after the call"),
    "calloc-zeroes-usable": ("zero", "every usable byte, right after the call"),
    "reallocarray-overflow-refused": ("refused", "NULL and ENOMEM"),
    "realloc-keeps-contents": ("resized", "the bytes up to the smaller size, right after the call"),
    "realloc-failure-keeps-block": ("keep", "the old block's bytes, right after the call"),
    "realloc-zero": ("resized_to_zero", "NULL or the error, as the standard has it"),
    "aligned-alloc-arguments": ("refused", "NULL, and EINVAL where the standard names it"),
    "posix-memalign-arguments": ("memaligned", "the value returned, and what is left in *memptr"),
    "free-null-does-nothing": ("accepted", "the count of refused calls, where the library has one"),
    "free-keeps-errno": ("errno_kept", "errno, preset to a sentinel, is unchanged"),
    "valid-call-accepted": ("accepted", "the count of refused calls, where the library has one"),
    "misuse-caught": ("caught", "the count of refused calls, where the library has one"),
    "block-accessible": ("on_signal", "a signal while the client loads or stores"),
    "block-keeps-contents": ("compare", "every usable byte, before the block is given up and at the end"),
    "freed-is-reused": ("reused", "bytes at new addresses, when the requests are repeated"),
    "request-served": ("served", "no NULL for the request"),
}
"""By rule: the C function that checks it, and what that looks at."""
UNSEEN: Mapping[str, str] = {}
"""Rules that no C program of ours can see, each with the reason."""


def table() -> str:
    """The rules and their checks as a Markdown table, for docs/findings.md.

    >>> table().splitlines()[2]
    '| `call-returns` | `on_signal` | a signal inside a call, or no answer within the time limit |'
    """
    rows = [f"| `{rule}` | `{function}` | {looks} |" for rule, (function, looks) in CHECKS.items()]
    rows += [f"| `{rule}` | none | {reason} |" for rule, reason in UNSEEN.items()]
    return "\n".join(["| Rule | Function | What it looks at |", "|---|---|---|", *rows, ""])
