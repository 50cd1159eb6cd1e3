"""The report of `superopt` as one HTML page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path

from m4alloc.superopt import text
from m4alloc.superopt.problem import Step
from m4alloc.superopt.report import Piece, RewriteReport, Rewritten
from m4alloc.superopt.verdict import Verdict
from m4alloc.view.html import (
    Html,
    Page,
    Section,
    Tone,
    callout,
    code,
    details,
    figures,
    join,
    listing,
    markup,
    paragraph,
    table,
)
from m4alloc.view.quantity import duration, number, plural

GONE = "background:color-mix(in srgb, var(--bad) 14%, transparent)"
NEW = "background:color-mix(in srgb, var(--good) 16%, transparent)"
LINE = "white-space:pre-wrap;border-bottom:none;padding:1px 14px 1px 8px"


def page(report: RewriteReport) -> str:
    """The page as text: an overview, then a section for each function, what was made cheaper first."""
    improved = report.improved
    tone: Tone = "warn" if report.interrupted else "good" if improved else "muted"
    reserves = text.summary(report).partition(" made cheaper")[2]
    verdict = f"{len(improved)} of {report.wanted} made cheaper{reserves}"
    if report.interrupted:
        verdict = f"interrupted: {verdict}"
    ordered = sorted(report.functions, key=lambda one: not one.is_improved)
    sections = [Section("Overview", _overview(report, ordered))] if report.wanted > 1 else []
    sections += [Section(f"@{one.before.name}", _function(one, report)) for one in ordered]
    if report.skipped:
        rows = [(code(f"@{name}"), why) for name, why in report.skipped.items()]
        sections.append(Section("Skipped", table(("function", "why"), rows)))
    footer = (
        f"target {report.target}, objective {report.objective}, {report.budget:g} s for each function by "
        f"{', '.join(report.methods)}, seed {report.seed}; {duration(report.seconds)} in all"
    )
    words = ["m4alloc", "superopt", report.where]
    return Page(
        f"Superoptimising {Path(report.where).name}", verdict, tone, shlex.join(words), sections, footer
    ).write()


def _overview(report: RewriteReport, ordered: Sequence[Rewritten]) -> Html:
    rows = [
        (
            code(f"@{one.before.name}"),
            _arrow(one.cost_before.ir, one.cost_after.ir),
            _arrow(one.cost_before.instructions, one.cost_after.instructions),
            _words(one) if one.is_improved else one.note or text.nothing(one),
        )
        for one in ordered
    ]
    return table(("function", "IR", report.target, "finding"), rows, right=(1, 2), whole=(0,))


def _arrow(before: int, after: int) -> str:
    if before < 0:
        return ""
    return number(before) if before == after else f"{number(before)} \N{RIGHTWARDS ARROW} {number(after)}"


def _words(one: Rewritten) -> str:
    methods = ", ".join(dict.fromkeys(piece.result.best.method for piece in one.pieces if piece.put_back))
    proved = f"proved {'as a whole' if one.proof == 'whole' else 'piece by piece'}, found by {methods}"
    return "; ".join([*text.remarks(one), proved])


def _function(one: Rewritten, report: RewriteReport) -> Html:
    if one.note:
        return join([callout([f"Not searched: {one.note}."], "muted"), listing("\n".join(text.body(one.before)))])
    if not one.is_improved:
        parts = [callout([f"{text.nothing(one).capitalize()}."], "muted"), _headline(one, report)]
        parts += [listing("\n".join(text.body(one.before))), _whys(one)]
        return join(parts)
    parts = [_headline(one, report), beside(text.body(one.before), text.body(one.after), ("before", "after"))]
    parts.append(_proof(one))
    improved = [piece for piece in one.pieces if piece.result.is_improved]
    parts += [_piece(piece, piece.result.best.verdict != one.verdict) for piece in improved]
    if one.assembly[0]:
        both = (text.instructions(one.assembly[0]), text.instructions(one.assembly[1]))
        parts.append(details(f"Assembly for {report.target}", beside(*both, ("before", "after"))))
    parts.append(details("Why nothing better was found", _whys(one)))
    return join(parts)


def _headline(one: Rewritten, report: RewriteReport) -> Html:
    """The few numbers that matter."""
    entries = [("IR instructions", _arrow(one.cost_before.ir, one.cost_after.ir), "returns not counted")]
    if one.cost_before.instructions >= 0:
        machine = _arrow(one.cost_before.instructions, one.cost_after.instructions)
        entries.append((f"{report.target} instructions", machine, "of the emitted assembly"))
    if one.cost_before.latency:
        cycles = f"{one.cost_before.latency:g} \N{RIGHTWARDS ARROW} {one.cost_after.latency:g}"
        entries.append(("latency", cycles, "cycles, modelled"))
    if one.is_improved and one.cost_llvm is not None:
        entries.append(
            ("LLVM -O3", number(one.cost_llvm.ir), f"IR instructions of what it makes of the source; {_gain(one)}")
        )
    if one.estimated is not None and one.estimated.before is not None and one.estimated.after is not None:
        first, second = one.estimated.before, one.estimated.after
        cycles = f"{first.cycles:g} \N{RIGHTWARDS ARROW} {second.cycles:g}"
        entries.append(("llvm-mca", cycles, f"cycles for each run, in a row of 100 on {first.core}"))
    measurement = one.measured
    for name, timing in () if measurement is None else (
        ("latency, measured", measurement.latency), ("throughput, measured", measurement.throughput),
    ):  # fmt: skip
        if timing is not None:
            times = f"{timing.before:.2f} \N{RIGHTWARDS ARROW} {timing.after:.2f} ns"
            told = f"{timing.ratio:.2f} of the time, {timing.low:.2f} to {timing.high:.2f} with 95 %"
            entries.append((name, times, told if timing.is_significant else f"no significant difference; {told}"))
    found = [figures(entries)]
    if one.is_slower:
        found.append(
            callout([f"{text.NOT_RECOMMENDED.capitalize()}. By the model it is cheaper, but {text.SLOWER}."], "warn")
        )
    if measurement is not None and measurement.reason:
        found.append(paragraph(f"Not measured: {measurement.reason}."))
    return join(found)


def _gain(one: Rewritten) -> str:
    return "what was found is cheaper" if one.beats_llvm else "what was found is no cheaper"


def _proof(one: Rewritten) -> Html:
    if one.proof == "whole":
        return _verdict(one.verdict, f"Proved as a whole by {one.verdict.method}")
    assumed = [paragraph(join(["Assuming ", code(fact.text), f" ({fact.origin})"], "")) for fact in one.assumptions]
    return callout([f"Proved piece by piece: {one.verdict.reason}.", *assumed])


def _verdict(verdict: Verdict, head: str) -> Html:
    pieces: list[str] = [f"{head} in {duration(verdict.seconds)}."]
    pieces += [join(["Assuming ", code(fact.text), f" ({fact.origin})"], "") for fact in verdict.assumptions]
    pieces += [f"Shown: {claim}." for claim in verdict.obligations]
    return callout(pieces, "" if verdict.accepted else "warn")


def _piece(piece: Piece, named: bool) -> Html:
    best = piece.result.best
    told = f"Found by {best.method} after {duration(best.found_after)} of {duration(piece.result.seconds)}"
    parts: list[str] = []
    if named:
        state = "" if piece.put_back else f" (not put back: {piece.refused})"
        parts.append(Html(f"<h3>{markup(piece.name + state)}</h3>"))
        source = piece.result.problem.source
        parts.append(beside(text.body(source), text.body(best.function), ("piece before", "after")))
        parts.append(_verdict(best.verdict, f"Proved by {best.verdict.method}"))
    parts.append(paragraph(f"{told}, in {plural(len(piece.steps), 'step')}." if piece.steps else f"{told}."))
    before = piece.result.problem.source
    for count, step in enumerate(piece.steps, 1):
        parts.append(_step(count, step, text.body(before)))
        before = step.result
    return join(parts)


def _step(count: int, step: Step, before: Sequence[str]) -> Html:
    verdict = "not checked alone" if step.proof is None else text.WORD[step.proof.outcome].lower()
    listed = beside(before, text.body(step.result), ("before this step", "after it"))
    why = [] if step.proof is None or not step.proof.reason else [paragraph(step.proof.reason)]
    return details(f"Step {count}: {step.rule} at {step.at}, {verdict}", join([listed, *why]))


def _whys(one: Rewritten) -> Html:
    rows = [(code(piece.name), reason) for piece in one.pieces for reason in piece.reasons]
    return table(("searched", "what it came to"), rows)


def beside(before: Sequence[str], after: Sequence[str], heads: tuple[str, str]) -> Html:
    """Two listings side by side: equal lines level with each other, what goes and what comes coloured."""
    body = "".join(
        f"<tr>{_cell(ours, GONE if differ else '')}{_cell(theirs, NEW if differ else '')}</tr>"
        for ours, theirs, differ in _rows(before, after)
    )
    head = "".join(f'<th style="padding-left:8px">{markup(one)}</th>' for one in heads)
    inside = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return Html(f'<div class="scroll"><table style="table-layout:fixed">{inside}</table></div>')


def _rows(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str | None, str | None, bool]]:
    for kind, low, high, start, stop in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for ours, theirs in zip_longest(before[low:high], after[start:stop]):
            yield ours, theirs, kind != "equal"


def _cell(line: str | None, colour: str) -> str:
    style = f"{LINE};{colour}" if colour and line is not None else LINE
    return f'<td style="{style}"><code>{markup(line or "")}</code></td>'
