"""Models written in Python: the same trees as those of the text language, so that the two forms mean the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from spec.model import syntax
from spec.model.lower import lower
from spec.model.program import Program
from spec.model.reader import read_tree
from spec.model.syntax import Body, Expression, Statement, Target
from spec.model.writer import write


class Term:
    """An expression: built with + - * // % == != < <= > >= and & | ~ for `and`, `or`, `not`.

    >>> x, y = Term(Target("x")), Term(Target("y"))
    >>> (x + 1 == y) & ~(x < 0)
    x + 1 == y && !(x < 0)
    """

    __slots__ = ("node",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, node: Expression) -> None:
        self.node = node

    def __repr__(self) -> str:
        from spec.model.writer import show

        return show(self.node)

    def __bool__(self) -> bool:
        raise TypeError("a term of a model has no truth in Python; & | ~ and if_else would be right")

    def __eq__(self, other: object) -> Term:  # type: ignore[override]
        return _operation("==", self, other)

    def __ne__(self, other: object) -> Term:  # type: ignore[override]
        return _operation("!=", self, other)

    def __lt__(self, other: Value) -> Term:
        return _operation("<", self, other)

    def __le__(self, other: Value) -> Term:
        return _operation("<=", self, other)

    def __gt__(self, other: Value) -> Term:
        return _operation(">", self, other)

    def __ge__(self, other: Value) -> Term:
        return _operation(">=", self, other)

    def __add__(self, other: Value) -> Term:
        return _operation("+", self, other)

    def __radd__(self, other: Value) -> Term:
        return _operation("+", other, self)

    def __sub__(self, other: Value) -> Term:
        return _operation("-", self, other)

    def __rsub__(self, other: Value) -> Term:
        return _operation("-", other, self)

    def __mul__(self, other: Value) -> Term:
        return _operation("*", self, other)

    def __rmul__(self, other: Value) -> Term:
        return _operation("*", other, self)

    def __floordiv__(self, other: Value) -> Term:
        return _operation("/", self, other)

    def __mod__(self, other: Value) -> Term:
        return _operation("%", self, other)

    def __and__(self, other: Value) -> Term:
        return _operation("&&", self, other)

    def __or__(self, other: Value) -> Term:
        return _operation("||", self, other)

    def __invert__(self) -> Term:
        return Term(syntax.Operation("!", (self.node,)))

    def __neg__(self) -> Term:
        return Term(syntax.Operation("-", (self.node,)))


Value: TypeAlias = "Term | int | bool"
"""What may stand in a term."""
Kind: TypeAlias = "type[bool] | tuple[Value, Value] | str"
"""A type: `bool`, (low, high), or the name of a group of processes."""
NONE = Term(syntax.Nobody())
"""No process."""


def _operation(operator: str, left: object, right: object) -> Term:
    one, other = _node(left), _node(right)
    # `a & b & c` is one conjunction, as it is in the text.
    if operator in ("&&", "||") and isinstance(one, syntax.Operation) and one.operator == operator:
        return Term(syntax.Operation(operator, (*one.operands, other)))
    return Term(syntax.Operation(operator, (one, other)))


def _node(value: object) -> Expression:
    if isinstance(value, Term):
        return value.node
    if isinstance(value, bool):
        return syntax.Truth(value)
    if isinstance(value, int):
        return syntax.Number(value) if value >= 0 else syntax.Operation("-", (syntax.Number(-value),))
    raise TypeError(f"{value!r} is no term of a model; a Term, an int or a bool would be right")


def _nodes(values: object) -> tuple[Expression, ...]:
    return tuple(_node(value) for value in (values if isinstance(values, tuple | list) else (values,)))


def _over(over: tuple[Value, Value] | str) -> syntax.Span | syntax.Group:
    if isinstance(over, str):
        return syntax.Group(over)
    if not isinstance(over, tuple) or len(over) != 2:
        raise TypeError(f"{over!r} is no range; (low, high), with both ends in it, or the name of a group is one")
    return syntax.Span(_node(over[0]), _node(over[1]))


def _type(kind: Kind) -> syntax.Type:
    if isinstance(kind, type):
        if kind is not bool:
            raise TypeError(f"{kind.__name__} is no kind of variable; bool, (low, high), or the name of a group is one")
        return syntax.Boolean()
    return _over(kind)


class Variable(Term):
    """A variable; of an array, `v[i]` is an element, and so is `v[i, j]` of one with two dimensions."""

    __slots__ = ()

    def __init__(self, target: Target) -> None:
        super().__init__(target)

    def __getitem__(self, index: Value | tuple[Value, ...]) -> Variable:
        return Variable(Target(_target(self).name, _nodes(index)))


class Channel:
    """A channel, or an array of them of which `c[i]` is one; the properties are terms."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __getitem__(self, index: Value | tuple[Value, ...]) -> Channel:
        return Channel(Target(self.target.name, _nodes(index)))

    def _call(self, function: str) -> Term:
        return Term(syntax.Call(function, self.target))

    @property
    def length(self) -> Term:
        """How many messages are in it."""
        return self._call("len")

    @property
    def full(self) -> Term:
        """Whether nothing more can be sent."""
        return self._call("full")

    @property
    def empty(self) -> Term:
        """Whether nothing can be received."""
        return self._call("empty")

    @property
    def first(self) -> Term:
        """The first part of the oldest message."""
        return self._call("first")


