"""Equality saturation by egglog: every order of the unconditional rules at once, and the cheapest that comes out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

from m4alloc.superopt import rules, simplify, terms
from m4alloc.superopt.ir import (
    BINARY,
    COMMUTATIVE,
    I1,
    SWAPPED,
    VOID,
    Block,
    Constant,
    Function,
    Instruction,
    Int,
    Local,
    Value,
    constant,
)
from m4alloc.superopt.problem import Judge, Step
from m4alloc.superopt.rule import Rule

ROUNDS: Final = 12
LARGEST: Final = 10_000
"""Terms in the graph that a round may end with, by what the one before made of it: egglog cannot be interrupted."""

GROWTH: Final = 1
"""Instructions that a rule may add; larger ones fill the graph before anything else has a chance."""

VARIANTS: Final = 20
"""The cheapest terms of the root that are offered."""

_UNARY: Final = frozenset({"ctpop", "bswap", "bitreverse"})
_TERNARY: Final = frozenset({"fshl", "fshr"})
_WITH_FLAG: Final = frozenset({"ctlz", "cttz", "abs"})
_CALLS: Final = (
    _UNARY
    | _TERNARY
    | _WITH_FLAG
    | {"umin", "umax", "smin", "smax", "uadd.sat", "usub.sat", "sadd.sat", "ssub.sat", "ushl.sat", "sshl.sat"}
)
_CASTS: Final = frozenset({"zext", "sext", "trunc"})

# The result's width comes first, so that a rule holds at each width. Terms are trees: a cost is that of an instruction.
_LANGUAGE: Final = """
(datatype Value
  (Arg String i64 :cost 1) (Const i64 i64 :cost 1)
  (Un String i64 Value :cost 100) (Bin String i64 Value Value :cost 100) (Ter String i64 Value Value Value :cost 100)
  (Cmp String i64 Value Value :cost 100) (Select i64 Value Value Value :cost 100) (Cast String i64 i64 Value :cost 100))
"""


class SaturationError(ValueError):
    """A function outside of what is saturated: one block of scalar integer instructions without memory or freeze."""


class _UntranslatableError(ValueError):
    """A rule that egglog cannot be given; it is left out."""


def engine() -> Any:
    """egglog's bindings.  Raises: ModuleNotFoundError that names the package."""
    try:
        return import_module("egglog.bindings")
    except ModuleNotFoundError:
        raise ModuleNotFoundError("equality saturation needs egglog: pip install 'm4alloc[saturate]'") from None


@dataclass(frozen=True)
class Saturation:
    """Search by equality saturation (Willsey et al., "egg", 2021).

    Flags of the source are dropped, rules that need anything or add more than GROWTH instructions are left out. A rule
    is a refinement and not an equality, so that what is extracted need not refine the source: the judge decides, as
    always. rules: to saturate with.
    """

    rules: tuple[Rule, ...] = rules.ALL
    name: str = "egglog"

    def run(self, judge: Judge, seed: int) -> None:
        """Saturate and offer the cheapest terms; without chance, so that `seed` changes nothing.

        A function outside of the language is counted as unsupported. Raises: ModuleNotFoundError.
        """
        source = judge.problem.source
        bindings = engine()
        try:
            root = "\n".join(encoded(source))
        except SaturationError:
            judge.tally.unsupported += 1
            return
        graph = bindings.EGraph()

        def told(text: str) -> list[Any]:
            return list(graph.run_program(*graph.parse_program(text)))

        told(_LANGUAGE + "\n".join(rewrites(self.rules)) + "\n" + root)
        size, growth = 1, 1.0
        for _ in range(ROUNDS):
            if judge.budget.is_spent or size * growth > LARGEST:
                break
            is_saturated = not told("(run 1)")[0].report.updated
            before, size = size, sum(count for _, count in told("(print-size)")[0].sizes)
            growth = size / before if before > 1 else 1.0
            if is_saturated:
                break
        for text in _extracted(told(f"(extract $root {VARIANTS})")[0]):
            if judge.budget.is_spent:
                break
            function = simplify.cleaned(decoded(text, source))
            judge.offer(function, self.name, (Step("equality saturation", "the function", function),))


