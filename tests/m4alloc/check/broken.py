"""The deliberately broken allocators of tests/broken: which there are, and what a checker must say of each.

The table was written before the checker was tried on it, and says nothing of how a checker works.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "broken"
FLAGS = ("-O1", "-Wall", "-Wextra", "-shared", "-fPIC")
GLIBC = ("--standard", "c17,glibc")

SHARED = ("result-disjoint", "reuse-only-after-free", "zero-size-distinct", "block-keeps-contents")
"""Bytes of a live block are handed out once more: seen in the reply, or in what was stored there."""
ENDED = ("call-returns", "valid-call-accepted")
"""A call that keeps the contract ends the process, or hangs."""
LIMITS = ("ptrdiff-max-refused", "usable-at-least-requested", "result-contained", *SHARED)
"""A request that cannot be met gets a block of a few bytes."""
CORRUPTED = (
    *SHARED,
    *ENDED,
    "block-accessible",
    "calloc-zeroes",
    "realloc-keeps-contents",
    "result-aligned-fundamental",
    "result-aligned-as-requested",
    "result-contained",
    "usable-at-least-requested",
)
"""The allocator's own lists are damaged: what shows of it first depends on what is asked next."""


@dataclass(frozen=True, slots=True)
class BrokenAllocator:
    """One broken allocator, tests/broken/NAME.c.

    bug: the sentence with which the source begins. rules: those that may be reported, of which a checker names one.
    requests: the most lines that call the allocator in a shrunk script, a line inside of a repetition counted once;
    None where the bug needs very many requests, or luck between threads.
    quick: whether it is in the sample of `make test`. options: what `check` must be told for the bug to be one.
    """

    name: str
    bug: str
    rules: frozenset[str]
    requests: int | None
    quick: bool = False
    options: tuple[str, ...] = ()

    @property
    def source(self) -> Path:
        """The C file."""
        return FOLDER / f"{self.name}.c"


def sentence(source: Path) -> str:
    """The bug as the first comment of `source` tells it, without the comment's marks and line breaks."""
    comment = source.read_text().split("*/")[0]
    return " ".join(comment.removeprefix("/*").replace("\n *", " ").split())


def row(
    name: str, rules: tuple[str, ...], requests: int | None, *, quick: bool = False, options: tuple[str, ...] = ()
) -> BrokenAllocator:
    """A row of the table."""
    return BrokenAllocator(name, sentence(FOLDER / f"{name}.c"), frozenset(rules), requests, quick, options)