def _target(variable: Variable) -> Target:
    assert isinstance(variable.node, Target)
    return variable.node


def exists(name: str, over: tuple[Value, Value] | str, body: Callable[[Term], Value]) -> Term:
    """Whether the body is true for some value; `name` is what errors and texts call it.

    >>> exists("j", (0, 2), lambda j: Variable(Target("flag"))[j])
    exists j in 0..2: flag[j]
    """
    return Term(syntax.Quantified("exists", name, _over(over), _node(body(Term(Target(name))))))


def forall(name: str, over: tuple[Value, Value] | str, body: Callable[[Term], Value]) -> Term:
    """Whether the body is true for every value."""
    return Term(syntax.Quantified("forall", name, _over(over), _node(body(Term(Target(name))))))


def if_else(condition: Value, then: Value, otherwise: Value) -> Term:
    """`then` if the condition is true, `otherwise` if not."""
    return Term(syntax.Conditional(_node(condition), _node(then), _node(otherwise)))


class Process:
    """One process, or a group of them, while its body is written; statements come one after the other.

    index: the process's own number, in a group.
    """

    def __init__(self, name: str, index: str) -> None:
        self.name = name
        self.index = Variable(Target(index))
        self._blocks: list[list[Statement]] = [[]]
        self._locals: list[syntax.Variable] = []
        self._location: list[tuple[str, bool]] = []

    # What predicates ask.

    def at(self, location: str, index: Value | None = None) -> Term:
        """Whether the process (of a group, the one with this index) is at a location; for predicates."""
        return Term(syntax.Place(self._one(index), location))

    def local(self, variable: str, index: Value | None = None) -> Term:
        """The value of a process's own variable; for predicates."""
        return Term(syntax.LocalOf(self._one(index), Target(variable)))

    def _one(self, index: Value | None) -> Target:
        return Target(self.name, () if index is None else (_node(index),))

    # Statements.

    def _add(self, statement: Statement) -> None:
        for name, stay in reversed(self._location):
            statement = syntax.Located(name, statement, stay)
        self._location.clear()
        self._blocks[-1].append(statement)

    @contextmanager
    def _inside(self, make: Callable[[Body], Statement]) -> Iterator[None]:
        """What is written inside is the body of the statement that `make` makes."""
        location, self._location = self._location, []
        self._blocks.append([])
        yield
        self._finish_block()
        body = tuple(self._blocks.pop())
        self._location = location
        self._add(make(body))

    def _finish_block(self) -> None:
        if self._location:
            raise ValueError(f"no statement follows the location {self._location[-1][0]}; skip or end would be one")

    def var(self, name: str, kind: Kind, initial: Value | None = None) -> Variable:
        """A variable of the process's own."""
        self._locals.append(syntax.Variable(name, _type(kind), (), None if initial is None else _node(initial)))
        return Variable(Target(name))

    def array(
        self, name: str, lengths: Value | str | tuple[Value | str, ...], kind: Kind, initial: object = None
    ) -> Variable:
        """An array of the process's own; see `Model.array`."""
        self._locals.append(_array(name, lengths, kind, initial))
        return Variable(Target(name))

    def location(self, name: str, stay: bool = False) -> None:
        """Name the place of the next statement; stay: the process may stay there for ever."""
        self._location.append((name, stay))

    def skip(self) -> None:
        """A step that changes nothing."""
        self._add(syntax.Skip())

    def end(self) -> None:
        """The process goes no further."""
        self._add(syntax.Stop())

    def leave(self) -> None:
        """`break`: go on after the innermost loop."""
        self._add(syntax.Leave())

    def goto(self, location: str) -> None:
        """Go on at a location."""
        self._add(syntax.Goto(location))

    def wait(self, condition: Value) -> None:
        """`await`: go on only when the condition is true."""
        self._add(syntax.Wait(_node(condition)))

    def claim(self, condition: Value) -> None:
        """`assert`: a fault unless the condition is true."""
        self._add(syntax.Claim(_node(condition)))

    def label(self, name: str, *arguments: Value) -> None:
        """Raise the events of a label."""
        self._add(syntax.Label(name, _nodes(arguments)))

    def set(self, targets: Variable | Sequence[Variable], values: object) -> None:
        """Give a variable a value, or several of them several at once."""
        several = [targets] if isinstance(targets, Variable) else targets
        self._add(syntax.Set(tuple(_target(each) for each in several), _nodes(values)))

    def pick(self, target: Variable, over: tuple[Value, Value] | str) -> None:
        """Give a variable any value of a range."""
        self._add(syntax.Pick(_target(target), _over(over)))

    def send(self, channel: Channel, *values: Value) -> None:
        """Send a message; waits while the channel is full."""
        self._add(syntax.Send(channel.target, _nodes(values)))

    def receive(self, channel: Channel, *targets: Variable) -> None:
        """Receive the oldest message; waits while there is none."""
        self._add(syntax.Receive(channel.target, tuple(_target(each) for each in targets)))

    def atomic(self) -> AbstractContextManager[None]:
        """`with p.atomic():` one indivisible step."""
        return self._inside(syntax.Atomic)

    def loop(self) -> AbstractContextManager[None]:
        """`with p.loop():` for ever, or until `leave`."""
        return self._inside(syntax.Loop)

    def repeat(self, condition: Value | None = None) -> AbstractContextManager[None]:
        """`with p.repeat(c):` while the condition is true; without one, as often as it likes."""
        tested = None if condition is None else _node(condition)
        return self._inside(lambda body: syntax.While(tested, body))

    def when(self, condition: Value) -> AbstractContextManager[None]:
        """`with p.when(c):` if the condition is true."""
        tested = _node(condition)
        return self._inside(lambda body: syntax.Branches(((tested, body),)))

    @contextmanager
    def otherwise(self, condition: Value | None = None) -> Iterator[None]:
        """`with p.otherwise():` else, of the `when` right before; with a condition, else if."""
        before = self._blocks[-1].pop() if self._blocks[-1] else None
        names: list[syntax.Located] = []
        while isinstance(before, syntax.Located):
            names.append(before)
            before = before.statement
        if not isinstance(before, syntax.Branches) or before.otherwise is not None or self._location:
            raise ValueError("otherwise follows a when, or an otherwise with a condition")
        self._blocks.append([])
        yield
        self._finish_block()
        body = tuple(self._blocks.pop())
        if condition is None:
            after = syntax.Branches(before.branches, body)
        else:
            after = syntax.Branches((*before.branches, (_node(condition), body)))
        self._location = [(each.location, each.stay) for each in names]
        self._add(after)

    @contextmanager
    def choose(self) -> Iterator[Choice]:
        """`with p.choose() as c:` and then `with c.branch():` for each branch: any that can go on is taken."""
        location, self._location = self._location, []
        choice = Choice(self)
        self._blocks.append([])
        yield choice
        if self._blocks.pop():
            raise ValueError("inside of choose, every statement is in a branch")
        self._location = location
        self._add(syntax.Choose(tuple(choice.bodies)))

    @contextmanager
    def choose_in(self, name: str, over: tuple[Value, Value] | str) -> Iterator[Term]:
        """`with p.choose_in("b", (0, 3)) as b:` one branch for each value."""
        with self._inside(lambda body: syntax.ChooseIn(name, _over(over), body)):
            yield Term(Target(name))

    @contextmanager
    def each(self, name: str, over: tuple[Value, Value] | str) -> Iterator[Term]:
        """`with p.each("b", (0, 3)) as b:` for each value, one after the other; unrolled."""
        with self._inside(lambda body: syntax.Each(name, _over(over), body)):
            yield Term(Target(name))

    def _body(self) -> Body:
        self._finish_block()
        return tuple(self._blocks[0])


