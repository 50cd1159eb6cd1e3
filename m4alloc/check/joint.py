"""Several monitors as one machine, made while it runs: one table look-up steps all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from m4alloc.check.lives import Booleans, Integers
from spec.ltl.monitor import Monitor
from spec.ltl.truth import Truth

_SAMPLE = 4096
"""Letters that are stepped one by one, to learn which state a letter usually leads to."""
_ROUNDS = 3
"""How often all letters are stepped together before the words that are not settled yet are stepped one by one."""


class Joint:
    """The product of monitors, as far as it was needed.

    letters: for each code that can come, the letter number of each monitor, or None for one that is not stepped.

    >>> from spec.ltl.monitor import monitor
    >>> from spec.ltl.parser import parse
    >>> once, freed = monitor(parse("[](p -> X[]!p)")), monitor(parse("[](p -> <>q)"))
    >>> joint = Joint([once, freed], [(1, 1), (0, 2)])
    >>> states, first = joint.run(np.array([0, 1, 0, 0]), np.array([0, 0, 1, 0]), 2)
    >>> first, joint.violated, [freed.at_end[joint.parts[state][1]] for state in states]
    ([3, None], [1, 0], [False, False])
    """

    def __init__(self, monitors: Sequence[Monitor], letters: Sequence[Sequence[int | None]]) -> None:
        self.monitors = monitors
        self.letters = letters
        self.parts: list[tuple[int, ...]] = []
        self.rows: list[list[int]] = []
        self.violated = [0] * len(monitors)
        self._numbers: dict[tuple[int, ...], int] = {}
        self._number(tuple(one.initial for one in monitors))

    def run(
        self, keys: Integers, codes: Integers, instances: int, order: Integers | None = None
    ) -> tuple[Integers, list[int | None]]:
        """Step one word for each key; the state of each at the end, and where each monitor was first violated.

        keys, codes: whose letter, and which, in order. order: the places by key, and in order where that is equal, if
        the caller knows. `violated` counts the words that violated each monitor for good.
        The states after all letters are the one solution of: each is what its letter makes of the one before it in its
        word. A guess, from what each letter led to so far, is put right until it is that solution.
        Cost: some hundredths of a microsecond a letter, most of it in sorting them by key; some tenths in a word after
        its first letter whose effect hangs on more than the last few before it.
        """
        ends = np.zeros(instances, np.int64)
        if not len(codes):
            return ends, [None] * len(self.monitors)
        order = np.argsort(keys, kind="stable") if order is None else order
        code, key = codes[order], keys[order]
        begins = np.concatenate(([True], key[1:] != key[:-1]))
        states = self._settled(code, begins)
        last = np.concatenate((begins[1:], [True]))
        ends[key[last]] = states[last]
        return ends, self._violations(states, code, key, order)

    def _settled(self, code: Integers, begins: Booleans) -> Integers:
        """The state after each letter of the words, which stand one after the other."""
        states = self._usual(code, begins)[code]
        for _ in range(_ROUNDS):
            before, states = states, self._stepped(states, code, begins)
            if np.array_equal(before, states):
                return states
        wrong = np.flatnonzero(self._stepped(states, code, begins) != states)
        return self._walked(states, wrong.tolist(), code.tolist(), begins.tolist()) if len(wrong) else states

    def _usual(self, code: Integers, begins: Booleans) -> Integers:
        """For each code the state that it led to last among the first letters; the initial one where there is none."""
        found, state = [0] * len(self.letters), 0
        for letter, first in zip(code[:_SAMPLE].tolist(), begins[:_SAMPLE].tolist(), strict=True):
            state = found[letter] = self._step(0 if first else state, letter)
        return np.array(found, np.int64)

    def _stepped(self, states: Integers, code: Integers, begins: Booleans) -> Integers:
        """What each letter makes of the state before it."""
        entry = np.empty(len(states), np.int64)
        entry[0], entry[1:] = 0, states[:-1]
        entry[begins] = 0
        entry *= len(self.letters)
        entry += code
        found = self._table().take(entry)
        unknown = found < 0
        if unknown.any():
            for one in np.unique(entry[unknown]).tolist():
                self._step(*divmod(one, len(self.letters)))
            found = self._table().take(entry)
        return found

    def _walked(self, states: Integers, wrong: list[int], codes: list[int], begins: list[bool]) -> Integers:
        """The states, put right one by one: from each of the `wrong` places on until they agree again."""
        right, done = states.tolist(), 0
        for place in wrong:
            here = max(place, done)
            while here < len(right):
                state = self._step(0 if begins[here] else right[here - 1], codes[here])
                if here > place and state == right[here]:
                    break
                right[here] = state
                here += 1
            done = here
        return np.array(right, np.int64)

    def _violations(self, states: Integers, code: Integers, key: Integers, order: Integers) -> list[int | None]:
        """Count the words that violated each monitor, and say where one did so first, of the places in `order`."""
        first: list[int | None] = []
        for which, machine in enumerate(self.monitors):
            first.append(None)
            false = np.array([machine.verdict[parts[which]] is Truth.FALSE for parts in self.parts], np.bool_)
            if false.any():
                own = np.array([row[which] is not None for row in self.letters], np.bool_)
                lost = np.flatnonzero(false[states] & own[code])
                if len(lost):
                    self.violated[which] = 1 + int(np.count_nonzero(np.diff(key[lost])))
                    first[which] = int(order[lost].min())
        return first

    def _table(self) -> NDArray[np.int64]:
        return np.array(self.rows, np.int64).ravel()

    def _step(self, source: int, code: int) -> int:
        target = self.rows[source][code]
        if target < 0:
            parts = tuple(
                part if letter is None else one.step(part, letter)
                for one, part, letter in zip(self.monitors, self.parts[source], self.letters[code], strict=True)
            )
            target = self.rows[source][code] = self._number(parts)
        return target

    def _number(self, parts: tuple[int, ...]) -> int:
        number = self._numbers.setdefault(parts, len(self.parts))
        if number == len(self.parts):
            self.parts.append(parts)
            self.rows.append([-1] * len(self.letters))
        return number
