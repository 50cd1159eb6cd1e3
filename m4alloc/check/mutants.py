"""Ten seeded faults in the core, and the search that must find each: who tests the tests.

Each fault is a macro, M4_FAULT=n, that breaks one line of the core when the library is built (m4alloc/_core/fault.pxd).
A fault counts as found when the search shrinks some plan to a small one that breaks a rule that this table names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from m4alloc import _build
from m4alloc.check.foreign import Foreign
from m4alloc.check.search import Counterexample, find_violation

ENVIRONMENT = {
    "M4ALLOC_OPTIONS": "misuse=count",
    "M4ALLOC_STRATEGY": "delay_line=2,refill_batch=4,stack_depth=16",
}
"""Misuse is flagged and survived; freed slots soon come back, so that short plans see memory used twice."""
STANDARD = "c17,glibc"
OPTIMISATION = "-O1"
"""Enough for the compiler to remove the code that a fault disables; -O3 takes several times longer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One seeded fault: its number, what it does, and the rules it breaks; which shows first depends on the plan."""

    number: int
    name: str
    rules: frozenset[str]


def fault(number: int, name: str, *rules: str) -> Fault:
    """A row of the table."""
    return Fault(number, name, frozenset(rules))


SHARED = ("quarantine-respected", "result-disjoint", "reuse-only-after-free", "zero-size-distinct")
"""Bytes of a live block, or of one freed just now, are handed out as part of another, as its first, or with none."""

FAULTS = (
    fault(1, "free leaves the slot live", "misuse-caught"),
    fault(2, "a request one granule above a class gets that class", "usable-at-least-requested"),
    fault(3, "aligned_alloc takes any class that is large enough", "result-aligned-as-requested"),
    fault(4, "calloc hands out a recycled slot as it is", "calloc-zeroes"),
    fault(5, "a moving realloc copies 8 bytes too few", "realloc-keeps-contents"),
    fault(6, "a slab has one slot more than fits", *SHARED, "usable-at-least-requested", "valid-call-accepted"),
    fault(7, "a slot freed by another thread never comes back", "freed-is-reused"),
    fault(8, "the delay line is skipped", "quarantine-respected"),
    fault(9, "malloc_usable_size counts 16 bytes of the next slot", *SHARED),
    fault(10, "a large block's span is one unit short", *SHARED),
)
"""The ten faults; the numbers are those of m4alloc/_core/fault.pxd."""


def build(number: int, folder: Path) -> Path:
    """The library with fault `number` (0: none) in `folder`, built unless the same sources were built there before.

    Raises _build.BuildError.  Cost: 2 s of compiling.
    """
    digest = hashlib.sha256(f"{number} {OPTIMISATION}".encode())
    generated = _build.generate("_fast")
    for source in [generated, _build.PACKAGE / "preload.c", _build.PACKAGE / "preload.map", *_build.headers()]:
        digest.update(source.read_bytes())
    library = folder / f"fault-{number}-{digest.hexdigest()[:12]}.so"
    if not library.exists():
        with compiler_flags(OPTIMISATION):
            _build.compile_library(library, defines={"M4_FAULT": number})
    return library


@contextmanager
def compiler_flags(flags: str) -> Iterator[None]:
    """CFLAGS with `flags` added, which come after the builder's own."""
    before = os.environ.get("CFLAGS")
    os.environ["CFLAGS"] = f"{before or ''} {flags}".strip()
    try:
        yield
    finally:
        if before is None:
            del os.environ["CFLAGS"]
        else:
            os.environ["CFLAGS"] = before


def hunt(library: Path, budget: int = 300, seed: int = 0) -> Counterexample | None:
    """Search one build of the core, held to all that it promises; None when nothing broke within `budget` plans."""
    with Foreign(library, environment=ENVIRONMENT, timeout=5.0) as target:
        return find_violation(target, budget, terms=target.terms(STANDARD), seed=seed)
