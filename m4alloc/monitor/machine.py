"""What the runtime does with a table, in Python: the states of blocks, threads and the process, letter by letter.

m4alloc/_watch/machine.pxd and cohort.pxd are the same, and a test holds them to it; another one holds it to
`spec.property_verdict`.
"""

from __future__ import annotations

from dataclasses import dataclass

from m4alloc.monitor.product import FIRST_LABEL, FREE_ENDS, MALLOCS, MachineKind
from m4alloc.monitor.table import NO_GHOST, Machine, Table
from spec.error import Bug
from spec.propositions import Delivery, Sort

NEVER = 0
"""The reference of a block that has had no event."""


@dataclass(slots=True)
class Cohort:
    """The blocks of one thread in one state; `forward` leads to where a label has put them together with others.

    members: how many words are here, those of old generations included, which nothing refers to. holds: references and
    cohorts that lead directly here; without any, a cohort that leads on is used again. rank: no chain of cohorts that
    lead here is longer.
    """

    thread: int = 0
    state: int = 0
    members: int = 0
    holds: int = 0
    rank: int = 0
    forward: int = 0


class Cohorts:
    """The words of all blocks in one machine that labels move: a label costs a step for each state, not for each block.

    A block refers to a cohort, by number. An event takes it from there to the cohort of its next state in the event's
    thread; a label moves the cohorts of its thread, and makes one of those that come to the same state (union by rank,
    with path compression).

    >>> from spec.properties import find
    >>> cohorts = Cohorts(Table.of([find("address: [](parsed -> (!done W free))")]).machines[0])
    >>> block, _ = cohorts.event(NEVER, 1, 0)   # malloc
    >>> block, violated = cohorts.event(block, 1, 10)   # parsed, about the block
    >>> cohorts.label(1, 9), cohorts.members_violated(0)   # done, in the same thread
    (1, 1)
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.cohorts = [Cohort()]
        self._free: list[int] = []
        self._at: dict[int, dict[int, int]] = {}
        self._unborn: dict[int, int] = {}

    def event(self, reference: int, thread: int, code: int) -> tuple[int, int]:
        """Read a letter of one block, by a thread: the block's new reference, and the properties that it violated."""
        machine = self.machine
        if code >= machine.width or not machine.concerned[code]:
            return reference, 0
        if reference == NEVER:
            before = self._unborn.get(thread, 0)
        else:
            reference = self.find(reference)
            before = self.cohorts[reference].state
        after = machine.steps[before][code]
        violated = machine.newly(before, after, code)
        if reference != NEVER:
            old = self.cohorts[reference]
            if code == MALLOCS and machine.ghost[before] != NO_GHOST:
                self.cohorts[self._place(old.thread, machine.ghost[before])].members += 1
            if after == before and old.thread == thread:
                return reference, violated
            old.members -= 1
            old.holds -= 1
        reference = self._place(thread, after)
        self.cohorts[reference].members += 1
        self.cohorts[reference].holds += 1
        return reference, violated

    def label(self, thread: int, code: int) -> int:
        """Read a label about no block, by a thread: how many properties of blocks it violated, all of them counted."""
        return sum(self.labelled(thread, code).values())

    def labelled(self, thread: int, code: int) -> dict[int, int]:
        """The same, for each property that it violated."""
        machine, counts = self.machine, dict[int, int]()
        if not machine.concerned[code]:
            return counts
        self._unborn[thread] = machine.apart[self._unborn.get(thread, 0)][code - FIRST_LABEL]
        there = self._at.pop(thread, {})
        moved = self._at[thread] = {}
        for number in there.values():
            one = self.cohorts[number]
            if one.members == 0:
                self._give(number)
                continue
            before, one.state = one.state, machine.steps[one.state][code]
            for bit in _bits(machine.newly(before, one.state, code)):
                counts[bit] = counts.get(bit, 0) + one.members
            other = moved.get(one.state, NEVER)
            moved[one.state] = number if other == NEVER else self._joined(number, other)
        return counts

    def find(self, reference: int) -> int:
        """The cohort that a reference leads to; the reference has to be replaced by it, and leads there directly."""
        root = reference
        while self.cohorts[root].forward:
            root = self.cohorts[root].forward
        self.cohorts[reference].holds -= 1
        self.cohorts[root].holds += 1
        here = reference
        while here != root:
            one = self.cohorts[here]
            following = one.forward
            if one.holds == 0:
                self.cohorts[following].holds -= 1
                self._give(here)
            elif following != root:
                self.cohorts[following].holds -= 1
                self.cohorts[root].holds += 1
                one.forward = root
            here = following
        return root

    def whereabouts(self, reference: int) -> tuple[int, int]:
        """The state of a block, and the thread of its last letter; both 0 when it has had none."""
        while self.cohorts[reference].forward:
            reference = self.cohorts[reference].forward
        return self.cohorts[reference].state, self.cohorts[reference].thread

    def members_violated(self, number: int) -> int:
        """How many words, of those that are followed, violate the property for good."""
        return self._members(self.machine.violated, number)

    def members_unfulfilled(self, number: int) -> int:
        """How many words the end of the run would make violate the property."""
        return self._members(self.machine.unfulfilled, number)

    def check(self, references: dict[int, int]) -> None:
        """Raise Bug unless the counts are those of the references. references: how often each number is referred to."""
        holds, members = dict(references), dict[int, int]()
        for one in self.cohorts:
            if one.forward:
                holds[one.forward] = holds.get(one.forward, 0) + 1
        for reference, count in references.items():
            root = reference
            while self.cohorts[root].forward:
                root = self.cohorts[root].forward
            members[root] = members.get(root, 0) + count
        for number, one in enumerate(self.cohorts):
            if one.holds != holds.get(number, 0):
                raise Bug(f"cohort {number} says that {one.holds} lead to it; there are {holds.get(number, 0)}")
            if one.members < members.get(number, 0):
                raise Bug(f"cohort {number} says that {one.members} are in it; there are {members[number]}")
            if one.forward and (not one.holds or one.members or one.rank >= self.cohorts[one.forward].rank):
                raise Bug(f"cohort {number} leads on, and is {one}")

    def _members(self, column: tuple[int, ...], number: int) -> int:
        return sum(one.members for one in self.cohorts if not one.forward and column[one.state] >> number & 1)

    def _place(self, thread: int, state: int) -> int:
        """The cohort of that thread in that state."""
        there = self._at.setdefault(thread, {})
        if state not in there:
            number = there[state] = self._take()
            self.cohorts[number].thread = thread
            self.cohorts[number].state = state
        return there[state]

    def _joined(self, one: int, other: int) -> int:
        """Both cohorts as one: the one of lower rank leads to it from now on."""
        if self.cohorts[one].rank > self.cohorts[other].rank:
            one, other = other, one
        small, large = self.cohorts[one], self.cohorts[other]
        large.members += small.members
        small.members = 0
        if small.holds == 0:
            self._give(one)
            return other
        large.rank = max(large.rank, small.rank + 1)
        large.holds += 1
        small.forward = other
        return other

    def _take(self) -> int:
        if self._free:
            return self._free.pop()
        self.cohorts.append(Cohort())
        return len(self.cohorts) - 1

    def _give(self, number: int) -> None:
        self.cohorts[number] = Cohort()
        self._free.append(number)


