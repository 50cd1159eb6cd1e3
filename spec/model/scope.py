"""What the names of a model mean, and expressions over them: typed, folded, and over cells instead of names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NamedTuple

from spec.ltl.error import TooLargeError
from spec.model import syntax
from spec.model.interval import TRUTHS, Interval, interval, may_fail, quotient, remainder
from spec.model.program import Binary, Cell, Choice, Constant, Element, Expression, Read, Unary
from spec.model.syntax import FUNCTIONS, KEYWORDS, Node, PlacedError, Target

MOST_COPIES = 100_000
"""That `for`, `choose` and quantifiers make of what is inside of them, in one model."""
MOST_VALUE = 2**31 - 1
"""Of a variable."""


class Sort(NamedTuple):
    """What kind of value an expression has: a bool, a number, a process of a symmetric group, or `none`."""

    kind: str
    group: str = ""

    def __str__(self) -> str:
        if self.kind == "none":
            return "`none`"
        return f"a process of {self.group}" if self.group else f"a {self.kind}"


BOOL = Sort("bool")
NUMBER = Sort("number")
NONE = Sort("none")


class Typed(NamedTuple):
    """An expression over cells, and its sort."""

    sort: Sort
    value: Expression


@dataclass(slots=True)
class Known:
    """A name's meaning; place: of its declaration."""

    name: str
    place: int


@dataclass(slots=True)
class KnownConstant(Known):
    """A number or bool that does not change: of `const`, of a loop, or a process's own index."""

    sort: Sort
    value: int


class Dimension(NamedTuple):
    """How many elements, and the symmetric group whose members index them."""

    length: int
    group: str = ""


class Slots(NamedTuple):
    """Where cells of one sort stand, one after another: `first`, and how many by dimension."""

    sort: Sort
    first: int
    dimensions: tuple[Dimension, ...] = ()

    @property
    def length(self) -> int:
        """How many cells."""
        total = 1
        for dimension in self.dimensions:
            total *= dimension.length
        return total


@dataclass(slots=True)
class KnownVariable(Known):
    """A variable, an array, or the tracked block."""

    slots: Slots
    tracked: bool = False


@dataclass(slots=True)
class KnownChannel(Known):
    """A channel, or an array of them: how long each is, and for each field of a message the slots, oldest first."""

    lengths: Slots
    fields: tuple[Slots, ...]
    capacity: int


@dataclass(slots=True)
class KnownGroup(Known):
    """A process, or processes numbered `low` to `high`; numbers, counters: their places in the program."""

    low: int
    high: int
    numbers: tuple[int, ...]
    counters: tuple[int, ...]
    indexed: bool
    symmetric: bool
    locations: dict[str, list[list[int]]] = field(default_factory=dict, kw_only=True)
    """By location: its numbers in each process, several when it was unrolled; filled when the bodies are lowered."""
    scopes: list[Scope] = field(default_factory=list, kw_only=True)
    """Of each process, with its local variables."""


WHAT: dict[type[Known], str] = {
    KnownConstant: "a constant",
    KnownVariable: "a variable",
    KnownChannel: "a channel",
    KnownGroup: "a process",
}


