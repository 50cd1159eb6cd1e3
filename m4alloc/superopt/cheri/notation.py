"""Terms as text: `set(set(c, n), n)`, `addr(c) + i`, `tag(c) and not sealed(c)`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from m4alloc.superopt.cheri.term import (
    INFIX,
    OPERATORS,
    POLYMORPHIC,
    Let,
    Number,
    Sort,
    Term,
    TermError,
    Variable,
    apply,
)

_TOKEN = re.compile(r"\s*(?:(0x[0-9a-fA-F]+|\d+)|([A-Za-z_][\w.]*)|(==|!=|<=|>=|[-+&|^<>(),]))")
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"or"}),
    frozenset({"and"}),
    frozenset({"==", "!=", "<", "<=", ">", ">="}),
    frozenset({"|"}),
    frozenset({"^"}),
    frozenset({"&"}),
    frozenset({"+", "-"}),
)
"""Infix operators, the loosest first, as in Python."""
_LOGIC: Mapping[str, str] = {"or": "any", "and": "all"}
_WORDS: Mapping[str, str] = {"any": "or", "all": "and"}


class _Call(NamedTuple):
    """An operator before sorts are known."""

    operator: str
    operands: tuple[_Tree, ...]


_Tree: TypeAlias = "str | int | _Call"


def parsed(text: str, sorts: Mapping[str, Sort] | None = None) -> Term:
    """The term that the text says; the sorts of variables follow from where they stand, or are given.

    Raises TermError with the column of what is wrong.

    >>> unparsed(parsed("set(inc(c, 8), n & 0xff)"))
    'set(inc(c, 8), n & 255)'
    >>> parsed("set(c, n")
    Traceback (most recent call last):
    m4alloc.superopt.cheri.term.TermError: set(c, n: column 9: ) expected, and the text ends
    """
    return _parsed(text, tuple(sorted((sorts or {}).items(), key=lambda item: item[0])))


@lru_cache(maxsize=1 << 12)
def _parsed(text: str, given: tuple[tuple[str, Sort], ...]) -> Term:
    reader = _Reader(text)
    tree = reader.infix(0)
    reader.end()
    known = dict(given)
    for _ in range(4):  # a sort travels at most from one arm of a choice to the other, and to a let's body
        before = dict(known)
        _infer(tree, None, known)
        if known == before:
            break
    return _built(tree, known, text)


class _Reader:
    """A recursive descent over the tokens."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, int]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise TermError(f"{text}: column {at + 1}: {text[at:].strip()[:1]!r} begins no token")
            self.tokens.append((match.group(match.lastindex or 0), match.start(match.lastindex or 0)))
            at = match.end()
        self.next = 0

    def peek(self) -> str:
        return self.tokens[self.next][0] if self.next < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.next += 1
        return token

    def fail(self, wanted: str) -> TermError:
        found = f"{self.peek()!r} stands there" if self.peek() else "the text ends"
        column = self.tokens[self.next][1] if self.peek() else len(self.text)
        return TermError(f"{self.text}: column {column + 1}: {wanted} expected, and {found}")

    def expect(self, token: str) -> None:
        if self.peek() != token:
            raise self.fail(token)
        self.next += 1

    def end(self) -> None:
        if self.peek():
            raise self.fail("the end")

    def infix(self, level: int) -> _Tree:
        if level == len(_LEVELS):
            return self.prefix()
        left = self.infix(level + 1)
        while self.peek() in _LEVELS[level]:
            operator = self.take()
            left = _Call(_LOGIC.get(operator, operator), (left, self.infix(level + 1)))
        return left

    def prefix(self) -> _Tree:
        token = self.peek()
        if token == "not":
            self.take()
            return _Call("not", (self.infix(2),))
        if token == "-":
            self.take()
            operand = self.prefix()
            return -operand if isinstance(operand, int) else _Call("-", (0, operand))
        if token == "(":
            self.take()
            inner = self.infix(0)
            self.expect(")")
            return inner
        if token[:1].isdigit():
            return int(self.take(), 0)
        if not (token[:1].isalpha() or token[:1] == "_"):
            raise self.fail("a term")
        name = self.take()
        if self.peek() != "(":
            return _Call(name, ()) if name in ("true", "false") else name
        self.take()
        operands: list[_Tree] = []
        while self.peek() != ")":
            operands.append(self.infix(0))
            if self.peek() != ")":
                if self.peek() != ",":
                    raise self.fail(")")
                self.take()
        self.take()
        return _Call(name, tuple(operands))