def rewrites(given: Sequence[Rule]) -> list[str]:
    """The rules that hold without conditions, as egglog writes them, after the ones that swap operands.

    >>> rewrites([Rule("add zero", "identity", "(add x 0)", "x", "nothing is added")])[-1]
    '(rewrite (Bin "add" w0 x (Const w0 0)) x)'
    """
    swapping = sorted(COMMUTATIVE | {"umin", "umax", "smin", "smax", "uadd.sat", "sadd.sat"})
    found = [f'(rewrite (Bin "{name}" w x y) (Bin "{name}" w y x))' for name in swapping]
    found += [f'(rewrite (Cmp "{one}" w x y) (Cmp "{other}" w y x))' for one, other in SWAPPED.items()]
    for rule in given:
        try:
            found.append(_rewrite(rule))
        except _UntranslatableError:
            continue
    return list(dict.fromkeys(found))  # rules may differ in what egglog is not told; it takes none twice


def encoded(function: Function) -> Iterator[str]:
    """Lines that put the function's result into the graph as $root.  Raises: SaturationError."""
    if len(function.blocks) != 1 or not isinstance(function.type, Int):
        raise SaturationError(f"{function.name} has {len(function.blocks)} blocks and gives {function.type}")
    names = {one.name: f'(Arg "{number}" {one.type.width})' for number, one in enumerate(function.arguments)
             if isinstance(one.type, Int)}  # fmt: skip

    def value(one: Value) -> str:
        if isinstance(one, Constant) and one.type.width <= 64:
            return f"(Const {one.type.width} {one.signed})"
        if isinstance(one, Local) and one.name in names:
            return names[one.name]
        raise SaturationError(f"{function.name}: {one} is no integer of 64 bits or fewer")

    for number, instruction in enumerate(function.blocks[0].instructions):
        if instruction.opcode == "ret":
            yield f"(let $root {value(instruction.operands[0])})"
            return
        if not isinstance(instruction.type, Int) or instruction.attributes or instruction.metadata:
            raise SaturationError(f"{function.name}: {instruction.opcode} of {instruction.type}")
        opcode = _intrinsic(instruction.callee) if instruction.opcode == "call" else instruction.opcode
        first = instruction.operands[0].type if instruction.operands else VOID
        operands = " ".join(value(one) for one in instruction.operands)
        head = _head(opcode, instruction.predicate, str(instruction.type.width), str(getattr(first, "width", "")))
        if not head:
            raise SaturationError(f"{function.name}: {opcode} is not saturated")
        yield f"(let $v{number} ({head} {operands}))"
        names[instruction.name] = f"$v{number}"


def decoded(text: str, source: Function) -> Function:
    """The function with the source's face whose result is this term; equal parts become one instruction."""
    tree, end = _parsed(re.findall(r'[()]|"[^"]*"|[^\s()]+', text), 0)
    assert end
    made: dict[Instruction, Local] = {}
    prefix = "e"
    while any(argument.name.startswith(prefix) for argument in source.arguments):
        prefix += "e"

    def value(term: Any) -> Value:
        kind, *rest = term
        if kind == "Arg":
            return source.arguments[int(rest[0])].value
        if kind == "Const":
            return constant(Int(int(rest[0])), int(rest[1]))
        if kind == "Cmp":
            one = Instruction("icmp", I1, (value(rest[2]), value(rest[3])), predicate=rest[0])
        elif kind == "Select":
            one = Instruction("select", Int(int(rest[0])), tuple(value(part) for part in rest[1:]))
        elif kind == "Cast":
            one = Instruction(rest[0], Int(int(rest[1])), (value(rest[3]),))
        else:
            operands, type_ = tuple(value(part) for part in rest[2:]), Int(int(rest[1]))
            one = (
                Instruction(rest[0], type_, operands)
                if rest[0] in BINARY
                else Instruction("call", type_, operands, callee=f"llvm.{rest[0]}.{type_}")
            )
        if one not in made:
            made[one] = Local(f"{prefix}{len(made)}", one.type)
        return made[one]

    result = value(tree)
    body = [replace(one, name=local.name) for one, local in made.items()]
    ret = Instruction("ret", VOID, (result,))
    block = Block(source.blocks[0].name, (*body, ret))
    return Function(source.name, source.type, source.arguments, (block,), source.return_attributes, source.attributes)


