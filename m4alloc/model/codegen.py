"""Machine code for the steps of a program: from its commands to LLVM's language, and compiled in a few milliseconds.

Three functions are made, on states that are packed into words:

- `successors(state, targets, commands)` writes the words of every successor and the number of its command, and returns
  how many there are. The number of the idle step is -1, that of a step that fails is marked with `FAILED`.
- `letter(state)` is the number of the letter that the state is, for a given tuple of propositions.
- `ended(state)` is whether every process is where it may stay.

This is `spec.model.execution` once more, and means the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from m4alloc.model.packing import Field, Packing
from m4alloc.model.static_reduction import Sufficient
from spec.ltl.error import TooLargeError
from spec.model.interval import interval, may_fail
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Choice,
    Command,
    Constant,
    Element,
    Expression,
    Guard,
    Program,
    Raise,
    Read,
    Unary,
)
from spec.model.vocabulary import refuse_unknown

FAILED = 1 << 40
"""Is added to the number of a command whose step fails."""
IDLE = -1

I64 = ir.IntType(64)
BIT = ir.IntType(1)
VOID_POINTER = I64.as_pointer()
MOST = (1 << 62) - 1
MOST_EVENTS = 12
"""A command that may raise more different events than this is refused: their combinations are a table."""

Value = Any  # llvmlite has no types for checkers
Words = list[Value]


def number(value: int) -> Value:
    """A constant of 64 bits."""
    return ir.Constant(I64, value)


def module(program: Program, packed: Packing, propositions: Sequence[str], reduced: Sufficient | None = None) -> Value:
    """The module of the three functions.

    propositions: in the order of the letter's bits, lowest first; each an event or a predicate of the program.
    reduced: where the steps of one process are enough, and `successors` gives no others.
    Raises: ValueError for a proposition that the program does not know; TooLargeError for numbers that may pass 62
    bits.  Cost: linear in the program, about 0.3 ms a command.
    """
    made = ir.Module(name=program.name)
    _Successors(made, program, packed).write(reduced or {})
    _Letter(made, program, packed).write(propositions)
    _Ended(made, program, packed).write()
    return made


def most_successors(program: Program) -> int:
    """No state has more successors than this."""
    counts: dict[int, dict[int, int]] = {}
    for command in program.commands:
        of_process = counts.setdefault(command.process, {})
        of_process[command.source] = of_process.get(command.source, 0) + 1
    return max(1, sum(max(of_process.values()) for of_process in counts.values()))


class _Function:
    """One function of a module, and how expressions over a packed state are written in it.

    failed: where to go when an expression has no value; None until one may have none.
    """

    def __init__(self, made: Value, program: Program, packed: Packing, name: str, pointers: int) -> None:
        self.module, self.program, self.packed = made, program, packed
        self.function = ir.Function(made, ir.FunctionType(I64, [VOID_POINTER] * pointers), name=name)
        for argument in self.function.args:
            argument.add_attribute("noalias")
        self.builder = ir.IRBuilder(self.function.append_basic_block())
        self.words: Words = [self.load(self.function.args[0], number(word)) for word in range(packed.words)]
        self.failed: Value = None

    def block(self) -> Value:
        return self.function.append_basic_block()

    def load(self, pointer: Value, place: Value) -> Value:
        return self.builder.load(self.builder.gep(pointer, [place]))

    def store(self, value: Value, pointer: Value, place: Value) -> None:
        self.builder.store(value, self.builder.gep(pointer, [place]))

    def lookup(self, values: Sequence[int], index: Value) -> Value:
        """values[index], from a table of constants."""
        kind = ir.ArrayType(I64, len(values))
        table = ir.GlobalVariable(self.module, kind, self.module.get_unique_name("table"))
        table.initializer = ir.Constant(kind, [number(value) for value in values])
        table.global_constant, table.linkage = True, "internal"
        return self.builder.load(self.builder.gep(table, [number(0), index]))

    def get(self, field: Field) -> Value:
        """The value of a field."""
        if not field.width:
            return number(field.low)
        found = (
            self.builder.lshr(self.words[field.word], number(field.shift)) if field.shift else self.words[field.word]
        )
        return self.builder.add(self.builder.and_(found, number((1 << field.width) - 1)), number(field.low))

    def put(self, field: Field, value: Value) -> Value:
        """The word of a field, with that value in the field."""
        if not field.width:
            return self.words[field.word]
        bits = self.builder.shl(self.builder.sub(value, number(field.low)), number(field.shift))
        return self.builder.or_(self.builder.and_(self.words[field.word], number(~field.mask)), bits)

    def require(self, condition: Value) -> None:
        """Go on where the condition is true, and to `failed` where it is not."""
        going = self.block()
        self.failed = self.failed or self.block()
        self.builder.cbranch(condition, going, self.failed)
        self.builder.position_at_end(going)

    def index(self, element: Element) -> Value:
        """The index of an element; a failure when there is no such element."""
        value = self.value(element.index)
        if not interval(element.index, self.program.cells).within(0, element.length - 1):
            self.require(self.builder.icmp_unsigned("<", value, number(element.length)))
        return value

    def element(self, element: Element, index: Value) -> Value:
        """The value of an element whose index is right."""
        array = self.packed.array(element.first, element.length)
        if array is not None and array.first.width:
            first = array.first
            shift = self.builder.add(self.builder.mul(index, number(first.width)), number(first.shift))
            bits = self.builder.and_(self.builder.lshr(self.words[first.word], shift), number((1 << first.width) - 1))
            return self.builder.add(bits, number(first.low))
        fields = self.packed.fields[element.first : element.first + element.length]
        found = self.get(fields[-1])
        for place, field in enumerate(fields[:-1]):
            found = self.builder.select(self.builder.icmp_signed("==", index, number(place)), self.get(field), found)
        return found

    def truth(self, expression: Expression) -> Value:
        """One bit: whether the value of an expression is not 0."""
        match expression:
            case Unary("!", operand):
                return self.builder.not_(self.truth(operand))
            case Binary("&&" | "||", _, right) if may_fail(right, self.program.cells):
                return self._cautious(expression)
            case Binary("&&", left, right):
                return self.builder.and_(self.truth(left), self.truth(right))
            case Binary("||", left, right):
                return self.builder.or_(self.truth(left), self.truth(right))
            case Binary("==" | "!=" | "<" | "<=" | ">" | ">=" as operator, left, right):
                return self.builder.icmp_signed(operator, self.value(left), self.value(right))
            case _:
                return self.builder.icmp_signed("!=", self.value(expression), number(0))

    def _cautious(self, expression: Binary) -> Value:
        """&& and || whose right operand may fail, so that it must not be looked at when the left one decides."""
        decided = expression.operator == "||"
        left = self.truth(expression.left)
        before = self.builder.block
        further, joined = self.block(), self.block()
        self.builder.cbranch(left, *((joined, further) if decided else (further, joined)))
        self.builder.position_at_end(further)
        right = self.truth(expression.right)
        after = self.builder.block
        self.builder.branch(joined)
        self.builder.position_at_end(joined)
        found = self.builder.phi(BIT)
        found.add_incoming(ir.Constant(BIT, decided), before)
        found.add_incoming(right, after)
        return found

    def value(self, expression: Expression) -> Value:
        """The value of an expression, 64 bits."""
        cells = self.program.cells
        if not isinstance(expression, Element) and not interval(expression, cells).within(-MOST, MOST):
            raise TooLargeError(
                f"{_words(expression)} may pass 62 bits, the most that the compiled search computes with"
            )
        match expression:
            case Constant(value):
                return number(value)
            case Read(cell):
                return self.get(self.packed.fields[cell])
            case Element():
                return self.element(expression, self.index(expression))
            case Unary("-", operand):
                return self.builder.neg(self.value(operand))
            case Choice(condition, then, otherwise):
                return self._choice(condition, then, otherwise)
            case Binary("+", left, right):
                return self.builder.add(self.value(left), self.value(right))
            case Binary("-", left, right):
                return self.builder.sub(self.value(left), self.value(right))
            case Binary("*", left, right):
                return self.builder.mul(self.value(left), self.value(right))
            case Binary("/" | "%" as operator, left, right):
                dividend, divisor = self.value(left), self.value(right)
                found = interval(right, cells)
                if found.low <= 0 <= found.high:
                    self.require(self.builder.icmp_signed("!=", divisor, number(0)))
                return (self.builder.sdiv if operator == "/" else self.builder.srem)(dividend, divisor)
            case _:
                return self.builder.zext(self.truth(expression), I64)

    def _choice(self, condition: Expression, then: Expression, otherwise: Expression) -> Value:
        cells = self.program.cells
        chosen = self.truth(condition)
        if not may_fail(then, cells) and not may_fail(otherwise, cells):
            return self.builder.select(chosen, self.value(then), self.value(otherwise))
        starts = [self.block(), self.block()]
        joined = self.block()
        self.builder.cbranch(chosen, *starts)
        incoming = []
        for start, part in zip(starts, (then, otherwise), strict=True):
            self.builder.position_at_end(start)
            incoming.append((self.value(part), self.builder.block))
            self.builder.branch(joined)
        self.builder.position_at_end(joined)
        found = self.builder.phi(I64)
        for value, block in incoming:
            found.add_incoming(value, block)
        return found


class _Successors(_Function):
    def __init__(self, made: Value, program: Program, packed: Packing) -> None:
        super().__init__(made, program, packed, "successors", 3)
        self.count = self.builder.alloca(I64)
        self.builder.store(number(0), self.count)

    def write(self, reduced: Sufficient) -> None:
        """The whole function: the idle step, or each process by its location, then by command, in order."""
        program, builder = self.program, self.builder
        if program.event_cell is not None:
            field = self.packed.fields[program.event_cell]
            idle, busy = self.block(), self.block()
            builder.cbranch(builder.icmp_signed("!=", self.get(field), number(0)), idle, busy)
            builder.position_at_end(idle)
            words = list(self.words)
            words[field.word] = self.put(field, number(0))
            self.record(words, IDLE)
            builder.ret(number(1))
            builder.position_at_end(busy)
        by_source: dict[int, dict[int, list[int]]] = {}
        for place, command in enumerate(program.commands):
            by_source.setdefault(command.process, {}).setdefault(command.source, []).append(place)
        for process, sources in sorted(by_source.items()):
            for source, places in sources.items():
                if (process, source) in reduced:
                    self.enough(process, source, places, reduced[process, source])
        for process, sources in sorted(by_source.items()):
            field = self.packed.fields[program.processes[process].counter]
            after = self.block()
            switch = builder.switch(self.get(field), after)
            for source, places in sources.items():
                start = self.block()
                switch.add_case(number(source), start)
                builder.position_at_end(start)
                for place in places:
                    self.command(place, program.commands[place])
                builder.branch(after)
            builder.position_at_end(after)
        builder.ret(builder.load(self.count))

    def enough(self, process: int, source: int, places: Sequence[int], needed: frozenset[int]) -> None:
        """The process's steps and no others, if it is there, has a step, and can take all the commands in `needed`."""
        builder = self.builder
        field = self.packed.fields[self.program.processes[process].counter]
        here, returns, after = self.block(), self.block(), self.block()
        builder.cbranch(builder.icmp_signed("==", self.get(field), number(source)), here, after)
        builder.position_at_end(here)
        steps: Value = number(0)
        complete: Value = ir.Constant(BIT, 1)
        for place in places:
            self.command(place, self.program.commands[place])
            more = builder.load(self.count)
            if place in needed:
                complete = builder.and_(complete, builder.icmp_signed(">", more, steps))
            steps = more
        builder.store(number(0), self.count)
        builder.cbranch(builder.and_(complete, builder.icmp_signed(">", steps, number(0))), returns, after)
        builder.position_at_end(returns)
        builder.ret(steps)
        builder.position_at_end(after)

    def record(self, words: Words, command: int) -> None:
        """One successor more."""
        count = self.builder.load(self.count)
        start = self.builder.mul(count, number(self.packed.words))
        for place, word in enumerate(words):
            self.store(word, self.function.args[1], self.builder.add(start, number(place)))
        self.store(number(command), self.function.args[2], count)
        self.builder.store(self.builder.add(count, number(1)), self.count)

    def command(self, place: int, command: Command) -> None:
        """A command's step, if it can be taken; the builder is left where the next command begins."""
        builder, before = self.builder, list(self.words)
        blocked, self.failed = self.block(), None
        names = sorted({statement.event for statement in command.body if isinstance(statement, Raise)})
        raised = number(0)
        for statement in command.body:
            match statement:
                case Guard(condition):
                    going = self.block()
                    builder.cbranch(self.truth(condition), going, blocked)
                    builder.position_at_end(going)
                case Assign(target, value):
                    self.assign(target, value)
                case Assert(condition, _):
                    self.require(self.truth(condition))
                case Raise(event, condition):
                    bit = builder.zext(self.truth(condition), I64)
                    raised = builder.or_(raised, builder.shl(bit, number(names.index(event))))
        counter = self.packed.fields[self.program.processes[command.process].counter]
        self.words[counter.word] = self.put(counter, number(command.target))
        if names:
            self.raise_events(names, raised, command)
        self.record(self.words, place)
        builder.branch(blocked)
        if self.failed is not None:
            builder.position_at_end(self.failed)
            self.record(before, place + FAILED)
            builder.branch(blocked)
        builder.position_at_end(blocked)
        self.words = before

    def raise_events(self, names: Sequence[str], raised: Value, command: Command) -> None:
        """Set the event cell; a combination of events that the program does not list is a failure."""
        event_cell = self.program.event_cell
        if event_cell is None:
            raise ValueError(f"line {command.line}: the command raises {names[0]}, and the program has no event cell")
        if len(names) > MOST_EVENTS:
            raise TooLargeError(
                f"line {command.line}: a command raises {len(names)} events; {MOST_EVENTS} is the bound"
            )
        places = {letter: place for place, letter in enumerate(self.program.event_letters)}
        table = [
            places.get(frozenset(name for bit, name in enumerate(names) if combination >> bit & 1), -1)
            for combination in range(1 << len(names))
        ]
        found = self.lookup(table, raised)
        if -1 in table:
            self.require(self.builder.icmp_signed("!=", found, number(-1)))
        field = self.packed.fields[event_cell]
        self.words[field.word] = self.put(field, found)

    def assign(self, target: Read | Element, expression: Expression) -> None:
        """Give a cell a value; a failure when the value is out of the cell's range."""
        builder, cells = self.builder, self.program.cells
        value, found = self.value(expression), interval(expression, cells)
        if isinstance(target, Read):
            cell = cells[target.cell]
            if not found.within(cell.low, cell.high):
                self.in_range(value, number(cell.low), number(cell.high))
            field = self.packed.fields[target.cell]
            self.words[field.word] = self.put(field, value)
            return
        index = self.index(target)
        several = cells[target.first : target.first + target.length]
        if not all(found.within(cell.low, cell.high) for cell in several):
            lows, highs = [cell.low for cell in several], [cell.high for cell in several]
            self.in_range(value, self.one_of(lows, index), self.one_of(highs, index))
        array = self.packed.array(target.first, target.length)
        if array is not None and array.first.width:
            first = array.first
            shift = builder.add(builder.mul(index, number(first.width)), number(first.shift))
            clear = builder.not_(builder.shl(number((1 << first.width) - 1), shift))
            bits = builder.shl(builder.sub(value, number(first.low)), shift)
            self.words[first.word] = builder.or_(builder.and_(self.words[first.word], clear), bits)
            return
        for place, field in enumerate(self.packed.fields[target.first : target.first + target.length]):
            here = builder.icmp_signed("==", index, number(place))
            self.words[field.word] = builder.select(here, self.put(field, value), self.words[field.word])

    def in_range(self, value: Value, low: Value, high: Value) -> None:
        above = self.builder.icmp_signed(">=", value, low)
        self.require(self.builder.and_(above, self.builder.icmp_signed("<=", value, high)))

    def one_of(self, values: Sequence[int], index: Value) -> Value:
        """values[index], where most are equal."""
        return number(values[0]) if len(set(values)) == 1 else self.lookup(values, index)


