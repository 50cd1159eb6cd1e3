"""A small SSA form of LLVM IR: what the superoptimiser reads, rewrites and proves.

Every value here is frozen and hashable, so that a function can be a key, be shared between processes, and never
change under a proof.  What is not understood is kept as text (`opaque`) and is never rewritten.  Meaning: the LLVM
language reference, "Poison Values", "Undefined Values" and the section of each instruction.

`m4alloc.superopt.parse` reads LLVM's text into this form, `m4alloc.superopt.printer` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Int:
    """iN: a bit-vector of `width` bits, 1 to 128 here.

    >>> str(Int(32))
    'i32'
    """

    width: int

    def __str__(self) -> str:
        return f"i{self.width}"


@dataclass(frozen=True, slots=True)
class Pointer:
    """ptr, 64 bits; address space 200 holds capabilities, which only m4alloc.superopt.cheri understands."""

    space: int = 0

    def __str__(self) -> str:
        return f"ptr addrspace({self.space})" if self.space else "ptr"


@dataclass(frozen=True, slots=True)
class Float:
    """half, bfloat, float, double ...: moved, never computed with."""

    kind: str

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True)
class Vector:
    """<count x element>; scalable vectors are opaque."""

    count: int
    element: Int | Pointer | Float

    def __str__(self) -> str:
        return f"<{self.count} x {self.element}>"


@dataclass(frozen=True, slots=True)
class Struct:
    """{ a, b }: a literal structure, such as the result of an overflow intrinsic."""

    fields: tuple[Type, ...]

    def __str__(self) -> str:
        return f"{{ {', '.join(map(str, self.fields))} }}"


@dataclass(frozen=True, slots=True)
class Void:
    """The type of an instruction without a result."""

    def __str__(self) -> str:
        return "void"


@dataclass(frozen=True, slots=True)
class OpaqueType:
    """Any other type, as its text."""

    text: str

    def __str__(self) -> str:
        return self.text


Type: TypeAlias = Int | Pointer | Float | Vector | Struct | Void | OpaqueType

VOID = Void()
I1 = Int(1)
PTR = Pointer()


@dataclass(frozen=True, slots=True)
class Local:
    """%name: an argument or the result of an instruction; `name` is without the sign and the quotes."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Constant:
    """An integer; `value` is unsigned, 0 <= value < 2**width.  Use `constant` to wrap any integer.

    >>> constant(Int(8), -1)
    Constant(type=Int(width=8), value=255)
    """

    type: Int
    value: int

    @property
    def signed(self) -> int:
        """The value in two's complement.

        >>> constant(Int(8), 255).signed
        -1
        """
        return self.value - (1 << self.type.width) if self.value >> (self.type.width - 1) else self.value


@dataclass(frozen=True, slots=True)
class ConstantVector:
    """<i8 1, i8 2, ...>, splat and zeroinitializer too: `elements` are `Constant`, `Undef`, `Poison`, `Null` ..."""

    type: Vector
    elements: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Null:
    """null."""

    type: Pointer


@dataclass(frozen=True, slots=True)
class Undef:
    """undef: any value, chosen anew at each use."""

    type: Type


@dataclass(frozen=True, slots=True)
class Poison:
    """poison."""

    type: Type


@dataclass(frozen=True, slots=True)
class Global:
    """@name: the address of a global variable or function."""

    name: str
    type: Pointer


@dataclass(frozen=True, slots=True)
class OpaqueConstant:
    """Any other constant, as its text without the type: floats, constant expressions, aggregates."""

    type: Type
    text: str


Value: TypeAlias = Local | Constant | ConstantVector | Null | Undef | Poison | Global | OpaqueConstant

