"""Hypothesis strategies for CHERI capabilities and their permissions."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntFlag
from functools import reduce
from operator import or_
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from capability.cheri.capability import Capability
from capability.cheri.format import Format
from capability.cheri.formats import FORMATS
from capability.cheri.isa import ISAS, ISAV9_128, Isa
from capability.cheri.move import set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import and_perms
from capability.cheri.seal import seal, seal_entry
from capability.fault import Fault
from capability.perms import Perms

Derive = Callable[[Capability], Capability]
STEPS = 4


def capabilities(
    isa_or_format: Isa | Format | str = ISAV9_128, *, tagged: bool = True, sealed: bool | None = None
) -> st.SearchStrategy[Capability]:
    """Capabilities that a machine can hold: tagged ones that legal steps derived, or any bits without a tag.

    isa_or_format: an instruction set such as capability.cheri.isa.MORELLO, a format or its name ("128m"); a format goes
    by its current instruction set. tagged: derived from a root of the format by narrowing, moving the address, taking
    permissions, and at last perhaps sealing; not tagged: every bit pattern, most of which no derivation gives.
    sealed: only sealed ones, only unsealed ones, or both (None); of tagged ones.
    Shrinks towards the root, address 0.  Raises InvalidArgument at once.

    >>> from hypothesis import find
    >>> find(capabilities("128"), lambda found: found.tag and found.length < 2**20)
    0x0 [rwxRW,0x0-0x0]
    """
    isa = isa_of(isa_or_format)
    if not isinstance(tagged, bool) or (sealed is not None and (not isinstance(sealed, bool) or not tagged)):
        raise InvalidArgument(f"tagged={tagged!r}, sealed={sealed!r}: bools are wanted, and sealed only of tagged ones")
    width = isa.format.address_bits
    word = st.integers(0, (1 << width) - 1)
    if not tagged:
        return st.builds(lambda pesbt, address: Capability(isa.format, pesbt, address, False), word, word)
    roots = st.sampled_from([Capability.root(isa.format, which) for which in isa.format.roots])
    steps = st.lists(st.one_of(_narrow(isa), _move(isa), _limit(isa)), max_size=STEPS)
    unsealed = st.builds(_derived, roots, steps)
    if sealed is False:
        return unsealed
    closed = st.builds(_derived, unsealed, st.lists(_close(isa), min_size=1, max_size=1))
    if sealed:
        return closed.filter(lambda made: made.sealed)
    return st.one_of(unsealed, closed)


def perms(isa_or_format: Isa | Format | str | None = None) -> st.SearchStrategy[Any]:
    """Sets of permissions: of the shared names (capability.perms.Perms), or of one format's own.

    Shrinks towards none.  Raises InvalidArgument at once.

    >>> from hypothesis import find
    >>> find(perms(), lambda found: Perms.PERMIT_LOAD in found)
    <Perms.PERMIT_LOAD: 4>
    """
    kind: type[IntFlag] = Perms if isa_or_format is None else isa_of(isa_or_format).format.permissions.kind
    flags = list(kind)

    def chosen(bits: int) -> IntFlag:
        return reduce(or_, (flag for number, flag in enumerate(flags) if bits >> number & 1), kind(0))

    return st.integers(0, (1 << len(flags)) - 1).map(chosen)  # one draw for the set, not one for each flag


def isa_of(isa_or_format: Isa | Format | str) -> Isa:
    """The instruction set that is meant. Raises InvalidArgument."""
    if isinstance(isa_or_format, Isa):
        return isa_or_format
    name = isa_or_format.name if isinstance(isa_or_format, Format) else isa_or_format
    for isa in ISAS:
        if isa.format.name == name:
            return isa
    known = ", ".join(FORMATS)
    raise InvalidArgument(f"{isa_or_format!r} is neither an Isa nor a Format, nor the name of one: {known}")


# Steps. One that a machine refuses is left out: what it cleared the tag of, or trapped at.


def _derived(root: Capability, steps: list[Derive]) -> Capability:
    for step in steps:
        try:
            made = step(root)
        except Fault:
            continue
        root = made if made.tag else root
    return root


def _narrow(isa: Isa) -> st.SearchStrategy[Derive]:
    """To a length at an offset, both taken modulo what there is; small ones and any."""
    span = 1 << isa.format.address_bits
    amount = st.one_of(st.integers(0, 1 << 16), st.integers(0, span))

    def derive(offset: int, length: int) -> Derive:
        def step(found: Capability) -> Capability:
            room = found.top - found.base
            start = found.base + offset % (room + 1)
            if start == span:
                return found
            moved = set_address(found, start, isa)
            return set_bounds(moved, length % (found.top - start + 1), isa)

        return step

    return st.builds(derive, amount, amount)


def _move(isa: Isa) -> st.SearchStrategy[Derive]:
    """To an address in or near the bounds."""
    span = 1 << isa.format.address_bits

    def derive(offset: int) -> Derive:
        return lambda found: set_address(found, (found.base + offset) % span, isa)

    return st.builds(derive, st.one_of(st.integers(-(1 << 12), 1 << 16), st.integers(0, span - 1)))


def _limit(isa: Isa) -> st.SearchStrategy[Derive]:
    """To the permissions that a set keeps; shrinks towards all."""
    kind = isa.format.permissions.kind
    every = int(reduce(or_, kind, kind(0)))
    return perms(isa).map(lambda dropped: lambda found: and_perms(found, every & ~int(dropped), isa))


def _close(isa: Isa) -> st.SearchStrategy[Derive]:
    """Sealed: as a sentry, or with an object type of an authority where there is such a thing."""
    sentry: st.SearchStrategy[Derive] = st.just(lambda found: seal_entry(found, isa))
    if not isa.seals:
        return sentry
    which = "sealing" if "sealing" in isa.format.roots else None
    types = st.integers(0, isa.format.otype.mask >> isa.format.otype.low)

    def derive(otype: int) -> Derive:
        return lambda found: seal(found, Capability.root(isa.format, which, otype), isa)

    return st.one_of(sentry, types.map(derive))
