"""What it means that the target may do nothing that the source may not, as one condition.

Source: LLVM language reference; Lopes et al., "Alive2: Bounded Translation Validation for LLVM", PLDI 2021, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import z3

from m4alloc.superopt.smt_function import Encoding
from m4alloc.superopt.smt_memory import Access, World, observed
from m4alloc.superopt.smt_values import (
    FALSE,
    Scalar,
    SymValue,
    Term,
    both,
    choices_of,
    either,
    negation,
    scalars,
)


@dataclass(frozen=True)
class Byte:
    """A byte of the final memory on both sides, and when the target's is not allowed."""

    address: Term
    source: Scalar
    target: Scalar
    differs: Term
    provenances: tuple[Term | None, Term | None] = (None, None)

    @property
    def choices(self) -> frozenset[str]:
        """Choices made to look at it."""
        return self.source.choices | self.target.choices


@dataclass(frozen=True)
class Difference:
    """When the target does what the source may not.

    bad: the condition.  undefined: when the behaviour of source and target is undefined.  value: when the results
    differ.  bytes: what each side leaves in memory where they may differ.  observed: names of the choices
    made anew at each look.  claims: what is proved where `bad` cannot be.
    """

    bad: Term
    undefined: tuple[Term, Term]
    value: Term
    observed: frozenset[str]
    bytes: tuple[Byte, ...]
    claims: tuple[str, ...]


def _lane_differs(source: Scalar, target: Scalar) -> Term:
    """The source's value is no poison, and the target's is another or is poison."""
    differs = [target.poison]
    if not source.bits.eq(target.bits):
        differs.append(source.bits != target.bits)
    if source.provenance is not None and not source.provenance.eq(target.provenance):
        differs.append(_provenance_differs(source.provenance, target.provenance))
    return both(negation(source.poison), either(*differs))


def _provenance_differs(source: Term, target: Term) -> Term:
    """Another block; but a pointer that may access nothing, such as null, allows any other with its address."""
    return z3.And(source != 0, source != target)


def value_differs(source: SymValue, target: SymValue) -> Term:
    """Some lane of the target is not allowed by the source's."""
    pairs = zip(scalars(source), scalars(target), strict=True)
    return either(*(_lane_differs(left, right) for left, right in pairs))


def difference(source: Encoding, target: Encoding, world: World) -> Difference:
    """When the target is no refinement of the source."""
    theirs = either(source.undefined, noalias_broken(source, world, certain=True))
    ours = either(
        target.undefined, _tags_not_shared(source, target, world), noalias_broken(target, world, certain=False)
    )
    claims = ["the target is undefined only where the source is"]
    value = FALSE
    differs: list[Term] = []
    names: frozenset[str] = frozenset()
    if source.result is not None and target.result is not None:
        value = value_differs(source.result, target.result)
        names |= choices_of(source.result) | choices_of(target.result)
        claims.append("the result is the same, or the source's is poison")
    bytes_: list[Byte] = []
    if world.shared:
        differs.append(_sequences_differ(source.accesses, target.accesses, world))
        claims.append("memory is accessed in the same order, at the same addresses, with the same values")
    elif not source.memory.heap.array.eq(target.memory.heap.array):
        bytes_ = _bytes_that_differ(source, target, world)
        differs += [byte.differs for byte in bytes_]
        names |= source.memory.heap.choices | target.memory.heap.choices
        names |= frozenset().union(*(byte.choices for byte in bytes_))
        claims.append("every byte of memory is the same at the end, or the source's is poison")
    bad = both(negation(theirs), either(ours, value, *differs))
    return Difference(bad, (theirs, ours), value, names, tuple(bytes_), tuple(claims))


def _bytes_that_differ(source: Encoding, target: Encoding, world: World) -> list[Byte]:
    """Each byte that either side stores to: all others are as they were at entry, on both sides."""
    addresses: dict[int, Term] = {}
    for access in (*source.accesses, *target.accesses):
        if access.kind == "store":
            for number in range(access.size):
                address = z3.simplify(access.address + number)
                addresses[address.get_id()] = address
    found = []
    for address in addresses.values():
        world.require_time()
        entries = [z3.simplify(z3.Select(side.memory.heap.array, address)) for side in (source, target)]
        if entries[0].eq(entries[1]) and not source.memory.heap.choices:
            continue
        left, ours = observed(entries[0], address, source.choices)
        right, theirs = observed(entries[1], address, target.choices)
        differs = _lane_differs(left, right)
        if ours is not None:
            other = _provenance_differs(ours, theirs)
            if world.strict:
                other = either(other, z3.And(ours != world.integer, theirs == world.integer))
            differs = either(differs, both(negation(left.poison), other))
        found.append(Byte(address, left, right, differs, (ours, theirs)))
    return found


def _overlap(a: Access, b: Access) -> Term:
    return z3.Or(z3.ULT(a.address - b.address, b.size), z3.ULT(b.address - a.address, a.size))


def noalias_broken(side: Encoding, world: World, *, certain: bool) -> Term:
    """Memory that is written is accessed both through a noalias argument and not through it.

    certain: only where it is known of both accesses whether they are based on the argument; else wherever it may be.
    """
    names = {name for access in side.accesses for name in access.based or ()}
    found = []
    for name in sorted(names):
        for number, first in enumerate(side.accesses):
            world.require_time()
            for second in side.accesses[:number]:
                if "store" not in (first.kind, second.kind):
                    continue
                if _apart(first, second, name, certain) or _apart(second, first, name, certain):
                    found.append(both(first.path, second.path, _overlap(first, second)))
    return either(*found)


def _apart(through: Access, beside: Access, name: str, certain: bool) -> bool:
    """The first access is based on the argument and the second is not, surely or possibly."""
    if certain:
        return through.based == frozenset((name,)) and beside.based is not None and name not in beside.based
    may_be = through.based is None or name in through.based
    return may_be and (beside.based is None or beside.based != frozenset((name,)))


def _tags_not_shared(source: Encoding, target: Encoding, world: World) -> Term:
    """The target claims something of an access by metadata (!tbaa ...) that the source claims of no such access."""
    found = []
    for access in target.accesses:
        world.require_time()
        for tag in sorted(access.tags):
            alike = [
                both(one.path, one.address == access.address)
                for one in source.accesses
                if tag in one.tags and one.kind == access.kind and one.size == access.size
            ]
            found.append(both(access.path, negation(either(*alike))))
    return either(*found)


def _has_pointer(access: Access) -> bool:
    return any(lane.provenance is not None for lane in access.value)


def _sequences_differ(source: tuple[Access, ...], target: tuple[Access, ...], world: World) -> Term:
    """The accesses of shared memory are not the same, one by one, in order."""
    differs = []
    places = {id(one): z3.simplify(one.position) for one in (*source, *target)}
    for side, other in ((source, target), (target, source)):
        for access in side:
            world.require_time()
            matches = []
            for one in other:
                if one.kind != access.kind or one.size != access.size or _has_pointer(one) != _has_pointer(access):
                    continue
                place, its = places[id(access)], places[id(one)]
                if z3.is_bv_value(place) and z3.is_bv_value(its) and place.as_long() != its.as_long():
                    continue
                same = [one.path, its == place, one.address == access.address]
                if access.kind == "store" and side is source:
                    same.append(negation(value_differs(access.value, one.value)))
                matches.append(both(*same))
            differs.append(both(access.path, negation(either(*matches))))
    return either(*differs)
