"""Runs a program: the readable meaning of commands, with Python code generated once for all states."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from spec.ltl.word import Letter, show_letter
from spec.model.interval import TRUTHS, array_name, interval, quotient, remainder
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Choice,
    Command,
    Constant,
    Element,
    Expression,
    Guard,
    Program,
    Raise,
    Read,
    Statement,
    Unary,
)
from spec.model.system import Step

Values = tuple[int, ...]
"""A state: the value of each cell."""
Successors = list[tuple[Step, Values]]

IDLE = Step(-1, "idle")
"""The step that clears the events of the last one."""


class _FaultError(Exception):
    """A step cannot be completed; the argument says why."""


class Execution:
    """The transition system of a program; a state is the tuple of its cells' values.

    Successors come by process, then by command. A step that fails has a `fault` and leads to the state it fails in.
    Raises: ValueError when the program says something that has no meaning, such as an event letter that is not listed.
    Cost: O(size of the program) once; then microseconds a step.

    >>> from spec.model.program import Process
    >>> more = Assign(Read(0), Binary("+", Read(0), Constant(1)))
    >>> count = Command(0, 0, 0, (Guard(Binary("<", Read(0), Constant(2))), more))
    >>> cells = Cell("n", 0, 2, 0), Cell("p@", 0, 0, 0, owner=0)
    >>> system = Execution(Program("count", cells, (Process("p", 1, ("main",), frozenset({0})),), (count,)))
    >>> state, = system.initial()
    >>> system.show(state), [system.show(target) for _, target in system.successors(state)]
    ('n=0 p@main', ['n=1 p@main'])
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._letters: dict[tuple[int, tuple[bool, ...]], Letter] = {}
        code = _Code(program)
        self._moves, self._predicates = code.moves, code.predicates
        self._counters = tuple(process.counter for process in program.processes)
        self._ends = tuple((process.counter, process.ends) for process in program.processes)
        self._names = [name for name, _ in program.predicates]

    @property
    def processes(self) -> tuple[str, ...]:
        """The names of the processes, by number."""
        return tuple(process.name for process in self.program.processes)

    def initial(self) -> Iterable[Values]:
        """The initial state, once for each value of the tracked cell."""
        cells = self.program.cells
        tracked = self.program.tracked
        values = [cell.initial for cell in cells]
        if tracked is None:
            return [tuple(values)]
        choices = range(cells[tracked].low, cells[tracked].high + 1)
        return [(*values[:tracked], choice, *values[tracked + 1 :]) for choice in choices]

    def successors(self, state: Values) -> Successors:
        """Every step from `state` and where it leads; of a state that raises events, the idle step alone."""
        event = self.program.event_cell
        if event is not None and state[event]:
            return [(IDLE, (*state[:event], 0, *state[event + 1 :]))]
        found: Successors = []
        for moves, counter in zip(self._moves, self._counters, strict=True):
            move = moves[state[counter]]
            if move is not None:
                move(state, found)
        return found

    def letter(self, state: Values) -> Letter:
        """The events that the last step raised and the predicates that are true."""
        event = self.program.event_cell
        key = (0 if event is None else state[event]), self._predicates(state)
        letter = self._letters.get(key)
        if letter is None:
            true = {name for name, holds in zip(self._names, key[1], strict=True) if holds}
            letter = self._letters[key] = self.program.event_letters[key[0]] | true
        return letter

    def ended(self, state: Values) -> bool:
        """Whether every process is where it may stay."""
        return all(state[counter] in ends for counter, ends in self._ends)

    def show(self, state: Values) -> str:
        """The globals, then each process at its location with its locals; arrays in brackets; no events."""
        program = self.program
        hidden = {process.counter for process in program.processes} | {program.event_cell}
        parts = _assignments(program.cells, state, -1, hidden, "")
        for number, process in enumerate(program.processes):
            parts.append(f"{process.name}@{process.locations[state[process.counter]]}")
            parts.extend(_assignments(program.cells, state, number, hidden, process.name + "."))
        return " ".join(parts)


_ELEMENT = re.compile(r"(.+)\[[\d,]+\]")


def _assignments(cells: Sequence[Cell], state: Values, owner: int, hidden: set[int | None], prefix: str) -> list[str]:
    """`name=value` of the cells of one owner, elements of an array together."""
    parts: list[str] = []
    arrays: dict[str, list[str]] = {}
    for number, cell in enumerate(cells):
        if cell.owner != owner or number in hidden:
            continue
        name = cell.name.removeprefix(prefix)
        element = _ELEMENT.fullmatch(name)
        if element is None:
            parts.append(f"{name}={state[number]}")
        elif element[1] in arrays:
            arrays[element[1]].append(str(state[number]))
        else:
            arrays[element[1]] = [str(state[number])]
            parts.append(element[1])
    return [f"{part}=[{','.join(arrays[part])}]" if part in arrays else part for part in parts]


