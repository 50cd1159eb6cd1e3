"""Live bytes over time."""

from __future__ import annotations

from hypothesis import given, settings

from m4alloc.tune.curves_live import live_curve
from m4alloc.tune.workload import Kind, Workload
from tests.m4alloc.tune.curves_cases import workload, workloads


@given(workloads())
@settings(max_examples=60, deadline=None)
def test_the_peak_is_the_largest_sum_of_live_requests(work: Workload) -> None:
    live: dict[int, int] = {}
    sums = []
    for call in range(len(work)):
        if work.kind[call] == Kind.FREE:
            del live[int(work.block[call])]
        else:
            live[int(work.block[call])] = int(work.size[call])
        sums.append((sum(live.values()), len(live)))
    curve = live_curve(work, points=7)
    peak = max((total for total, _ in sums), default=0)
    assert curve.peak == peak
    if sums:
        first = next(call for call, (total, _) in enumerate(sums) if total == peak)
        assert (curve.peak_call, curve.blocks) == (first, sums[first][1])
        assert abs(curve.mean - sum(total for total, _ in sums) / len(sums)) < 1e-6 * (1 + peak)
        bounds = [*curve.calls.tolist(), len(work)]
        assert len(curve.bytes) == min(7, len(sums))
        assert curve.bytes.tolist() == [
            max(total for total, _ in sums[bounds[n] : bounds[n + 1]]) for n in range(len(curve.bytes))
        ]


def test_a_program_that_asks_for_nothing_has_no_peak() -> None:
    curve = live_curve(workload([]))
    assert (curve.peak, curve.blocks, curve.mean, len(curve.bytes)) == (0, 0, 0.0, 0)
