"""What a history says of a property: a verdict for each value of its index, and what they come to."""

from __future__ import annotations

from collections.abc import Collection, Container, Hashable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import NamedTuple, Protocol

from spec.event import Event
from spec.heap import Heap
from spec.judge import SIZE_MAX
from spec.ltl.formula import Formula
from spec.ltl.monitor import Monitor, monitor
from spec.ltl.parametric import Occurrence, Parametric
from spec.ltl.truth import FourTruth
from spec.ltl.word import Letter
from spec.picture import badge, lines
from spec.property import Index, Property
from spec.property_certain import can_fail, certain
from spec.propositions import ACCESS, Delivery, Facts, Sort, Words, values


class Answer(StrEnum):
    """What a history says of a property. NOT_OBSERVED: there was no evidence for or against it."""

    HOLDS = "HOLDS"
    VIOLATED = "VIOLATED"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_OBSERVED = "not observed"


class Witness(NamedTuple):
    """The letter with which a property was violated for good; for a violation at exit, the last malloc concerned.

    event: its number. thread: whose. base, size, born: the block that it is about, bytes requested and the number of
    the event that handed it out, as far as there is one (0: none).
    """

    event: int
    thread: int
    letter: Letter
    base: int = 0
    size: int = 0
    born: int = 0

    def __str__(self) -> str:
        block = f", {self.size} bytes at {self.base:#x}" if self.born and self.base else ""
        block = block or (f", at {self.base:#x}" if self.base else "")
        since = f", handed out at event {self.born}" if self.born and self.born != self.event else ""
        return f"event {self.event:,} of thread {self.thread}{block}{since}"


@dataclass(frozen=True, slots=True)
class PropertyVerdict:
    """What a history says of one property (`which`), over all values of its index.

    letters: how many there were for it in all words together; instances: words. violated: words that violate it
    whatever follows. unfulfilled: words that would satisfy it only if they went on; `bytes`: requested, of the blocks
    handed out last in these. exited: whether the history is the whole of a run, so that they never will.
    witness: the first violation for good, or at exit the first unfulfilled word.
    missing: propositions that there was no evidence of. The property is then violated if it is so whatever these were
    (`spec.property_certain`), and else nothing but the numbers of letters and words is said.
    """

    which: Property
    letters: int
    instances: int
    violated: int
    unfulfilled: int
    bytes: int
    exited: bool
    witness: Witness | None = None
    missing: tuple[str, ...] = ()

    @property
    def answer(self) -> Answer:
        """What it comes to.  At exit a word is judged as a finished run, with weak X.

        Before, HOLDS is said only of what no end can break: nothing is ever owed by such a property.
        """
        if not self.letters:
            return Answer.NOT_OBSERVED
        if self.violated or (self.unfulfilled and self.exited):
            return Answer.VIOLATED
        if self.missing:
            return Answer.NOT_OBSERVED
        if self.unfulfilled or not (self.exited or endless(self.which.formula)):
            return Answer.INCONCLUSIVE
        return Answer.HOLDS

    def silent(self) -> PropertyVerdict:
        """The same, saying nothing but how many letters and words there were."""
        return replace(self, violated=0, unfulfilled=0, bytes=0, witness=None)

    def _repr_html_(self) -> str:
        """For notebooks: the answer, the property as it is written, how much there was, and the witness."""
        good = {Answer.HOLDS: True, Answer.VIOLATED: False}.get(self.answer)
        told = [f"{self.which.name}: {self.which.formula}", f"{self.letters:,} letters in {self.instances:,} words"]
        told += [f"violated by {self.violated:,} words, unfulfilled in {self.unfulfilled:,}"] if good is False else []
        told += [f"first at {self.witness}"] if self.witness is not None else []
        told += [f"no evidence of: {', '.join(self.missing)}"] if self.missing else []
        return f"<p>{badge(self.answer.value, good)}</p>{lines(told)}"

    @property
    def at_exit(self) -> bool:
        """Whether it is violated only because the run is over."""
        return self.answer is Answer.VIOLATED and not self.violated


