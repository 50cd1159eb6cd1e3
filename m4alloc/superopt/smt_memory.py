"""Memory as bytes that may be poison or undef, in blocks that only pointers of their provenance may access.

One array holds the bytes of all blocks by address: blocks do not overlap, and an access outside the block of the
pointer's provenance is undefined, so that nothing else is needed.  An alloca whose address stays inside the function
has an array of its own.  A byte is writable or it is not: a store that the source does not make may hit constant
memory or another thread's, so it is no refinement.

Source: LLVM language reference, "Pointer Aliasing Rules", "load", "store".
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import z3

from m4alloc.superopt import smt_layout
from m4alloc.superopt.ir import Pointer, Type, Vector
from m4alloc.superopt.smt_values import (
    FALSE,
    NO_CHOICE,
    TRUE,
    Choices,
    OutOfTimeError,
    Scalar,
    SymValue,
    Term,
    both,
    chosen,
    either,
    negation,
)
from m4alloc.superopt.verdict import UnsupportedError

ADDRESS = 64
POISON_BIT, UNDEF_BIT, PROVENANCE_BIT = 8, 9, 10
STREAM_BYTES = 64
"""Bytes kept for one load of shared memory."""
POSITION = 10
"""Bits of the number of an access of shared memory."""


@dataclass
class World:
    """What source and target are given alike: the blocks of memory and what they hold.

    blocks: how many blocks there are besides null's, number 0.  tracked: bytes carry the provenance of a stored
    pointer; without it integers only are loaded and stored.  shared: another thread may change memory at any time.
    strict: bytes of a stored pointer are poison to a load of an integer, those of an integer but 0 to one of a pointer;
    otherwise a load takes the bits as they are.  deadline: on `time.monotonic`'s clock, for making the terms.
    """

    blocks: int
    tracked: bool
    shared: bool
    strict: bool = False
    facts: list[Term] = field(default_factory=list)
    """What holds of every well-formed memory."""
    undef: list[Term] = field(default_factory=list)
    """When a byte that is loaded is undef: where none is, most choices do not matter."""
    deadline: float = float("inf")

    def __post_init__(self) -> None:
        self.bits = (self.blocks + 2).bit_length()
        self.width = PROVENANCE_BIT + (self.bits if self.tracked else 0)
        self.number = z3.BitVecSort(ADDRESS)

    def require_time(self) -> None:
        """OutOfTimeError after the deadline."""
        if time.monotonic() > self.deadline:
            raise OutOfTimeError("the time was up before the functions were written as terms")

    def provenance(self, number: int) -> Term:
        """A block's number as a term."""
        return z3.BitVecVal(number, self.bits)

    @property
    def integer(self) -> Term:
        """The provenance of a byte that an integer store wrote."""
        return z3.BitVecVal(-1, self.bits)

    @cached_property
    def blocks_at(self) -> list[tuple[Term, Term]]:
        """Where each block begins and ends (exclusively), the null block first; `facts` then say what holds of them.

        Ends instead of sizes: a bound is then one comparison, which the solver decides much faster than a difference.
        """
        found: list[tuple[Term, Term]] = []
        for number in range(1, self.blocks + 1):
            base, end = z3.BitVec(f"base{number}", ADDRESS), z3.BitVec(f"end{number}", ADDRESS)
            self.facts += [base != 0, z3.ULE(base, end), end - base >= 0]
            for other, other_end in found:
                self.facts.append(z3.Or(z3.ULE(end, other), z3.ULE(other_end, base)))
            found.append((base, end))
        zero = z3.BitVecVal(0, ADDRESS)
        return [(zero, zero), *found]

    def extent(self, provenance: Term) -> tuple[Term, Term]:
        """Where the block of that number begins and ends; both 0 for null's block and for none."""
        base, end = self.blocks_at[0]
        for number in range(1, self.blocks + 1):
            here = provenance == number
            base, end = (z3.If(here, new, old) for new, old in zip(self.blocks_at[number], (base, end), strict=True))
        return base, end

    @cached_property
    def initial(self) -> Term:
        """The bytes at entry, by address."""
        return z3.Array("memory", self.number, z3.BitVecSort(self.width))

    @cached_property
    def writable(self) -> Term:
        """Which bytes may be written, by address."""
        return z3.Array("writable", self.number, z3.BoolSort())

    @cached_property
    def stream(self) -> Term:
        """What the loads of shared memory give, by the number of the access and of the byte in it."""
        return z3.Array("stream", z3.BitVecSort(16), z3.BitVecSort(self.width))

    def accessible(self, pointer: Scalar, size: int) -> Term:
        """[address, address + size) is within the block of the pointer's provenance."""
        base, end = self.extent(pointer.provenance)
        if not size:
            return TRUE
        last = pointer.bits + (size - 1) if size > 1 else pointer.bits
        inside = [z3.ULE(base, pointer.bits), z3.ULT(last, end)]
        if size > 1:
            inside.append(z3.ULE(pointer.bits, last))
        return z3.And(inside)


