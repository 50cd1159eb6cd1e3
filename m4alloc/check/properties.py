"""The property library over a recorded trace: all properties of one index step together.

What it says is what `spec.property_verdict.evaluate` says of the same history, sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from m4alloc.check.accept import accept_records, acceptor_on
from m4alloc.check.joint import Joint
from m4alloc.check.letters import Columns, columns_of
from m4alloc.check.lives import Booleans, Integers, Lives
from m4alloc.trace.format import EndReason
from m4alloc.trace.read import Trace
from spec.acceptor import Acceptor
from spec.ltl.truth import Truth
from spec.properties import REPORTED
from spec.property import Index, Property
from spec.property_verdict import (
    OF_BLOCKS,
    Answer,
    PropertyVerdict,
    Witness,
    concerns,
    excused,
    judge,
    machine_of,
    missing,
    seen,
)
from spec.propositions import Delivery, Sort


def evaluate_trace(trace: Trace, properties: Sequence[Property] = REPORTED) -> list[PropertyVerdict]:
    """What one recorded process image that began with an empty heap says of each property.

    Raises: ValueError when the records are out of order, KeyError when one has a function that there is not;
    TooLargeError when a formula has no monitor of a reasonable size.
    Cost: about a microsecond a call for the whole library; tens where memory was accessed, or a property
    of addresses or blocks names a label.
    """
    acceptor = acceptor_on(None, "c17,glibc", quarantine=trace.quarantine, quarantine_limit=trace.quarantine_limit)
    accept_records(trace.records, acceptor, labels=trace.labels, order=trace.order())
    return evaluate(trace, properties, acceptor)


def evaluate(
    trace: Trace, properties: Sequence[Property], acceptor: Acceptor, inherited: Lives | None = None
) -> list[PropertyVerdict]:
    """What one process image says of each property, after `acceptor` has judged it.

    inherited: the parent's blocks that were alive when this process was forked. Raises, cost: as `evaluate_trace`.
    """
    exited = trace.end_reason is EndReason.EXIT
    columns = columns_of(trace, acceptor, inherited)
    # By name, whatever it is: a label may be called like the end of a call.
    said = frozenset[str]().union(*(letter for letter, sort, _ in columns.keys if sort is Sort.LABEL))
    verdicts: dict[Property, PropertyVerdict] = {}
    for index in Index:
        together = []
        for one in properties:
            if one.index is not index:
                continue
            if index in OF_BLOCKS and one.formula.propositions & said:
                # A label reaches many words at once, which is left to the specification.
                letters = map(columns.delivery, range(len(columns.code)))
                verdicts[one] = judge(one, letters, columns, exited=exited)
            else:
                together.append(one)
        if together:
            verdicts.update(zip(together, _together(index, together, columns, exited), strict=True))
    return [verdicts[one] for one in properties]


def _together(index: Index, properties: Sequence[Property], columns: Columns, exited: bool) -> list[PropertyVerdict]:
    """What the words of one index say of several of its properties."""
    unseen = {one: missing(one, columns.observed) for one in properties}
    machines = {one: machine_of(one, unseen[one]) for one in properties}
    monitors = {one: machine for one, machine in machines.items() if machine is not None}
    samples = [Delivery(letter, sort, 1, 0, 0 if about else None) for letter, sort, about in columns.keys]
    concerned = {one: tuple(concerns(one, sample) for sample in samples) for one in properties}
    letters = [
        [machine.number(sample.letter) if concerned[one][code] else None for one, machine in monitors.items()]
        for code, sample in enumerate(samples)
    ]
    # Resizes are no letters and step nothing; they come along because they say how large blocks are.
    wanted = [
        any(concerned[one][code] for one in properties) or (sample.sort is Sort.RESIZE and index in OF_BLOCKS)
        for code, sample in enumerate(samples)
    ]
    stepped = np.array(wanted, np.bool_)[columns.code]
    if index not in OF_BLOCKS:
        stepped &= columns.number > 0
    places = np.flatnonzero(stepped)
    keys, order, instances = _keys(index, columns, stepped, places)
    joint = Joint(tuple(monitors.values()), letters)
    states, first = joint.run(keys, columns.code[places], instances, order)
    words = _Words(index, columns, places, keys, states)
    places_of = dict(zip(monitors, range(len(monitors)), strict=True))
    found = []
    for one in properties:
        own = words.own(concerned[one])
        if one not in monitors:
            verdict = PropertyVerdict(one, own.letters, own.words, 0, 0, 0, exited, None, unseen[one])
            found.append(verdict)
            continue
        which, machine = places_of[one], monitors[one]
        ends = [parts[which] for parts in joint.parts]
        owed = [machine.verdict[end] is Truth.INCONCLUSIVE and not machine.at_end[end] for end in ends]
        unfulfilled = words.unfulfilled(np.array(owed, np.bool_), own, exited)
        place = first[which]
        witness = words.witness(place) if place is not None else None
        if witness is None and exited:
            witness = words.at_exit(unfulfilled, own)
        verdict = PropertyVerdict(
            one,
            own.letters,
            own.words,
            joint.violated[which],
            len(unfulfilled),
            words.bytes(unfulfilled),
            exited,
            witness,
            unseen[one],
        )
        silent = verdict.missing and verdict.answer is Answer.NOT_OBSERVED
        found.append(verdict.silent() if silent else verdict)
    return found


def _keys(index: Index, columns: Columns, stepped: Booleans, places: Integers) -> tuple[Integers, Integers, int]:
    """For each letter the number of its word; the letters by word and time; and how many words there are."""
    keys = np.zeros(len(places), np.int64)
    if index is Index.GLOBAL or not len(places):
        return keys, np.arange(len(places)), 1 if index is Index.GLOBAL else 0
    if index is Index.THREAD:
        values = columns.thread[places]
        order = np.argsort(values, kind="stable")
        changes = _changes(values[order])
    else:
        # At one address, generations do not descend.
        sorted_places = columns.by_base[stepped[columns.by_base]]
        order = (np.cumsum(stepped) - 1)[sorted_places]
        changes = _changes(columns.base[sorted_places])
        if index is Index.BLOCK:
            changes |= _changes(columns.generation[sorted_places])
    keys[order] = np.cumsum(changes)
    return keys, order, int(np.count_nonzero(changes)) + 1


def _changes(values: Integers) -> Booleans:
    """Where a value is another than the one before it; the first one is not."""
    found = np.zeros(len(values), np.bool_)
    found[1:] = values[1:] != values[:-1]
    return found


class _Own(NamedTuple):
    """The letters that are of one property's words: a mask of them, the words that have one, and how many of each."""

    mask: Booleans
    touched: Booleans
    letters: int
    words: int


