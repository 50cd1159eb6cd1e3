"""What a student reads: one line a promise, and of the first one that is broken the history, what happened, a hint."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from exercises.course.promise import BrokenPromise, Result

WIDTH = 100
LONG, ENDS = 40, 12
"""A history of more lines than LONG is told by its ENDS first and last ones."""
LABEL = 12


def told(title: str, results: Sequence[Result], *, everything: bool = False, untried: int = 0) -> str:
    """The report on one step.

    everything: tell each broken promise in full, not the first one alone. untried: promises that were not tested.

    >>> told("step 1, a free list", [])
    'step 1, a free list\\n  0 of 0 promises hold: this step is done.'
    """
    lines = [title]
    open_ = True
    width = max((len(result.promise.name) for result in results), default=0)
    for promise, broken in results:
        word = "holds " if broken is None else "BROKEN"
        lines.append(f"  {word}  {promise.name:{width}}  {promise.sentence}")
        if broken is not None and open_:
            lines += told_broken(Result(promise, broken))
            open_ = everything
    held = sum(broken is None for _, broken in results)
    if untried:
        lines.append(f"  the other {untried} were not tested")
    rest = "this step is done." if held == len(results) else "mend the first that is broken, and run again."
    lines.append(f"  {held} of {len(results) + untried} promises hold: {rest}")
    return "\n".join(lines)


def told_broken(result: Result) -> list[str]:
    """One broken promise: the smallest history, what happened, a hint."""
    promise, broken = result
    assert broken is not None
    lines = [""]
    history = elided(broken.history)
    lines += [f"    {'history' if not number else '':{LABEL}}{line}" for number, line in enumerate(history)]
    lines += labelled("happened", broken.happened)
    lines += labelled("hint", broken.hint or promise.hint)
    return [*lines, ""]


def elided(history: Sequence[str]) -> Sequence[str]:
    """A history that can be read: of a long one the beginning and the end.

    >>> elided([str(number) for number in range(100)])[11:14]
    ['11', '... 76 lines ...', '88']
    """
    if len(history) <= LONG:
        return history
    return [*history[:ENDS], f"... {len(history) - 2 * ENDS} lines ...", *history[-ENDS:]]


def as_script(broken: BrokenPromise) -> str:
    """The history of a heap of addresses as a heap script, which `m4alloc view` draws; "" where there is none.

    >>> as_script(BrokenPromise("", ["a = malloc 1 -> 0x10000", "free a         <- here"]))
    'a = malloc 1 -> 0x10000\\nfree a\\n'
    """
    return "".join(f"{line.partition('<- here')[0].rstrip()}\n" for line in broken.history)


def labelled(label: str, text: str) -> list[str]:
    """A paragraph beside its label.

    >>> labelled("hint", "Round up.")
    ['    hint        Round up.']
    """
    lines = [line for part in text.split("\n") for line in (wrap(part, WIDTH - LABEL) or [""])]
    return [f"    {label if not number else '':{LABEL}}{line}" for number, line in enumerate(lines)]
