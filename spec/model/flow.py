"""Statements of one process to commands between locations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from spec.ltl.error import TooLargeError
from spec.model import syntax
from spec.model.program import Command, Constant, Expression, Guard, Statement, Unary
from spec.model.scope import Expressions, fold, meant
from spec.model.step import Steps
from spec.model.syntax import Body, PlacedError
from spec.model.writer import show, show_step

MOST_COMMANDS = 20_000
"""Of one process, after unrolling."""
MOST_PATHS = 2_000
"""Through one atomic section."""


@dataclass(slots=True, eq=False)
class Spot:
    """A location that has no number yet.

    names: what the text calls it. copy: for which values its statement was unrolled, in brackets. stay: whether the
    process may stay there. forward: the location that this one turned out to be. made: how many were made before it.
    """

    names: list[str] = field(default_factory=list)
    stay: bool = False
    copy: str = ""
    forward: Spot | None = None
    made: int = field(default_factory=count().__next__)


def resolved(spot: Spot) -> Spot:
    """The location that `spot` is in the end."""
    while spot.forward is not None:
        spot = spot.forward
    return spot


@dataclass(frozen=True, slots=True)
class _Where:
    """What a statement stands in: the names known, what to write for them, where `goto` and `break` go."""

    expressions: Expressions
    names: Mapping[str, str]
    spots: Mapping[str, Spot]
    leave: Spot | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """A way through an atomic section: statements, their texts, and where it goes, None for on to the next."""

    body: tuple[Statement, ...] = ()
    texts: tuple[str, ...] = ()
    goes: Spot | None = None


class Flow:
    """The commands and locations of one process.

    `here` and `there` are where a statement begins and where it leads. shared: other branches of a choice begin
    `here`, so that nothing may come back to it and it cannot be another location. named: it has a name, which a
    statement that takes no step must not take away.
    """

    def __init__(self, process: int, steps: Steps, line: Callable[[int], int]) -> None:
        self._process = process
        self._steps = steps
        self._line = line
        self._edges: list[tuple[Spot, Spot, Command]] = []
        self._end = Spot(["end"], stay=True)

    def lower(self, body: Body, expressions: Expressions) -> tuple[list[Command], list[Spot]]:
        """The commands, in the order of the text, and the locations by number.

        Raises: PlacedError; TooLargeError.
        """
        _check_names(body)
        check_reachable(body)
        start = Spot()
        where = _Where(expressions, {}, {name: Spot([name]) for name in _locations(body)})
        self._block(body, start, self._end, where, -1)
        return self._numbered(resolved(start))

    def _numbered(self, start: Spot) -> tuple[list[Command], list[Spot]]:
        """Locations by number in the order of the text, the first one 0; what cannot be reached is left out.

        Symmetric processes must have the same numbers for the same locations. So those that nothing leaves come last,
        in an order that does not depend on which step leads to them first: the steps of a choice among the processes
        lead each of them elsewhere.
        """
        leaving: dict[Spot, list[Spot]] = {}
        for source, target, _ in self._edges:
            leaving.setdefault(resolved(source), []).append(resolved(target))
        reached = {start}
        waiting = [start]
        while waiting:
            for target in leaving.get(waiting.pop(), ()):
                if target not in reached:
                    reached.add(target)
                    waiting.append(target)
        last = sorted(
            (spot for spot in reached if spot not in leaving), key=lambda spot: (spot is self._end, spot.made)
        )
        ordered = dict.fromkeys(spot for spot in (start, *leaving, *last) if spot in reached)
        numbers = {spot: number for number, spot in enumerate(ordered)}
        commands = [
            command._replace(source=numbers[resolved(source)], target=numbers[resolved(target)])
            for source, target, command in self._edges
            if resolved(source) in numbers
        ]
        return commands, list(ordered)

    # Edges and locations.

    def _edge(self, here: Spot, there: Spot, body: Sequence[Statement], text: str, place: int) -> None:
        kept = tuple(part for part in body if part != Guard(Constant(1)))
        if Guard(Constant(0)) in kept:
            return
        if len(self._edges) >= MOST_COMMANDS:
            raise TooLargeError(f"a process takes more than MOST_COMMANDS = {MOST_COMMANDS} commands")
        self._edges.append((here, there, Command(self._process, 0, 0, kept, text, self._line(place))))

    def _join(self, here: Spot, there: Spot, place: int) -> None:
        """`here` is `there`: no step is between them."""
        here, there = resolved(here), resolved(there)
        if here is there:
            raise PlacedError(place, "this goes round without a step; `skip` would be one")
        there.names[:0] = here.names
        there.stay |= here.stay
        here.forward = there

    def _go(self, here: Spot, there: Spot, text: str, place: int, own: bool) -> None:
        """From `here` to `there` for nothing, in a step of its own if there must be one."""
        if own:
            self._edge(here, there, (), text, place)
        else:
            self._join(here, there, place)

    def _head(self, here: Spot, place: int, shared: bool) -> Spot:
        """Where a loop may come back to: `here`, or a step from it when other branches begin there."""
        if not shared:
            return here
        head = Spot()
        self._edge(here, head, (), "skip", place)
        return head

    # Statements.

    def _block(
        self,
        body: Body,
        here: Spot,
        there: Spot,
        where: _Where,
        place: int,
        shared: bool = False,
        named: bool = False,
    ) -> None:
        self._sequence([(statement, where) for statement in body], here, there, place, shared, named)

    def _sequence(
        self,
        parts: list[tuple[syntax.Statement, _Where]],
        here: Spot,
        there: Spot,
        place: int,
        shared: bool,
        named: bool,
    ) -> None:
        if not parts:
            self._go(here, there, "skip", place, own=shared or named)
        for number, (statement, where) in enumerate(parts):
            after = there if number == len(parts) - 1 else Spot()
            self._statement(statement, here, after, where, shared, named)
            here, shared, named = after, False, False

    def _statement(
        self, statement: syntax.Statement, here: Spot, there: Spot, where: _Where, shared: bool, named: bool
    ) -> None:
        place, own = statement.at, shared or named
        match statement:
            case syntax.Located(location, inner, stay):
                spot = where.spots[location]
                spot.stay |= stay
                self._go(here, spot, "skip", place, own=shared)
                self._statement(inner, spot, there, where, shared=False, named=True)
            case syntax.Stop() if named and not shared:
                resolved(here).stay = True
            case syntax.Stop() | syntax.Goto() | syntax.Leave():
                self._go(here, self._aim(statement, where), show_step(statement), place, own)
            case syntax.Atomic(body):
                for way in self._ways(body, where):
                    self._edge(here, way.goes or there, way.body, "; ".join(way.texts) or "skip", place)
            case syntax.Branches():
                self._branches(statement, here, there, where, shared, named)
            case syntax.Choose(bodies):
                for body in bodies:
                    self._block(body, here, there, where, place, shared=True)
            case syntax.ChooseIn(body=body):
                before = len(self._edges)
                for bound in self._unrolled(statement, where):
                    self._block(body, here, there, bound, place, shared=True)
                if isinstance(statement.over, syntax.Group) and where.expressions.group(statement.over).symmetric:
                    self._refuse_remembered(statement, here, before)
            case syntax.Each(body=body):
                parts = [(part, inner) for inner in self._unrolled(statement, where) for part in body]
                inside = [(part, replace(inner, leave=there)) for part, inner in parts]
                self._sequence(inside, here, there, place, shared, named)
            case syntax.Loop(body):
                head = self._head(here, place, shared)
                self._block(body, head, head, replace(where, leave=there), place, named=named and not shared)
            case syntax.While():
                self._while(statement, here, there, where, shared, named)
            case _:
                for found in self._steps.alternatives(statement, where.expressions, where.names):
                    self._edge(here, there, found.body, found.text, place)

    def _refuse_remembered(self, node: syntax.ChooseIn, here: Spot, before: int) -> None:
        """Refuse a choice among symmetric processes that has more than one step.

        Each copy of its body would have locations of its own, by which a process remembers which one it chose; and
        a location, other than the cells that name processes, is not renamed when processes are exchanged.
        """
        if any(resolved(source) is not resolved(here) for source, _, _ in self._edges[before:]):
            raise PlacedError(
                node.at,
                f"of symmetric processes one is chosen for one step, and not for several; `atomic` is one, and a "
                f"variable keeps `{node.name}` for later",
            )

    def _aim(self, statement: syntax.Stop | syntax.Goto | syntax.Leave, where: _Where) -> Spot:
        """Where a jump goes."""
        match statement:
            case syntax.Stop():
                return self._end
            case syntax.Leave():
                if where.leave is None:
                    raise PlacedError(statement.at, "`break` stands in no loop; `goto` or `end` would be right")
                return where.leave
            case syntax.Goto(location):
                if location not in where.spots:
                    hint = meant(location, where.spots)
                    raise PlacedError(statement.at, f"there is no location `{location}` here{hint}")
                return where.spots[location]

    def _branches(
        self, node: syntax.Branches, here: Spot, there: Spot, where: _Where, shared: bool, named: bool
    ) -> None:
        for guards, text, body, place in self._cases(node, where):
            if not guards:
                # The others were constant: nothing is decided here, and no step is taken.
                self._block(body, here, there, where, place, shared, named)
                continue
            start = Spot() if body else there
            self._edge(here, start, guards, text, place)
            if body:
                self._block(body, start, there, where, place)

    def _cases(self, node: syntax.Branches, where: _Where) -> Iterator[tuple[list[Guard], str, Body, int]]:
        """The guards, the text and the body of each branch that can be taken, the one without condition last."""
        failed: list[Guard] = []
        for condition, body in node.branches:
            value = where.expressions.truth(condition, "`if`")
            if value != Constant(0):
                met = [Guard(value)] if value != Constant(1) else []
                yield failed + met, f"if {show(condition, where.names)}", body, condition.at
            if value == Constant(1):
                return
            if value != Constant(0):
                failed = [*failed, Guard(negated(value))]
        text = "else"
        if len(node.branches) == 1:
            text = f"if {show(syntax.Operation('!', (node.branches[0][0],)), where.names)}"
        yield failed, text, node.otherwise or (), node.at

    def _while(self, node: syntax.While, here: Spot, there: Spot, where: _Where, shared: bool, named: bool) -> None:
        inside = replace(where, leave=there)
        if node.condition is None:
            head = self._head(here, node.at, shared)
            self._block(node.body, head, head, inside, node.at, shared=True)
            self._edge(head, there, (), "leave while *", node.at)
            return
        value = where.expressions.truth(node.condition, "`while`")
        text = show(node.condition, where.names)
        if value == Constant(0):
            self._go(here, there, "skip", node.at, own=shared or named)
            return
        head = self._head(here, node.at, shared)
        if value == Constant(1):
            self._block(node.body, head, head, inside, node.at, named=named and not shared)
            return
        start = Spot() if node.body else head
        self._edge(head, start, [Guard(value)], f"while {text}", node.at)
        if node.body:
            self._block(node.body, start, head, inside, node.at)
        self._edge(head, there, [Guard(negated(value))], f"leave while {text}", node.at)

    def _unrolled(self, node: syntax.ChooseIn | syntax.Each, where: _Where) -> Iterator[_Where]:
        """The body's surroundings for each value; each copy has locations of its own, which nothing outside sees."""
        names = _locations(node.body)
        values = where.expressions.range(node.over, "a range", empty=True)[1]
        for inner, value in zip(where.expressions.each(node), values, strict=True):
            known = {**where.names, node.name: str(value)}
            copy = f"[{','.join(known.values())}]"
            spots = {**where.spots, **{name: Spot([name], copy=copy) for name in names}}
            yield replace(where, expressions=inner, names=known, spots=spots)

    # Atomic sections.

    def _ways(self, body: Body, where: _Where) -> list[_Way]:
        """Every way through the statements, in the order of the text."""
        return self._through([(statement, where) for statement in body])

    def _through(self, parts: list[tuple[syntax.Statement, _Where]]) -> list[_Way]:
        ways = [_Way()]
        for statement, where in parts:
            if all(way.goes is not None for way in ways):
                break
            following = list(self._following(statement, where))
            ways = [
                joined
                for way in ways
                for joined in ([way] if way.goes is not None else [_joined(way, next_) for next_ in following])
            ]
            if len(ways) > MOST_PATHS:
                raise TooLargeError(f"an atomic section has more than MOST_PATHS = {MOST_PATHS} ways through it")
        return ways

    def _following(self, statement: syntax.Statement, where: _Where) -> Iterator[_Way]:
        """The ways through one statement of an atomic section."""
        match statement:
            case syntax.Atomic(body):
                yield from self._ways(body, where)
            case syntax.Branches():
                for guards, text, body, _ in self._cases(statement, where):
                    first = _Way(tuple(guards), (text,) if guards else ())
                    yield from (_joined(first, way) for way in self._ways(body, where))
            case syntax.Choose(bodies):
                for body in bodies:
                    yield from self._ways(body, where)
            case syntax.ChooseIn(body=body):
                for inner in self._unrolled(statement, where):
                    yield from self._ways(body, inner)
            case syntax.Each(body=body):
                after = Spot()
                inside = [replace(inner, leave=after) for inner in self._unrolled(statement, where)]
                for way in self._through([(part, inner) for inner in inside for part in body]):
                    yield replace(way, goes=None) if way.goes is after else way
            case syntax.Stop() | syntax.Goto() | syntax.Leave():
                yield _Way((), (show_step(statement),), self._aim(statement, where))
            case syntax.While() | syntax.Loop():
                raise PlacedError(
                    statement.at, "a loop inside atomic might never end; `for` over a constant range would be right"
                )
            case syntax.Located(location):
                raise PlacedError(statement.at, f"inside atomic nobody can see `{location}`; it may stand before it")
            case _:
                for found in self._steps.alternatives(statement, where.expressions, where.names):
                    yield _Way(found.body, (found.text,))