@cache
def endless(formula: Formula) -> bool:
    """Whether a run may end anywhere without violating `formula`, unless it has already.

    Safety properties are so, with the weak X; what asks for something to come, such as a free, is not.

    >>> from spec.properties import find
    >>> endless(find("no-double-free").formula), endless(find("freed-eventually").formula)
    (True, False)
    """
    machine = monitor(formula)
    return all(fine or verdict.definite for fine, verdict in zip(machine.at_end, machine.verdict, strict=True))


OF_BLOCKS = frozenset({Index.ADDRESS, Index.BLOCK})
"""The indexes whose words are about blocks."""


def evaluate(
    property: Property,
    events: Iterable[Event],
    *,
    heap: Heap | None = None,
    quarantine: int = 0,
    quarantine_limit: int = SIZE_MAX,
    facts: Facts | None = None,
    sees: Iterable[str] = (),
    exited: bool = True,
) -> PropertyVerdict:
    """What the history says of `property`: by definition, one monitor for each value of its index.

    events, heap, quarantine, facts, sees: as for Words. exited: whether the process ended by exit after the last event;
    a block of `heap` that was neither freed nor handed out again is then nobody's leak.
    Raises: ValueError when begins do not ascend; TooLargeError when the formula needs too large a monitor, or there are
    more than `spec.ltl.parametric.LIMIT` values.
    Cost: some microseconds an event.

    >>> from spec.event import Function
    >>> from spec.properties import find
    >>> events = [Event(Function.MALLOC, size=24, result=0x1000), Event(Function.LOAD, address=0x1008, size=8)]
    >>> verdict = evaluate(find("freed-eventually"), events)
    >>> verdict.answer, verdict.at_exit, verdict.unfulfilled, verdict.bytes
    (<Answer.VIOLATED: 'VIOLATED'>, True, 1, 24)
    >>> print(evaluate(find("S1"), [*events, Event(Function.FREE, address=0x1000), events[1]]).witness)
    event 4 of thread 0, 24 bytes at 0x1000, handed out at event 1
    """
    words = Words(events, heap=heap, quarantine=quarantine, quarantine_limit=quarantine_limit, facts=facts, sees=sees)
    return judge(property, words, words, exited=exited)


def evaluate_all(
    properties: Iterable[Property],
    events: Iterable[Event],
    *,
    heap: Heap | None = None,
    quarantine: int = 0,
    quarantine_limit: int = SIZE_MAX,
    exited: bool = True,
) -> list[PropertyVerdict]:
    """What the history says of each property, as `evaluate` does, its letters found only once.

    >>> from spec.properties import REPORTED
    >>> from spec.event import Function
    >>> events = [Event(Function.MALLOC, size=24, result=0x1000), Event(Function.FREE, address=0x1000)]
    >>> sum(verdict.answer is Answer.HOLDS for verdict in evaluate_all(REPORTED, events))
    6
    """
    words = Words(events, heap=heap, quarantine=quarantine, quarantine_limit=quarantine_limit)
    deliveries = list(words)
    return [judge(one, deliveries, words, exited=exited) for one in properties]


class Sight(Protocol):
    """What there was to be seen in a history, as `Words` has it once it has given its letters."""

    @property
    def observed(self) -> Collection[str]: ...
    @property
    def cut(self) -> Container[int]: ...


