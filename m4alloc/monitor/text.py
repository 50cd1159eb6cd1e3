"""The report of `monitor` in lines for a terminal; the findings themselves are told by the program as they happen."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from m4alloc.monitor.report import HOLDS, UNSEEN, VIOLATED, MonitorReport, PropertyAnswer
from m4alloc.view.quantity import plural, size
from m4alloc.view.text import printable, table

_WIDTH = 110


def lines(report: MonitorReport) -> list[str]:
    """The summary: the verdict, an answer for each property, what was not seen.

    >>> from m4alloc.monitor.run import monitor
    >>> lines(monitor(["true"]))[0]
    'm4alloc monitor: HOLDS: no finding in true'
    """
    name = printable(report.program[0].rpartition("/")[2]) if report.program else "the program"
    result = [f"m4alloc monitor: {report.verdict}: {_told(report)} in {name}"]
    rows = [[answer_of(one), printable(one.name), printable(one.sentence)] for one in in_order(report.properties)]
    result += [f"  {line}" for line in table(rows)]
    if report.window and report.rebuilt:
        result += _wrapped(
            f"  note: freed memory was used again when {size(report.window)} of its size had been freed after it; what "
            "was done with it later counts as done with the new block"
        )
    for note in report.notes:
        result += _wrapped(f"  note: {printable(note)}")
    traces = sorted({finding.trace for finding in report.findings if finding.trace}) if report.kept else []
    result += [f"  replay: m4alloc verify --trace {trace}" for trace in traces]
    if report.page:
        result.append(f"  page: {report.page}")
    return result


def answer_of(one: PropertyAnswer) -> str:
    """The answer, with the number of findings.

    >>> answer_of(PropertyAnswer("p", "", "address", "", False, "VIOLATED", 2))
    'VIOLATED (2)'
    """
    return f"{one.answer} ({one.findings})" if one.answer == VIOLATED else one.answer


def _told(report: MonitorReport) -> str:
    counts = [plural(count, title, f"{title} findings") for title, count in report.counts.items()]
    silent = len(report.findings) - len(report.failures)
    more = f" ({plural(silent, 'finding')} that does not count)" if silent else ""
    return (", ".join(counts) or "no finding") + more


def in_order(answers: Sequence[PropertyAnswer]) -> list[PropertyAnswer]:
    """What is violated first, what was not observed last."""
    rank = {VIOLATED: 0, HOLDS: 2, UNSEEN: 3}
    return sorted(answers, key=lambda one: rank.get(one.answer, 1))


def _wrapped(text: str) -> list[str]:
    return wrap(text, _WIDTH, subsequent_indent="        ", break_on_hyphens=False, break_long_words=False)
