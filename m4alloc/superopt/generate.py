"""Random well-formed functions, the same for the same seed: for tests of the checker, for training, for searches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from m4alloc.superopt.ir import (
    BINARY,
    FLAGS,
    I1,
    PREDICATES,
    PTR,
    VOID,
    Argument,
    Block,
    Constant,
    ConstantVector,
    Function,
    Instruction,
    Int,
    Local,
    Poison,
    Struct,
    Type,
    Undef,
    Value,
    Vector,
    constant,
)

TWO_OPERANDS = ("umin", "umax", "smin", "smax", "uadd.sat", "usub.sat", "sadd.sat", "ssub.sat", "ushl.sat", "sshl.sat")
ONE_OPERAND = ("ctpop", "bitreverse")
WITH_SWITCH = ("abs", "ctlz", "cttz")
OVERFLOWS = ("uadd", "usub", "umul", "sadd", "ssub", "smul")
# Divisions are rare, because almost every source that divides by what it is given is undefined somewhere.
_OPCODES = sorted(BINARY - {"udiv", "sdiv", "urem", "srem"}) * 3 + ["udiv", "sdiv", "urem", "srem"]


@dataclass(frozen=True)
class Features:
    """What generated functions may hold.

    undefined: undef and poison constants, freeze.  branches: two-way branches and switches that join in a phi, early
    returns.  memory: so many pointer arguments (0 to 2), loads and stores of one or two bytes near them, blocks of the
    function's own.  noundef: the share of arguments with it.
    """

    intrinsics: bool = True
    casts: bool = True
    undefined: bool = True
    branches: bool = True
    memory: int = 0
    flags: bool = True
    noundef: float = 0.5


PLAIN = Features(undefined=False, branches=False, noundef=1.0)
"""Straight-line arithmetic on well-defined arguments: what most superoptimisers work on."""


def functions(
    seed: int, count: int, width: int = 8, size: int = 5, features: Features = Features(), arguments: int = 2
) -> list[Function]:
    """`count` functions of up to `size` instructions on iN arguments; none has dead code.

    width: of the arguments and the result, 1 to 64; half and double of it come from casts, i1 from comparisons.
    Errors: ValueError for a width or size out of range.  Cost: 0.1 ms a function.

    >>> first, second = functions(1, 2, width=4, size=3)
    >>> first == functions(1, 1, width=4, size=3)[0], first == second, first.size <= 4
    (True, False, True)
    """
    if not 1 <= width <= 64 or size < 1 or arguments < 0:
        raise ValueError(f"width {width}, size {size}: give a width of 1 to 64 and a size of 1 or more")
    rng = random.Random(f"{seed} {width} {size} {features} {arguments}")
    return [_function(rng, width, size, features, arguments) for _ in range(count)]


def _function(rng: random.Random, width: int, size: int, features: Features, arguments: int) -> Function:
    """One function that is neither empty nor constant at a glance."""
    while True:
        made = _Maker(rng, width, features, arguments).function(size)
        pruned = without_dead_code(made)
        if pruned.size or size == 0:
            return pruned


@dataclass
class _Maker:
    """Builds one function, block by block."""

    rng: random.Random
    width: int
    features: Features
    arguments: int
    known: list[Value] = field(default_factory=list)
    count: int = 0

    def function(self, size: int) -> Function:
        type = Int(self.width)
        given = []
        for number in range(self.arguments):
            attributes = ("noundef",) if self.rng.random() < self.features.noundef else ()
            given.append(Argument("xyzuvw"[number] if number < 6 else f"a{number}", type, attributes))
        for name in "pq"[: self.features.memory]:
            given.append(Argument(name, PTR, ("noundef",) if self.rng.random() < 0.7 else ()))
        self.known = [argument.value for argument in given]
        shape = self.rng.random() if self.features.branches and size >= 2 else 1.0
        if shape < 0.4:
            blocks = self._diamond(type, size)
        elif shape < 0.5:
            blocks = self._early_return(type, size)
        elif shape < 0.6:
            blocks = self._switch(type, size)
        else:
            blocks = [self._last("entry", type, size)]
        return Function("f", type, tuple(given), tuple(blocks))

    def _name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def _body(self, size: int) -> list[Instruction]:
        """So many instructions on what is known; their results become known."""
        made: list[Instruction] = []
        for _ in range(size):
            for instruction in self._instruction():
                made.append(instruction)
                if instruction.name and not isinstance(instruction.type, Struct):
                    self.known.append(instruction.result)
        return made

    def _last(self, name: str, type: Type, size: int) -> Block:
        """A block that ends in a return of something new."""
        body = self._body(size)
        return Block(name, (*body, Instruction("ret", VOID, (self._fresh(type),))))

    def _diamond(self, type: Int, size: int) -> list[Block]:
        """A branch, two arms (either may be empty), a phi."""
        before = self._body(self.rng.randint(0, size // 2))
        condition = self._value(I1)
        outer = list(self.known)
        arms = []
        for name in ("then", "else"):
            self.known = list(outer)
            body = self._body(self.rng.randint(0, max(1, size // 3)))
            arms.append((Block(name, (*body, Instruction("br", VOID, labels=("join",)))), self._fresh(type)))
        self.known = outer
        phi = Instruction("phi", type, tuple(value for _, value in arms), self._name(), labels=("then", "else"))
        self.known.append(phi.result)
        entry = Block("entry", (*before, Instruction("br", VOID, (condition,), labels=("then", "else"))))
        last = self._last("join", type, self.rng.randint(0, size // 2))
        return [entry, arms[0][0], arms[1][0], Block("join", (phi, *last.instructions))]

    def _early_return(self, type: Int, size: int) -> list[Block]:
        before = self._body(self.rng.randint(0, size // 2))
        entry = Block("entry", (*before, Instruction("br", VOID, (self._value(I1),), labels=("early", "rest"))))
        outer = list(self.known)
        early = self._last("early", type, self.rng.randint(0, 1))
        self.known = outer
        return [entry, early, self._last("rest", type, max(1, size - len(before)))]

    def _switch(self, type: Int, size: int) -> list[Block]:
        before = self._body(self.rng.randint(0, size // 2))
        on = self._value(type)
        cases = self.rng.sample(range(min(1 << type.width, 8)), 2) if type.width > 1 else [0]
        labels = ("other", *(f"case{case}" for case in cases))
        operands = (on, *(constant(type, case) for case in cases))
        blocks = [Block("entry", (*before, Instruction("switch", VOID, operands, labels=labels)))]
        blocks += [Block(label, (Instruction("br", VOID, labels=("join",)),)) for label in labels]
        phi = Instruction("phi", type, tuple(self._value(type) for _ in labels), self._name(), labels=labels)
        self.known.append(phi.result)
        last = self._last("join", type, self.rng.randint(0, size // 2))
        return [*blocks, Block("join", (phi, *last.instructions))]

    def _value(self, type: Type) -> Value:
        """An operand of the type: what is known, later values more often, or a constant."""
        fitting = [value for value in self.known if value.type == type]
        if fitting and self.rng.random() < 0.75:
            return fitting[-1 - min(int(self.rng.expovariate(0.7)), len(fitting) - 1)]
        if not isinstance(type, Int):
            return self.rng.choice(fitting)
        if self.features.undefined and self.rng.random() < 0.06:
            return Undef(type) if self.rng.random() < 0.6 else Poison(type)
        if type == I1 and fitting:
            return self.rng.choice(fitting)
        return self._constant(type)

    def _fresh(self, type: Type) -> Value:
        """The newest known value of the type."""
        fitting = [value for value in self.known if value.type == type]
        return fitting[-1] if fitting and self.rng.random() < 0.9 else self._value(type)

    def _constant(self, type: Int) -> Constant:
        return constant(type, small_constant(self.rng, type.width))

    def _flags(self, opcode: str) -> frozenset[str]:
        if not self.features.flags:
            return frozenset()
        return frozenset(flag for flag in sorted(FLAGS.get(opcode, ())) if self.rng.random() < 0.2)

    def _instruction(self) -> Sequence[Instruction]:
        """One instruction, or the few that belong together."""
        type, draw = Int(self.width), self.rng.random()
        if self.features.memory and draw < 0.35:
            return self._memory()
        if draw < 0.55:
            opcode = self.rng.choice(_OPCODES)
            operands = (self._value(type), self._value(type))
            return [Instruction(opcode, type, operands, self._name(), self._flags(opcode))]
        if draw < 0.68:
            return self._compared(type)
        if draw < 0.78:
            condition = self._condition(type)
            chosen = condition[-1].result if condition else self._value(I1)
            arms = (self._value(type), self._value(type))
            return [*condition, Instruction("select", type, (chosen, *arms), self._name())]
        if draw < 0.82 and self.features.undefined:
            return [Instruction("freeze", type, (self._value(type),), self._name())]
        if draw < 0.9 and self.features.casts:
            return self._cast(type)
        if self.features.intrinsics:
            return self._intrinsic(type)
        return [Instruction("xor", type, (self._value(type), self._value(type)), self._name())]

    def _compared(self, type: Int) -> list[Instruction]:
        operands = (self._value(type), self._value(type))
        predicate = self.rng.choice(PREDICATES)
        flags = self._flags("icmp") if predicate not in ("eq", "ne") or self.rng.random() < 0.5 else frozenset()
        return [Instruction("icmp", I1, operands, self._name(), flags, predicate)]

    def _condition(self, type: Int) -> list[Instruction]:
        """A comparison, unless a condition is known already."""
        has_condition = any(value.type == I1 and isinstance(value, Local) for value in self.known)
        return [] if has_condition and self.rng.random() < 0.6 else self._compared(type)

    def _cast(self, type: Int) -> list[Instruction]:
        """There and back through another width, or an i1 widened."""
        conditions = [value for value in self.known if value.type == I1 and isinstance(value, Local)]
        if conditions and self.rng.random() < 0.4 and self.width > 1:
            opcode = self.rng.choice(("zext", "sext"))
            return [Instruction(opcode, type, (self.rng.choice(conditions),), self._name(), self._flags(opcode))]
        if self.width >= 2 and self.rng.random() < 0.6:
            half = Int(self.width // 2)
            down = Instruction("trunc", half, (self._value(type),), self._name(), self._flags("trunc"))
            opcode = self.rng.choice(("zext", "sext"))
            return [down, Instruction(opcode, type, (down.result,), self._name(), self._flags(opcode))]
        if self.width > 32:
            return self._compared(type)
        wide, opcode = Int(self.width * 2), self.rng.choice(("zext", "sext"))
        up = Instruction(opcode, wide, (self._value(type),), self._name(), self._flags(opcode))
        operation = self.rng.choice(("add", "sub", "mul", "shl", "lshr", "ashr"))
        changed = Instruction(operation, wide, (up.result, self._constant(wide)), self._name(), self._flags(operation))
        return [up, changed, Instruction("trunc", type, (changed.result,), self._name(), self._flags("trunc"))]

    def _intrinsic(self, type: Int) -> list[Instruction]:
        draw = self.rng.random()
        if draw < 0.5:
            return [self._call(self.rng.choice(TWO_OPERANDS), type, (self._value(type), self._value(type)))]
        if draw < 0.62:
            return [self._call(self.rng.choice(ONE_OPERAND), type, (self._value(type),))]
        if draw < 0.8:
            switch = constant(I1, self.rng.randrange(2))
            return [self._call(self.rng.choice(WITH_SWITCH), type, (self._value(type), switch))]
        if draw < 0.9:
            three = (self._value(type), self._value(type), self._value(type))
            return [self._call(self.rng.choice(("fshl", "fshr")), type, three)]
        pair = Struct((type, I1))
        name = f"{self.rng.choice(OVERFLOWS)}.with.overflow"
        both = Instruction(
            "call", pair, (self._value(type), self._value(type)), self._name(), callee=f"llvm.{name}.i{self.width}"
        )
        value = Instruction("extractvalue", type, (both.result,), self._name(), indices=(0,))
        flag = Instruction("extractvalue", I1, (both.result,), self._name(), indices=(1,))
        return [both, value, flag]

    def _call(self, name: str, type: Int, operands: tuple[Value, ...]) -> Instruction:
        return Instruction("call", type, operands, self._name(), callee=f"llvm.{name}.i{self.width}")

    def _memory(self) -> list[Instruction]:
        """A load or a store of one or two bytes, next to a pointer that is known."""
        made = self._place()
        place = made[-1].result if made else self._value(PTR)
        byte, half, two = Int(8), Int(16), self.rng.random() < 0.25
        align = self.rng.choice((1, 2)) if two else 1
        if self.rng.random() < 0.5 or self.width != 8:
            made.append(Instruction("load", half if two else byte, (place,), self._name(), align=align))
            if two and self.width == 8:
                made.append(Instruction("trunc", byte, (made[-1].result,), self._name()))
            return made
        value = self._value(byte)
        if two:
            made.append(Instruction("zext", half, (value,), self._name()))
            value = made[-1].result
        made.append(Instruction("store", VOID, (value, place), align=align))
        return made

    def _place(self) -> list[Instruction]:
        """Instructions that make a pointer: one moved a little, one of two, a block of the function's own."""
        draw = self.rng.random()
        if draw < 0.4:
            step = constant(Int(64), self.rng.randint(0, 2))
            flags = self._flags("getelementptr")
            operands = (self._value(PTR), step)
            return [Instruction("getelementptr", PTR, operands, self._name(), flags, element=Int(8))]
        if draw < 0.5:
            return [Instruction("alloca", PTR, (), self._name(), element=Int(16), align=2)]
        if draw < 0.6 and self.arguments:
            compared = self._compared(Int(self.width))
            arms = (self._value(PTR), self._value(PTR))
            return [*compared, Instruction("select", PTR, (compared[0].result, *arms), self._name())]
        return []


