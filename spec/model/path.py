"""A word as a system: one run, whose states are the positions of the word."""

from __future__ import annotations

from spec.ltl.word import Letter, Word, show_letter
from spec.model.system import Step


class PathSystem:
    """The system whose only run has the letters of `word`; a finite word's last state stays as it is for ever.

    >>> from spec.ltl.parser import parse_word
    >>> system = PathSystem(parse_word("p; cycle{q; 1}"))
    >>> [(step.text, target) for step, target in system.successors(2)]
    [('1', 1)]
    """

    processes = ("path",)

    def __init__(self, word: Word) -> None:
        if not word.letters:
            raise ValueError("the empty word: a run has a state at least")
        self.word = word

    def initial(self) -> list[int]:
        """The first position."""
        return [0]

    def successors(self, state: int) -> list[tuple[Step, int]]:
        """The next position, if there is one."""
        after = self.word.after(state)
        if after == len(self.word.letters):
            return []
        return [(Step(0, show_letter(self.word.letters[state])), after)]

    def letter(self, state: int) -> Letter:
        """The letter at that position."""
        return self.word.letters[state]

    def ended(self, state: int) -> bool:
        """A finite word may end where it does."""
        return True

    def show(self, state: int) -> str:
        """The letter, after its position."""
        return f"{state}: {show_letter(self.word.letters[state])}"
