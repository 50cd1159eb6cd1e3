"""What `model` found, as data: everything that its text and its JSON say comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spec.ltl.formula import Formula
from spec.model.program import Program
from spec.model.system import Path, Result, Verdict

SCHEMA = "m4alloc/1"


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one question about a model.

    name: of the property, or its text when it has no name; "deadlock" for the search that needs none, which is for
    deadlocks and faults (faults alone when `deadlocks` is off). formula: None for that search.
    result: of the search that decided. under: what it took for granted, such as "weak fairness of client[0]"; empty
    when every run was looked at. alone: the verdict without that, when there was such a search; None else.
    note: what else there is to know, such as options that could not be used for it, and why.
    told: of a counterexample, line by line. word: its letters. file: that holds it; replay: the command to replay it.
    """

    name: str
    formula: Formula | None
    result: Result
    under: tuple[str, ...] = ()
    alone: Verdict | None = None
    note: str = ""
    told: tuple[str, ...] = ()
    word: str = ""
    file: str = ""
    replay: str = ""

    @property
    def verdict(self) -> Verdict:
        """Of the search that decided."""
        return self.result.verdict

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, the question, and the run that shows it, in words."""
        from m4alloc.view.notebook_report import report

        return report(self.verdict.value, [self.name, *self.told])

    @property
    def path(self) -> Path | None:
        """The counterexample."""
        return self.result.counterexample

    def to_json(self) -> dict[str, Any]:
        """As in docs/json-schema/model.json."""
        result = self.result
        path = result.counterexample
        return {
            "property": self.name,
            "formula": None if self.formula is None else str(self.formula),
            "verdict": result.verdict.value,
            "reason": result.reason,
            "under": list(self.under),
            "alone": None if self.alone is None else self.alone.value,
            "note": self.note,
            "states": result.states,
            "transitions": result.transitions,
            "depth": result.depth,
            "seconds": round(result.seconds, 3),
            "engine": result.engine,
            "counterexample": None
            if path is None
            else {
                "lines": list(self.told),
                "word": self.word,
                "steps": [step._asdict() for step in path.steps],
                "back": path.back,
                "file": self.file or None,
                "replay": self.replay or None,
            },
        }


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The answer of `model`.

    source: the file, or the name of a bundled model. constants: those that were set. engine: that was asked for.
    written: files besides those of the answers, such as the Promela.
    """

    source: str
    program: Program
    engine: str
    answers: tuple[Answered, ...]
    constants: Mapping[str, int] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def exit_status(self) -> int:
        """0 all hold, 1 one is violated, 3 none is and one is undecided, 130 interrupted."""
        verdicts = {answer.verdict for answer in self.answers}
        if self.interrupted:
            return 130
        if Verdict.VIOLATED in verdicts:
            return 1
        return 3 if Verdict.EXHAUSTED in verdicts else 0

    def __repr__(self) -> str:
        told = ", ".join(f"{answer.name} {answer.verdict.value}" for answer in self.answers)
        return f"<ModelReport of {self.program.name}: {told}>"

    def _repr_html_(self) -> str:
        """For notebooks: each answer, and its counterexample drawn."""
        from m4alloc.view.notebook_report import model

        return model(self)

    def answer(self, name: str) -> Answered:
        """The answer of that name.  Raises KeyError for what was not asked."""
        for answer in self.answers:
            if answer.name == name:
                return answer
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """As in docs/json-schema/model.json."""
        program = self.program
        return {
            "schema": SCHEMA,
            "verb": "model",
            "source": self.source,
            "model": program.name,
            "constants": dict(self.constants),
            "cells": len(program.cells),
            "processes": [process.name for process in program.processes],
            "commands": len(program.commands),
            "engine": self.engine,
            "answers": [answer.to_json() for answer in self.answers],
            "written": list(self.written),
            "interrupted": self.interrupted,
            "exit_status": self.exit_status,
        }
