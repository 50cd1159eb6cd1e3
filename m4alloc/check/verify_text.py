"""The report of `verify` as the lines that a terminal shows."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from m4alloc.check.compare import Comparison, Output
from m4alloc.check.verify_report import Found, Image, PropertyFound, Verdict, VerifyReport
from m4alloc.view import text
from m4alloc.view.quantity import duration, number, percent, plural, ratio, size
from spec.properties import PROPERTIES
from spec.property import KNOWN, Index
from spec.property_verdict import Answer

UNSEEN = Answer.NOT_OBSERVED.value
_UNSEEN = {
    "access": "no access was recorded",
    "early": "the allocator promises no quarantine",
    "dirty": "no calloc was looked into",
    "stale_tag": "no tag of memory was recorded",
    "outside": "no access was recorded",
    "uninitialised": "nobody knew what memory had been written",
}
"""What there is to say where there was no evidence of a proposition."""
_ABORTED = 128 + signal.SIGABRT
COUNTED = ": the program's misuse, which theirs aborts at, is only counted on ours while it is verified"
"""Why the exit statuses differ where one allocator goes on after a misuse and the other does not."""
LABEL = 13
WIDTH = 100
"""Columns for the answers of properties, unless one alone needs more."""
SHOWN = 5
"""Findings of a kind that are told; the rest are counted."""


def lines(report: VerifyReport) -> list[str]:
    """The report in plain text, one fact a line; a violation ends in claim, replay and file."""
    rows: list[tuple[str, str]] = [("recorded", recorded(report))]
    if report.checked:
        rows += [("contract", contract(report)), ("", not_observed(report))]
        rows += _findings("refused", report.violations, report.refused)
        rows.append(("misuse", misuse(report.misuse_counts)))
    rows += _findings("", report.misuses, sum(report.misuse_counts.values()))
    rows += properties(report.properties)
    rows.append(("at exit", at_exit(report)))
    if report.main is not None and report.main.life.peak.blocks:
        rows += _heap(report, report.main)
    rows += [(label, line) for label, line in zip(("against", ""), against(report), strict=False)]
    rows += [("note", note) for note in report.notes]
    if report.status:
        rows.append(("program", ended(report.status)))
    rows.append(("verdict", verdict(report)))
    if report.page:
        rows.append(("report", report.page))
    if report.verdict is Verdict.VIOLATED:
        rows += _closing(report)
    elif report.trace:
        rows.append(("trace", report.trace))
    return [f"{label:<{LABEL}}{text.printable(line)}".rstrip() for label, line in rows if line]


def recorded(report: VerifyReport) -> str:
    """How much was recorded, of how many processes and threads."""
    processes = plural(report.processes, "process", "processes")
    return f"{plural(report.requests, 'request')} from {processes}, {plural(report.threads, 'thread')}"


def contract(report: VerifyReport) -> str:
    """How many rules there are, how many were observed, how many replies passed."""
    observed = sum(1 for rule in report.rules if rule.observed)
    speed = f" ({number(round(report.checked / report.seconds))} a second)" if report.seconds > 0.2 else ""
    return (
        f"{plural(len(report.rules), 'rule')} of {report.standard}: {observed} observed, "
        f"{plural(report.admitted, 'reply', 'replies')} admitted, {number(report.refused)} refused{speed}"
    )


def not_observed(report: VerifyReport) -> str:
    """The rules for which there was no evidence, by name."""
    names = [rule.name for rule in report.rules if not rule.observed]
    return f"not observed: {', '.join(names)}" if names else ""


def misuse(counts: Mapping[str, int]) -> str:
    """What the program did wrong, by kind."""
    told = [f"{number(count)} {kind}" for kind, count in sorted(counts.items()) if count]
    return f"by the program: {', '.join(told)}" if told else "none by the program"


def properties(found: Sequence[PropertyFound]) -> list[tuple[str, str]]:
    """The answers that there was evidence for, by whose they are; each violation; the other properties by name."""
    told = []
    for whose, group in by_whose(found):
        answers = [f"{one.name} {property_answer(one)}" for one in group if one.answer != UNSEEN]
        told += _wrapped(f"{whose}: ", answers)
    told += [f"{one.name}: {property_story(one)}" for one in found if one.answer == "VIOLATED" and one.told]
    told += [f"{one.name}: {unseen(one)}" for one in found if one.asked and one.answer == UNSEEN]
    told += [f"{one.name}: {slip}" for one in found if one.asked and one.answer != UNSEEN and (slip := _unnamed(one))]
    silent = [one.name for one in found if one.answer == UNSEEN and not one.asked]
    told += [f"not observed: {', '.join(silent)}"] if silent else []
    return [("properties" if place == 0 else "", line) for place, line in enumerate(told)]


def by_whose(found: Sequence[PropertyFound]) -> list[tuple[str, list[PropertyFound]]]:
    """The properties that were asked for, then those that the allocator, then those that the program has to keep."""
    return [
        ("asked for", [one for one in found if one.asked]),
        ("of the allocator", [one for one in found if not one.asked and one.about == "allocator"]),
        ("of the program", [one for one in found if not one.asked and one.about != "allocator"]),
    ]


def _wrapped(head: str, answers: Sequence[str]) -> list[str]:
    """The answers, several a line, after the head in the first one."""
    rows: list[str] = []
    for answer in answers:
        if rows and len(rows[-1]) + len(answer) + 3 <= WIDTH:
            rows[-1] += f"   {answer}"
        else:
            rows.append((" " * len(head) if rows else head) + answer)
    return rows


def property_answer(one: PropertyFound) -> str:
    """HOLDS, VIOLATED or INCONCLUSIVE, and of how much.

    >>> leak = PropertyFound("f", "", "address", "", "program", False, "VIOLATED", 9, 4, 0, 412, 31000, True)
    >>> property_answer(leak)
    'VIOLATED at exit (412 blocks, 31.0 kB)'
    """
    of_blocks = one.index in ("address", "block")
    if one.answer == "VIOLATED" and not one.at_exit:
        many = {"address": ("address", "addresses"), "global": ("process", "processes")}.get(one.index, (one.index, ""))
        return f"VIOLATED ({plural(one.violated, *filter(None, many))})"
    if one.answer == "INCONCLUSIVE" and not one.unfulfilled:
        return "INCONCLUSIVE (nothing to come so far)"
    if one.answer == "VIOLATED" or one.answer == "INCONCLUSIVE":
        what = plural(one.unfulfilled, "block" if of_blocks else "word")
        what += f", {size(one.bytes)}" if of_blocks else ""
        return f"VIOLATED at exit ({what})" if one.at_exit else f"INCONCLUSIVE ({what} so far)"
    return one.answer


def property_story(one: PropertyFound) -> str:
    """The first violation, and what should have been so."""
    late = f" (after the program's own misuse at event {number(one.after_misuse)})" if one.after_misuse else ""
    end = "at exit; it concerns first " if one.at_exit else "at "
    return f"violated {end}{one.message}{late}. {one.sentence}".rstrip()


def unseen(one: PropertyFound) -> str:
    """Why there is no answer: what the recording does not show.

    >>> from dataclasses import replace
    >>> blank = PropertyFound("p", "", "address", "", "program", True, "not observed", 0, 0, 0, 0, 0, False)
    >>> unseen(replace(blank, missing=("access", "mallocs")))
    'no access was recorded; nothing recorded is called mallocs (did you mean malloc?)'
    >>> unseen(replace(blank, missing=("access", "outside", "uninitialised")))
    'no access was recorded; nobody knew what memory had been written'
    >>> unseen(blank)
    'nothing that it speaks of happened'
    """
    reasons = list(dict.fromkeys(_UNSEEN[name] for name in one.missing if name in _UNSEEN))
    return "; ".join(filter(None, (*reasons, _unnamed(one)))) or "nothing that it speaks of happened"


def _unnamed(one: PropertyFound) -> str:
    """The names in the formula that are no event's and no label's that was seen, or ""."""
    labels = [name for name in one.missing if name not in _UNSEEN]
    near = {word for name in labels for word in get_close_matches(name, sorted(KNOWN), 1, 0.75)}
    hint = f" (did you mean {' and '.join(sorted(near))}?)" if near else ""
    return f"nothing recorded is called {' or '.join(labels)}{hint}" if labels else ""


def library() -> list[str]:
    """The properties there are, each with its formula and sentence, and what one's own may speak of."""
    told = []
    for one in PROPERTIES:
        told += [f"{one.name}  {one.index}: {one.formula}", f"    {one.sentence}"]
    return [
        *told,
        "",
        f"A formula of one's own is of {' or '.join(Index)}: '{Index.THREAD}: [](mem_free_start -> X mem_free_end)'; "
        f"of {Index.ADDRESS} unless it says so.",
        f"It may speak of {', '.join(sorted(KNOWN))}, and of labels by name.",
    ]


