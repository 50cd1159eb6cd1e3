"""LLVM functions over `ptr addrspace(200)` to programs; they never pass through LLVM's optimiser.

Read: calls of `llvm.cheri.*`, getelementptr by bytes, loads and stores of integers as wide as an address and of
capabilities, integer arithmetic of the language, comparisons, select, freeze, branches without loops. Integer code
that touches no capability is kept as it is. Everything else is refused with its line of LLVM.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from m4alloc.superopt import ir
from m4alloc.superopt.cheri import promises
from m4alloc.superopt.cheri.intrinsics import by_intrinsic, declaration
from m4alloc.superopt.cheri.program import Branch, Parameter, Program, Step, flattened
from m4alloc.superopt.cheri.term import MEMORY, Apply, Number, Sort, TermError, Variable, apply
from m4alloc.superopt.parse import parse_module
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.printer import print_function

_LAYOUT = re.compile(r"^target datalayout.*$", re.MULTILINE)
_CALLED = re.compile(r"@(llvm\.cheri\.[\w.]+)\(")
_DECLARED = re.compile(r"^declare .*@(llvm\.cheri\.[\w.]+)\(", re.MULTILINE)
_ARITHMETIC: Mapping[str, str] = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^"}
_COMPARISONS: Mapping[str, str] = {"eq": "==", "ne": "!=", "ult": "<", "ule": "<=", "ugt": ">", "uge": ">="}
Atom = Variable | Number


class ReadError(IrError):
    """A function that has no meaning as a program over capabilities."""


def read_text(text: str, name: str | None = None, *, bits: int = 64, where: str = "<text>") -> Program:
    """The function of that name, or the only one.

    bits: of an address.  The data layout is not looked at: forks of LLVM write what stock LLVM refuses.
    Raises ReadError, and IrError for what is not LLVM's text.

    >>> text = '''define ptr addrspace(200) @f(ptr addrspace(200) noundef %c) {
    ...   %d = getelementptr i8, ptr addrspace(200) %c, i64 16
    ...   %e = call ptr addrspace(200) @llvm.cheri.cap.bounds.set.i64(ptr addrspace(200) %d, i64 32)
    ...   ret ptr addrspace(200) %e }'''
    >>> from m4alloc.superopt.cheri.notation import unparsed
    >>> unparsed(read_text(text).term)
    'let(d, inc(c, 16), let(e, set(d, 32), e))'
    """
    known = by_intrinsic(bits)
    called = dict.fromkeys(_CALLED.findall(text))
    unknown = [one for one in called if one not in known]
    if unknown:
        raise ReadError(f"{where}: {unknown[0]} is no operation of the language; there are {', '.join(sorted(known))}")
    declared = set(_DECLARED.findall(text))
    lines = [declaration(one, bits) for one in called if one not in declared]
    module = parse_module("\n".join([_LAYOUT.sub("", text), *lines, ""]), where=where)
    found = [function for function in module.functions if name in (None, function.name)]
    if len(found) != 1:
        names = ", ".join(function.name for function in module.functions) or "none"
        wanted = f"no function {name}" if name and not found else f"{len(found)} functions and no name"
        raise ReadError(f"{where}: {wanted}; there are {names}")
    return read(found[0], bits=bits)


def read(function: ir.Function, *, bits: int = 64) -> Program:
    """The function as a program.  Raises ReadError."""
    return _Reader(function, bits).program()


class _Reader:
    """One function; blocks are read along each path, so that a phi is what came by that path."""

    def __init__(self, function: ir.Function, bits: int) -> None:
        self.function = function
        self.bits = bits
        self.intrinsics = by_intrinsic(bits)
        self.before: list[tuple[str, str]] = []
        self.loose: set[str] = set()
        self.aligned: list[tuple[str, int]] = []

    def program(self) -> Program:
        parameters = tuple(
            Parameter(
                argument.name, self.sort(argument.type, f"argument %{argument.name}"), "noundef" in argument.attributes
            )
            for argument in self.function.arguments
        )
        once = {name for name, count in self.function.uses().items() if count == 1}
        frozen = {
            operand.name
            for instruction in self.function
            if instruction.opcode == "freeze"
            for operand in instruction.operands
            if isinstance(operand, ir.Local) and operand.name in once
        }
        parameters = tuple(replace(one, frozen=one.name in frozen) for one in parameters)
        self.frozen = frozen
        outside = {parameter.name for parameter in parameters if parameter.sort is Sort.INT}
        values: dict[str, Atom] = {one.name: Variable(one.name, one.sort) for one in parameters}
        steps, result = self.block(self.function.blocks[0], "", values, outside, ())
        promised = replace(promises.of(self.function), loose=tuple(sorted(self.loose)), aligned=tuple(self.aligned))
        return Program(self.function.name, parameters, steps, result, tuple(self.before), self.bits, promised)

    def sort(self, type: ir.Type, what: str) -> Sort:
        """The sort of a type.  Raises ReadError."""
        if type == ir.Pointer(200):
            return Sort.CAP
        if type == ir.Int(self.bits):
            return Sort.INT
        if type == ir.I1:
            return Sort.BOOL
        raise ReadError(
            f"{self.function.name}: {what} is of type {type}; the language has ptr addrspace(200), i{self.bits} and i1"
        )

    def fail(self, instruction: ir.Instruction, why: str) -> ReadError:
        """The refusal of one instruction."""
        named = f"%{instruction.name} = " if instruction.name else ""
        what = instruction.text or instruction.callee or ""
        return ReadError(f"{self.function.name}: {named}{instruction.opcode} {what}".rstrip() + f": {why}")

    def block(
        self, block: ir.Block, came_from: str, known: Mapping[str, Atom], outside: set[str], path: tuple[str, ...]
    ) -> tuple[tuple[Step, ...], Variable | Number | Branch | None]:
        """The steps of a block and of what follows it."""
        if block.name in path:
            raise ReadError(f"{self.function.name}: block {block.name} is in a loop; a path without one can be read")
        values = dict(known)
        steps: list[Step] = []
        for instruction in map(self.called, block.instructions[:-1]):
            self.instruction(instruction, came_from, values, outside, steps, is_first=not path)
        last = block.terminator
        if last.opcode == "ret":
            return tuple(steps), self.atom(last.operands[0], values, last) if last.operands else None
        if last.opcode == "br":
            arms = [
                self.block(self.function.block(to), block.name, values, outside, (*path, block.name))
                for to in last.labels
            ]
            if len(arms) == 1:
                return (*steps, *arms[0][0]), arms[0][1]
            condition = self.atom(last.operands[0], values, last)
            if isinstance(condition, Number):
                raise self.fail(last, "the condition is a constant")
            one, other = (Program(to, (), *arm) for to, arm in zip(last.labels, arms, strict=True))
            return tuple(steps), Branch(condition, one, other)
        raise self.fail(last, "only ret and br end a block here")

    def called(self, instruction: ir.Instruction) -> ir.Instruction:
        """A call of `llvm.cheri.*`, which is kept as text, with its operands; any other instruction as it is."""
        match = promises.CALL.fullmatch(instruction.text) if instruction.opcode == "opaque" else None
        if match is None:
            return instruction
        operands: list[ir.Value] = []
        for text in re.split(r",(?![^()]*\))", match["operands"]):
            last = text.split()[-1] if text.strip() else ""
            if last.startswith("{"):
                operands.append(instruction.operands[int(last[1:-1])])
            elif last == "null":
                operands.append(ir.Null(ir.Pointer(200)))
            elif re.fullmatch(r"-?\d+", last):
                operands.append(ir.constant(ir.Int(self.bits), int(last)))
            elif last:
                raise self.fail(instruction, f"no value of the language is {last}")
        return replace(instruction, opcode="call", callee=match["name"], operands=tuple(operands), text="")

    def atom(self, value: ir.Value, values: Mapping[str, Atom], instruction: ir.Instruction) -> Atom:
        """An operand."""
        if isinstance(value, ir.Local):
            if value.name not in values:
                raise self.fail(instruction, f"%{value.name} is of a type that the language does not have")
            return values[value.name]
        if isinstance(value, ir.Constant) and value.type == ir.Int(self.bits):
            return Number(value.signed if value.signed > -4096 else value.value)
        raise self.fail(instruction, f"no value of the language is {value}")

    def instruction(
        self,
        instruction: ir.Instruction,
        came_from: str,
        values: dict[str, Atom],
        outside: set[str],
        steps: list[Step],
        *,
        is_first: bool,
    ) -> None:
        """One instruction: a step, another name for a value, or integer code to be kept as it is."""
        if instruction.opcode == "phi":
            chosen = instruction.operands[instruction.labels.index(came_from)]
            values[instruction.name] = self.operand(chosen, values, instruction, steps)
            return
        if instruction.opcode == "freeze":
            frozen = instruction.operands[0]
            values[instruction.name] = self.operand(frozen, values, instruction, steps)
            if isinstance(frozen, ir.Local) and frozen.name in outside:
                outside.add(instruction.name)
            return
        if self.is_kept(instruction, outside) and is_first:
            text = print_function(_alone(_with_names(instruction, values), self.function))
            self.before.append((instruction.name, _line_of(text, instruction.name)))
            outside.add(instruction.name)
            from_loose = any(isinstance(one, ir.Local) and one.name in self.loose for one in instruction.operands)
            if (from_loose or promises.may_be_poison(instruction)) and instruction.name not in self.frozen:
                self.loose.add(instruction.name)
            values[instruction.name] = Variable(instruction.name, Sort.INT)
            return
        value = self.value(instruction, values, steps)
        name = instruction.name or f"_{len(steps)}"
        if value.operator == "all" and any(isinstance(one, Apply) for one in value.operands):  # xor takes several
            parts, _ = flattened(value, prefix=f"{name}.")
            steps += parts[:-1]
            value = parts[-1].value
        steps.append(Step(name, value))
        if value.operator in MEMORY and (instruction.align or 1) > (1 if value.operator in ("load", "store") else 0):
            self.aligned.append((name, instruction.align or 1))
        if instruction.name:
            values[name] = Variable(name, value.sort)

    def is_kept(self, instruction: ir.Instruction, outside: set[str]) -> bool:
        """Integer code that the language has no operator for and that no capability flows into."""
        inside = instruction.opcode in _ARITHMETIC and instruction.type == ir.Int(self.bits)
        return (
            not inside
            and instruction.is_pure
            and instruction.type == ir.Int(self.bits)
            and instruction.opcode in ir.BINARY
            and instruction.opcode not in ("udiv", "sdiv", "urem", "srem")
            and all(isinstance(one, ir.Constant) or (isinstance(one, ir.Local) and one.name in outside)
                    for one in instruction.operands)
        )  # fmt: skip

    def operand(
        self, value: ir.Value, values: Mapping[str, Atom], instruction: ir.Instruction, steps: list[Step]
    ) -> Atom:
        """An operand that may be null or a truth, which take a step of their own."""
        made: Apply | None = None
        if isinstance(value, ir.Null) and value.type == ir.Pointer(200):
            made = apply("null", Number(0))
        elif isinstance(value, ir.Constant) and value.type == ir.I1:
            made = apply("true" if value.value else "false")
        if made is None:
            return self.atom(value, values, instruction)
        name = f"_{len(steps)}.{instruction.name}"
        steps.append(Step(name, made))
        return Variable(name, made.sort)

    def value(self, instruction: ir.Instruction, values: Mapping[str, Atom], steps: list[Step]) -> Apply:
        """The operator that an instruction is.  Raises ReadError."""
        if "volatile" in instruction.flags or instruction.opcode == "opaque":
            raise self.fail(instruction, "volatile, atomic and unknown instructions have no operator")
        if instruction.opcode == "call" and instruction.callee not in self.intrinsics:
            raise self.fail(instruction, "only calls of llvm.cheri.* are read")
        if instruction.opcode == "xor" and instruction.operands[1] == ir.constant(ir.I1, 1):
            return apply("not", self.operand(instruction.operands[0], values, instruction, steps))
        operands = tuple(self.operand(one, values, instruction, steps) for one in instruction.operands)
        try:
            return self.applied(instruction, operands)
        except TermError as error:
            raise self.fail(instruction, str(error)) from None

    def applied(self, instruction: ir.Instruction, operands: tuple[Atom, ...]) -> Apply:
        """An operator on atoms.  Raises TermError."""
        opcode, size = instruction.opcode, Number(self.bits // 8)
        if opcode == "call":
            return apply(self.intrinsics[instruction.callee], *operands)
        if opcode == "getelementptr":
            if instruction.element != ir.Int(8):
                raise TermError("only getelementptr i8 is read")
            return apply("inc", *operands)
        if opcode == "load":
            kind = self.sort(instruction.type, "what is loaded")
            return apply("loadcap", *operands) if kind is Sort.CAP else _data(kind, "load", *operands, size)
        if opcode == "store":
            value, pointer = operands
            if value.sort is Sort.CAP:
                return apply("storecap", pointer, value)
            return _data(value.sort, "store", pointer, value, size)
        if opcode == "icmp":
            return self.compared(instruction.predicate, operands)
        if opcode in ("ptrtoint", "ptrtoaddr"):
            return apply("addr", *operands)
        if opcode == "inttoptr":
            return apply("null", *operands)
        if opcode == "select":
            return apply("select", *operands)
        if opcode in _ARITHMETIC and instruction.type == ir.I1:
            if opcode == "xor":
                return apply("all", apply("any", *operands), apply("not", apply("all", *operands)))
            return apply({"and": "all", "or": "any"}[opcode], *operands)
        if opcode in _ARITHMETIC:
            return apply(_ARITHMETIC[opcode], *operands)
        raise TermError("the language has no such operator")

    def compared(self, predicate: str, operands: tuple[Atom, ...]) -> Apply:
        """Integers, or the addresses of capabilities."""
        if predicate not in _COMPARISONS:
            raise TermError("addresses have no sign; eq, ne and the unsigned predicates are read")
        if any(one.sort is Sort.CAP for one in operands):
            raise TermError(
                "compare the addresses, by llvm.cheri.cap.address.get: equal pointers may differ in authority"
            )
        return apply(_COMPARISONS[predicate], *operands)


def _data(kind: Sort, operator: str, *operands: Atom) -> Apply:
    if kind is not Sort.INT:
        raise TermError("only integers as wide as an address, and capabilities, are loaded and stored")
    return apply(operator, *operands)


def _alone(instruction: ir.Instruction, function: ir.Function) -> ir.Function:
    """A function of one instruction, to print it."""
    names = {one.name: one for one in instruction.operands if isinstance(one, ir.Local)}
    arguments = tuple(ir.Argument(name, one.type) for name, one in names.items())
    end = ir.Instruction("ret", ir.VOID, (instruction.result,))
    return ir.Function(function.name, instruction.type, arguments, (ir.Block("entry", (instruction, end)),))


def _with_names(instruction: ir.Instruction, values: Mapping[str, Atom]) -> ir.Instruction:
    """The instruction on the values that its operands stand for: what is frozen is called by its first name."""

    def renamed(value: ir.Value) -> ir.Value:
        found = values.get(value.name) if isinstance(value, ir.Local) else None
        return (
            ir.Local(found.name, value.type) if isinstance(found, Variable) and isinstance(value, ir.Local) else value
        )

    return instruction.with_operands(tuple(map(renamed, instruction.operands)))


def _line_of(text: str, name: str) -> str:
    return next(line.strip() for line in text.splitlines() if line.strip().startswith(f"%{name} ="))
