"""The bytes of a compiled table, little-endian: read in place by m4alloc/_watch/table.pxd.

A header; fixed records of the properties, the labels and the machines; then what they refer to by its place: the
columns of each machine, every one at a multiple of eight, and texts that end with a zero byte. The size is a multiple
of eight, and the header has a sum of all of it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from m4alloc.monitor.product import FIRST_LABEL, FREE_ENDS, MachineKind
from m4alloc.monitor.table import (
    ENTRIES_MAX,
    LABELS_MAX,
    MACHINES_MAX,
    NO_GHOST,
    PROPERTIES_MAX,
    Entry,
    Machine,
    MonitorTableError,
    ReportClass,
    Table,
)
from spec.property import About, Index

MAGIC: Final = b"m4table\0"
VERSION: Final = 1
HEADER: Final = struct.Struct("<8sIIIIIIQ")
"""Magic, version, size, how many properties, labels, machines, 0, and the sum of all that is not the sum."""
PROPERTY: Final = struct.Struct("<6I4BI")
"""Place and length of name, formula and sentence; index, about, class, flags; 0."""
LABEL: Final = struct.Struct("<2I")
MACHINE: Final = struct.Struct("<4I2Q7II")
"""Kind, states, width, whether accesses step; properties, of_blocks; the places of steps, violated, unfulfilled,
open_states, concerned, apart and ghost; 0."""
INDEXES: Final = tuple(Index)
ABOUTS: Final = tuple(About)
BUILT_IN_FLAG: Final = 1
JUDGED_FLAG: Final = 2


def written(table: Table) -> bytes:
    """The bytes of a table."""
    fixed = (
        HEADER.size
        + PROPERTY.size * len(table.properties)
        + LABEL.size * len(table.labels)
        + MACHINE.size * len(table.machines)
    )
    rest = bytearray()

    def placed(data: bytes, step: int = 8) -> int:
        rest.extend(bytes(-(fixed + len(rest)) % step))
        rest.extend(data)
        return fixed + len(rest) - len(data)

    machines = []
    for one in table.machines:
        columns = (
            _numbers("H", [target for row in one.steps for target in row]),
            _numbers("Q", one.violated),
            _numbers("Q", one.unfulfilled),
            bytes(one.open_states),
            bytes(one.concerned),
            _numbers("H", [target for row in one.apart for target in row]),
            _numbers("H", one.ghost),
        )
        places = [placed(column) if column else 0 for column in columns]
        shape = one.kind, len(one.steps), one.width, one.steps_at_access
        machines.append(MACHINE.pack(*shape, one.properties, one.of_blocks, *places, 0))

    def text(said: str) -> tuple[int, int]:
        data = said.encode()
        return placed(data + b"\0", 1), len(data)

    properties = [
        PROPERTY.pack(
            *(number for said in (one.name, one.text, one.sentence) for number in text(said)),
            INDEXES.index(one.index),
            ABOUTS.index(one.about),
            one.report_class,
            BUILT_IN_FLAG * one.built_in + JUDGED_FLAG * one.judged,
            0,
        )
        for one in table.properties
    ]
    labels = [LABEL.pack(*text(label)) for label in table.labels]
    rest.extend(bytes(-(fixed + len(rest)) % 8))
    counts = len(properties), len(labels), len(machines)
    head = MAGIC, VERSION, fixed + len(rest), *counts, 0
    body = b"".join((*properties, *labels, *machines, rest))
    return HEADER.pack(*head, sum_of(HEADER.pack(*head, 0)[:-8] + body)) + body


def sum_of(data: bytes) -> int:
    """FNV-1a over words of eight bytes: what tells a damaged file, not a forged one."""
    total = 0xCBF29CE484222325
    for (word,) in struct.iter_unpack("<Q", data):
        total = ((total ^ word) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return total


def read(data: bytes) -> Table:
    """The table of these bytes.  Raises: MonitorTableError."""
    if len(data) < HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise MonitorTableError("not a table of properties")
    _, version, size, properties, labels, machines, _, total = HEADER.unpack_from(data)
    if version != VERSION:
        raise MonitorTableError(f"a table of version {version}; this m4alloc reads version {VERSION}")
    if size != len(data) or size % 8:
        raise MonitorTableError(f"a table of {size} bytes in a file of {len(data)}")
    if sum_of(data[: HEADER.size - 8] + data[HEADER.size :]) != total:
        raise MonitorTableError("the table is damaged: its sum is wrong")
    if properties > PROPERTIES_MAX or labels > LABELS_MAX or machines > sum(MACHINES_MAX.values()):
        raise MonitorTableError(f"{properties} properties, {labels} labels and {machines} machines are too many")
    try:
        return _Reader(data, properties, labels).table(machines)
    except (struct.error, IndexError, ValueError) as error:
        raise MonitorTableError(f"the table is damaged: {error}") from None


class _Reader:
    """Reads what the header announces; every number is looked at before it is believed."""

    def __init__(self, data: bytes, properties: int, labels: int) -> None:
        self.data = data
        self.properties = properties
        self.labels = labels

    def table(self, machines: int) -> Table:
        at = HEADER.size
        entries = [self._entry(at + PROPERTY.size * number) for number in range(self.properties)]
        at += PROPERTY.size * self.properties
        labels = [self._text(*LABEL.unpack_from(self.data, at + LABEL.size * number)) for number in range(self.labels)]
        at += LABEL.size * self.labels
        found = [self._machine(at + MACHINE.size * number) for number in range(machines)]
        for kind, most in MACHINES_MAX.items():
            if sum(one.kind is kind for one in found) > most:
                raise ValueError(f"more than {most} machines of kind {kind}")
        judged = {number for number, one in enumerate(entries) if one.judged}
        stepped = [number for one in found for number in range(PROPERTIES_MAX) if one.properties >> number & 1]
        if sorted(stepped) != sorted(judged):
            raise ValueError("not every property is in one machine")
        if labels != sorted(set(labels)):
            raise ValueError("labels out of order")
        return Table(tuple(entries), tuple(labels), tuple(found))

    def _entry(self, at: int) -> Entry:
        *texts, index, about, report, flags, _ = PROPERTY.unpack_from(self.data, at)
        name, formula, sentence = (self._text(*texts[first : first + 2]) for first in (0, 2, 4))
        return Entry(
            name,
            formula,
            sentence,
            INDEXES[index],
            ABOUTS[about],
            ReportClass(report),
            bool(flags & BUILT_IN_FLAG),
            bool(flags & JUDGED_FLAG),
        )

    def _text(self, at: int, length: int) -> str:
        if at + length >= len(self.data) or self.data[at + length]:
            raise ValueError(f"a text at {at} has no end")
        return self.data[at : at + length].decode()

    def _machine(self, at: int) -> Machine:
        kind, states, width, _, properties, of_blocks, *places, _ = MACHINE.unpack_from(self.data, at)
        shape = MachineKind(kind)
        wanted = FREE_ENDS if shape is MachineKind.PLAIN else FIRST_LABEL + self.labels
        if width != wanted or not 0 < states * width <= ENTRIES_MAX or states >= NO_GHOST:
            raise ValueError(f"a machine of {states} states and {width} codes")
        if properties >> self.properties or of_blocks & ~properties:
            raise ValueError("a machine has properties that there are not")
        labelled = shape is MachineKind.LABELLED
        steps = self._column("H", places[0], states * width)
        apart = self._column("H", places[5], states * self.labels if labelled else 0)
        ghost = self._column("H", places[6], states if labelled else 0)
        if max((*steps, *apart, *(one for one in ghost if one != NO_GHOST))) >= states:
            raise ValueError("a step to a state that there is not")
        violated, unfulfilled = (self._column("Q", place, states) for place in places[1:3])
        if any(mask & ~properties for mask in (*violated, *unfulfilled)):
            raise ValueError("a state violates properties that its machine has not")
        return Machine(
            shape,
            properties,
            of_blocks,
            _rows(steps, width),
            violated,
            unfulfilled,
            self._column("B", places[3], states),
            tuple(map(bool, self._column("B", places[4], width))),
            _rows(apart, self.labels) if self.labels else ((),) * len(ghost),
            ghost,
        )

    def _column(self, form: str, at: int, length: int) -> tuple[int, ...]:
        if length == 0:
            return ()
        if at % 8:
            raise ValueError(f"a column at {at}")
        return struct.unpack_from(f"<{length}{form}", self.data, at)


def _rows(numbers: tuple[int, ...], width: int) -> tuple[tuple[int, ...], ...]:
    return tuple(numbers[start : start + width] for start in range(0, len(numbers), width))


def _numbers(form: str, numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}{form}", *numbers)