class Scope:
    """Names and what they mean; an inner scope sees those of the outer one, and may not hide them."""

    def __init__(self, outer: Scope | None = None) -> None:
        self._outer = outer
        self._known: dict[str, Known] = {}

    def add(self, known: Known) -> None:
        """Give a name its meaning.  Raises: PlacedError when it has one, or cannot be a name."""
        if known.name in KEYWORDS:
            raise PlacedError(known.place, f"`{known.name}` is a word of the language and cannot be a name")
        if self.find(known.name) is not None:
            raise PlacedError(known.place, f"`{known.name}` has a meaning already; another name would be right")
        self._known[known.name] = known

    def find(self, name: str) -> Known | None:
        """What the name means, or None."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._known:
                return scope._known[name]
            scope = scope._outer
        return None

    def names(self) -> list[str]:
        """Every name that can be seen from here."""
        return [*self._known, *(self._outer.names() if self._outer else ())]

    def own(self) -> Iterable[Known]:
        """The names of this scope itself, as they were added."""
        return self._known.values()

    def look_up(self, name: str, place: int) -> Known:
        """What the name means.  Raises: PlacedError, with the name that may have been meant."""
        known = self.find(name)
        if known is None:
            if name in KEYWORDS:
                raise PlacedError(place, f"`{name}` is a word of the language and stands for no value here")
            raise PlacedError(place, f"nothing is called `{name}`{meant(name, self.names())}")
        return known


def meant(name: str, names: Iterable[str]) -> str:
    """A suggestion for a name that is not known.

    >>> meant("clinet", ["client", "lock"]), meant("x", ["lock"])
    ('; `client` may be meant', '')
    """
    close = get_close_matches(name, list(names), 1)
    return f"; `{close[0]}` may be meant" if close else ""


class Budget:
    """How many more copies `for`, `choose` and quantifiers may make."""

    def __init__(self) -> None:
        self._left = MOST_COPIES

    def spend(self) -> None:
        """One copy more.  Raises: TooLargeError."""
        self._left -= 1
        if self._left < 0:
            raise TooLargeError(f"`for`, `choose` and quantifiers make more than MOST_COPIES = {MOST_COPIES} copies")


class Expressions:
    """Lowers the expressions of one scope.

    budget: shared by all of one model.
    places: whether tests of locations may stand in them; they are for predicates, which also may call a process of a
    symmetric group by its number.
    """

    def __init__(self, scope: Scope, cells: Sequence[Cell], budget: Budget, places: bool = False) -> None:
        self.scope = scope
        self._budget = budget
        self._cells = cells
        self._places = places

    def inside(self, known: Known) -> Expressions:
        """The same where one more name is known."""
        scope = Scope(self.scope)
        scope.add(known)
        return Expressions(scope, self._cells, self._budget, self._places)

    # What statements and declarations ask for.

    def typed(self, expression: syntax.Expression) -> Typed:
        """The expression over cells, with constants folded.  Raises: PlacedError."""
        match expression:
            case syntax.Number(value):
                return Typed(NUMBER, Constant(value))
            case syntax.Truth(value):
                return Typed(BOOL, Constant(int(value)))
            case syntax.Nobody():
                return Typed(NONE, Constant(-1))
            case Target():
                return self._target(expression)
            case syntax.Operation("!", (operand,)):
                return Typed(BOOL, fold(Unary("!", self.truth(operand, "`!`"))))
            case syntax.Operation("-", (operand,)):
                return Typed(NUMBER, fold(Unary("-", self.number(operand, "`-`"))))
            case syntax.Operation("&&" | "||" as operator, operands):
                return Typed(BOOL, balanced(operator, [self.truth(each, f"`{operator}`") for each in operands]))
            case syntax.Operation("+" | "-" | "*" | "/" | "%" as operator, (left, right)):
                parts = self.number(left, f"`{operator}`"), self.number(right, f"`{operator}`")
                if operator in "/%" and parts[1] == Constant(0):
                    raise PlacedError(expression.at, "this divides by 0")
                return Typed(NUMBER, fold(Binary(operator, *parts)))
            case syntax.Operation(operator, (left, right)):
                return self._comparison(expression, operator, left, right)
            case syntax.Conditional(condition, then, otherwise):
                test, one, other = self.truth(condition, "`if`"), self.typed(then), self.typed(otherwise)
                sort = _common(one.sort, other.sort)
                if sort is None:
                    raise PlacedError(
                        otherwise.at, f"`then` gives {one.sort} and `else` {other.sort}; one sort is right"
                    )
                return Typed(sort, fold(Choice(test, one.value, other.value)))
            case syntax.Quantified(quantifier, _, over, body):
                operator = "||" if quantifier == "exists" else "&&"
                each = [inner.truth(body, f"`{quantifier}`") for inner in self.each(expression)]
                faults = filter(None, (may_fail(part, self._cells) for part in each))
                if isinstance(over, syntax.Group) and self.group(over).symmetric and (wrong := next(faults, "")):
                    # The first that decides hides a fault of a later one, and which is first must not matter.
                    raise PlacedError(body.at, f"of symmetric processes this is to be true or false, but {wrong}")
                return Typed(BOOL, balanced(operator, each))
            case syntax.Place():
                return self._place(expression)
            case syntax.LocalOf():
                return self._local_of(expression)
            case syntax.Call():
                return self._call(expression)
            case _:
                raise PlacedError(expression.at, f"{expression} is no expression")

    def truth(self, expression: syntax.Expression, why: str) -> Expression:
        """A bool.  Raises: PlacedError, for what `why` takes."""
        sort, value = self.typed(expression)
        if sort != BOOL:
            hint = "; `!= 0` would make it one" if sort == NUMBER else ""
            raise PlacedError(expression.at, f"{why} takes a bool, and this is {sort}{hint}")
        return value

    def number(self, expression: syntax.Expression, why: str) -> Expression:
        """A number."""
        sort, value = self.typed(expression)
        if sort != NUMBER:
            hint = "; processes of a symmetric group can be told apart by == and != alone" if sort.group else ""
            raise PlacedError(expression.at, f"{why} takes numbers, and this is {sort}{hint}")
        return value

    def constant(self, expression: syntax.Expression, what: str) -> int:
        """A number that does not depend on a variable."""
        value = self.number(expression, what)
        if not isinstance(value, Constant):
            raise PlacedError(expression.at, f"{what} takes a constant, and this depends on a variable")
        return value.value

    def assigned(self, expression: syntax.Expression, sort: Sort, low: int, high: int, name: str) -> Expression:
        """A value for a variable of the sort and range.  Raises: PlacedError when it can never be one."""
        found, value = self.typed(expression)
        if _common(found, sort) != sort:
            raise PlacedError(expression.at, f"{name} is {sort}, and this is {found}")
        possible = interval(value, self._cells)
        if possible.high < low or possible.low > high:
            shown = f"{possible.low}" if possible.low == possible.high else f"{possible.low}..{possible.high}"
            raise PlacedError(expression.at, f"{name} is in {low}..{high}, and this is {shown}")
        return value

    def span(self, over: syntax.Span, what: str) -> Interval:
        """The constant range low..high.  Raises: PlacedError when there is nothing in it."""
        low, high = self.constant(over.low, what), self.constant(over.high, what)
        if low > high:
            raise PlacedError(over.at, f"nothing is in the range {low}..{high}; low..high is right")
        if low < -MOST_VALUE or high > MOST_VALUE:
            raise PlacedError(over.at, f"the range {low}..{high} is not inside of -{MOST_VALUE}..{MOST_VALUE}")
        return Interval(low, high)

    def range(self, over: syntax.Span | syntax.Group, what: str, empty: bool = False) -> tuple[Sort, range]:
        """The values that a quantifier, `any`, `choose` or `for` goes through, and their sort."""
        if isinstance(over, syntax.Group):
            group = self.group(over)
            return self.member(group), range(group.low, group.high + 1)
        low, high = self.constant(over.low, what), self.constant(over.high, what)
        if low > high and not empty:
            raise PlacedError(over.at, f"nothing is in the range {low}..{high}; low..high is right")
        if high - low > 65_535:
            raise PlacedError(over.at, f"the range {low}..{high} has more than 65536 values")
        return NUMBER, range(low, high + 1)

    def each(self, node: syntax.Quantified | syntax.ChooseIn | syntax.Each) -> Iterable[Expressions]:
        """The scopes in which the node's name has one of its values, in order."""
        what = {syntax.Quantified: "a quantifier", syntax.ChooseIn: "`choose`", syntax.Each: "`for`"}[type(node)]
        sort, values = self.range(node.over, what, empty=not isinstance(node, syntax.ChooseIn))
        for value in values:
            self._budget.spend()
            yield self.inside(KnownConstant(node.name, node.at, sort, value))

    def group(self, named: syntax.Group) -> KnownGroup:
        """The processes that a type or range names."""
        if self.scope.find(named.name) is None:
            groups = meant(named.name, self.scope.names())
            types = "a type is bool, low..high, or the name of a group of processes"
            raise PlacedError(named.at, f"nothing is called `{named.name}`{groups or f'; {types}'}")
        known = self.scope.look_up(named.name, named.at)
        if not isinstance(known, KnownGroup):
            raise PlacedError(named.at, f"`{named.name}` is {WHAT[type(known)]}; a range low..high would be right")
        if not known.indexed:
            raise PlacedError(named.at, f"`{named.name}` is a single process; one with an index would be right")
        return known

    def member(self, group: KnownGroup) -> Sort:
        """The sort of the processes of a group: of their own when it is symmetric, else numbers."""
        return Sort("process", group.name) if group.symmetric else NUMBER

    # Variables, elements and channels.

    def place_of(self, target: Target, slots: Slots) -> Read | Element:
        """The cell, or the element of an array, that a target is."""
        wanted, given = len(slots.dimensions), len(target.indices)
        if wanted != given:
            raise PlacedError(target.at, f"`{target.name}` takes {_indices(wanted)}, and here it has {_indices(given)}")
        if not wanted:
            return Read(slots.first)
        place = fold(self.flat(target, slots.dimensions))
        if isinstance(place, Constant):
            return Read(slots.first + place.value)
        return Element(slots.first, slots.length, place)

    def flat(self, target: Target, dimensions: tuple[Dimension, ...]) -> Expression:
        """The place of an element among all: of one index itself; else -1, a fault, when an inner one is outside."""
        place: Expression = Constant(0)
        wrong: list[Expression] = []
        for number, (index, dimension) in enumerate(zip(target.indices, dimensions, strict=True)):
            value = self._index(target, index, dimension)
            if number and not interval(value, self._cells).within(0, dimension.length - 1):
                wrong += [Binary("<", value, Constant(0)), Binary(">=", value, Constant(dimension.length))]
            scaled = fold(Binary("*", place, Constant(dimension.length)))
            place = fold(Binary("+", scaled, value)) if number else value
        return Choice(balanced("||", wrong), Constant(-1), place) if wrong else place

    def _index(self, target: Target, index: syntax.Expression, dimension: Dimension) -> Expression:
        sort, value = self.typed(index)
        if dimension.group and sort != Sort("process", dimension.group) and not (self._places and sort == NUMBER):
            raise PlacedError(
                index.at,
                f"`{target.name}` is indexed by processes of {dimension.group}, and this is {sort}: "
                "exchanging them must change nothing",
            )
        if not dimension.group and sort != NUMBER:
            raise PlacedError(
                index.at,
                f"`{target.name}` is indexed by numbers, and this is {sort}"
                + (f"; array[{sort.group}] would be right" if sort.group else ""),
            )
        found = interval(value, self._cells)
        if found.high < 0 or found.low >= dimension.length:
            shown = str(found.low) if found.low == found.high else f"{found.low}..{found.high}"
            raise PlacedError(index.at, f"the index is {shown}, and `{target.name}` has 0..{dimension.length - 1}")
        return value

    def channel(self, target: Target) -> tuple[KnownChannel, Expression]:
        """The channel, and its place in the array of channels, 0 of a single one."""
        known = self.scope.look_up(target.name, target.at)
        if not isinstance(known, KnownChannel):
            raise PlacedError(target.at, f"`{target.name}` is {WHAT[type(known)]}; a channel would be right")
        dimensions = known.lengths.dimensions
        if len(target.indices) != len(dimensions):
            wanted, given = _indices(len(dimensions)), _indices(len(target.indices))
            raise PlacedError(target.at, f"`{target.name}` takes {wanted}, and here it has {given}")
        return known, self.flat(target, dimensions) if dimensions else Constant(0)

    def variable(self, target: Target) -> KnownVariable:
        """The variable that a statement gives a value."""
        known = self.scope.look_up(target.name, target.at)
        if not isinstance(known, KnownVariable):
            raise PlacedError(target.at, f"`{target.name}` is {WHAT[type(known)]} and cannot be given a value")
        if known.tracked:
            raise PlacedError(target.at, f"`{target.name}` is tracked: chosen once, and never given another value")
        return known

    def _target(self, target: Target) -> Typed:
        known = self.scope.look_up(target.name, target.at)
        match known:
            case KnownConstant(sort=sort, value=value):
                if target.indices:
                    raise PlacedError(target.at, f"`{target.name}` is no array")
                return Typed(sort, Constant(value))
            case KnownVariable(slots=slots):
                return Typed(slots.sort, self.place_of(target, slots))
            case KnownChannel():
                raise PlacedError(target.at, f"`{target.name}` is a channel; len, full, empty and first tell about it")
            case _:
                raise PlacedError(
                    target.at,
                    f"`{target.name}` is a process; `{target.name}@location` tells where it is, in predicates",
                )

    def _comparison(self, node: Node, operator: str, left: syntax.Expression, right: syntax.Expression) -> Typed:
        one, other = self.typed(left), self.typed(right)
        sort = _common(one.sort, other.sort)
        by_number = self._places and {one.sort.kind, other.sort.kind} == {"number", "process"}
        if sort is None and not by_number:
            raise PlacedError(node.at, f"`{operator}` compares {one.sort} with {other.sort}; one sort is right")
        if operator not in ("==", "!=") and sort != NUMBER:
            raise PlacedError(node.at, f"`{operator}` compares numbers, and this is {one.sort}; == and != are right")
        return Typed(BOOL, fold(Binary(operator, one.value, other.value)))

    def _process(self, target: Target) -> tuple[KnownGroup, int]:
        """The process that a predicate speaks of, and its place in its group."""
        if not self._places:
            raise PlacedError(target.at, "predicates alone look into a process; a global variable would be right")
        known = self.scope.look_up(target.name, target.at)
        if not isinstance(known, KnownGroup):
            raise PlacedError(target.at, f"`{target.name}` is {WHAT[type(known)]}; a process would be right")
        if len(target.indices) != int(known.indexed):
            raise PlacedError(target.at, f"`{known.name}` takes {'one index' if known.indexed else 'no index'}")
        if not known.indexed:
            return known, 0
        sort, value = self.typed(target.indices[0])
        if not isinstance(value, Constant) or sort not in (NUMBER, self.member(known)):
            raise PlacedError(target.at, "which process is a constant, or a name that `exists` or `forall` binds")
        if not known.low <= value.value <= known.high:
            raise PlacedError(target.at, f"`{known.name}` has {known.low}..{known.high}, not {value.value}")
        return known, value.value - known.low

    def _place(self, node: syntax.Place) -> Typed:
        known, place = self._process(node.process)
        if node.location not in known.locations:
            names = ", ".join(sorted(known.locations))
            listed = f"{meant(node.location, known.locations)}; it has {names}" if names else ""
            raise PlacedError(node.at, f"`{known.name}` has no location `{node.location}`{listed}")
        here = Read(known.counters[place])
        numbers = known.locations[node.location][place]
        return Typed(BOOL, balanced("||", [Binary("==", here, Constant(number)) for number in numbers]))

    def _local_of(self, node: syntax.LocalOf) -> Typed:
        known, place = self._process(node.process)
        scope = known.scopes[place]
        variable = next((each for each in scope.own() if each.name == node.variable.name), None)
        if not isinstance(variable, KnownVariable):
            names = [each.name for each in scope.own() if isinstance(each, KnownVariable)]
            hint = meant(node.variable.name, names)
            raise PlacedError(node.variable.at, f"`{known.name}` has no variable `{node.variable.name}`{hint}")
        return Typed(variable.slots.sort, self.place_of(node.variable, variable.slots))

    def _call(self, node: syntax.Call) -> Typed:
        if node.function not in FUNCTIONS:
            raise PlacedError(node.at, f"there is no function `{node.function}`; there are {', '.join(FUNCTIONS)}")
        known, place = self.channel(node.channel)
        length = at(known.lengths, place)
        if node.function == "first":
            oldest = fold(Binary("*", place, Constant(known.capacity)))
            empty = Binary("==", length, Constant(0))
            slots = known.fields[0]
            return Typed(slots.sort, Element(slots.first, slots.length, Choice(empty, Constant(-1), oldest)))
        if node.function == "len":
            return Typed(NUMBER, length)
        return Typed(BOOL, Binary("==", length, Constant(known.capacity if node.function == "full" else 0)))