class Choice:
    """The branches of one `choose` while they are written."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.bodies: list[Body] = []

    @contextmanager
    def branch(self) -> Iterator[None]:
        """One branch."""
        blocks = self._process._blocks
        blocks.append([])
        yield
        self._process._finish_block()
        self.bodies.append(tuple(blocks.pop()))


def _array(name: str, lengths: Value | str | tuple[Value | str, ...], kind: Kind, initial: object) -> syntax.Variable:
    several = lengths if isinstance(lengths, tuple) else (lengths,)
    dimensions = tuple(Target(each) if isinstance(each, str) else _node(each) for each in several)
    first = _nodes(initial) if isinstance(initial, tuple | list) else None if initial is None else _node(initial)
    return syntax.Variable(name, _type(kind), dimensions, first)


class Model:
    """A model while it is written.

    >>> m = Model("counter")
    >>> n = m.var("n", (0, 3))
    >>> with m.process("p", fair=True) as p:
    ...     with p.loop():
    ...         with p.when(n < 3):
    ...             p.set(n, n + 1)
    ...         with p.otherwise():
    ...             p.set(n, 0)
    >>> m.predicate("full", n == 3)
    >>> m.property("again", "[]<>full")
    >>> print(m.text(), end="")
    model counter
    var n: 0..3
    process p fair {
        loop {
            if n < 3 {
                n = n + 1
            } else {
                n = 0
            }
        }
    }
    predicate full = n == 3
    property again: []<>full
    >>> [command.text for command in m.program().commands]
    ['if n < 3', 'n = n + 1', 'if !(n < 3)', 'n = 0']
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._declarations: list[syntax.Declaration] = []

    def const(self, name: str, value: Value) -> Variable:
        """A number or bool that does not change."""
        self._declarations.append(syntax.ConstantOf(name, _node(value)))
        return Variable(Target(name))

    def var(self, name: str, kind: Kind, initial: Value | None = None) -> Variable:
        """A variable; without an initial value it begins at 0, or the end of its range next to it, false or NONE."""
        self._declarations.append(syntax.Variable(name, _type(kind), (), None if initial is None else _node(initial)))
        return Variable(Target(name))

    def array(
        self, name: str, lengths: Value | str | tuple[Value | str, ...], kind: Kind, initial: object = None
    ) -> Variable:
        """An array; lengths: a number, the name of a group of processes, or two or more of these.

        initial: one value for all elements, or a list.
        """
        self._declarations.append(_array(name, lengths, kind, initial))
        return Variable(Target(name))

    def channel(self, name: str, capacity: Value, *kinds: Kind, lengths: tuple[Value | str, ...] = ()) -> Channel:
        """A channel of messages with a part of each kind; lengths: of an array of channels."""
        dimensions = tuple(Target(each) if isinstance(each, str) else _node(each) for each in lengths)
        types = tuple(_type(kind) for kind in kinds)
        self._declarations.append(syntax.Channel(name, _node(capacity), types, dimensions))
        return Channel(Target(name))

    def track(self, name: str, low: Value, high: Value) -> Variable:
        """The block that properties are of."""
        self._declarations.append(syntax.Track(name, syntax.Span(_node(low), _node(high))))
        return Variable(Target(name))

    @contextmanager
    def process(
        self,
        name: str,
        low: Value | None = None,
        high: Value | None = None,
        *,
        index: str = "i",
        symmetric: bool = False,
        fair: bool = False,
    ) -> Iterator[Process]:
        """`with m.process("client", 0, 1) as p:` the processes client[0] and client[1]; without numbers, one."""
        over = None if low is None or high is None else syntax.Span(_node(low), _node(high))
        written = Process(name, index)
        yield written
        body, variables = written._body(), tuple(written._locals)
        shown = index if over is not None else ""
        self._declarations.append(syntax.ProcessOf(name, body, variables, shown, over, symmetric, fair))

    def predicate(self, name: str, value: Value) -> None:
        """A proposition of states."""
        self._declarations.append(syntax.Predicate(name, _node(value)))

    def property(self, name: str, formula: object, of: str = "") -> None:
        """A formula to check: its text, or a `spec.ltl.formula.Formula`."""
        self._declarations.append(syntax.Formal(name, str(formula), of))

    def assume(self, name: str, formula: object, of: str = "") -> None:
        """A formula that runs are assumed to satisfy."""
        self._declarations.append(syntax.Formal(name, str(formula), of, assumed=True))

    def tree(self) -> syntax.Tree:
        """What has been written so far."""
        return syntax.Tree(self._name, tuple(self._declarations))

    def text(self) -> str:
        """The same model in the text language."""
        return write(self.tree())

    def program(self) -> Program:
        """What the model means; lines are those of `text()`.  Raises: ModelError, TooLargeError as `reader.read`."""
        text = self.text()
        return lower(read_tree(text, self._name), text, self._name)
