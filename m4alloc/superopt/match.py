"""Finds where rules apply in a function, and applies them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import (
    I1,
    SWAPPED,
    Block,
    Constant,
    ConstantVector,
    Function,
    Instruction,
    Int,
    Local,
    Pointer,
    Poison,
    Struct,
    Type,
    Value,
    Vector,
    constant,
)
from m4alloc.superopt.known import Known
from m4alloc.superopt.rule import Rule
from m4alloc.superopt.terms import (
    COMMUTATIVE_NODES,
    INTRINSICS,
    OVERFLOWS,
    Compiled,
    Computed,
    Node,
    Number,
    PoisonTerm,
    Symbol,
    Term,
    Variable,
    compiled,
    walk,
)
from m4alloc.superopt.terms_expressions import ExpressionError


@dataclass(frozen=True, slots=True)
class Binding:
    """What a pattern's parts stand for.

    kinds: type number to the element's type; under -1 the number of lanes, 0 for scalars.
    nodes: each instruction of the pattern with the one that it matched, the root first.
    """

    values: dict[str, Value]
    kinds: dict[int, object]
    nodes: tuple[tuple[Node, Instruction], ...]


def splat(value: Value) -> Constant | None:
    """The integer in each lane of a constant, where there is one."""
    if isinstance(value, Constant):
        return value
    if isinstance(value, ConstantVector) and isinstance(first := value.elements[0], Constant):
        return first if all(element == first for element in value.elements) else None
    return None


def lanes(type: Type) -> tuple[int, Type]:
    """The number of lanes, 0 for a scalar, and the type of one."""
    return (type.count, type.element) if isinstance(type, Vector) else (0, type)


def root_key(instruction: Instruction) -> str:
    """What patterns are indexed by: an opcode, or the name of an intrinsic."""
    return instruction.intrinsic if instruction.opcode == "call" else instruction.opcode


def _child_keys(rule: Compiled) -> tuple[str, ...]:
    """What the root's operands have to be: names of instructions, "constant" for constants."""
    found = []
    for operand in rule.pattern.operands:
        if isinstance(operand, Node):
            found.append(operand.opcode)
        elif isinstance(operand, Number | Symbol):
            found.append("constant")
    return tuple(sorted(found))


class _Index:
    """Rules by root, then by what the root's operands have to be, so that most are never looked at."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules  # kept alive, as the index is found by their identity
        self.roots: dict[str, dict[tuple[str, ...], list[tuple[int, Compiled]]]] = {}
        for number, rule in enumerate(rules):
            ready = compiled(rule)
            root = ready.pattern.opcode + ready.pattern.predicate
            for key in {root, "icmp" + SWAPPED[ready.pattern.predicate]} if ready.pattern.predicate else {root}:
                self.roots.setdefault(key, {}).setdefault(_child_keys(ready), []).append((number, ready))

    def candidates(self, instruction: Instruction, definitions: dict[str, Instruction]) -> list[Compiled]:
        """Rules that may match at this root, in the order of the rules."""
        children: dict[str, int] = {}
        for operand in instruction.operands:
            if isinstance(operand, Local):
                made = definitions.get(operand.name)
                if made is not None:
                    key = root_key(made)
                    children[key] = children.get(key, 0) + 1
            else:
                children["constant"] = children.get("constant", 0) + 1
        found = [
            one
            for needed, group in self.roots.get(root_key(instruction) + instruction.predicate, {}).items()
            if all(children.get(key, 0) >= needed.count(key) for key in needed)
            for one in group
        ]
        return [rule for _, rule in sorted(found, key=lambda one: one[0])]


_INDEXES: dict[int, _Index] = {}


def _indexed(rules: tuple[Rule, ...]) -> _Index:
    index = _INDEXES.get(id(rules))
    if index is None or index.rules is not rules:
        if len(_INDEXES) >= 16:
            _INDEXES.clear()
        index = _INDEXES[id(rules)] = _Index(rules)
    return index


class _Matcher:
    """Matches one rule's pattern against instructions of one function."""

    def __init__(self, rule: Compiled, definitions: dict[str, Instruction]) -> None:
        self.rule, self.definitions = rule, definitions

    def typed(self, binding: Binding, kind: int, type: Type) -> Binding | None:
        count, element = lanes(type)
        known = binding.kinds.get(kind)
        if known is not None:
            return binding if known == element and binding.kinds[-1] == count else None
        if binding.kinds.setdefault(-1, count) != count:
            return None
        match self.rule.kinds[kind].fixed:
            case "":
                fits = isinstance(element, Int)
            case "ptr":
                fits = element == Pointer()
            case "any":
                fits = isinstance(element, Int | Pointer) or not isinstance(element, Struct)
            case width:
                fits = element == Int(int(width))
        return Binding(binding.values, {**binding.kinds, kind: element}, binding.nodes) if fits else None

    def value(self, term: Term, value: Value, binding: Binding) -> Iterator[Binding]:
        match term:
            case Node():
                if isinstance(value, Local) and (instruction := self.definitions.get(value.name)) is not None:
                    yield from self.node(term, instruction, binding)
            case Number():
                found = splat(value)
                if (
                    found is not None
                    and _is(found, term.value)
                    and (more := self.typed(binding, term.kind, value.type))
                ):
                    yield more
            case Variable() | Symbol():
                if term.name in binding.values:
                    if binding.values[term.name] == value:
                        yield binding
                elif (isinstance(term, Variable) or splat(value) is not None) and (
                    more := self.typed(binding, term.kind, value.type)
                ):
                    yield Binding({**more.values, term.name: value}, more.kinds, more.nodes)

    def node(self, term: Node, instruction: Instruction, binding: Binding) -> Iterator[Binding]:
        if not _alike(term, instruction):
            return
        type = instruction.type
        if term.opcode in OVERFLOWS:
            assert isinstance(type, Struct)
            type = type.fields[0]
        if (more := self.typed(binding, term.kind, type)) is None:
            return
        started = Binding(more.values, more.kinds, (*more.nodes, (term, instruction)))
        for operands in _orders(term, instruction):
            yield from self.operands(term.operands, operands, started)

    def operands(self, terms: Sequence[Term], values: Sequence[Value], binding: Binding) -> Iterator[Binding]:
        if not terms:
            yield binding
            return
        for more in self.value(terms[0], values[0], binding):
            yield from self.operands(terms[1:], values[1:], more)