def _findings(label: str, findings: tuple[Found, ...], total: int) -> list[tuple[str, str]]:
    rows = [(label, f"{found.name}: {found.message}") for found in findings[:SHOWN]]
    if total > len(rows) > 0:
        rows.append(("", f"and {number(total - len(rows))} more"))
    return rows


def at_exit(report: VerifyReport) -> str:
    """The blocks that processes left behind when they exited."""
    left = report.survivors
    if not left.blocks:
        return ""
    return f"{plural(left.blocks, 'block')}, {size(left.bytes)} never freed (information, not an error)"


def _heap(report: VerifyReport, image: Image) -> list[tuple[str, str]]:
    life = image.life
    peak = life.peak
    where = f" (process {image.pid}, {plural(image.requests, 'request')})" if len(report.images) > 1 else ""
    rows = [
        (
            "heap",
            f"peak {size(peak.live)} live in {plural(peak.blocks, 'block')}; footprint {size(peak.footprint)}; "
            f"internal {percent(peak.internal)}, external {percent(peak.external)}{where}",
        ),
        ("live bytes", text.sparkline([moment.live for moment in life.curve])),
    ]
    top = life.classes[:6]
    if top:
        shares = ", ".join(f"{number(one.size)} B {percent(one.blocks / life.allocated)}" for one in top)
        rest = len(life.classes) - len(top)
        rows.append(("sizes", shares + (f", {plural(rest, 'other size', 'other sizes')}" if rest else "")))
    return rows


