"""The pieces of a line of a heap script, and a cursor over them that says what it expected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from spec.script_words import RESERVED
from spec.statement import Pointer, ScriptError

_TOKEN = re.compile(
    r"""\s*(?: (?P<comment>\#.*) | (?P<number>0[xX][0-9a-fA-F]+|[0-9]+) | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z][A-Za-z0-9_]*)*) | (?P<mark>->|\.\.|[@\[\]=+!-]) | (?P<end>$)
    | (?P<bad>.))""",
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Token(NamedTuple):
    """A piece of a line: its kind (number, string, word, mark, end), its text, and its column from 1."""

    kind: str
    text: str
    column: int


class Cursor:
    """One line, read from left to right.

    source, number: where the line stands, for errors. names: of the blocks handed out so far.
    Every method that takes something raises ScriptError, with the column, when something else is there.
    """

    def __init__(self, line: str, source: str, number: int, names: set[str]) -> None:
        self.source = source
        self.number = number
        self.names = names
        self.tokens = list(self._split(line))
        self.place = 0

    def pointer(self) -> Pointer:
        """A pointer: a name with an offset or without, an address, or NULL."""
        token = self.peek()
        if token.kind == "number":
            return Pointer("", self.number_of("an address"))
        if token.text == "NULL":
            self.next()
            return Pointer()
        name = self.name("the name of a block, an address, or NULL")
        sign = self.peek().text
        if sign not in ("+", "-"):
            return Pointer(name)
        self.next()
        offset = self.number_of("an offset in bytes")
        return Pointer(name, offset if sign == "+" else -offset)

    def name(self, what: str) -> str:
        """The name of a block that has been handed out."""
        token = self.peek()
        name = self.identifier(what)
        if name not in self.names:
            self.fail(f"{what} that an earlier line names", token)
        return name

    def identifier(self, what: str) -> str:
        """The name of a block, known or new."""
        token = self.next()
        if token.kind != "word" or not _NAME.fullmatch(token.text) or token.text in RESERVED:
            reserved = f" ({token.text!r} is a word of the language)" if token.text in RESERVED else ""
            self.fail(f"{what}{reserved}", token)
        return token.text

    def signed(self, what: str) -> int:
        """A number with or without a minus sign."""
        negative = self.take_mark("-")
        value = self.number_of(what)
        return -value if negative else value

    def number_of(self, what: str) -> int:
        """A number, decimal or hexadecimal."""
        token = self.next()
        if token.kind != "number":
            self.fail(f"{what}, a number", token)
        return int(token.text, 0) if token.text[:2] in ("0x", "0X") else int(token.text)

    def peek(self, ahead: int = 0) -> Token:
        """The next token, which stays; behind the last one there is always an end."""
        return self.tokens[min(self.place + ahead, len(self.tokens) - 1)]

    def next(self) -> Token:
        """Take the next token."""
        token = self.peek()
        self.place += 1
        return token

    def take_word(self, text: str) -> bool:
        """Take the next token if it is this word; whether it was."""
        return self._take("word", text)

    def take_mark(self, text: str) -> bool:
        """Take the next token if it is this mark; whether it was."""
        return self._take("mark", text)

    def _take(self, kind: str, text: str) -> bool:
        found = self.peek()[:2] == (kind, text)
        self.place += found
        return found

    def expect_mark(self, text: str) -> None:
        """Take the mark that must come here."""
        token = self.next()
        if token[:2] != ("mark", text):
            self.fail(repr(text), token)

    def expect_end(self) -> None:
        """Nothing may be left."""
        token = self.peek()
        if token.kind != "end":
            self.fail("the end of the line", token)

    def fail(self, expected: str, token: Token) -> NoReturn:
        """Refuse `token`."""
        found = "the end of the line" if token.kind == "end" else repr(token.text)
        raise ScriptError(self.source, self.number, token.column, f"expected {expected}, found {found}")

    def _split(self, line: str) -> Iterator[Token]:
        for match in _TOKEN.finditer(line):
            kind = str(match.lastgroup)
            column = match.start(kind) + 1
            if kind == "bad":
                message = f"{match['bad']!r} is no part of a heap script"
                raise ScriptError(self.source, self.number, column, message)
            if kind in ("end", "comment"):
                break
            yield Token(kind, match[kind], column)
        yield Token("end", "", len(line.rstrip()) + 1)
