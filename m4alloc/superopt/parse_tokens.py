"""The words of LLVM's text: one logical line as tokens, read from left to right."""

from __future__ import annotations

import re
from typing import NamedTuple


class IrError(ValueError):
    """LLVM text that cannot be read, or a function that LLVM would refuse: where, why, and what would be right."""


class Token(NamedTuple):
    """One word: `kind` is "string", "local", "global", "metadata", "group", "comdat", "number", "word" or "sign", and
    "end" behind the last one."""

    kind: str
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>c?"[^"]*")
  | (?P<local>%(?:"[^"]*"|[-a-zA-Z$._0-9]+))
  | (?P<global>@(?:"[^"]*"|[-a-zA-Z$._0-9]+))
  | (?P<metadata>!(?:[-a-zA-Z$._0-9\\]+)?)
  | (?P<group>\#\d+)
  | (?P<comdat>\$(?:"[^"]*"|[-a-zA-Z$._0-9]+))
  | (?P<number>[a-z]?0x[0-9A-Za-z]+|-?\d+(?:\.\d+(?:[eE][-+]?\d+)?)?)
  | (?P<word>[a-zA-Z_][-\w.$]*)
  | (?P<sign>\.\.\.|.)
  )""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}
_END = Token("end", "", 0, 0)


def tokens(line: str) -> list[Token]:
    """The line cut into words; a comment ends it.

    >>> [token.text for token in tokens('%a = add nsw <2 x i8> %"b c", splat (i8 -1) ; why')]
    ['%a', '=', 'add', 'nsw', '<', '2', 'x', 'i8', '>', '%"b c"', ',', 'splat', '(', 'i8', '-1', ')']
    """
    found: list[Token] = []
    for match in _TOKEN.finditer(line):
        kind = match.lastgroup
        assert kind is not None
        start, end = match.span(kind)
        text = line[start:end]
        if text == ";":
            break
        if kind != "sign" or not text.isspace():
            found.append(Token(kind, text, start, end))
    return found


def unquoted(text: str) -> str:
    """A name without its sign and its quotes; escapes inside quotes stay as LLVM prints them.

    >>> unquoted('%"a b"'), unquoted("@f")
    ('a b', 'f')
    """
    name = text[1:]
    return name[1:-1] if name.startswith('"') else name


class Cursor:
    """A place in one line."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.tokens = tokens(line)
        self.at = 0
        self._ended = [*self.tokens, _END, _END]

    @property
    def token(self) -> Token:
        """The word here."""
        return self._ended[self.at]

    @property
    def is_done(self) -> bool:
        """Nothing remains."""
        return self.at >= len(self.tokens)

    def peek(self) -> Token:
        """The next word."""
        return self._ended[self.at + 1]

    def take(self) -> Token:
        """The word here, stepping over it."""
        token = self._ended[self.at]
        if token is _END:
            raise self.error("the line ends too early")
        self.at += 1
        return token

    def accept(self, text: str) -> bool:
        """Step over `text` where it stands here."""
        token = self._ended[self.at]
        if token.text == text and token.kind in {"word", "sign"}:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Step over `text`, which must stand here; IrError otherwise."""
        if not self.accept(text):
            raise self.error(f"{text!r} was expected, not {self.token.text!r}")

    def since(self, start: int) -> str:
        """The text from the word number `start` to before the word here, as it was written."""
        if start >= self.at:
            return ""
        return self.line[self.tokens[start].start : self.tokens[self.at - 1].end]

    def balanced(self) -> None:
        """Step over one word, or over a bracket and all it holds."""
        closing = _CLOSING.get(self.take().text)
        if closing is None:
            return
        while self.token.text != closing:
            self.balanced()
        self.take()

    def error(self, why: str) -> IrError:
        """The error to raise, which shows the line."""
        return IrError(f"{why}, in `{self.line.strip()}`")
