"""A search that is under way: the machine code of a program, the arrays of the engine, and their growth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from m4alloc.model import codegen, engine
from m4alloc.model.native import Native
from m4alloc.model.packing import packing
from m4alloc.model.static_reduction import sufficient
from m4alloc.model.table import BLUE, COLOUR_SHIFT, FULL, KEY_MASK, moved, rehash
from spec.ltl.automaton import Automaton
from spec.ltl.meter import BoundReached, Meter, resident
from spec.model.program import Program

SHARE = 1_000_000
"""Transitions in a slice: tenths of a second."""
FIRST_ENTRIES = 1 << 14
FIRST_ROOM = 1 << 12
NO_BOUND = 1 << 62


class Exploration:
    """The states of a program, or of its product with a state-based automaton, searched by the compiled engine.

    automaton: state-based, of one acceptance set; None explores the program alone. decided: states of it from which it
    accepts everything, at which the breadth-first search stops. fair: numbers of processes, 60 at most, of which there
    is a copy of the product for each, and two more. deadlock: whether to stop at one. reduction:
    `m4alloc.model.static_reduction`. meter: is told what is counted,
    and stops the search at its bounds. states, memory: bounds that are looked at here.
    Raises: ValueError, TooLargeError for what cannot be compiled.
    """

    def __init__(
        self,
        program: Program,
        automaton: Automaton | None,
        *,
        decided: frozenset[int] = frozenset(),
        fair: Sequence[int] = (),
        deadlock: bool = False,
        reduction: bool = False,
        meter: Meter,
        states: int = NO_BOUND,
        memory: int | None = None,
    ) -> None:
        self.program = program
        propositions = automaton.propositions if automaton is not None else ()
        state_bits = (automaton.states - 1).bit_length() if automaton is not None else 0
        sets = len(fair) + 1 if fair else 0
        copy_bits = sets.bit_length()
        self.packed = packed = packing(program, state_bits + copy_bits)
        reduced = sufficient(program, propositions) if reduction else None
        self._native = native = Native(codegen.module(program, packed, propositions, reduced))
        edges, ends, accepting, processes = tables(program, automaton, decided, fair)
        steps = codegen.most_successors(program)
        most = self._most = steps * max(int(np.diff(edges).max()), 1)
        self._shape = engine.Shape(
            words=packed.words,
            successors=native.address("successors"),
            letter=native.address("letter"),
            ended=native.address("ended"),
            extra_word=packed.extra.word,
            extra_shift=np.uint64(packed.extra.shift),
            extra_mask=(1 << packed.extra.width) - 1,
            state_bits=state_bits,
            letters=1 << len(propositions),
            sets=sets,
            deadlock=int(deadlock),
            stutter=int(automaton is not None),
            decided=int(bool(decided)),
            most=most,
        )
        self._arrays = engine.Arrays(
            edges=edges,
            ends=ends,
            accepting=accepting,
            fair=processes,
            source=np.zeros(packed.words, np.uint64),
            targets=np.zeros(steps * packed.words, np.uint64),
            commands=np.zeros(2 * steps, np.int64),
            product=np.zeros(most * packed.words, np.uint64),
            homes=np.zeros(most, np.int64),
        )
        self._registers = np.zeros(engine.R_COUNT, np.int64)
        self._registers[engine.R_RED] = -1
        self._meter, self._states, self._memory = meter, states, memory
        initial = automaton.initial if automaton is not None else 0
        cells = program.cells
        values = [cell.initial for cell in cells]
        self._initial = []
        tracked = program.tracked
        for value in range(cells[tracked].low, cells[tracked].high + 1) if tracked is not None else (0,):
            if tracked is not None:
                values[tracked] = value
            self._initial.append(packed.pack(values, initial))
        self._table = np.zeros(FIRST_ENTRIES * packed.words, np.uint64)

    def breadth(self) -> int:
        """Breadth-first search to its end: why it stopped.  Raises: BoundReached."""
        words, registers = self.packed.words, self._registers
        self._queue = np.zeros(FIRST_ROOM * words, np.uint64)
        self._parents = np.zeros(FIRST_ROOM, np.uint32)
        count = len(self._initial)
        self._room(count + self._most)
        self._queue[: count * words] = np.array(self._initial, np.uint64).reshape(-1)
        for key in self._initial:
            self._put(key)
        registers[engine.R_TAIL] = registers[engine.R_LEVEL] = registers[engine.R_STATES] = count
        registers[engine.R_DEPTH] = 1
        self._parents[:count] = np.arange(count)
        return self._run(
            lambda: engine.breadth(
                registers,
                self._shape,
                self._table,
                self._shift(self._table),
                self._limit(),
                self._queue,
                self._parents,
                self._arrays,
                self._states,
                SHARE,
            )
        )

    def nested(self) -> int:
        """Nested depth-first search to its end: why it stopped.  Raises: BoundReached."""
        self._frames = np.zeros((FIRST_ROOM, 3), np.int64)
        self._todo = np.zeros((FIRST_ROOM + self._most) * self.packed.words, np.uint64)
        initial = np.array(self._initial, np.uint64).reshape(-1)
        return self._run(
            lambda: engine.nested(
                self._registers,
                self._shape,
                self._table,
                self._shift(self._table),
                self._limit(),
                initial,
                self._frames,
                self._todo,
                self._arrays,
                self._states,
                SHARE,
            )
        )

    def _run(self, part: Callable[[], int]) -> int:
        """Slices of a search, and what is due between them."""
        registers, meter = self._registers, self._meter
        while True:
            why = int(part())
            meter.states = min(int(registers[engine.R_STATES]), self._states)
            meter.transitions, meter.depth = int(registers[engine.R_TRANSITIONS]), int(registers[engine.R_DEPTH])
            if why == engine.BOUND:
                raise BoundReached(f"more than {self._states:,} states")
            if why == engine.GROW_TABLE:
                self._grow_table()
            elif why == engine.GROW_ROOM:
                self._grow_room()
            elif why != engine.RUNNING:
                return why
            meter.look()

    # Growth.

    def _limit(self) -> int:
        return int(self._table.size // self.packed.words * FULL)

    def _shift(self, table: Any) -> np.uint64:
        return np.uint64(64 - (table.size // self.packed.words).bit_length() + 1)

    def _free(self, length: int, columns: tuple[int, ...], kind: type) -> Any:
        """An array of zeros, if there is memory for it."""
        needed = math.prod(columns, start=length) * np.dtype(kind).itemsize
        if self._memory is not None and resident() + needed > self._memory:
            raise BoundReached(f"more than {self._memory:,} bytes of memory")
        try:
            return np.zeros((length, *columns), kind)
        except MemoryError:
            raise BoundReached(f"no memory for {needed:,} bytes more") from None

    def _grow_table(self) -> None:
        """A larger table, and on the path the new numbers of entries."""
        size = self._table.size * (4 if self._table.nbytes < 1 << 24 else 2)
        table = self._free(size, (), np.uint64)
        words, shift = self.packed.words, self._shift(table)
        rehash(self._table, table, words, shift)
        if hasattr(self, "_frames"):
            moved(self._table, table, words, shift, self._frames, int(self._registers[engine.R_TAIL]))
        self._table = table

    def _grow_room(self) -> None:
        registers, words = self._registers, self.packed.words
        if hasattr(self, "_queue"):
            self._room(int(registers[engine.R_TAIL]) + self._most + 1)
            return
        used = int(registers[engine.R_TAIL])
        if used + 2 > len(self._frames):
            self._frames = self._longer(self._frames, 2 * len(self._frames))
        needed = (int(registers[engine.R_TODO]) + self._most + 1) * words
        if needed > self._todo.size:
            self._todo = self._longer(self._todo, max(2 * self._todo.size, needed))

    def _room(self, needed: int) -> None:
        if needed > self._parents.size:
            size = max(2 * self._parents.size, needed)
            self._parents = self._longer(self._parents, size)
            self._queue = self._longer(self._queue, size * self.packed.words)

    def _longer(self, array: Any, length: int) -> Any:
        longer = self._free(length, array.shape[1:], array.dtype.type)
        longer[: len(array)] = array
        return longer

    # States and paths.

    def _put(self, key: tuple[int, ...]) -> None:
        """Visit a state that has not been."""
        state = np.array(key, np.uint64)
        words, shift = self.packed.words, self._shift(self._table)
        entry = engine.place(self._table, shift, words, state)
        self._table[entry * words : (entry + 1) * words] = state
        self._table[entry * words] |= BLUE << COLOUR_SHIFT

    def _entry(self, entry: int) -> tuple[int, ...]:
        words = self.packed.words
        first, *rest = self._table[entry * words : (entry + 1) * words]
        return int(first & KEY_MASK), *map(int, rest)

    def path(self) -> list[tuple[int, ...]]:
        """The path to where the search has stopped: states of the product, from an initial one on."""
        words = self.packed.words
        if not hasattr(self, "_queue"):
            return [self._entry(int(frame[0])) for frame in self._frames[: int(self._registers[engine.R_TAIL])]]
        place = int(self._registers[engine.R_FOUND])
        places = [place]
        while int(self._parents[place]) != place:
            place = int(self._parents[place])
            places.append(place)
        return [tuple(map(int, self._queue[place * words : (place + 1) * words])) for place in reversed(places)]

    def closed(self) -> tuple[int, ...]:
        """The state on the path to which the cycle that was found goes back."""
        return self._entry(int(self._registers[engine.R_FOUND]))

    def failed(self) -> int:
        """The number of the command whose step failed."""
        return int(self._arrays.commands[0])

    def node(self, key: Sequence[int]) -> tuple[tuple[int, ...], int]:
        """The values of the program's cells in a state of the product, and the automaton's state."""
        extra = key[self.packed.extra.word] >> self.packed.extra.shift
        return self.packed.unpack(key), extra & ((1 << self._shape.state_bits) - 1)

    def commands(self, keys: Sequence[tuple[int, ...]]) -> list[int]:
        """For each two states of the product that follow one another, the command of the step between them.

        It is -1 for the idle step and for the step of a state without successors.
        """
        words = self.packed.words
        found = []
        for source, target in pairwise(keys):
            made, count, _ = engine.expand(self._shape, np.array(source, np.uint64), 0, self._arrays)
            product = self._arrays.product[: made * words].reshape(made, words)
            number = next(number for number, key in enumerate(product) if tuple(map(int, key)) == target)
            found.append(int(self._arrays.commands[number * count // made]))
        return found


def tables(
    program: Program, automaton: Automaton | None, decided: frozenset[int], fair: Sequence[int]
) -> tuple[engine.Numbers, engine.Numbers, engine.Numbers, engine.Numbers]:
    """The first four of `engine.Arrays`.

    No automaton is one that stays in its only state and never accepts.
    """
    if automaton is None:
        counts, ends, accepting = [np.ones(1, np.int64)], [np.zeros(1, np.int64)], [0]
    else:
        counts, ends, accepting = [], [np.zeros(0, np.int64)], []
        letters = 1 << len(automaton.propositions)
        for state, leaving in enumerate(automaton.edges):
            labels: dict[int, int] = {}
            for edge in leaving:
                labels[edge.target] = labels.get(edge.target, 0) | edge.label
            # A row for each target, a column for each letter.
            taken = np.zeros((len(labels), letters), np.uint8)
            for row, label in enumerate(labels.values()):
                packed = np.frombuffer(label.to_bytes((letters + 7) // 8, "little"), np.uint8)
                taken[row] = np.unpackbits(packed, bitorder="little")[:letters]
            counts.append(taken.sum(axis=0, dtype=np.int64))
            ends.append(np.array(list(labels), np.int64)[np.nonzero(taken.T)[1]])
            marked = bool(leaving) and leaving[0].marks == automaton.all_marks
            accepting.append(int(state in decided if decided else marked))
    places = {process: place for place, process in enumerate(fair)}
    commands = [places.get(command.process, -1) for command in program.commands]
    return (
        np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(counts))]),
        np.concatenate(ends),
        np.array(accepting, np.int64),
        np.array(commands, np.int64),
    )
