"""A model after its text has been understood: cells, commands and formulas, and nothing else.

The text language and the Python builder make a `Program`; the interpreter, the compiled search, the reductions and the
export to Promela read one. Everything is a bounded integer; truth is 1 and 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from spec.ltl.formula import Formula
from spec.ltl.word import Letter


class Cell(NamedTuple):
    """One integer of the state, from `low` to `high`: `lock`, `owner[2]`, `client[1].mine`.

    owner: the process that it is local to, -1 of a global one.
    """

    name: str
    low: int
    high: int
    initial: int
    owner: int = -1


@dataclass(frozen=True, slots=True)
class Constant:
    """A number."""

    value: int


@dataclass(frozen=True, slots=True)
class Read:
    """The value of a cell."""

    cell: int


@dataclass(frozen=True, slots=True)
class Element:
    """The value of cell `first` + index, where 0 <= index < length; any other index is a fault."""

    first: int
    length: int
    index: Expression


@dataclass(frozen=True, slots=True)
class Unary:
    """operator: `-` or `!`."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """operator: + - * / % == != < <= > >= && ||; / and % truncate towards 0 as in C, by 0 they are a fault.

    && and || do not look at the right operand when the left one decides.
    """

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Choice:
    """`then` if the condition is not 0, else `otherwise`; the other one is not looked at."""

    condition: Expression
    then: Expression
    otherwise: Expression


Expression = Constant | Read | Element | Unary | Binary | Choice


@dataclass(frozen=True, slots=True)
class Guard:
    """The command can be taken only if the condition is not 0 here."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a cell a value; a value outside of the cell's range is a fault."""

    target: Read | Element
    value: Expression


@dataclass(frozen=True, slots=True)
class Assert:
    """A fault with this text unless the condition is not 0 here."""

    condition: Expression
    text: str


@dataclass(frozen=True, slots=True)
class Raise:
    """The proposition `event` is true in the state that the command leads to, if the condition is not 0 here."""

    event: str
    condition: Expression = Constant(1)


Statement = Guard | Assign | Assert | Raise


class Command(NamedTuple):
    """One indivisible step of one process.

    It can be taken when the process is at `source` and every Guard of the body, at its place in it, is true; the
    statements happen in order, and the process is at `target`. (What stands before a Guard has not happened when the
    guard is false.) text, line: where it comes from in the model's source.
    """

    process: int
    source: int
    target: int
    body: tuple[Statement, ...]
    text: str = ""
    line: int = 0


class Process(NamedTuple):
    """One process: the cell that holds its location, the names of the locations, and those that it may stay in."""

    name: str
    counter: int
    locations: tuple[str, ...]
    ends: frozenset[int]


class Named(NamedTuple):
    """A formula of the model: a property to check, or an assumption under which to check it.

    of: what a property is of, "global" or "block" (see `Program.tracked`).
    """

    name: str
    formula: Formula
    of: str = "global"
    line: int = 0


class Symmetry(NamedTuple):
    """Processes that may be exchanged without anybody noticing.

    processes: their numbers. rows: for each of them its own cells: of its location, its locals, and its elements of
    arrays that are indexed by process; the rows are of one length. names: cells whose value is the place of one of
    the processes in `processes`, or is outside of 0 .. len(processes) - 1 and means none.
    """

    processes: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]
    names: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """A whole model.

    event_cell: the cell that holds which events the last step raised: an index into `event_letters`, 0 is none. A state
    in which it is not 0 has one successor, the idle step that sets it to 0: so two events never stand side by side, and
    formulas without X can tell them apart. event_letters: [0] is empty.
    tracked: a cell that nothing changes and that may have any value of its range initially; Raise conditions compare
    with it, so that events are those of one block, chosen once. None in a model without such blocks.
    predicates: propositions of states. fair: the processes that are scheduled weakly fairly when nothing else is said.
    """

    name: str
    cells: tuple[Cell, ...]
    processes: tuple[Process, ...]
    commands: tuple[Command, ...]
    event_cell: int | None = None
    event_letters: tuple[Letter, ...] = (frozenset(),)
    tracked: int | None = None
    predicates: tuple[tuple[str, Expression], ...] = ()
    properties: tuple[Named, ...] = ()
    assumptions: tuple[Named, ...] = ()
    fair: frozenset[int] = frozenset()
    symmetries: tuple[Symmetry, ...] = ()


def reads(expression: Expression) -> Iterator[int]:
    """The cells that the value of `expression` may depend on."""
    match expression:
        case Constant():
            return
        case Read(cell):
            yield cell
        case Element(first, length, index):
            yield from range(first, first + length)
            yield from reads(index)
        case Unary(_, operand):
            yield from reads(operand)
        case Binary(_, left, right):
            yield from reads(left)
            yield from reads(right)
        case Choice(condition, then, otherwise):
            yield from reads(condition)
            yield from reads(then)
            yield from reads(otherwise)
