"""Reads models: text to tree to program, with the place and what would be right in every error."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, Tree, UnexpectedInput
from lark.exceptions import VisitError
from lark.tree import Meta
from lark.visitors import v_args

from spec.ltl.error import TooLargeError
from spec.model import syntax
from spec.model.lower import lower
from spec.model.program import Program
from spec.model.syntax import KEYWORDS, ModelError, PlacedError, Target

MOST_DEPTH = 150
"""Parts of a model inside one another."""


def read(text: str, source: str = "") -> Program:
    """The program that a model's text means.

    source: what errors call the text, usually a file name.
    Raises: ModelError, with the place and what would be right there; TooLargeError when unrolling it takes more cells
    or commands than the bounds of `spec.model.lower`.  Cost: linear in the unrolled text.

    >>> program = read("model flip var up: bool process p { loop { up = !up } }")
    >>> [cell.name for cell in program.cells], [command.text for command in program.commands]
    (['up', 'p@'], ['up = !up'])
    >>> read("model flip var up: bool process p { loop { up = up + 1 } }")
    Traceback (most recent call last):
    spec.model.syntax.ModelError: line 1, column 49: `+` takes numbers, and `up` is a bool
    """
    return lower(read_tree(text, source), text, source)


def read_file(path: Path | str) -> Program:
    """The program that the model in a file means; see `read`.  Raises: OSError also."""
    return read(Path(path).read_text(encoding="utf-8"), str(path))


def read_tree(text: str, source: str = "") -> syntax.Tree:
    """The tree of a model's text; the names in it need not mean anything yet.

    Raises: ModelError; TooLargeError.  Cost: linear in the text.
    """
    try:
        parsed = _grammar().parse(text)
    except UnexpectedInput as error:
        raise _explained(text, source, error) from None
    _refuse_deep(parsed)
    try:
        tree = _Build().transform(parsed)
    except VisitError as error:
        if not isinstance(error.orig_exc, PlacedError):
            raise
        raise ModelError.at(text, error.orig_exc.position, error.orig_exc.message, source) from None
    assert isinstance(tree, syntax.Tree)
    return tree


def _refuse_deep(parsed: Tree[Token]) -> None:
    """What follows is recursive."""
    waiting: list[tuple[Tree[Token], int]] = [(parsed, 0)]
    while waiting:
        tree, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise TooLargeError(f"parts of the model nest more than MOST_DEPTH = {MOST_DEPTH} deep")
        waiting.extend((child, depth + 1) for child in tree.children if isinstance(child, Tree))


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    text = Path(__file__).with_name("model.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", maybe_placeholders=False, propagate_positions=True)


Items = list[Any]
Parts = tuple[Any, ...]


def _texts(items: Items) -> Items:
    """The parts of a rule, with names as plain strings."""
    return [str(item) if isinstance(item, Token) else item for item in items]


@v_args(meta=True)
class _Build(Transformer[Token, Any]):
    """Makes our tree of the parser's; a method is named after the rule it is for."""

    def start(self, meta: Meta, items: Items) -> syntax.Tree:
        return syntax.Tree(str(items[0]), tuple(items[1:]), at=meta.start_pos)

    # Declarations.

    def constant(self, meta: Meta, items: Items) -> syntax.ConstantOf:
        return syntax.ConstantOf(*_texts(items), at=items[0].start_pos)

    def variable(self, meta: Meta, items: Items) -> syntax.Variable:
        name, of, *initial = items
        dimensions, kind = of if isinstance(of, tuple) else ((), of)
        return syntax.Variable(str(name), kind, dimensions, *initial, at=name.start_pos)

    def array(self, meta: Meta, items: Items) -> Parts:
        return tuple(items)

    def initial(self, meta: Meta, items: Items) -> Any:
        return items[0]

    list = indices = initial

    def values(self, meta: Meta, items: Items) -> Parts:
        return tuple(items)

    targets = body = locals = values

    def channel(self, meta: Meta, items: Items) -> syntax.Channel:
        name, *brackets = (item for item in items if not isinstance(item, syntax.Node))
        types = tuple(item for item in items if isinstance(item, syntax.Boolean | syntax.Span | syntax.Group))
        capacity = brackets[-1]
        if len(capacity) != 1:
            raise PlacedError(name.start_pos, "a channel has one capacity, which stands last in brackets")
        return syntax.Channel(str(name), capacity[0], types, *brackets[:-1], at=name.start_pos)

    def track(self, meta: Meta, items: Items) -> syntax.Track:
        return syntax.Track(*_texts(items), at=items[0].start_pos)

    def process(self, meta: Meta, items: Items) -> syntax.ProcessOf:
        tokens = [item for item in items if isinstance(item, Token)]
        words = {token.type for token in tokens}
        name = next(token for token in tokens if token.type == "NAME")
        *parameter, variables, body = (item for item in items if not isinstance(item, Token))
        index, over = parameter[0] if parameter else ("", None)
        symmetric, fair = "SYMMETRIC" in words, "FAIR" in words
        return syntax.ProcessOf(str(name), body, variables, index, over, symmetric, fair, at=name.start_pos or 0)

    def parameter(self, meta: Meta, items: Items) -> Any:
        return str(items[0]), items[1]

    def predicate(self, meta: Meta, items: Items) -> syntax.Predicate:
        return syntax.Predicate(*_texts(items), at=items[0].start_pos)

    def property(self, meta: Meta, items: Items) -> syntax.Formal:
        name, *of, formula = items
        text = str(formula).rstrip()
        at = formula.start_pos
        if text.startswith("{"):
            text, at = text[1:-1], at + 1
        at += len(text) - len(text.lstrip())
        return syntax.Formal(str(name), text.strip(), of[0] if of else "", False, at, at=name.start_pos)

    def assumption(self, meta: Meta, items: Items) -> syntax.Formal:
        return replace(self.property(meta, items), assumed=True)

    def of(self, meta: Meta, items: Items) -> str:
        return str(items[0])

    # Types.

    def boolean(self, meta: Meta, items: Items) -> syntax.Boolean:
        return syntax.Boolean(at=meta.start_pos)

    def span(self, meta: Meta, items: Items) -> syntax.Span:
        return syntax.Span(*items, at=meta.start_pos)

    def group(self, meta: Meta, items: Items) -> syntax.Group:
        return syntax.Group(str(items[0]), at=meta.start_pos)

    # Statements.

    def located(self, meta: Meta, items: Items) -> syntax.Located:
        *stay, name, statement = items
        return syntax.Located(str(name), statement, bool(stay), at=name.start_pos)

    def skip(self, meta: Meta, items: Items) -> syntax.Skip:
        return syntax.Skip(at=meta.start_pos)

    def stop(self, meta: Meta, items: Items) -> syntax.Stop:
        return syntax.Stop(at=meta.start_pos)

    def leave(self, meta: Meta, items: Items) -> syntax.Leave:
        return syntax.Leave(at=meta.start_pos)

    def goto(self, meta: Meta, items: Items) -> syntax.Goto:
        return syntax.Goto(str(items[0]), at=items[0].start_pos)

    def wait(self, meta: Meta, items: Items) -> syntax.Wait:
        return syntax.Wait(items[0], at=meta.start_pos)

    def claim(self, meta: Meta, items: Items) -> syntax.Claim:
        return syntax.Claim(items[0], at=meta.start_pos)

    def label(self, meta: Meta, items: Items) -> syntax.Label:
        return syntax.Label(str(items[0]), *items[1:], at=items[0].start_pos)

    def arguments(self, meta: Meta, items: Items) -> Any:
        return items[0] if items else ()

    def assign(self, meta: Meta, items: Items) -> syntax.Set:
        return syntax.Set(*items, at=meta.start_pos)

    def pick(self, meta: Meta, items: Items) -> syntax.Pick:
        targets, over = items
        if len(targets) > 1:
            raise PlacedError(targets[1].at, "`any` chooses one value at a time; two statements would be right")
        return syntax.Pick(targets[0], over, at=meta.start_pos)

    def send(self, meta: Meta, items: Items) -> syntax.Send:
        return syntax.Send(*items, at=meta.start_pos)

    def receive(self, meta: Meta, items: Items) -> syntax.Receive:
        return syntax.Receive(*items, at=meta.start_pos)

    def atomic(self, meta: Meta, items: Items) -> syntax.Atomic:
        return syntax.Atomic(items[0], at=meta.start_pos)

    def branches(self, meta: Meta, items: Items) -> syntax.Branches:
        otherwise = items.pop() if len(items) % 2 else None
        pairs = tuple(zip(items[::2], items[1::2], strict=True))
        return syntax.Branches(pairs, otherwise, at=meta.start_pos)

    def otherwise(self, meta: Meta, items: Items) -> Any:
        return items[0]

    def choose(self, meta: Meta, items: Items) -> syntax.Choose:
        return syntax.Choose(tuple(items), at=meta.start_pos)

    def choose_in(self, meta: Meta, items: Items) -> syntax.ChooseIn:
        return syntax.ChooseIn(*_texts(items), at=items[0].start_pos)

    def each(self, meta: Meta, items: Items) -> syntax.Each:
        return syntax.Each(*_texts(items), at=items[0].start_pos)

    def repeat(self, meta: Meta, items: Items) -> syntax.While:
        return syntax.While(None, items[0], at=meta.start_pos)

    def as_long_as(self, meta: Meta, items: Items) -> syntax.While:
        return syntax.While(*items, at=meta.start_pos)

    def loop(self, meta: Meta, items: Items) -> syntax.Loop:
        return syntax.Loop(items[0], at=meta.start_pos)

    # Expressions.

    def target(self, meta: Meta, items: Items) -> Target:
        return Target(*_texts(items), at=meta.start_pos)

    def number(self, meta: Meta, items: Items) -> syntax.Number:
        if len(items[0]) > 18:
            raise PlacedError(meta.start_pos, "a number has 18 digits at most")
        return syntax.Number(int(items[0]), at=meta.start_pos)

    def truth(self, meta: Meta, items: Items) -> syntax.Truth:
        return syntax.Truth(items[0] == "true", at=meta.start_pos)

    def nobody(self, meta: Meta, items: Items) -> syntax.Nobody:
        return syntax.Nobody(at=meta.start_pos)

    def unary(self, meta: Meta, items: Items) -> syntax.Operation:
        return syntax.Operation(str(items[0]), (items[1],), at=meta.start_pos)

    def arithmetic(self, meta: Meta, items: Items) -> syntax.Operation:
        left, operator, right = items
        return syntax.Operation(str(operator), (left, right), at=operator.start_pos)

    comparison = arithmetic

    def conjunction(self, meta: Meta, items: Items) -> syntax.Operation:
        return syntax.Operation("&&", tuple(items), at=meta.start_pos)

    def disjunction(self, meta: Meta, items: Items) -> syntax.Operation:
        return syntax.Operation("||", tuple(items), at=meta.start_pos)

    def quantified(self, meta: Meta, items: Items) -> syntax.Quantified:
        return syntax.Quantified(*_texts(items), at=meta.start_pos)

    def conditional(self, meta: Meta, items: Items) -> syntax.Conditional:
        return syntax.Conditional(*items, at=meta.start_pos)

    def place(self, meta: Meta, items: Items) -> syntax.Place:
        return syntax.Place(*_texts(items), at=meta.start_pos)

    def local_of(self, meta: Meta, items: Items) -> syntax.LocalOf:
        return syntax.LocalOf(*items, at=meta.start_pos)

    def call(self, meta: Meta, items: Items) -> syntax.Call:
        return syntax.Call(*_texts(items), at=meta.start_pos)


