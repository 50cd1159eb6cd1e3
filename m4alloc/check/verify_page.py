"""The report of `verify` as one HTML page."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from m4alloc import __version__
from m4alloc.check import verify_text as words
from m4alloc.check.heap_life import HeapLife
from m4alloc.check.verify_page_properties import properties
from m4alloc.check.verify_report import Found, Image, Verdict, VerifyReport
from m4alloc.view import chart, heap_map, html, ticks
from m4alloc.view.html import Html, Section
from m4alloc.view.quantity import binary_size, brief, duration, number, percent, plural, ratio, size

_TOLD = 3
"""Findings of one rule or kind that are told."""

_PICTURED = 3
"""Process images whose heaps are drawn; the rest are in the table."""

TONES: dict[Verdict, html.Tone] = {Verdict.HOLDS: "good", Verdict.VIOLATED: "bad", Verdict.UNDECIDED: "warn"}


def page(report: VerifyReport) -> str:
    """The whole page."""
    sections = [Section("Summary", _summary(report))]
    if report.violations or report.misuses:
        sections.append(Section("Findings", _findings(report)))
    pictured = sorted(report.images, key=lambda image: -image.requests)[:_PICTURED]
    pictured = [image for image in pictured if image.life.peak.blocks]
    for place, image in enumerate(pictured):
        heading = "The heap's life" if place == 0 else f"The heap of process {image.pid}"
        sections.append(Section(heading, _life(image, len(report.images) > 1)))
    if pictured:
        sections.append(Section("Sizes and lifetimes", _sizes(pictured[0].life)))
    if report.comparison is not None:
        sections.append(Section("Against the other allocator", _against(report)))
    if report.properties:
        again = _again(report) if report.failed_properties and not report.violations else Html("")
        sections.append(Section("Order in time", html.join([properties(report.properties), again])))
    if report.rules:
        sections.append(Section("Rules", _rules(report)))
    if report.images:
        sections.append(Section("Processes", _processes(report)))
    name = report.command[0].rpartition("/")[2] if report.command else "a recorded program"
    return html.Page(
        title=f"{name} on {report.allocator}",
        verdict=report.verdict.value,
        tone=TONES[report.verdict],
        command=shlex.join(report.command),
        sections=sections,
        footer=f"Written by m4alloc {__version__}: every reply of the allocator checked against {report.standard}.",
    ).write()


def _summary(report: VerifyReport) -> Html:
    entries = [
        ("requests", number(report.requests), _from(report)),
        ("refused replies", number(report.refused), f"{number(report.admitted)} admitted"),
        (
            "rules observed",
            f"{sum(1 for rule in report.rules if rule.observed)} of {len(report.rules)}",
            report.standard,
        ),
    ]
    misuses = sum(report.misuse_counts.values())
    kinds = ", ".join(kind for kind, count in sorted(report.misuse_counts.items()) if count)
    entries.append(("misuse by the program", number(misuses), kinds or "none"))
    if report.main is not None and report.main.life.peak.blocks:
        peak = report.main.life.peak
        entries += [
            ("peak live", size(peak.live), f"in {plural(peak.blocks, 'block')}"),
            (
                "footprint at the peak",
                size(peak.footprint),
                f"internal {percent(peak.internal)}, external {percent(peak.external)}",
            ),
        ]
    if report.comparison is not None:
        comparison = report.comparison
        entries.append(
            (
                "program time",
                ratio(comparison.time_ratio),
                f"{duration(comparison.ours.seconds)} against {duration(comparison.other.seconds)}",
            )
        )
        memory = "-" if comparison.peak_ratio is None else ratio(comparison.peak_ratio)
        entries.append(
            ("peak memory", memory, f"{size(comparison.ours.peak_bytes)} against {size(comparison.other.peak_bytes)}")
        )
    pieces = [html.paragraph(_sentence(report)), html.figures(entries)]
    if report.status:
        pieces.append(html.callout([f"The program itself failed: {words.ended(report.status)}."], "warn"))
    if report.notes:
        pieces.append(html.callout([note + "." for note in report.notes], "warn"))
    if report.comparison is not None and report.comparison.output == "differs":
        pieces.append(html.callout(["The program's output or exit status differs between the two allocators."], "warn"))
    return html.join(pieces)


def _sentence(report: VerifyReport) -> str:
    """The verdict as a sentence."""
    observed = sum(1 for rule in report.rules if rule.observed)
    silent = len(report.rules) - observed
    unseen = f"; for {plural(silent, 'more rule')} the run held no evidence" if silent else ""
    if not observed:
        told = "Nothing could be decided."
    elif report.refused:
        told = f"The allocator gave {plural(report.refused, 'reply', 'replies')} that no allocator may give."
    else:
        judged = "Every reply" if report.checked == report.requests else "Every reply that was judged"
        told = f"{judged} was admitted: the {plural(observed, 'rule')} observed hold{unseen}."
    if report.failed_properties:
        broken = len(report.failed_properties)
        told += f" {plural(broken, 'property', 'properties')} of order in time that had to hold did not."
    return f"{told} {words.verdict(report)}." if words.verdict(report) != report.verdict else told


def _from(report: VerifyReport) -> str:
    return f"{plural(report.processes, 'process', 'processes')}, {plural(report.threads, 'thread')}"


def _findings(report: VerifyReport) -> Html:
    pieces = []
    if report.violations:
        pieces.append(Html("<h3>Replies that no allocator may give</h3>"))
        told = _first_of_each(report.violations)
        pieces += [_finding(report, found, "bad") for found in told]
        pieces.append(html.paragraph(_more(len(told), report.refused)))
        pieces.append(_again(report))
    if report.misuses:
        total = sum(report.misuse_counts.values())
        pieces.append(Html("<h3>What the program did wrong</h3>"))
        told = _first_of_each(report.misuses)
        pieces += [_finding(report, found, "warn") for found in told]
        pieces.append(html.paragraph(_more(len(told), total)))
    return html.join(piece for piece in pieces if piece != "<p></p>")


def _again(report: VerifyReport) -> Html:
    """How to judge the recording again."""
    if not report.trace:
        return Html("")
    held = " and ".join(name for name in (report.trace, report.script) if name)
    again = [html.paragraph("Check it again:"), html.listing(words.replay(report)), html.paragraph(f"Held in {held}.")]
    return html.join(again)


def _first_of_each(findings: Sequence[Found]) -> list[Found]:
    """The first findings of each rule or kind: more of the same would tell nothing new."""
    seen: Counter[str] = Counter()
    told = []
    for found in findings:
        seen[found.name] += 1
        if seen[found.name] <= _TOLD:
            told.append(found)
    return told


def _finding(report: VerifyReport, found: Found, tone: html.Tone) -> Html:
    told = [Html(f"<strong>{html.markup(found.name)}</strong>"), found.message]
    if len(report.images) > 1:
        told.append(f"in process {report.images[found.image].pid}")
    return html.callout(told, tone)


def _more(shown: int, total: int) -> str:
    return f"And {number(total - shown)} more." if total > shown else ""


def _count(value: float) -> str:
    return number(round(value))


def _bytes(value: float) -> str:
    return brief(size(value))


def _life(image: Image, several: bool) -> Html:
    life = image.life
    curve = life.curve
    end = max(life.requests, 1)
    xs = [moment.request for moment in curve]
    time = chart.Axis("request", 0, end, _count)
    top = ticks.ceiling(max(moment.footprint for moment in curve))
    pieces = []
    if several:
        pieces.append(html.paragraph(f"Process {image.pid}: {shlex.join(image.command)}"))
    pieces.append(
        html.curves(
            "Live bytes, usable bytes and footprint over the run",
            xs,
            [
                chart.Series("footprint", "series-3", [moment.footprint for moment in curve]),
                chart.Series("usable", "series-2", [moment.usable for moment in curve]),
                chart.Series("live", "series-1", [moment.live for moment in curve]),
            ],
            time,
            chart.Axis("bytes", 0, top, _bytes),
            marks=[chart.Mark(life.peak.request, f"peak {size(life.peak.live)}")],
            caption="Live: what the program asked for and has not freed. Usable: what it was given. Footprint: whole "
            "pages of 4 KiB that hold a live block. The band between live and usable is internal fragmentation, the "
            "band between usable and footprint external.",
        )
    )
    worst = max(max(moment.internal, moment.external) for moment in curve)
    pieces.append(
        html.curves(
            "Fragmentation over the run",
            xs,
            [
                chart.Series("internal", "series-1", [moment.internal for moment in curve], "line"),
                chart.Series("external", "series-3", [moment.external for moment in curve], "line"),
            ],
            time,
            chart.Axis("per cent", 0, min(1.0, ticks.ceiling(worst)), lambda part: brief(f"{100 * part:.1f} %")),
            height=220,
            caption="Internal: the part of the usable bytes that nobody asked for. External: the part of the "
            "footprint that no live block holds.",
        )
    )
    pieces.append(_map(image, end))
    return html.join(pieces)


def _map(image: Image, end: int) -> Html:
    explained = "Addresses upwards, time to the right; the colour is the size of the blocks. "
    if image.blocks is not None:
        picture = heap_map.blocks(image.blocks, 0, end, "request", _count)
        return html.figure(picture, explained + "Every block is one rectangle, from its malloc to its free.")
    if image.raster is not None:
        picture = heap_map.cells(image.raster, "request", _count)
        row = binary_size(image.raster.axis.row_length)
        return html.figure(
            picture,
            explained
            + f"A row is {row} of addresses; the stronger the colour, the fuller they were."
            + (" Dotted lines stand for addresses never used." if image.raster.axis.gaps() else ""),
        )
    return Html("")


def _sizes(life: HeapLife) -> Html:
    total = max(1, life.allocated)
    most = max((one.blocks for one in life.sizes), default=1)
    by_size = [
        chart.Bar(
            binary_size(one.size),
            one.blocks,
            f"{plural(one.blocks, 'block')}, {size(one.requested)} in all, {percent(one.blocks / total)}",
        )
        for one in life.sizes
    ]
    longest = max((blocks for _, blocks in life.lifetimes), default=1)
    by_age = [
        chart.Bar(_short(bound), blocks, f"{plural(blocks, 'block')}, {percent(blocks / total)}", "series-4")
        for bound, blocks in life.lifetimes
    ]
    kept = life.allocated - sum(blocks for _, blocks in life.lifetimes)
    top = life.classes[:12]
    rows = [
        [
            f"{number(one.size)} B",
            number(one.blocks),
            percent(one.blocks / total),
            html.track(one.blocks / total),
            size(one.requested),
            percent(1 - one.requested / (one.size * one.blocks)),
        ]
        for one in top
    ]
    return html.join(
        [
            html.figure(
                chart.bars(
                    "Blocks by size requested",
                    by_size,
                    "size requested, at most",
                    chart.Axis("blocks handed out, by size requested", 0, ticks.ceiling(most, 5), _count),
                )
            ),
            html.table(
                ["usable size", "blocks", "share", "", "requested in all", "unused inside"], rows, right=[0, 1, 2, 4, 5]
            ),
            html.paragraph(_others(life, len(top))),
            html.figure(
                chart.bars(
                    "Blocks by lifetime",
                    by_age,
                    "requests between malloc and free, at most",
                    chart.Axis("blocks freed, by lifetime", 0, ticks.ceiling(longest, 5), _count),
                ),
                f"{plural(kept, 'block')} of {number(life.allocated)} lived to the end of the record.",
            ),
        ]
    )


def _others(life: HeapLife, shown: int) -> str:
    rest = life.classes[shown:]
    if not rest:
        return f"{plural(life.allocated, 'block')} in {plural(len(life.classes), 'size class', 'size classes')}."
    return f"And {plural(sum(one.blocks for one in rest), 'block')} in {number(len(rest))} other sizes."


def _short(bound: int) -> str:
    for limit, unit in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "k")):
        if bound >= limit:
            return f"{bound // limit}{unit}"
    return str(bound)


def _against(report: VerifyReport) -> Html:
    comparison = report.comparison
    if comparison is None:
        return Html("")
    ours, other = comparison.ours, comparison.other
    rows: list[Sequence[str]] = [
        [
            "program time, median",
            duration(ours.seconds),
            duration(other.seconds),
            ratio(comparison.time_ratio),
        ],
    ]
    if report.replay is not None:
        replay = report.replay
        rows.append(
            ["replay of the requests alone", duration(replay.ours), duration(replay.other), ratio(replay.ratio)]
        )
    rows.append(["peak memory, median", size(ours.peak_bytes), size(other.peak_bytes), words.peak_ratio(comparison)])
    rows.append(["output and exit status", "", "", words.output(comparison, any(report.misuse_counts.values()))])
    runs = len(ours.runs)
    how = (
        f"The program ran {plural(runs, 'time')} on each allocator, unrecorded, in pairs of random order (seed "
        f"{report.seed}); program times run from {duration(min(run.seconds for run in ours.runs))} to "
        f"{duration(max(run.seconds for run in ours.runs))} on {ours.allocator} and from "
        f"{duration(min(run.seconds for run in other.runs))} to {duration(max(run.seconds for run in other.runs))} on "
        f"{other.allocator}. Below 1.00, {ours.allocator} is faster or smaller."
    )
    table = html.table(["", ours.allocator, other.allocator, "ratio"], rows, right=[1, 2, 3])
    return html.join([table, html.paragraph(how)])


def _rules(report: VerifyReport) -> Html:
    ranked = sorted(report.rules, key=lambda rule: (not rule.refused, not rule.observed))
    rows = []
    for rule in ranked:
        if rule.refused:
            state = Html(f'<span class="bad">{number(rule.refused)} refused</span>')
        elif rule.observed:
            state = Html('<span class="good">holds</span>')
        else:
            state = Html('<span class="muted">not observed</span>')
        rows.append([html.code(rule.name), rule.sentence, rule.source, number(rule.observed), state])
    explained = (
        "Observed counts the replies that were evidence for or against a rule. A rule without evidence is not "
        "observed, and nothing is claimed about it."
    )
    table = html.table(["rule", "what must hold", "source", "observed", ""], rows, right=[3], whole=[0, 4])
    return html.join([html.paragraph(explained), table])


def _processes(report: VerifyReport) -> Html:
    rows = []
    for image in report.images:
        parent = "" if image.parent is None else f"fork of {report.images[image.parent].pid}"
        command = shlex.join(image.command)
        rows.append(
            [
                number(image.pid) if image.image == 0 else f"{number(image.pid)} (exec {image.image})",
                html.code(command if len(command) <= 90 else command[:89] + "…"),
                parent,
                number(image.threads),
                number(image.requests),
                size(image.life.peak.live),
                f"{number(image.survivors.blocks)} ({size(image.survivors.bytes)})" if image.survivors.blocks else "",
                image.ended,
            ]
        )
    table = html.table(
        ["process", "command", "from", "threads", "requests", "peak live", "alive at exit", "ended by"],
        rows,
        right=[3, 4, 5, 6],
    )
    if len(rows) > 12:
        return html.details(f"{plural(len(rows), 'process image')}", table)
    return table
