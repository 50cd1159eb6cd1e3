"""Symmetry: one state stands for all that differ only in which of the symmetric processes is which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations, product

from spec.ltl.error import TooLargeError
from spec.ltl.word import Letter
from spec.model.execution import Execution, Successors, Values
from spec.model.options import OptionError
from spec.model.product import STAY
from spec.model.program import Binary, Choice, Constant, Element, Expression, Read, Symmetry, Unary, reads
from spec.model.system import Path, Step

ARRANGEMENTS = 5040
"""Orders of processes that look alike, and are named by something, that are compared for one state, at most."""


def canonical(state: Values, symmetries: Iterable[Symmetry]) -> Values:
    """The representative of all states that come from `state` by exchanging symmetric processes.

    The processes are sorted by what can be seen of each without naming another; where that leaves several orders, and
    cells name processes, the least state.
    Cost: n log n for n processes, and the orders of those that look alike when there are names; where processes of one
    kind name those of another, the product of the orders of both.
    Raises: TooLargeError for more than ARRANGEMENTS of these.
    Source: Ip and Dill, Better verification through symmetry (1996).

    >>> canonical((7, 2, 1, 1), [Symmetry((0, 1, 2), ((1,), (2,), (3,)))])
    (7, 1, 1, 2)
    >>> canonical((1, 5, 4), [Symmetry((0, 1), ((1,), (2,)), (0,))])
    (0, 4, 5)
    """
    return _canonical(state, tuple(symmetries), ARRANGEMENTS)


def _canonical(state: Values, symmetries: tuple[Symmetry, ...], most: int) -> Values:
    for place, symmetry in enumerate(symmetries):
        others = (*symmetries[:place], *symmetries[place + 1 :])
        if any(cell in row for other in others for row in other.rows for cell in symmetry.names):
            # To exchange those who name changes who is named, so that each order has to be tried with all of theirs.
            orders = _orders(state, symmetry, others, most)
            left = most // len(orders)
            return min(_canonical(exchanged(state, symmetry, order), others, left) for order in orders)
    for symmetry in symmetries:
        if symmetry.names:
            state = min(exchanged(state, symmetry, order) for order in _orders(state, symmetry, (), most))
        else:
            state = _sorted(state, symmetry)
    return state


def _sorted(state: Values, symmetry: Symmetry) -> Values:
    ordered = sorted(tuple(state[cell] for cell in row) for row in symmetry.rows)
    changed = list(state)
    for row, values in zip(symmetry.rows, ordered, strict=True):
        for cell, value in zip(row, values, strict=True):
            changed[cell] = value
    return tuple(changed)


def _orders(state: Values, symmetry: Symmetry, others: tuple[Symmetry, ...], most: int) -> list[list[int]]:
    """The orders in which the processes are sorted by how they look, whatever exchanges of the others there are."""
    rows, names = symmetry.rows, symmetry.names
    moving = {cell for other in others for row in other.rows for cell in row}
    moving.update(cell for other in others for cell in other.names)
    elsewhere = moving.union(*rows)
    outer = [cell for cell in names if cell not in elsewhere]
    named = frozenset(names)
    columns = [column for other in others for column in zip(*other.rows, strict=True) if column[0] in named]
    count = len(rows)

    def look(place: int) -> tuple[object, ...]:
        own = tuple(
            state[cell] if cell not in named or not 0 <= state[cell] < count else count + (state[cell] == place)
            for cell in rows[place]
            if cell not in moving
        )
        by = tuple(sum(state[cell] == place for cell in column) for column in columns)
        return own, tuple(state[cell] == place for cell in outer), by

    alike: dict[tuple[object, ...], list[int]] = {}
    for place in range(count):
        alike.setdefault(look(place), []).append(place)
    groups = [alike[seen] for seen in sorted(alike)]
    arrangements = 1
    for group in groups:
        for size in range(2, len(group) + 1):
            arrangements *= size
    if arrangements > most:
        raise TooLargeError(
            f"{arrangements * (ARRANGEMENTS // most):,} orders of symmetric processes for one state, "
            f"more than {ARRANGEMENTS:,}"
        )
    return [[place for group in chosen for place in group] for chosen in product(*map(permutations, groups))]


def exchanged(state: Values, symmetry: Symmetry, order: Iterable[int]) -> Values:
    """The state after exchanging processes: place i is taken by the process that was at the i-th of `order`.

    >>> exchanged((1, 5, 4), Symmetry((0, 1), ((1,), (2,)), (0,)), [1, 0])
    (0, 4, 5)
    """
    places = list(order)
    changed = list(state)
    for row, old in zip(symmetry.rows, places, strict=True):
        for cell, source in zip(row, symmetry.rows[old], strict=True):
            changed[cell] = state[source]
    moved = {old: new for new, old in enumerate(places)}
    for cell in symmetry.names:
        changed[cell] = moved.get(changed[cell], changed[cell])
    return tuple(changed)


class Quotient:
    """The system of `execution` on representatives; a system like any other, its paths to be unfolded.

    propositions: those of the formula.  Raises: OptionError when the model declares no symmetry, or when one of the
    propositions changes with an exchange of processes, as far as its text shows.
    """

    def __init__(self, execution: Execution, propositions: Iterable[str] = ()) -> None:
        self.program = execution.program
        self.symmetries = self.program.symmetries
        self._execution = execution
        if not self.symmetries:
            raise OptionError("symmetry needs symmetric processes, and the model declares none")
        predicates = dict(self.program.predicates)
        for name in propositions:
            if name in predicates and not all(invariant(predicates[name], one) for one in self.symmetries):
                raise OptionError(
                    f"symmetry is refused: the proposition {name} does not say the same of all symmetric processes"
                )

    @property
    def processes(self) -> tuple[str, ...]:
        """The names of the processes, by number."""
        return self._execution.processes

    def initial(self) -> Iterator[Values]:
        """The representatives of the initial states."""
        return iter(dict.fromkeys(self._representative(state) for state in self._execution.initial()))

    def successors(self, state: Values) -> Successors:
        """The steps of a representative, to representatives."""
        return [(step, self._representative(target)) for step, target in self._execution.successors(state)]

    def letter(self, state: Values) -> Letter:
        """As of the execution."""
        return self._execution.letter(state)

    def ended(self, state: Values) -> bool:
        """As of the execution."""
        return self._execution.ended(state)

    def show(self, state: Values) -> str:
        """As of the execution."""
        return self._execution.show(state)

    def _representative(self, state: Values) -> Values:
        return canonical(state, self.symmetries)

    def unfold(self, path: Path) -> Path:
        """A run of the execution that passes through states with these representatives, in this order.

        A cycle of representatives may have to be gone through several times before the processes are where they were.
        Cost: the successors of each state of the run.
        """
        states: list[Values] = []
        steps: list[Step] = []
        wanted: tuple[Values, ...] = path.states  # type: ignore[assignment]
        current = next(state for state in self._execution.initial() if self._representative(state) == wanted[0])
        seen: dict[Values, int] = {}
        position = 0
        while True:
            if position == path.back:
                if current in seen:
                    return Path(tuple(states), tuple(steps), seen[current])
                seen[current] = len(states)
            states.append(current)
            if position == len(path.steps):
                return Path(tuple(states), tuple(steps))
            step = path.steps[position]
            position += 1
            if position == len(wanted) and path.back is not None:
                position = path.back
            step, current = self._step(current, step, wanted[position])
            steps.append(step)

    def _step(self, state: Values, step: Step, wanted: Values) -> tuple[Step, Values]:
        if step == STAY:
            return STAY, state
        found = [
            (one, target)
            for one, target in self._execution.successors(state)
            if bool(one.fault) == bool(step.fault) and self._representative(target) == wanted
        ]
        if not found:
            raise AssertionError("the processes are not symmetric: a step of the representative is missing")
        # Of several that lead there the one that is like the representative's, if there is one.
        return min(found, key=lambda edge: (edge[0].fault != step.fault, edge[0].text != step.text))


def invariant(expression: Expression, symmetry: Symmetry) -> bool:
    """Whether exchanging processes leaves the expression the same, up to the order of operands.

    False when its text does not show it.

    >>> both = Binary("&&", Read(1), Read(2))
    >>> symmetry = Symmetry((0, 1), ((1,), (2,)))
    >>> invariant(both, symmetry), invariant(Read(1), symmetry)
    (True, False)
    """
    own = {cell: place for place, row in enumerate(symmetry.rows) for cell in row}
    if not own.keys() & set(reads(expression)) and not set(symmetry.names) & set(reads(expression)):
        return True
    usual = _normal(expression)
    for place in range(len(symmetry.rows) - 1):
        pair = list(zip(symmetry.rows[place], symmetry.rows[place + 1], strict=True))
        cells = dict(pair) | {b: a for a, b in pair}
        turned = _Exchange(cells, frozenset(symmetry.names), own, place).of(expression)
        if turned is None or _normal(turned) != usual:
            return False
    return True


class _Exchange:
    """Rewrites an expression as two neighbouring processes see it when they are exchanged; None if it cannot."""

    def __init__(self, cells: Mapping[int, int], names: frozenset[int], own: Mapping[int, int], place: int) -> None:
        self._cells, self._names, self._own, self._place = cells, names, own, place

    def of(self, expression: Expression) -> Expression | None:
        match expression:
            case Constant():
                return expression
            case Read(cell):
                # The value of a name is a place; it may only be compared.
                return None if cell in self._names else Read(self._cells.get(cell, cell))
            case Element(first, length, index):
                place = self.of(index)
                touched = {*range(first, first + length)} & (self._own.keys() | self._names)
                return None if place is None or touched else Element(first, length, place)
            case Unary(operator, operand):
                inner = self.of(operand)
                return None if inner is None else Unary(operator, inner)
            case Binary("==" | "!=" as operator, left, right) if self._name(left) or self._name(right):
                one, other = self._named(left), self._named(right)
                return None if one is None or other is None else Binary(operator, one, other)
            case Binary(operator, left, right):
                one, other = self.of(left), self.of(right)
                return None if one is None or other is None else Binary(operator, one, other)
            case Choice(condition, then, otherwise):
                parts = self.of(condition), self.of(then), self.of(otherwise)
                return None if parts[0] is None or parts[1] is None or parts[2] is None else Choice(*parts)  # type: ignore[arg-type]

    def _name(self, expression: Expression) -> bool:
        return isinstance(expression, Read) and expression.cell in self._names

    def _named(self, expression: Expression) -> Expression | None:
        """A name, or the constant that one is compared with, as it is after the exchange."""
        match expression:
            case Read(cell) if cell in self._names:
                return Read(self._cells.get(cell, cell))
            case Constant(value):
                a, b = self._place, self._place + 1
                return Constant({a: b, b: a}.get(value, value))
            case _:
                return None


def _normal(expression: Expression) -> tuple[object, ...]:
    """The expression with the operands of associative, commutative operators in one order."""
    match expression:
        case Binary("&&" | "||" | "+" | "*" as operator, _, _):
            return operator, *sorted((_normal(part) for part in _operands(operator, expression)), key=repr)
        case Binary("==" | "!=" as operator, left, right):
            return operator, *sorted((_normal(left), _normal(right)), key=repr)
        case Binary(">" | ">=" as operator, left, right):
            return operator.replace(">", "<"), _normal(right), _normal(left)
        case Binary(operator, left, right):
            return operator, _normal(left), _normal(right)
        case Unary(operator, operand):
            return "unary", operator, _normal(operand)
        case Choice(condition, then, otherwise):
            return "choice", _normal(condition), _normal(then), _normal(otherwise)
        case Element(first, length, index):
            return "element", first, length, _normal(index)
        case Read(cell):
            return "read", cell
        case Constant(value):
            return "constant", value


def _operands(operator: str, expression: Expression) -> Iterator[Expression]:
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Binary) and part.operator == operator:
            waiting += [part.right, part.left]
        else:
            yield part