# Code generation. `s` is the state that a step begins in, `t` the list that it changes; `v` is the one of them that is
# current. Values are ints; conditions may be anything whose truth is right.

_Move = Callable[[Values, Successors], None]


class _Code:
    """The functions of a program: moves[process][location], which is None where there are no commands; predicates."""

    moves: list[list[_Move | None]]
    predicates: Callable[[Values], tuple[bool, ...]]

    def __init__(self, program: Program) -> None:
        self._program = program
        self._cells = program.cells
        self._names: dict[str, object] = {"at": _at, "within": _within, "put": _put, "cells": program.cells}
        self._names |= {"quotient": _quotient, "remainder": _remainder, "FaultError": _FaultError, "Step": Step}
        self.moves = [[None] * len(process.locations) for process in program.processes]
        by_source: dict[tuple[int, int], list[int]] = {}
        for number, command in enumerate(program.commands):
            by_source.setdefault((command.process, command.source), []).append(number)
        lines: list[str] = []
        for (process, source), numbers in by_source.items():
            lines.append(f"def move_{process}_{source}(s, found):")
            for number in numbers:
                lines += self._command(number, program.commands[number])
        tests = "".join(f"bool({self._truth(expression, 's', '')}), " for _, expression in program.predicates)
        lines.append(f"def predicates(s): return ({tests})")
        exec(compile("\n".join(lines), f"<model {program.name}>", "exec"), self._names)
        for process, source in by_source:
            self.moves[process][source] = self._names[f"move_{process}_{source}"]  # type: ignore[call-overload]
        self.predicates = self._names["predicates"]  # type: ignore[assignment]

    def _command(self, number: int, command: Command) -> list[str]:
        """The lines that append the command's step to `found`, if it can be taken."""
        self._names[f"step_{number}"] = Step(command.process, command.text, number)
        where = f"line {command.line}: " if command.line else ""
        names = sorted({statement.event for statement in command.body if isinstance(statement, Raise)})
        lines = ["raised = 0"] if names else []
        indent, changed = "", False
        for statement in _joined(command.body):
            v = "t" if changed else "s"
            match statement:
                case Guard(condition):
                    lines.append(f"{indent}if {self._truth(condition, v, where)}:")
                    indent += " "
                case Assign(target, value):
                    # The value is evaluated before the copy is made, of which it is no part.
                    stored = self._stored(target, value, v, where)
                    lines += [indent + stored] if changed else [f"{indent}t = list(s)", indent + stored]
                    changed = True
                case Assert(condition, text):
                    lines.append(
                        f"{indent}if not {self._truth(condition, v, where)}: raise FaultError({where + text!r})"
                    )
                case Raise(event, condition):
                    test = "" if condition == Constant(1) else f"if {self._truth(condition, v, where)}: "
                    lines.append(f"{indent}{test}raised |= {1 << names.index(event)}")
        counter = self._program.processes[command.process].counter
        moves = [f"t[{counter}] = {command.target}"] if command.source != command.target else []
        if names:
            if self._program.event_cell is None:
                raise ValueError(f"{where}the command raises {names[0]}, and the program has no event cell")
            self._names[f"letters_{number}"] = _Letters(self._program.event_letters, names)
            moves.append(f"t[{self._program.event_cell}] = letters_{number}[raised]")
        if moves and not changed:
            moves.insert(0, "t = list(s)")
            changed = True
        lines += [indent + move for move in moves]
        lines.append(f"{indent}found.append((step_{number}, {'tuple(t)' if changed else 's'}))")
        failed = f"Step({command.process}, {command.text!r}, {number}, str(error))"
        return [
            "  try:",
            *(f"   {line}" for line in lines),
            f"  except FaultError as error: found.append(({failed}, s))",
        ]

    def _truth(self, expression: Expression, v: str, where: str) -> str:
        """Python for the truth of an expression; in parentheses unless nothing binds closer."""
        match expression:
            case Binary("&&" | "||" as operator, _, _):
                word = " and " if operator == "&&" else " or "
                return f"({word.join(self._truth(part, v, where) for part in _chain(expression))})"
            case Binary(operator, left, right) if operator in TRUTHS:
                return f"({self._value(left, v, where)} {operator} {self._value(right, v, where)})"
            case Unary("!", operand):
                return f"(not {self._truth(operand, v, where)})"
            case Choice(condition, then, otherwise):
                texts = [self._truth(part, v, where) for part in (then, condition, otherwise)]
                return "({} if {} else {})".format(*texts)
            case _:
                return self._value(expression, v, where)

    def _value(self, expression: Expression, v: str, where: str) -> str:
        """Python for the value of an expression, an int."""
        match expression:
            case Constant(value):
                return str(value) if value >= 0 else f"({value})"
            case Read(cell):
                return f"{v}[{cell}]"
            case Element(first, length, index):
                return f"{v}[{first} + {self._index(first, length, index, v, where)}]"
            case Unary("-", operand):
                return f"(-{self._value(operand, v, where)})"
            case Choice(condition, then, otherwise):
                chosen, other = self._value(then, v, where), self._value(otherwise, v, where)
                return f"({chosen} if {self._truth(condition, v, where)} else {other})"
            case Binary("/" | "%" as operator, left, right):
                name = "quotient" if operator == "/" else "remainder"
                return f"{name}({self._value(left, v, where)}, {self._value(right, v, where)}, {where!r})"
            case Binary("+" | "*" as operator, _, _):
                return f"({f' {operator} '.join(self._value(part, v, where) for part in _chain(expression))})"
            case Binary("-", left, right):
                return f"({self._value(left, v, where)} - {self._value(right, v, where)})"
            case Unary("!") | Binary() if isinstance(expression, Unary) or expression.operator in TRUTHS:
                return f"(1 if {self._truth(expression, v, where)} else 0)"
            case _:
                raise ValueError(f"{where}{expression} has no meaning")

    def _index(self, first: int, length: int, index: Expression, v: str, where: str) -> str:
        """Python for an index, with a check where the ranges do not show that it is right."""
        text = self._value(index, v, where)
        if interval(index, self._cells).within(0, length - 1):
            return text
        cell = self._cells[first].name
        # Of two indices only their combination is left, which a reader of a fault would not know.
        name = cell if cell.endswith("]") and "," in cell.rpartition("[")[2] else array_name(self._cells, first)
        return f"at({text}, {length}, {name!r}, {where!r})"

    def _stored(self, target: Read | Element, value: Expression, v: str, where: str) -> str:
        """The Python statement that gives a cell of `t` a value, with a check where it may be outside of the range."""
        text, found = self._value(value, v, where), interval(value, self._cells)
        if isinstance(target, Read):
            cell = self._cells[target.cell]
            checked = text if found.within(cell.low, cell.high) else f"within({text}, cells[{target.cell}], {where!r})"
            return f"t[{target.cell}] = {checked}"
        index = self._index(target.first, target.length, target.index, v, where)
        several = self._cells[target.first : target.first + target.length]
        if all(found.within(cell.low, cell.high) for cell in several):
            return f"t[{target.first} + {index}] = {text}"
        return f"put(t, {target.first} + {index}, {text}, cells, {where!r})"