def _is(found: Constant, number: int) -> bool:
    width = found.type.width
    return -(1 << width - 1) <= number < 1 << width and found.value == number % (1 << width)


def _alike(term: Node, instruction: Instruction) -> bool:
    if term.opcode in INTRINSICS:
        return instruction.opcode == "call" and instruction.intrinsic == term.opcode
    if instruction.opcode != term.opcode or not term.flags <= instruction.flags:
        return False
    match term.opcode:
        case "icmp":
            return instruction.predicate in (term.predicate, SWAPPED[term.predicate])
        case "extractvalue":
            return instruction.indices == (term.index,)
        case "getelementptr":
            return instruction.element == Int(8) and len(instruction.operands) == 2
    return True


def _orders(term: Node, instruction: Instruction) -> Iterator[tuple[Value, ...]]:
    operands = instruction.operands
    if term.opcode == "icmp":
        if instruction.predicate == term.predicate:
            yield operands
        if instruction.predicate == SWAPPED[term.predicate] and operands[0] != operands[1]:
            yield operands[::-1]
        return
    yield operands
    if term.opcode in COMMUTATIVE_NODES and operands[0] != operands[1]:
        yield operands[::-1]


def constants_hold(rule: Compiled, binding: Binding) -> bool:
    """The side condition over the bound constants holds."""
    if rule.rule.condition == "True":
        return True
    values, widths = surroundings(rule, binding)
    try:
        return bool(rule.condition.value(values, widths))
    except ExpressionError:
        return False


def surroundings(rule: Compiled, binding: Binding) -> tuple[dict[str, int], dict[str, int]]:
    """Values of the bound constants, and the widths of everything that has a name."""
    values = {
        name: found.value
        for name, value in binding.values.items()
        if name[0].isupper() and (found := splat(value)) is not None
    }
    widths = {}
    for name, kind in rule.named_kinds.items():
        element = binding.kinds.get(kind)
        if isinstance(element, Int):
            widths[name] = element.width
    return values, widths


def _is_exclusive(binding: Binding, uses: dict[str, int]) -> bool:
    """Nothing outside the match sees the choice of a freeze in it."""
    inside: dict[str, int] = {}
    for instruction in {id(found): found for _, found in binding.nodes}.values():
        for operand in instruction.operands:
            if isinstance(operand, Local):
                inside[operand.name] = inside.get(operand.name, 0) + 1
    return all(
        uses[instruction.name] == inside.get(instruction.name, 0)
        for term, instruction in binding.nodes[1:]
        if any(isinstance(part, Node) and part.opcode == "freeze" for part in walk(term))
    )


