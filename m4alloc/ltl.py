"""Temporal logic from text to answer: one function a question, each of which returns a report.

Formulas are texts in the spellings of `spec.ltl.parser.parse` or `spec.ltl.formula.Formula`s, words texts in the
notation of `parse_word` or `spec.ltl.word.Word`s. What cannot be read raises `LogicError`, what would take too many
states `TooLargeError`; both say what was wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from m4alloc.ltl_report import (
    AcceptsReport,
    ClassifyReport,
    EquivReport,
    Form,
    ImpliesReport,
    LogicReport,
    MonitorReport,
    ParseReport,
    SatReport,
    TranslateReport,
    ValidReport,
    automaton_table,
)
from spec.ltl import decide, hoa
from spec.ltl.classify import STATES as CLASSIFY_STATES
from spec.ltl.classify import classify as classes_of
from spec.ltl.dot import dot
from spec.ltl.error import LogicError
from spec.ltl.evaluate import holds
from spec.ltl.finite import ltlf
from spec.ltl.formula import Formula, negation
from spec.ltl.monitor import STATES as MONITOR_STATES
from spec.ltl.monitor import monitor as monitor_of
from spec.ltl.never import never_claim
from spec.ltl.normal import negation_normal_form
from spec.ltl.parser import parse as formula_of
from spec.ltl.parser import parse_word
from spec.ltl.simplify import simplify
from spec.ltl.translate import STATES as TRANSLATE_STATES
from spec.ltl.translate import buchi
from spec.ltl.translate import translate as automaton_of
from spec.ltl.word import Word


def ltl(formula: str | Formula) -> ParseReport:
    """What there is to say of `formula` itself: spellings, normal form, simplified form, class.

    Raises: LogicError; TooLargeError where simplification meets a bound.  Cost: that of `classify`.

    >>> report = parse("G(malloc => F free)")
    >>> report.spellings["mathematical"], report.classes.name
    ('□(malloc → ◇free)', 'recurrence')
    """
    read = _formula(formula)
    return ParseReport(read, negation_normal_form(read), simplify(read), classes_of(read))


parse = ltl


def sat(formula: str | Formula) -> SatReport:
    """Whether `formula` is true of some infinite word.  Raises: LogicError, TooLargeError.

    >>> sat("p && X !p && []<>q").lines(), sat("[]p && <>!p").lines()
    (['satisfiable, by p; cycle{q}'], ['unsatisfiable'])
    """
    read = _formula(formula)
    return SatReport(read, decide.satisfying(read))


def valid(formula: str | Formula) -> ValidReport:
    """Whether `formula` is true of every infinite word.  Raises: LogicError, TooLargeError.

    >>> valid("[]p -> p").lines(), valid("p -> []p").lines()
    (['valid'], ['not valid: false of p; cycle{1}'])
    """
    read = _formula(formula)
    return ValidReport(read, decide.satisfying(negation(read)))


def equiv(left: str | Formula, right: str | Formula) -> EquivReport:
    """Whether both formulas are true of the same infinite words.  Raises: LogicError, TooLargeError.

    >>> equiv("!(p U q)", "!q W (!p && !q)").holds, equiv("p U q", "p W q").lines()
    (True, ['not equivalent: only the right formula is true of cycle{p}'])
    """
    one, other = _formula(left, "the left formula"), _formula(right, "the right formula")
    return EquivReport(one, other, decide.difference(one, other))


def implies(left: str | Formula, right: str | Formula) -> ImpliesReport:
    """Whether the right formula is true wherever the left is.  Raises: LogicError, TooLargeError.

    >>> implies("p U q", "<>q").lines(), implies("<>q", "p U q").lines()
    (['implied'], ['not implied: only the left formula is true of 1; cycle{q}'])
    """
    one, other = _formula(left, "the left formula"), _formula(right, "the right formula")
    return ImpliesReport(one, other, decide.counterexample(one, other))


def classify(formula: str | Formula, *, states: int = CLASSIFY_STATES) -> ClassifyReport:
    """Safety, liveness, the class in the hierarchy of Manna and Pnueli, stutter invariance.

    states: how many each construction may have; what needs more is not known.  Raises: LogicError.

    >>> classify("(!access W malloc) && [](free -> X(!access W malloc))").classes.name
    'safety'
    """
    read = _formula(formula)
    return ClassifyReport(read, classes_of(read, states=states))


def translate(
    formula: str | Formula,
    *,
    form: Form | str = Form.TABLE,
    plain: bool = False,
    define: Mapping[str, str] | None = None,
    states: int = TRANSLATE_STATES,
) -> TranslateReport:
    """A small Buchi automaton that accepts the infinite words of which `formula` is true.

    form: how it is written. plain: with one acceptance set, of states, instead of any number, of edges; never claims
    always are. define: for never claims, the Promela expression of each proposition that is not the model's own name.
    states: how many any automaton on the way may have.
    Raises: LogicError, TooLargeError; ValueError for a form that there is not.

    >>> print(translate("[](p -> <>q)", form="never").text, end="")
    never { /* [](p -> <>q) */
    accept_init:
        do
        :: (!p) -> goto accept_init
        :: (q) -> goto accept_init
        :: (p && !q) -> goto T0_S1
        od;
    T0_S1:
        do
        :: (q) -> goto accept_init
        :: (!q) -> goto T0_S1
        od;
    }
    """
    form, read = Form(form), _formula(formula)
    plain = plain or form is Form.NEVER
    automaton = buchi(read, states=states) if plain else automaton_of(read, states=states)
    match form:
        case Form.HOA:
            text = hoa.write(automaton, str(read))
        case Form.DOT:
            text = dot(automaton, str(read))
        case Form.NEVER:
            text = never_claim(automaton, define, str(read)) + "\n"
        case Form.TABLE:
            text = "".join(f"{line}\n" for line in automaton_table(automaton))
    return TranslateReport(read, automaton, form, text)


def accepts(formula: str | Formula, word: str | Word, *, weak: bool = False) -> AcceptsReport:
    """Whether `formula` is true of `word`: LTL of a lasso, LTLf of a finite word.

    weak: read X as N, which is true at the last letter of a finite word.  Raises: LogicError.

    >>> accepts("[](p -> <>q)", "p; cycle{p; q}").holds, accepts("X p", "p").lines()
    (True, ['false of the finite word, X being strong'])
    """
    read, letters = _formula(formula), _word(word)
    value = ltlf(read, letters, weak=weak) if letters.finite else holds(read, letters)
    return AcceptsReport(read, letters, weak, value)


def monitor(formula: str | Formula, word: str | Word | None = None, *, states: int = MONITOR_STATES) -> MonitorReport:
    """The smallest monitor of `formula`, and what it says of each prefix of a finite `word`.

    states: how many there may be while it is built.  Raises: LogicError, also for a lasso; TooLargeError.

    >>> print(*monitor("[](free -> X(!access W malloc))", "malloc; free; access").lines(), sep="\\n")
    letter  true    state  verdict
    ------  ------  -----  ---------------
         1  malloc      0  presumably-true
         2  free        1  presumably-true
         3  access      2  false
    violated at letter 3, whatever follows
    """
    read = _formula(formula)
    letters = None if word is None else _word(word)
    if letters is not None and not letters.finite:
        raise LogicError(f"the word {letters} has a cycle; a monitor reads finite words, letter by letter")
    return MonitorReport(read, monitor_of(read, states=states), letters)


def _formula(source: str | Formula, which: str = "") -> Formula:
    if isinstance(source, Formula):
        return source
    try:
        return formula_of(source)
    except LogicError as error:
        raise LogicError(f"{which}: {error}" if which else str(error)) from None


def _word(source: str | Word) -> Word:
    return source if isinstance(source, Word) else parse_word(source)


__all__ = [
    "Form",
    "LogicReport",
    "accepts",
    "classify",
    "equiv",
    "implies",
    "ltl",
    "monitor",
    "parse",
    "sat",
    "translate",
    "valid",
]
