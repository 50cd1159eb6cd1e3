"""The report of `monitor` in lines for a terminal; the findings themselves are told by the program as they happen."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from m4alloc.monitor import way
from m4alloc.monitor.report import HOLDS, UNSEEN, VIOLATED, MonitorReport, PropertyAnswer, signal_name
from m4alloc.view.quantity import binary_size, plural
from m4alloc.view.text import printable, table

_WIDTH = 120


def lines(report: MonitorReport) -> list[str]:
    """The summary: the verdict, an answer for each property, what was not seen.

    >>> from m4alloc.monitor.run import monitor
    >>> lines(monitor(["true"]))[0]
    'm4alloc monitor: HOLDS: no finding in true'
    """
    name = printable(report.program[0].rpartition("/")[2]) if report.program else "the program"
    result = [f"m4alloc monitor: {_headline(report, name)}"]
    rows = [[answer_of(one), printable(one.name), printable(sentence_of(one))] for one in in_order(report.properties)]
    result += [f"  {line}" for line in table(rows)]
    for line in way.lines(report) if report.findings else ():
        result += _wrapped(f"  {printable(line)}")
    if report.window and report.rebuilt:
        result += _wrapped(f"  window: {window(report.window)}")
    for note in report.notes:
        result += _wrapped(f"  note: {printable(note)}")
    if report.suppressed:
        result.append(f"  {plural(report.suppressed, 'finding')} suppressed")
    if report.page:
        result.append(f"  page: {report.page}")
    return result


def window(size: int) -> str:
    """How long freed memory waits, and what that means.

    >>> window(1 << 20)
    'freed memory waits until 1 MiB of its size class has been freed after it; what is done with it later is missed'
    """
    waits = f"freed memory waits until {binary_size(size)} of its size class has been freed after it"
    return f"{waits}; what is done with it later is missed"


def sentence_of(one: PropertyAnswer) -> str:
    """What must hold, and what the answer leaves out."""
    return f"{one.sentence.removesuffix('.')} ({one.remark})." if one.remark else one.sentence


def answer_of(one: PropertyAnswer) -> str:
    """The answer, with the number of findings.

    >>> answer_of(PropertyAnswer("p", "", "address", "", False, "VIOLATED", 2))
    'VIOLATED (2)'
    """
    return f"{one.answer} ({one.findings})" if one.answer == VIOLATED else one.answer


def _headline(report: MonitorReport, name: str) -> str:
    """The verdict and what it rests on. A program that a signal ended did not hold: nothing was found until then."""
    if not report.signal or report.timed_out or report.failures:
        return f"{report.verdict}: {_told(report)} in {name}"
    verdict = "" if report.verdict == HOLDS else f"{report.verdict}: "
    return f"{verdict}{_told(report)} before {signal_name(report.signal)} ended {name}"


def cut_short(report: MonitorReport) -> str:
    """What stands for HOLDS where a signal ended the program, or ""."""
    return f"no finding before {signal_name(report.signal)}" if report.signal and report.verdict == HOLDS else ""


def _told(report: MonitorReport) -> str:
    counts = [f"{count:,} {title}" for title, count in report.counts.items()]
    silent = len(report.findings) - len(report.failures)
    more = f" ({plural(silent, 'finding')} that does not count)" if silent else ""
    return (", ".join(counts) or "no finding") + more


def in_order(answers: Sequence[PropertyAnswer]) -> list[PropertyAnswer]:
    """What is violated first, what was not observed last."""
    rank = {VIOLATED: 0, HOLDS: 2, UNSEEN: 3}
    return sorted(answers, key=lambda one: rank.get(one.answer, 1))


def _wrapped(text: str) -> list[str]:
    return wrap(text, _WIDTH, subsequent_indent="        ", break_on_hyphens=False, break_long_words=False)
