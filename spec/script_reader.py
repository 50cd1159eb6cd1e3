"""Reading heap scripts: text to steps, with line, column and what was expected in every error.

The grammar is published in docs/heap-script.md; a test holds this reader and that grammar equal.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from spec.contract import MISUSES, RULES
from spec.event import ALLOCATING, ERRNO_CHANGED, MISUSE_CAUGHT, RESIZING, Event, Function
from spec.standard import contract
from spec.statement import ABOUT_BLOCK, ABOUT_CALL, ABOUT_PAIR, Claim, Pointer, Script, ScriptError, Settings, Step

FLAGS = {"errno-changed": ERRNO_CHANGED, "misuse-caught": MISUSE_CAUGHT}
OBSERVABLE = {"errno": ERRNO_CHANGED, "misuse": MISUSE_CAUGHT}
OPERANDS: dict[Function, tuple[str, ...]] = {
    Function.MALLOC: ("size",),
    Function.CALLOC: ("count", "size"),
    Function.REALLOC: ("pointer", "size"),
    Function.REALLOCARRAY: ("pointer", "count", "size"),
    Function.FREE: ("pointer",),
    Function.ALIGNED_ALLOC: ("alignment", "size"),
    Function.MEMALIGN: ("alignment", "size"),
    Function.POSIX_MEMALIGN: ("alignment", "size"),
    Function.VALLOC: ("size",),
    Function.PVALLOC: ("size",),
    Function.USABLE_SIZE: ("pointer",),
    Function.FREE_SIZED: ("pointer", "size"),
    Function.FREE_ALIGNED_SIZED: ("pointer", "alignment", "size"),
    Function.NEW: ("size",),
    Function.DELETE: ("pointer",),
    Function.LOAD: ("pointer", "offset", "size"),
    Function.STORE: ("pointer", "offset", "size"),
    Function.FILL: ("pointer", "byte"),
    Function.LABEL: ("text",),
}
"""The operands of each function, in the order of its C prototype."""
WORDS = {function.name.lower(): function for function in OPERANDS}
NUMBERS = ("size", "count", "alignment", "usable", "intact", "site", "flags", "result", "errno")
"""Attributes that are numbers, by the name of the event's field."""
REPLYING = ALLOCATING | RESIZING | {Function.USABLE_SIZE}
BINDING = ALLOCATING | RESIZING

SETTINGS = ("standard", "quarantine", "arena", "page", "observes")
RESERVED = frozenset(
    {*WORDS, *NUMBERS, *ABOUT_CALL, *ABOUT_PAIR, *ABOUT_BLOCK, "NULL", "address", "label", "given", "expect"}
)
"""Words that name no block."""

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


def parse(text: str, source: str = "<script>") -> Script:
    """Read a script.

    source: what errors call it, usually a file name.
    Raises: ScriptError at the first thing that cannot be read.  Cost: O(length).

    >>> parse("a = malloc 24\\nfree a  # and again\\nfree a ! misuse double-free a").steps[2].claims
    (Claim(kind='misuse', words=('double-free',), pointer=Pointer(name='a', offset=0), line=3, column=10),)
    >>> parse("a = malloc big")
    Traceback (most recent call last):
    spec.statement.ScriptError: <script>:1:12: expected the size, a number, found 'big'
    """
    settings: dict[str, Any] = {}
    steps: list[Step] = []
    names: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        reader = _Line(line, source, number, names)
        step = reader.read(settings, started=bool(steps))
        if step is not None:
            steps.append(step)
    return Script(tuple(steps), Settings(**settings), source)


