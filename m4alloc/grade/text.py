"""A grade as lines of text: a row a trace, the total with its formula, and what cost points."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from m4alloc.check.verify_report import Verdict
from m4alloc.grade.report import Checked, GradeReport, TraceGrade
from m4alloc.view import text
from m4alloc.view.quantity import number, percent, plural, ratio, size

HEADER = [
    "trace",
    "requests",
    "right",
    "peak live",
    "footprint",
    "utilisation",
    "internal",
    "external",
    "speed",
    "points",
]
LITTLE = 1.0
"""Points below which a cause is not worth a sentence."""
CAUSES = {
    "wrong": "it broke a rule, crashed or hung",
    "told": "an odd request is answered wrongly: errno, or an argument that is to be refused",
    "internal": "internal fragmentation: blocks are longer than what was asked for",
    "external": "external fragmentation: memory between blocks, and what is kept for other sizes",
    "memory": "memory that nobody had asked for (usable_size would tell inside blocks from between them)",
    "slow": "it is slower than the reference",
}
ADVICE = {
    "internal": "smaller steps between the lengths of blocks, or blocks cut to what was asked for",
    "external": "free neighbours joined, long blocks cut up, freed memory of one size used for another",
    "memory": "freed memory used again: a list for each size, free neighbours joined",
    "slow": "look at what each call walks through: a list as long as the heap is what costs most",
}

HINTS = {
    "request-served": "freed memory is not used again for this size, or there is too little memory",
    "result-aligned-fundamental": "round every length up to 16, and let the heap begin at a multiple of 16",
    "result-aligned-as-requested": "the address has to be a multiple of the alignment, not only the length",
    "result-disjoint": "two blocks share bytes: look at how blocks are cut up and joined",
    "reuse-only-after-free": "one block was handed out twice: look at how it leaves the list of free ones",
    "block-keeps-contents": "a live block was written into: a header, a pointer of a list, a copy that is too long",
    "realloc-keeps-contents": "copy the smaller of both sizes before the old block is given up",
    "calloc-zeroes": "memory that was used before is not zero; calloc has to clear it",
    "zero-size-distinct": "malloc(0) gives a block of its own, or NULL",
    "result-non-null-or-enomem": "errno has to be ENOMEM where NULL is returned",
    "free-keeps-errno": "free saves errno, and puts it back",
    "call-returns": "a crash or an endless loop: carry the script out under a debugger",
}
"""Of rules that break often in first allocators, where to look."""

UNASKED = {
    "library": "`m4alloc check {allocator}` looks longer, and at random: some broken allocators pass what is cheap",
    "python": "m4alloc.check.AllocatorMachine asks at random, as in the tests that `m4alloc new` writes",
}
"""What to do with an allocator that nothing was found wrong with, which proves little."""
BEFORE = "check"
"""What is looked for before the traces, in the place of a trace's name."""


def lines(report: GradeReport) -> list[str]:
    """The whole report."""
    rows = [row(trace) for trace in report.traces]
    shown = [*text.table(rows, HEADER, right=[1, *range(3, len(HEADER))]), ""]
    shown += [*looked_at(report.checked), ""]
    for told in faults(report):
        shown += [*told, ""]
    shown.append(f"total    {report.total:.1f} of 100   {formula(report)}")
    if report.deduction == 1:
        would = f", which would bring {report.measured:.1f}" if report.traces else ""
        shown.append(f"  lost  all of it: {CAUSES['wrong']} before the traces{would}")
    lost = {} if report.deduction == 1 else report.lost
    causes = {cause: points for cause, points in lost.items() if points >= LITTLE}
    for cause, points in causes.items():
        shown.append(f"  lost  {points:4.1f}  {CAUSES[cause]}; {worst(report, cause)}")
    best = next((cause for cause in causes if cause in ADVICE), "")
    if best and not report.wrong:
        shown.append(f"  try         {ADVICE[best]}")
    shown += [f"  note        {note}" for note in report.notes]
    if report.verdict is Verdict.HOLDS:
        shown.append(f"  next        {UNASKED[report.kind].format(allocator=shlex.quote(report.allocator))}")
    where = "" if report.checked is None else " and in what was tried before them"
    where = "before the traces" if report.fault is not None else f"on {plural(len(report.traces), 'trace')}{where}"
    shown.append(f"verdict  {report.verdict.value} {where}")
    return shown


def looked_at(checked: Checked | None) -> list[str]:
    """What was looked for before the traces, so that nobody takes a grade for a proof."""
    if checked is None:
        return ["check    nothing but the traces: of a wrong allocator most show nothing"]
    return [
        f"check    {checked.detail}",
        f"         {checked.held} of {checked.rules} rules of {checked.standard} seen to hold, "
        f"{'none' if checked.fault is None else 'one'} broken, in {checked.seconds:.0f} s",
    ]


def row(trace: TraceGrade) -> list[str]:
    """A trace's row of the table."""
    measured = trace.measured
    front = [trace.name, number(trace.requests), "NO" if trace.fault else "yes"]
    if measured is None:
        return [*front, *["-"] * 6, f"{trace.points:.1f}"]
    parts = ["-" if part is None else percent(part) for part in (measured.internal, measured.external)]
    return [
        *front,
        size(measured.peak_live),
        size(measured.footprint),
        percent(measured.utilisation),
        *parts,
        ratio(measured.speed),
        f"{trace.points:.1f}",
    ]


def faults(report: GradeReport) -> list[list[str]]:
    """Each fault as lines; traces that show the same one share them."""
    alike: dict[tuple[str, str], list[TraceGrade]] = {}
    before = [] if report.checked is None else [TraceGrade(BEFORE, 0, report.weight, None, report.fault)]
    for trace in [*before, *report.wrong]:
        if trace.fault is not None:
            alike.setdefault((trace.fault.rule, trace.fault.script or trace.fault.message), []).append(trace)
    return [fault(traces) for traces in alike.values()]


def fault(traces: Sequence[TraceGrade]) -> list[str]:
    """Why traces bring nothing: the claim that failed, the smallest script, and how it is carried out again."""
    found = traces[0].fault
    assert found is not None
    shown = [f"{', '.join(trace.name for trace in traces)}: {found.message}"]
    if found.rule:
        shown.append(f"  rule      {found.rule}" + (f" ({found.source})" if found.source else ""))
    if found.rule in HINTS:
        shown.append(f"  hint      {HINTS[found.rule]}")
    if found.script:
        steps = [line for line in found.script.splitlines() if line and not line.startswith("given")]
        kept = steps if len(steps) <= 12 else [*steps[:11], f"... {len(steps) - 11} more"]
        shown += [f"  {'smallest' if not at else '':8}  {line}" for at, line in enumerate(kept)]
    if found.replay:
        shown.append(f"  replay    {found.replay}")
    if found.file:
        shown.append(f"  file      {found.file}")
    return shown


def formula(report: GradeReport) -> str:
    """How the total is made."""
    memory, time = report.weight, 1 - report.weight
    return f"mean of 100 * ({memory:.2g} * utilisation + {time:.2g} * min(1, speed)); speed 1 is {report.reference}"


def worst(report: GradeReport, cause: str) -> str:
    """The traces that a cause cost most on."""
    ranked = sorted(report.traces, key=lambda trace: -trace.lost.get(cause, 0.0))
    if cause == "told" or report.deduction == 1:
        return "before the traces"
    if cause == "wrong":
        return "on " + ", ".join(trace.name for trace in report.wrong)
    return "most on " + " and ".join(f"{one.name} ({one.lost.get(cause, 0.0):.1f})" for one in ranked[:2])