def _indices(number: int) -> str:
    return "no index" if not number else "one index" if number == 1 else f"{number} indices"


def at(slots: Slots, place: Expression) -> Read | Element:
    """The cell at a place of an array."""
    place = fold(place)
    if isinstance(place, Constant):
        return Read(slots.first + place.value)
    return Element(slots.first, slots.length, place)


def _common(one: Sort, other: Sort) -> Sort | None:
    """The sort of values that may be of either; None when there is none."""
    if one == other:
        return one
    if NONE in (one, other):
        rest = other if one == NONE else one
        return rest if rest != BOOL else None
    return None


def balanced(operator: str, parts: list[Expression]) -> Expression:
    """All of the parts with && or || between them, nested as little as can be: of none, true of && and false of ||.

    >>> balanced("||", [Read(0), Constant(0), Read(1)])
    Binary(operator='||', left=Read(cell=0), right=Read(cell=1))
    """
    neutral, decisive = Constant(int(operator == "&&")), Constant(int(operator == "||"))
    kept = [part for part in parts if part != neutral]
    if decisive in kept:
        kept = kept[: kept.index(decisive) + 1]
    if not kept:
        return neutral
    while len(kept) > 1:
        paired = [fold(Binary(operator, *pair)) for pair in zip(kept[::2], kept[1::2], strict=False)]
        kept = paired + kept[len(paired) * 2 :]
    return kept[0]


