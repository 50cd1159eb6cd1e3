"""Reads formulas in the ASCII, SPIN, Spot and mathematical spellings, and words in the usual notation."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from lark import Lark, Token, Transformer, UnexpectedInput

from spec.ltl.error import LogicError
from spec.ltl.formula import FALSE, TRUE, Formula, Operator, conjunction, disjunction, make, negation, proposition
from spec.ltl.word import Letter, Word

UNARY = {
    "[]": Operator.ALWAYS,
    "□": Operator.ALWAYS,
    "G": Operator.ALWAYS,
    "<>": Operator.EVENTUALLY,
    "◇": Operator.EVENTUALLY,
    "F": Operator.EVENTUALLY,
    "X": Operator.NEXT,
    "X[!]": Operator.NEXT,
    "○": Operator.NEXT,
    "◯": Operator.NEXT,
    "N": Operator.WEAK_NEXT,
    "Y": Operator.YESTERDAY,
    "●": Operator.YESTERDAY,
    "Z": Operator.WEAK_YESTERDAY,
    "O": Operator.ONCE,
    "H": Operator.HISTORICALLY,
}
BINARY = {
    "U": Operator.UNTIL,
    "𝒰": Operator.UNTIL,
    "W": Operator.WEAK_UNTIL,
    "𝒲": Operator.WEAK_UNTIL,
    "R": Operator.RELEASE,
    "V": Operator.RELEASE,
    "ℛ": Operator.RELEASE,
    "M": Operator.STRONG_RELEASE,
    "ℳ": Operator.STRONG_RELEASE,
    "S": Operator.SINCE,
    "𝒮": Operator.SINCE,
    "T": Operator.TRIGGER,
}
RESERVED = frozenset({*filter(str.isalpha, UNARY), *filter(str.isalpha, BINARY), "true", "false"})
"""Words that are no proposition unless quoted."""


class _Build(Transformer[Token, Formula]):
    """Makes formulas as the parser reduces, so that the nesting of a text is bounded by memory alone."""

    def start(self, items: list[Formula]) -> Formula:
        return items[0]

    def true(self, items: list[Token]) -> Formula:
        return TRUE

    def false(self, items: list[Token]) -> Formula:
        return FALSE

    def name(self, items: list[Token]) -> Formula:
        return proposition(str(items[0]))

    def quoted(self, items: list[Token]) -> Formula:
        return proposition(str(items[0])[1:-1])

    def unary(self, items: list[Formula | Token]) -> Formula:
        sign, operand = items
        assert isinstance(operand, Formula)
        return (
            negation(operand) if isinstance(sign, Token) and sign.type == "NOT" else make(UNARY[str(sign)], (operand,))
        )

    def binary(self, items: list[Formula | Token]) -> Formula:
        left, sign, right = items
        assert isinstance(left, Formula) and isinstance(right, Formula)
        return make(BINARY[str(sign)], (left, right))

    def conjunction(self, items: list[Formula | Token]) -> Formula:
        return conjunction(*(item for item in items if isinstance(item, Formula)))

    def disjunction(self, items: list[Formula | Token]) -> Formula:
        return disjunction(*(item for item in items if isinstance(item, Formula)))

    def implication(self, items: list[Formula | Token]) -> Formula:
        return make(Operator.IMPLIES, tuple(item for item in items if isinstance(item, Formula)))

    def equivalence(self, items: list[Formula | Token]) -> Formula:
        return make(Operator.IFF, tuple(item for item in items if isinstance(item, Formula)))


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    text = Path(__file__).with_name("formula.lark").read_text(encoding="utf-8")
    # The basic lexer: an operator is one wherever it stands, even where only a name would be right.
    return Lark(text, parser="lalr", lexer="basic", transformer=_Build(), maybe_placeholders=False)


def parse(text: str) -> Formula:
    """The formula that `text` spells.

    Names are letters, digits and underscores, or anything in double quotes; a capital letter of G F X N U W R V M Y Z O
    H S T alone is an operator.
    Raises: LogicError, with the place and what would be right there.  Cost: linear in the text.

    >>> parse("G(p => F q)") is parse("[](p -> <>q)") is parse("□(p → ◇q)")
    True
    >>> parse("p U q U r"), parse("a && b || c")
    (p U (q U r), (a && b) || c)
    >>> parse("[](p -> <>)")
    Traceback (most recent call last):
    spec.ltl.error.LogicError: line 1, column 11: a formula is missing before `)`
      [](p -> <>)
                ^
    """
    if not text.strip():
        raise LogicError("the formula is empty; `true` is the formula that holds of everything")
    try:
        formula = _grammar().parse(text)
    except UnexpectedInput as error:
        raise _explained(text, error) from None
    assert isinstance(formula, Formula)
    return formula


def _explained(text: str, error: UnexpectedInput) -> LogicError:
    position = error.pos_in_stream if error.pos_in_stream is not None and error.pos_in_stream >= 0 else len(text)
    token = getattr(error, "token", None)
    if token is None:
        quoted = "; such a name goes in double quotes" if text[position].isalpha() else ""
        return LogicError.at(text, position, f"{text[position]!r} is no part of a formula{quoted}")
    assert isinstance(token, Token)
    ended = token.type == "$END"
    if ended:
        position = len(text.rstrip())
    accepts: set[str] = getattr(error, "accepts", None) or getattr(error, "expected", None) or set()
    if "NAME" in accepts:
        what = "the formula ends where an operand is missing" if ended else f"a formula is missing before `{token}`"
    elif ended:
        what = "the formula ends before a parenthesis is closed"
    elif token.type == "RPAR":
        what = "this parenthesis closes none that is open"
    else:
        what = f"an operator is missing before `{token}`"
    return LogicError.at(text, position, what)


_CYCLE = re.compile(r"cycle\s*\{")
_LITERAL = re.compile(r'\s*([!~¬]?)\s*(?:((?:true|false)(?!\w)|[10⊤⊥])|([A-Za-z_]\w*)|"([^"\n]+)")\s*')
_QUOTED = re.compile(r'"[^"\n]+"')


def parse_word(text: str) -> Word:
    """The word that `text` spells: letters between semicolons, a `cycle{...}` last, without which the word is finite.

    A letter is a conjunction of literals, or `1` (or `true`), the empty letter; a proposition that is not named is
    false, so that `!p` only says so. Names are those of `parse`, except that capital letters need no quotes here.
    Raises: LogicError.

    >>> parse_word("a; b & !c; cycle{a&b; 1}")
    a; b; cycle{a&b; 1}
    >>> parse_word("a; cycle{}")
    Traceback (most recent call last):
    spec.ltl.error.LogicError: line 1, column 10: the cycle is empty; a word without one is finite
      a; cycle{}
               ^
    """
    shape = _QUOTED.sub(lambda name: f'"{"_" * (len(name[0]) - 2)}"', text)  # what is quoted separates nothing
    opened = _CYCLE.search(shape)
    if not opened:
        if not text.strip():
            raise LogicError(
                "the word is empty; it has one letter at least, and `1` is the letter in which nothing is true"
            )
        return Word(tuple(_letters(text, shape, 0, len(text))))
    closed = shape.find("}", opened.end())
    if closed < 0:
        raise LogicError.at(text, len(text), "the word ends before its cycle is closed; `}` would be right")
    if text[closed + 1 :].strip(" \t\n;"):
        raise LogicError.at(text, closed + 1, "a word ends with its cycle")
    if not text[opened.end() : closed].strip():
        raise LogicError.at(text, closed, "the cycle is empty; a word without one is finite")
    head = text[: opened.start()].rstrip()
    if head and not head.endswith(";"):
        raise LogicError.at(text, opened.start(), "`;` is missing before the cycle")
    prefix = list(_letters(text, shape, 0, len(head) - 1)) if head else []
    return Word(tuple(prefix), tuple(_letters(text, shape, opened.end(), closed)))


def _letters(text: str, shape: str, start: int, end: int) -> list[Letter]:
    letters, position = [], start
    for part in shape[start:end].split(";"):
        letters.append(_letter(text, position, position + len(part)))
        position += len(part) + 1
    return letters


def _letter(text: str, start: int, end: int) -> Letter:
    true, false = set[str](), set[str]()
    position = start
    while True:
        literal = _LITERAL.match(text, position, end)
        if not literal:
            raise LogicError.at(
                text, min(position, len(text)), "a letter is missing; `p & q`, `!p` and `1` are letters"
            )
        sign, constant, name, quoted = literal.groups()
        if constant and (sign or constant in ("0", "⊥", "false")):
            raise LogicError.at(
                text, literal.start(2), "a letter cannot be false; `1` is the letter in which nothing is true"
            )
        if not constant:
            (false if sign else true).add(name or quoted)
        if both := true & false:
            raise LogicError.at(text, literal.start(), f"`{both.pop()}` is true and false in one letter")
        position = literal.end()
        if position >= end:
            return frozenset(true)
        if text[position] not in "&∧":
            raise LogicError.at(text, position, f"{text[position]!r} is no part of a letter; `&` joins, `;` separates")
        position += 2 if text.startswith("&&", position) else 1
