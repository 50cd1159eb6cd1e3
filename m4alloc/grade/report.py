"""A grade as data: what each trace showed, the points that it brought, and what cost the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from m4alloc.check.verify_report import SCHEMA, Verdict

WEIGHT = 0.6
"""How much utilisation counts, and speed the rest: the usual weight of malloc labs."""
SLIGHT = frozenset(
    {
        "aligned-alloc-arguments",
        "free-keeps-errno",
        "posix-memalign-arguments",
        "ptrdiff-max-refused",
        "realloc-zero",
        "result-non-null-or-enomem",
        "usable-size-null",
    }
)
"""Rules about what is said of an odd request: errno, or an argument that is to be refused. No memory is lost by them,
and allocators in wide use break some. All other rules are about memory."""
DEDUCTION = 0.2
"""The part of its points that an allocator loses by breaking one of SLIGHT, and none else, before the traces."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a trace brings nothing: the rule that broke ("" when none of the contract), and what was seen.

    source: where the rule is demanded. script: the smallest heap script that shows it, "" when there is none.
    requests: calls in it. file: where it was written, replay: the command that carries it out again; "" for neither.
    """

    message: str
    rule: str = ""
    source: str = ""
    script: str = ""
    requests: int = 0
    file: str = ""
    replay: str = ""

    @property
    def hangs(self) -> bool:
        """Whether a call did not return: each trace would then take all the time that it may.

        >>> Fault("no answer after 10 s, in the plan zero-bytes").hangs, Fault("malloc(9) returned 0").hangs
        (True, False)
        """
        return "no answer in time" in self.message or self.message.startswith("no answer after")

    @property
    def slight(self) -> bool:
        """Whether no memory is lost by it: a rule of SLIGHT, or a product that is refused, but without ENOMEM.

        >>> Fault("calloc(2, 9) failed with no error instead of ENOMEM.", "calloc-overflow-refused").slight
        True
        """
        return self.rule in SLIGHT or (self.rule.endswith("-overflow-refused") and " failed with " in self.message)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked for before the traces, whatever they ask.

    seconds: that it took. operations: requests that were judged. detail: which they were, in words. held, rules: how
    many rules were seen to hold, of how many in force. standard: whose rules. fault: the first that broke, or None;
    one of SLIGHT only if no other did.
    """

    seconds: float
    operations: int
    detail: str
    held: int
    rules: int
    standard: str
    fault: Fault | None = None

    def to_json(self) -> dict[str, Any]:
        """This part of the report."""
        return {"correct": self.fault is None, "slight": self.slight, **asdict(self)}

    @property
    def slight(self) -> bool:
        """Whether what is wrong loses no memory."""
        return self.fault is not None and self.fault.slight


@dataclass(frozen=True, slots=True)
class Measured:
    """What a trace took of a correct allocator.

    peak_live: bytes asked for and not freed, at the most. footprint: bytes of the pages that the heap took, at most.
    usable: what the live blocks could hold at the peak of live bytes, None where the allocator does not say.
    seconds, reference_seconds: medians of the whole trace.
    """

    peak_live: int
    footprint: int
    usable: int | None
    seconds: float
    reference_seconds: float

    @property
    def utilisation(self) -> float:
        """peak_live / footprint: 1 is best."""
        return min(1.0, self.peak_live / self.footprint) if self.footprint else 0.0

    @property
    def internal(self) -> float | None:
        """The share of the footprint that is inside blocks and was not asked for."""
        if self.usable is None or not self.footprint:
            return None
        return min(max(0, self.usable - self.peak_live) / self.footprint, 1 - self.utilisation)

    @property
    def external(self) -> float | None:
        """The share of the footprint between blocks, of the allocator's own data, or left over from other sizes."""
        return None if self.internal is None else max(0.0, 1 - self.utilisation - self.internal)

    @property
    def speed(self) -> float:
        """How fast it is against the reference: 2 is twice as fast."""
        return self.reference_seconds / self.seconds if self.seconds else 0.0


TOLD = (*(one.name for one in fields(Measured)), "utilisation", "internal", "external", "speed")
"""What the report says of what was measured."""