def fold(expression: Expression) -> Expression:
    """The same value with constants calculated, if the parts have been folded already.

    >>> fold(Binary("&&", Constant(1), Read(3))), fold(Binary("/", Constant(-7), Constant(2)))
    (Read(cell=3), Constant(value=-3))
    """
    match expression:
        case Unary("-", Constant(value)):
            return Constant(-value)
        case Unary("!", Constant(value)):
            return Constant(int(not value))
        case Unary("!", Unary("!", operand)):
            return operand
        case Choice(Constant(value), then, otherwise):
            return then if value else otherwise
        case Binary("&&", Constant(value), right):
            return right if value else Constant(0)
        case Binary("||", Constant(value), right):
            return Constant(1) if value else right
        case Binary("&&", left, Constant(1)) | Binary("||", left, Constant(0)):
            return left
        case Binary("*", _, Constant(1)) | Binary("+", _, Constant(0)) | Binary("-", _, Constant(0)):
            return expression.left
        case Binary("*", Constant(1), right) | Binary("+", Constant(0), right):
            return right
        case Binary(operator, Constant(left), Constant(right)) if operator not in ("/", "%") or right:
            return Constant(_calculated(operator, left, right))
        case _:
            return expression


def _calculated(operator: str, left: int, right: int) -> int:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return quotient(left, right)
        case "%":
            return remainder(left, right)
        case "==":
            return int(left == right)
        case "!=":
            return int(left != right)
        case "<":
            return int(left < right)
        case "<=":
            return int(left <= right)
        case ">":
            return int(left > right)
        case _:
            assert operator == ">=" and operator in TRUTHS
            return int(left >= right)
