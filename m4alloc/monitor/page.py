"""The report of `monitor` as one HTML page: each finding as a story, then an answer for each property."""

from __future__ import annotations

import shlex

from m4alloc import __version__
from m4alloc.monitor.page_automaton import automaton
from m4alloc.monitor.page_pictures import distance, strip, timeline
from m4alloc.monitor.report import HOLDS, UNSEEN, VIOLATED, Finding, MonitorReport, PropertyAnswer, Stack
from m4alloc.monitor.story import story
from m4alloc.monitor.target import LIBRARY
from m4alloc.monitor.text import answer_of, cut_short, in_order, sentence_of, window
from m4alloc.view import html
from m4alloc.view.html import Html, Section
from m4alloc.view.quantity import duration, number, plural, size

TOLD = 20
"""Findings that are told in full; the rest are in a table."""

TONES: dict[str, html.Tone] = {HOLDS: "good", VIOLATED: "bad"}
_STACKS = (("here", "here"), ("malloc", "allocated"), ("free", "freed"))


def page(report: MonitorReport) -> str:
    """The whole page."""
    sections = [Section("Summary", _summary(report))]
    for place, finding in enumerate(report.findings[:TOLD], 1):
        heading = f"{place}. {finding.title}" if len(report.findings) > 1 else finding.title
        sections.append(Section(heading, _finding(report, finding)))
    if len(report.findings) > TOLD:
        sections.append(Section("Further findings", _further(report.findings[TOLD:])))
    sections.append(Section("Properties", _properties(report)))
    name = report.program[0].rpartition("/")[2] if report.program else "a program"
    return html.Page(
        title=f"{name}, watched",
        verdict=cut_short(report) or report.verdict,
        tone="warn" if cut_short(report) else TONES.get(report.verdict, "warn"),
        command=shlex.join(report.program),
        sections=sections,
        footer=f"Written by m4alloc {__version__}: the program was held to {len(report.properties)} properties "
        "while it ran.",
    ).write()


def _summary(report: MonitorReport) -> Html:
    counts = ", ".join(f"{count} {title}" for title, count in report.counts.items())
    judged = [one for one in report.properties if one.answer != UNSEEN]
    entries = [
        ("findings", number(len(report.failures)), counts or "none"),
        ("properties judged", f"{len(judged)} of {len(report.properties)}", "the others were not observed"),
        ("loads and stores", "seen" if report.rebuilt else "not seen", "built by m4alloc cc" if report.rebuilt else ""),
        ("time", duration(report.seconds), f"exit status {report.status}"),
    ]
    pieces = [html.figures(entries)]
    if report.window and report.rebuilt:
        pieces.append(html.paragraph(f"Window: {window(report.window)}, for it counts as done with the new block."))
    if report.notes:
        pieces.append(html.callout([f"{note[0].upper()}{note[1:]}." for note in report.notes], "warn"))
    return html.join(pieces)


def _finding(report: MonitorReport, finding: Finding) -> Html:
    known = story(finding)
    tone: html.Tone = "bad" if report.counts_as_failure(finding) else "warn"
    pieces = [html.callout([_sentence(finding)], tone)]
    if len(known.moments) > 1:
        more = f" {plural(known.left_out, 'moment')} in the middle are left out." if known.left_out else ""
        caption = f"What happened to the block, from left to right: thick while it lives, dashed when it is dead.{more}"
        pieces.append(html.figure(timeline(known), caption))
    drawn = strip(finding, known.neighbours)
    if drawn is not None:
        caption = (
            "The bytes around the address. The block is what was requested; what is behind it, up to the next block, "
            "is nobody's."
        )
        pieces.append(html.figure(drawn, caption))
    pieces.append(_stacks(finding))
    pieces.append(_order(report, finding, [moment.letter for moment in known.moments]))
    if finding.trace:
        pieces.append(
            html.paragraph(html.join(["The time before is kept, and is judged again by ", _replay(finding)], ""))
        )
    return html.join(pieces)


