"""Words: what formulas are true or false of. A word is finite, or a lasso: a prefix, then a cycle for ever."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Self

Letter = frozenset[str]
"""The propositions that are true at one position; the others are false."""


class Word(NamedTuple):
    """A finite word (empty cycle) or a lasso.

    >>> word = Word.of([["p"], []], cycle=[["q"]])
    >>> word, word.finite, len(word.letters)
    (p; 1; cycle{q}, False, 3)
    """

    prefix: tuple[Letter, ...]
    cycle: tuple[Letter, ...] = ()

    @classmethod
    def of(cls, prefix: Iterable[Iterable[str]], cycle: Iterable[Iterable[str]] = ()) -> Self:
        """The word whose letters are the given collections of true propositions."""
        return cls(tuple(frozenset(letter) for letter in prefix), tuple(frozenset(letter) for letter in cycle))

    @property
    def finite(self) -> bool:
        """Whether the word ends."""
        return not self.cycle

    @property
    def letters(self) -> tuple[Letter, ...]:
        """The letters of the prefix, then those of one turn of the cycle."""
        return self.prefix + self.cycle

    def after(self, position: int) -> int:
        """The next position: after the last letter of the cycle its first, after a finite word's last its length."""
        return len(self.prefix) if self.cycle and position + 1 == len(self.letters) else position + 1

    def unrolled(self, turns: int) -> Self:
        """The same infinite word with `turns` more turns of the cycle written out before it."""
        return type(self)(self.prefix + self.cycle * turns, self.cycle)

    def __str__(self) -> str:
        parts = [show_letter(letter) for letter in self.prefix]
        if self.cycle:
            parts.append("cycle{" + "; ".join(map(show_letter, self.cycle)) + "}")
        return "; ".join(parts)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """For notebooks: its letters, and its cycle closed by an arc."""
        from spec.ltl.picture import lasso

        return lasso([*map(show_letter, self.prefix)], [*map(show_letter, self.cycle)], title="word")

    def _repr_svg_(self) -> str:
        """The same where nobody says what the page looks like."""
        from spec.picture import alone

        return alone(self._repr_html_())


def show_letter(letter: Letter) -> str:
    """A letter in the usual notation: its propositions, in order, in quotes where need be; `1` when none is true.

    >>> show_letter(frozenset({"q", "p"})), show_letter(frozenset()), show_letter(frozenset({"p[0]@waits", "1"}))
    ('p&q', '1', '"1"&"p[0]@waits"')
    """
    return "&".join(name if _PLAIN.fullmatch(name) else f'"{name}"' for name in sorted(letter)) or "1"


_PLAIN = re.compile(r"(?!(?:true|false)\Z)[A-Za-z_]\w*")
"""The names that `spec.ltl.parser.parse_word` reads without quotes."""
