"""Terms written out as a function of one block, shared parts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from m4alloc.superopt.enumerate_bank import CONSTANT, ROW, Space, Term
from m4alloc.superopt.enumerate_operations import FUNNEL, OPERATIONS, SELECT, SUB
from m4alloc.superopt.ir import (
    I1,
    VOID,
    Block,
    Constant,
    Function,
    Instruction,
    Int,
    Struct,
    Value,
    constant,
)

TURNED = {"eq": "eq", "ne": "ne", "ult": "ugt", "ule": "uge", "slt": "sgt", "sle": "sge"}


def function_of(term: Term, space: Space, leaves: Mapping[int, Sequence[Value]], like: Function) -> Function:
    """A function with the signature of `like` that returns the term; `leaves` are the first rows of each bank."""
    names = {argument.name for argument in like.arguments}
    writer = Writer(space, leaves, set(names))
    value = writer.value(term)
    body = (*writer.body, Instruction("ret", VOID, (value,)))
    return replace(like, blocks=(Block("start" if "start" not in names else "start.", body),))


class Writer:
    """Appends the instructions of terms to `body`; equal instructions are shared, new names are not among `taken`."""

    def __init__(self, space: Space, leaves: Mapping[int, Sequence[Value]], taken: set[str]) -> None:
        self.space = space
        self.leaves = leaves
        self.taken = taken
        self.body: list[Instruction] = []
        self._values: dict[Term, Value] = {}
        self._known: dict[Instruction, Value] = {}

    def value(self, term: Term) -> Value:
        """The value of a term, written out where it is not there yet."""
        found = self._values.get(term)
        if found is None:
            found = self._values[term] = self._value(term)
        return found

    def _value(self, term: Term) -> Value:
        if term.code == CONSTANT:
            return constant(Int(term.width), term.row)
        if term.code == ROW:
            if term.row < self.space.leaves[term.width]:
                return self.leaves[term.width][term.row]
            return self.value(unfolded(term, self.space))
        return self._operation(term.code, Int(term.width), tuple(self.value(part) for part in term.parts))

    def _emit(self, instruction: Instruction) -> Value:
        found = self._known.get(instruction)
        if found is None:
            number = len(self.body)
            while f"t{number}" in self.taken:
                number += 1
            self.taken.add(f"t{number}")
            named = replace(instruction, name=f"t{number}")
            self.body.append(named)
            found = self._known[instruction] = named.result
        return found

    def _operation(self, code: int, type: Int, operands: tuple[Value, ...]) -> Value:
        if code == SELECT:
            condition, yes, no = operands
            if no == constant(type, 0) and type.width > 1:  # for people, where the arms are 1 or -1
                for word, one in (("zext", 1), ("sext", -1)):
                    if yes == constant(type, one):
                        return self._emit(Instruction(word, type, (condition,)))
            return self._emit(Instruction("select", type, operands))
        if code >= FUNNEL:
            by = constant(type, code - FUNNEL)
            return self._emit(Instruction("call", type, (*operands, by), callee=f"llvm.fshl.{type}"))
        operation = OPERATIONS[code]
        word, of = operation.word, operands[0].type
        match operation.kind:
            case "binary":
                last = operands[1]
                if code == SUB and isinstance(last, Constant):
                    return self._emit(Instruction("add", type, (operands[0], constant(type, -last.value))))
                if operation.commutative and isinstance(operands[0], Constant):
                    operands = operands[::-1]
                return self._emit(Instruction(word, type, operands))
            case "icmp":
                if isinstance(operands[0], Constant):
                    word, operands = TURNED[word], operands[::-1]
                return self._emit(Instruction("icmp", I1, operands, predicate=word))
            case "cast":
                return self._emit(Instruction(word, type, operands))
            case "overflow":
                both = self._emit(Instruction("call", Struct((of, I1)), operands, callee=f"llvm.{word}.{of}"))
                return self._emit(Instruction("extractvalue", I1, (both,), indices=(1,)))
            case "rotate":
                twice = (operands[0], *operands)
                return self._emit(Instruction("call", type, twice, callee=f"llvm.{word}.{type}"))
            case "three-way":
                return self._emit(Instruction("call", type, operands, callee=f"llvm.{word}.{type}.{of}"))
            case "counting":
                return self._emit(Instruction("call", type, (*operands, constant(I1, 0)), callee=f"llvm.{word}.{type}"))
        return self._emit(Instruction("call", type, operands, callee=f"llvm.{word}.{type}"))


def unfolded(term: Term, space: Space) -> Term:
    """A row of a bank as an operation on rows."""
    bank = space.banks[term.width]
    code = int(bank.code[term.row])
    first, second, third = map(int, bank.operands[term.row])
    width = int(bank.operand_width[term.row])
    if code == SELECT:
        parts: tuple[Term, ...] = (Term(1, first), Term(term.width, second), Term(term.width, third))
    else:
        unary = code < FUNNEL and OPERATIONS[code].arity == 1
        parts = (Term(width, first),) if unary else (Term(width, first), Term(width, second))
    return Term(term.width, 0, code, parts)