class Run:
    """What a run says of the properties of a table, letter by letter.

    violated: for each property, how many words violate it for good. lost: of the properties of blocks, how many words
    were unfulfilled when their address was handed out again.

    >>> from spec.properties import find
    >>> from spec.propositions import FREE, MALLOC
    >>> run = Run(Table.of([find("no-double-free"), find("freed-eventually")]))
    >>> for letter in (MALLOC, FREE, FREE, MALLOC):
    ...     print(run.read(Delivery(letter, Sort.EVENT, 1, 0, 0x1000)), run.unfulfilled())
    0 [0, 1]
    0 [0, 0]
    1 [0, 0]
    0 [0, 1]
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.violated = [0] * len(table.properties)
        self.lost = [0] * len(table.properties)
        of_kind = {kind: [one for one in table.machines if one.kind is kind] for kind in MachineKind}
        self._plain = [(machine, dict[int, int]()) for machine in of_kind[MachineKind.PLAIN]]
        self._labelled = [(Cohorts(machine), dict[int, int]()) for machine in of_kind[MachineKind.LABELLED]]
        self._threads = [(machine, dict[int, int]()) for machine in of_kind[MachineKind.THREAD]]
        self._process = [(machine, dict[int, int]()) for machine in of_kind[MachineKind.GLOBAL]]

    def read(self, delivery: Delivery) -> int:
        """Read the next letter, and say which properties it violated, a bit each."""
        code = self.table.code(delivery)
        if code is None:
            return 0
        violated = 0
        if delivery.sort is Sort.EVENT and delivery.base is not None:
            for machine, states in self._plain:
                violated |= self._step(machine, states, delivery.base, code)
        if code < FREE_ENDS - 2 or code >= FREE_ENDS:
            violated |= self._read_labelled(delivery, code)
        if delivery.number:
            for machine, states in self._threads:
                violated |= self._step(machine, states, delivery.thread, code)
            for machine, states in self._process:
                violated |= self._step(machine, states, 0, code)
        return violated

    def unfulfilled(self) -> list[int]:
        """For each property, how many words it would be violated by if the run ended here."""
        found = list(self.lost)
        for machine, states in (*self._plain, *self._threads, *self._process):
            for state in states.values():
                for bit in _bits(machine.unfulfilled[state]):
                    found[bit] += 1
        for cohorts, _ in self._labelled:
            for bit in _bits(cohorts.machine.properties):
                found[bit] += cohorts.members_unfulfilled(bit)
        return found

    def cohorts_made(self) -> list[int]:
        """For each machine that labels move, how many cohorts it has needed at once, at most."""
        return [len(cohorts.cohorts) - 1 for cohorts, _ in self._labelled]

    def where(self) -> dict[tuple[int, int], tuple[int, int]]:
        """For each machine that labels move and each block: its state, and the thread of its last letter."""
        found = {}
        for place, (cohorts, references) in enumerate(self._labelled):
            for base, reference in references.items():
                found[place, base] = cohorts.whereabouts(reference)
        return found

    def check(self) -> None:
        """Raise Bug unless the cohorts' counts are right."""
        for cohorts, references in self._labelled:
            counts: dict[int, int] = {}
            for reference in references.values():
                if reference != NEVER:
                    counts[reference] = counts.get(reference, 0) + 1
            cohorts.check(counts)

    def _read_labelled(self, delivery: Delivery, code: int) -> int:
        violated = 0
        for cohorts, references in self._labelled:
            if delivery.base is None:
                counts = cohorts.labelled(delivery.thread, code)
            else:
                before = references.get(delivery.base, NEVER)
                references[delivery.base], newly = cohorts.event(before, delivery.thread, code)
                counts = dict.fromkeys(_bits(newly), 1)
            for bit, count in counts.items():
                self.violated[bit] += count
                violated |= 1 << bit
        return violated

    def _step(self, machine: Machine, states: dict[int, int], value: int, code: int) -> int:
        if code >= machine.width:
            return 0
        before = states.get(value, 0)
        after = states[value] = machine.steps[before][code]
        if code == MALLOCS:
            for bit in _bits(machine.unfulfilled[before] & machine.of_blocks):
                self.lost[bit] += 1
        newly = machine.newly(before, after, code)
        for bit in _bits(newly):
            self.violated[bit] += 1
        return newly


def _bits(mask: int) -> list[int]:
    """The numbers of the bits that are set.

    >>> _bits(0b1010)
    [1, 3]
    """
    return [number for number in range(mask.bit_length()) if mask >> number & 1]
