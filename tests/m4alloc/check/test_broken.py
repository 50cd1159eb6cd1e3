"""`check` finds the bug of each deliberately broken allocator of tests/broken, names its rule, and shrinks it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from m4alloc.check.alphabet import MAX_DEPTH
from m4alloc.check.campaign import ENGINES
from m4alloc.check.check_library import check
from m4alloc.check.check_report import CheckReport
from tests.m4alloc.check.broken import BROKEN, BrokenAllocator, build, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C compiler: apt-get install gcc")

SAMPLE = (
    "align_one_class",
    "third_lifo_free",
    "usable_counts_neighbour",
    "malloc_silent",
    "no_memory_eagain",
    "free_null_crashes",
    "fork_child_starts_over",
)
"""Of the quick rows, those that are found within two seconds."""
REQUESTS = 10
"""The most that a finding may take where its bug allows."""


@cache
def rows() -> dict[str, BrokenAllocator]:
    """The table by name."""
    return {broken.name: broken for broken in BROKEN}


def checked(
    broken: BrokenAllocator,
    folder: Path,
    budget: float,
    *,
    fixed: bool = False,
    engines: Sequence[str] = ENGINES,
    depth: int = MAX_DEPTH,
) -> CheckReport:
    """What `check` says of the broken allocator, told what the table tells it."""
    options = dict(zip(broken.options[::2], broken.options[1::2], strict=False))
    return check(
        build(broken, folder, fixed=fixed),
        standard=options.get("--standard", ""),
        misuse="--misuse" in broken.options,
        budget=budget,
        jobs=1,
        stop_at_first=True,
        output=None,
        engines=engines,
        depth=depth,
    )


def assert_found(broken: BrokenAllocator, report: CheckReport) -> None:
    """The first finding names a rule of the row and is as short as the row wants it."""
    assert report.exit_status == 1, f"{broken.bug} It went unseen."
    found = report.findings[0].finding
    assert found.rule.name in broken.rules, str(found)
    if broken.requests is not None:
        assert found.requests <= max(REQUESTS, broken.requests), str(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_a_broken_allocator_is_found_by_its_rule_and_shrunk(name: str, tmp_path: Path) -> None:
    report = checked(rows()[name], tmp_path, 40)
    assert_found(rows()[name], report)
    assert report.findings[0].finding.replays == 10


@pytest.mark.parametrize("name", ["align_one_class", "remote_free_twice", "free_clears_errno"])
def test_without_its_bug_an_allocator_holds(name: str, tmp_path: Path) -> None:
    report = checked(rows()[name], tmp_path, 40, fixed=True, engines=["exhaustive"], depth=3)
    assert (report.exit_status, report.depth) == (0, 3), str(report.findings)


def test_the_sample_is_of_the_quick_rows() -> None:
    assert {name for name, broken in rows().items() if broken.quick} >= set(SAMPLE)


@pytest.mark.campaign
@pytest.mark.parametrize("name", [broken.name for broken in BROKEN])
def test_every_broken_allocator_is_found_within_a_minute(name: str, tmp_path: Path) -> None:
    assert_found(rows()[name], checked(rows()[name], tmp_path, 60))


@pytest.mark.campaign
@pytest.mark.parametrize("name", ["align_one_class", "remote_free_twice", "free_clears_errno"])
def test_without_its_bug_an_allocator_holds_for_a_minute(name: str, tmp_path: Path) -> None:
    report = checked(rows()[name], tmp_path, 60, fixed=True)
    assert report.exit_status == 0, str(report.findings)