@dataclass(frozen=True, slots=True)
class TraceGrade:
    """One trace: how many requests it has, and what was measured, or the fault that made it worth nothing."""

    name: str
    requests: int
    weight: float
    measured: Measured | None = None
    fault: Fault | None = None
    page: str = ""

    @property
    def points(self) -> float:
        """100 * (w * U + (1 - w) * min(1, speed)); 0 for an allocator that is wrong on this trace.

        >>> TraceGrade("t", 10, 0.6, Measured(50, 100, 80, 2.0, 1.0)).points
        50.0
        """
        if self.measured is None or self.fault is not None:
            return 0.0
        share = self.weight * self.measured.utilisation + (1 - self.weight) * min(1.0, self.measured.speed)
        return round(100 * share, 6)

    @property
    def lost(self) -> dict[str, float]:
        """Where the other points went: wrong; internal and external, or memory where nobody tells them apart; slow."""
        measured = self.measured
        if measured is None or self.fault is not None:
            return {"wrong": 100.0}
        memory, time = 100 * self.weight, 100 * (1 - self.weight)
        slow = time * (1 - min(1.0, measured.speed))
        if measured.internal is None or measured.external is None:
            return {"memory": memory * (1 - measured.utilisation), "slow": slow}
        return {"internal": memory * measured.internal, "external": memory * measured.external, "slow": slow}

    def to_json(self) -> dict[str, Any]:
        """The trace's part of the report."""
        measured, fault = self.measured, self.fault
        return {
            "name": self.name,
            "requests": self.requests,
            "correct": fault is None,
            "points": self.points,
            "lost": self.lost,
            "measured": None if measured is None else {name: getattr(measured, name) for name in TOLD},
            "fault": None if fault is None else asdict(fault),
            "page": self.page,
        }


@dataclass(frozen=True, slots=True)
class GradeReport:
    """The grade of one allocator. kind: "library" or "python"; reference: what its speed is measured against.

    notes: what a reader should know. interrupted: traces are missing. checked: what was looked for before the traces,
    None when nothing was.
    """

    allocator: str
    kind: str
    reference: str
    weight: float
    traces: tuple[TraceGrade, ...]
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    checked: Checked | None = None

    @property
    def fault(self) -> Fault | None:
        """What was found wrong before the traces."""
        return None if self.checked is None else self.checked.fault

    @property
    def measured(self) -> float:
        """The mean of the traces' points, from 0 to 100, whatever was found before them."""
        return mean([trace.points for trace in self.traces])

    @property
    def total(self) -> float:
        """The grade: the mean of the traces' points, less what was found before them costs.

        All of it, or DEDUCTION where nothing but a rule of SLIGHT broke.
        """
        return self.measured * (1 - self.deduction)

    @property
    def deduction(self) -> float:
        """The part of the points that what was found before the traces costs."""
        if self.checked is None or self.fault is None:
            return 0.0
        return DEDUCTION if self.checked.slight else 1.0

    @property
    def lost(self) -> dict[str, float]:
        """The points that the total lacks, by their cause, the dearest first."""
        if self.deduction == 1:
            return {"wrong": 100.0}
        causes = dict.fromkeys(cause for trace in self.traces for cause in trace.lost)
        shares = {cause: mean([trace.lost.get(cause, 0.0) for trace in self.traces]) for cause in causes}
        if self.deduction:
            shares["told"] = self.measured * self.deduction
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    @property
    def wrong(self) -> list[TraceGrade]:
        """The traces on which the allocator broke a rule, crashed or hung."""
        return [trace for trace in self.traces if trace.fault is not None]

    @property
    def verdict(self) -> Verdict:
        """HOLDS when it was right wherever it was looked at; UNDECIDED when there is no trace."""
        if self.wrong or self.fault is not None:
            return Verdict.VIOLATED
        return Verdict.HOLDS if self.traces else Verdict.UNDECIDED

    @property
    def exit_status(self) -> int:
        """0 right on every trace and before them, 1 wrong somewhere, 130 interrupted without a fault."""
        return 1 if self.wrong or self.fault is not None else 130 if self.interrupted else 0

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, and the report as the command prints it."""
        from m4alloc.grade.text import lines
        from m4alloc.view.notebook_report import report

        return report(self.verdict.value, lines(self))

    def to_json(self) -> dict[str, Any]:
        """The report as plain data; docs/json-schema/grade.json describes it."""
        return {
            "schema": SCHEMA,
            "verb": "grade",
            "verdict": self.verdict.value,
            "exit_status": self.exit_status,
            "interrupted": self.interrupted,
            "allocator": self.allocator,
            "kind": self.kind,
            "reference": self.reference,
            "weight": self.weight,
            "total": self.total,
            "measured": self.measured,
            "checked": None if self.checked is None else self.checked.to_json(),
            "lost": self.lost,
            "traces": [trace.to_json() for trace in self.traces],
            "notes": list(self.notes),
        }


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of none."""
    return sum(values) / len(values) if values else 0.0
