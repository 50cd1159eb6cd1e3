"""Verdicts on finite words: LTL3 and RV-LTL for a run that goes on, LTLf for one that has ended."""

from __future__ import annotations

from typing import Any, NamedTuple

from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, Operator, make, negation, subformulas
from spec.ltl.prefix import beginnings
from spec.ltl.truth import FourTruth, Truth
from spec.ltl.word import Word


class Decision(NamedTuple):
    """An LTL3 verdict, and the letter, counted from 1, at which it became definite; None while it is inconclusive."""

    truth: Truth
    letter: int | None


def ltl3(formula: Formula, word: Word) -> Decision:
    """What all infinite words that begin with `word` say of `formula`, definite at the earliest letter.

    FALSE at the first letter after which no continuation satisfies it (the shortest bad prefix), TRUE at the first
    after which no continuation satisfies its negation (the shortest good prefix). A formula that holds of every word
    or of none is definite at letter 1, the first there is.
    Raises: ValueError for a lasso or the empty word; TooLargeError when an automaton would be too large.
    Cost: two translations, then O(edges) a letter.
    Source: Bauer, Leucker and Schallhart, Runtime verification for LTL and TLTL (2011), definition 3.

    >>> from spec.ltl.parser import parse, parse_word
    >>> ltl3(parse("!access W malloc"), parse_word("1; access; malloc"))
    Decision(truth=<Truth.FALSE: 'false'>, letter=2)
    >>> ltl3(parse("[](malloc -> <>free)"), parse_word("malloc; access"))
    Decision(truth=<Truth.INCONCLUSIVE: 'inconclusive'>, letter=None)
    """
    _check_finite(word)
    satisfying, violating = beginnings(formula), beginnings(negation(formula))
    can_hold: Any = satisfying.initial
    can_fail: Any = violating.initial
    for position, letter in enumerate(word.prefix, 1):
        can_hold, can_fail = satisfying.after(can_hold, letter), violating.after(can_fail, letter)
        if not satisfying.alive(can_hold):
            return Decision(Truth.FALSE, position)
        if not violating.alive(can_fail):
            return Decision(Truth.TRUE, position)
    return Decision(Truth.INCONCLUSIVE, None)


def ltlf(formula: Formula, word: Word, *, weak: bool = False) -> bool:
    """Whether the finished run `word` satisfies `formula`: [], <>, U, W, R and M end with its last letter.

    weak: read X as N, as a finished run is judged in this project; otherwise X f is false at the last letter.
    Raises: ValueError for a lasso or the empty word.  Cost: O(letters^2 * subformulas).
    Source: De Giacomo and Vardi, Linear temporal logic and linear dynamic logic on finite traces (2013), section 2.

    >>> from spec.ltl.parser import parse, parse_word
    >>> leak_free, run = parse("[](malloc -> <>free)"), parse_word("malloc; access")
    >>> ltlf(leak_free, run), ltlf(parse("[](free -> X !access)"), parse_word("malloc; free"))
    (False, False)
    >>> ltlf(parse("[](free -> X !access)"), parse_word("malloc; free"), weak=True)
    True
    """
    _check_finite(word)
    return holds(weak_reading(formula) if weak else formula, word)


def rv_ltl(formula: Formula, word: Word, *, weak: bool = False) -> FourTruth:
    """LTL3 where that is definite; otherwise presumably what LTLf says of `word`.

    weak: read X as N for the presumption; the published semantics reads it as strong.
    Raises: as `ltl3`.  Cost: `ltl3` and `ltlf`.
    Source: Bauer, Leucker and Schallhart, Comparing LTL semantics for runtime verification (2010), section 4.

    >>> from spec.ltl.parser import parse, parse_word
    >>> leak_free = parse("[](malloc -> <>free)")
    >>> rv_ltl(leak_free, parse_word("malloc; access")), rv_ltl(leak_free, parse_word("malloc; free"))
    (<FourTruth.PRESUMABLY_FALSE: 'presumably-false'>, <FourTruth.PRESUMABLY_TRUE: 'presumably-true'>)
    """
    truth = ltl3(formula, word).truth
    return FourTruth.of(truth, not truth.definite and ltlf(formula, word, weak=weak))


def weak_reading(formula: Formula) -> Formula:
    """The formula with N for each X: equal on infinite words, and content with a run that ends too early to tell.

    Each X is replaced where it stands, so the readings of f and of !f stay opposite; `!X f` becomes `!N f`, which
    asks for a next letter. Say `X !f` where none should be asked for.  Cost: O(subformulas).

    >>> from spec.ltl.parser import parse
    >>> weak_reading(parse("[](free -> X(!access W malloc))"))
    [](free -> N(!access W malloc))
    """
    read: dict[Formula, Formula] = {}
    for part in subformulas(formula):
        operator = Operator.WEAK_NEXT if part.operator is Operator.NEXT else part.operator
        read[part] = make(operator, tuple(read[operand] for operand in part.operands), part.name)
    return read[formula]


def _check_finite(word: Word) -> None:
    if not word.finite:
        raise ValueError("a lasso: verdicts on finite words need a word without a cycle")
    if not word.prefix:
        raise ValueError("the empty word: a word has one letter at least")
