"""The rows of temporal logic vectors: each kind of file asks other questions about formulas and words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from m4alloc.vectors.row import Mismatch, Row, RowError, Skip
from spec.ltl import decide
from spec.ltl.classify import Classes, classify
from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.finite import ltl3, ltlf, rv_ltl
from spec.ltl.formula import Formula, negation
from spec.ltl.monitor import safety_monitor
from spec.ltl.parser import parse
from spec.ltl.translate import buchi, translate
from spec.ltl.word import Word

TOO_LARGE = "needs more states than the bound allows"

AUTOMATA = 9
"""Of formulas with more propositions no automaton is made only to be compared with what was found without one."""

Question = tuple[str, Callable[[], object]]
"""The field of a row that says what the reference answered, and the model's answer. A name with a comma is the field
before the comma, answered in another way. Where the reference has no answer (null) the model is not asked."""


def check(kind: str, row: Row) -> list[Mismatch] | Skip:
    """Every field of a row of such a file that the model answers otherwise; Skip when all is beyond the bounds.

    kind: formulas, lasso, ltl3, pairs or ltlf.  Raises: RowError for a field that is missing or cannot be.

    >>> check("ltlf", {"formula": "X p", "word": [["p"]], "ltlf": True})
    [Mismatch(field='ltlf', reference=True, model=False)]
    """
    try:
        asked = list(QUESTIONS[kind](row))
    except KeyError as missing:
        raise RowError(f"{kind} row without the field {missing}: it has {', '.join(row)}") from missing
    except (LogicError, ValueError, TypeError) as wrong:
        raise RowError(f"{kind} row that cannot be: {wrong}") from wrong
    fields = {name: name.partition(",")[0] for name, _ in asked}
    lacking = sorted({field for field in fields.values() if field not in row})
    if lacking:
        raise RowError(f"{kind} row without the field {', '.join(lacking)}: it has {', '.join(row)}")
    mismatches, answered, refused = [], 0, 0
    for name, answer in asked:
        reference = row[fields[name]]
        if reference is None and name not in NULL_IS_AN_ANSWER:
            continue
        try:
            model = answer()
        except TooLargeError:
            model = TooLargeError
        if model is TooLargeError:
            refused += 1
            continue
        answered += 1
        if model != reference:
            mismatches.append(Mismatch(name, reference, model))
    return Skip(TOO_LARGE) if refused and not answered else mismatches


NULL_IS_AN_ANSWER = frozenset({"decided_at"})
"""Fields in which null is what the reference answered."""


def _formulas(row: Row) -> Iterator[Question]:
    formula = parse(row["formula"])
    other = negation(formula)
    yield "sat", lambda: decide.satisfying(formula) is not None
    yield "valid", lambda: decide.satisfying(other) is None
    for name in Classes.__slots__:
        yield name, lambda name=name: _class(formula, name)  # type: ignore[misc]
    yield "monitor_states", lambda: safety_monitor(formula).states
    yield "neg_monitor_states", lambda: safety_monitor(other).states
    if len(formula.propositions) <= AUTOMATA:
        yield "sat, by the automata", lambda: _accepted(formula, decide.satisfying(formula), all)
        yield "valid, by the automata", lambda: _accepted(formula, decide.satisfying(other), any, or_none=True)


def _class(formula: Formula, name: str) -> object:
    value = getattr(classify(formula), name)
    return TooLargeError if value is None else value


def _accepted(
    formula: Formula, word: Word | None, how_many: Callable[[Iterator[bool]], bool], *, or_none: bool = False
) -> bool:
    """Whether all, or any, of the formula's automata accept the word; `or_none` when there is none."""
    if word is None:
        return or_none
    return how_many(automaton.accepts(word) for automaton in (translate(formula), buchi(formula)))


def _lasso(row: Row) -> Iterator[Question]:
    formula, word = parse(row["formula"]), _lasso_of(row)
    yield "accepts", lambda: holds(formula, word)
    yield "accepts, by the generalised automaton", lambda: translate(formula).accepts(word)
    yield "accepts, by the plain automaton", lambda: buchi(formula).accepts(word)


def _ltl3(row: Row) -> Iterator[Question]:
    formula, word = parse(row["formula"]), _finite(row["prefix"])
    yield "ltl3", lambda: ltl3(formula, word).truth.value
    yield "decided_at", lambda: ltl3(formula, word).letter
    yield "ltlf_strongX", lambda: ltlf(formula, word)
    yield "rvltl", lambda: rv_ltl(formula, word).value.replace("-", "_")


def _pairs(row: Row) -> Iterator[Question]:
    left, right = parse(row["left"]), parse(row["right"])
    yield "equivalent", lambda: decide.difference(left, right) is None
    yield "left_implies_right", lambda: decide.implies(left, right)
    yield "right_implies_left", lambda: decide.implies(right, left)
    if row["witness"] is not None:
        witness: Mapping[str, Any] = row["witness"]
        word = _lasso_of(witness)
        value = bool(witness["left"])
        # What the reference found must tell the formulas apart here, too.
        yield (
            "witness, by definition",
            lambda: witness if (holds(left, word), holds(right, word)) == (value, not value) else "tells nothing apart",
        )


def _ltlf(row: Row) -> Iterator[Question]:
    formula, word = parse(row["formula"]), _finite(row["word"])
    yield "ltlf", lambda: ltlf(formula, word)


def _lasso_of(row: Row) -> Word:
    word = Word.of(row["prefix"], row["cycle"])
    if word.finite:
        raise ValueError("the cycle is empty")
    return word


def _finite(letters: Iterable[Iterable[str]]) -> Word:
    word = Word.of(letters)
    if not word.prefix:
        raise ValueError("the word is empty")
    return word


QUESTIONS: Mapping[str, Callable[[Row], Iterator[Question]]] = MappingProxyType(
    {"formulas": _formulas, "lasso": _lasso, "ltl3": _ltl3, "pairs": _pairs, "ltlf": _ltlf}
)
"""What a row of each kind asks."""
