"""A rule as two functions, so that the equivalence checker can prove it like any rewrite."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import (
    I1,
    PTR,
    VOID,
    Argument,
    Block,
    Constant,
    ConstantVector,
    Function,
    Instruction,
    Int,
    Pointer,
    Poison,
    Struct,
    Type,
    Value,
    Vector,
    constant,
)
from m4alloc.superopt.rule import Rule
from m4alloc.superopt.terms import (
    COUNTS,
    INTRINSICS,
    OVERFLOWS,
    Compiled,
    Computed,
    Node,
    Number,
    Symbol,
    Term,
    Variable,
    compiled,
    walk,
)
from m4alloc.superopt.terms_expressions import ExpressionError, fact_text

EXHAUSTIVE = 8
"""Up to this width a rule that has to be proved constant by constant is proved for all of them."""
SHIFTS = ("shl", "lshr", "ashr", "fshl", "fshr")
SAMPLE = 12
"""Choices of constants at wider widths, for such a rule."""


@dataclass(frozen=True)
class Pair:
    """A rule at fixed types: `target` must refine `source` under the facts.

    where: the types and constants, such as "x i8, W i16, C = 4".
    """

    source: Function
    target: Function
    facts: tuple[Fact, ...]
    where: str


def typings(rule: Compiled, width: int) -> Iterator[dict[int, Int | Pointer]]:
    """Types for each type number of the rule at a main width; none where the rule does not fit the width.

    Types that a cast makes wider are tried at one bit more, and at twice the width.
    """
    free = [number for number, kind in enumerate(rule.kinds) if kind.fixed in ("", "any") and kind.computed is None]
    depth = _depths(rule, free)
    seen: list[dict[int, Int | Pointer]] = []
    for step in ("double", "one"):
        types: dict[int, Int | Pointer] = {}
        for number, kind in enumerate(rule.kinds):
            if kind.fixed == "ptr":
                types[number] = PTR
            elif kind.fixed not in ("", "any"):
                types[number] = Int(int(kind.fixed))
            elif number in depth:
                up = depth[number]
                types[number] = Int(width * (up + 1) if step == "double" else width + up)
        if all(isinstance(one, Pointer) or 1 <= one.width <= 128 for one in types.values()) and types not in seen:
            seen.append(types)
            yield types
    if any(kind.fixed == "any" for kind in rule.kinds) and width == 64:
        yield {number: PTR if rule.kinds[number].fixed == "any" else one for number, one in seen[0].items()}


def _depths(rule: Compiled, free: list[int]) -> dict[int, int]:
    """How many casts each free type is above the narrowest."""
    depth = dict.fromkeys(free, 0)
    for _ in free:
        for narrow, wide in rule.wider:
            if wide in depth and narrow in depth:
                depth[wide] = max(depth[wide], depth[narrow] + 1)
    return depth


class _Writer:
    """One side of a pair."""

    def __init__(self, rule: Compiled, types: Mapping[int, Type], values: Mapping[str, Value], lanes: int) -> None:
        self.rule, self.types, self.values, self.lanes = rule, types, values, lanes
        self.made: list[Instruction] = []
        self.done: dict[Term, Value] = {}
        self.computed: dict[Computed, Value] = {}

    def typed(self, kind: int) -> Type:
        return _lifted(self.types[kind], self.lanes)

    def value(self, term: Term) -> Value:
        match term:
            case Variable() | Symbol():
                return self.values[term.name]
            case Computed():
                return self.computed[term]
            case Number():
                type = self.types[term.kind]
                assert isinstance(type, Int)
                if not -(1 << type.width - 1) <= term.value < 1 << type.width:
                    raise ExpressionError(f"{term.value} does not fit {type}")
                return _splat(constant(type, term.value), self.lanes)
            case Node():
                if term not in self.done:
                    self.done[term] = self.node(term)
                return self.done[term]
        return Poison(self.typed(term.kind))

    def node(self, term: Node) -> Value:
        operands = tuple(map(self.value, term.operands))
        type = self.typed(term.kind)
        opcode, callee = term.opcode, ""
        if opcode in INTRINSICS:
            scalar = self.types[term.kind]
            if opcode == "bswap" and isinstance(scalar, Int) and scalar.width % 16:
                raise ExpressionError("bswap takes whole pairs of bytes")
            callee = f"llvm.{opcode}.{f'v{self.lanes}' if self.lanes else ''}{scalar}"
            if opcode in OVERFLOWS:
                type = Struct((type, _lifted(I1, self.lanes)))
            opcode = "call"
            if term.opcode in COUNTS and isinstance(operands[1], ConstantVector):
                operands = (operands[0], operands[1].elements[0])
        for narrow, wide in self.rule.wider:
            if (
                narrow in self.types
                and wide in self.types
                and width_of(self.types[narrow]) >= width_of(self.types[wide])
            ):
                raise ExpressionError("a cast would not change the width")
        made = Instruction(
            opcode, type, operands, f"t{len(self.made)}", term.flags, term.predicate, callee,
            Int(8) if opcode == "getelementptr" else None, None, (term.index,) if term.index >= 0 else (),
        )  # fmt: skip
        self.made.append(made)
        return made.result


def width_of(type: Type) -> int:
    """Bits of an integer; 64 for a pointer."""
    return type.width if isinstance(type, Int) else 64


def _lifted(type: Type, lanes: int) -> Type:
    return Vector(lanes, type) if lanes and isinstance(type, Int | Pointer) else type


def _splat(one: Constant, lanes: int) -> Value:
    return ConstantVector(Vector(lanes, one.type), (one,) * lanes) if lanes else one


def _prologue(
    rule: Compiled, types: Mapping[int, Type], lanes: int
) -> tuple[list[Argument], list[Instruction], dict[str, Value]]:
    """Arguments for the values of a rule: free ones may be undef or poison; one that must not be undef is made of a
    defined argument and of another that says whether it is poison."""
    arguments, made = [], []
    values: dict[str, Value] = {}
    for variable in rule.variables:
        type = _lifted(types[variable.kind], lanes)
        if variable.name in rule.notundef:
            plain = Argument(f"{variable.name}_value", type, ("noundef",))
            poison = Argument(f"{variable.name}_poison", _lifted(I1, lanes), ("noundef",))
            arguments += [plain, poison]
            choice = Instruction("select", type, (poison.value, Poison(type), plain.value), variable.name)
            made.append(choice)
            values[variable.name] = choice.result
        else:
            attributes = ("noundef",) if variable.name in rule.noundef else ()
            arguments.append(Argument(variable.name, type, attributes))
            values[variable.name] = arguments[-1].value
    return arguments, made, values


def _function(type: Type, arguments: list[Argument], body: list[Instruction], result: Value) -> Function:
    ret = Instruction("ret", VOID, (result,))
    return Function("rule", type, tuple(arguments), (Block("entry", (*body, ret)),))


def _needs(rule: Compiled, widths: Mapping[str, int], names: Mapping[str, str], unknowns: dict[str, str]) -> list[Fact]:
    renamed = {name: f"{name}_value" for name in rule.notundef} | dict(names)
    texts = [fact_text(need, widths, renamed, unknowns) for need in rule.needs]
    return [Fact(text, "the rule's need") for text in texts if text]


def _named_widths(rule: Compiled, types: Mapping[int, Type]) -> dict[str, int]:
    found = {}
    for name, kind in rule.named_kinds.items():
        type = types.get(kind)
        if isinstance(type, Int):
            found[name] = type.width
    return found


def is_symbolic(rule: Compiled) -> bool:
    """The rule can be proved for all its constants at once."""
    computed = [part.expression for part in walk(rule.replacement) if isinstance(part, Computed)]
    widths = [kind.computed for kind in rule.kinds if kind.computed is not None]
    literal = any(
        isinstance(part, Node) and part.opcode in COUNTS and isinstance(part.operands[1], Symbol)
        for part in walk(rule.pattern)
    )
    return (
        not literal
        and all(expression.is_symbolic for expression in (rule.condition, *computed))
        and not any(expression.values for expression in widths)
    )


def pairs(rule: Rule, width: int, *, lanes: int = 0, seed: int = 0) -> Iterator[Pair]:
    """What has to be proved for the rule at a main width; nothing where it does not apply at that width.

    A rule's constants become arguments, and its condition a fact, where the language of facts can say it; a rule over
    `reciprocal`, or whose types depend on constants, is proved constant by constant: all of them up to
    EXHAUSTIVE bits, SAMPLE choices above.  lanes: vectors of that many, which needs constants too.
    """
    ready = compiled(rule)
    for types in typings(ready, width):
        symbolic = is_symbolic(ready) and not lanes
        for choice in iter([{}]) if symbolic else constants(ready, types, seed=seed):
            if (found := pair_at(ready, types, choice, lanes=lanes)) is not None:
                yield found


def pair_at(
    rule: Compiled,
    types: Mapping[int, Int | Pointer],
    choice: Mapping[str, int],
    extra: Sequence[str] = (),
    *,
    lanes: int = 0,
) -> Pair | None:
    """The rule at these types with some constants chosen and `extra` facts of the others; None where it is no rule."""
    try:
        return _pair(rule, dict(types), choice, extra, lanes)
    except ExpressionError:
        return None


def parts(rule: Compiled, types: Mapping[int, Int | Pointer], name: str) -> list[int]:
    """Values of a constant that make a proof easy: amounts of shifts, powers of two and their neighbours; or none."""
    width = _named_widths(rule, types)[name]
    amounts = {
        part.operands[-1].name
        for part in walk(rule.pattern)
        if isinstance(part, Node) and part.opcode in SHIFTS and isinstance(part.operands[-1], Symbol)
    }  # fmt: skip
    if name in amounts:
        return list(range(width))
    if rule.condition.takes(name, ("ispow2", "log2", "align")):
        bits = [1 << bit for bit in range(width)]
        near = [value + more for bit in bits for value in (bit, -bit) for more in (0, 1, -1)]
        return list(dict.fromkeys(value % (1 << width) for value in near))
    return []


def amounts(rule: Compiled) -> list[str]:
    """Values that must not be undef and that the pattern or the replacement shifts by."""
    shifts = [part for term in (rule.pattern, rule.replacement) for part in walk(term) if isinstance(part, Node)]
    by = {part.operands[-1] for part in shifts if part.opcode in SHIFTS}
    return [one.name for one in rule.variables if one.name in rule.notundef and one in by]


def constants(rule: Compiled, types: Mapping[int, Type], *, seed: int = 0) -> Iterator[dict[str, int]]:
    """Choices of constants for which the condition holds: all where they have EXHAUSTIVE bits together, else SAMPLE."""
    widths = _named_widths(rule, types)
    names = [symbol.name for symbol in rule.symbols]
    if sum(widths[name] for name in names) <= EXHAUSTIVE:
        every = product(*(range(1 << widths[name]) for name in names))
        for choice in every:
            values = dict(zip(names, choice, strict=True))
            if _holds(rule, values, widths):
                yield values
        return
    rng = random.Random(f"{rule.rule.name} {seed}")
    found: list[dict[str, int]] = []
    for values in _tried(rule, names, widths, rng):
        if values not in found and _holds(rule, values, widths):
            found.append(values)
            yield values
            if len(found) == SAMPLE:
                return


def _holds(rule: Compiled, values: Mapping[str, int], widths: Mapping[str, int]) -> bool:
    try:
        return bool(rule.condition.value(values, widths))
    except ExpressionError:
        return False


def _tried(rule: Compiled, names: list[str], widths: Mapping[str, int], rng: random.Random) -> Iterator[dict[str, int]]:
    """Choices of constants that conditions like: small, powers of two, masks, and related to one another."""
    for _ in range(6000):
        values: dict[str, int] = {}
        for name in names:
            width = widths[name]
            bit = rng.randrange(width)
            base = rng.choice(
                (rng.randrange(min(1 << width, 2 * width + 2)), 1 << bit, (1 << bit) - 1, -1 << bit,
                 rng.getrandbits(width),
                 width, width - 1, width // 2, 3, 5, 10, (1 << width - 1) - 1)
            )  # fmt: skip
            if values and rng.random() < 0.6:
                other = rng.choice(list(values.values()))
                base = rng.choice(
                    (other, ~other, -other, other + 1, other - 1, width - other, other * 2, other >> 1, other ^ base,
                     1 << other % width, (1 << width - other % width) - 1, other & base)
                )  # fmt: skip
            values[name] = base % (1 << width)
        yield values


def _pair(
    rule: Compiled,
    types: dict[int, Int | Pointer],
    choice: Mapping[str, int],
    extra: Sequence[str] = (),
    lanes: int = 0,
) -> Pair | None:
    """The pair with some constants chosen; the others are arguments, of which the condition and `extra` are facts."""
    widths = _named_widths(rule, types)
    for number, kind in enumerate(rule.kinds):
        if kind.computed is not None and number not in types:
            width = kind.computed.value(choice, widths)
            if not 1 <= width <= 128:
                return None
            types[number] = Int(width)
    arguments, prologue, values = _prologue(rule, types, lanes)
    names = {name: str(value) for name, value in choice.items()}
    facts: list[Fact] = []
    unknowns: dict[str, str] = {}
    for symbol in rule.symbols:
        type = types[symbol.kind]
        assert isinstance(type, Int)
        if symbol.name in choice:
            values[symbol.name] = _splat(constant(type, choice[symbol.name]), lanes)
        else:
            argument = Argument(symbol.name, type, ("noundef",))
            arguments.append(argument)
            values[symbol.name] = argument.value
    if rule.condition.values <= choice.keys():
        if not rule.condition.value(choice, widths):
            return None
    elif told := fact_text(rule.condition, widths, names, unknowns):
        facts.append(Fact(told, "the rule's condition"))
    results: dict[Computed, Value] = {}
    for part in dict.fromkeys(walk(rule.replacement)):
        if isinstance(part, Computed):
            type = types[part.kind]
            assert isinstance(type, Int)
            if part.expression.values <= choice.keys():
                results[part] = _splat(constant(type, part.expression.value(choice, widths)), lanes)
            else:
                results[part] = _computed_argument(part, type, widths, names, unknowns, arguments, facts)
    facts += _needs(rule, widths, names, unknowns)
    counts = _logarithms(unknowns, max(widths.values(), default=1))
    arguments += counts[0]
    facts = [*counts[1], *facts, *(Fact(text, "a part of all constants") for text in extra)]
    sides = []
    for term in (rule.pattern, rule.replacement):
        writer = _Writer(rule, types, values, lanes)
        writer.computed = results
        result = writer.value(term)
        sides.append(_function(_lifted(types[rule.pattern.kind], lanes), arguments, [*prologue, *writer.made], result))
    where = [f"{name} i{width}" for name, width in widths.items()]
    where += [f"{name} = {value}" for name, value in choice.items()]
    where += [f"{lanes} lanes"] if lanes else []
    return Pair(sides[0], sides[1], tuple(facts), ", ".join(where))


def _computed_argument(
    part: Computed,
    type: Int,
    widths: Mapping[str, int],
    names: Mapping[str, str],
    unknowns: dict[str, str],
    arguments: list[Argument],
    facts: list[Fact],
) -> Value:
    argument = Argument(f"computed_{len(arguments)}", type, ("noundef",))
    arguments.append(argument)
    text = fact_text(part.expression, widths, names, unknowns)
    facts.append(Fact(f"{argument.name} == ({text}) % {1 << type.width}", "a constant that the rule computes"))
    return argument.value


def _logarithms(unknowns: Mapping[str, str], width: int) -> tuple[list[Argument], list[Fact]]:
    """An argument for each logarithm, with the fact that says what it is."""
    arguments, facts = [], []
    for inner, name in unknowns.items():
        arguments.append(Argument(name, Int(8), ("noundef",)))
        facts.append(Fact(f"{name} <= {width} and 1 << {name} == {inner}", "a logarithm that the rule computes"))
    return arguments, facts


def example(rule: Rule, width: int, *, seed: int = 0) -> tuple[Function, tuple[Fact, ...]] | None:
    """A function that the rule applies to, made of its own pattern, with its needs as facts; None where there is none.

    Values that must not be undef are `noundef` arguments.
    """
    ready = compiled(rule)
    defined = replace(ready, noundef=ready.noundef | ready.notundef, notundef=frozenset())
    for types in typings(ready, width):
        for choice in constants(ready, types, seed=seed):
            try:
                pair = _pair(defined, dict(types), choice)
            except ExpressionError:
                continue
            if pair is not None:
                return pair.source, pair.facts
    return None
