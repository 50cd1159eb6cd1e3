"""Reading heap scripts: text to steps, with line, column and what was expected in every error.

The grammar is published in docs/heap-script.md; a test holds this reader and that grammar equal.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from spec.contract import MISUSES, PROMISES, RULES
from spec.event import Event, Function
from spec.script_tokens import Cursor, Token
from spec.script_words import (
    BINDING,
    ERRORS,
    FLAGS,
    NUMBERS,
    OBSERVABLE,
    OPERANDS,
    REPLYING,
    SETTINGS,
    WORDS,
)
from spec.standard import contract
from spec.statement import ABOUT_BLOCK, ABOUT_CALL, ABOUT_PAIR, Claim, Pointer, Script, Settings, Step


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


class _Line(Cursor):
    """One line, and what it says."""

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
        elif word in ERRORS:
            fields["errno"] = ERRORS[word]
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

    def _promises(self, settings: dict[str, Any]) -> None:
        settings["promises"] = self._words("promises", PROMISES)

    def _arena(self, settings: dict[str, Any]) -> None:
        settings["arena"] = self.number_of("the first address"), self.number_of("the first address behind the arena")

    def _page(self, settings: dict[str, Any]) -> None:
        settings["page"] = self.number_of("the bytes of a page")

    def _observes(self, settings: dict[str, Any]) -> None:
        settings["observes"] = sum(OBSERVABLE[word] for word in self._words("observes", OBSERVABLE))

    def _words(self, setting: str, known: Collection[str]) -> frozenset[str]:
        """One word or several, each of those `known`."""
        words: set[str] = set()
        while not words or self.peek().kind == "word":
            token = self.next()
            if token.text not in known:
                self.fail(f"what {setting!r} takes: {', '.join(sorted(known))}", token)
            words.add(token.text)
        return frozenset(words)