def against(report: VerifyReport) -> list[str]:
    """The comparison with the other allocator: two figures of time, one of memory, and whether the output agreed."""
    comparison = report.comparison
    if comparison is None:
        return []
    replay = f", replay time {ratio(report.replay.ratio)}" if report.replay else ""
    runs = len(comparison.ours.runs)
    how = f"median of {runs}, interleaved" if runs > 1 else "one run each"
    first = (
        f"{comparison.other.allocator}: program time {ratio(comparison.time_ratio)}{replay}, "
        f"peak memory {peak_ratio(comparison)} ({how}); output {output(comparison, any(report.misuse_counts.values()))}"
    )
    second = (
        f"program {duration(comparison.ours.seconds)} on ours, {duration(comparison.other.seconds)} on theirs; "
        f"peak {size(comparison.ours.peak_bytes)} and {size(comparison.other.peak_bytes)}"
    )
    return [first, second]


def peak_ratio(comparison: Comparison) -> str:
    """The ratio of peak memories, or why there is none."""
    value = comparison.peak_ratio
    return f"below {size(comparison.floor_bytes)} (not measurable)" if value is None else ratio(value)


def output(comparison: Comparison, misused: bool = False) -> str:
    """Whether stdout, stderr and exit status agreed, in words. misused: the program made a mistake in the recording."""
    ours, theirs = ({run.status for run in side.runs} for side in (comparison.ours, comparison.other))
    if ours != theirs:
        counted = misused and theirs == {_ABORTED} and "m4alloc" in comparison.ours.allocator
        why = COUNTED if counted else ""
        return f"DIFFERS in exit status, {_statuses(ours)} against {_statuses(theirs)}{why}"
    return {
        Output.EQUAL: "equal",
        Output.DIFFERS: "DIFFERS",
        Output.VARIES: "varies from run to run, also on the other allocator",
    }[comparison.output]


def _statuses(statuses: set[int]) -> str:
    return " or ".join(str(status) for status in sorted(statuses))


def ended(status: int) -> str:
    """How a program that failed ended; status: 128 + n for signal n, as a shell gives it.

    >>> ended(3), ended(139)
    ('exit status 3', 'exit status 139 (killed by SIGSEGV)')
    """
    try:
        return f"exit status {status} (killed by {signal.Signals(status - 128).name})"
    except ValueError:
        return f"exit status {status}"


def verdict(report: VerifyReport) -> str:
    """The verdict, and what it does not cover."""
    remarks = []
    if report.checked < report.requests:
        remarks.append(f"interrupted after {number(report.checked)} of {plural(report.requests, 'request')}")
    if not report.requests:
        remarks.append("no request was recorded")
    late = sum(1 for found in report.violations if found.after_misuse)
    if late:
        remarks.append(f"{number(late)} refused after the program's own misuse, from where on nothing is promised")
    incomplete = [image for image in report.images if not image.complete]
    if incomplete:
        remarks.append(f"{plural(len(incomplete), 'trace')} incomplete: {incomplete[0].ended}")
    if report.failed_properties:
        remarks.append(f"{', '.join(one.name for one in report.failed_properties)} violated")
    undecided = [
        f"{one.name}{f': {slip}' if (slip := _unnamed(one)) else ''}" for one in report.properties if one.undecided
    ]
    if undecided:
        remarks.append(f"no answer for {', '.join(undecided)}")
    if report.failed_on:
        remarks.append(f"failed on {', '.join(report.failed_on)}")
    return report.verdict.value + (f" ({'; '.join(remarks)})" if remarks else "")


def replay(report: VerifyReport) -> str:
    """The command that judges the kept recording again."""
    asked = [word for one in report.properties if one.asked for word in ("--property", one.name)]
    return shlex.join(["m4alloc", "verify", "--standard", report.standard, *asked, "--trace", report.trace])


def _closing(report: VerifyReport) -> list[tuple[str, str]]:
    """A violation's three last lines: the claim that failed, the command that replays it, the file that holds it."""
    first = next((found for found in report.violations if not found.after_misuse), None)
    if first is not None:
        rule = next((rule for rule in report.rules if rule.name == first.name), None)
        rows = [("claim", f"{rule.name}: {rule.sentence}" if rule else first.name)]
    else:
        property_ = report.failed_properties[0]
        text = f"{property_.index}: {property_.formula}"
        told = text if property_.name == text else f"{property_.name}: {property_.sentence}  {text}"
        rows = [("claim", told)]
    if report.trace:
        rows.append(("replay", replay(report)))
    held = " and ".join(name for name in (report.trace, report.script) if name)
    if held:
        rows.append(("file", held))
    return rows
