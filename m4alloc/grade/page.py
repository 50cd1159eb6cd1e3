"""A grade as one HTML page: the total, the table, where the points went, and each trace's heap or fault."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from m4alloc.grade.report import GradeReport, TraceGrade
from m4alloc.grade.text import ADVICE, CAUSES, HEADER, faults, formula, lines, looked_at, row, worst
from m4alloc.trace.whole import write_whole
from m4alloc.view.html import Html, Page, Section, Tone, callout, figures, join, listing, paragraph, table, track
from m4alloc.view.quantity import percent, ratio


def write(report: GradeReport, path: str | os.PathLike[str], pictures: Mapping[str, Html]) -> None:
    """Write the page, whole or not at all. pictures: the map of the heap of each trace. Raises OSError."""
    target = Path(path)
    write_whole(target, page(report, target.parent, pictures))


def page(report: GradeReport, beside: Path, pictures: Mapping[str, Html]) -> str:
    """The page as text. beside: the folder that its links start from."""
    sections = [
        Section(
            "Total", Html(join([headline(report), paragraph(f"The total is the {formula(report)}."), costs(report)]))
        ),
        Section("Before the traces", listing("\n".join(looked_at(report.checked)))),
        Section("Traces", Html(join([rows_of(report, beside), paragraph(EXPLANATION)]))),
    ]
    if report.wrong or report.fault is not None:
        sections.append(Section("What went wrong", join([wrong(told) for told in faults(report)])))
    if pictures:
        shown = [part for name, picture in pictures.items() for part in (heading(name), picture)]
        sections.append(Section("Heaps", Html(join([paragraph(READING), *shown]))))
    sections.append(Section("As text", listing("\n".join(lines(report)))))
    tone: Tone = "bad" if report.wrong or report.fault is not None else "good"
    command = f"m4alloc grade {report.allocator}"
    return Page(f"Grade of {report.allocator}", report.verdict.value, tone, command, sections).write()


EXPLANATION = (
    "Peak live: the most bytes that the trace had asked for and not freed. Footprint: the pages that the heap took for "
    "them, at the most. Utilisation is the one by the other; internal and external fragmentation are the rest of the "
    "footprint. Speed 1 is that of the reference."
)


READING = (
    "Addresses upwards, time to the right; the colour is the size of the blocks, and the stronger it is, the fuller "
    "the addresses were. Pale regions that stay above full ones are what external fragmentation looks like."
)


def heading(name: str) -> Html:
    """The name of a trace above its picture."""
    return Html(f"<h3>{join([name])}</h3>")


def wrong(told: Sequence[str]) -> Html:
    """A fault: what was seen as a sentence, which may be long, then the rest as it is."""
    return join([paragraph(told[0]), *([listing("\n".join(told[1:]))] if told[1:] else [])])


def headline(report: GradeReport) -> Html:
    """The few numbers that matter."""
    measured = [trace.measured for trace in report.traces if trace.measured is not None]
    count = len(measured)
    entries = [
        (
            "points",
            f"{report.total:.1f}",
            "of 100" if report.fault is None or not report.traces else f"of 100; traces: {report.measured:.1f}",
        ),
        ("right", f"{len(report.traces) - len(report.wrong)}", f"of {len(report.traces)} traces"),
    ]
    if count:
        entries.append(("utilisation", percent(sum(one.utilisation for one in measured) / count), "mean"))
        middle = sorted(one.speed for one in measured)[count // 2]
        entries.append(("speed", ratio(middle), f"median, against {report.reference}"))
    return figures(entries)


def costs(report: GradeReport) -> Html:
    """A row for each cause that cost points."""
    rows = [
        [f"{points:.1f}", track(points / 100), CAUSES[cause], worst(report, cause), ADVICE.get(cause, "")]
        for cause, points in report.lost.items()
        if points >= 0.05
    ]
    if not rows:
        return callout(["Nothing cost a point."], "good")
    return table(["points lost", "", "to", "where", "what helps"], rows, right=[0])


def rows_of(report: GradeReport, beside: Path) -> Html:
    """The table of traces, with a link to the page on which a heap can be explored, where there are such pages."""
    explored = any(trace.page for trace in report.traces)
    header = [*HEADER, "", *(["heap"] if explored else [])]
    rows = [
        [*row(trace), track(trace.points / 100), *([link(trace, beside)] if explored else [])]
        for trace in report.traces
    ]
    return table(header, rows, right=[1, *range(3, len(HEADER))])


def link(trace: TraceGrade, beside: Path) -> Html:
    """Where the heap of a trace can be explored."""
    if not trace.page:
        return Html("")
    address = quote(Path(os.path.relpath(trace.page, beside)).as_posix())
    return Html(join([Html(f'<a href="{join([address])}">'), "explore", Html("</a>")], ""))
