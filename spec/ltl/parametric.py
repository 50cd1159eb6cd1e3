"""One property, an instance of it for each value of its index: the slices of a stream, and a monitor of them all."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from enum import StrEnum
from typing import NamedTuple

from spec.error import Bug
from spec.ltl.error import TooLargeError
from spec.ltl.monitor import Monitor
from spec.ltl.truth import FourTruth
from spec.ltl.word import Letter, Word

LIMIT = 4_000_000
"""How many instances are followed at once, unless told otherwise."""

_NO_THREAD = "an event is some thread's; only a label can be every thread's"


class Index(StrEnum):
    """What a property is a property of: each value of the index has a word of its own.

    ADDRESS survives free and reuse: the word of an address is that of all blocks that began there. BLOCK is one
    generation, from the reply that handed it out. THREAD is the events of one thread, GLOBAL those of the process,
    of which there is one instance, whose value is None.
    """

    ADDRESS = "address"
    BLOCK = "block"
    THREAD = "thread"
    GLOBAL = "global"


class Occurrence(NamedTuple):
    """One letter of a stream: an event of some index values, or a label, which has no value.

    letter: the propositions that are true. values: those whose event it is (an access may touch several blocks); None
    for a label, which concerns all. thread: whose it is; a label without one is every thread's.
    """

    letter: Letter
    values: tuple[Hashable, ...] | None = None
    thread: int | None = 0


class Outcome(NamedTuple):
    """What is known of one instance.

    position: of the letter of the stream, counted from 1, at which it became definite; None if it has not.
    """

    value: Hashable
    truth: FourTruth
    position: int | None


def slices(stream: Iterable[Occurrence], index: str, propositions: Iterable[str]) -> dict[Hashable, Word]:
    """The word that a property of `index` is judged on, for each value that has an event: the definition.

    All events of the value are letters of its word, whether or not they make any of the property's `propositions`
    true, and so are the labels that do, if they are of the value's thread: of the thread of its last event, or before
    its first event, of that one's. A block comes into being with its first event, so that its word begins there; the
    others have been there since the stream began. A thread's word has all events and labels of the thread, in place
    of those of a value; the one word of `global` has all there are.
    Raises: ValueError for another index.  Cost: O(values * stream); for what is monitored see `Parametric`.

    >>> access, free, epoch = (frozenset({name}) for name in ("access", "free", "epoch"))
    >>> stream = [Occurrence(epoch), Occurrence(free, ("a",)), Occurrence(epoch), Occurrence(access, ("a", "b"))]
    >>> slices(stream, "address", ["epoch", "access"])
    {'a': epoch; free; epoch; access, 'b': epoch; epoch; access}
    >>> slices(stream, "block", ["epoch", "access"])
    {'a': free; epoch; access, 'b': access}
    >>> slices(stream, "address", ["access"])
    {'a': free; access, 'b': access}
    """
    index = _index(index)
    named = frozenset(propositions)
    letters = [
        _addressed(occurrence, index)
        for occurrence in stream
        if occurrence.values is not None or named & occurrence.letter
    ]
    first: dict[Hashable, int | None] = {}
    for occurrence in letters:
        for value in occurrence.values or ():
            first.setdefault(value, occurrence.thread)
    words = {}
    for value, thread in first.items():
        begun = index is not Index.BLOCK
        word = []
        for occurrence in letters:
            if occurrence.values is None:
                if begun and occurrence.thread in (None, thread):
                    word.append(occurrence.letter)
            elif value in occurrence.values:
                begun, thread = True, occurrence.thread
                word.append(occurrence.letter)
        words[value] = Word(tuple(word))
    return words


def _addressed(occurrence: Occurrence, index: Index) -> Occurrence:
    """The occurrence with the values of the index that it is an event of."""
    if occurrence.values is not None and occurrence.thread is None:
        raise ValueError(_NO_THREAD)
    if index is Index.GLOBAL:
        return occurrence._replace(values=(None,))
    if index is Index.THREAD and occurrence.thread is not None:
        return occurrence._replace(values=(occurrence.thread,))
    return occurrence


def _index(name: str) -> Index:
    """The index of that name, or the index itself."""
    try:
        return Index(name)
    except ValueError:
        raise ValueError(f"a property is of {', '.join(Index)}; not of {str(name)!r}") from None


class _Place:
    """The instances of one thread that are in one state: labels cannot tell them apart, and move them together."""

    __slots__ = ("members", "state", "thread")

    def __init__(self, thread: int | None, state: int) -> None:
        self.thread = thread
        self.state = state
        self.members: dict[Hashable, None] = {}


class Parametric:
    """Follows the instance of every value at once; each is judged on its word as `slices` defines it.

    An instance is made at the first event of its value, in the state that the labels so far have led to. Instances of
    one thread in one state are kept together, and a label moves them together: it costs a step for each state of the
    monitor at most, however many instances there are, and none is ever behind. Once an instance is definite, only
    that is remembered of it. An event costs O(1) a value, and with merging O(log instances) on average.
    index: address, block, thread or global. limit: how many instances are followed at once.

    >>> from spec.ltl.monitor import monitor
    >>> from spec.ltl.parser import parse
    >>> follow = Parametric(monitor(parse("[](malloc -> <>free) && [](free -> X[]!access)")), "block")
    >>> for name, value in [("malloc", "a"), ("malloc", "b"), ("free", "a"), ("access", "b"), ("access", "a")]:
    ...     for outcome in follow.event({name}, [value]):
    ...         print(outcome)
    Outcome(value='a', truth=<FourTruth.FALSE: 'false'>, position=5)
    >>> follow.finish()[1:]
    [Outcome(value='b', truth=<FourTruth.PRESUMABLY_FALSE: 'presumably-false'>, position=None)]
    """

    def __init__(self, monitor: Monitor, index: str = "address", *, limit: int = LIMIT) -> None:
        self.index = _index(index)
        if limit < 1:
            raise ValueError(f"limit={limit}; at least one instance must be allowed")
        self.monitor = monitor
        self.limit = limit
        self.position = 0
        """How many letters of the stream have been read."""
        self._names = frozenset(monitor.propositions)
        self._numbers: dict[Letter, int] = {}
        self._definite = tuple(verdict.definite for verdict in monitor.verdict)
        self._where: dict[Hashable, _Place] = {}
        self._places: dict[int | None, dict[int, _Place]] = {}
        self._decided: dict[Hashable, Outcome] = {}
        # The state of an instance that has seen nothing but the labels: of each thread that had any, and of others.
        self._unborn: dict[int | None, int] = {}
        self._unborn_elsewhere = monitor.initial

    @property
    def live(self) -> int:
        """How many instances are not definite yet."""
        return len(self._where)

    @property
    def decided(self) -> int:
        """How many instances are definite."""
        return len(self._decided)

    def event(self, letter: Iterable[str], values: Collection[Hashable] = (), thread: int = 0) -> list[Outcome]:
        """Read an event of the values, and say which instances became definite by it.

        Raises: TooLargeError when more instances than `limit` are live.
        """
        self.position += 1
        number = self._number(frozenset(letter))
        if self.index is Index.GLOBAL:
            values = (None,)
        elif self.index is Index.THREAD:
            values = (thread,)
        elif len(values) > 1:
            values = dict.fromkeys(values)
        decided = []
        for value in values:
            outcome = self._read_event(number, value, thread)
            if outcome is not None:
                decided.append(outcome)
        return decided

    def label(self, letter: Iterable[str], thread: int | None = None) -> list[Outcome]:
        """Read a label of the thread, or of every thread, and say which instances became definite by it.

        Raises: as `event`.
        """
        letter = frozenset(letter)
        if not self._names & letter:
            self.position += 1
            return []
        if self.index is Index.GLOBAL:
            return self.event(letter)
        if self.index is Index.THREAD and thread is not None:
            return self.event(letter, (), thread)
        self.position += 1
        return self._read_label(self._number(letter), thread)

    def read(self, occurrence: Occurrence) -> list[Outcome]:
        """Read the next letter of the stream: `event` or `label`."""
        if occurrence.values is None:
            return self.label(occurrence.letter, occurrence.thread)
        if occurrence.thread is None:
            raise ValueError(_NO_THREAD)
        return self.event(occurrence.letter, occurrence.values, occurrence.thread)

    def finish(self) -> list[Outcome]:
        """What is known of each instance, were the run to end here: the definite ones, then the others as they began.

        The stream may go on afterwards.  Cost: O(instances).
        """
        return [
            *self._decided.values(),
            *(Outcome(value, self.monitor.four(place.state), None) for value, place in self._where.items()),
        ]

    def retire(self, value: Hashable) -> Outcome:
        """What is known of the instance, as its word ends here, and forget it.

        For values that never come again: should this one come, a new instance begins.
        Raises: KeyError when there is none.  Cost: O(1).
        """
        if value in self._decided:
            return self._decided.pop(value)
        if value not in self._where:
            raise KeyError(f"no event of {value!r} has been seen")
        place = self._where[value]
        del place.members[value]
        del self._where[value]
        return Outcome(value, self.monitor.four(place.state), None)

    def check(self) -> None:
        """Raise Bug unless each live instance is in exactly one place, none of them definite.  Cost: O(instances)."""
        members = 0
        for thread, places in self._places.items():
            for state, place in places.items():
                if (place.thread, place.state) != (thread, state):
                    raise Bug(f"the place of state {place.state} is filed under thread {thread}, state {state}")
                if self._definite[state]:
                    raise Bug(f"state {state} is definite, and is still followed")
                if any(self._where.get(value) is not place for value in place.members):
                    raise Bug(f"a member of the place of thread {thread}, state {state} is said to be elsewhere")
                members += len(place.members)
        if members != len(self._where):
            raise Bug(f"{len(self._where)} instances are live, and {members} are in a place")
        if both := self._where.keys() & self._decided.keys():
            raise Bug(f"both live and decided: {sorted(map(repr, both))}")

    def _number(self, letter: Letter) -> int:
        number = self._numbers.get(letter)
        if number is None:
            number = self._numbers[letter] = self.monitor.number(letter)
        return number

    def _read_event(self, number: int, value: Hashable, thread: int) -> Outcome | None:
        if value in self._decided:
            return None
        table = self.monitor.table
        place = self._where.get(value)
        if place is None:
            if len(self._where) >= self.limit:
                raise TooLargeError(f"more than limit={self.limit} instances of the property are live")
            born = self.monitor.initial
            if self.index is not Index.BLOCK:
                born = self._unborn.get(thread, self._unborn_elsewhere)
            state = table[born][number]
        else:
            state = table[place.state][number]
            if state == place.state and thread == place.thread:
                return None
            # Its entry in _where stays until it is overwritten or deleted, so that instances keep their order.
            del place.members[value]
        if self._definite[state]:
            self._where.pop(value, None)
            return self._decide(value, state)
        self._enter(value, thread, state)
        return None

    def _read_label(self, number: int, thread: int | None) -> list[Outcome]:
        table = self.monitor.table
        if thread is None:
            self._unborn = {known: table[state][number] for known, state in self._unborn.items()}
            self._unborn_elsewhere = table[self._unborn_elsewhere][number]
        else:
            self._unborn[thread] = table[self._unborn.get(thread, self._unborn_elsewhere)][number]
        decided = []
        for moving in list(self._places) if thread is None else [thread]:
            moved: dict[int, _Place] = {}
            for place in self._places.get(moving, {}).values():
                if not place.members:
                    continue
                place.state = table[place.state][number]
                if self._definite[place.state]:
                    for value in place.members:
                        del self._where[value]
                        decided.append(self._decide(value, place.state))
                else:
                    moved[place.state] = self._merged(moved.get(place.state), place)
            self._places[moving] = moved
        return decided

    def _decide(self, value: Hashable, state: int) -> Outcome:
        outcome = self._decided[value] = Outcome(value, self.monitor.four(state), self.position)
        return outcome

    def _enter(self, value: Hashable, thread: int | None, state: int) -> None:
        places = self._places.setdefault(thread, {})
        place = places.get(state)
        if place is None:
            place = places[state] = _Place(thread, state)
        place.members[value] = None
        self._where[value] = place

    def _merged(self, one: _Place | None, other: _Place) -> _Place:
        """Both as one place; the members of the smaller move, so that none moves often."""
        if one is None:
            return other
        small, large = sorted((one, other), key=lambda place: len(place.members))
        large.members.update(small.members)
        for value in small.members:
            self._where[value] = large
        return large
