"""Runs of a model in files: a counterexample is written, and replayed from the file step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any, cast

from spec.ltl.evaluate import holds
from spec.ltl.finite import ltl3
from spec.ltl.formula import Formula
from spec.ltl.parser import parse
from spec.ltl.truth import Truth
from spec.ltl.word import Word
from spec.model.counterexample import replay, show
from spec.model.execution import Execution, Values
from spec.model.product import STAY
from spec.model.program import Program
from spec.model.system import Path, Step
from spec.model.vocabulary import with_locations

FORMAT = "m4alloc/1 run"


class RunError(ValueError):
    """A file holds no run, or its run is none of the model as it is now; the message says where it parts."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run in a file: of which model, against which property ("" for a deadlock or a fault), and the run itself."""

    source: str
    constants: Mapping[str, int]
    property: str
    formula: str
    reason: str
    path: Path
    lines: tuple[str, ...]
    word: Word


def write(
    file: File,
    program: Program,
    path: Path,
    *,
    source: str,
    constants: Mapping[str, int],
    name: str,
    formula: str,
    reason: str,
) -> None:
    """Write a run as JSON: steps by the numbers of their commands, and the states in words for who reads the file."""
    system = Execution(program)
    states = cast(tuple[Values, ...], path.states)
    content = {
        "format": FORMAT,
        "source": source,
        "constants": dict(constants),
        "property": name,
        "formula": formula,
        "reason": reason,
        "tracked": None if program.tracked is None else states[0][program.tracked],
        "steps": [[step.command, step.text] for step in path.steps],
        "back": path.back,
        "states": [system.show(state) for state in states],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read(file: File, constants: Mapping[str, int] | None = None) -> tuple[Program, Run]:
    """The model that a file's run is of, and the run, each step of which has been replayed.

    Raises: RunError; OSError; the errors of `m4alloc.model.source.load`.
    """
    from m4alloc.model.source import load

    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        wanted = content["format"] == FORMAT
        steps: list[tuple[int, str]] = [(int(number), str(text)) for number, text in content["steps"]]
        back, tracked = content["back"], content["tracked"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} holds no run of a model: {error}") from None
    if not wanted:
        raise RunError(f"{file} holds no run of a model: its format is {content['format']!r}, not {FORMAT!r}")
    values = {**content["constants"], **(constants or {})}
    program = load(content["source"], values).program
    formula = content["formula"]
    program = with_locations(program, [parse(formula)] if formula else [])
    system = Execution(program)
    path = _followed(system, steps, back, tracked)
    replay(system, path)
    lines = tuple(show(system, path).split("\n"))
    word = path.word(system)
    if not _is_wrong(system, path, parse(formula) if formula else None):
        wrong = f"violates {formula}" if formula else "comes to a deadlock or a fault"
        raise RunError(f"{file}: the run no longer {wrong}")
    names = (content["source"], values, content["property"], formula, content["reason"])
    return program, Run(*names, path, lines, word)


def _is_wrong(system: Execution, path: Path, formula: Formula | None) -> bool:
    """Whether the run is a counterexample: it ends in a fault or, without a formula, in a deadlock, or violates it."""
    if path.steps and path.steps[-1].fault:
        return True
    if formula is None:
        last = cast(Values, path.states[-1])
        return not list(system.successors(last)) and not system.ended(last)
    word = path.word(system)
    return ltl3(formula, word).truth is Truth.FALSE if word.finite else not holds(formula, word)


def _followed(system: Execution, steps: list[tuple[int, str]], back: int | None, tracked: int | None) -> Path:
    """The run that the commands lead along."""
    cell = system.program.tracked
    state = next((one for one in system.initial() if cell is None or one[cell] == tracked), None)
    if state is None:
        raise RunError(f"the model has no tracked value {tracked}")
    states: list[Values] = [state]
    taken: list[Step] = []
    for position, (number, text) in enumerate(steps, 1):
        found = [(step, target) for step, target in system.successors(states[-1]) if step.command == number]
        if not found and number == STAY.command and not list(system.successors(states[-1])):
            found = [(STAY, states[-1])]
        if not found:
            raise RunError(f"step {position}, {text}: cannot be taken in {system.show(states[-1])}")
        step, target = found[0]
        taken.append(step)
        states.append(target)
    if back is None:
        return Path(tuple(states), tuple(taken))
    if not 0 <= back < len(steps) or states[-1] != states[back]:
        raise RunError(f"the cycle ends in {system.show(states[-1])}, which is not state {back}")
    return Path(tuple(states[:-1]), tuple(taken), back)