def _infer(tree: _Tree, expected: Sort | None, known: dict[str, Sort]) -> Sort | None:
    """The sort of the tree, as far as it is known; what it tells of variables goes into `known`."""
    if isinstance(tree, int):
        return Sort.INT
    if isinstance(tree, str):
        if expected is not None:
            known.setdefault(tree, expected)
        return known.get(tree)
    operator, operands = tree
    if operator == "let" and len(operands) == 3 and isinstance(operands[0], str):
        bound = _infer(operands[1], known.get(operands[0]), known)
        if bound is not None:
            known.setdefault(operands[0], bound)
        return _infer(operands[2], expected, known)
    if operator in OPERATORS:
        for operand, sort in zip(operands, OPERATORS[operator].operands, strict=False):
            _infer(operand, sort, known)
        return OPERATORS[operator].result
    if operator in ("if", "select") and len(operands) == 3:
        _infer(operands[0], Sort.BOOL, known)
        both = _infer(operands[1], expected, known) or _infer(operands[2], expected, known)
        for operand in operands[1:]:
            _infer(operand, both, known)
        return both
    last: Sort | None = None
    for number, operand in enumerate(operands):
        last = _infer(operand, expected if operator == "do" and number == len(operands) - 1 else None, known)
    return Sort.TUPLE if operator == "tuple" else last


def _built(tree: _Tree, known: Mapping[str, Sort], text: str) -> Term:
    if isinstance(tree, int):
        return Number(tree)
    if isinstance(tree, str):
        if tree not in known:
            raise TermError(f"{text}: nothing says whether {tree} is a cap, an int or a bool; give its sort")
        return Variable(tree, known[tree])
    operator, operands = tree
    try:
        if operator == "let":
            if len(operands) != 3 or not isinstance(operands[0], str):
                raise TermError("let takes a name, what it stands for, and the term that may use it")
            return Let(operands[0], _built(operands[1], known, text), _built(operands[2], known, text))
        if operator not in OPERATORS and operator not in POLYMORPHIC:
            raise TermError(f"there is no operator {operator}")
        return apply(operator, *(_built(operand, known, text) for operand in operands))
    except TermError as error:
        message = str(error)
        raise TermError(message if message.startswith(text) else f"{text}: {message}") from None


def unparsed(term: Term) -> str:
    """The text of a term, which `parsed` reads as the same term.

    >>> unparsed(parsed("not (tag(c) and addr(c) + 1 < 2 - (n - m))"))
    'not (tag(c) and addr(c) + 1 < 2 - (n - m))'
    """
    return _text(term, 0)


def _text(term: Term, level: int) -> str:
    if isinstance(term, Number):
        return str(term.value) if -4096 < term.value < 4096 else hex(term.value)
    if isinstance(term, Variable):
        return term.name
    if isinstance(term, Let):
        return f"let({term.name}, {_text(term.bound, 0)}, {_text(term.body, 0)})"
    word = _WORDS.get(term.operator, term.operator)
    if term.operator in INFIX or term.operator in _WORDS:
        own = next(number for number, names in enumerate(_LEVELS) if word in names)
        left, right = term.operands
        text = f"{_text(left, own)} {word} {_text(right, own + 1)}"
        return f"({text})" if own < level else text
    if term.operator == "not":
        text = f"not {_text(term.operands[0], 2)}"
        return f"({text})" if level > 2 else text
    if term.operator in ("true", "false"):
        return term.operator
    return f"{term.operator}({', '.join(_text(operand, 0) for operand in term.operands)})"
