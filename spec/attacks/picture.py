"""What becomes of one attack on one defence, as a picture: the probability of each outcome, and how it is caught."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from spec.picture import BAD, GOOD, badge, box, lines, svg, table, words

if TYPE_CHECKING:
    from spec.attacks.story import Story
    from spec.attacks.verdict import Verdict

_LEFT, _WIDTH, _ROW = 90.0, 420.0, 24.0


def picture(verdict: Verdict) -> str:
    """A bar an outcome, its probability exact beside it, and the ways in which the attack is caught.

    >>> from spec.attack import verdict
    >>> "14/15" in picture(verdict("use-after-reuse-read", "mte-glibc"))
    True
    """
    from spec.attacks.verdict import Outcome, described, fraction_text

    title = f"{verdict.attack} on {verdict.defence}: {verdict}"
    if not verdict.applies:
        return f"<p>{escape(title)}</p>"
    parts = [words(8, 16, f"{verdict.attack} on {verdict.defence}", bold=True)]
    y = 30.0
    colours = {Outcome.CAUGHT: GOOD, Outcome.LATE: GOOD, Outcome.MISSED: BAD, Outcome.HARMLESS: ""}
    for outcome in Outcome:
        share = verdict.share(outcome)
        if not share:
            continue
        text = fraction_text(share)
        parts.append(words(_LEFT - 8, y + 14, outcome.value, anchor="end"))
        parts.append(box(_LEFT, y, _WIDTH, _ROW - 8))
        parts.append(box(_LEFT, y, _WIDTH * float(share), _ROW - 8, strength=0.5, colour=colours[outcome]))
        parts.append(words(_LEFT + _WIDTH + 8, y + 12, text if share < 1 else "certain"))
        y += _ROW
    ways = [
        f"at step {catch.step}, with probability {fraction_text(catch.probability)}: {described(catch)}"
        for catch in verdict.catches
    ]
    floor = [f"the architecture promises {fraction_text(verdict.floor)}"] if verdict.floor is not None else []
    return svg(_LEFT + _WIDTH + 120, y + 8, title, parts) + lines([*ways, *floor] or [str(verdict)])


def story(told: Story) -> str:
    """A run step by step, how it ended, and under it what becomes of all runs.

    >>> from spec.attack import tell
    >>> "a = malloc 64" in story(tell("use-after-reuse-write", "flat"))
    True
    """
    from spec.attacks.verdict import Outcome

    rows = [[str(line.step), line.text, line.answer] for line in told.lines]
    good = {Outcome.MISSED: False, Outcome.HARMLESS: None}.get(told.outcome, True)
    how = told.ending.removeprefix(told.outcome.value).lstrip(": ")
    ending = f"<p>{badge(told.outcome.value.upper(), good)} {escape(how)}.</p>"
    certain = told.verdict.share(told.outcome) == 1
    all_runs = "<p>So does every run.</p>" if certain else f"<p>That was one run. Of all:</p>{picture(told.verdict)}"
    return table(rows, ["step", "what is done", "what came of it"], right=[0]) + ending + all_runs
