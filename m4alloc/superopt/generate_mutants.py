"""Random changes to a function, most of them wrong and some of them right: what a checker must tell apart."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from m4alloc.superopt.generate import ONE_OPERAND, TWO_OPERANDS, WITH_SWITCH, small_constant
from m4alloc.superopt.ir import (
    BINARY,
    FLAGS,
    PREDICATES,
    SWAPPED,
    Block,
    Constant,
    ConstantVector,
    Function,
    Instruction,
    Int,
    Local,
    Poison,
    Undef,
    Value,
    constant,
)


def mutants(function: Function, seed: int, count: int) -> list[tuple[Function, str]]:
    """`count` changed functions, none equal to the function, with what was changed; some are changed twice.

    All are well formed (every use is dominated by its definition).  Fewer, where the function is too small to change
    in so many ways.  Cost: 50 microseconds each.

    >>> from m4alloc.superopt.generate import functions
    >>> len(mutants(functions(1, 1)[0], 7, 10))
    10
    """
    rng = random.Random(seed)
    found: dict[Function, str] = {}
    for _ in range(count * 10):
        if len(found) == count:
            break
        mutant, what = mutant_of(function, rng)
        if rng.random() < 0.25:
            mutant, more = mutant_of(mutant, rng)
            what = f"{what}; {more}"
        if mutant != function:
            found.setdefault(mutant, what)
    return list(found.items())


def mutant_of(function: Function, rng: random.Random) -> tuple[Function, str]:
    """One random change, with its description; the function itself where the change drawn does not fit."""
    block = rng.choice(function.blocks)
    at = rng.randrange(len(block.instructions))
    instruction = block.instructions[at]
    changes = [change for change, fits in _CHANGES if fits(instruction)]
    if not changes:
        return function, "nothing"
    around = _Around(function, block, at, rng)
    changed = rng.choice(changes)(instruction, around)
    if changed is None:
        return function, "nothing"
    made, what = changed
    return around.replaced(made), f"%{instruction.name or instruction.opcode}: {what}"


Change = tuple[Sequence[Instruction], str]


class _Around:
    """Where a change is made: which values may be used there."""

    def __init__(self, function: Function, block: Block, at: int, rng: random.Random) -> None:
        self.function = function
        self.block = block
        self.at = at
        self.rng = rng

    def values(self, type: object) -> list[Value]:
        """Values of the type that are defined before this place on every path."""
        found: list[Value] = [argument.value for argument in self.function.arguments if argument.type == type]
        above = dominators(self.function)[self.block.name]
        for block in self.function.blocks:
            if block.name in above or block is self.block:
                upto = self.at if block is self.block else len(block.instructions)
                found += [i.result for i in block.instructions[:upto] if i.name and i.type == type]
        return found

    def fresh(self, suffix: str) -> str:
        """A name that is not taken."""
        taken = {instruction.name for instruction in self.function} | {a.name for a in self.function.arguments}
        number = 0
        while f"{suffix}{number}" in taken:
            number += 1
        return f"{suffix}{number}"

    def replaced(self, made: Sequence[Instruction]) -> Function:
        """The function with other instructions at this place."""
        body = self.block.instructions
        block = replace(self.block, instructions=(*body[: self.at], *made, *body[self.at + 1 :]))
        blocks = tuple(block if old is self.block else old for old in self.function.blocks)
        return replace(self.function, blocks=blocks)


def dominators(function: Function) -> dict[str, frozenset[str]]:
    """For each block the other blocks that every path to it goes through."""
    before = function.predecessors()
    names = [block.name for block in function.blocks]
    found = {name: frozenset(names) for name in names}
    found[names[0]] = frozenset({names[0]})
    changing = True
    while changing:
        changing = False
        for name in names[1:]:
            common = [found[other] for other in before[name]]
            now = frozenset.intersection(*common) | {name} if common else frozenset({name})
            changing |= now != found[name]
            found[name] = now
    return {name: above - {name} for name, above in found.items()}


def _opcode(instruction: Instruction, around: _Around) -> Change | None:
    """Another opcode of the same shape; flags that it cannot carry are lost."""
    if instruction.opcode in BINARY:
        options = sorted(BINARY - {instruction.opcode})
    elif instruction.opcode in ("zext", "sext"):
        options = ["sext" if instruction.opcode == "zext" else "zext"]
    else:
        return None
    opcode = around.rng.choice(options)
    flags = instruction.flags & FLAGS.get(opcode, frozenset())
    return [replace(instruction, opcode=opcode, flags=flags)], f"{instruction.opcode} becomes {opcode}"


def _flag(instruction: Instruction, around: _Around) -> Change | None:
    options = sorted(FLAGS.get(instruction.opcode, frozenset()) - {"volatile"})
    if not options:
        return None
    flag = around.rng.choice(options)
    what = "lost" if flag in instruction.flags else "added"
    return [replace(instruction, flags=instruction.flags ^ {flag})], f"{flag} {what}"


def _operand(instruction: Instruction, around: _Around) -> Change | None:
    """Another operand of the same type."""
    place = around.rng.randrange(len(instruction.operands))
    old = instruction.operands[place]
    if (instruction.opcode == "switch" or _has_switch(instruction)) and place:  # those must be constants
        return None
    options = [value for value in around.values(old.type) if value != old]
    if isinstance(old.type, Int):
        width = old.type.width
        options += [constant(old.type, small_constant(around.rng, width))]
        options += [Undef(old.type), Poison(old.type)] if around.rng.random() < 0.2 else []
        if isinstance(old, Constant):
            options += [constant(old.type, old.value + step) for step in (-1, 1)] * 2
            options += [constant(old.type, -old.value), constant(old.type, ~old.value)]
    if isinstance(old, ConstantVector):
        lane = around.rng.randrange(len(old.elements))
        element = old.elements[lane].type
        if isinstance(element, Int):
            new: Value = constant(element, small_constant(around.rng, element.width))
            new = Poison(element) if around.rng.random() < 0.1 else new
            options.append(ConstantVector(old.type, (*old.elements[:lane], new, *old.elements[lane + 1 :])))
    if instruction.opcode == "phi":  # what comes along an edge must be defined there; constants always are
        options = [value for value in options if not isinstance(value, Local)]
    if instruction.opcode == "getelementptr" and place:
        options = [constant(Int(64), around.rng.randint(-1, 3))]
    if not options:
        return None
    chosen = around.rng.choice(options)
    operands = (*instruction.operands[:place], chosen, *instruction.operands[place + 1 :])
    return [instruction.with_operands(operands)], f"operand {place} changed"


def _has_switch(instruction: Instruction) -> bool:
    return any(f".{name}." in instruction.callee for name in WITH_SWITCH)


def _turn_switch(instruction: Instruction, around: _Around) -> Change | None:
    if not _has_switch(instruction):
        return None
    value, switch = instruction.operands
    assert isinstance(switch, Constant)
    return [instruction.with_operands((value, constant(switch.type, 1 - switch.value)))], "the i1 turned"


def _swap(instruction: Instruction, around: _Around) -> Change | None:
    """Two operands change places, and a comparison its predicate, sometimes."""
    if len(instruction.operands) < 2 or instruction.opcode in ("store", "getelementptr", "switch", "phi"):
        return None
    *first, a, b = instruction.operands
    if a.type != b.type:
        return None
    predicate = SWAPPED.get(instruction.predicate, "") if around.rng.random() < 0.5 else instruction.predicate
    return [replace(instruction, operands=(*first, b, a), predicate=predicate)], "operands swapped"


def _predicate(instruction: Instruction, around: _Around) -> Change | None:
    other = around.rng.choice([name for name in PREDICATES if name != instruction.predicate])
    return [replace(instruction, predicate=other)], f"{instruction.predicate} becomes {other}"


def _callee(instruction: Instruction, around: _Around) -> Change | None:
    """Another intrinsic of the same shape."""
    parts = instruction.callee.removeprefix("llvm.").split(".")
    name, type = ".".join(parts[:-1]), parts[-1]
    for group in (TWO_OPERANDS, ONE_OPERAND, WITH_SWITCH, ("fshl", "fshr")):
        if name in group:
            other = around.rng.choice([one for one in group if one != name])
            return [replace(instruction, callee=f"llvm.{other}.{type}")], f"{name} becomes {other}"
    return None


def _freeze(instruction: Instruction, around: _Around) -> Change | None:
    """A freeze in front of an operand."""
    places = [i for i, operand in enumerate(instruction.operands) if isinstance(operand, Local)
              and isinstance(operand.type, Int)]  # fmt: skip
    if not places or instruction.opcode == "phi":
        return None
    place = around.rng.choice(places)
    frozen = Instruction("freeze", instruction.operands[place].type, (instruction.operands[place],), around.fresh("fr"))
    operands = (*instruction.operands[:place], frozen.result, *instruction.operands[place + 1 :])
    return [frozen, instruction.with_operands(operands)], f"operand {place} frozen"


def _thaw(instruction: Instruction, around: _Around) -> Change | None:
    """A freeze that does nothing any more."""
    zero = constant(instruction.type, 0) if isinstance(instruction.type, Int) else None
    if zero is None:
        return None
    return [replace(instruction, opcode="or", operands=(instruction.operands[0], zero))], "freeze dropped"


def _select_to_logic(instruction: Instruction, around: _Around) -> Change | None:
    """select c, x, false as and; select c, true, x as or: wrong where x is poison."""
    condition, a, b = instruction.operands
    if instruction.type != Int(1) or condition.type != Int(1):
        return None
    if isinstance(b, Constant) and b.value == 0:
        return [replace(instruction, opcode="and", operands=(condition, a))], "select becomes and"
    if isinstance(a, Constant) and a.value == 1:
        return [replace(instruction, opcode="or", operands=(condition, b))], "select becomes or"
    return None


def _strength(instruction: Instruction, around: _Around) -> Change | None:
    """A right rewrite, flags lost: a product as a shift, a difference as a sum, a doubling as a shift."""
    a, b = instruction.operands
    if not isinstance(instruction.type, Int):
        return None
    type = instruction.type
    plain = replace(instruction, flags=frozenset())
    if instruction.opcode == "sub" and isinstance(b, Constant):
        return [replace(plain, opcode="add", operands=(a, constant(type, -b.value)))], "sub becomes add"
    if instruction.opcode == "add" and isinstance(b, Constant):
        return [replace(plain, opcode="sub", operands=(a, constant(type, -b.value)))], "add becomes sub"
    if instruction.opcode == "add" and a == b and type.width > 1:
        return [replace(plain, opcode="shl", operands=(a, constant(type, 1)))], "add becomes shl"
    power = b.value.bit_length() - 1 if isinstance(b, Constant) and b.value.bit_count() == 1 else None
    other = {"mul": "shl", "udiv": "lshr"}.get(instruction.opcode)
    if power is not None and other is not None:
        return [replace(plain, opcode=other, operands=(a, constant(type, power)))], f"{instruction.opcode} by a shift"
    if power is not None and instruction.opcode == "urem":
        mask = constant(type, (1 << power) - 1)
        return [replace(plain, opcode="and", operands=(a, mask))], "urem becomes and"
    return None


def _forget(instruction: Instruction, around: _Around) -> Change | None:
    """The result is an operand of the same type."""
    same = [operand for operand in instruction.operands if operand.type == instruction.type]
    if not same or not isinstance(instruction.type, Int) or instruction.opcode == "phi":
        return None
    zero = constant(instruction.type, 0)
    kept = around.rng.choice(same)
    return [Instruction("or", instruction.type, (kept, zero), instruction.name)], "replaced by an operand"


def _labels(instruction: Instruction, around: _Around) -> Change | None:
    """A branch the other way round."""
    if len(instruction.labels) < 2 or len(set(instruction.labels)) == 1:
        return None
    first, second, *rest = instruction.labels
    return [replace(instruction, labels=(second, first, *rest))], "targets swapped"


def _drop(instruction: Instruction, around: _Around) -> Change | None:
    return [], "dropped"


def _is_value(instruction: Instruction) -> bool:
    return bool(instruction.name)


_CHANGES: list[tuple[Callable[[Instruction, _Around], Change | None], Callable[[Instruction], bool]]] = [
    (_opcode, lambda i: i.opcode in BINARY or i.opcode in ("zext", "sext")),
    (_opcode, lambda i: i.opcode in BINARY),
    (_flag, lambda i: i.opcode in FLAGS and i.opcode not in ("load", "store")),
    (_flag, lambda i: i.opcode in FLAGS and i.opcode not in ("load", "store")),
    (_operand, lambda i: bool(i.operands)),
    (_operand, lambda i: bool(i.operands)),
    (_swap, lambda i: len(i.operands) >= 2 and i.opcode != "call"),
    (_predicate, lambda i: i.opcode == "icmp"),
    (_callee, lambda i: i.opcode == "call"),
    (_turn_switch, lambda i: i.opcode == "call"),
    (_freeze, lambda i: bool(i.operands) and i.opcode not in ("extractvalue", "getelementptr")),
    (_thaw, lambda i: i.opcode == "freeze"),
    (_select_to_logic, lambda i: i.opcode == "select"),
    (_strength, lambda i: i.opcode in BINARY),
    (_strength, lambda i: i.opcode in BINARY),
    (_forget, lambda i: _is_value(i) and i.opcode not in ("load",)),
    (_labels, lambda i: i.opcode in ("br", "switch")),
    (_drop, lambda i: i.opcode == "store"),
]