class _Words:
    """The words of one index after all letters: `places` are those of the letters in `columns`, keys their words."""

    def __init__(self, index: Index, columns: Columns, places: Integers, keys: Integers, states: Integers) -> None:
        self.index = index
        self.columns = columns
        self.places = places
        self.keys = keys
        self.states = states
        self._own: dict[tuple[bool, ...], _Own] = {}
        born = np.array(["malloc" in letter for letter, _, _ in columns.keys], np.bool_)
        self.born = np.flatnonzero(born[columns.code[places]]) if index in OF_BLOCKS else np.zeros(0, np.int64)
        self.block = np.full(len(states), -1, np.int64)
        self.block[keys[self.born]] = self.born
        resized = np.array([sort is Sort.RESIZE for _, sort, _ in columns.keys], np.bool_)[columns.code[places]]
        self.resized = np.flatnonzero(resized)
        sized = np.sort(np.concatenate((self.born, self.resized)), kind="stable")
        self.size = np.zeros(len(states), np.int64)
        self.size[keys[sized]] = columns.size[places[sized]]

    def own(self, concerned: tuple[bool, ...]) -> _Own:
        """The letters of the codes that a property is concerned with: the same for many properties."""
        found = self._own.get(concerned)
        if found is None:
            mask = np.array(concerned, np.bool_)[self.columns.code[self.places]]
            touched = np.zeros(len(self.states), np.bool_)
            touched[self.keys[mask]] = True
            letters = int(np.count_nonzero(mask & (self.columns.number[self.places] > 0)))
            found = self._own[concerned] = _Own(mask, touched, letters, int(np.count_nonzero(touched)))
        return found

    def unfulfilled(self, owed: Booleans, own: _Own, exited: bool) -> NDArray[np.int64]:
        """The words that ended in a state of `owed` and have a letter of their `own`, but for the excused ones."""
        waiting = np.flatnonzero(owed[self.states] & own.touched)
        if not exited or not len(waiting):
            return waiting
        if self.index in OF_BLOCKS:
            block = self.block[waiting]
            inherited = (block >= 0) & (self.columns.number[self.places[block]] == 0)
            judged: NDArray[np.int64] = waiting[~inherited]
            return judged
        last = self._last(own)
        kept = [
            word
            for word in waiting.tolist()
            if not excused(self.index, int(self.columns.thread[self.places[last[word]]]), None, self.columns.cut)
        ]
        return np.array(kept, np.int64)

    def bytes(self, words: Integers) -> int:
        """Bytes requested of the blocks handed out last in these words."""
        return sum(size % (1 << 64) for size in self.size[words[self.block[words] >= 0]].tolist())

    def witness(self, letter: int) -> Witness:
        """The letter, and the block handed out last in its word by then."""
        known = self.born[(self.keys[self.born] == self.keys[letter]) & (self.born <= letter)]
        return self._seen(letter, self._block(int(known[-1]), letter) if len(known) else None)

    def at_exit(self, words: Integers, own: _Own) -> Witness | None:
        """Of these words the one whose last malloc (or last letter, if there is none) comes first."""
        if not len(words):
            return None
        last = np.where(self.block[words] >= 0, self.block[words], self._last(own)[words])
        number = self.columns.number[self.places[last]]
        first = last[number == number.min()].tolist()
        return min((self._block(place, len(self.places)) for place in first), key=lambda one: (one.event, one.base))

    def _block(self, born: int, until: int) -> Witness:
        """The letter as a witness, with the size that its block has after the letters before `until`."""
        sizes = self.resized[
            (self.keys[self.resized] == self.keys[born]) & (self.resized > born) & (self.resized < until)
        ]
        witness = self._seen(born)
        if not len(sizes) or "malloc" not in witness.letter:
            return witness
        return witness._replace(size=int(self.columns.size[self.places[sizes[-1]]]) % (1 << 64))

    def _last(self, own: _Own) -> Integers:
        """For each word its last letter."""
        last = np.full(len(self.states), -1, np.int64)
        letters = np.flatnonzero(own.mask)
        last[self.keys[letters]] = letters
        return last

    def _seen(self, letter: int, block: Witness | None = None) -> Witness:
        return seen(self.columns.delivery(int(self.places[letter])), block)
