"""What `m4alloc superopt` found: each piece, its proof with what it assumes, the steps that led there, the times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from m4alloc.superopt.cost_mca import Estimate
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function, Module
from m4alloc.superopt.measure import Measurement
from m4alloc.superopt.pipeline import Result
from m4alloc.superopt.problem import Cost, Step
from m4alloc.superopt.verdict import Verdict

SCHEMA = "m4alloc/1"


@dataclass(frozen=True)
class Piece:
    """One piece of a function, and what became of it.

    name: "whole function", "idiom: bits in a loop", "block %b", "%x".  steps: those of the result's best, each with its
    own proof.  put_back: the function has the replacement now; refused: why it has not, "" where there was none or it
    has.
    """

    name: str
    result: Result
    steps: tuple[Step, ...] = ()
    put_back: bool = False
    refused: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why nothing better was found of it: one a line, at least one."""
        told = (*self.result.why_nothing, *([self.refused] if self.refused else []))
        silent = ", ".join(run.name for run in self.result.methods)
        return told or (f"{silent}: nothing better was proposed" if silent else "no search was run",)


@dataclass(frozen=True)
class Estimated:
    """What llvm-mca says of a function before and after; None for both where it says nothing of one, and why."""

    before: Estimate | None = None
    after: Estimate | None = None
    reason: str = ""


@dataclass(frozen=True)
class Rewritten:
    """One function before and after.

    after: `before` itself where nothing cheaper was proved.  verdict: of the two as wholes; UNKNOWN where the function
    has loops or calls: then each piece's proof stands for itself.  assembly: the listings for the target, ("", "")
    where LLVM cannot compile the function alone.  note: why it was not searched at all, "" where it was.
    cost_llvm: of what LLVM -O3 makes of `before`; None where LLVM cannot compile the function alone, or
    would merge accesses that --shared keeps.
    """

    before: Function
    after: Function
    cost_before: Cost
    cost_after: Cost
    pieces: tuple[Piece, ...]
    verdict: Verdict
    assembly: tuple[str, str] = ("", "")
    measured: Measurement | None = None
    note: str = ""
    cost_llvm: Cost | None = None
    estimated: Estimated | None = None

    @property
    def is_improved(self) -> bool:
        """Something cheaper was proved and is in `after`."""
        return self.after != self.before

    @property
    def proof(self) -> str:
        """What was proved of an improvement: "whole" function, or "pieces", each by itself; "" where there is none."""
        if not self.is_improved:
            return ""
        return "whole" if self.verdict.accepted else "pieces"

    @property
    def is_slower(self) -> bool:
        """As measured, what is cheaper by the model takes longer in one of the loops, and less in neither."""
        return self.measured is not None and slower(self.measured)

    @property
    def is_recommended(self) -> bool:
        """It is improved, and not slower as far as it was measured."""
        return self.is_improved and not self.is_slower

    @property
    def beats_llvm(self) -> bool:
        """It is cheaper than what LLVM -O3 makes of the source; where that is not known, than the source."""
        return self.cost_after < (self.cost_llvm or self.cost_before)

    @property
    def assumptions(self) -> tuple[Fact, ...]:
        """Every fact that the proof needs, once; of a function that is proved by pieces, that some piece's needs."""
        if self.proof == "whole":
            return self.verdict.assumptions
        used = [piece.result.best.verdict.assumptions for piece in self.pieces if piece.put_back]
        return tuple(dict.fromkeys(fact for facts in used for fact in facts))


def slower(measurement: Measurement) -> bool:
    """It takes longer in one of the loops, and less in neither; of what is not significant nothing is said."""
    timings = (measurement.latency, measurement.throughput)
    ratios = [timing.ratio for timing in timings if timing is not None and timing.is_significant]
    return bool(ratios) and min(ratios) > 1.0


@dataclass(frozen=True)
class RewriteReport:
    """Of one run on one file.

    where: the file.  functions: those that were searched; of `wanted`, which is more where it was interrupted.
    skipped: functions that could not be read, and why.  methods: as they were asked for.  resume: what goes on with it.
    """

    where: str
    target: str
    objective: str
    facts: tuple[Fact, ...]
    functions: tuple[Rewritten, ...]
    skipped: Mapping[str, str]
    methods: tuple[str, ...]
    budget: float
    seed: int
    seconds: float
    wanted: int = 0
    interrupted: bool = False
    files: tuple[str, ...] = ()
    resume: str = ""
    module: Module | None = field(default=None, repr=False)
    """As it was read."""
    notes: tuple[str, ...] = ()
    """What is to be known of how the file was read."""

    @property
    def improved(self) -> tuple[Rewritten, ...]:
        """The functions for which something cheaper was proved."""
        return tuple(one for one in self.functions if one.is_improved)

    @property
    def exit_status(self) -> int:
        """0 there is an answer (nothing cheaper is one), 3 no function could be searched, 130 interrupted."""
        if self.interrupted:
            return 130
        return 0 if any(not one.note for one in self.functions) else 3

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it, by docs/json-schema/superopt.json."""
        from m4alloc.superopt.report_json import rewrite_json

        return rewrite_json(self)


@dataclass(frozen=True)
class VerifyReport:
    """Of `--verify A B`: does B refine A."""

    first: str
    second: str
    source: Function
    target: Function
    verdict: Verdict
    notes: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 it does, 1 it does not, 3 not decided."""
        return self.verdict.exit_status

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it, by docs/json-schema/superopt.json."""
        from m4alloc.superopt.report_json import verify_json

        return verify_json(self)