TERMINATORS = frozenset({"ret", "br", "switch", "unreachable"})
BINARY = frozenset({"add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "shl", "lshr", "ashr", "and", "or", "xor"})
COMMUTATIVE = frozenset({"add", "mul", "and", "or", "xor"})
CASTS = frozenset({"trunc", "zext", "sext", "ptrtoint", "inttoptr", "bitcast", "ptrtoaddr"})
FLAGS: Mapping[str, frozenset[str]] = {
    "add": frozenset({"nuw", "nsw"}),
    "sub": frozenset({"nuw", "nsw"}),
    "mul": frozenset({"nuw", "nsw"}),
    "shl": frozenset({"nuw", "nsw"}),
    "trunc": frozenset({"nuw", "nsw"}),
    "udiv": frozenset({"exact"}),
    "sdiv": frozenset({"exact"}),
    "lshr": frozenset({"exact"}),
    "ashr": frozenset({"exact"}),
    "or": frozenset({"disjoint"}),
    "zext": frozenset({"nneg"}),
    "icmp": frozenset({"samesign"}),
    "getelementptr": frozenset({"inbounds", "nusw", "nuw"}),
    "load": frozenset({"volatile"}),
    "store": frozenset({"volatile"}),
}
"""What each opcode may carry; all but `volatile` make more results poison, so that dropping one is a refinement."""

PREDICATES = ("eq", "ne", "ugt", "uge", "ult", "ule", "sgt", "sge", "slt", "sle")
NEGATED = {
    "eq": "ne", "ne": "eq", "ult": "uge", "uge": "ult", "ugt": "ule", "ule": "ugt",
    "slt": "sge", "sge": "slt", "sgt": "sle", "sle": "sgt",
}  # fmt: skip
"""The predicate that holds where the other does not."""
SWAPPED = {
    "eq": "eq", "ne": "ne", "ugt": "ult", "ult": "ugt", "uge": "ule", "ule": "uge",
    "sgt": "slt", "slt": "sgt", "sge": "sle", "sle": "sge",
}  # fmt: skip
"""The predicate that says the same of the operands in the other order."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.  Which fields an opcode uses:

    binary, cast, freeze, select, icmp   operands (icmp: `predicate`), flags
    phi          operands and `labels` side by side: the value that comes from each predecessor
    load         operands (pointer,); type; align; flags volatile
    store        operands (value, pointer); align
    getelementptr   operands (pointer, index ...); `element`: the source element type
    call         `callee` is an intrinsic's full name ("llvm.umin.i32"); other calls are opaque
    alloca       operands (count,) or (); `element`; align
    extractvalue, insertvalue    `indices`
    shufflevector   operands (a, b); `indices` is the mask, -1 a poison lane
    extractelement, insertelement   operands as LLVM writes them
    ret          operands () or (value,)
    br           operands () and one label, or (condition,) and two labels: true, false
    switch       operands (value, case constant ...), labels (default, destination of each case ...)
    unreachable
    opaque       `text`: the whole right-hand side, {0}, {1} ... standing for the operands; labels if it ends a block
    """

    opcode: str
    type: Type
    operands: tuple[Value, ...] = ()
    name: str = ""
    flags: frozenset[str] = frozenset()
    predicate: str = ""
    callee: str = ""
    element: Type | None = None
    align: int | None = None
    indices: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    """Of a call's result: "noundef", "range(i32 0, 33)" ..."""
    metadata: tuple[tuple[str, str], ...] = ()
    """("range", "!{i8 0, i8 2}"), ("noundef", "!{}") ...: the kind, and the node resolved to its text."""
    text: str = ""

    @property
    def result(self) -> Local:
        """The value that this instruction defines; ValueError where it defines none."""
        if not self.name:
            raise ValueError(f"{self.opcode} defines no value")
        return Local(self.name, self.type)

    @property
    def is_terminator(self) -> bool:
        """It ends a block."""
        return self.opcode in TERMINATORS or (self.opcode == "opaque" and bool(self.labels))

    @property
    def is_pure(self) -> bool:
        """It touches no memory and no control flow, so it may be moved, shared or dropped where its operands allow;
        a division by zero is still UB."""
        return self.opcode not in TERMINATORS | {"load", "store", "opaque", "phi", "alloca"} and not (
            self.opcode == "call" and self.callee.startswith(("llvm.assume", "llvm.mem", "llvm.cheri"))
        )

    @property
    def intrinsic(self) -> str:
        """The name of the intrinsic that is called, without "llvm." and types.

        >>> Instruction("call", Int(8), callee="llvm.usub.sat.i8").intrinsic
        'usub.sat'
        """
        return self.callee.removeprefix("llvm.").rpartition(".")[0]

    def with_operands(self, operands: tuple[Value, ...]) -> Instruction:
        """The same on other operands."""
        return replace(self, operands=operands)


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter with its attributes: "noundef", "nonnull", "align 16", "dereferenceable(8)", "range(i64 1, 65)"."""

    name: str
    type: Type
    attributes: tuple[str, ...] = ()

    @property
    def value(self) -> Local:
        """As an operand."""
        return Local(self.name, self.type)


@dataclass(frozen=True, slots=True)
class Block:
    """A basic block: phis first, a terminator last."""

    name: str
    instructions: tuple[Instruction, ...]

    @property
    def terminator(self) -> Instruction:
        """The last instruction."""
        return self.instructions[-1]

    @property
    def successors(self) -> tuple[str, ...]:
        """Names of the blocks that may run next, in the terminator's order."""
        return self.terminator.labels


@dataclass(frozen=True, slots=True)
class Function:
    """A function definition; the first block is its entry."""

    name: str
    type: Type
    arguments: tuple[Argument, ...]
    blocks: tuple[Block, ...]
    return_attributes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    linkage: tuple[str, ...] = ()
    """Words before the result: "internal", "dso_local", "fastcc" ..."""

    def __iter__(self) -> Iterator[Instruction]:
        """Every instruction, block by block."""
        for block in self.blocks:
            yield from block.instructions

    @property
    def size(self) -> int:
        """Instructions, returns not counted: the cost that published cases use."""
        return sum(instruction.opcode != "ret" for instruction in self)

    @property
    def is_opaque(self) -> bool:
        """Some instruction is outside the subset."""
        return any(instruction.opcode == "opaque" for instruction in self)

    def block(self, name: str) -> Block:
        """The block of that name; KeyError."""
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(name)

    def definitions(self) -> dict[str, Instruction]:
        """Name of a result to the instruction that defines it."""
        return {instruction.name: instruction for instruction in self if instruction.name}

    def predecessors(self) -> dict[str, tuple[str, ...]]:
        """Block name to the names of its predecessors, in the order of the blocks, each once."""
        found: dict[str, dict[str, None]] = {block.name: {} for block in self.blocks}
        for block in self.blocks:
            for successor in block.successors:
                found[successor][block.name] = None
        return {name: tuple(before) for name, before in found.items()}

    def uses(self) -> dict[str, int]:
        """Name of a local to how often it stands as an operand."""
        count: dict[str, int] = {argument.name: 0 for argument in self.arguments}
        for instruction in self:
            if instruction.name:
                count.setdefault(instruction.name, 0)
            for operand in instruction.operands:
                if isinstance(operand, Local):
                    count[operand.name] = count.get(operand.name, 0) + 1
        return count

    def mapped(self, change: Callable[[Instruction], Instruction]) -> Function:
        """The same function with every instruction changed."""
        return replace(
            self,
            blocks=tuple(replace(block, instructions=tuple(map(change, block.instructions))) for block in self.blocks),
        )


@dataclass(frozen=True, slots=True)
class Module:
    """A file: functions in the subset's form, everything else as text that is printed again as it was."""

    functions: tuple[Function, ...]
    triple: str = ""
    data_layout: str = ""
    globals: tuple[str, ...] = ()
    """Lines for types, global variables and aliases."""
    declarations: tuple[str, ...] = ()
    """`declare` lines with their attributes written out."""
    metadata: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Name of a function to why nothing in it can be rewritten."""

    def function(self, name: str) -> Function:
        """The function of that name; KeyError."""
        for function in self.functions:
            if function.name == name:
                return function
        raise KeyError(name)


_CONVENTION = re.compile(r"(?:.*cc|(?:aarch64|amdgpu|ptx|spir)_.*)")


def is_convention(word: str) -> bool:
    """The word names a calling convention, such as `fastcc` or `aarch64_vector_pcs`; so it does with what it takes.

    >>> is_convention("fastcc"), is_convention("aarch64_vector_pcs"), is_convention("internal")
    (True, True, False)
    """
    return bool(_CONVENTION.fullmatch(re.split(r"[ (]", word, maxsplit=1)[0]))


def lane_count(type: Type) -> int:
    """Lanes of a vector; 1 for any other type.

    >>> lane_count(Vector(4, Int(8))), lane_count(Int(8))
    (4, 1)
    """
    return type.count if isinstance(type, Vector) else 1


def constant(type: Int, value: int) -> Constant:
    """An integer wrapped to its type."""
    return Constant(type, value & ((1 << type.width) - 1))


def canonical(function: Function) -> Function:
    """The function with every name replaced by its number in order, so that two that differ in names only are equal.

    The function's own name is kept.  Blocks keep their order.

    >>> x = Argument("x", Int(8))
    >>> body = Instruction("add", Int(8), (x.value, x.value), "sum"), Instruction("ret", VOID, (Local("sum", Int(8)),))
    >>> canonical(Function("f", Int(8), (x,), (Block("entry", body),))).blocks[0].instructions[0].name
    '2'
    """
    locals_: dict[str, str] = {}
    labels: dict[str, str] = {}
    for argument in function.arguments:
        locals_[argument.name] = str(len(locals_))
    count = len(locals_)
    for block in function.blocks:
        labels[block.name] = str(count)
        count += 1
        for instruction in block.instructions:
            if instruction.name:
                locals_[instruction.name] = str(count)
                count += 1

    def renamed(value: Value) -> Value:
        return Local(locals_[value.name], value.type) if isinstance(value, Local) else value

    def change(instruction: Instruction) -> Instruction:
        return replace(
            instruction,
            name=locals_[instruction.name] if instruction.name else "",
            operands=tuple(map(renamed, instruction.operands)),
            labels=tuple(labels[label] for label in instruction.labels),
        )

    arguments = tuple(replace(argument, name=locals_[argument.name]) for argument in function.arguments)
    blocks = tuple(Block(labels[block.name], tuple(map(change, block.instructions))) for block in function.blocks)
    return replace(function, arguments=arguments, blocks=blocks)