class _Line:
    """One line, read from left to right. names: of the blocks handed out so far."""

    def __init__(self, line: str, source: str, number: int, names: set[str]) -> None:
        self.source = source
        self.number = number
        self.names = names
        self.tokens = list(self._split(line))
        self.place = 0

    def read(self, settings: dict[str, Any], *, started: bool) -> Step | None:
        """The step of this line; None for an empty one, and for `given`, which adds to `settings`."""
        token = self.peek()
        if token.kind == "end":
            return None
        if self.take_word("given"):
            if started:
                self.fail("'given' before the first step", token)
            self._given(settings)
            step = None
        elif self.take_word("expect"):
            claim = self._claim()
            if claim.kind in ABOUT_CALL:
                wrong = f"a claim about a block; {claim.kind!r} is about a call and stands on its line, after '!'"
                self.fail(wrong, Token("word", claim.kind, claim.column))
            step = Step(None, claims=(claim,), line=self.number)
        else:
            step = self._step()
        self.expect_end()
        return step

    # A step.

    def _step(self) -> Step:
        fields: dict[str, Any] = {}
        if self.take_mark("@"):
            fields["thread"] = self.number_of("a thread number")
        if self.take_mark("["):
            fields["begin"] = self.number_of("the number at which the call began")
            self.expect_mark("..")
            fields["end"] = self.number_of("an end number") if self.peek().kind == "number" else 0
            self.expect_mark("]")
        name = ""
        bound = self.peek()
        if self.peek(1).text == "=":
            name = self.identifier("a name for the block")
            self.expect_mark("=")
        token = self.next()
        function = WORDS.get(token.text) if token.kind == "word" else None
        if function is None:
            self.fail("a function, a label, 'expect' or 'given'", token)
        if name and function not in BINDING:
            self.fail(f"no name: {token.text} hands out no block", bound)
        fields["function"] = function
        pointer = self._operands(function, fields)
        replied = self._reply(function, fields)
        whole = function == Function.FILL and "size" not in fields
        if whole and not (pointer and pointer.name and not pointer.offset):
            self.fail("'size' and the bytes to fill, or a whole block by its name", self.peek())
        if name:
            self.names.add(name)
        claims = []
        while self.take_mark("!"):
            claims.append(self._claim())
        event = Event(**fields)
        return Step(event, name, pointer, replied, whole, tuple(claims), self.number)

    def _operands(self, function: Function, fields: dict[str, Any]) -> Pointer | None:
        pointer = None
        for operand in OPERANDS[function]:
            if operand == "pointer":
                pointer = self.pointer()
            elif operand == "offset":
                assert pointer is not None
                pointer = Pointer(pointer.name, pointer.offset + self.number_of("the offset in bytes"))
            elif operand == "byte":
                fields["result"] = self._byte()
            elif operand == "text":
                fields["label"] = self._text()
            else:
                fields[operand] = self.number_of(f"the {operand}")
        return pointer

    def _reply(self, function: Function, fields: dict[str, Any]) -> bool:
        """The reply and the attributes; whether there was a reply."""
        replied = self.peek().text == "->"
        if replied:
            arrow = self.next()
            if function not in REPLYING:
                self.fail(f"no reply: {function.name.lower()} returns nothing", arrow)
            fields["result"] = 0 if self.take_word("NULL") else self.number_of("NULL or an address")
        while self.peek().kind == "word":
            self._attribute(fields)
        return replied

    def _attribute(self, fields: dict[str, Any]) -> None:
        token = self.next()
        word = token.text
        if word in FLAGS:
            fields["flags"] = fields.get("flags", 0) | FLAGS[word]
        elif word in _ERRORS:
            fields["errno"] = _ERRORS[word]
        elif word == "address":
            fields["address"] = 0 if self.take_word("NULL") else self.number_of("an address")
        elif word == "label":
            fields["label"] = self._text()
        elif word in NUMBERS:
            fields[word] = self.signed(f"the {word}")
        else:
            self.fail("an attribute, a claim after '!', or the end of the line", token)

    def _byte(self) -> int:
        token = self.peek()
        value = self.number_of("a byte")
        if value > 255:
            self.fail("a byte, at most 0xff", token)
        return value

    def _text(self) -> str:
        token = self.next()
        if token.kind == "word":
            return token.text
        if token.kind != "string":
            self.fail('a label, a word or a text in "..."', token)
        try:
            return str(json.loads(token.text))
        except json.JSONDecodeError as error:
            self.fail(f"a text with the escapes of JSON ({error.msg})", token)

    # Claims and settings.

    def _claim(self) -> Claim:
        first = self.peek()
        words: tuple[str, ...]
        if first.text in ABOUT_CALL:
            self.next()
            words = () if first.text == "caught" else (self._charge(first.text),)
            says_where = first.text == "misuse" and self.peek().kind in ("word", "number")
            return Claim(first.text, words, self.pointer() if says_where else None, self.number, first.column)
        if first.text in ABOUT_PAIR:
            self.next()
            kind, words = first.text, (self.name("a block"), self.name("another block"))
        else:
            name = self.name("a claim: misuse, violates, caught, disjoint, same, or the name of a block")
            token = self.next()
            kind, words = token.text, (name,)
            if kind not in ABOUT_BLOCK:
                self.fail("live, dead, null or aligned", token)
            if kind == "aligned":
                words = (name, str(self.number_of("an alignment in bytes")))
        return Claim(kind, words, None, self.number, first.column)

    def _charge(self, kind: str) -> str:
        """What a claim about a call says was done: a kind of misuse, or a rule."""
        token = self.next()
        if token.text not in (RULES if kind == "violates" else MISUSES):
            known = "the name of a rule of the contract" if kind == "violates" else f"one of {', '.join(MISUSES)}"
            self.fail(known, token)
        return token.text

    def _given(self, settings: dict[str, Any]) -> None:
        token = self.next()
        if token.text not in SETTINGS:
            self.fail(f"one of {', '.join(SETTINGS)}", token)
        getattr(self, f"_{token.text}")(settings)

    def _standard(self, settings: dict[str, Any]) -> None:
        names: list[str] = []
        while not names or self.peek().kind == "word":
            token = self.next()
            try:
                contract(token.text)
            except ValueError as error:
                self.fail(f"the name of a standard ({error})", token)
            names.append(token.text)
        settings["standard"] = ",".join(names)

    def _quarantine(self, settings: dict[str, Any]) -> None:
        settings["quarantine"] = self.number_of("a number of frees")
        if self.take_word("limit"):
            settings["quarantine_limit"] = self.number_of("the largest usable size it applies to")

    def _arena(self, settings: dict[str, Any]) -> None:
        settings["arena"] = self.number_of("the first address"), self.number_of("the first address behind the arena")

    def _page(self, settings: dict[str, Any]) -> None:
        settings["page"] = self.number_of("the bytes of a page")

    def _observes(self, settings: dict[str, Any]) -> None:
        seen = 0
        while not seen or self.peek().kind == "word":
            token = self.next()
            if token.text not in OBSERVABLE:
                self.fail(f"{' or '.join(OBSERVABLE)}", token)
            seen |= OBSERVABLE[token.text]
        settings["observes"] = seen

    # Tokens.

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


_ERRORS = {name: number for number, name in errno.errorcode.items()}
