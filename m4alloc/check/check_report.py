"""What `check` found, as data: everything its text and its JSON say comes from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from m4alloc.check.finding import Finding
from m4alloc.check.verify_report import SCHEMA, RuleCount, Verdict


@dataclass(frozen=True, slots=True)
class Engine:
    """What one search did. operations: requests and accesses that were judged. detail: its bound, in words."""

    name: str
    operations: int
    detail: str
    broken: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """VIOLATED when it saw a rule broken, UNDECIDED when it did nothing."""
        if self.broken:
            return Verdict.VIOLATED
        return Verdict.HOLDS if self.operations else Verdict.UNDECIDED


@dataclass(frozen=True, slots=True)
class Written:
    """A finding and the files that hold it: forms by their suffix, each a path."""

    finding: Finding
    files: dict[str, str]
    command: str

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        found = self.finding
        return {
            "rule": found.rule.name,
            "sentence": found.rule.sentence,
            "clause": found.clause,
            "message": found.message,
            "engine": found.engine,
            "where": found.where,
            "requests": found.requests,
            "replays": found.replays,
            "times": found.times,
            "flaky": found.flaky,
            "files": dict(self.files),
            "replay": self.command,
        }


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a library was held to, what was tried, and what broke.

    rules: each in force, how often it was seen to hold, and whether it broke. depth, sequences: of the greatest depth
    at which every sequence was carried out; in_part: those of the next, which was not finished. alphabet: in words.
    folder: where the findings are; empty when none are. notes: what a reader should know.
    """

    library: str
    functions: tuple[str, ...]
    standard: str
    seed: int
    seconds: float
    engines: tuple[Engine, ...]
    rules: tuple[RuleCount, ...]
    findings: tuple[Written, ...]
    depth: int = 0
    sequences: int = 0
    in_part: int = 0
    alphabet: str = ""
    folder: str = ""
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    resume: str = ""

    @property
    def verdict(self) -> Verdict:
        """VIOLATED when a rule broke; UNDECIDED when nothing was carried out."""
        if self.findings:
            return Verdict.VIOLATED
        return Verdict.HOLDS if any(engine.operations for engine in self.engines) else Verdict.UNDECIDED

    @property
    def exit_status(self) -> int:
        """0 holds, 1 violation, 3 nothing decided, 130 interrupted without a violation."""
        if self.findings:
            return 1
        if self.interrupted:
            return 130
        return 3 if self.verdict is Verdict.UNDECIDED else 0

    @property
    def operations(self) -> int:
        """Requests and accesses that were judged, by all engines."""
        return sum(engine.operations for engine in self.engines)

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, and the report as the command prints it."""
        from m4alloc.check.check_text import lines
        from m4alloc.view.notebook_report import report

        return report(self.verdict.value, lines(self))

    def to_json(self) -> dict[str, Any]:
        """The report as plain data; docs/json-schema/check.json describes it."""
        return {
            "schema": SCHEMA,
            "verb": "check",
            "verdict": self.verdict.value,
            "exit_status": self.exit_status,
            "interrupted": self.interrupted,
            "library": self.library,
            "functions": list(self.functions),
            "standard": self.standard,
            "seed": self.seed,
            "seconds": self.seconds,
            "engines": [
                {
                    "name": engine.name,
                    "operations": engine.operations,
                    "detail": engine.detail,
                    "verdict": engine.verdict.value,
                    "broken": list(engine.broken),
                }
                for engine in self.engines
            ],
            "exhaustive": {
                "alphabet": self.alphabet,
                "depth": self.depth,
                "sequences": self.sequences,
                "in_part": self.in_part,
            },
            "rules": [
                {
                    "name": rule.name,
                    "sentence": rule.sentence,
                    "source": rule.source,
                    "observed": rule.observed,
                    "broken": bool(rule.refused),
                }
                for rule in self.rules
            ],
            "findings": [written.to_json() for written in self.findings],
            "folder": self.folder,
            "notes": list(self.notes),
        }
