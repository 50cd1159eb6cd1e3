"""The report of `attack` as the lines that a terminal shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap

from m4alloc.check.attack_native import Finding, Reaction
from m4alloc.check.attack_report import AttackReport
from m4alloc.view import text
from m4alloc.view.quantity import number, plural
from spec.attack import LEGEND, Attack, Defence, Story

WIDTH = 100
NOTE = 76
"""Characters of a note that a row of the table has room for."""


def lines(report: AttackReport) -> list[str]:
    """The report in plain text: a table, or one attack told."""
    if report.library:
        return native(report)
    if report.stories or len(report.attacks) == 1:
        return single(report)
    return table(report)


def table(report: AttackReport) -> list[str]:
    """Attack by defence, in parts that fit a terminal, with what the columns and the signs mean."""
    numbers = {defence.name: index for index, defence in enumerate(report.defences, start=1)}
    names = max(len(defence.name) for defence in report.defences)
    key = [f"{numbers[defence.name]:2} {defence.name:<{names}}  {defence.title}" for defence in report.defences]
    drawing = [defence for defence in report.defences if defence.draws]
    certain = [defence for defence in report.defences if not defence.draws]
    found = [*key, "", *wrap(LEGEND, WIDTH)]
    for part in (certain, drawing):
        if part:
            found += ["", *grid(report, part, [str(numbers[defence.name]) for defence in part])]
    return [*found, *simulated(report)]


def grid(report: AttackReport, defences: Sequence[Defence], header: Sequence[str]) -> list[str]:
    """One part of the table."""
    symbols = {(verdict.attack, verdict.defence): verdict.symbol for verdict in report.verdicts}
    rows = [[attack.name, *(symbols[attack.name, defence.name] for defence in defences)] for attack in report.attacks]
    made = text.table(rows, ["attack", *header])
    found, body = made[:2], made[2:]
    for family, group in groupby(zip(report.attacks, body, strict=True), key=lambda pair: pair[0].family):
        found += [f"[{family.value}]", *(line for _, line in group)]
    return found


def simulated(report: AttackReport) -> list[str]:
    """How far the simulations are from the exact probabilities."""
    if not report.simulations:
        return []
    worst = max(report.simulations, key=lambda one: abs(one.deviation))
    trials = report.simulations[0].trials
    return [
        "",
        f"simulated: {plural(len(report.simulations), 'cell')}, {number(trials)} runs each; the farthest from its "
        f"exact probability is {worst.attack} on {worst.defence}: {number(worst.caught)} of {number(trials)} caught, "
        f"{worst.share:.4f} expected, {abs(worst.deviation):.1f} standard errors",
    ]


def single(report: AttackReport) -> list[str]:
    """One attack: what it is, one run on each defence that was chosen, the verdict on all of them."""
    attack = report.attacks[0]
    found = heading(attack)
    for one in report.stories:
        found += ["", *story(one)]
    found += ["", "verdicts"]
    names = max(len(defence.name) for defence in report.defences)
    found += [f"  {verdict.defence:<{names}}  {verdict}" for verdict in report.verdicts]
    return [*found, *simulated(report)]


def heading(attack: Attack) -> list[str]:
    """Name, kind, sentence, goal and source."""
    return [
        f"{attack.name} ({attack.family.value})",
        *wrap(attack.sentence, WIDTH, initial_indent="  ", subsequent_indent="  "),
        f"  success  {attack.goal.text}",
        f"  source   {attack.source}",
    ]


def story(told: Story) -> list[str]:
    """One run, a line a step."""
    width = max(len(line.text) for line in told.lines)
    body = [text.printable(f"  {line.step:2}. {line.text:<{width}}  {line.answer}") for line in told.lines]
    return [f"on {told.defence}, seed {told.seed}", *body, f"  {told.ending}"]


def native(report: AttackReport) -> list[str]:
    """What a real allocator does about each attack, and how often it does what."""
    found = [f"attacks on {report.library}, each on a fresh heap", ""]
    if len(report.attacks) == 1:
        attack, finding = report.attacks[0], report.findings[0]
        steps = [f"  {number:2}. {step}" for number, step in enumerate(attack.steps, start=1)]
        return [*found[:1], *heading(attack), *steps, f"  {sentence(finding, len(attack.steps))}"]
    families = {attack.name: attack.family for attack in report.attacks}
    rows = [[one.attack, one.reaction.value, place(one), shortened(one.note)] for one in report.findings]
    made = text.table(rows, ["attack", "what the allocator does", "step", "how"], right=[2])
    found += made[:2]
    for family, group in groupby(
        zip(report.findings, made[2:], strict=True), key=lambda pair: families[pair[0].attack]
    ):
        found += [f"[{family.value}]", *(line for _, line in group)]
    counts = Counter(finding.reaction for finding in report.findings)
    summary = ", ".join(f"{counts[reaction]} {reaction.value}" for reaction in Reaction if counts[reaction])
    return [*found, "", f"{plural(len(report.findings), 'attack')}: {summary}"]


def place(finding: Finding) -> str:
    """The step in which it ended, nothing when it ran to its end."""
    return str(finding.step) if finding.step else ""


def sentence(finding: Finding, steps: int) -> str:
    """A finding in words."""
    where = f" at step {finding.step}" if 0 < finding.step <= steps else ""
    where = " in the valid calls that follow" if finding.step > steps else where
    return text.printable(f"{finding.reaction.value}{where}{f': {finding.note}' if finding.note else ''}")


def shortened(note: str) -> str:
    """A note that fits its column."""
    return note if len(note) <= NOTE else f"{note[: NOTE - 3]}..."