def _sentence(finding: Finding) -> str:
    access, block = finding.access, finding.block
    who = f"Process {finding.pid}, thread {finding.thread}, event {number(finding.event)}"
    if access is None:
        owed = f"{plural(finding.blocks, 'block')} of {size(finding.bytes)}" if finding.blocks else "something"
        verb = "were" if finding.blocks > 1 else "was"
        reached = "; something still points there" if finding.reachable else ""
        return f"{who}: at the end of the program {owed} {verb} owed{reached}."
    what = f"{access.how} of {plural(access.size, 'byte')}" if access.size else access.how
    by = f" by {access.function}" if access.function else ""
    where = f" at {access.address:#x}" if access.address else ""
    lies = distance(finding) if access.size or (block is not None and block.offset) else ""
    about = ""
    if block is not None:
        about = f" The block has {plural(block.size, 'byte')} and {'was freed' if block.died else 'lives'}."
        if finding.blocks > 1:
            about += f" It is the first of {plural(finding.blocks, 'block')} of {size(finding.bytes)} that fail here."
    return f"{who}: {what}{by}{where}{', ' if lies else ''}{lies}.{about}"


def _stacks(finding: Finding) -> Html:
    parts = [
        html.details(f"Where it was {name}" if key != "here" else "Where it happened", _frames(finding.stacks[key]))
        for key, name in _STACKS
        if finding.stacks.get(key)
    ]
    opened = [
        part.replace("<details>", "<details open>", 1) if place == 0 else part for place, part in enumerate(parts)
    ]
    return html.join([Html(part) for part in opened])


def _frames(stack: Stack) -> Html:
    rows = [
        [
            str(place),
            html.code(frame.function or hex(frame.address)),
            html.code(f"{frame.file}:{frame.line}") if frame.line else html.markup(frame.module),
        ]
        for place, frame in enumerate(frame for frame in stack if not frame.module.endswith(LIBRARY))
    ]
    return html.table(["", "function", "where"], rows, right=[0])


def _order(report: MonitorReport, finding: Finding, letters: list[frozenset[str]]) -> Html:
    """The property, and where its monitor was."""
    answer = next((one for one in report.properties if one.name == finding.name), None)
    sentence = f"{answer.sentence} " if answer is not None and answer.sentence else ""
    formula = html.code(finding.formula)
    named = "" if ":" in finding.name else Html(f"{html.code(finding.name)} is ")
    pieces = [html.paragraph(html.join([sentence, named, formula], ""))]
    drawn = automaton(finding.name, letters, not finding.at_exit)
    if drawn is not None:
        caption = (
            "The monitor of the property: a letter leads from state to state; blue is the way that the block went, red "
            "the step that broke it."
        )
        pieces.append(html.figure(drawn, caption))
    return html.join(pieces)


def _replay(finding: Finding) -> Html:
    asked = f" --property {shlex.quote(finding.name)}" if finding.class_ in ("property", "out-of-bounds") else ""
    return html.code(f"m4alloc verify{asked} --trace {shlex.quote(finding.trace)}")


def _further(findings: tuple[Finding, ...]) -> Html:
    rows = [[one.title, _sentence(one), str(one.stacks.get("here", ("",))[0])] for one in findings]
    return html.table(["class", "what", "where"], rows, whole=[0])


def _properties(report: MonitorReport) -> Html:
    rows = [_row(one) for one in in_order(report.properties)]
    return html.table(["property", "what must hold", "", "formula"], rows, whole=[0])


def _row(one: PropertyAnswer) -> list[str]:
    tone = {HOLDS: "good", VIOLATED: "bad", UNSEEN: "muted"}.get(one.answer, "warn")
    told = answer_of(one) + (f": no {', '.join(one.missing)}" if one.missing else "")
    name = html.code(one.name) if ":" not in one.name else Html("a formula")
    formula = html.join([f"{one.index}: ", html.code(one.formula)], "")
    return [name, sentence_of(one), Html(f'<span class="{tone}">{html.markup(told)}</span>'), formula]
