"""Properties compiled for a running program: the table that libm4monitor.so loads when the program starts.

`python -m m4alloc.monitor.table` prints the C header of the built-in one (m4alloc/_monitor_table.h).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from m4alloc.monitor.product import (
    FIRST_LABEL,
    FREE_ENDS,
    MALLOCS,
    OPEN_ACCESS,
    Column,
    MachineKind,
    Product,
    Role,
    alone,
    both,
    columns_of,
    kind_of,
    reached,
    words_of,
)
from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.monitor import Monitor
from spec.ltl.word import Letter
from spec.properties import find
from spec.property import NUMBERS, OF_ACCESS, About, Index, Property
from spec.property_verdict import machine_of
from spec.propositions import ALLOCATE_END, ALLOCATE_START, FREE_END, Delivery, Sort

PROPERTIES_MAX: Final = 64
LABELS_MAX: Final = 4096
ENTRIES_MAX: Final = 1 << 16
"""States times codes of one machine."""
MACHINES_MAX: Final = {
    MachineKind.PLAIN: 4,
    MachineKind.LABELLED: 4,
    MachineKind.THREAD: 1,
    MachineKind.GLOBAL: 1,
}
_SHARED: Final = {
    MachineKind.PLAIN: f"properties of addresses and blocks share {MACHINES_MAX[MachineKind.PLAIN]} tables",
    MachineKind.LABELLED: "properties of addresses and blocks that name labels share "
    f"{MACHINES_MAX[MachineKind.LABELLED]} tables, one for each set of labels",
    MachineKind.THREAD: "properties of threads share a table",
    MachineKind.GLOBAL: "properties of the process share a table",
}
NO_GHOST: Final = 0xFFFF
OPEN_ALONE: Final = 1
OPEN_TO_ALL: Final = 2


class MonitorTableError(LogicError):
    """Properties that a running program cannot be watched for; the message says which, and who can judge them."""


class ReportClass(IntEnum):
    """What a report calls a violation, with the numbers of the runtime; the rest are properties by name."""

    USE_AFTER_FREE = 1
    DOUBLE_FREE = 2
    OUT_OF_BOUNDS = 4
    UNINITIALISED_READ = 5
    LEAK = 6
    PROPERTY = 7


CLASSES: Final = {
    "access-only-while-allocated": ReportClass.USE_AFTER_FREE,
    "no-double-free": ReportClass.DOUBLE_FREE,
    "access-in-bounds": ReportClass.OUT_OF_BOUNDS,
    "freed-eventually": ReportClass.LEAK,
    "initialised-before-read": ReportClass.UNINITIALISED_READ,
}
"""The properties that are watched unless told otherwise, and what a violation of each is called."""

BUILT_IN: Final = tuple(map(find, CLASSES))


@dataclass(frozen=True, slots=True)
class Entry:
    """A property as the table has it.

    built_in: nobody asked for it. judged: there can be evidence for or against it in the run.
    """

    name: str
    text: str
    sentence: str
    index: Index
    about: About
    report_class: ReportClass
    built_in: bool
    judged: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """Some properties stepped as one; `steps` has a row for each state, with a column for each code.

    violated, unfulfilled: for each state, as in `Product`. properties: bits of those that are in it; of_blocks: of
    these, the ones that begin anew with each malloc. concerned: whether each code is a letter of it. open_states: for
    each state, OPEN_ALONE if an access in bounds changes nothing there nor wherever labels lead to, and OPEN_TO_ALL if
    it does not matter either which thread's the access is. apart: for each state, of labels about no block, for the
    words of addresses without an event so far. ghost: for each state, where the old block's word goes on when its
    address is handed out again, or NO_GHOST. These two are empty but for LABELLED.
    """

    kind: MachineKind
    properties: int
    of_blocks: int
    steps: tuple[tuple[int, ...], ...]
    violated: tuple[int, ...]
    unfulfilled: tuple[int, ...]
    open_states: tuple[int, ...]
    concerned: tuple[bool, ...]
    apart: tuple[tuple[int, ...], ...] = ()
    ghost: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """How many codes there are."""
        return len(self.concerned)

    @property
    def steps_at_access(self) -> bool:
        """Whether an access in bounds changes some state."""
        return any(row[OPEN_ACCESS] != state for state, row in enumerate(self.steps))

    def newly(self, before: int, after: int, code: int) -> int:
        """The properties that a step by this code violated; after a malloc those of blocks are of another block."""
        old = self.violated[before]
        return self.violated[after] & ~(old & ~self.of_blocks if code == MALLOCS else old)


@dataclass(frozen=True, slots=True)
class Table:
    """Properties, the labels that they name, and the machines that step them: property n is bit n of their masks.

    >>> table = Table.of(BUILT_IN)
    >>> [(machine.kind.name, len(machine.steps)) for machine in table.machines]
    [('PLAIN', 32)]
    >>> Table.from_bytes(table.to_bytes()) == table
    True
    """

    properties: tuple[Entry, ...]
    labels: tuple[str, ...]
    machines: tuple[Machine, ...]

    @classmethod
    def of(
        cls, properties: Iterable[Property], *, built_in: Iterable[Property] = (), unseen: Collection[str] = ()
    ) -> Table:
        """The table of some properties, each of them once.

        built_in: others that are watched anyway; they come first. unseen: propositions that nothing in the run will be
        evidence of, such as `access` where a program was not rebuilt: a property that speaks of one is watched for what
        is violated whatever those were.
        Raises: MonitorTableError for a property that speaks of what only the allocator knows, and for too many;
        TooLargeError for properties that need too large a table.
        Cost: some milliseconds for the built-in ones; up to seconds where products are large.
        """
        asked = tuple(dict.fromkeys(properties))
        everything = tuple(dict.fromkeys((*built_in, *asked)))
        if len(everything) > PROPERTIES_MAX:
            raise MonitorTableError(f"{len(everything)} properties; at most {PROPERTIES_MAX} are watched at once")
        monitors = [_monitor_of(one, unseen) for one in everything]
        entries = tuple(
            Entry(
                one.name,
                one.text,
                one.sentence,
                one.index,
                one.about,
                CLASSES.get(one.name, ReportClass.PROPERTY),
                one not in asked,
                machine is not None,
            )
            for one, machine in zip(everything, monitors, strict=True)
        )
        judged = [
            (number, one, machine)
            for number, (one, machine) in enumerate(zip(everything, monitors, strict=True))
            if machine is not None
        ]
        labels = tuple(sorted(frozenset[str]().union(*(words_of(one) for _, one, _ in judged))))
        if len(labels) > LABELS_MAX:
            raise MonitorTableError(f"{len(labels)} labels; at most {LABELS_MAX} are known at once")
        machines = [machine for kind in MachineKind for machine in _machines(kind, judged, labels)]
        return cls(entries, labels, tuple(machines))

    def code(self, delivery: Delivery) -> int | None:
        """The code of a letter, or None: it is none of this table.

        >>> from spec.propositions import MALLOC
        >>> Table.of([find("quarantine")]).code(Delivery(frozenset({"quarantine_end"}), Sort.LABEL, 1, 0))
        9
        """
        letter: Letter = delivery.letter
        match delivery.sort:
            case Sort.RESIZE:
                return None
            case Sort.LABEL:
                (name,) = letter
                return FIRST_LABEL + self.labels.index(name) if name in self.labels else None
            case Sort.CALL:
                return {ALLOCATE_START: 6, ALLOCATE_END: 7, FREE_END: FREE_ENDS}[letter]
        if "access" in letter:
            return OPEN_ACCESS + ("outside" in letter) + 2 * ("uninitialised" in letter)
        return MALLOCS if "malloc" in letter else 1

    def to_bytes(self) -> bytes:
        """The table as the runtime reads it (`m4alloc.monitor.table_format`): equal tables have equal bytes."""
        from m4alloc.monitor.table_format import written

        return written(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Table:
        """The table that `to_bytes` wrote.

        Raises: MonitorTableError for anything else; the message says what is wrong.
        """
        from m4alloc.monitor.table_format import read

        return read(data)


def compile_table(
    properties: Sequence[Property] = (), *, built_in: Sequence[Property] = BUILT_IN, unseen: Collection[str] = ()
) -> bytes:
    """The bytes of the table of the built-in properties and of these.  Raises, cost: as `Table.of`."""
    return Table.of(properties, built_in=built_in, unseen=unseen).to_bytes()


def as_c(table: Table) -> str:
    """The table as a C header, for a library that has it without a file."""
    data = table.to_bytes()
    rows = [", ".join(str(byte) for byte in data[start : start + 28]) for start in range(0, len(data), 28)]
    body = ",\n".join(f"    {row}" for row in rows)
    return (
        "/* Made by `python -m m4alloc.monitor.table`: the properties that are watched unless told otherwise,\n"
        f" * {', '.join(one.name for one in table.properties)}. */\n"
        "#ifndef M4ALLOC_MONITOR_TABLE_H\n"
        "#define M4ALLOC_MONITOR_TABLE_H\n\n"
        f"static const unsigned char m4m_built_in_table[{len(data)}] __attribute__((aligned(8))) = {{\n{body}\n}};\n\n"
        "#endif\n"
    )


def _monitor_of(one: Property, unseen: Collection[str]) -> Monitor | None:
    """What steps on the words of a property in a run that shows nothing of `unseen`; None: it could find no fault."""
    hidden = sorted(one.formula.propositions & (NUMBERS - OF_ACCESS))
    if hidden:
        raise MonitorTableError(
            f"{one.name} speaks of {' and '.join(hidden)}, which a running program does not show; "
            f"`m4alloc verify --property` judges it on a recording"
        )
    try:
        return machine_of(one, tuple(sorted((one.needs | one.labels) & frozenset(unseen))))
    except TooLargeError as error:
        raise TooLargeError(f"{one.name} is too large to be watched: {error}") from None


def _machines(
    kind: MachineKind, judged: Iterable[tuple[int, Property, Monitor]], labels: tuple[str, ...]
) -> list[Machine]:
    """The machines of one kind: as few as are small enough, each property in the first one that has room.

    Labels lead the word of a block on by the thread of its last letter, so that words with other letters differ.
    """
    columns = columns_of(kind, labels)
    width = sum(column.role not in (Role.APART, Role.GHOST) for column in columns)
    groups: list[tuple[frozenset[str], Product, list[tuple[int, Property]]]] = []
    for number, one, machine in judged:
        if kind_of(one) is not kind:
            continue
        own = alone(one, number, machine, columns)
        words = words_of(one) if kind is MachineKind.LABELLED else frozenset[str]()
        if own.states * width <= ENTRIES_MAX:
            for place, (named, product, members) in enumerate(groups):
                joined = both(product, own, ENTRIES_MAX, width) if named == words else None
                if joined is not None:
                    groups[place] = named, joined, [*members, (number, one)]
                    break
            else:
                groups.append((words, own, [(number, one)]))
        if own.states * width > ENTRIES_MAX or len(groups) > MACHINES_MAX[kind]:
            raise TooLargeError(
                f"{one.name} does not fit: {_SHARED[kind]}, of at most {ENTRIES_MAX:,} entries. Leave it out, or watch "
                "it in a run of its own"
            )
    return [_finished(kind, columns, width, *group) for group in groups]


def _finished(
    kind: MachineKind,
    columns: tuple[Column, ...],
    width: int,
    words: frozenset[str],
    product: Product,
    members: list[tuple[int, Property]],
) -> Machine:
    """The machine of a product, with what can be known of its states beforehand."""
    said = [code for code, column in enumerate(columns[:width]) if column.role in (Role.LABEL, Role.FREE_ENDED)]
    labels = [code for code, column in enumerate(columns[:width]) if column.role is Role.LABEL]
    steps = tuple(row[:width] for row in product.rows)
    of_blocks = sum(1 << number for number, one in members if one.index is Index.BLOCK)
    loops = [row[OPEN_ACCESS] == state for state, row in enumerate(steps)]
    open_states = []
    for state, row in enumerate(steps):
        alone_open = all(loops[after] for after in reached(product, state, said))
        stays = all(row[code] == state for code in labels)
        open_states.append((OPEN_ALONE if alone_open else 0) | (OPEN_TO_ALL if alone_open and stays else 0))
    if kind is MachineKind.LABELLED:
        concerned = [column.role is Role.EVENT for column in columns[:width]]
        for code in said:
            concerned[code] = not words.isdisjoint(columns[code].letter)
        apart = tuple(row[width : width + len(labels)] for row in product.rows)
        ghost = tuple(_ghost(product, row[-1], labels) for row in product.rows)
    else:
        concerned = [
            any(row[code] != state for state, row in enumerate(steps)) or (code == MALLOCS and of_blocks > 0)
            for code in range(width)
        ]
        apart, ghost = (), ()
    return Machine(
        kind,
        sum(1 << number for number, _ in members),
        of_blocks,
        steps,
        product.violated,
        product.unfulfilled,
        tuple(open_states),
        tuple(concerned),
        apart,
        ghost,
    )


def _ghost(product: Product, state: int, labels: list[int]) -> int:
    """The state of an old block's word, or NO_GHOST: it owes nothing, and labels can make nothing of it."""
    after = reached(product, state, labels)
    tells = any(product.unfulfilled[one] or product.violated[one] & ~product.violated[state] for one in after)
    return state if tells else NO_GHOST


if __name__ == "__main__":
    print(as_c(Table.of((), built_in=BUILT_IN)), end="")
