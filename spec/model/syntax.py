"""The syntax of models: what a text says before it is known what its names mean, and the error of models.

Nodes are equal when they say the same; where they stand in a text (`at`, an offset, -1 of a node that no text made) is
no part of that. Names are not resolved and types not checked here: `spec.model.lower` does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from spec.ltl.error import LogicError


class ModelError(LogicError):
    """A model that says something wrong; the message says where, and what would be right."""

    @classmethod
    def at(cls, text: str, position: int, message: str, source: str = "") -> ModelError:
        """The error at `position` of `text`, of a file named `source`; of no place when the position is negative.

        >>> print(ModelError.at("model m\\nvar x: bol", 15, "no such type", "m.m4m"))
        m.m4m, line 2, column 8: no such type
          var x: bol
                 ^
        """
        if position < 0:
            return cls(f"{source}: {message}" if source else message)
        where = str(LogicError.at(text, position, message))
        return cls(f"{source}, {where}" if source else where)


class PlacedError(Exception):
    """A ModelError that does not know its text yet."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


@dataclass(frozen=True, slots=True)
class Node:
    """Anything that stands in a model; at: where, as an offset into its text."""

    at: int = field(default=-1, compare=False, repr=False, kw_only=True)


# Expressions.


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number that is not negative."""

    value: int


@dataclass(frozen=True, slots=True)
class Truth(Node):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Nobody(Node):
    """`none`: no process."""


@dataclass(frozen=True, slots=True)
class Target(Node):
    """A constant, a variable, an element of an array, or (where one stands) a channel or a process."""

    name: str
    indices: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation(Node):
    """operator: - or ! of one operand; && or || of two or more; + - * / % == != < <= > >= of two."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`if condition then then else otherwise`."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    """`exists name in over: body`, or `forall`."""

    quantifier: str
    name: str
    over: Span | Group
    body: Expression


@dataclass(frozen=True, slots=True)
class Place(Node):
    """`client[0]@critical`: the process is at this location."""

    process: Target
    location: str