_WORD = re.compile(r"\w+|==|!=|<=|>=|&&|\|\||\.\.|\S")
_COMMENT = re.compile("/[/*]")
_MEANT = {
    "&": "`&&` is the sign for and",
    "|": "`||` is the sign for or",
    "~": "`!` is the sign for not",
    "and": "`&&` is the sign for and",
    "or": "`||` is the sign for or",
    "not": "`!` is the sign for not",
}
_ELSEWHERE = {
    **dict.fromkeys(("elif", "elsif", "elseif"), "`else if` would be right"),
    **dict.fromkeys(("do", "repeat"), "`loop { ... }` goes on for ever, `while c { ... }` as long as c is true"),
    **dict.fromkeys(("return", "exit", "stop"), "`end` ends the process"),
    **dict.fromkeys(("wait", "when"), "`await c` waits until c is true"),
    **dict.fromkeys(("print", "printf", "emit"), "`label name` raises an event"),
    "continue": "`goto` and a named location would be right",
}
"""Words of other languages, with which a statement cannot go on."""


def _explained(text: str, source: str, error: UnexpectedInput) -> ModelError:
    """The error in words; the lexer's token may be far longer than the word that is wrong, so that is read anew."""
    if not _uncommented(text).strip():
        return ModelError.at(text, 0, "the text is empty; a model begins with `model` and its name", source)
    place = error.pos_in_stream
    position = len(text) if place is None or place < 0 else place
    word = _WORD.match(text, position)
    accepts = _acceptable(error)
    if getattr(getattr(error, "token", None), "type", "") == "$END" or word is None:
        position = len(text.rstrip())
        open_braces = _uncommented(text).count("{") - _uncommented(text).count("}")
        closing = "; a `}` is missing" if open_braces > 0 else ""
        return ModelError.at(text, position, f"the model ends where {_wanted(accepts)} is expected{closing}", source)
    found, before = word[0], _before(text, position)
    if accepts >= {"EQUAL", "COLON"} and text[before:position].strip() in _MEANT:
        found, position = text[before:position].strip(), before
        message = _sign(found, text, position)
    elif accepts >= {"EQUAL", "COLON"} and text[before:position].strip() in _ELSEWHERE:
        found, position = text[before:position].strip(), before
        message = f"`{found}` is no word of the language; {_ELSEWHERE[found]}"
    elif accepts >= {"EQUAL", "COLON"} and text[before:position].strip() in KEYWORDS:
        found, position = text[before:position].strip(), before
        message = f"a statement is expected, and `{found}` begins none here"
    elif accepts >= {"EQUAL", "COLON"}:
        increment = "; `x = x + 1` adds one" if text.startswith(("++", "+="), position) else ""
        message = f"after a name, a statement goes on with `=`, `!`, `?`, `[` or `:`, not with `{found}`{increment}"
    elif comment := _COMMENT.search(text, max(0, position - 1), position + 2):
        position = comment.start()
        message = "a comment begins with `#`"
    elif found in ("<", ">", "<=", ">=", "==", "!=") and "COMPARISON" not in accepts and "SEMICOLON" in accepts:
        message = f"a statement is expected, not `{found}`; of several comparisons `a < b && b < c` would be right"
    elif found == "=" and text[position - 1] == "=":
        position -= 1
        message = "`==` compares; `=`, which gives a value, would be right"
    elif found == "=" and "EQUAL" not in accepts and accepts & {"COMPARISON", "LBRACE", "AWAIT"}:
        message = "`=` gives a value; `==`, which compares, would be right"
    elif found in _MEANT:
        message = _sign(found, text, position)
    elif found == "}" and _uncommented(text[: position + 1]).count("}") > _uncommented(text[:position]).count("{"):
        message = "this brace closes none that is open"
    else:
        message = f"{_wanted(accepts)} is expected, not `{found}`"
    return ModelError.at(text, position, message, source)


