"""The report of `check` as the lines that a terminal shows."""

from __future__ import annotations

import os
from pathlib import Path

from m4alloc.check.check_report import CheckReport, Engine, Written
from m4alloc.check.verify_report import Verdict
from m4alloc.view import text
from m4alloc.view.quantity import number, plural
from spec.script_writer import line_of

LABEL = 13
DETAIL = 58
SHOWN = 5
"""Steps of a script that fit into a line."""


def lines(report: CheckReport) -> list[str]:
    """The report in plain text; a finding ends in what replays it and the files that hold it."""
    rows: list[tuple[str, str]] = [(engine.name, row(engine, report)) for engine in report.engines]
    rows += [pair for written in report.findings for pair in told(written)]
    rows += [("contract", contract(report)), ("", not_observed(report))]
    rows += [("note", note) for note in report.notes]
    rows.append(("verdict", verdict(report)))
    if report.resume:
        rows.append(("go on with", report.resume))
    return [f"{label:<{LABEL}}{text.printable(line)}".rstrip() for label, line in rows if line]


def row(engine: Engine, report: CheckReport) -> str:
    """One search: what it did, and its verdict."""
    word = engine.verdict.value
    if engine.name == "exhaustive" and engine.verdict is Verdict.HOLDS:
        word += " up to the bound"
    return f"{engine.detail:<{DETAIL}} {word}"


def told(written: Written) -> list[tuple[str, str]]:
    """One finding."""
    found = written.finding
    rate = f"{found.replays} of {found.times}" + (": FLAKY" if found.flaky else "")
    rows = [
        ("  rule", f"{found.rule.name} ({found.clause})"),
        ("  saw", found.message.partition(f" {found.rule.sentence}")[0]),
        ("  smallest", smallest(written)),
        ("  replay", f"{written.command}      ({rate})" if written.command else rate),
    ]
    others = [suffix for suffix in written.files if suffix != "heap"]
    if others:
        stem = os.fspath(Path(written.files["heap"]).with_suffix(""))
        rows.append(("  also", f"{stem}.{{{','.join(others)}}}" if len(others) > 1 else f"{stem}.{others[0]}"))
    return rows


def smallest(written: Written) -> str:
    """How many requests it takes, and which when they are few."""
    found = written.finding
    told_steps = found.script.steps[found.repeated :]  # that it is repeated is said before them
    steps = [line_of(step).partition(" ->")[0].partition("!")[0].strip() for step in told_steps]
    over = " over and over" if found.repeated else ""
    head = plural(found.requests, "request") + over
    return f"{head}: {' / '.join(steps)}" if len(steps) <= SHOWN else head


def contract(report: CheckReport) -> str:
    """How many rules are in force, and how many of them were seen at work."""
    observed = sum(1 for rule in report.rules if rule.observed)
    broken = sum(1 for rule in report.rules if rule.refused)
    return (
        f"{plural(len(report.rules), 'rule')} of {report.standard} and of what is expected: {observed} observed, "
        f"{number(broken)} broken; {plural(report.operations, 'operation')} judged"
    )


def not_observed(report: CheckReport) -> str:
    """The rules for which there was no evidence, by name."""
    names = [rule.name for rule in report.rules if not rule.observed and not rule.refused]
    return f"not observed: {', '.join(names)}" if names else ""


def verdict(report: CheckReport) -> str:
    """The answer, with its bound."""
    word = report.verdict.value
    if report.verdict is Verdict.HOLDS:
        bound = f": every sequence of {plural(report.depth, 'request')}" if report.depth else ""
        word += f" within what was tried{bound}"
    return word + (" (interrupted)" if report.interrupted else "")
