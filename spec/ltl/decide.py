"""Questions about formulas that have an answer: is there a word, do all words, do two formulas say the same.

A formula is a set of infinite words here. Each No comes with a lasso that shows it, short and checked by definition.
"""

from __future__ import annotations

from functools import lru_cache

from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.expansion import search
from spec.ltl.formula import Formula, conjunction, negation
from spec.ltl.intersection import STATES, intersection
from spec.ltl.simplify import simplify
from spec.ltl.translate import translate
from spec.ltl.witness import lasso, shortened
from spec.ltl.word import Word

STEPS = 2_000_000
"""Elementary steps of evaluation that are spent on making a lasso shorter."""


@lru_cache(maxsize=256)
def satisfying(formula: Formula) -> Word | None:
    """A short lasso of which `formula` is true, or None if it is true of no infinite word.

    Where its automaton would be too large, words are searched for without one.
    Raises: TooLargeError when that finds no answer either.  Cost: that of the translation, or of the search.

    >>> from spec.ltl.parser import parse
    >>> satisfying(parse("p && X !p && []<>q")), satisfying(parse("[]p && <>!p"))
    (p; cycle{q}, None)
    """
    try:
        found = lasso(translate(formula))
    except TooLargeError:
        if formula.past:
            raise
        found = search(simplify(formula))
    return _witness(formula, found)


def valid(formula: Formula) -> bool:
    """Whether `formula` is true of every infinite word.

    >>> from spec.ltl.parser import parse
    >>> valid(parse("<>p <-> !([]!p)")), valid(parse("<>p -> []p"))
    (True, False)
    """
    return satisfying(negation(formula)) is None


def counterexample(left: Formula, right: Formula, *, states: int = STATES) -> Word | None:
    """A short lasso of which `left` is true and `right` is not, or None if `left` implies `right`.

    states: how many the intersection of their automata may have; beyond that `satisfying` is asked.
    Raises: TooLargeError as it does.  Cost: the two translations and the intersection.

    >>> from spec.ltl.parser import parse
    >>> counterexample(parse("[]<>p"), parse("<>[]p")), counterexample(parse("<>[]p"), parse("[]<>p"))
    (cycle{p; 1}, None)
    """
    if left is right:
        return None
    both = conjunction(left, negation(right))
    try:
        found = lasso(intersection(translate(left), translate(negation(right)), states=states))
    except TooLargeError:
        return satisfying(both)
    return _witness(both, found)


def implies(left: Formula, right: Formula) -> bool:
    """Whether `right` is true of every infinite word of which `left` is.  Raises, cost: as `counterexample`."""
    return counterexample(left, right) is None


def difference(left: Formula, right: Formula) -> Word | None:
    """A lasso of which exactly one of the two is true, or None if they are equivalent.

    Raises, cost: as `counterexample`, twice.

    >>> from spec.ltl.parser import parse
    >>> difference(parse("p U q"), parse("p W q")), difference(parse("p W q"), parse("q R (p || q)"))
    (cycle{p}, None)
    """
    found = counterexample(left, right)
    return counterexample(right, left) if found is None else found


def _witness(formula: Formula, found: Word | None) -> Word | None:
    """The word, of which `formula` is true, made shorter as long as it is."""
    if found is None:
        return None
    if not holds(formula, found):
        raise AssertionError(f"{found} was found to satisfy {formula}, which is false of it")
    positions = len(found.letters) * (1 + formula.past * formula.size)
    return shortened(found, lambda word: holds(formula, word), STEPS // (positions**2 * formula.size))