def _joined(body: Sequence[Statement]) -> Iterable[Statement]:
    """The statements, with guards that follow one another made one: Python's blocks nest a hundred deep at most."""
    waiting: list[Expression] = []
    for statement in (*body, None):
        if isinstance(statement, Guard):
            if statement.condition != Constant(1):
                waiting.append(statement.condition)
            continue
        if waiting:
            yield Guard(reduce(lambda left, right: Binary("&&", left, right), waiting))
            waiting = []
        if statement is not None:
            yield statement


def _chain(expression: Binary) -> list[Expression]:
    """The operands of an operator that associates, in order, however they are nested."""
    found: list[Expression] = []
    waiting: list[Expression] = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Binary) and part.operator == expression.operator:
            waiting += [part.right, part.left]
        else:
            found.append(part)
    return found


class _Letters(dict[int, int]):
    """From the events that a command raised, as bits in the order of `names`, to the number of the letter."""

    def __init__(self, letters: Sequence[Letter], names: list[str]) -> None:
        super().__init__()
        self._names = names
        for number, letter in enumerate(letters):
            if letter <= set(names):
                self[sum(1 << names.index(name) for name in letter)] = number

    def __missing__(self, raised: int) -> int:
        letter = frozenset(name for bit, name in enumerate(self._names) if raised >> bit & 1)
        raise ValueError(f"{show_letter(letter)} is raised, and the program does not list this event letter")


def _at(index: int, length: int, name: str, where: str) -> int:
    if 0 <= index < length:
        return index
    if "," in name:
        raise _FaultError(f"{where}an index of {name.partition('[')[0]} is outside of the array")
    raise _FaultError(f"{where}there is no {name}[{index}], only {name}[0] to {name}[{length - 1}]")


def _within(value: int, cell: Cell, where: str) -> int:
    if cell.low <= value <= cell.high:
        return value
    raise _FaultError(f"{where}{cell.name} = {value} is out of its range {cell.low}..{cell.high}")


def _put(values: list[int], place: int, value: int, cells: Sequence[Cell], where: str) -> None:
    values[place] = _within(value, cells[place], where)


def _quotient(left: int, right: int, where: str) -> int:
    if right:
        return quotient(left, right)
    raise _FaultError(f"{where}division of {left} by 0")


def _remainder(left: int, right: int, where: str) -> int:
    if right:
        return remainder(left, right)
    raise _FaultError(f"{where}remainder of {left} by 0")