BROKEN = (
    # Where a block lies.
    row("align_one_class", ("result-aligned-fundamental",), 1, quick=True),
    row("aligned_above_page", ("result-aligned-as-requested",), 2),
    row("aligned_32", ("result-aligned-as-requested",), 2),
    row("aligned_huge_page", ("result-aligned-as-requested",), 2),
    row("realloc_loses_alignment", ("result-aligned-fundamental",), 2),
    row("valloc_512", ("result-aligned-as-requested",), 2),
    row("slab_one_slot_more", CORRUPTED, 5),
    row("class_edge_rounds_down", CORRUPTED, 3),
    row("empty_slab_in_two_classes", CORRUPTED, 8),
    row("free_sized_next_class", CORRUPTED, 5),
    row("third_lifo_free", SHARED, 8, quick=True),
    row("realloc_into_freed", CORRUPTED, 5),
    row("large_offset_32_bits", CORRUPTED, 4),
    # How many bytes it has.
    row("usable_counts_neighbour", (*SHARED, "block-accessible"), 4, quick=True),
    row("usable_less_than_asked", ("usable-at-least-requested",), 2),
    row("usable_is_int", LIMITS, 2),
    row("usable_of_anothers", ("usable-at-least-requested",), 2, quick=True),
    row("usable_of_null", ("usable-size-null",), 1, options=GLIBC),
    row("aligned_usable_overshoots", (*SHARED, "block-accessible"), 4),
    row("last_page_guarded", ("block-accessible",), 1),
    row("zero_size_shared", ("zero-size-distinct",), 2),
    row("zero_size_not_taken", CORRUPTED, 3),
    # What is in it.
    row("calloc_dirty_class", ("calloc-zeroes",), 3),
    row("calloc_first_element", ("calloc-zeroes",), 3),
    row("calloc_tail", ("calloc-zeroes",), 3, quick=True),
    row("calloc_large_recycled", ("calloc-zeroes",), 3),
    row("calloc_large_roomy", ("calloc-zeroes",), 3),
    row("calloc_fresh_slot", ("calloc-zeroes",), None),
    row("calloc_clears_neighbour", CORRUPTED, 3),
    row("free_writes_before_block", CORRUPTED, 3),
    row("purge_takes_live_page", CORRUPTED, None),
    row("full_slab_writes_checksum", CORRUPTED, 5),
    row("realloc_loses_tail", ("realloc-keeps-contents",), 3),
    row("realloc_megabyte", ("realloc-keeps-contents",), 3),
    row("realloc_shrink_class_edge", ("realloc-keeps-contents",), 3),
    row("reallocarray_one_element", ("realloc-keeps-contents",), 2, quick=True),
    row("realloc_of_aligned", ("realloc-keeps-contents",), 3),
    row("realloc_shrink_writes_footer", CORRUPTED, 3),
    row("realloc_beyond_slot", CORRUPTED, 3),
    row("realloc_failure_frees", ("realloc-failure-keeps-block", *CORRUPTED), 4, quick=True),
    # What the caller is told.
    row("malloc_silent", ("result-non-null-or-enomem",), 1, quick=True),
    row("calloc_overflow_errno", ("result-non-null-or-enomem", "calloc-overflow-refused"), 1),
    row("posix_memalign_enomem", ("posix-memalign-arguments",), 1),
    row("posix_memalign_clobbers", ("posix-memalign-arguments",), 1, quick=True),
    row("posix_memalign_small_alignment", ("posix-memalign-arguments",), 1),
    row("posix_memalign_minus_one", ("posix-memalign-arguments",), 1),
    row("aligned_alloc_any_alignment", ("aligned-alloc-arguments",), 1),
    row("aligned_alloc_enomem", ("aligned-alloc-arguments",), 1),
    row("free_sets_errno_large", ("free-keeps-errno",), 2),
    row("free_clears_errno", ("free-keeps-errno",), 2),
    row("realloc_zero_hands_out", ("realloc-zero",), 2, options=GLIBC),
    row("realloc_zero_leaks", ("realloc-zero", "freed-is-reused"), None, options=GLIBC),
    # Limits.
    row("calloc_overflow", ("calloc-overflow-refused",), 1),
    row("calloc_overflow_half_checked", ("calloc-overflow-refused",), 1),
    row("reallocarray_overflow", ("reallocarray-overflow-refused",), 2),
    row("realloc_size_wraps", LIMITS, 2),
    row("aligned_size_wraps", LIMITS, 1),
    row("aligned_sum_wraps", LIMITS, 1),
    row("sizes_are_signed", LIMITS, 1),
    row("sizes_have_32_bits", LIMITS, 1),
    row("large_pages_20_bits", (*LIMITS, "block-accessible"), 1),
    row("no_memory_crashes", ENDED, 10),
    row("no_memory_eagain", ("result-non-null-or-enomem",), 10, quick=True),
    row("no_memory_hands_out_live", SHARED, 10),
    row("no_memory_for_ever", ("request-served",), None),
    # Calls that never return.
    row("free_null_crashes", ("free-null-does-nothing", *ENDED), 1, quick=True),
    row("realloc_null_crashes", ENDED, 1),
    row("calloc_clears_null", ENDED, 1),
    row("free_aligned_sized_aborts", ENDED, 2),
    row("aligned_cannot_be_freed", ENDED, 2),
    row("sized_free_of_overaligned", ENDED, 10),
    row("sized_free_of_nothing", ENDED, 2, quick=True),
    row("hundredth_live_hangs", ENDED, None),
    # Very many requests.
    row("millionth_forgets_live", SHARED, 10, quick=True),
    row("million_serials", ("result-non-null-or-enomem", "request-served"), 10),
    row("live_count_16_bits", SHARED, None),
    row("large_serial_16_bits", ("result-non-null-or-enomem", "request-served"), 10),
    row("one_class_never_reused", ("freed-is-reused",), None),
    row("realloc_leaks_large", ("freed-is-reused",), None),
    # Threads.
    row("free_without_lock", CORRUPTED, None),
    row("realloc_without_lock", CORRUPTED, None),
    row("large_without_lock", CORRUPTED, None),
    row("ninth_thread_shares", CORRUPTED, None),
    row("thread_table_256", ("request-served",), 10),
    row("remote_free_never_taken_back", ("freed-is-reused",), None),
    row("remote_free_twice", CORRUPTED, 5, quick=True),
    row("exited_cache_reused", SHARED, 6),
    row("dying_thread_keeps_cache", CORRUPTED, 10),
    row("exited_owner_unmapped", (*ENDED, "block-accessible"), 4),
    # Fork.
    row("fork_child_cache_twice", SHARED, 5),
    row("fork_child_starts_over", SHARED, 3, quick=True),
    row("fork_parent_stays_locked", ENDED, 3),
    row("fork_registers_again", ENDED, 3),
    row("fork_by_later_thread", SHARED, 5),
    row("fork_while_locked", ENDED, None),
    # Misuse: the class of bug that ArcHeap found in real allocators. The allocator is right while its client is.
    row("large_freed_twice", CORRUPTED, 5, options=("--misuse",)),
)
"""The broken allocators, by what a client would notice."""


def compiler() -> str | None:
    """The C compiler, if there is one."""
    return shutil.which("gcc") or shutil.which("cc")


def build(broken: BrokenAllocator, folder: Path, *, fixed: bool = False) -> Path:
    """The library of `broken` in `folder`, or with its bug disabled. Raises AssertionError: the compiler spoke.

    Cost: 0.15 s.
    """
    library = folder / f"{broken.name}{'.fixed' if fixed else ''}.so"
    command = [compiler() or "gcc", *FLAGS, *(["-DFIXED"] if fixed else []), str(broken.source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return library
