"""Properties as one machine: what a letter does to several of them is one step of a table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Final, NamedTuple, TypeVar

from spec.ltl.monitor import Monitor
from spec.ltl.truth import Truth
from spec.ltl.word import Letter
from spec.property import CALLS, KNOWN, Index, Property
from spec.property_verdict import OF_BLOCKS
from spec.propositions import ACCESS, ALLOCATE_END, ALLOCATE_START, FREE, FREE_END, MALLOC

State = TypeVar("State", bound=Hashable)

MALLOCS: Final = 0
"""The code of a malloc, with which another block begins."""
FREE_ENDS: Final = 8
"""The code of the end of a free, the one call that is about a block and is no event."""
FIRST_LABEL: Final = 9
OPEN_ACCESS: Final = 2
"""The code of an access in bounds of what was written."""
LETTERS: Final[tuple[Letter, ...]] = (
    MALLOC,
    FREE,
    ACCESS,
    ACCESS | {"outside"},
    ACCESS | {"uninitialised"},
    ACCESS | {"outside", "uninitialised"},
    ALLOCATE_START,
    ALLOCATE_END,
    FREE_END,
)
"""The letter of each code below FIRST_LABEL."""


class MachineKind(IntEnum):
    """Whose letters step a machine; those of addresses and blocks are PLAIN where no label or call is among them."""

    PLAIN = 0
    LABELLED = 1
    THREAD = 2
    GLOBAL = 3


class Role(IntEnum):
    """What a column of a table is for: a letter's sort, or what happens to a state without a letter of its own.

    APART: a label about no block, in the word of an address that has had no event yet. GHOST: another block is handed
    out at the address, and the old one goes on without it.
    """

    EVENT = auto()
    CALL = auto()
    FREE_ENDED = auto()
    LABEL = auto()
    APART = auto()
    GHOST = auto()


class Column(NamedTuple):
    """One column: its letter, which may be empty, and its role."""

    letter: Letter
    role: Role


class Life(IntEnum):
    """Of one property's word: UNBORN has no letter of its own yet; GONE is not in this machine any more."""

    UNBORN = 0
    BORN = 1
    GONE = 2


@dataclass(frozen=True, slots=True)
class Product:
    """A complete machine over some columns; state 0 is where it begins.

    violated, unfulfilled: for each state, the properties that are violated for good, and those that would be if the run
    ended here; bit n is property n.
    """

    rows: tuple[tuple[int, ...], ...]
    violated: tuple[int, ...]
    unfulfilled: tuple[int, ...]

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.rows)


def kind_of(one: Property) -> MachineKind:
    """The kind of machine that a property needs.

    >>> from spec.properties import find
    >>> [kind_of(find(name)).name for name in ("S1", "quarantine", "allocation-ends", "global: <>free")]
    ['PLAIN', 'LABELLED', 'THREAD', 'GLOBAL']
    """
    if one.index in OF_BLOCKS:
        return MachineKind.LABELLED if words_of(one) else MachineKind.PLAIN
    return MachineKind.THREAD if one.index is Index.THREAD else MachineKind.GLOBAL


def words_of(one: Property) -> frozenset[str]:
    """The propositions of a property that somebody may say: its labels, and the calls that have labels, too."""
    return one.formula.propositions - (KNOWN - CALLS)


def columns_of(kind: MachineKind, labels: Sequence[str]) -> tuple[Column, ...]:
    """The columns of a machine: PLAIN has the events, in eight columns; others have all letters, the labels last."""
    roles = {ALLOCATE_START: Role.CALL, ALLOCATE_END: Role.CALL, FREE_END: Role.FREE_ENDED}
    columns = [Column(letter, roles.get(letter, Role.EVENT)) for letter in LETTERS]
    if kind is MachineKind.PLAIN:
        return tuple(columns[:FREE_ENDS])
    columns += [Column(frozenset({label}), Role.LABEL) for label in labels]
    if kind is MachineKind.LABELLED:
        columns += [Column(frozenset({label}), Role.APART) for label in labels]
        columns.append(Column(frozenset(), Role.GHOST))
    return tuple(columns)


