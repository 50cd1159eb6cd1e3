"""What tuning came to: typed values, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from m4alloc.strategy import Strategy
from m4alloc.tune.importance import Importance
from m4alloc.tune.prove_result import Proof
from m4alloc.tune.result import Objectives

if TYPE_CHECKING:
    from m4alloc.trace.replay import ReplayReport
    from m4alloc.tune.advise import Advice
    from m4alloc.tune.comparison import Row
    from m4alloc.tune.exact import Distance
    from m4alloc.tune.headroom import Headroom
    from m4alloc.tune.measure import Measured
    from m4alloc.tune.pictures import Panel
    from m4alloc.tune.several import HeldOut
    from m4alloc.tune.summary import Summary

SCHEMA = "m4alloc/1"

NOTHING, TUNED, DEFAULT, UNDECIDED = "nothing to gain", "tuned", "default", "undecided"
"""Verdicts: headroom says so; the tuned build pays; it does not, so the default stays; nothing could be looked at."""


EVEN = Objectives(1.0, 1.0, 0.0)
UNTOUCHED = Strategy()


@dataclass(frozen=True, slots=True)
class WorkloadRow:
    """One workload that was tuned for. searched: of its calls so many at the start were simulated in the search."""

    program: str
    summary: Summary
    searched: int
    distances: tuple[Distance, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate of the shortlist.

    objectives: on the whole of each workload. proof: what the gates said. kept: the test that keeps a refused one.
    """

    name: str
    strategy: Strategy
    objectives: Objectives
    proof: Proof
    kept: str = ""

    @property
    def admitted(self) -> bool:
        """Whether it may leave."""
        return self.proof.admitted


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneReport:
    """The whole of a tuning.

    command: the program; empty when traces were given. evaluations: candidates that were simulated, over all methods.
    methods: a row each at equal budget. seen: the objectives of all candidates; front: of those nothing dominates.
    tried: the shortlist. importance: of the chosen one's knobs. chosen: its name; empty: the default stays.
    strategy: what is recommended. library: the path of what was built from it; empty: none was. verdict: see above;
    why: in a sentence. resume: the command that goes on after an interrupt.
    """

    name: str
    command: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    floor: str = "default"
    promise: int = 0
    prefer: str = "balanced"
    objective: str = "mean"
    seed: int = 0
    budget: int = 0
    engine: str = "local"
    baseline: Objectives = EVEN
    headroom: Headroom | None = None
    workloads: tuple[WorkloadRow, ...] = ()
    methods: tuple[Row, ...] = ()
    course: Mapping[str, tuple[tuple[int, float], ...]]
    seen: tuple[Objectives, ...] = ()
    front: tuple[Objectives, ...] = ()
    panels: tuple[Panel, ...] = ()
    tried: tuple[Tried, ...] = ()
    importance: tuple[Importance, ...] = ()
    held_out: tuple[HeldOut, ...] = ()
    chosen: str = ""
    strategy: Strategy = UNTOUCHED
    library: str = ""
    library_proof: Proof | None = None
    race: Measured | None = None
    measured: Measured | None = None
    replayed: ReplayReport | None = None
    advice: tuple[Advice, ...] = ()
    verdict: str = UNDECIDED
    why: str = ""
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    resume: str = ""
    files: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def evaluations(self) -> int:
        """Candidates that were simulated."""
        return len(self.seen)

    @property
    def refused(self) -> tuple[Tried, ...]:
        """The candidates that a gate refused."""
        return tuple(one for one in self.tried if not one.admitted)

    @property
    def exit_status(self) -> int:
        """0 an answer was found, "nothing to gain" among them; 3 nothing could be decided; 130 interrupted."""
        if self.interrupted:
            return 130
        return 3 if self.verdict == UNDECIDED else 0

    def _repr_html_(self) -> str:
        """For notebooks: the report as the command prints it."""
        from m4alloc.tune.text import lines
        from m4alloc.view.notebook_report import report

        return report("", lines(self))

    def to_json(self) -> dict[str, Any]:
        """The report as plain data; docs/json-schema/tune.json describes it. Infinite numbers are null."""
        plain: dict[str, Any] = {"schema": SCHEMA, "verb": "tune", "exit_status": self.exit_status}
        for field in fields(self):
            if field.name not in ("panels", "seen"):
                plain[field.name] = json_of(getattr(self, field.name))
        return plain | {"evaluations": self.evaluations}


def json_of(value: Any) -> Any:
    """A value of the report as JSON types.

    >>> json_of((Objectives(1.0, float("inf"), 2.0),))
    [{'time': 1.0, 'memory': None, 'security': 2.0}]
    """
    if isinstance(value, Strategy):
        return json_of({field.name: getattr(value, field.name) for field in fields(value)})
    if hasattr(value, "to_json"):
        return json_of(value.to_json())
    if isinstance(value, Mapping):
        return {str(key): json_of(each) for key, each in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: json_of(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [json_of(each) for each in value]
    if isinstance(value, float) and not (abs(value) < float("inf")):
        return None
    return value