def _joined(first: _Way, second: _Way) -> _Way:
    return _Way(first.body + second.body, first.texts + second.texts, second.goes)


def negated(value: Expression) -> Expression:
    """Not `value`."""
    return fold(Unary("!", value))


# What can be told from the text alone.


def _check_names(body: Body) -> None:
    """Raises: PlacedError when the name of a location is there twice, or is no name."""
    found: set[str] = set()
    for node in (node for statement in body for node in syntax.nodes(statement)):
        if isinstance(node, syntax.Located):
            if node.location in found:
                raise PlacedError(
                    node.at, f"there is a location `{node.location}` already; another name would be right"
                )
            if node.location in syntax.KEYWORDS:
                raise PlacedError(node.at, f"`{node.location}` is a word of the language and cannot be a name")
            found.add(node.location)


def _locations(body: Body) -> list[str]:
    """The names of the locations in the body, in order; without those in what is unrolled inside of it."""
    found: list[str] = []
    waiting: list[syntax.Node] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, syntax.Located):
            found.append(node.location)
        if not isinstance(node, syntax.Each | syntax.ChooseIn):
            waiting += reversed(list(syntax.children(node)))
    return found


def check_reachable(body: Body) -> None:
    """Raises: PlacedError at a statement that follows a jump or an endless loop and that no `goto` leads to."""
    aims = {node.location for statement in body for node in syntax.nodes(statement) if isinstance(node, syntax.Goto)}
    _falls(body, aims)