def small_constant(rng: random.Random, width: int) -> int:
    """An integer as programs have them: mostly 0, 1, -1, powers of two, masks, the width."""
    draw = rng.random()
    if draw < 0.45:
        return rng.choice((0, 1, 1, 2, -1, -1, width - 1, width, 1 << (width - 1), (1 << (width - 1)) - 1))
    if draw < 0.65:
        return 1 << rng.randrange(width)
    if draw < 0.8:
        return (1 << rng.randrange(width)) - 1
    return rng.getrandbits(width)


def without_dead_code(function: Function) -> Function:
    """The function without results that nothing uses; stores and terminators stay.

    Calls of intrinsics and divisions are dropped too: this makes test cases, it proves nothing.
    """
    while True:
        uses = function.uses()
        blocks = tuple(
            replace(block, instructions=tuple(i for i in block.instructions if not i.name or uses[i.name]))
            for block in function.blocks
        )
        if blocks == function.blocks:
            return function
        function = replace(function, blocks=blocks)


def vectorised(function: Function, count: int, seed: int) -> Function | None:
    """The function on vectors of `count` elements, lane by lane, with other constants in other lanes and a shuffle.

    None where a branch, a structure or memory has no such form.

    >>> (scalar,) = functions(1, 1, 4, 3, PLAIN)
    >>> print(vectorised(scalar, 2, 0).type)
    <2 x i4>
    """
    if len(function.blocks) > 1 or any(not isinstance(a.type, Int) for a in function.arguments):
        return None
    rng = random.Random(seed)

    def lanes(type: Type) -> Type:
        return Vector(count, type) if isinstance(type, Int) else type

    def spread(value: Value) -> Value:
        type = Vector(count, value.type) if isinstance(value.type, Int) else None
        if type is None:
            return value
        if isinstance(value, Constant):
            other = replace(value, value=small_constant(rng, value.type.width) & ((1 << value.type.width) - 1))
            return ConstantVector(type, tuple(rng.choice((value, value, other)) for _ in range(count)))
        if isinstance(value, Undef | Poison):
            return replace(value, type=type)
        return Local(value.name, type) if isinstance(value, Local) else value

    body: list[Instruction] = []
    for instruction in function:
        operands = tuple(map(spread, instruction.operands))
        if isinstance(instruction.type, Struct) or instruction.opcode in ("load", "store", "getelementptr"):
            return None
        callee = instruction.callee
        if callee:
            head, _, tail = callee.rpartition(".")
            callee = f"{head}.v{count}{tail}"
            if len(operands) == 2 and instruction.operands[1].type == I1:
                operands = (operands[0], instruction.operands[1])
        if instruction.opcode == "ret" and rng.random() < 0.5:
            mask = tuple(rng.choice((-1, *range(2 * count))) for _ in range(count))
            mixed = (operands[0], spread(function.arguments[0].value))
            body.append(Instruction("shufflevector", operands[0].type, mixed, "mixed", indices=mask))
            operands = (body[-1].result,)
        body.append(replace(instruction, type=lanes(instruction.type), operands=operands, callee=callee))
    arguments = tuple(replace(argument, type=lanes(argument.type)) for argument in function.arguments)
    return replace(function, type=lanes(function.type), arguments=arguments, blocks=(Block("entry", tuple(body)),))
