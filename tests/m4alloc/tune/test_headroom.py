"""How much there is to gain: from made-up figures exactly, from real programs in its structure."""

from __future__ import annotations

import json
import shutil

import pytest

from m4alloc import _backend
from m4alloc.bench.measure import BenchError
from m4alloc.bench.peer import DEBIAN, GLIBC, OURS, peers
from m4alloc.bench.statistic import Spread
from m4alloc.tune import headroom as module
from m4alloc.tune.headroom import BUMP, Headroom, Row, compared, headroom, peak_live, row_of
from m4alloc.tune.rounds import in_rounds
from m4alloc.tune.share import Share
from m4alloc.tune.workload import Kind
from tests.m4alloc.tune.made_up import workload

NATIVE = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")
PERL = pytest.mark.skipif(shutil.which("perl") is None, reason="needs perl: apt-get install perl-base")
STRINGS = ["perl", "-e", "my @x = map { 'y' x 3000 } 1 .. 5000"]


def row(name: str, cpu: float, peak: float, *, half: float = 0.0) -> Row:
    """An allocator whose ratios to the default are these."""
    return Row(
        *(name, "", Spread(cpu, cpu, cpu), Spread(1e6 * peak, 1e6 * peak, 1e6 * peak)),
        *(Spread(cpu, cpu - half, cpu + half), Spread(peak, peak - half, peak + half)),
    )


def share_of(fraction: float | None, *, error: float = 0.0, refaults: int = 0) -> Share:
    return Share(OURS, fraction, error, 1000, 5000, refaults, 1, 1.0, "" if fraction is not None else "too short")


def found(*rows: Row, share: Share | None = None, live: int = 0) -> Headroom:
    shares = () if share is None else (share,)
    return Headroom(("program",), {}, 3, (row(OURS, 1.0, 1.0), *rows), shares, 1e-6, live)


def test_time_is_what_the_best_gains_or_all_that_the_allocator_takes() -> None:
    assert found(row(GLIBC, 1.2, 1.0), row("jemalloc", 0.8, 1.0), share=share_of(0.1)).time == pytest.approx(0.2)
    assert found(row("jemalloc", 0.95, 1.0), share=share_of(0.3)).time == pytest.approx(0.3)
    assert found(row("jemalloc", 1.1, 1.0), share=share_of(None)).time == 0


def test_pages_touched_again_count_as_the_allocators() -> None:
    again = found(row(GLIBC, 1.2, 1.0), share=share_of(0.02, refaults=100_000))
    assert again.refaults == pytest.approx(0.1) and again.time == pytest.approx(0.12)


def test_memory_is_what_the_best_gains_and_bounded_by_what_is_live() -> None:
    one = found(row(GLIBC, 1.0, 0.9), row(BUMP, 0.9, 5.0), live=600_000)
    assert one.memory == pytest.approx(0.1) and one.memory_bound == pytest.approx(0.4)
    assert found().memory_bound is None


@pytest.mark.parametrize(
    ("rows", "share", "verdict"),
    [
        ([row(GLIBC, 0.98, 0.98)], share_of(0.02), "nothing"),
        ([row(GLIBC, 0.90, 0.98)], share_of(0.02), "time"),
        ([row(GLIBC, 0.90, 0.98, half=0.2)], share_of(0.02), "nothing"),
        ([row(GLIBC, 1.10, 0.80)], share_of(0.02), "memory"),
        ([row(GLIBC, 1.10, 0.80)], share_of(0.20), "time and memory"),
        ([row(GLIBC, 1.10, 1.10)], share_of(0.04, error=0.03), "nothing"),
        ([], None, "nothing"),
    ],
)
def test_less_than_three_per_cent_or_than_the_noise_is_nothing(
    rows: list[Row], share: Share | None, verdict: str
) -> None:
    one = found(*rows, share=share)
    assert one.verdict == verdict
    assert one.sentence.startswith(
        "nothing to gain: at most " if verdict == "nothing" else f"to gain in {verdict}: up to "
    )


def test_what_failed_or_could_not_be_measured_is_told() -> None:
    failed = Row(BUMP, "does not fit in the memory that it may take", None, None, None, None)
    text = found(row(GLIBC, 1.1, 1.1), failed, share=share_of(None)).text()
    assert "bump: does not fit in the memory that it may take" in text
    assert "share of m4alloc in the CPU time: not measured: too short" in text


def test_the_most_live_is_that_of_a_walk() -> None:
    calls = [(Kind.ALLOCATE, 1, 100), (Kind.ALLOCATE, 2, 50), (Kind.RESIZE, 1, 300), (Kind.FREE, 1, 0)]
    assert peak_live(workload(calls)) == 350
    assert peak_live(workload([])) == peak_live(None) == 0


@NATIVE
@PERL
def test_a_program_runs_on_ours_and_glibc_and_all_that_are_installed_and_bump() -> None:
    told: list[str] = []
    one = headroom(STRINGS, rounds=2, tell=told.append)
    installed = [peer.name for peer in peers()[0] if peer.name in DEBIAN]
    assert [each.allocator for each in one.rows] == [OURS, GLIBC, *installed, BUMP]
    assert one.rounds == 2 and not any(each.error for each in one.rows)
    ratios = [each.cpu_ratio.median for each in one.rows if each.cpu_ratio]
    assert ratios[0] == 1.0 and 0 <= one.time <= 1 and 0 <= one.memory < 1
    assert [each.allocator for each in one.shares] == [OURS, GLIBC] and len(told) == 2
    held = json.loads(json.dumps(one.to_json()))
    assert (held["verb"], held["verdict"], len(held["rows"])) == ("headroom", one.verdict, len(one.rows))
    assert one.text().splitlines()[1] == one.sentence


@NATIVE
@PERL
def test_a_program_that_needs_more_than_it_may_take_does_not_fit() -> None:
    among, _ = compared(4 << 20)
    few = [peer for peer in among if peer.name in (OURS, GLIBC, BUMP)]
    one = in_rounds(STRINGS, few, least=2, most=2)
    assert row_of(one, BUMP) == Row(BUMP, "does not fit in the memory that it may take", None, None, None, None)
    assert row_of(one, OURS).error == ""


def test_without_the_core_there_is_nothing_to_compare_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "peers", lambda: ([], ["m4alloc's own core is left out: not built"]))
    with pytest.raises(BenchError, match=r"^m4alloc's own core is left out: not built$"):
        headroom(["true"])
