"""What notebooks show of the tools' reports: the verdict, what the command prints, and the pictures it would write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from m4alloc.view.notebook import heap_map, scoped
from m4alloc.view.quantity import number, plural, size
from m4alloc.view.svg import escape
from spec.picture import badge, lines, table

if TYPE_CHECKING:
    from m4alloc.check.search import Counterexample
    from m4alloc.model.report import Answered, ModelReport
    from m4alloc.view.explorer.life import Life
    from m4alloc.view.explorer.run import ViewReport
    from spec.model.program import Program

_GOOD = {"HOLDS": True, "VIOLATED": False}
_STATES = 80
"""States of a counterexample that is drawn; of a longer one its first and last lines are printed."""
_MARKS = 12


def report(verdict: str, told: Iterable[str]) -> str:
    """A report of lines under its verdict, if it has one.

    >>> report("HOLDS", ["nothing found"]).count("HOLDS")
    1
    """
    head = f"<p>{badge(verdict, _GOOD.get(verdict))}</p>" if verdict else ""
    return head + lines(told)


def model(one: ModelReport) -> str:
    """Each answer about a model: verdict, question, what was taken for granted and explored, and the run that shows it.

    >>> import m4alloc
    >>> "HOLDS" in model(m4alloc.model("peterson", properties=["deadlock"]))
    True
    """
    constants = "".join(f", {name} = {value}" for name, value in one.constants.items())
    head = f"<p><b>Model {escape(one.program.name + constants)}</b></p>"
    return head + "".join(_answer(one.program, answer) for answer in one.answers)


def _answer(program: Program, answer: Answered) -> str:
    from m4alloc.view.lasso import lasso
    from spec.model.execution import Execution

    result, path = answer.result, answer.path
    claim = f"{answer.name}: {answer.formula}" if answer.formula is not None else answer.name
    said = [claim if answer.name != str(answer.formula) else answer.name]
    said += [f"under {', '.join(answer.under)}; of all runs: {answer.alone}"] if answer.under else []
    said += [one for one in (answer.note,) if one]
    said.append(
        f"{plural(result.states, 'state')}, {plural(result.transitions, 'transition')}, depth {number(result.depth)}"
    )
    head = report(result.verdict.value, said)
    if path is None:
        return head
    if len(path.states) > _STATES:
        return head + lines([*answer.told[: _STATES // 2], "...", *answer.told[-_STATES // 2 :]])
    return head + scoped(lasso(Execution(program), path, "the run that shows it").write())


def counterexample(one: Counterexample) -> str:
    """What breaks a rule of an allocator: the rule, the smallest script, the heap as it was then."""
    from m4alloc.check.picture import scene
    from m4alloc.view.heap_at import heap_at

    rule = one.broken.rule
    head = f"<p>{badge('VIOLATED', False)} <b>{escape(rule.name)}</b>: {escape(one.broken.message)}</p>"
    script = one.script()
    again = "<p>The script is carried out over and over, with all that is left over freed each time.</p>"
    try:
        drawn = scoped(heap_at(scene(script, rule, one.broken.message)).write())
    except ValueError:  # what only repetition shows has no heap of one moment
        drawn = ""
    return head + (again if one.repeated else "") + script._repr_html_() + drawn


def view(one: ViewReport) -> str:
    """The map of each heap, its findings, and the name of the page that explores them.

    >>> import m4alloc
    >>> "double-free" in view(m4alloc.view("tests/scripts/misuse/double-free.heap", output=None))
    True
    """
    parts = [_life(life) for life in one.lives]
    if one.output:
        name = escape(Path(one.output).name)
        page = f'<a href="{escape(quote(one.output))}" target="_blank">{name}</a>'
        parts.append(f"<p>To explore: {page}, {size(one.bytes)}; it opens from disk.</p>")
    return "".join(parts)


def _life(life: Life) -> str:
    from m4alloc.view.explorer.run_picture import blocks_of

    blocks = blocks_of(life)
    counts = f"{plural(len(life.events), 'event')}, {plural(len(life.blocks), 'block')}"
    head = f"<p><b>{escape(life.title)}</b>, on {escape(life.allocator)}: {counts}. {escape(life.sentence)}</p>"
    drawn = heap_map(blocks, max(1, len(life.events)), "event", counted=True) if len(blocks) else ""
    rows = [[number(mark.event + 1), mark.kind, mark.name, mark.reason] for mark in life.marks if mark.kind != "label"]
    more = [["", "", f"and {number(len(rows) - _MARKS)} more", ""]] if len(rows) > _MARKS else []
    marks = table([*rows[:_MARKS], *more], ["event", "kind", "name", "reason"], right=[0]) if rows else ""
    return head + drawn + marks


class Explorer:
    """The page that explores a heap, inside the notebook, as a frame of `height` pixels.

    report: what `m4alloc.view` returned, with the page still where it was written. Unlike every other picture here
    this one is a program: a notebook shows it when it is trusted, and its file grows by the whole page.
    Raises ValueError when no page was written.
    """

    def __init__(self, report: ViewReport, height: int = 720) -> None:
        if not report.output:
            raise ValueError("no page was written: give m4alloc.view an output")
        self.page, self.height = Path(report.output).read_text("utf-8"), height

    def _repr_html_(self) -> str:
        style = f"width:100%;height:{self.height}px;border:1px solid #888"
        # What ends an attribute, or begins an element, is told otherwise; all else stays as short as it is.
        inside = self.page.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        return f'<iframe srcdoc="{inside}" title="heap explorer" style="{style}"></iframe>'
