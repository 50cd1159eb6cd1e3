"""Programs as the instructions of Morello and of CHERI-RISC-V, for people to read and to count.

Registers are given out in order, arguments first, and again after their last use. Morello has one file of registers, of
which cN is the whole and xN the address; the two tables of names must not be mixed up: Morello's SCBNDS with a
register rounds, with a constant it does not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping

from m4alloc.superopt.cheri.intrinsics import NAMES
from m4alloc.superopt.cheri.program import Branch, Program, Step, names
from m4alloc.superopt.cheri.term import Number, Sort, Term, TermError, Variable, children

_MORELLO_PERMS = (1 << 18) - 1
_SET = {"==": "eq", "!=": "ne", "<": "lo", "<=": "ls", ">": "hi", ">=": "hs"}


def to_morello(program: Program) -> str:
    """Morello's assembly.  Raises TermError where 29 registers are too few, and for what has no instruction."""
    return _text(program, _Morello(), 29)


def to_riscv(program: Program) -> str:
    """CHERI-RISC-V's assembly, by the names of ISAv9.  Raises TermError where 15 registers are too few."""
    return _text(program, _Riscv(), 15)


class _Assembly(ABC):
    """What the two share: constants into registers, registers given out and taken back."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.held: dict[str, int] = {}
        self.free: list[int] = []
        self.labels = 0

    def take(self, avoid: frozenset[int] = frozenset()) -> int:
        """The first free register that is none of those."""
        found = next((number for number in sorted(self.free) if number not in avoid), None)
        if found is None:
            raise TermError("more values live at once than there are registers")
        self.free.remove(found)
        return found

    def emit(self, text: str) -> None:
        """One line."""
        self.lines.append(f"\t{text}")

    @abstractmethod
    def register(self, number: int, sort: Sort) -> str:
        """Its name, as a capability or as an integer."""

    @abstractmethod
    def constant(self, number: int, value: int) -> None:
        """A constant into a register."""

    @abstractmethod
    def operation(self, step: Step, into: str, operands: list[str]) -> None:
        """The instructions of a step."""

    @abstractmethod
    def branch(self, condition: str, label: str) -> None:
        """To the label if the condition is false."""

    @abstractmethod
    def move(self, term: Term) -> None:
        """The result into the register for results."""

    def operand(self, term: Term, spare: list[int]) -> str:
        """The register of an atom; a constant gets one for this step."""
        if isinstance(term, Number):
            number = self.take()
            spare.append(number)
            self.constant(number, term.value)
            return self.register(number, Sort.INT)
        assert isinstance(term, Variable), f"{term} is no atom"
        return self.register(self.held[term.name], term.sort)

    def body(self, program: Program, later: frozenset[str] = frozenset()) -> None:
        """Steps and the end; `later`: what is used after it."""
        for number, step in enumerate(program.steps):
            spare: list[int] = []
            operands = [self.operand(term, spare) for term in self.shown(step)]
            rest = program.with_steps(program.steps[number + 1 :])
            for name in dict.fromkeys(names(step.value)):
                if not rest.uses(name) and name not in later and name in self.held:
                    spare.append(self.held.pop(name))
            into = ""
            self.free.extend(spare)
            if step.value.sort is not Sort.UNIT:
                number_into = self.take()
                self.held[step.name] = number_into
                into = self.register(number_into, step.value.sort)
            self.operation(step, into, operands)
            if into and not rest.uses(step.name):
                self.free.append(self.held.pop(step.name))
        self.end(program)

    def shown(self, step: Step) -> tuple[Term, ...]:
        """The operands that need a register; a constant that fits an instruction needs none."""
        return children(step.value)

    def end(self, program: Program) -> None:
        """Return, or go on in one of two ways."""
        result = program.result
        if not isinstance(result, Branch):
            if result is not None:
                self.move(result)
            self.emit("ret")
            return
        self.labels += 1
        label = f".L{self.labels}"
        self.branch(self.register(self.held[result.condition.name], Sort.BOOL), label)
        held, free = dict(self.held), list(self.free)
        self.body(result.one)
        self.lines.append(f"{label}:")
        self.held, self.free = held, free
        self.body(result.other)


class _Morello(_Assembly):
    def register(self, number: int, sort: Sort) -> str:
        return f"{'c' if sort is Sort.CAP else 'x'}{number}"

    def constant(self, number: int, value: int) -> None:
        self.emit(f"mov x{number}, #{_short(value)}")

    def shown(self, step: Step) -> tuple[Term, ...]:
        operator, operands = step.value.operator, children(step.value)
        last = operands[-1] if operands else None
        if operator in ("load", "store") or _is_small(operator, last, 4096):
            return tuple(one for one in operands[: 2 if operator == "store" else 1])
        if operator == "and" and isinstance(last, Number):
            return (operands[0], Number(~last.value & _MORELLO_PERMS))  # CLRPERM takes what goes, not what stays
        return operands

    def operation(self, step: Step, into: str, operands: list[str]) -> None:
        operator = step.value.operator
        last = children(step.value)[-1] if children(step.value) else None
        mnemonic = NAMES[operator].morello if operator in NAMES else ""
        if _is_small(operator, last, 4096) and isinstance(last, Number):
            name = {"inc": "add", "+": "add", "-": "sub"}[operator]
            self.emit(f"{name} {into}, {operands[0]}, #{last.value}")
        elif operator == "inc":
            self.emit(f"add {into}, {operands[0]}, {operands[1]}, uxtx")
        elif operator in _MORELLO:
            _MORELLO[operator](self, into, operands, last)
        elif operator in _SET:
            self.emit(f"cmp {operands[0]}, {operands[1]}")
            self.emit(f"cset {into}, {_SET[operator]}")
        elif mnemonic:
            self.emit(f"{mnemonic} {', '.join([into, *operands])}")
        else:
            raise TermError(f"Morello has no instruction for {operator}")

    def branch(self, condition: str, label: str) -> None:
        self.emit(f"cbz {condition}, {label}")

    def move(self, term: Term) -> None:
        if isinstance(term, Number):
            self.constant(0, term.value)
        elif isinstance(term, Variable) and self.held[term.name] != 0:
            self.emit(f"mov {self.register(0, term.sort)}, {self.register(self.held[term.name], term.sort)}")


def _and_perms(writer: _Assembly, into: str, operands: list[str], last: Term | None) -> None:
    if isinstance(last, Number):
        writer.emit(f"clrperm {into}, {operands[0]}, {operands[1]}")
        return
    # An operand may have been used for the last time and its register be free; it is still to be read here.
    spare = writer.take(frozenset(int(one[1:]) for one in operands))
    writer.free.append(spare)
    writer.emit(f"mvn x{spare}, {operands[1]}")
    writer.emit(f"clrperm {into}, {operands[0]}, x{spare}")


def _flagged(mnemonic: str, condition: str) -> Callable[[_Assembly, str, list[str], Term | None], None]:
    def write(writer: _Assembly, into: str, operands: list[str], last: Term | None) -> None:
        writer.emit(f"{mnemonic} {operands[0]}, {operands[1]}")
        writer.emit(f"cset {into}, {condition}")

    return write


def _plain(text: str) -> Callable[[_Assembly, str, list[str], Term | None], None]:
    def write(writer: _Assembly, into: str, operands: list[str], last: Term | None) -> None:
        for line in text.split("; "):
            writer.emit(line.format(into, *operands))

    return write


_MORELLO: Mapping[str, Callable[[_Assembly, str, list[str], Term | None], None]] = {
    "and": _and_perms,
    "sentry": _plain("seal {0}, {1}, rb"),
    "build": _plain("build {0}, {2}, {1}"),
    "subset": _flagged("chkss", "mi"),
    "identical": _flagged("chkeq", "eq"),
    "null": lambda writer, into, operands, last: writer.emit(f"mov x{into[1:]}, {operands[0]}"),
    "+": _plain("add {0}, {1}, {2}"),
    "-": _plain("sub {0}, {1}, {2}"),
    "&": _plain("and {0}, {1}, {2}"),
    "|": _plain("orr {0}, {1}, {2}"),
    "^": _plain("eor {0}, {1}, {2}"),
    "all": _plain("and {0}, {1}, {2}"),
    "any": _plain("orr {0}, {1}, {2}"),
    "not": _plain("eor {0}, {1}, #1"),
    "true": _plain("mov {0}, #1"),
    "false": _plain("mov {0}, #0"),
    "select": _plain("cmp {1}, #0; csel {0}, {2}, {3}, ne"),
    "load": _plain("ldr {0}, [{1}]"),
    "loadcap": _plain("ldr {0}, [{1}]"),
    "store": _plain("str {2}, [{1}]"),
    "storecap": _plain("str {2}, [{1}]"),
}


class _Riscv(_Assembly):
    def register(self, number: int, sort: Sort) -> str:
        name = f"a{number}" if number < 8 else f"t{number - 8}"
        return f"c{name}" if sort is Sort.CAP else name

    def constant(self, number: int, value: int) -> None:
        self.emit(f"li {self.register(number, Sort.INT)}, {_short(value)}")

    def shown(self, step: Step) -> tuple[Term, ...]:
        operator, operands = step.value.operator, children(step.value)
        last = operands[-1] if operands else None
        if operator in ("load", "store") or _is_small(operator, last, 2048):
            return tuple(one for one in operands[: 2 if operator == "store" else 1])
        return operands

    def operation(self, step: Step, into: str, operands: list[str]) -> None:
        operator = step.value.operator
        last = children(step.value)[-1] if children(step.value) else None
        if _is_small(operator, last, 2048) and isinstance(last, Number):
            name, sign = ("cincoffsetimm", 1) if operator == "inc" else ("addi", -1 if operator == "-" else 1)
            self.emit(f"{name} {into}, {operands[0]}, {sign * last.value}")
        elif operator in _RISCV:
            _RISCV[operator](self, into, operands, last)
        elif operator in NAMES and NAMES[operator].riscv:
            self.emit(f"{NAMES[operator].riscv} {', '.join([into, *operands])}")
        else:
            raise TermError(f"CHERI-RISC-V has no instruction for {operator}")

    def branch(self, condition: str, label: str) -> None:
        self.emit(f"beqz {condition}, {label}")

    def move(self, term: Term) -> None:
        if isinstance(term, Number):
            self.constant(0, term.value)
        elif isinstance(term, Variable) and self.held[term.name] != 0:
            name = "cmove" if term.sort is Sort.CAP else "mv"
            self.emit(f"{name} {self.register(0, term.sort)}, {self.register(self.held[term.name], term.sort)}")


_RISCV: Mapping[str, Callable[[_Assembly, str, list[str], Term | None], None]] = {
    "null": _plain("cincoffset {0}, cnull, {1}"),
    "+": _plain("add {0}, {1}, {2}"),
    "-": _plain("sub {0}, {1}, {2}"),
    "&": _plain("and {0}, {1}, {2}"),
    "|": _plain("or {0}, {1}, {2}"),
    "^": _plain("xor {0}, {1}, {2}"),
    "all": _plain("and {0}, {1}, {2}"),
    "any": _plain("or {0}, {1}, {2}"),
    "not": _plain("xori {0}, {1}, 1"),
    "true": _plain("li {0}, 1"),
    "false": _plain("li {0}, 0"),
    "==": _plain("xor {0}, {1}, {2}; seqz {0}, {0}"),
    "!=": _plain("xor {0}, {1}, {2}; snez {0}, {0}"),
    "<": _plain("sltu {0}, {1}, {2}"),
    ">": _plain("sltu {0}, {2}, {1}"),
    "<=": _plain("sltu {0}, {2}, {1}; xori {0}, {0}, 1"),
    ">=": _plain("sltu {0}, {1}, {2}; xori {0}, {0}, 1"),
    "load": _plain("ld {0}, 0({1})"),
    "loadcap": _plain("clc {0}, 0({1})"),
    "store": _plain("sd {2}, 0({1})"),
    "storecap": _plain("csc {2}, 0({1})"),
}


def _is_small(operator: str, last: Term | None, limit: int) -> bool:
    """The last operand is a constant that an addition has room for."""
    return operator in ("inc", "+", "-") and isinstance(last, Number) and 0 <= last.value < limit


def _short(value: int) -> str:
    return str(value) if abs(value) < 4096 else hex(value)


def _text(program: Program, writer: _Assembly, count: int) -> str:
    for number, one in enumerate(program.parameters):
        writer.held[one.name] = number
    inputs = len(program.parameters)
    for number, (name, _) in enumerate(program.before, inputs):
        writer.held[name] = number
    writer.free = list(range(inputs + len(program.before), count))
    writer.lines.append(f"{program.name}:")
    for name, text in program.before:
        where = writer.register(writer.held[name], Sort.INT)
        writer.lines.append(f"\t// {where}: {text}")
    for one in program.parameters:
        if not program.uses(one.name):
            writer.free.append(writer.held[one.name])
    writer.body(program)
    return "\n".join([*writer.lines, ""])


def count(assembly: str) -> int:
    """Instructions, labels, comments and returns not counted.

    >>> count("f:\\n\\tadd c0, c0, #8\\n\\tret\\n")
    1
    """
    lines: Iterator[str] = (line.strip() for line in assembly.splitlines())
    return sum(bool(line) and not line.endswith(":") and not line.startswith("//") and line != "ret" for line in lines)