class _Letter(_Function):
    def __init__(self, made: Value, program: Program, packed: Packing) -> None:
        super().__init__(made, program, packed, "letter", 1)

    def write(self, propositions: Sequence[str]) -> None:
        """The whole function: a bit for each proposition.  Raises: PropositionError."""
        refuse_unknown(self.program, propositions)
        builder, program = self.builder, self.program
        predicates = dict(program.predicates)
        events = frozenset().union(*program.event_letters)
        found = number(0)
        for bit, name in enumerate(propositions):
            expression = predicates.get(name)
            if expression is not None:
                why = may_fail(expression, program.cells)
                if why:
                    raise ValueError(f"the predicate {name} may have no value: {why}")
                true = builder.zext(self.truth(expression), I64)
                found = builder.or_(found, builder.shl(true, number(bit)))
            # An event of allocators that nothing raises is false throughout; other names were refused before.
        if program.event_cell is not None and not events.isdisjoint(propositions):
            table = [
                sum(1 << bit for bit, name in enumerate(propositions) if name in letter)
                for letter in program.event_letters
            ]
            event = self.get(self.packed.fields[program.event_cell])
            found = builder.or_(found, self.lookup(table, event))
        builder.ret(found)


class _Ended(_Function):
    def __init__(self, made: Value, program: Program, packed: Packing) -> None:
        super().__init__(made, program, packed, "ended", 1)

    def write(self) -> None:
        """The whole function: a table of locations for each process."""
        found = number(1)
        for process in self.program.processes:
            table = [int(location in process.ends) for location in range(len(process.locations))]
            location = self.get(self.packed.fields[process.counter])
            found = self.builder.and_(found, self.lookup(table, location))
        self.builder.ret(found)


def _words(expression: Expression) -> str:
    """An expression by its outermost operator: enough to find it in the model."""
    match expression:
        case Constant(value):
            return f"the number {value}"
        case Unary(operator, _) | Binary(operator, _, _):
            return f"an operand or result of {operator}"
        case _:
            return "an expression"