def _falls(body: Body, aims: set[str]) -> bool:
    """Whether what follows the body can be reached from its end."""
    falls = True
    for statement in body:
        if not falls and not (isinstance(statement, syntax.Located) and _names(statement) & aims):
            raise PlacedError(statement.at, "this is never reached; a location that a `goto` leads to would be")
        falls = _falls_through(statement, aims)
    return falls


def _names(statement: syntax.Statement) -> set[str]:
    """The locations that stand before a statement."""
    names = set()
    while isinstance(statement, syntax.Located):
        names.add(statement.location)
        statement = statement.statement
    return names


def _falls_through(statement: syntax.Statement, aims: set[str]) -> bool:
    match statement:
        case syntax.Goto() | syntax.Leave() | syntax.Stop():
            return False
        case syntax.Located(_, inner, _):
            return _falls_through(inner, aims)
        case syntax.Atomic(body):
            return _falls(body, aims)
        case syntax.Branches(branches, otherwise):
            ends = [_falls(body, aims) for _, body in branches]
            return any(ends) or otherwise is None or _falls(otherwise, aims)
        case syntax.Choose(bodies):
            return sum(_falls(body, aims) for body in bodies) > 0  # each of them is to be looked at
        case syntax.ChooseIn(_, _, body):
            return _falls(body, aims)
        case syntax.Each(_, _, body):
            return _falls(body, aims) or _leaves(body)
        case syntax.Loop(body):
            _falls(body, aims)
            return _leaves(body)
        case syntax.While(condition, body):
            _falls(body, aims)
            return condition != syntax.Truth(True) or _leaves(body)
        case _:
            return True


def _leaves(body: Body) -> bool:
    """Whether a `break` in the body leaves the loop that it is the body of."""
    waiting: list[syntax.Node] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, syntax.Leave):
            return True
        if not isinstance(node, syntax.Loop | syntax.While | syntax.Each):
            waiting.extend(syntax.children(node))
    return False
