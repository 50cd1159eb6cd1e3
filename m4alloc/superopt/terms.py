"""The language of rules: terms as S-expressions, parsed with a type for each part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TypeAlias

from m4alloc.superopt.ir import BINARY, COMMUTATIVE, FLAGS, PREDICATES
from m4alloc.superopt.rule import Rule
from m4alloc.superopt.terms_expressions import Expression, ExpressionError


class RuleError(ValueError):
    """A rule that cannot be read: which rule, where in its text, what was wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A lower-case name: any value; `kind` numbers its type in the rule."""

    name: str
    kind: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that begins with a capital: any integer constant, or a vector of equal ones."""

    name: str
    kind: int


@dataclass(frozen=True, slots=True)
class Number:
    """An integer that matches itself at each width that holds it."""

    value: int
    kind: int


@dataclass(frozen=True, slots=True)
class Computed:
    """`{expression}`: a constant that the replacement computes."""

    expression: Expression
    kind: int


@dataclass(frozen=True, slots=True)
class PoisonTerm:
    """`poison`, in a replacement."""

    kind: int


@dataclass(frozen=True, slots=True)
class Node:
    """An instruction.  `opcode` is LLVM's, or the intrinsic's name without "llvm." and type for a call."""

    opcode: str
    operands: tuple[Term, ...]
    kind: int
    flags: frozenset[str] = frozenset()
    predicate: str = ""
    index: int = -1
    """Of an extractvalue."""


Term: TypeAlias = Variable | Symbol | Number | Computed | PoisonTerm | Node


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of one type in a rule: its width ("1", "64"), "ptr", "any", or "" for any integer.

    computed: the width as an expression, for types that only the replacement has.
    """

    fixed: str = ""
    computed: Expression | None = None


_SAME = {
    "umin": 2, "umax": 2, "smin": 2, "smax": 2, "uadd.sat": 2, "sadd.sat": 2, "usub.sat": 2, "ssub.sat": 2,
    "ushl.sat": 2, "sshl.sat": 2, "ctpop": 1, "bswap": 1, "bitreverse": 1, "fshl": 3, "fshr": 3,
}  # fmt: skip
COUNTS = frozenset({"ctlz", "cttz", "abs"})
"""Intrinsics whose second operand is a literal i1."""
OVERFLOWS = frozenset(f"{sign}{verb}.with.overflow" for sign in "us" for verb in ("add", "sub", "mul"))
INTRINSICS = frozenset({*_SAME, *COUNTS, *OVERFLOWS})
COMMUTATIVE_NODES = COMMUTATIVE | {
    "umin", "umax", "smin", "smax", "uadd.sat", "sadd.sat",
    "uadd.with.overflow", "sadd.with.overflow", "umul.with.overflow", "smul.with.overflow",
}  # fmt: skip
_WIDENING = {"zext", "sext"}
_ARITY = {"icmp": 2, "select": 3, "freeze": 1, "zext": 1, "sext": 1, "trunc": 1, "ptrtoint": 1, "getelementptr": 2}


@dataclass(frozen=True)
class Compiled:
    """A rule ready to be matched or proved.

    kinds: of each type number.  wider: pairs (narrow, wide) of type numbers that a cast puts in order.
    types: name of a type variable (`:W`) to its number.  exclusive: the pattern holds a freeze, whose choice must not
    be seen elsewhere.
    """

    rule: Rule
    pattern: Node
    replacement: Term
    kinds: tuple[Kind, ...]
    wider: tuple[tuple[int, int], ...]
    types: tuple[tuple[str, int], ...]
    condition: Expression
    needs: tuple[Expression, ...]
    notundef: frozenset[str]
    noundef: frozenset[str]
    exclusive: bool

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """Of the pattern, in order, each once."""
        return tuple(dict.fromkeys(part for part in walk(self.pattern) if isinstance(part, Variable)))

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """Of the pattern, in order, each once."""
        return tuple(dict.fromkeys(part for part in walk(self.pattern) if isinstance(part, Symbol)))

    @cached_property
    def named_kinds(self) -> dict[str, int]:
        """Name of a value, constant or type to its type's number."""
        parts: tuple[Variable | Symbol, ...] = (*self.variables, *self.symbols)
        return {part.name: part.kind for part in parts} | dict(self.types)