def _extracted(output: Any) -> list[str]:
    terms_ = output.terms if hasattr(output, "terms") else [output.term]
    return [output.termdag.to_string(one) for one in terms_]


def _intrinsic(callee: str) -> str:
    return callee.removeprefix("llvm.").rsplit(".", 1)[0]


def _head(opcode: str, predicate: str, width: str, operand: str) -> str:
    """A term's beginning, up to its operands; "" for what is not in the language."""
    if opcode == "icmp":
        return f'Cmp "{predicate}" {operand}'
    if opcode == "select":
        return f"Select {width}"
    if opcode in _CASTS:
        return f'Cast "{opcode}" {width} {operand}'
    if opcode in BINARY or opcode in _CALLS:
        kind = "Un" if opcode in _UNARY else "Ter" if opcode in _TERNARY else "Bin"
        return f'{kind} "{opcode}" {width}'
    return ""


def _rewrite(rule: Rule) -> str:
    compiled = terms.compiled(rule)
    if _instructions(compiled.replacement) > _instructions(compiled.pattern) + GROWTH:
        raise _UntranslatableError("it makes terms much larger")
    if rule.needs or rule.condition.strip() != "True":
        raise _UntranslatableError("conditional")
    widths = set()

    def width(kind: int) -> str:
        fixed = compiled.kinds[kind].fixed
        if fixed not in ("", "1", "64") or compiled.kinds[kind].computed is not None:
            raise _UntranslatableError(f"a type {fixed or 'that is computed'}")
        return fixed or f"w{kind}"

    def text(term: terms.Term, *, pattern: bool) -> str:
        if isinstance(term, terms.Variable):
            return term.name
        if isinstance(term, terms.Computed | terms.PoisonTerm):
            raise _UntranslatableError("computed")
        one = width(term.kind)
        if pattern:
            widths.add(one)
        elif not one.isdigit() and one not in widths:
            raise _UntranslatableError("a width that nothing in the pattern tells")
        if isinstance(term, terms.Symbol):
            return f"(Const {one} {term.name})"
        if isinstance(term, terms.Number):
            return f"(Const {one} {-(term.value & 1) if one == '1' else term.value})"
        first = width(term.operands[0].kind)
        if pattern and term.opcode in _CASTS | {"icmp"}:
            widths.add(first)
        if pattern and term.flags:
            raise _UntranslatableError("flags are not in the graph")
        head = _head(term.opcode, term.predicate, one, first)
        if not head:
            raise _UntranslatableError(term.opcode)
        return f"({head} {' '.join(text(part, pattern=pattern) for part in term.operands)})"

    return f"(rewrite {text(compiled.pattern, pattern=True)} {text(compiled.replacement, pattern=False)})"


def _instructions(term: terms.Term) -> int:
    return sum(isinstance(part, terms.Node) for part in terms.walk(term))


def _parsed(tokens: Sequence[str], at: int) -> tuple[Any, int]:
    if tokens[at] != "(":
        return tokens[at].strip('"'), at + 1
    found, at = [], at + 1
    while tokens[at] != ")":
        one, at = _parsed(tokens, at)
        found.append(one)
    return found, at + 1
