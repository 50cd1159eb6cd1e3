"""The report as lines for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from m4alloc.bench.report import BenchReport, Cost, Mean, MeanResult, Result, installed
from m4alloc.bench.statistic import Spread
from m4alloc.view.quantity import brief, duration, percent, ratio, significant, size
from m4alloc.view.text import table

HEADLINE_NOTE = (
    "The field's headline, 4.9 billion malloc calls in 7.9 s on an M1, is 1.6 ns a call: below what one core's free\n"
    "list can do (2.5 ns a malloc and free were measured for the bare limit: a stack, a state test, no slow path).\n"
    "It cannot be one core's."
)


def lines(report: BenchReport) -> list[str]:
    """The whole report."""
    parts = [
        header(report),
        *tables(report),
        headline(report),
        latency(report),
        heap_sizes(report),
        remarks(report),
    ]
    return [line for part in parts if part for line in [*part, ""]][:-1]


def header(report: BenchReport) -> list[str]:
    """Where it was measured, and what is compared."""
    machine = report.machine
    rounds = f"{report.rounds_done} of {report.rounds} rounds" if report.interrupted else f"{report.rounds} rounds"
    return [
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['libc']}, {machine['date']}",
        f"{rounds}, seed {report.seed}{', short scales: times mean little' if report.quick else ''}",
        "ratios to glibc in the same round; median of the rounds, +- half the distance of the quartiles",
        *installed(report.allocators),
    ]


def tables(report: BenchReport) -> list[list[str]]:
    """Processor time, wall time, peak memory, and operations a second."""
    if not report.programs:
        return []
    kinds: list[tuple[str, str, Callable[[Result | MeanResult], Cost | Spread | None], Callable[[float], str]]] = [
        ("CPU time", "glibc", lambda one: one.cpu, duration),
        ("wall time", "glibc", lambda one: one.wall, duration),
        ("peak memory", "glibc", lambda one: one.peak, size),
    ]
    return [*(of_kind(report, *kind) for kind in kinds), rates(report)]


def of_kind(
    report: BenchReport,
    title: str,
    absolute: str,
    which: Callable[[Result | MeanResult], Cost | Spread | None],
    show: Callable[[float], str],
) -> list[str]:
    """One table of ratios, with the means below."""
    others = report.names[1:]
    rows = []
    for row in report.tabled:
        base = which(row.results[0])
        cells = [cell(which(result)) for result in row.results[1:]]
        rows.append([row.label, show(base.value.median) if isinstance(base, Cost) else "-", *cells])
    for mean in report.means:
        rows.append([mean.label, "", *(mean_cell(one, mean, which(one)) for one in mean.results[1:])])
    found = table(rows, [title, absolute, *others], right=range(1, len(others) + 2))
    at = 2 + len(report.tabled)
    return [*found[:at], *([found[1]] if report.means else []), *found[at:]]


def cell(cost: Cost | Spread | None) -> str:
    """A ratio with its spread, if more than one round was measured; "-" when there is none.

    >>> cell(Spread(0.7, 0.69, 0.71)), cell(Spread(0.7, 0.7, 0.7)), cell(None)
    ('0.70 +-1%', '0.70', '-')
    """
    if cost is None:
        return "-"
    found = cost.ratio if isinstance(cost, Cost) else cost
    return ratio(found.median) + (f" +-{100 * found.relative:.0f}%" if found.low < found.high else "")


def mean_cell(one: MeanResult, mean: Mean, found: Cost | Spread | None) -> str:
    """A mean; a star when it is over fewer programs than the others'."""
    return cell(found) + ("*" if found is not None and one.count < mean.count else "")


def rates(report: BenchReport) -> list[str]:
    """Allocator calls a second of wall time, at every number of threads."""
    rows = []
    for row in report.programs:
        found = [result.operations for result in row.results]
        if any(found):
            rows.append([row.label, *(rate(one.median) if one else "-" for one in found)])
    return table(rows, ["calls a second", *report.names], right=range(1, len(report.names) + 1)) if rows else []