def _sign(found: str, text: str, position: int) -> str:
    if re.compile(r"or\s*\{").match(text, position):
        return "`or` goes on from `choose { ... }` alone; other statements, `choose b in` too, stand in its branches"
    return f"`{found}` is no sign here; {_MEANT[found]}"


def _before(text: str, position: int) -> int:
    """Where the word begins that stands before `position`."""
    words = re.search(r"\w+\s*$", text[:position])
    return words.start() if words else position


def _uncommented(text: str) -> str:
    return re.sub(r"#[^\n]*", "", text)


def _acceptable(error: UnexpectedInput) -> set[str]:
    """The names of the terminals that could have stood there."""
    found: set[str] = getattr(error, "accepts", None) or getattr(error, "expected", None) or set()
    return found or set(getattr(error, "allowed", None) or ())


def _wanted(accepts: set[str]) -> str:
    """What is expected, in words."""
    for terminal, words in (("AWAIT", "a statement"), ("NUMBER", "an expression"), ("BOOL", "a type")):
        if terminal in accepts:
            return words
    if {"PREDICATE", "TRACK"} <= accepts and "COMPARISON" not in accepts:
        return "a declaration"
    if "COMPARISON" in accepts:
        return "an operator, or what comes after the expression,"
    spelled = {terminal.name: terminal.pattern.value for terminal in _grammar().terminals}
    words_of = {"NAME": "a name", "FORMULA": "a formula"}
    shown = [words_of.get(name) or f"`{spelled[name]}`" for name in sorted(accepts) if name in spelled]
    return " or ".join(text.replace("\\", "") for text in shown) or "nothing more"
