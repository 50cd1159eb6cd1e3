"""A counterexample of a model as a page to step through: the run, what is true along it, and why the property fails."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path as File
from typing import Any

from m4alloc.view.explorer.lasso_open import known
from m4alloc.view.palette import stylesheet
from m4alloc.view.svg import escape
from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.evaluate import values
from spec.ltl.finite import ltl3
from spec.ltl.formula import Formula, Operator, subformulas
from spec.ltl.monitor import monitor
from spec.ltl.parser import parse
from spec.ltl.truth import Truth
from spec.ltl.word import Word
from spec.model.execution import Execution
from spec.model.system import Path, State, System

WORK = 12_000_000
"""Steps that saying what is true along one run may take, at worst: a longer lasso is drawn without."""
TURNS = 8
"""How many turns of a cycle a monitor is followed for, unless its state is the same at the end of two of them."""
_SCRIPTS = ("parts.js", "lasso.js")
_STYLES = ("panel.css",)
_VERDICTS = {Truth.TRUE: "holds for good", Truth.FALSE: "violated for good", Truth.INCONCLUSIVE: "open"}


def page(file: File | str, constants: Mapping[str, int] | None = None) -> str:
    """The page of a counterexample in a file that `m4alloc model` wrote; each step is replayed first.

    constants: other values for the model's constants than the file's.
    Raises: OSError, and ValueError (RunError, ReplayError, LogicError, ModelError) for a file that holds no run, or one
    of another model.
    Cost: the run is replayed; saying what is true along it takes WORK steps at most.
    """
    from m4alloc.model.runs import read

    program, run = read(File(file), constants)
    formula = parse(run.formula) if run.formula else None
    return draw(
        Execution(program),
        run.path,
        formula,
        name=run.property,
        model=run.source,
        constants=run.constants,
        reason=run.reason,
        replay=f"m4alloc model --replay {shlex.quote(str(file))}",
    )


def draw(
    system: System[State],
    run: Path,
    formula: Formula | None = None,
    *,
    name: str = "",
    model: str = "",
    constants: Mapping[str, int] | None = None,
    reason: str = "",
    replay: str = "",
) -> str:
    """One self-contained page: the run of `system` as prefix and cycle, with a table of its steps, to be played.

    formula: the property that the run violates; None for a deadlock or a fault, which `reason` then names.
    name, model: what they are called. replay: the command that replays it, "" for none.

    >>> from spec.ltl.parser import parse_word
    >>> from spec.model.path import PathSystem
    >>> from spec.model.system import Step
    >>> run = Path((0, 1), (Step(0, "p"), Step(0, "q")), 1)
    >>> text = draw(PathSystem(parse_word("p; cycle{q}")), run, parse("[]<>p"), name="again")
    >>> "<title>again is violated</title>" in text
    True
    """
    content = describe(system, run, formula)
    content |= {"name": name, "model": model, "constants": dict(constants or {}), "reason": reason, "replay": replay}
    fault = run.steps[-1].fault if run.steps else ""
    title = fault or (f"{name or formula} is violated" if formula is not None else (reason or "a run"))
    content["title"] = title
    source = resources.files("m4alloc.view.explorer")
    style = stylesheet() + "".join(source.joinpath(one).read_text("utf-8") for one in _STYLES)
    script = "".join(source.joinpath(one).read_text("utf-8") for one in _SCRIPTS)
    # "<" never stands in the data, so that no text in it can end its element.
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        '<body class="lasso"><main id="lasso"></main>\n'
        "<noscript><p>This page draws with JavaScript, which is switched off here.</p></noscript>\n"
        f'<script type="application/json" id="lasso-data">{data}</script>\n'
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def describe(system: System[State], run: Path, formula: Formula | None = None) -> dict[str, Any]:
    """The run as plain data: cells, values, letters, steps, and the truth of the property's parts at each state.

    truths: for each subformula a text with a character a state: 1 true, 0 false, ? open (of a run that ends: it depends
    on how the run goes on; with past operators, or very long, as far as `lasso_open` tells). monitor: the LTL3
    monitor's states, and where it is at each state, one row for each turn of the cycle; None when there is none of
    reasonable size.
    """
    states: Sequence[State] = run.states  # type: ignore[assignment]
    words = [system.show(state).split() for state in states]
    cells = max(words, key=len)
    word = run.word(system)
    return {
        "processes": list(system.processes),
        "cells": [_cell(one)[0] for one in cells],
        "values": [[_cell(one)[1] for one in row] for row in words],
        "letters": [sorted(letter) for letter in word.letters],
        "steps": [{"process": step.process, "text": step.text, "fault": step.fault} for step in run.steps],
        "back": run.back,
        "formula": "" if formula is None else str(formula),
        "propositions": _propositions(formula, word),
        "truths": [] if formula is None else _truths(formula, word),
        "monitor": None if formula is None else _monitor(formula, word),
    }


def _cell(word: str) -> tuple[str, str]:
    """The name and the value of a cell in a state's line: `lock=1`, or `client[0]@using` for where a process is.

    >>> _cell("lock=1"), _cell("client[0]@using"), _cell("idle")
    (('lock', '1'), ('client[0]@', 'using'), ('', 'idle'))
    """
    at, equals = word.find("@"), word.find("=")
    if at >= 0 and (equals < 0 or at < equals):
        return word[: at + 1], word[at + 1 :]
    return (word[:equals], word[equals + 1 :]) if equals >= 0 else ("", word)


def _propositions(formula: Formula | None, word: Word) -> list[str]:
    """Those of the formula, then the others that are true somewhere."""
    asked = set() if formula is None else {part.name for part in subformulas(formula) if part.name}
    return [*sorted(asked), *sorted(set().union(*word.letters) - asked)]


def _truths(formula: Formula, word: Word) -> list[dict[str, str]]:
    """The subformulas that are more than a proposition or the opposite of one, innermost first, and their truth."""
    parts = [part for part in subformulas(formula) if not _plain(part)]
    steps = len(word.letters) ** 2
    if not word.finite:
        if formula.past:
            steps *= (1 + sum(part.past for part in parts)) ** 2
        rows = values(formula, word) if steps * len(parts) <= WORK else {}
        return [{"formula": str(part), "values": "".join("01"[one] for one in rows[part])} for part in parts if rows]
    exact = not formula.past and steps * sum(sum(1 for _ in subformulas(part)) for part in parts) // 4 <= WORK
    if exact:
        with suppress(LogicError, TooLargeError):
            return [{"formula": str(part), "values": _verdicts(part, word)} for part in parts]
    signs = {True: "1", False: "0", None: "?"}
    told = known(formula, word)
    return [{"formula": str(part), "values": "".join(signs[one] for one in told[part])} for part in parts]


def _plain(part: Formula) -> bool:
    inner = part.operands[0] if part.operator is Operator.NOT else part
    return not inner.operands


def _verdicts(part: Formula, word: Word) -> str:
    """What all continuations say at each position of a finite word, where they agree."""
    signs = {Truth.TRUE: "1", Truth.FALSE: "0", Truth.INCONCLUSIVE: "?"}
    return "".join(signs[ltl3(part, Word(word.prefix[position:])).truth] for position in range(len(word.letters)))


def _monitor(formula: Formula, word: Word) -> dict[str, Any] | None:
    """The states of the property's monitor in words, and its state after each letter, a row a turn of the cycle."""
    try:
        machine = monitor(formula)
    except (LogicError, TooLargeError):
        return None
    rows = [machine.run(Word(word.prefix + word.cycle))[1:]]
    start = len(word.prefix)
    # The second turn begins where the first ended, perhaps in another state.
    while not word.finite and len(rows) < TURNS:
        state = rows[-1][-1]
        turn = rows[-1][:start]
        for letter in word.cycle:
            state = machine.step(state, machine.number(letter))
            turn.append(state)
        if turn == rows[-1]:
            break
        rows.append(turn)
    return {"states": [_VERDICTS[verdict] for verdict in machine.verdict], "turns": rows}