def rate(calls: float) -> str:
    """Calls a second, in millions or thousands where it is that many.

    >>> rate(22.9e6), rate(331_000), rate(86.6), rate(0.25)
    ('22.9 M', '331 k', '86.6', '0.25')
    """
    for factor, unit in ((1e6, " M"), (1e3, " k")):
        if calls >= factor:
            return f"{significant(calls / factor)}{unit}"
    return brief(significant(calls))


def headline(report: BenchReport) -> list[str]:
    """The row of binary_tree."""
    if not report.headline:
        return []
    rows = [
        [
            one.allocator,
            rate(one.calls_a_second.median),
            rate(one.calls_a_core_second.median),
            "-" if one.alone is None else rate(one.alone.median),
            f"{one.ns_a_pair.median:.1f}",
        ]
        for one in report.headline
    ]
    copies = f"{report.headline[0].copies} at once"
    names = ["binary_tree, mallocs a second", copies, "a core", "one alone", "ns a malloc + free"]
    return [*table(rows, names, right=range(1, 5)), *HEADLINE_NOTE.splitlines()]


def latency(report: BenchReport) -> list[str]:
    """Percentiles of single calls."""
    rows = [
        [
            f"{one.call} on {one.allocator}",
            brief(duration(max(one.mean, 0.0) * 1e-9)),
            *(time_of(value, one.step) for value in (one.p50, one.p90, one.p99, one.p99_9, one.max)),
        ]
        for one in sorted(report.latency, key=lambda one: one.call, reverse=True)
    ]
    if not rows:
        return []
    step = max(one.step for one in report.latency)
    clock = f"The clock advances by {duration(step * 1e-9)}: percentiles are no finer."
    note = f"{clock} The mean is without the slowest 1 in 1,000."
    return [*table(rows, ["single calls", "mean", "p50", "p90", "p99", "p99.9", "max"], right=range(1, 7)), note]


def time_of(nanoseconds: float, step: float) -> str:
    """A time that a clock of this step took.

    >>> time_of(0.0, 10.0), time_of(20.2, 10.0)
    ('<10 ns', '20.2 ns')
    """
    return f"<{brief(duration(step * 1e-9))}" if nanoseconds < step else brief(duration(nanoseconds * 1e-9))


def heap_sizes(report: BenchReport) -> list[str]:
    """The cost of a call against the size of the heap."""
    rows = [
        [
            f"{one.blocks:,}",
            size(one.live),
            one.allocator,
            *(f"{part.median:.0f} ns" for part in (one.build, one.replace, one.clear)),
            ratio(one.overhead.median),
            percent(one.freed.median),
            percent(one.settled.median),
        ]
        for one in report.heap_sizes
    ]
    names = ["live blocks", "live", "allocator", "malloc", "free + malloc", "free", "RSS / live", "after free", "later"]
    return table(rows, names, right=[0, 1, *range(3, 9)]) if rows else []


def remarks(report: BenchReport) -> list[str]:
    """What failed, what was missing, what to know, where it is."""
    starred = any(one.count < mean.count for mean in report.means for one in mean.results)
    found = [f"error: {line}" for line in report.errors]
    found += ["* over the programs that it did not fail: not to be compared"] if starred else []
    fixed = [row.name for row in report.tabled if row.fixed]
    found += [f"fixed, that is, no allocator can move them: {', '.join(fixed)}"] if fixed and report.means else []
    found += [*report.missing, *report.notes]
    if report.interrupted:
        found.append(f"interrupted{f'; it goes on with: {report.resume}' if report.resume else ''}")
    if report.files:
        folder = Path(report.files[0]).parent
        found.append(f"written to {folder}/: {', '.join(Path(file).name for file in report.files)}")
    return found
