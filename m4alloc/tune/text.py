"""The report of a tuning as lines for a terminal."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Sequence
from pathlib import Path

from m4alloc.strategy import Strategy
from m4alloc.tune.comparison import comparison_table
from m4alloc.tune.report import DEFAULT, NOTHING, TUNED, Tried, TuneReport
from m4alloc.view.quantity import duration, number, percent, plural, significant, size
from m4alloc.view.text import table
from spec.model.system import Verdict

WIDTH = 110
"""Characters a line of sentences has at most; tables and commands are as wide as they are."""


def wrapped(sentence: str, indent: str = "") -> list[str]:
    """A sentence as lines, those after the first indented by two more.

    >>> wrapped("word " * 30)[1]
    '  word word word word word word word word'
    """
    return textwrap.wrap(
        *(sentence, WIDTH),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def lines(report: TuneReport) -> list[str]:
    """The whole report."""
    parts = [
        headroom(report),
        workloads(report),
        distances(report),
        methods(report),
        candidates(report),
        race(report),
        reasons(report),
        held_out(report),
        measured(report),
        advice(report),
        remarks(report),
        recommendation(report),
    ]
    return [line for part in parts if part for line in [*part, ""]][:-1]


def headroom(report: TuneReport) -> list[str]:
    """What could be gained at most."""
    return [] if report.headroom is None else folded(report.headroom.text().splitlines())


def folded(told: Sequence[str]) -> list[str]:
    """Lines of another report with their sentences wrapped; a table, whose columns are two spaces apart, stays."""
    return [part for line in told for part in ([line] if "  " in line or len(line) <= WIDTH else wrapped(line))]


def workloads(report: TuneReport) -> list[str]:
    """What was tuned for."""
    found: list[str] = []
    for row in report.workloads:
        found += row.summary.lines()
        if row.searched < row.summary.calls:
            found.append(f"  the search simulates {number(row.searched)} calls of its middle")
    return found


def distances(report: TuneReport) -> list[str]:
    """How far today's strategy is from each optimum."""
    found: list[str] = []
    for row in report.workloads:
        name = f" for {row.summary.name}" if len(report.workloads) > 1 else ""
        found += [f"today's strategy and what is possible, each policy alone{name}:"]
        cells = [
            [one.knob, shown(one.value, one.unit), shown(one.optimum, one.unit), times(one.ratio), KINDS[one.bound]]
            for one in row.distances
        ]
        found += table(cells, ["policy", "today", "possible", "ratio", "what that is"], right=[1, 2, 3])
        found += [part for one in row.distances for part in wrapped(one.why, "  ")]
    return found


KINDS = {False: "an optimum", True: "a bound"}


def shown(value: float, unit: str) -> str:
    """A value of an exact answer in its unit.

    >>> shown(0.106, "share"), shown(1.25e6, "bytes"), shown(1500, "us"), shown(1234, "misses")
    ('10.6 %', '1.25 MB', '1.50 ms', '1,234')
    """
    if unit == "us":
        return duration(value / 1e6) if value else "0 s"
    return percent(value) if unit == "share" else size(value) if unit == "bytes" else number(round(value))


def times(ratio: float) -> str:
    """How many times the optimum a value is.

    >>> times(1.25), times(float("inf"))
    ('1.25', '-')
    """
    return "-" if ratio == float("inf") else significant(ratio)


def methods(report: TuneReport) -> list[str]:
    """The methods at equal budget, and the bound that none can pass."""
    if not report.methods:
        return []
    header, *rows = comparison_table(report.methods, bounds(report))
    if all(one.campaigns < 2 for one in report.methods):  # of one seed the least says nothing
        at = header.index("least of seeds")
        header, *rows = [[*row[:at], *row[at + 1 :]] for row in (header, *rows)]
    title = (
        f"search: {plural(report.budget, 'evaluation')} a method, seed {report.seed}; ratios to the default, modelled"
    )
    return [title, *table(rows, header, right=range(1, len(header)))]


def bounds(report: TuneReport) -> dict[str, float]:
    """What is exact: of the peak memory so much is live, so no strategy goes below. For one workload alone."""
    if len(report.workloads) != 1:
        return {}
    one = next((each for each in report.workloads[0].distances if each.knob == "footprint"), None)
    if one is None or not one.ratio or one.ratio == float("inf"):
        return {}
    return {"live requests alone (memory bound)": 1 / one.ratio}


GATES = {Verdict.HOLDS: "admitted", Verdict.VIOLATED: "refused", Verdict.EXHAUSTED: "not decided"}


def candidates(report: TuneReport) -> list[str]:
    """The shortlist with what the gates say."""
    if not report.tried:
        return []
    rows = [
        [
            one.name,
            f"{one.objectives.time:.3f}",
            f"{one.objectives.memory:.3f}",
            significant(one.objectives.security),
            GATES[one.proof.verdict],
        ]
        for one in report.tried
    ]
    base = report.baseline
    rows.append(["(baseline)", "1.000", "1.000", significant(base.security), ""])
    found = table(rows, ["candidate", "time", "memory", "security", "gates"], right=range(1, 4))
    title = f"front of {plural(len(report.front), 'candidate')} out of {number(report.evaluations)}; the shortlist"
    return [f"{title}, on whole workloads:", *found, *refusals(report.tried)]