@dataclass(frozen=True, slots=True)
class Access:
    """One load or store of memory that others can see.

    path: under which condition it is made; tags: its metadata that says more about memory, as text.
    """

    path: Term
    kind: str
    address: Term
    size: int
    position: Term
    value: tuple[Scalar, ...] = ()
    tags: frozenset[tuple[str, str]] = frozenset()
    based: frozenset[str] | None = NO_CHOICE
    alignment: int = 1


@dataclass(frozen=True, slots=True)
class Cells:
    """An array of bytes, and the undef variables in it."""

    array: Term
    choices: frozenset[str] = NO_CHOICE


@dataclass(frozen=True)
class Memory:
    """The state of memory at one point.

    heap: all blocks that were there at entry.  locals: each alloca's bytes by offset.  position: how many accesses of
    shared memory were made.
    """

    heap: Cells
    locals: Mapping[str, Cells] = field(default_factory=dict)
    position: Term = None


@dataclass(frozen=True, slots=True)
class Alloca:
    """Size and alignment of a local block."""

    size: int
    alignment: int


@dataclass
class Accessor:
    """Makes one function's accesses."""

    world: World
    choices: Choices
    allocas: dict[str, Alloca] = field(default_factory=dict)
    accesses: list[Access] = field(default_factory=list)
    doubts: list[tuple[Term, str]] = field(default_factory=list)
    """Conditions under which the encoding would not be exact: the verdict is UNKNOWN unless none can hold."""

    def start(self) -> Memory:
        """Memory at entry."""
        if self.world.shared:
            return Memory(Cells(FALSE), {}, z3.BitVecVal(0, POSITION))
        return Memory(Cells(self.world.initial))

    def allocate(self, memory: Memory, name: str, type: Type, count: int, alignment: int) -> Memory:
        """Memory with a new local block of undef bytes."""
        if name in memory.locals:
            raise UnsupportedError(f"alloca %{name} in a loop")
        self.allocas[name] = Alloca(smt_layout.size(type) * count, alignment)
        undef = z3.K(self.world.number, z3.BitVecVal(1 << UNDEF_BIT, self.world.width))
        return replace(memory, locals={**memory.locals, name: Cells(undef)})

    def _checked(self, pointer: Scalar, size: int, alignment: int) -> tuple[Scalar, Term]:
        """The pointer with its choices settled, and the condition under which the access is undefined."""
        pointer, undef = self.choices.settled(pointer)
        broken = [pointer.poison, undef]
        if alignment > 1:
            broken.append((pointer.bits & (alignment - 1)) != 0)
        if pointer.local:
            block = self.allocas[pointer.local]
            if alignment > block.alignment:
                raise UnsupportedError(f"access of alloca %{pointer.local} with more than its alignment")
            if size > block.size:
                return pointer, TRUE
            broken.append(z3.UGT(pointer.bits, block.size - size))
        else:
            broken.append(z3.Not(self.world.accessible(pointer, size)))
        return pointer, either(*broken)

    def _note(self, access: Access) -> None:
        """Keep an access that others can see; UnsupportedError where its position would be that of an earlier one."""
        if self.world.shared and len(self.accesses) >= (1 << POSITION) - 1:
            raise UnsupportedError(f"more than {(1 << POSITION) - 1} accesses of shared memory")
        self.accesses.append(access)

    def load(
        self,
        memory: Memory,
        path: Term,
        pointer: Scalar,
        type: Type,
        alignment: int,
        tags: frozenset[tuple[str, str]] = frozenset(),
    ) -> tuple[Memory, SymValue, Term]:
        """The state after it, the value loaded, and when the load is undefined."""
        size = smt_layout.stored(type)
        pointer, undefined = self._checked(pointer, size, alignment)
        shared = self.world.shared and not pointer.local
        cells = memory.locals[pointer.local] if pointer.local else memory.heap
        if not pointer.local:
            self._note(Access(path, "load", pointer.bits, size, memory.position, (), tags, pointer.based, alignment))
        if shared:
            if size > STREAM_BYTES:
                raise UnsupportedError(f"load of {size} bytes of shared memory: at most {STREAM_BYTES} are compared")
            places = [z3.Concat(memory.position, z3.BitVecVal(byte, 6)) for byte in range(size)]
            cells = Cells(self.world.stream)
            memory = replace(memory, position=memory.position + 1)
        else:
            places = [pointer.bits + byte if byte else pointer.bits for byte in range(size)]
        entries = [z3.simplify(z3.Select(cells.array, place)) for place in places]
        element = type.element if isinstance(type, Vector) else type
        width = smt_layout.stored(element)
        lanes = tuple(
            self._assembled(
                entries[at : at + width], places[at : at + width], isinstance(element, Pointer), cells.choices
            )
            for at in range(0, size, width)
        )
        if isinstance(element, Pointer) and not shared:
            self._doubt_integers(path, places, entries)
        return memory, lanes if isinstance(type, Vector) else lanes[0], undefined

    def _origin(self, place: Term) -> str:
        """Where an undef byte comes from, so that both sides' choices of one byte are matched."""
        place = z3.simplify(place)
        self.choices.kept.append(place)  # a term's number is its own only while it lives
        return f"memory {place.get_id()}"

    def _assembled(self, entries: list[Term], places: list[Term], is_pointer: bool, choices: frozenset[str]) -> Scalar:
        """A scalar made of its bytes, the lowest first."""
        flags = [z3.simplify(z3.Extract(UNDEF_BIT, UNDEF_BIT, entry)) for entry in entries]
        bad = [z3.simplify(z3.Extract(POISON_BIT, POISON_BIT, entry)) for entry in entries]
        poison = either(*(flag == 1 for flag in bad if not _is_zero(flag)))
        parts = [z3.Extract(7, 0, entry) for entry in entries]
        for number, flag in enumerate(flags):
            if not _is_zero(flag):
                self.world.undef.append(flag == 1)
                name, choice = self.choices.fresh(8, f"byte {number}:{self._origin(places[number])}")
                parts[number] = z3.If(flag == 1, choice, parts[number])
                choices |= {name}
        bits = _concat(parts)
        world = self.world
        if world.strict:
            poison = either(poison, self._of_the_other_kind(entries, flags, bits, is_pointer))
        if not is_pointer:
            return Scalar(bits, poison, choices)
        kept = [z3.Extract(world.width - 1, PROVENANCE_BIT, entry) for entry in entries]
        same = both(*(other == kept[0] for other in kept[1:]))
        zero = z3.And(kept[0] == world.integer, bits == 0)
        provenance = z3.If(z3.And(same, z3.Not(zero)), kept[0], world.provenance(0))
        if not all(map(_is_zero, flags)):
            name, choice = self.choices.fresh(world.bits, "provenance:" + self._origin(places[0]))
            # An undef pointer is none that an integer store made: what carries that mark may access nothing, as null.
            choice = z3.If(choice == world.integer, world.provenance(0), choice)
            provenance = z3.If(either(*(flag == 1 for flag in flags)), choice, provenance)
            choices |= {name}
        return Scalar(bits, poison, choices, provenance, based=None)

    def _of_the_other_kind(self, entries: list[Term], flags: list[Term], bits: Term, is_pointer: bool) -> Term:
        """A byte that is loaded is part of an integer but the load of a pointer, or the other way round."""
        found = []
        for entry, flag in zip(entries, flags, strict=True):
            is_integer = z3.Extract(self.world.width - 1, PROVENANCE_BIT, entry) == self.world.integer
            found.append(z3.And(flag == 0, is_integer if is_pointer else z3.Not(is_integer)))
        return both(either(*found), bits != 0) if is_pointer else either(*found)

    def _doubt_integers(self, path: Term, places: list[Term], entries: list[Term]) -> None:
        """A pointer loaded from bytes that an integer store wrote would be an inttoptr, whose provenance is not known.

        Without loss of generality no byte is of that kind at entry: such a pointer may access what another could.
        """
        world = self.world
        initial = [z3.Select(world.initial, place) for place in places]
        for at in range(0, len(initial), ADDRESS // 8):
            word = initial[at : at + ADDRESS // 8]
            kept = [z3.Extract(world.width - 1, PROVENANCE_BIT, entry) for entry in word]
            null = null_is_none(_concat([z3.Extract(7, 0, entry) for entry in word]), kept[0])
            if world.strict:
                world.facts.append(z3.Or(kept[0] == world.integer, null))
                continue
            world.facts += [provenance != world.integer for provenance in kept]
            world.facts.append(null)
        if world.strict:
            return
        written = [z3.Extract(world.width - 1, PROVENANCE_BIT, entry) == world.integer for entry in entries]
        not_null = [z3.Extract(7, 0, entry) != 0 for entry in entries]
        condition = both(path, either(*written), either(*not_null))
        self.doubts.append((condition, "a pointer is loaded from bytes that were stored as integers"))

    def store(
        self,
        memory: Memory,
        path: Term,
        pointer: Scalar,
        value: SymValue,
        type: Type,
        alignment: int,
        tags: frozenset[tuple[str, str]] = frozenset(),
    ) -> tuple[Memory, Term]:
        """The state after it, and when the store is undefined."""
        size = smt_layout.stored(type)
        lanes = value if isinstance(value, tuple) else (value,)
        kept = tuple(lane for lane in lanes if isinstance(lane, Scalar))
        for lane in kept:
            if lane.local:
                raise UnsupportedError(f"the address of alloca %{lane.local} is stored")
        pointer, undefined = self._checked(pointer, size, alignment)
        cells = memory.locals[pointer.local] if pointer.local else memory.heap
        places = [pointer.bits + byte if byte else pointer.bits for byte in range(size)]
        if not pointer.local:
            self._note(Access(path, "store", pointer.bits, size, memory.position, kept, tags, pointer.based, alignment))
            undefined = either(undefined, *(negation(z3.Select(self.world.writable, place)) for place in places))
            if self.world.shared:
                return replace(memory, position=memory.position + 1), undefined
        array = cells.array
        entries = [entry for lane in kept for entry in self._entries(lane)]
        for place, entry in zip(places, entries, strict=True):
            array = z3.Store(array, place, entry)
        written = Cells(array, cells.choices.union(*(lane.choices for lane in kept)))
        if pointer.local:
            return replace(memory, locals={**memory.locals, pointer.local: written}), undefined
        return replace(memory, heap=written), undefined

    def _entries(self, lane: Scalar) -> list[Term]:
        """The bytes of a scalar, the lowest first."""
        flags = z3.BitVecVal(0, 2)
        if lane.poison is not FALSE:
            flags = z3.If(lane.poison, z3.BitVecVal(1, 2), flags)
        above = [flags]
        if self.world.tracked:
            provenance = self.world.integer if lane.provenance is None else lane.provenance
            if self.world.strict and lane.provenance is not None:
                # No choice of a pointer, such as that of a freeze, makes it an integer.
                provenance = z3.If(provenance == self.world.integer, self.world.provenance(0), provenance)
            above.insert(0, provenance)
        return [z3.Concat(*above, z3.Extract(at + 7, at, lane.bits)) for at in range(0, lane.bits.size(), 8)]


def observed(entry: Term, place: Term, choices: Choices) -> tuple[Scalar, Term | None]:
    """A byte of the final memory as a later load sees it, and the provenance it carries (a term of its own sort)."""
    bits, made = z3.Extract(7, 0, entry), NO_CHOICE
    flag = z3.simplify(z3.Extract(UNDEF_BIT, UNDEF_BIT, entry))
    if not _is_zero(flag):
        name, choice = choices.fresh(8, f"byte 0:memory {place.get_id()}")
        bits, made = z3.If(flag == 1, choice, bits), frozenset((name,))
    above = z3.Extract(entry.size() - 1, PROVENANCE_BIT, entry) if entry.size() > PROVENANCE_BIT else None
    poison = z3.simplify(z3.Extract(POISON_BIT, POISON_BIT, entry))
    return Scalar(bits, FALSE if _is_zero(poison) else poison == 1, made), above


def null_is_none(address: Term, provenance: Term) -> Term:
    """A pointer that a function is given with address 0 is null, which may access nothing: LLVM takes them for one."""
    return z3.Implies(address == 0, provenance == 0)


def _is_zero(term: Term) -> bool:
    return bool(z3.is_bv_value(term)) and term.as_long() == 0


def _concat(parts: list[Term]) -> Term:
    return parts[0] if len(parts) == 1 else z3.Concat(parts[::-1])


def memories_merged(cases: list[tuple[Term, Memory]]) -> Memory:
    """The memory of the case whose condition holds; the last where none does."""
    *others, (_, memory) = cases
    for condition, case in reversed(others):
        names = [name for name in memory.locals if name in case.locals]
        memory = Memory(
            _cells_merged(condition, case.heap, memory.heap),
            {name: _cells_merged(condition, case.locals[name], memory.locals[name]) for name in names},
            None if memory.position is None else chosen(condition, case.position, memory.position),
        )
    return memory


def _cells_merged(condition: Term, yes: Cells, no: Cells) -> Cells:
    return Cells(chosen(condition, yes.array, no.array), yes.choices | no.choices)