def walk(term: Term) -> Iterator[Term]:
    """The term and its parts, outside in."""
    yield term
    if isinstance(term, Node):
        for operand in term.operands:
            yield from walk(operand)


_TOKEN = re.compile(r"\s*(?:([()])|\{([^{}]*)\}|([^\s(){}]+(?:\{[^{}]*\})?))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Parser:
    """One rule's terms; types are numbered as they are met, then unified."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.parent: list[int] = []
        self.fixed: dict[int, str] = {}
        self.computed: dict[int, Expression] = {}
        self.types: dict[str, int] = {"1": self.fresh("1"), "64": self.fresh("64"), "ptr": self.fresh("ptr")}
        self.names: dict[str, int] = {}
        self.wider: list[tuple[int, int]] = []

    def fail(self, place: str, why: str) -> RuleError:
        return RuleError(f"rule {self.rule.name!r}, {place}: {why}")

    def fresh(self, fixed: str = "") -> int:
        self.parent.append(len(self.parent))
        if fixed:
            self.fixed[len(self.parent) - 1] = fixed
        return len(self.parent) - 1

    def find(self, kind: int) -> int:
        while self.parent[kind] != kind:
            kind = self.parent[kind]
        return kind

    def join(self, one: int, other: int, place: str) -> int:
        one, other = self.find(one), self.find(other)
        if one == other:
            return one
        known = {self.fixed[kind] for kind in (one, other) if kind in self.fixed}
        if len(known) > 1 and "any" not in known:
            raise self.fail(place, f"one type cannot be both {' and '.join(sorted(known))}")
        self.parent[other] = one
        if known:
            self.fixed[one] = min(known, key=lambda name: name == "any")
        if other in self.computed:
            self.computed.setdefault(one, self.computed[other])
        return one

    def type_named(self, text: str, place: str) -> int:
        if text.startswith("{"):
            kind = self.fresh()
            self.computed[kind] = self.expression(text[1:-1], place)
            return kind
        if text not in self.types:
            if not (text.isdigit() or text == "any" or _NAME.fullmatch(text)):
                raise self.fail(place, f"{text!r} is no type: write a width, ptr, any, a name, or {{expression}}")
            fixed = text if text.isdigit() or text == "any" else ""
            if text == "any":
                return self.fresh("any")
            self.types[text] = self.fresh(fixed)
        return self.types[text]

    def expression(self, text: str, place: str) -> Expression:
        try:
            return Expression(text)
        except ExpressionError as error:
            raise self.fail(place, str(error)) from None

    def term(self, text: str, place: str) -> Term:
        tokens: list[tuple[int, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.fail(f"{place} column {at + 1}", f"{text[at:]!r} is neither a name, a number nor a bracket")
            start = found.start(found.lastindex or 0)
            tokens.append((start, f"{{{found[2]}}}" if found[2] is not None else found[1] or found[3]))
            at = found.end()
        self.place, self.tokens, self.at = place, tokens, 0
        result = self.one()
        if self.at != len(tokens):
            raise self.fail(self.where(), "one term was expected, more follows")
        return result

    def where(self) -> str:
        column = self.tokens[self.at][0] if self.at < len(self.tokens) else len(self.rule.pattern)
        return f"{self.place} column {column + 1}"

    def take(self) -> str:
        if self.at == len(self.tokens):
            raise self.fail(self.where(), "the term ends early; is a bracket missing?")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def one(self) -> Term:
        place = self.where()
        token = self.take()
        if token == "(":
            return self.node(place)
        if token == ")":
            raise self.fail(place, "a closing bracket without its opening one")
        if token.startswith("{"):
            return Computed(self.expression(token[1:-1], place), self.fresh())
        name, _, annotation = token.partition(":")
        if re.fullmatch(r"-?[0-9]+", name):
            return Number(int(name), self.type_named(annotation, place) if annotation else self.fresh())
        if name in ("true", "false"):
            return Number(int(name == "true"), self.types["1"])
        if name == "poison":
            return PoisonTerm(self.fresh())
        if not _NAME.fullmatch(name):
            raise self.fail(place, f"{name!r} is no name")
        if name not in self.names:
            if self.place == "replacement":
                raise self.fail(place, f"{name!r} is not in the pattern")
            self.names[name] = self.fresh()
        kind = self.names[name]
        if annotation:
            kind = self.join(kind, self.type_named(annotation, place), place)
        return Symbol(name, kind) if name[0].isupper() else Variable(name, kind)

    def node(self, place: str) -> Node:
        opcode, _, annotation = self.take().partition(":")
        opcode = "getelementptr" if opcode == "gep" else opcode
        if opcode not in BINARY | INTRINSICS | {*_ARITY, "extractvalue"}:
            raise self.fail(place, f"{opcode!r} is no instruction of the language")
        flags: set[str] = set()
        predicate = ""
        while self.at < len(self.tokens) and self.tokens[self.at][1] in FLAGS.get(opcode, frozenset()):
            flags.add(self.take())
        if opcode == "icmp":
            predicate = self.take()
            if predicate not in PREDICATES:
                raise self.fail(place, f"{predicate!r} is no predicate; {', '.join(PREDICATES)} are")
        operands: list[Term] = []
        while self.at < len(self.tokens) and self.tokens[self.at][1] != ")":
            operands.append(self.one())
        self.take()
        index = -1
        if opcode == "extractvalue":
            last = operands.pop() if operands else None
            if not (isinstance(last, Number) and last.value in (0, 1) and len(operands) == 1):
                raise self.fail(place, "extractvalue takes an overflow intrinsic, and 0 or 1")
            if not (isinstance(operands[0], Node) and operands[0].opcode in OVERFLOWS):
                raise self.fail(place, "extractvalue takes an overflow intrinsic")
            index = last.value
        expected = 1 if index >= 0 else _arity(opcode)
        if len(operands) != expected:
            raise self.fail(place, f"{opcode} takes {expected} operands, {len(operands)} are written")
        kind = self.typed(opcode, operands, index, place)
        if annotation:
            kind = self.join(kind, self.type_named(annotation, place), place)
        return Node(opcode, tuple(operands), kind, frozenset(flags), predicate, index)

    def typed(self, opcode: str, operands: list[Term], index: int, place: str) -> int:
        kinds = [operand.kind for operand in operands]
        if opcode in BINARY or opcode in _SAME or opcode in OVERFLOWS:
            for kind in kinds[1:]:
                self.join(kinds[0], kind, place)
            return kinds[0]
        match opcode:
            case "icmp":
                self.join(kinds[0], kinds[1], place)
                return self.types["1"]
            case "select":
                self.join(kinds[0], self.types["1"], place)
                return self.join(kinds[1], kinds[2], place)
            case "freeze":
                return kinds[0]
            case "zext" | "sext" | "trunc":
                result = self.fresh()
                self.wider.append((kinds[0], result) if opcode in _WIDENING else (result, kinds[0]))
                return result
            case "ptrtoint":
                self.join(kinds[0], self.types["ptr"], place)
                return self.types["64"]
            case "getelementptr":
                self.join(kinds[1], self.types["64"], place)
                return self.join(kinds[0], self.types["ptr"], place)
            case "extractvalue":
                return self.types["1"] if index else kinds[0]
        self.join(kinds[1], self.types["1"], place)  # ctlz, cttz, abs
        return kinds[0]


def _arity(opcode: str) -> int:
    return _SAME.get(opcode) or _ARITY.get(opcode) or 2


def _settled(term: Term, parser: _Parser, numbers: dict[int, int]) -> Term:
    kind = numbers.setdefault(parser.find(term.kind), len(numbers))
    if isinstance(term, Node):
        operands = tuple(_settled(operand, parser, numbers) for operand in term.operands)
        return replace(term, operands=operands, kind=kind)
    return replace(term, kind=kind)


def _used_twice(term: Term) -> set[str]:
    """Values that a term uses more than once, its parts counted as often as they are used."""
    names = [part.name for part in walk(term) if isinstance(part, Variable)]
    return {name for name in names if names.count(name) > 1}


_ABOUT = re.compile(r"(notundef|noundef|undef)\((\w+)\)")


@lru_cache(maxsize=4096)
def compiled(rule: Rule) -> Compiled:
    """The rule parsed; RuleError.

    A `need` is an expression over values, `notundef(x)` (x may be poison, but every use sees the same bits),
    `noundef(x)` (x is neither undef nor poison) or `undef(x)` (x may be undef all the same: for rules that must be
    refuted).  A value that a need names, or that the replacement uses twice, must not be undef.

    >>> step = compiled(Rule("double", "strength", "(shl x 1)", "(add x x)", "", needs=("notundef(x)",)))
    >>> step.pattern.opcode, [variable.name for variable in step.variables]
    ('shl', ['x'])
    """
    parser = _Parser(rule)
    pattern = parser.term(rule.pattern, "pattern")
    if not isinstance(pattern, Node):
        raise parser.fail("pattern", "the root must be an instruction")
    if any(isinstance(part, Computed | PoisonTerm) for part in walk(pattern)):
        raise parser.fail("pattern", "only a replacement may compute a constant or be poison")
    bound = {parser.find(part.kind) for part in walk(pattern)}
    replacement = parser.term(rule.replacement, "replacement")
    parser.join(pattern.kind, replacement.kind, "replacement")
    if isinstance(replacement, Node) and replacement.opcode in OVERFLOWS:
        raise parser.fail("replacement", "a pair cannot be the root")
    bound = {parser.find(kind) for kind in bound}
    for part in walk(replacement):
        kind = parser.find(part.kind)
        if kind not in bound and kind not in parser.computed and kind not in parser.fixed:
            raise parser.fail("replacement", f"the type of {part} is not determined; write it as (zext:W x)")
    numbers: dict[int, int] = {}
    settled = _settled(pattern, parser, numbers), _settled(replacement, parser, numbers)
    assert isinstance(settled[0], Node)
    types = tuple(
        (name, numbers.setdefault(parser.find(kind), len(numbers)))
        for name, kind in parser.types.items()
        if _NAME.fullmatch(name) and name != "ptr"
    )
    kinds = [Kind()] * len(numbers)
    for kind, number in numbers.items():
        kinds[number] = Kind(parser.fixed.get(kind, ""), parser.computed.get(kind))
    wider = tuple((numbers[parser.find(a)], numbers[parser.find(b)]) for a, b in parser.wider)
    about: dict[str, set[str]] = {"notundef": set(), "noundef": set(), "undef": set()}
    needs = []
    for need in rule.needs:
        if found := _ABOUT.fullmatch(need.strip()):
            about[found[1]].add(found[2])
        else:
            needs.append(parser.expression(need, "needs"))
            about["notundef"] |= {name for name in needs[-1].values if name[0].islower()}
    # Each use of an undef may see other bits, and of some values (and undef, 3) only some of them: with one use, what
    # is proved of each value alone holds for any choice; with two it need not.
    about["notundef"] |= _used_twice(settled[1])
    condition = parser.expression(rule.condition, "condition")
    names = {*parser.names, *(name for name, _ in types)}
    computed = [part.expression for part in walk(replacement) if isinstance(part, Computed)]
    for expression in (condition, *needs, *computed, *parser.computed.values()):
        if strangers := expression.names - names - {"True", "False"}:
            names_ = ", ".join(sorted(strangers))
            raise parser.fail("condition", f"{names_} in {expression.text!r} is not in the pattern")
    for expression in (condition, *computed):
        if lower := [name for name in expression.values if name[0].islower()]:
            raise parser.fail("condition", f"{lower[0]} is a value, not a constant: say it in `needs`")
    return Compiled(
        rule, settled[0], settled[1], tuple(kinds), wider, types, condition, tuple(needs),
        frozenset(about["notundef"] - about["noundef"] - about["undef"]), frozenset(about["noundef"]),
        any(isinstance(part, Node) and part.opcode == "freeze" for part in walk(pattern)),
    )  # fmt: skip
