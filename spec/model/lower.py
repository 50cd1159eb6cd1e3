"""A tree to a program: names resolved, types checked, processes turned into commands."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import product

from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.formula import Formula
from spec.ltl.parser import RESERVED, parse
from spec.ltl.word import Letter
from spec.model import syntax
from spec.model.flow import Flow
from spec.model.interval import Interval, may_fail
from spec.model.program import Cell, Command, Constant, Expression, Named, Process, Program, Raise, Symmetry
from spec.model.scope import (
    BOOL,
    NUMBER,
    Budget,
    Dimension,
    Expressions,
    KnownChannel,
    KnownConstant,
    KnownGroup,
    KnownVariable,
    Scope,
    Slots,
    Sort,
    meant,
)
from spec.model.step import EVENTS, Steps
from spec.model.syntax import ModelError, PlacedError, ProcessOf

MOST_CELLS = 4_096
"""Of a model, array elements and locations included."""
MOST_PROCESSES = 64
"""Of a model."""
MOST_LETTERS = 1_024
"""Different sets of events that one step may raise."""


def lower(tree: syntax.Tree, text: str = "", source: str = "") -> Program:
    """The program that a tree means.

    text, source: where the tree is from, for errors and for the lines of commands.
    Raises: ModelError; TooLargeError, which names the bound.  Cost: linear in the program.
    """
    starts = [match.end() for match in re.finditer("\n", text)]

    def line(place: int) -> int:
        return bisect(starts, place) + 1 if place >= 0 else 0

    try:
        return _Model(line).lower(tree)
    except PlacedError as error:
        raise ModelError.at(text, error.position, error.message, source) from None


class _Model:
    """One model while it is lowered."""

    def __init__(self, line: Callable[[int], int]) -> None:
        self._line = line
        self._scope = Scope()
        self._budget = Budget()
        self._cells: list[Cell] = []
        self._sorts: list[Sort] = []
        """By cell; `NUMBER` of those that hold locations and events."""
        self._arrays: list[Slots] = []
        self._temporaries: list[int] = []
        self._tracked: int | None = None

    def lower(self, tree: syntax.Tree) -> Program:
        _refuse_twice(tree)
        _refuse_order(tree)
        self._declare(tree)
        processes = [each for each in tree.declarations if isinstance(each, ProcessOf)]
        labels = [node for each in processes for node in syntax.nodes(each) if isinstance(node, syntax.Label)]
        event_cell = self._cell("event@", 0, 0, 0) if labels else None
        locals_of = [self._declare_locals(process) for process in processes]
        commands: list[Command] = []
        made: list[Process] = []
        for process, scopes in zip(processes, locals_of, strict=True):
            self._lower_process(process, scopes, commands, made)
        letters = _letters(commands)
        if event_cell is not None:
            self._cells[event_cell] = self._cells[event_cell]._replace(high=len(letters) - 1)
        predicates = self._predicates(tree)
        events = {event for letter in letters for event in letter}
        named = self._formulas(tree, predicates, events)
        _refuse_unused(tree)
        groups = [(process, self._group(process.name)) for process in processes]
        fair = frozenset(number for process, group in groups if process.fair for number in group.numbers)
        symmetries = [self._symmetry(process, group) for process, group in groups if process.symmetric]
        return Program(
            tree.name,
            tuple(self._cells),
            tuple(made),
            tuple(commands),
            event_cell,
            letters,
            self._tracked,
            tuple(predicates.items()),
            tuple(formula for formula, assumed in named if not assumed),
            tuple(formula for formula, assumed in named if assumed),
            fair,
            tuple(symmetry for symmetry in symmetries if len(symmetry.processes) > 1),
        )

    # Cells.

    def _cell(self, name: str, low: int, high: int, initial: int, owner: int = -1, sort: Sort = NUMBER) -> int:
        if len(self._cells) >= MOST_CELLS:
            raise TooLargeError(f"the model takes more than MOST_CELLS = {MOST_CELLS} cells")
        self._cells.append(Cell(name, low, high, initial, owner))
        self._sorts.append(sort)
        return len(self._cells) - 1

    def _temporary(self, number: int, values: Interval) -> int:
        """The cell that keeps value `number` of an exchange; it is 0 between steps."""
        if number == len(self._temporaries):
            self._temporaries.append(self._cell(f"swap{number}@", 0, 0, 0))
        cell = self._cells[self._temporaries[number]]
        wider = cell._replace(low=min(cell.low, values.low), high=max(cell.high, values.high))
        self._cells[self._temporaries[number]] = wider
        return self._temporaries[number]

    def _group(self, name: str) -> KnownGroup:
        known = self._scope.find(name)
        assert isinstance(known, KnownGroup)
        return known

    # Declarations.

    def _declare(self, tree: syntax.Tree) -> None:
        """Constants first, then how many processes there are, then what may be declared in terms of these."""
        everywhere = Expressions(self._scope, self._cells, self._budget)
        for each in tree.declarations:
            if isinstance(each, syntax.ConstantOf):
                sort, value = everywhere.typed(each.value)
                if not isinstance(value, Constant) or sort not in (BOOL, NUMBER):
                    raise PlacedError(each.at, f"`{each.name}` is given no constant")
                self._scope.add(KnownConstant(each.name, each.at, sort, value.value))
        numbers = 0
        for each in tree.declarations:
            if isinstance(each, ProcessOf):
                numbers = self._declare_group(each, everywhere, numbers)
        for each in tree.declarations:
            match each:
                case syntax.Variable():
                    self._scope.add(self._variable(each, everywhere, -1, each.name))
                case syntax.Channel():
                    self._scope.add(self._channel(each, everywhere))
                case syntax.Track(name, over):
                    if self._tracked is not None:
                        raise PlacedError(each.at, "one block is tracked already, of which all properties are")
                    low, high = everywhere.span(over, "`track`")
                    self._tracked = self._cell(name, low, high, low)
                    known = KnownVariable(name, each.at, Slots(NUMBER, self._tracked), tracked=True)
                    self._scope.add(known)
        if not numbers:
            raise PlacedError(tree.at, "the model has no process, so that nothing can happen in it")

    def _declare_group(self, node: ProcessOf, everywhere: Expressions, numbers: int) -> int:
        low, high = everywhere.span(node.over, "a process index") if node.over else (0, 0)
        if node.symmetric and (node.over is None or low != 0):
            raise PlacedError(
                node.at, f"a symmetric process is indexed from 0; `{node.name}[i: 0..n-1]` would be right"
            )
        following = numbers + high - low + 1
        if following > MOST_PROCESSES:
            raise TooLargeError(f"the model has more than MOST_PROCESSES = {MOST_PROCESSES} processes")
        own = tuple(range(numbers, following))
        indexed = node.over is not None
        self._scope.add(KnownGroup(node.name, node.at, low, high, own, (), indexed, node.symmetric))
        return following

    def _type(self, kind: syntax.Type, scope: Expressions, what: str) -> tuple[Sort, int, int]:
        """The sort and range of a type."""
        match kind:
            case syntax.Boolean():
                return BOOL, 0, 1
            case syntax.Span():
                return NUMBER, *scope.span(kind, what)
            case syntax.Group():
                group = scope.group(kind)
                return scope.member(group), min(-1, group.low), group.high

    def _dimensions(self, nodes: Sequence[syntax.Expression], scope: Expressions, name: str) -> tuple[Dimension, ...]:
        """How many elements an array has each way: a number, or one for each process of a group."""
        found = []
        for node in nodes:
            if isinstance(node, syntax.Target) and isinstance(self._scope.find(node.name), KnownGroup):
                group = scope.group(syntax.Group(node.name, at=node.at))
                if group.low != 0:
                    raise PlacedError(node.at, f"`{node.name}` is numbered from {group.low}; an array is from 0")
                found.append(Dimension(group.high + 1, group.name if group.symmetric else ""))
                continue
            length = scope.constant(node, "the length of an array")
            if length < 1:
                raise PlacedError(node.at, f"`{name}` has length {length}; 1 or more would be right")
            if length > MOST_CELLS:
                raise TooLargeError(f"`{name}` takes more than MOST_CELLS = {MOST_CELLS} cells")
            found.append(Dimension(length))
        if sum(bool(dimension.group) for dimension in found) > 1:
            raise PlacedError(
                nodes[0].at, f"`{name}` is indexed by processes of symmetric groups twice; once is possible"
            )
        return tuple(found)

    def _variable(self, node: syntax.Variable, scope: Expressions, owner: int, name: str) -> KnownVariable:
        sort, low, high = self._type(node.type, scope, f"`{node.name}`")
        dimensions = self._dimensions(node.dimensions, scope, node.name)
        slots = Slots(sort, len(self._cells), dimensions)
        if owner >= 0 and any(dimension.group for dimension in dimensions):
            raise PlacedError(node.at, "an array by process of a symmetric group is global, and not of one process")
        values = self._initial(node, scope, sort, low, high, slots.length)
        for place, value in zip(_places(dimensions), values, strict=True):
            self._cell(name + place, low, high, value, owner, sort)
        self._arrays.append(slots)
        return KnownVariable(node.name, node.at, slots)

    def _initial(
        self, node: syntax.Variable, scope: Expressions, sort: Sort, low: int, high: int, length: int
    ) -> list[int]:
        given = node.initial
        if given is None:
            return [-1 if sort.group else min(max(0, low), high)] * length
        several = given if isinstance(given, tuple) else (given,)
        if isinstance(given, tuple) and len(given) != length:
            what = f"has {length} elements" if node.dimensions else "is no array"
            raise PlacedError(node.at, f"`{node.name}` {what}, and {len(given)} initial values are given")
        values = []
        for each in several:
            value = scope.assigned(each, sort, low, high, f"`{node.name}`")
            if not isinstance(value, Constant):
                raise PlacedError(each.at, f"`{node.name}` begins with a constant, and this depends on a variable")
            values.append(value.value)
        return values if isinstance(given, tuple) else values * length

    def _channel(self, node: syntax.Channel, scope: Expressions) -> KnownChannel:
        capacity = scope.constant(node.capacity, "a capacity")
        if not 1 <= capacity <= 64:
            hint = "; capacity 1 and an answer would make both wait" if capacity == 0 else ""
            raise PlacedError(node.capacity.at, f"a channel holds 1 to 64 messages, not {capacity}{hint}")
        types = [self._type(kind, scope, f"`{node.name}`") for kind in node.types]
        dimensions = self._dimensions(node.dimensions, scope, node.name)
        lengths = Slots(NUMBER, len(self._cells), dimensions)
        self._arrays.append(lengths)
        for place in _places(dimensions):
            self._cell(f"{node.name}{place}.length", 0, capacity, 0)
        fields = []
        for number, (sort, low, high) in enumerate(types):
            part = f".{number}" if len(types) > 1 else ""
            slots = Slots(sort, len(self._cells), (*dimensions, Dimension(capacity)))
            for place, oldest in product(_places(dimensions), range(capacity)):
                unused = -1 if sort.group else min(max(0, low), high)
                self._cell(f"{node.name}{place}{part}[{oldest}]", low, high, unused, sort=sort)
            fields.append(slots)
            self._arrays.append(slots)
        return KnownChannel(node.name, node.at, lengths, tuple(fields), capacity)

    # Processes.

    def _declare_locals(self, node: ProcessOf) -> list[tuple[str, int, int, Expressions]]:
        """For each process of a group its name, counter, number and scope."""
        group = self._group(node.name)
        everywhere = Expressions(self._scope, self._cells, self._budget)
        found = []
        for number, index in zip(group.numbers, range(group.low, group.high + 1), strict=True):
            name = f"{node.name}[{index}]" if node.index else node.name
            counter = self._cell(f"{name}@", 0, 0, 0, number)
            scope = Scope(self._scope)
            expressions = Expressions(scope, self._cells, self._budget)
            if node.index:
                scope.add(KnownConstant(node.index, node.at, everywhere.member(group), index))
            for variable in node.locals:
                scope.add(self._variable(variable, expressions, number, f"{name}.{variable.name}"))
            found.append((name, counter, number, expressions))
        group.counters = tuple(counter for _, counter, _, _ in found)
        group.scopes = [expressions.scope for _, _, _, expressions in found]
        return found

    def _lower_process(
        self,
        node: ProcessOf,
        scopes: list[tuple[str, int, int, Expressions]],
        commands: list[Command],
        made: list[Process],
    ) -> None:
        group = self._group(node.name)
        steps = Steps(self._cells, self._tracked, self._temporary)
        for place, (name, counter, number, expressions) in enumerate(scopes):
            found, spots = Flow(number, steps, self._line).lower(node.body, expressions)
            commands += found
            names = [spot.names[0] + spot.copy if spot.names else str(at) for at, spot in enumerate(spots)]
            self._cells[counter] = self._cells[counter]._replace(high=len(spots) - 1)
            ends = frozenset(at for at, spot in enumerate(spots) if spot.stay)
            made.append(Process(name, counter, tuple(names), ends))
            for declared in (each for each in syntax.nodes(node) if isinstance(each, syntax.Located)):
                group.locations.setdefault(declared.location, [[] for _ in scopes])
            for at, spot in enumerate(spots):
                for location in spot.names:
                    group.locations.setdefault(location, [[] for _ in scopes])[place].append(at)

    # Predicates and formulas.

    def _predicates(self, tree: syntax.Tree) -> dict[str, Expression]:
        found: dict[str, Expression] = {}
        scope = Expressions(self._scope, self._cells, self._budget, places=True)
        for each in tree.declarations:
            if isinstance(each, syntax.Predicate):
                if each.name in syntax.KEYWORDS:
                    raise PlacedError(each.at, f"`{each.name}` is a word of the language and cannot be a name")
                if each.name in RESERVED:
                    raise PlacedError(each.at, f"`{each.name}` is an operator of formulas; another name would be right")
                value = scope.truth(each.value, "a predicate")
                if wrong := may_fail(value, self._cells):
                    raise PlacedError(each.value.at, f"a predicate is true or false in every state, but {wrong}")
                found[each.name] = value
        return found

    def _formulas(
        self, tree: syntax.Tree, predicates: dict[str, Expression], events: set[str]
    ) -> list[tuple[Named, bool]]:
        found = []
        allocators = {*EVENTS, *EVENTS.values()} - {""}
        if both := sorted((events | allocators) & set(predicates)):
            place = next(each.at for each in tree.declarations if getattr(each, "name", "") == both[0])
            raise PlacedError(place, f"`{both[0]}` is an event; a predicate needs another name")
        for each in tree.declarations:
            if isinstance(each, syntax.Formal):
                if each.of not in ("", "block", "global"):
                    raise PlacedError(each.at, f"a property is of block or global, not of `{each.of}`")
                if each.of == "block" and self._tracked is None:
                    raise PlacedError(each.at, "no block is tracked; `track block: 0..n-1` would choose one")
                formula = _parsed(each)
                for name in sorted(formula.propositions - predicates.keys() - events - allocators):
                    predicates[name] = self._proposition(each, name, {*predicates, *events, *allocators})
                named = Named(each.name, formula, each.of or "global", self._line(each.at))
                found.append((named, each.assumed))
        return found

    def _proposition(self, node: syntax.Formal, name: str, known: set[str]) -> Expression:
        """The predicate that a quoted location is.  Raises: PlacedError for any other name."""
        place = node.formula_at
        if match := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", node.formula):
            place = place + match.start() if place >= 0 else place
        location = re.fullmatch(r"([A-Za-z_]\w*)(?:\[(\d+)\])?@([A-Za-z_]\w*)", name)
        if location is None:
            listed = ", ".join(sorted(known))
            raise PlacedError(place, f"`{name}` is no predicate or event{meant(name, known)}; there are {listed}")
        index = (syntax.Number(int(location[2])),) if location[2] else ()
        process = syntax.Target(location[1], index, at=place)
        test = syntax.Place(process, location[3], at=place)
        return Expressions(self._scope, self._cells, self._budget, places=True).truth(test, "a proposition")

    # Symmetry.

    def _symmetry(self, node: ProcessOf, group: KnownGroup) -> Symmetry:
        """The rows and names of a symmetric group.  Raises: PlacedError when it does not begin symmetric."""
        rows = [[number for number, cell in enumerate(self._cells) if cell.owner == own] for own in group.numbers]
        for slots in self._arrays:
            for at, indices in enumerate(product(*(range(each.length) for each in slots.dimensions))):
                for dimension, index in zip(slots.dimensions, indices, strict=True):
                    if dimension.group == group.name:
                        rows[index].append(slots.first + at)
        names = tuple(number for number, sort in enumerate(self._sorts) if sort.group == group.name)
        symmetry = Symmetry(group.numbers, tuple(map(tuple, rows)), names)
        for place in range(1, len(rows)):
            if wrong := self._changed(symmetry, place):
                raise PlacedError(
                    node.at, f"`{node.name}` is symmetric, and yet exchanging 0 and {place} changes how {wrong} begins"
                )
        return symmetry

    def _changed(self, symmetry: Symmetry, place: int) -> str:
        """The name of a cell whose initial value another one has after exchanging processes 0 and `place`."""
        initial = [cell.initial for cell in self._cells]
        exchanged = list(initial)
        for mine, other in zip(symmetry.rows[0], symmetry.rows[place], strict=True):
            exchanged[mine], exchanged[other] = initial[other], initial[mine]
        for cell in symmetry.names:
            exchanged[cell] = {0: place, place: 0}.get(exchanged[cell], exchanged[cell])
        return next((self._cells[at].name for at, value in enumerate(exchanged) if value != initial[at]), "")


def _places(dimensions: Sequence[Dimension]) -> list[str]:
    """The indices of an array in brackets, in the order of its cells; one empty text of a single variable."""
    if not dimensions:
        return [""]
    return [f"[{','.join(map(str, at))}]" for at in product(*(range(each.length) for each in dimensions))]


def _refuse_twice(tree: syntax.Tree) -> None:
    names: dict[tuple[bool, str], syntax.Declaration] = {}
    for each in tree.declarations:
        # Formulas and predicates are named apart from what expressions speak of.
        key = isinstance(each, syntax.Predicate | syntax.Formal), each.name
        if key in names:
            raise PlacedError(each.at, f"`{each.name}` has a meaning already; another name would be right")
        names[key] = each


def _refuse_unused(tree: syntax.Tree) -> None:
    """What nothing in the text speaks of is a mistake; what only a branch speaks of that is never taken is none."""
    everywhere = _spoken_of(tree)
    for each in tree.declarations:
        kind = {syntax.ConstantOf: "constant", syntax.Variable: "variable", syntax.Channel: "channel"}.get(type(each))
        if kind is not None and each.name not in everywhere:
            raise PlacedError(each.at, f"`{each.name}` is a {kind} that nothing uses")
        if isinstance(each, ProcessOf):
            outside = {node.variable.name for node in syntax.nodes(tree) if isinstance(node, syntax.LocalOf)}
            for variable in each.locals:
                if variable.name not in outside | _spoken_of(each):
                    raise PlacedError(variable.at, f"`{variable.name}` is a variable that nothing uses")


def _spoken_of(node: syntax.Node) -> set[str]:
    """The names in expressions and statements."""
    return {each.name for each in syntax.nodes(node) if isinstance(each, syntax.Target)}


def _refuse_order(tree: syntax.Tree) -> None:
    """A loop over the processes of a symmetric group goes through them in an order, which exchanging them changes."""
    symmetric = {each.name for each in tree.declarations if isinstance(each, ProcessOf) and each.symmetric}
    for node in syntax.nodes(tree):
        if isinstance(node, syntax.Each) and isinstance(node.over, syntax.Group) and node.over.name in symmetric:
            name = node.over.name
            raise PlacedError(
                node.at, f"`{name}` is symmetric, and `for` takes its processes in an order; `choose` takes any"
            )


def _parsed(node: syntax.Formal) -> Formula:
    try:
        return parse(node.formula)
    except LogicError as error:
        message, place = str(error), -1
        if node.formula_at >= 0 and (match := re.match(r"line (\d+), column (\d+): (.*)", message)):
            before = node.formula.split("\n")[: int(match[1]) - 1]
            place = node.formula_at + sum(len(line) + 1 for line in before) + int(match[2]) - 1
            message = match[3]
        raise PlacedError(place, f"{message}; a formula is over predicates, events, and locations in quotes") from None


def _letters(commands: Sequence[Command]) -> tuple[Letter, ...]:
    """Every set of events that a command may raise; the empty one first."""
    found: dict[Letter, None] = {frozenset(): None}
    for command in commands:
        groups: list[tuple[Expression, set[str]]] = []
        before: object = None
        for statement in command.body:
            if isinstance(statement, Raise):
                if groups and before == statement.condition:
                    groups[-1][1].add(statement.event)
                else:
                    groups.append((statement.condition, {statement.event}))
            # What stands between two labels may change what they raise.
            before = statement.condition if isinstance(statement, Raise) else None
        if sum(not isinstance(condition, Constant) for condition, _ in groups) > 10:
            raise TooLargeError("one command raises more than 10 events that depend on the state")
        choices = [
            (events,) if condition == Constant(1) else (set(),) if condition == Constant(0) else (set(), events)
            for condition, events in groups
        ]
        for chosen in product(*choices):
            found.setdefault(frozenset(event for events in chosen for event in events))
            if len(found) > MOST_LETTERS:
                raise TooLargeError(f"steps raise more than MOST_LETTERS = {MOST_LETTERS} different sets of events")
    return tuple(found)