def _needs_hold(rule: Compiled, binding: Binding, known: Known, block: str, speculative: bool) -> bool:
    values = binding.values
    if not all(known.is_fixed(values[name]) for name in rule.notundef if name in values):
        return False
    if not all(known.is_defined(values[name]) for name in rule.noundef if name in values):
        return False
    if not rule.needs or speculative:
        return True
    _, widths = surroundings(rule, binding)
    return all(known.holds(need, values, widths, block) for need in rule.needs)


class _Builder:
    """Instructions for a replacement."""

    def __init__(self, rule: Compiled, binding: Binding, taken: set[str]) -> None:
        self.rule, self.binding, self.taken = rule, binding, taken
        self.made: list[Instruction] = []
        self.done: dict[Term, Value] = {}
        for term, instruction in binding.nodes[1:]:
            if instruction.flags <= term.flags and not instruction.attributes and not instruction.metadata:
                self.done.setdefault(term, instruction.result)

    def type(self, kind: int) -> Type:
        element = self.binding.kinds.get(kind)
        if element is None:
            about = self.rule.kinds[kind]
            if about.computed is not None:
                element = Int(about.computed.value(*surroundings(self.rule, self.binding)))
            elif about.fixed == "ptr":
                element = Pointer()
            else:
                element = Int(int(about.fixed))
        if isinstance(element, Int) and not 1 <= element.width <= 128:
            raise ExpressionError(f"{element} is no type here")
        count = self.binding.kinds[-1]
        assert isinstance(count, int) and isinstance(element, Int | Pointer | object)
        return Vector(count, element) if count else element  # type: ignore[arg-type,return-value]

    def number(self, kind: int, number: int, strict: bool) -> Value:
        type = self.type(kind)
        count, element = lanes(type)
        assert isinstance(element, Int)
        if strict and not -(1 << element.width - 1) <= number < 1 << element.width:
            raise ExpressionError(f"{number} does not fit {element}")
        one = constant(element, number)
        return ConstantVector(type, (one,) * count) if isinstance(type, Vector) else one

    def value(self, term: Term) -> Value:
        match term:
            case Variable() | Symbol():
                return self.binding.values[term.name]
            case Number():
                return self.number(term.kind, term.value, strict=True)
            case Computed():
                return self.number(
                    term.kind, term.expression.value(*surroundings(self.rule, self.binding)), strict=False
                )
            case PoisonTerm():
                return Poison(self.type(term.kind))
        if term not in self.done:
            made = replace(self.instruction(term), name=self.fresh())
            self.made.append(made)
            self.done[term] = made.result
        return self.done[term]

    def fresh(self) -> str:
        number = 0
        while f"r{number}" in self.taken:
            number += 1
        self.taken.add(f"r{number}")
        return f"r{number}"

    def instruction(self, term: Node) -> Instruction:
        operands = tuple(map(self.value, term.operands))
        type = self.type(term.kind)
        for narrow, wide in self.rule.wider:
            if _width(self.type(narrow)) >= _width(self.type(wide)):
                raise ExpressionError("a cast would not change the width")
        if term.opcode in INTRINSICS:
            if term.opcode == "bswap" and _width(type) % 16:
                raise ExpressionError("bswap takes whole pairs of bytes")
            count, element = lanes(type)
            callee = f"llvm.{term.opcode}.{f'v{count}' if count else ''}{element}"
            if term.opcode in OVERFLOWS:
                return Instruction("call", Struct((type, Vector(count, I1) if count else I1)), operands, callee=callee)
            return Instruction("call", type, operands, callee=callee)
        if term.opcode == "getelementptr":
            return Instruction("getelementptr", type, operands, flags=term.flags, element=Int(8))
        indices = (term.index,) if term.opcode == "extractvalue" else ()
        return Instruction(term.opcode, type, operands, flags=term.flags, predicate=term.predicate, indices=indices)