def alone(one: Property, number: int, machine: Monitor, columns: Iterable[Column]) -> Product:
    """The machine of one property, whose monitor is `machine`: each column as `spec.property_verdict` reads letters.

    Cost: states * columns.
    """
    of_blocks = one.index in OF_BLOCKS
    named = one.formula.propositions

    def step(state: tuple[Life, int], column: Column) -> tuple[Life, int]:
        life, place = state
        letter, role = column
        if life is Life.GONE:
            return state
        match role:
            case Role.GHOST:
                keeps = one.index is Index.BLOCK and life is Life.BORN
                return state if keeps else (Life.GONE, 0)
            case Role.EVENT:
                if letter == MALLOC and one.index is Index.BLOCK:
                    place = machine.initial
            case Role.APART:
                if life is Life.BORN or one.index is Index.BLOCK or not letter & named:
                    return state
                return Life.UNBORN, machine.step(place, machine.number(letter))
            case _:
                if not letter & named or (role is Role.CALL and of_blocks):
                    return state
        return Life.BORN, machine.step(place, machine.number(letter))

    def outputs(state: tuple[Life, int]) -> tuple[int, int]:
        life, place = state
        if life is not Life.BORN:
            return 0, 0
        truth = machine.verdict[place]
        unfulfilled = truth is Truth.INCONCLUSIVE and not machine.at_end[place]
        return int(truth is Truth.FALSE) << number, int(unfulfilled) << number

    found = _walk((Life.UNBORN, machine.initial), columns, step, outputs, None)
    assert found is not None
    return minimised(found)


def both(left: Product, right: Product, entries: int, width: int) -> Product | None:
    """The machine of both, as small as it can be, or None: it has more than `entries`, at `width` a state.

    Cost: at most four times so many entries are made before the smallest machine is known.
    """

    def outputs(state: tuple[int, int]) -> tuple[int, int]:
        one, other = state
        return left.violated[one] | right.violated[other], left.unfulfilled[one] | right.unfulfilled[other]

    found = _walk(
        (0, 0),
        range(len(left.rows[0])),
        lambda state, column: (left.rows[state[0]][column], right.rows[state[1]][column]),
        outputs,
        4 * entries // width,
    )
    if found is None:
        return None
    small = minimised(found)
    return small if small.states * width <= entries else None


Letter_ = TypeVar("Letter_")


def _walk(
    start: State,
    columns: Iterable[Letter_],
    step: Callable[[State, Letter_], State],
    outputs: Callable[[State], tuple[int, int]],
    limit: int | None,
) -> Product | None:
    """The machine of the states that can be reached, in the order in which they are; None beyond `limit` states."""
    columns = tuple(columns)
    numbers = {start: 0}
    found, rows = [start], []
    for state in found:
        row = []
        for column in columns:
            target = step(state, column)
            if target not in numbers:
                if len(found) == limit:
                    return None
                numbers[target] = len(found)
                found.append(target)
            row.append(numbers[target])
        rows.append(tuple(row))
    ends = [outputs(state) for state in found]
    return Product(tuple(rows), tuple(violated for violated, _ in ends), tuple(owed for _, owed in ends))


def minimised(machine: Product) -> Product:
    """The smallest machine that answers alike; states in the order in which they are reached.

    Cost: O(rounds * entries), with at most as many rounds as states.
    Source: Moore, Gedanken-experiments on sequential machines (1956).

    >>> minimised(Product(((1,), (2,), (1,)), (0, 1, 0), (0, 0, 0)))
    Product(rows=((1,), (0,)), violated=(0, 1), unfulfilled=(0, 0))
    """
    names: dict[Hashable, int] = {}
    blocks = [
        names.setdefault(output, len(names)) for output in zip(machine.violated, machine.unfulfilled, strict=True)
    ]
    while True:
        split: dict[Hashable, int] = {}
        finer = [
            split.setdefault((block, tuple(blocks[target] for target in row)), len(split))
            for block, row in zip(blocks, machine.rows, strict=True)
        ]
        if len(split) == len(names):
            break
        blocks, names = finer, split
    members = {block: state for state, block in reversed(list(enumerate(blocks)))}
    numbers, order = {blocks[0]: 0}, [blocks[0]]
    for block in order:
        for target in machine.rows[members[block]]:
            if blocks[target] not in numbers:
                numbers[blocks[target]] = len(order)
                order.append(blocks[target])
    kept = [members[block] for block in order]
    return Product(
        tuple(tuple(numbers[blocks[target]] for target in machine.rows[state]) for state in kept),
        tuple(machine.violated[state] for state in kept),
        tuple(machine.unfulfilled[state] for state in kept),
    )


def reached(machine: Product, start: int, columns: Iterable[int]) -> set[int]:
    """The states that letters of these columns lead to from `start`, itself included."""
    wanted = tuple(columns)
    found, waiting = {start}, [start]
    for state in waiting:
        after = {machine.rows[state][column] for column in wanted} - found
        found |= after
        waiting += sorted(after)
    return found
