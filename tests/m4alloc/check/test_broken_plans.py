"""What real allocators got wrong and a search seldom meets has a plan of its own, which finds it alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from m4alloc.check.foreign import Foreign
from m4alloc.check.hunt import Hunt
from m4alloc.check.judgement import Broken, Terms
from m4alloc.check.survey import Directed, survey
from spec.event import Function
from tests.m4alloc.check.broken import BROKEN, build, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C compiler: apt-get install gcc")

FINDS = {
    "aligned_sum_wraps": "impossible-sizes-aligned",
    "calloc_fresh_slot": "calloc-where-other-sizes-were",
    "calloc_large_roomy": "calloc-of-used-large-memory",
    "realloc_into_freed": "growing-beside-a-freed-block",
    "realloc_shrink_class_edge": "realloc-down-to-each-edge",
    "reallocarray_one_element": "reallocarray-of-several-elements",
    "usable_of_anothers": "usable-sizes-asked-again",
    "sized_free_of_nothing": "sized-free",
    "sized_free_of_overaligned": "many-aligned-blocks",
    "thread_table_256": "three-hundred-threads",
    "dying_thread_keeps_cache": "threads-that-leave",
    "fork_by_later_thread": "a-fork-by-another-thread",
    "fork_registers_again": "forks-in-children",
    "purge_takes_live_page": "pauses-of-1200-milliseconds",
    "no_memory_for_ever": "memory-comes-back",
    "aligned_huge_page": "huge-alignments",
    "large_pages_20_bits": "beyond-two-gibibytes",
    "usable_is_int": "beyond-two-gibibytes",
    "large_offset_32_bits": "more-than-four-gibibytes-at-once",
    "large_serial_16_bits": "large-blocks-over-and-over",
    "ninth_thread_shares": "20-threads-at-once",
}
"""A broken allocator, and the plan that was made for its kind of bug."""
SLOW = frozenset(FINDS.values()) & {
    "pauses-of-1200-milliseconds",
    "huge-alignments",
    "beyond-two-gibibytes",
    "more-than-four-gibibytes-at-once",
    "large-blocks-over-and-over",
    "20-threads-at-once",
}


@cache
def planned(functions: frozenset[Function]) -> dict[str, Directed]:
    """The directed plans by name."""
    return {directed.name: directed for directed in survey(functions)}


def broken_by(library: str, plan: str, attempts: int = 1) -> Broken | None:
    """What the plan sees broken."""
    with Foreign(library) as driver:
        terms, functions = driver.terms(Terms("c23,posix")), driver.functions
    directed = planned(functions)[plan]
    hunt = Hunt(lambda: Foreign(library, timeout=2), terms)
    try:
        seen = (hunt.look(directed.plan, told=True) for _ in range(attempts))
        return next((broken for broken in seen if broken is not None), None)
    finally:
        hunt.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.campaign) if plan in SLOW else name for name, plan in FINDS.items()],
)
def test_the_plan_made_for_a_kind_of_bug_finds_it_and_nothing_where_it_is_mended(name: str, tmp_path: Path) -> None:
    (row,) = (broken for broken in BROKEN if broken.name == name)
    racy = name == "ninth_thread_shares"
    found = broken_by(str(build(row, tmp_path)), FINDS[name], attempts=20 if racy else 1)
    assert found is not None and found.rule.name in row.rules, str(found)
    assert broken_by(str(build(row, tmp_path, fixed=True)), FINDS[name]) is None
