"""The report of a tuning as one HTML page: the tables of the terminal, and the pictures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from m4alloc.tune import text
from m4alloc.tune.pictures import Spot, course, panels, pareto
from m4alloc.tune.report import DEFAULT, NOTHING, TUNED, TuneReport
from m4alloc.view.html import Html, Page, Section, Tone, callout, figure, figures, join, listing
from m4alloc.view.quantity import significant
from m4alloc.view.svg import Element

CAPTIONS = {
    "pareto": "One dot a candidate, by the simulator; the line is the front in time and memory. Hollow: less secure "
    "than the baseline. Lower left is better.",
    "course": "Hypervolume of the front against evaluations; 1 is the baseline alone. All methods had the same budget.",
    "exact": "Each policy alone, exactly: now is where the baseline stands, best the optimum.",
}


def pictures(report: TuneReport) -> dict[str, Element]:
    """Every picture that the report has figures for, by the name of its file."""
    found: dict[str, Element] = {}
    if report.seen:
        spots = [Spot("baseline", report.baseline, "ink")]
        spots += [
            Spot(
                one.name, one.objectives, "good" if one.name == report.chosen else "series-1" if one.admitted else "bad"
            )
            for one in report.tried
            if one.objectives.time < float("inf")
        ]
        found["pareto"] = pareto(report.seen, report.front, spots, report.baseline.security)
    curves = {name: [(float(at), volume) for at, volume in points] for name, points in report.course.items() if points}
    if curves:
        found["course"] = course("the course of the search", "hypervolume", curves)
    if report.panels:
        found["exact"] = panels("exact answers", report.panels, columns=2)
    return found


def page(report: TuneReport, drawn: Mapping[str, Element]) -> str:
    """The page as text."""
    tone: Tone = "good" if report.verdict == TUNED else "muted" if report.verdict in (DEFAULT, NOTHING) else "warn"
    verdict = "interrupted" if report.interrupted else report.verdict
    parts = [
        ("Headroom", [text.headroom(report)]),
        ("Workloads", [text.workloads(report)]),
        ("Exact answers", [text.distances(report)]),
        ("Search", [text.methods(report), text.candidates(report)]),
        ("The knobs that matter", [text.reasons(report)]),
        ("Held out", [text.held_out(report)]),
        ("Before and after", [text.measured(report)]),
        ("Other allocators", [text.advice(report)]),
        ("Remarks", [text.remarks(report)]),
    ]
    sections = [Section("Answer", Html(join([callout(text.recommendation(report), tone), headline(report)])))]
    for heading, blocks in parts:
        body: list[str] = [listing("\n".join(block)) for block in blocks if block]
        body += [figure(drawn[name], CAPTIONS[name]) for name in AT.get(heading, ()) if name in drawn]
        sections += [Section(heading, Html(join(body)))] if body else []
    if report.verdict == TUNED:
        sections.append(Section("strategy.toml", listing(report.strategy.to_toml())))
    words = ["m4alloc", "tune", *(["--", *report.command] if report.command else report.sources)]
    return Page(f"Tuning {report.name}", verdict, tone, shlex.join(words), sections).write()


AT = {"Search": ("pareto", "course"), "Exact answers": ("exact",)}
"""Under which heading each picture stands."""


def headline(report: TuneReport) -> Html:
    """The numbers that matter most."""
    chosen = next((one.objectives for one in report.tried if one.name == report.chosen), None)
    entries: list[tuple[str, str, str]] = []
    if report.measured is not None and report.measured.decisions:
        ratios = report.measured.row(report.measured.decisions[0].allocator).to_default
        for axis, words in (("cpu", "CPU time"), ("peak", "peak memory")):
            if axis in ratios:
                entries.append((f"{words}, measured", f"{ratios[axis].median:.2f}", "of the default's"))
    if chosen is not None:
        entries.append(("time, modelled", f"{chosen.time:.3f}", "of the baseline's"))
        entries.append(("memory, modelled", f"{chosen.memory:.3f}", "of the baseline's"))
        entries.append(("security", significant(chosen.security), f"points; baseline {report.baseline.security:.1f}"))
    return figures(entries) if entries else Html("")