def judge(property: Property, deliveries: Iterable[Delivery], words: Sight, *, exited: bool) -> PropertyVerdict:
    """The same of letters that `words` gives, or gave."""
    letters_of_all = list(deliveries)  # only then does `words` know what there was to be seen
    unseen = missing(property, words.observed)
    machine = machine_of(property, unseen)
    of_blocks = property.index in OF_BLOCKS
    follow = Parametric(machine or monitor(property.formula), property.index)
    last: dict[Hashable, Witness] = {}
    block: dict[Hashable, Witness] = {}  # handed out last
    letters = violated = 0
    witness: Witness | None = None
    for delivery in letters_of_all:
        whose = values(property.index, delivery)
        if delivery.sort is Sort.RESIZE:
            for value in block.keys() & set(whose or ()):
                block[value] = block[value]._replace(size=delivery.size)
        if not concerns(property, delivery):
            continue
        letters += delivery.number > 0
        for value in whose or ():
            last[value] = seen(delivery)
            if of_blocks and "malloc" in delivery.letter:
                block[value] = last[value]
        for outcome in follow.read(Occurrence(delivery.letter, whose, delivery.thread)) if machine else ():
            if outcome.truth is FourTruth.FALSE:
                violated += 1
                witness = witness or seen(delivery, block.get(outcome.value))
    unfulfilled = [
        outcome.value
        for outcome in follow.finish()
        if outcome.truth is FourTruth.PRESUMABLY_FALSE
        and not (exited and excused(property.index, last[outcome.value].thread, block.get(outcome.value), words.cut))
    ]
    if witness is None and exited:
        owed = [block.get(value, last[value]) for value in unfulfilled]
        witness = min(owed, key=lambda one: (one.event, one.base), default=None)
    found = PropertyVerdict(
        property,
        letters,
        len(last),
        violated,
        len(unfulfilled),
        sum(block[value].size for value in unfulfilled if value in block),
        exited,
        witness,
        unseen,
    )
    return found.silent() if unseen and found.answer is Answer.NOT_OBSERVED else found


def concerns(property: Property, delivery: Delivery) -> bool:
    """Whether the letter is one of the words of the property.

    Events always are, so that X means the same whatever a formula names; labels and ends of calls when it names one.
    The blocks that a history starts with are handed out in words of addresses and blocks only.
    """
    if delivery.sort is Sort.EVENT:
        return delivery.number > 0 or property.index in OF_BLOCKS
    if delivery.sort is Sort.RESIZE or not delivery.letter & property.formula.propositions:
        return False
    return delivery.sort is Sort.LABEL or delivery.base is not None or property.index not in OF_BLOCKS


def seen(delivery: Delivery, block: Witness | None = None) -> Witness:
    """The letter as a witness, with the block handed out last in its word."""
    number, base = delivery.number, delivery.base or 0
    if "malloc" in delivery.letter:
        return Witness(number, delivery.thread, delivery.letter, base, delivery.size, number)
    if block is not None and (not base or base == block.base):
        return Witness(number, delivery.thread, delivery.letter, block.base, block.size, block.born)
    return Witness(number, delivery.thread, delivery.letter, base)


def excused(index: Index, thread: int, block: Witness | None, cut: Container[int]) -> bool:
    """Whether a word that exit left unfulfilled is nobody's fault.

    The block was inherited and stays the parent's, or a call was under way that the end of the recording cut off.
    """
    match index:
        case Index.THREAD:
            return thread in cut
        case Index.GLOBAL:
            return bool(cut)
        case _:
            return block is not None and not block.born


def machine_of(property: Property, unseen: tuple[str, ...]) -> Monitor | None:
    """What steps on the words of `property` where there was no evidence of `unseen`; None if it could find no fault."""
    if not unseen:
        return monitor(property.formula)
    machine = certain(property.formula, property.formula.propositions & _named(unseen))
    return machine if can_fail(machine) else None


def _named(unseen: Iterable[str]) -> frozenset[str]:
    """The propositions themselves: an access has two names."""
    names = frozenset(unseen)
    return names | ACCESS if names & ACCESS else names


def missing(property: Property, observed: Iterable[str]) -> tuple[str, ...]:
    """What the property speaks of and the history has no evidence of: of the labels, only when there is none of any."""
    known = frozenset(observed)
    unseen = property.needs - known
    if property.labels and not property.labels & known:
        unseen |= property.labels
    return tuple(sorted(unseen))