def refusals(tried: Sequence[Tried]) -> list[str]:
    """Of each refused candidate the gate and its counterexample."""
    found = []
    for one in tried:
        if not one.admitted:
            found += [f"{one.name}, {GATES[one.proof.verdict]}:"]
            found += [f"  {line}" for line in one.proof.text().splitlines()]
            found += [f"  kept as a test: {one.kept}"] if one.kept else []
    return found


def reasons(report: TuneReport) -> list[str]:
    """Which knobs matter."""
    if not report.importance:
        return []
    whole = next((one.objectives for one in report.tried if one.name == (report.chosen or one.name)), None)
    rows = [
        [
            one.knob,
            f"{one.before} -> {one.after}",
            f"{one.alone.time:.3f}",
            f"{one.alone.memory:.3f}",
            f"{one.without.time:.3f}",
            f"{one.without.memory:.3f}",
        ]
        for one in report.importance
    ]
    named = f" ({whole.time:.3f} time, {whole.memory:.3f} memory)" if whole else ""
    header = ["knob", "value", "alone: time", "memory", "without: time", "memory"]
    told = [part for one in report.importance for part in wrapped(f"{one.knob} moves {one.why}", "  ")]
    return [f"the knobs that matter{named}:", *table(rows, header, right=range(2, 6)), *told]


def held_out(report: TuneReport) -> list[str]:
    """What a search that did not see a program gains on it."""
    if not report.held_out:
        return []
    rows = [[one.program, percent(one.training), percent(one.held_out), percent(one.gap)] for one in report.held_out]
    header = ["held out", "gain on the others", "gain on it", "gap"]
    return [
        "searched without each program in turn; gain in the mean of modelled time and memory:",
        *table(rows, header, right=range(1, 4)),
    ]


def race(report: TuneReport) -> list[str]:
    """The candidates on the program itself."""
    if report.race is None:
        return []
    return ["the race: which candidate to build", *folded(report.race.text().splitlines()[3:])]


def measured(report: TuneReport) -> list[str]:
    """Before and after."""
    if report.measured is not None:
        return folded(report.measured.text().splitlines())
    if report.replayed is None:
        return []
    rows = [
        [("before", "tuned", "glibc")[place], duration(result.seconds), size(result.peak_bytes)]
        for place, result in enumerate(report.replayed.results)
    ]
    return [
        f"{number(report.replayed.requests)} recorded requests replayed:",
        *table(rows, ["allocator", "time", "peak"], right=[1, 2]),
    ]


def advice(report: TuneReport) -> list[str]:
    """Settings of other allocators."""
    if not report.advice:
        return []
    from m4alloc.tune.advise import text

    return ["settings of other allocators for this program:", *text(report.advice).splitlines()]


def remarks(report: TuneReport) -> list[str]:
    """What is to be known."""
    found = [part for note in report.notes for part in wrapped(note)]
    if report.interrupted:
        found.append(f"interrupted{f'; it goes on with: {report.resume}' if report.resume else ''}")
    if report.files:
        folder = Path(report.files[0]).parent
        found += wrapped(f"written to {folder}/: {', '.join(Path(file).name for file in report.files)}")
    return found


def recommendation(report: TuneReport) -> list[str]:
    """The answer, last, where it is read first."""
    if report.verdict == TUNED:
        found = [*wrapped(f"tuned: {report.why}"), f"strategy: {brief_settings(report.strategy)}"]
        run = shlex.join(report.command) if report.command else "PROGRAM"
        if report.library:
            return [*found, f"use it: LD_PRELOAD={Path(report.library).resolve()} {run}"]
        toml = next((file for file in report.files if file.endswith(".toml")), "strategy.toml")
        return [*found, f"use it: m4alloc run --strategy {toml} -- {run}"]
    if report.verdict == DEFAULT:
        stays = "the default strategy stays" if report.strategy == Strategy() else "the baseline stays"
        return wrapped(f"{stays}: {report.why}")
    if report.verdict == NOTHING:
        return wrapped(report.why)
    return wrapped(f"undecided: {report.why}")


def brief_settings(strategy: Strategy) -> str:
    """The knobs that differ from the default, long lists by their length.

    >>> brief_settings(Strategy(classes=tuple(range(16, 16 * 41, 16)), retain_ms=7))
    'classes (40 values), retain_ms=7'
    """
    words = strategy.to_environment().split(",") if strategy != Strategy() else []
    told = []
    for word in words:
        name, _, value = word.partition("=")
        count = len(re.split(r"[^0-9]+", value))
        told.append(f"{name} ({count} values)" if count > LONGEST else word)
    return ", ".join(told) or "the default"


LONGEST = 4
"""Values of one knob that are shown."""