@dataclass(frozen=True, slots=True)
class LocalOf(Node):
    """`client[0].mine`: the variable of a process, as predicates see it."""

    process: Target
    variable: Target


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`len`, `full`, `empty` or `first` of a channel."""

    function: str
    channel: Target


Expression = Number | Truth | Nobody | Target | Operation | Conditional | Quantified | Place | LocalOf | Call


# Types.


@dataclass(frozen=True, slots=True)
class Boolean(Node):
    """`bool`."""


@dataclass(frozen=True, slots=True)
class Span(Node):
    """`low..high`, both included."""

    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class Group(Node):
    """The name of a group of processes: as a type one of them or none, as a range each of them."""

    name: str


Type = Boolean | Span | Group


# Statements.


@dataclass(frozen=True, slots=True)
class Skip(Node):
    """`skip`: a step that changes nothing."""


@dataclass(frozen=True, slots=True)
class Stop(Node):
    """`end`: the process goes no further, and may stay here."""


@dataclass(frozen=True, slots=True)
class Leave(Node):
    """`break`: go on after the innermost loop."""


@dataclass(frozen=True, slots=True)
class Goto(Node):
    """`goto location`."""

    location: str


@dataclass(frozen=True, slots=True)
class Wait(Node):
    """`await condition`."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Claim(Node):
    """`assert condition`."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Label(Node):
    """`label name` or `label name(argument)`."""

    name: str
    arguments: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Set(Node):
    """`a, b = x, y`: all values first, then all targets."""

    targets: tuple[Target, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Pick(Node):
    """`a = any over`: a free choice."""

    target: Target
    over: Span | Group


@dataclass(frozen=True, slots=True)
class Send(Node):
    """`channel ! x, y`."""

    channel: Target
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Receive(Node):
    """`channel ? a, b`."""

    channel: Target
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Atomic(Node):
    """`atomic { ... }`."""

    body: Body


@dataclass(frozen=True, slots=True)
class Branches(Node):
    """`if c { ... } else if d { ... } else { ... }`."""

    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body | None = None


@dataclass(frozen=True, slots=True)
class Choose(Node):
    """`choose { ... } or { ... }`."""

    bodies: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class ChooseIn(Node):
    """`choose name in over { ... }`: one branch for each value."""

    name: str
    over: Span | Group
    body: Body


@dataclass(frozen=True, slots=True)
class While(Node):
    """`while condition { ... }`; of condition None `while * { ... }`."""

    condition: Expression | None
    body: Body


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """`loop { ... }`."""

    body: Body


@dataclass(frozen=True, slots=True)
class Each(Node):
    """`for name in over { ... }`: the body once for each value, one after the other."""

    name: str
    over: Span | Group
    body: Body


@dataclass(frozen=True, slots=True)
class Located(Node):
    """`location: statement`; stay: whether the process may stay there for ever."""

    location: str
    statement: Statement
    stay: bool = False


Statement = (
    Skip
    | Stop
    | Leave
    | Goto
    | Wait
    | Claim
    | Label
    | Set
    | Pick
    | Send
    | Receive
    | Atomic
    | Branches
    | Choose
    | ChooseIn
    | While
    | Loop
    | Each
    | Located
)
Body = tuple[Statement, ...]


# Declarations.


@dataclass(frozen=True, slots=True)
class ConstantOf(Node):
    """`const name = value`."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """`var name: type = initial`; dimensions: of an array; initial: one value for all, one for each, or None."""

    name: str
    type: Type
    dimensions: tuple[Expression, ...] = ()
    initial: Expression | tuple[Expression, ...] | None = None


@dataclass(frozen=True, slots=True)
class Channel(Node):
    """`channel name[dimensions][capacity] of types`."""

    name: str
    capacity: Expression
    types: tuple[Type, ...]
    dimensions: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Track(Node):
    """`track name: low..high`."""

    name: str
    over: Span


@dataclass(frozen=True, slots=True)
class ProcessOf(Node):
    """`symmetric process name[index: over] fair { locals body }`; one process when index is empty."""

    name: str
    body: Body
    locals: tuple[Variable, ...] = ()
    index: str = ""
    over: Span | None = None
    symmetric: bool = False
    fair: bool = False


@dataclass(frozen=True, slots=True)
class Predicate(Node):
    """`predicate name = value`."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Formal(Node):
    """`property name of block: formula`, or `assume`; of is empty when it is of the whole."""

    name: str
    formula: str
    of: str = ""
    assumed: bool = False
    formula_at: int = field(default=-1, compare=False, repr=False)


Declaration = ConstantOf | Variable | Channel | Track | ProcessOf | Predicate | Formal


@dataclass(frozen=True, slots=True)
class Tree(Node):
    """A whole model as it is written."""

    name: str
    declarations: tuple[Declaration, ...]


KEYWORDS = frozenset(
    {
        "model",
        "const",
        "var",
        "array",
        "of",
        "channel",
        "track",
        "symmetric",
        "process",
        "fair",
        "predicate",
        "property",
        "assume",
        "bool",
        "stay",
        "skip",
        "end",
        "break",
        "goto",
        "await",
        "assert",
        "label",
        "any",
        "atomic",
        "if",
        "then",
        "else",
        "choose",
        "or",
        "in",
        "while",
        "loop",
        "for",
        "exists",
        "forall",
        "true",
        "false",
        "none",
    }
)
"""Words that are no names."""
FUNCTIONS = ("len", "full", "empty", "first")


def children(node: Node) -> Iterator[Node]:
    """The nodes directly inside of a node, in order."""
    waiting = [getattr(node, each.name) for each in reversed(fields(node))]
    while waiting:
        value = waiting.pop()
        if isinstance(value, tuple):
            waiting.extend(reversed(value))
        elif isinstance(value, Node):
            yield value


def nodes(node: Node) -> Iterator[Node]:
    """The node and everything inside of it.

    >>> [type(part).__name__ for part in nodes(Wait(Operation("!", (Target("lock"),))))]
    ['Wait', 'Operation', 'Target']
    """
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(list(children(current))))
