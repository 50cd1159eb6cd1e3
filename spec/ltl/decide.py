"""Questions about formulas that have an answer: is there a word, do all words, do two formulas say the same.

A formula is a set of infinite words here. Each No comes with a lasso that shows it, short and checked by definition.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, reduce
from itertools import chain, cycle, islice
from math import lcm

from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.expansion import search
from spec.ltl.formula import Formula, Operator, conjunction, negation
from spec.ltl.intersection import STATES, intersection
from spec.ltl.normal import negation_normal_form
from spec.ltl.prefix import independent, operands_of
from spec.ltl.simplify import simplify
from spec.ltl.translate import translate
from spec.ltl.witness import lasso, shortened
from spec.ltl.word import Letter, Word

STEPS = 2_000_000
"""Elementary steps of evaluation that are spent on making a lasso shorter."""
PROPOSITIONS = 6
"""Of formulas with more, words are looked for without an automaton first; it would have labels of many letters."""
SEARCHED = 2000
"""How many sets of formulas that search may come to, and how long a word made of several may be."""
CHECKED = 2_000_000
"""Letters times size of the formula up to which a lasso is checked by definition; no other is an answer."""


@lru_cache(maxsize=1024)
def satisfying(formula: Formula) -> Word | None:
    """A short lasso of which `formula` is true, or None if it is true of no infinite word.

    Formulas of more than PROPOSITIONS are taken apart where their parts can be true independently, and words are
    searched for without an automaton for a while; so they are where the automaton would be too large.
    Raises: TooLargeError when that finds no answer either.  Cost: that of the translation, or of the search.

    >>> from spec.ltl.parser import parse
    >>> satisfying(parse("p && X !p && []<>q")), satisfying(parse("[]p && <>!p"))
    (p; cycle{q}, None)
    """
    many = len(formula.propositions) > PROPOSITIONS
    if many:
        try:
            return _witness(formula, _apart(negation_normal_form(formula)))
        except (TooLargeError, RecursionError):
            pass
    try:
        found = lasso(translate(formula))
    except TooLargeError:
        if formula.past:
            raise
        found = search(simplify(formula))
    return _witness(formula, found)


def _apart(normal: Formula) -> Word | None:
    """A lasso of a formula, in negation normal form, from those of its parts, or by a short search; None if none is.

    A disjunction needs one for any of its operands. Those for parts of a conjunction that have no proposition in common
    are laid over each other.  Raises: TooLargeError.
    """
    operator = normal.operator
    if operator is Operator.OR:
        return next((word for part in operands_of(normal, operator) if (word := satisfying(part))), None)
    if operator is Operator.AND and len(groups := independent(operands_of(normal, operator))) > 1:
        words = [satisfying(conjunction(*group)) for group in groups]
        found = [word for word in words if word is not None]
        return None if len(found) < len(words) else reduce(_laid_over, found)
    if normal.past:
        raise TooLargeError("there is no search for formulas with past operators")
    return search(simplify(normal), states=SEARCHED, work=10 * SEARCHED)


def _laid_over(one: Word, other: Word) -> Word:
    """The word in whose letters both are true.  Raises: TooLargeError if it is too long."""
    begin, turn = max(len(one.prefix), len(other.prefix)), lcm(len(one.cycle), len(other.cycle))
    if begin + turn > SEARCHED:
        raise TooLargeError(f"two words together have a cycle of {turn} letters")

    def letters(word: Word) -> Iterator[Letter]:
        return islice(chain(word.prefix, cycle(word.cycle)), begin + turn)

    both = tuple(a | b for a, b in zip(letters(one), letters(other), strict=True))
    return Word(both[:begin], both[begin:])


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
    if left is right or _plain(left) is _plain(right):
        return None
    both = conjunction(left, negation(right))
    try:
        found = lasso(intersection(translate(left), translate(negation(right)), states=states))
    except TooLargeError:
        return satisfying(both)
    return _witness(both, found)


def _plain(formula: Formula) -> Formula:
    """The formula simplified, or as it is when that takes too much."""
    try:
        return simplify(negation_normal_form(formula))
    except (TooLargeError, RecursionError):
        return formula


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
    if len(found.letters) * formula.size > CHECKED:
        raise TooLargeError(
            f"the word that was found has {len(found.letters)} letters, too many to check it by definition"
        )
    if not holds(formula, found):
        raise AssertionError(f"{found} was found to satisfy {formula}, which is false of it")
    positions = len(found.letters) * (1 + formula.past * formula.size)
    return shortened(found, lambda word: holds(formula, word), STEPS // (positions**2 * formula.size))
