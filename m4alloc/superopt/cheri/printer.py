"""Programs as LLVM's text: intrinsics without attributes, so that LLVM's own folds leave them alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from m4alloc.superopt.cheri.intrinsics import CAPABILITY, declaration, intrinsic, llvm_type
from m4alloc.superopt.cheri.program import Branch, Program, Step
from m4alloc.superopt.cheri.term import Number, Sort, Term, TermError, Variable, children

_LOCAL = re.compile(r"%([-a-zA-Z$._0-9]+)")
_ARITHMETIC = {"+": "add", "-": "sub", "&": "and", "|": "or", "^": "xor"}
_COMPARISONS = {"==": "eq", "!=": "ne", "<": "ult", "<=": "ule", ">": "ugt", ">=": "uge"}


def to_llvm(program: Program) -> str:
    """The program as a function with the declarations that it needs; arguments that may be undef are frozen first.

    Raises TermError for an operator that LLVM has no intrinsic for.
    """
    bits = program.bits
    writer = _Writer(bits)
    # It is called as the function that was read.
    convention, result, *passed = program.promises.convention or ("ccc", "", *("" for _ in program.parameters))
    words = [(one, how, "noundef" * one.noundef) for one, how in zip(program.parameters, passed, strict=True)]
    parameters = ", ".join(_joined(llvm_type(one.sort, bits), *more, f"%{one.name}") for one, *more in words)
    sort = _joined("" if convention == "ccc" else convention, result, llvm_type(_sort(program), bits))
    writer.lines.append(f"define {sort} @{program.name}({parameters}) {{")
    writer.lines.append("entry:")
    for one in program.parameters:
        if not one.noundef:
            writer.freeze(one.name, one.sort)
    for name, text in program.before:
        writer.lines.append(f"  {_LOCAL.sub(writer.called, text)}")
        writer.freeze(name, Sort.INT)
    writer.body(program)
    writer.lines.append("}")
    declared = [declaration(name, bits) for name in sorted(writer.used)]
    return "\n".join([*writer.lines, "", *declared, ""] if declared else [*writer.lines, ""])


def _joined(*words: str) -> str:
    return " ".join(filter(None, words))


def _sort(program: Program) -> Sort:
    result = program.result
    if isinstance(result, Branch):
        return _sort(result.one)
    return Sort.UNIT if result is None else result.sort


class _Writer:
    """Lines so far, intrinsics used, and what names are called now."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.lines: list[str] = []
        self.used: set[str] = set()
        self.names: dict[str, str] = {}
        self.blocks = 0

    def freeze(self, name: str, sort: Sort) -> None:
        """One value for all uses, where each use might else see another."""
        self.lines.append(f"  %{name}.frozen = freeze {llvm_type(sort, self.bits)} %{name}")
        self.names[name] = f"{name}.frozen"

    def called(self, match: re.Match[str]) -> str:
        """A local of kept code by its present name."""
        return f"%{self.names.get(match.group(1), match.group(1))}"

    def body(self, program: Program) -> None:
        """Steps, then the end."""
        for step in program.steps:
            for line in self.step(step):
                self.lines.append(f"  {line}")
        result = program.result
        if isinstance(result, Branch):
            self.blocks += 1
            one, other = f"then{self.blocks}", f"else{self.blocks}"
            self.lines.append(f"  br i1 {self.atom(result.condition)}, label %{one}, label %{other}")
            self.lines.append(f"{one}:")
            self.body(result.one)
            self.lines.append(f"{other}:")
            self.body(result.other)
        elif result is None:
            self.lines.append("  ret void")
        else:
            self.lines.append(f"  ret {llvm_type(result.sort, self.bits)} {self.atom(result)}")

    def atom(self, term: Term) -> str:
        """An operand without its type."""
        if isinstance(term, Number):
            value = term.value & ((1 << self.bits) - 1)
            return str(value - (1 << self.bits) if value >> (self.bits - 1) else value)
        assert isinstance(term, Variable), f"{term} is no atom"
        return f"%{self.names.get(term.name, term.name)}"

    def typed(self, term: Term) -> str:
        """An operand with its type."""
        return f"{llvm_type(term.sort, self.bits)} {self.atom(term)}"

    def step(self, step: Step) -> Iterator[str]:
        """The instructions of a step."""
        value, name = step.value, step.name
        operator, operands = value.operator, children(value)
        integer = f"i{self.bits}"
        if operator in _ARITHMETIC:
            one, other = operands
            yield f"%{name} = {_ARITHMETIC[operator]} {integer} {self.atom(one)}, {self.atom(other)}"
        elif operator in _COMPARISONS:
            one, other = operands
            yield f"%{name} = icmp {_COMPARISONS[operator]} {integer} {self.atom(one)}, {self.atom(other)}"
        elif operator == "inc":
            yield f"%{name} = getelementptr i8, {self.typed(operands[0])}, {self.typed(operands[1])}"
        elif operator == "null":
            yield f"%{name} = inttoptr {self.typed(operands[0])} to {CAPABILITY}"
        elif operator in ("load", "loadcap"):
            kind = llvm_type(value.sort, self.bits)
            yield f"%{name} = load {kind}, {self.typed(operands[0])}, align {self.alignment(operator)}"
        elif operator in ("store", "storecap"):
            yield f"store {self.typed(operands[1])}, {self.typed(operands[0])}, align {self.alignment(operator)}"
        elif operator in ("true", "false"):
            yield f"%{name} = xor i1 {operator}, false"
        elif operator in ("all", "any"):
            opcode = "and" if operator == "all" else "or"
            yield f"%{name} = {opcode} i1 {self.atom(operands[0])}, {self.atom(operands[1])}"
        elif operator == "not":
            yield f"%{name} = xor i1 {self.atom(operands[0])}, true"
        elif operator == "select":
            yield f"%{name} = select {', '.join(map(self.typed, operands))}"
        else:
            yield self.call(step)

    def alignment(self, operator: str) -> int:
        """Bytes: a data access may be anywhere, a capability is where capabilities can be."""
        return self.bits // 4 if operator.endswith("cap") else 1

    def call(self, step: Step) -> str:
        """An intrinsic."""
        try:
            name = intrinsic(step.value.operator, self.bits)
        except KeyError:
            raise TermError(f"LLVM has no intrinsic for {step.value.operator}") from None
        self.used.add(name)
        kind = llvm_type(step.value.sort, self.bits)
        operands = ", ".join(map(self.typed, step.value.operands))
        return f"%{step.name} = call {kind} @{name}({operands})"
