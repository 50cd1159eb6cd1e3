"""The report of `model` as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from m4alloc.model.report import Answered, ModelReport
from m4alloc.view.quantity import duration, number, plural
from spec.model import catalogue
from spec.model.system import Verdict

LONGEST = 60
"""Lines of a counterexample that are printed; its file has all."""


def lines(report: ModelReport) -> Iterator[str]:
    """The report, line by line: the model, then each answer, with its counterexample when it has one."""
    program = report.program
    size = ", ".join(
        (
            plural(len(program.processes), "process", "processes"),
            plural(len(program.cells), "cell"),
            plural(len(program.commands), "command"),
        )
    )
    constants = "".join(f", {name} = {value}" for name, value in report.constants.items())
    width = max([10, *(len(answer.name) for answer in report.answers if len(answer.name) <= 32)])
    yield f"{'model':<{width}}  {program.name}: {size}{constants}"
    for answer in report.answers:
        yield from _answer(answer, width)
    for path in report.written:
        yield f"{'written':<{width}}  {path}"
    if report.interrupted:
        yield f"{'interrupted':<{width}}  with what is above"


def _answer(answer: Answered, width: int) -> Iterator[str]:
    result = answer.result
    head = answer.name
    if len(head) > width:
        yield head
        head = ""
    engine = f" ({result.engine})" if result.engine else ""
    counts = (
        f"{plural(result.states, 'state')}, {plural(result.transitions, 'transition')}, depth {number(result.depth)}, "
        f"{duration(result.seconds)}{engine}"
    )
    yield f"{head:<{width}}  {result.verdict:<9}  {counts}"
    indent = " " * (width + 2)
    if answer.under:
        yield f"{indent}under {', '.join(answer.under)}; of all runs: {answer.alone}"
    if answer.note:
        yield f"{indent}{answer.note}"
    if result.verdict is Verdict.EXHAUSTED:
        yield f"{indent}not decided: {result.reason}"
    elif result.verdict is Verdict.HOLDS and result.reason:
        yield f"{indent}{result.reason}"
    if result.verdict is Verdict.VIOLATED:
        yield from _counterexample(answer)


def _counterexample(answer: Answered) -> Iterator[str]:
    shown = answer.told
    if len(shown) > LONGEST:
        middle = f"... {number(len(shown) - LONGEST)} lines more, which the file has ..."
        shown = (*shown[: LONGEST // 2], middle, *shown[-LONGEST // 2 :])
    for line in shown:
        yield f"  {line}"
    path = answer.path
    fault = path.steps[-1].fault if path is not None and path.steps else ""
    if answer.formula is not None and fault:
        yield f"  fault   {fault}, after which the model has no meaning, and nothing holds"
    claim = answer.result.reason
    if answer.formula is not None:
        named = f"{answer.name}: " if answer.name != str(answer.formula) else ""
        claim = f"{named}{answer.formula}"
    yield f"  claim   {claim}"
    if answer.replay:
        yield f"  replay  {answer.replay}"
        yield f"  file    {answer.file}"


def listing() -> Iterator[str]:
    """The bundled models, their properties and seeded bugs."""
    for name, bundled in catalogue.BUNDLED.items():
        yield f"{name}: {bundled.sentence}"
        for claim, verdict in bundled.answers.items():
            alone = bundled.alone.get(claim)
            without = f" ({alone} without fairness and assumptions)" if alone else ""
            yield f"    {claim:<32} {verdict}{without}"
        for bug, entry in bundled.bugs.items():
            constants = " ".join(f"--const {constant}={value}" for constant, value in entry.constants.items())
            yield f"    bug {bug}: {entry.sentence}"
            yield f"        {constants}, found by {entry.found_by}"


def listing_json() -> dict[str, Any]:
    """The same as plain data; docs/json-schema/model.json describes it.

    >>> [model["name"] for model in listing_json()["models"]][:1]
    ['free_list']
    """
    models = [
        {
            "name": name,
            "sentence": bundled.sentence,
            "answers": {claim: str(verdict) for claim, verdict in bundled.answers.items()},
            "bugs": [
                {"name": bug, "sentence": one.sentence, "constants": dict(one.constants), "found_by": str(one.found_by)}
                for bug, one in bundled.bugs.items()
            ],
        }
        for name, bundled in catalogue.BUNDLED.items()
    ]
    return {"schema": "m4alloc/1", "verb": "model", "models": models}