def _width(type: Type) -> int:
    element = lanes(type)[1]
    return element.width if isinstance(element, Int) else 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What an application writes: instructions before the root, the last of them in its place unless `value` is."""

    root: Instruction
    made: tuple[Instruction, ...]
    value: Value | None
    matched: frozenset[str]

    @property
    def key(self) -> tuple[object, ...]:
        """The same for plans that differ in the order of commutative operands only."""
        return (self.value, *(_unordered(one) for one in self.made))


def _unordered(one: Instruction) -> tuple[object, ...]:
    swaps = (one.intrinsic if one.opcode == "call" else one.opcode) in COMMUTATIVE_NODES or one.predicate in (
        "eq",
        "ne",
    )
    operands: object = frozenset(one.operands) if swaps else one.operands
    return (one.opcode, one.type, operands, one.name, one.flags, one.predicate, one.callee, one.indices)


def planned(rule: Compiled, binding: Binding, taken: set[str]) -> Plan:
    """What applying the rule would write; ExpressionError where the replacement has no value here."""
    root = binding.nodes[0][1]
    builder = _Builder(rule, binding, set(taken))
    target = rule.replacement
    value: Value | None = None
    if isinstance(target, Node) and target not in builder.done:
        builder.made.append(replace(builder.instruction(target), name=root.name))
    else:
        value = builder.value(target)
    matched = frozenset(instruction.name for _, instruction in binding.nodes[1:])
    return Plan(root, tuple(builder.made), value, matched)


def carried_out(function: Function, plan: Plan) -> Function:
    """The function with the plan's root replaced, and without matched instructions that nothing uses any more."""
    blocks = []
    for block in function.blocks:
        instructions: list[Instruction] = []
        for instruction in block.instructions:
            if instruction.name == plan.root.name:
                instructions += plan.made
            else:
                instructions.append(instruction)
        blocks.append(instructions)
    if plan.value is not None:
        name, value = plan.root.name, plan.value
        blocks = [[substituted(one, name, value) for one in instructions] for instructions in blocks]
    without = _without_dead(blocks, set(plan.matched))
    return replace(
        function,
        blocks=tuple(Block(old.name, tuple(new)) for old, new in zip(function.blocks, without, strict=True)),
    )


def substituted(instruction: Instruction, name: str, value: Value) -> Instruction:
    """The instruction with each use of %name replaced."""
    if not any(isinstance(operand, Local) and operand.name == name for operand in instruction.operands):
        return instruction
    return instruction.with_operands(
        tuple(
            value if isinstance(operand, Local) and operand.name == name else operand
            for operand in instruction.operands
        )
    )


def _without_dead(blocks: list[list[Instruction]], candidates: set[str]) -> list[list[Instruction]]:
    while candidates:
        used = {
            operand.name
            for instructions in blocks
            for instruction in instructions
            for operand in instruction.operands
            if isinstance(operand, Local)
        }
        dead = candidates - used
        if not dead:
            break
        blocks = [[one for one in instructions if one.name not in dead] for instructions in blocks]
        candidates = candidates & used
    return blocks


def matches(
    function: Function, rules: Iterable[Rule], facts: Sequence[Fact] = (), *, speculative: bool = False
) -> Iterator[tuple[Compiled, Instruction, Binding]]:
    """Every place where a rule's pattern, condition and needs hold: block by block, then in the order of the rules."""
    index = _indexed(rules if isinstance(rules, tuple) else tuple(rules))
    definitions = function.definitions()
    uses = function.uses()
    known = Known(function, facts)
    for block in function.blocks:
        for instruction in block.instructions:
            if not instruction.name:
                continue
            for rule in index.candidates(instruction, definitions):
                for binding in _Matcher(rule, definitions).node(rule.pattern, instruction, Binding({}, {}, ())):
                    if (
                        constants_hold(rule, binding)
                        and (not rule.exclusive or _is_exclusive(binding, uses))
                        and _needs_hold(rule, binding, known, block.name, speculative)
                    ):
                        yield rule, instruction, binding


def applications(
    function: Function, rules: Iterable[Rule], facts: Sequence[Fact] = (), *, speculative: bool = False
) -> Iterator[tuple[Rule, str, Callable[[], Function]]]:
    """Every application as (rule, position, the function that comes of it), in a fixed order.

    The position is the result that is replaced.  The new function is well-formed; flags of replaced instructions are
    lost, and matched instructions that nothing uses any more are removed.  speculative: needs about ranges and bits are
    taken on trust, so that the result is only a proposal: a judge, which knows the facts, has to prove it.
    Cost: 1 to 3 ms an instruction with the whole library.
    """
    taken = {argument.name for argument in function.arguments} | {one.name for one in function}
    last: tuple[Rule, str] | None = None
    seen: set[tuple[object, ...]] = set()
    for rule, instruction, binding in matches(function, rules, facts, speculative=speculative):
        try:
            plan = planned(rule, binding, taken)
        except ExpressionError:
            continue
        if last != (rule.rule, instruction.name):
            last, seen = (rule.rule, instruction.name), set()
        if plan.key not in seen:
            seen.add(plan.key)
            yield rule.rule, f"%{instruction.name}", partial(carried_out, function, plan)
