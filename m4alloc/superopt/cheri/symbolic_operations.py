"""Each operator of the language as formulas, refusals in the order of `capability.cheri`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from capability.cheri.isa import Check, Rebuild
from capability.fault import FaultKind
from m4alloc.superopt.cheri import encoding
from m4alloc.superopt.cheri.symbol import Cap, Event, Unsupported
from m4alloc.superopt.cheri.words import (
    FALSE,
    TRUE,
    Truth,
    Word,
    choose,
    choose_truth,
    every,
    is_symbolic,
    joined,
    solver,
)

if TYPE_CHECKING:
    from m4alloc.superopt.cheri.symbolic import SymbolicMachine as Machine

TAG, SEAL, LENGTH = FaultKind.TAG, FaultKind.SEAL, FaultKind.LENGTH
PERMISSION, ALIGNMENT = FaultKind.PERMISSION, FaultKind.ALIGNMENT


# Manipulations


def _set_bounds(machine: Machine, guard: Truth, cap: Cap, length: Word, *, exactly: bool) -> Cap:
    result, outside, exact = _narrowed(machine, cap, length)
    refusals = [(~cap.tag, TAG), (machine.sealed(cap), SEAL), (outside, LENGTH)]
    if exactly:
        refusals.append((~exact, LENGTH))
    if machine.by_lemmas:
        legal = every(machine.derivable(cap), ~outside)
        contains = _canonical(machine, guard, cap.address).implies(machine.within(result, cap.address, length))
        machine.facts.append(legal.implies(every(contains, machine.derivable(result), is_within(machine, result, cap))))
    return machine.settle(guard, result, refusals)


def _narrowed(machine: Machine, cap: Cap, length: Word) -> tuple[Cap, Truth, Truth]:
    """With new bounds; whether that is beyond the old ones or loses Morello's flags; whether nothing was rounded."""
    codec, width = machine.layout.codec, machine.width
    wide = width + 1
    seen = encoding.counted(codec, cap.address)
    depends = machine.codec.depends(machine.bounds_bits(cap)) if codec.signed_bits else TRUE
    flagged = seen.ne(cap.address) if codec.signed_bits else FALSE
    base = choose(flagged & ~depends, cap.address, seen)
    encoded = machine.codec.encode(base, length.to(wide))
    upper = joined(cap.upper.bits(machine.layout.upper_bits - 1, codec.width), encoded.bits)
    result = cap._replace(upper=upper)
    bounds = machine.decoded(cap)
    inside = every(bounds.valid, bounds.base <= base, base.to(wide) + length.to(wide) <= bounds.top)
    outside = ~inside
    if codec.signed_bits:
        outside = outside | every(flagged, machine.codec.depends(encoded.bits), ~depends)
    return result, outside, encoded.exact


def _and_perms(machine: Machine, guard: Truth, cap: Cap, keep: Word) -> Cap:
    old = machine.perms(cap)
    new = machine.legalised(old & keep)
    sealed = machine.sealed(cap)
    if machine.layout.sealed_perms_survive:
        sealed = sealed & ((old ^ new) & ~(1 << machine.layout.rights.is_global)).any()
    return machine.settle(guard, machine.with_perms(cap, new), [(~cap.tag, TAG), (sealed, SEAL)])


def _moved(machine: Machine, guard: Truth, cap: Cap, address: Word, check: Check) -> Cap:
    kept = machine.codec.keeps(check, machine.bounds_bits(cap), cap.address, address)
    result = cap._replace(address=address)
    if machine.by_lemmas:
        nothing = Word(0, machine.width)
        loose = ~machine.codec.depends(machine.bounds_bits(cap))
        plain = loose | (_same_sign(machine, guard, cap.address, address) & _canonical(machine, guard, address))
        inside = every(machine.derivable(cap), machine.within(cap, address, nothing), plain)
        unchanged = encoding.same_bounds(machine.decoded(result), machine.decoded(cap))
        machine.facts.append((inside | (machine.derivable(cap) & kept)).implies(unchanged))
        from_inside = machine.within(cap, cap.address, nothing) & (loose | _canonical(machine, guard, cap.address))
        machine.facts.append((inside & from_inside).implies(kept))
    refusals = [(cap.tag & machine.sealed(cap), SEAL), (~kept, None)]
    return machine.settle(guard, result, refusals)


def _set_address(machine: Machine, guard: Truth, cap: Cap, address: Word) -> Cap:
    return _moved(machine, guard, cap, address, machine.layout.set_address)


def _increment(machine: Machine, guard: Truth, cap: Cap, offset: Word) -> Cap:
    return _moved(machine, guard, cap, cap.address + offset, machine.layout.increment)


def _set_offset(machine: Machine, guard: Truth, cap: Cap, offset: Word) -> Cap:
    return _increment(machine, guard, cap, machine.decoded(cap).base + offset - cap.address)


def _with_otype(machine: Machine, cap: Cap, otype: Word) -> Cap:
    part = machine.layout.otype
    width = machine.layout.upper_bits
    return cap._replace(upper=(cap.upper & ~part.mask) | (otype.to(part.width).to(width) << part.low))


def _may_seal(machine: Machine, otype: Word) -> Truth:
    first, stop = machine.layout.sealable
    return ~(otype < Word(first, machine.width)) & (otype < Word(stop, machine.width))


def _seal(machine: Machine, guard: Truth, cap: Cap, authority: Cap) -> Cap:
    refusals = [
        (~cap.tag, TAG),
        (~authority.tag, TAG),
        (machine.sealed(cap), SEAL),
        (machine.sealed(authority), SEAL),
        (~machine.has(authority, machine.layout.rights.seal), PERMISSION),
        (~machine.within(authority, authority.address, Word(1, machine.width)), LENGTH),
        (~_may_seal(machine, authority.address), LENGTH),
    ]
    return machine.settle(guard, _with_otype(machine, cap, authority.address), refusals)


def _unseal(machine: Machine, guard: Truth, cap: Cap, authority: Cap) -> Cap:
    layout = machine.layout
    otype = machine.otype(cap).to(machine.width)
    first, stop = layout.reserved
    fixed = ~(otype < Word(first, machine.width)) & (otype < Word(stop, machine.width))
    refusals = [
        (~cap.tag, TAG),
        (~authority.tag, TAG),
        (~machine.sealed(cap), SEAL),
        (machine.sealed(authority), SEAL),
        (FALSE if layout.unseals_reserved else fixed, SEAL),
        (authority.address.ne(otype), SEAL),
        (~machine.has(authority, layout.rights.unseal), PERMISSION),
        (~machine.within(authority, authority.address, Word(1, machine.width)), LENGTH),
    ]
    opened = _with_otype(machine, cap, Word(layout.unsealed, machine.width))
    local = machine.with_perms(opened, machine.perms(opened) & ~(1 << layout.rights.is_global))
    kept = machine.has(authority, layout.rights.is_global)
    return machine.settle(guard, opened._replace(upper=choose(kept, opened.upper, local.upper)), refusals)


def _sentry(machine: Machine, guard: Truth, cap: Cap) -> Cap:
    refusals = [(~cap.tag, TAG), (machine.sealed(cap), SEAL)]
    if machine.layout.sentry_needs_execute:
        refusals.append((~machine.has(cap, machine.layout.rights.execute), PERMISSION))
    return machine.settle(guard, _with_otype(machine, cap, Word(machine.layout.sentry, machine.width)), refusals)


def _build(machine: Machine, guard: Truth, authority: Cap, bits: Cap) -> Cap:
    layout = machine.layout
    unsealed = _with_otype(machine, bits, Word(layout.unsealed, machine.width))
    if layout.rebuild is Rebuild.ABSENT:
        raise Unsupported(f"{layout.name} builds no capability from bits")
    if layout.rebuild is Rebuild.COPIED:
        asked = unsealed._replace(tag=bits.tag & ~machine.sealed(bits))
    else:
        is_sentry = machine.otype(bits).eq(layout.sentry)
        asked = Cap(choose(is_sentry, bits.upper, unsealed.upper), bits.address, bits.tag)
    bounds, held = machine.decoded(asked), machine.decoded(authority)
    wide = machine.width + 1
    valid = bounds.valid & held.valid
    turned = ~(bounds.base.to(wide) <= bounds.top)
    more = (machine.perms(asked) & ~machine.perms(authority)).any()
    refusals = [
        (~authority.tag, TAG),
        (machine.sealed(authority), SEAL),
        (~every(valid, held.base <= bounds.base, bounds.top <= held.top), LENGTH),
        (turned, LENGTH),
        (more, PERMISSION),
        (~_has_integrity(machine, asked, authority), LENGTH),
    ]
    if layout.rebuild is Rebuild.COPIED:
        refused = ~every(*(~applies for applies, _ in refusals))
        return asked._replace(tag=choose_truth(refused, asked.tag, TRUE))
    return machine.settle(guard, asked._replace(tag=TRUE), refusals)


def _has_integrity(machine: Machine, asked: Cap, authority: Cap) -> Truth:
    layout, codec = machine.layout, machine.layout.codec
    bounds = machine.decoded(asked)
    reserved = asked.upper & layout.reserved_mask
    if layout.rebuild is Rebuild.COPIED:
        return TRUE
    if layout.rebuild is Rebuild.INTACT:
        legal = machine.legalised(machine.perms(asked)).eq(machine.perms(asked))
        return every(bounds.valid, reserved.eq(0), legal)
    wide = machine.width + 1
    length = bounds.top - bounds.base.to(wide)
    ordered = (bounds.base.to(wide) <= bounds.top) & (length <= Word(1 << machine.width, wide))
    again = machine.codec.encode(bounds.base, length).bits
    return every(ordered, again.eq(asked.upper.to(codec.width)), reserved.eq(authority.upper & layout.reserved_mask))


# Getters


def _length(machine: Machine, guard: Truth, cap: Cap) -> Word:
    bounds = machine.decoded(cap)
    return _saturated(machine, bounds.top - bounds.base.to(machine.width + 1))


def _saturated(machine: Machine, number: Word) -> Word:
    return choose(number.bit(machine.width), Word(-1, machine.width), number.to(machine.width))


def _subset(machine: Machine, guard: Truth, cap: Cap, other: Cap) -> Truth:
    return cap.tag.same(other.tag) & is_within(machine, cap, other)


def is_within(machine: Machine, cap: Cap, other: Cap) -> Truth:
    """No address and no permission that the other lacks, whatever the tags."""
    one, two = machine.decoded(cap), machine.decoded(other)
    fewer = (machine.perms(cap) & ~machine.perms(other)).eq(0)
    return every(one.valid, two.valid, two.base <= one.base, one.top <= two.top, fewer)


def _identical(machine: Machine, guard: Truth, cap: Cap, other: Cap) -> Truth:
    return every(cap.tag.same(other.tag), cap.address.eq(other.address), cap.upper.eq(other.upper))


def _mask(machine: Machine, guard: Truth, length: Word) -> Word:
    base = ~length if machine.layout.mask_from_top else Word(0, machine.width)
    shift = machine.codec.encode(base, length.to(machine.width + 1)).shift
    return choose(length.any(), Word(-1, machine.width) << shift.to(machine.width), Word(-1, machine.width))


def _rounded(machine: Machine, guard: Truth, length: Word) -> Word:
    kept = _mask(machine, guard, length)
    return (length + ~kept) & kept


# Memory


def _check_data(machine: Machine, guard: Truth, cap: Cap, size: int, right: int) -> None:
    machine.trap(guard, ~cap.tag, TAG)
    machine.trap(guard, machine.sealed(cap), SEAL)
    machine.trap(guard, ~machine.has(cap, right), PERMISSION)
    machine.trap(guard, ~machine.within(cap, cap.address, Word(size, machine.width)), LENGTH)


def _size(size: Word) -> int:
    if is_symbolic(size.raw) or not isinstance(size.raw, int) or not 1 <= size.raw <= 8:
        raise Unsupported("the size of an access must be a number from 1 to 8")
    return size.raw


def _unknown(machine: Machine, what: str, address: Word, width: int) -> Word:
    """What memory holds there, as a function that nothing is known of until the next write."""
    name = f"{what} after {len(machine.events)} writes"
    if is_symbolic(address.raw):
        z3 = solver()
        function = z3.Function(name, z3.BitVecSort(machine.width), z3.BitVecSort(width))
        return Word(function(address.raw), width)
    seed = sum(ord(letter) * 131**number for number, letter in enumerate(name)) & 0x7FFF
    return Word((address.raw * 0x9E37 + seed) >> 3 if isinstance(address.raw, int) else address.raw * 37 + seed, width)


def _load(machine: Machine, guard: Truth, cap: Cap, size: Word) -> Word:
    count = _size(size)
    _check_data(machine, guard, cap, count, machine.layout.rights.load)
    return _unknown(machine, f"{count} bytes", cap.address, min(8 * count, machine.width)).to(machine.width)


def _store(machine: Machine, guard: Truth, cap: Cap, value: Word, size: Word) -> None:
    count = _size(size)
    _check_data(machine, guard, cap, count, machine.layout.rights.store)
    kept = value.to(min(8 * count, machine.width))
    machine.events.append(Event(guard & ~machine.trapped, f"store of {count} bytes", (cap.address, kept)))


def _granule(machine: Machine) -> int:
    return machine.width // 4


def _load_cap(machine: Machine, guard: Truth, cap: Cap) -> Cap:
    layout, granule = machine.layout, _granule(machine)
    _check_data(machine, guard, cap, granule, layout.rights.load)
    machine.trap(guard, (cap.address & (granule - 1)).any(), ALIGNMENT)
    upper = _unknown(machine, "upper word", cap.address, layout.upper_bits)
    address = _unknown(machine, "address", cap.address, machine.width)
    tag = _unknown(machine, "tag", cap.address, 1).bit(0)
    machine.loaded.append(Cap(upper, address, tag))
    perms, held = machine.perms(Cap(upper, address, tag)), machine.perms(cap)
    sealed = machine.sealed(Cap(upper, address, tag))
    tag = tag & machine.has(cap, layout.rights.load_cap)
    lost = Word(0, machine.width)
    for without, unsealed, when_sealed in layout.filters:
        lack = (held & without).eq(0)
        more = choose(sealed, Word(when_sealed, machine.width), Word(unsealed, machine.width))
        lost = choose(lack, lost | more, lost)
    weaker = machine.with_perms(Cap(upper, address, tag), machine.legalised(perms & ~lost))
    return Cap(choose(tag & lost.any(), weaker.upper, upper), address, tag)


def _store_cap(machine: Machine, guard: Truth, cap: Cap, value: Cap) -> None:
    layout, granule = machine.layout, _granule(machine)
    rights = layout.rights
    machine.trap(guard, ~cap.tag, TAG)
    machine.trap(guard, machine.sealed(cap), SEAL)
    machine.trap(guard, ~machine.has(cap, rights.store), PERMISSION)
    any_cap, local = machine.has(cap, rights.store_cap), machine.has(cap, rights.store_local)
    is_global = machine.has(value, rights.is_global)
    if layout.capability_store_traps:
        machine.trap(guard, value.tag & ~any_cap, PERMISSION)
    if layout.local_store_traps:
        machine.trap(guard, every(value.tag, ~is_global, ~local), PERMISSION)
    machine.trap(guard, ~machine.within(cap, cap.address, Word(granule, machine.width)), LENGTH)
    machine.trap(guard, (cap.address & (granule - 1)).any(), ALIGNMENT)
    tag = every(value.tag, any_cap, is_global | local)
    words = (cap.address, value.upper, value.address, tag.word())
    machine.events.append(Event(guard & ~machine.trapped, "store of a capability", words))


def _revoke(machine: Machine, guard: Truth, cap: Cap) -> None:
    bounds = machine.decoded(cap)
    machine.events.append(Event(guard & ~machine.trapped, "revocation", (bounds.base, bounds.top)))


# Conditions


def _settable(machine: Machine, guard: Truth, cap: Cap, length: Word) -> Truth:
    _, outside, _ = _narrowed(machine, cap, length)
    return every(cap.tag, ~machine.sealed(cap), ~outside)


def _same_sign(machine: Machine, guard: Truth, one: Word, other: Word) -> Truth:
    signed = machine.layout.codec.signed_bits
    return ~(one ^ other).bit(signed - 1) if signed else TRUE


def _canonical(machine: Machine, guard: Truth, address: Word) -> Truth:
    return encoding.counted(machine.layout.codec, address).eq(address)


def _frombits(machine: Machine, guard: Truth, high: Word, low: Word) -> Cap:
    if machine.layout.upper_bits != machine.width:
        raise Unsupported(f"{machine.layout.name} has upper words that are no integers")
    return Cap(high ^ machine.layout.xor, low, FALSE)


def _upper(machine: Machine, guard: Truth, cap: Cap) -> Word:
    if machine.layout.upper_bits != machine.width:
        raise Unsupported(f"{machine.layout.name} has upper words that are no integers")
    return cap.upper ^ machine.layout.xor


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "set": lambda m, g, c, n: _set_bounds(m, g, c, n, exactly=False),
    "setexact": lambda m, g, c, n: _set_bounds(m, g, c, n, exactly=True),
    "and": _and_perms,
    "addrset": _set_address,
    "inc": _increment,
    "offsetset": _set_offset,
    "cleartag": lambda m, g, c: c._replace(tag=FALSE),
    "seal": _seal,
    "unseal": _unseal,
    "sentry": _sentry,
    "build": _build,
    "null": lambda m, g, a: Cap(Word(m.layout.null, m.layout.upper_bits), a, FALSE),
    "frombits": _frombits,
    "addr": lambda m, g, c: c.address,
    "base": lambda m, g, c: m.decoded(c).base,
    "length": _length,
    "top": lambda m, g, c: _saturated(m, m.decoded(c).top),
    "offset": lambda m, g, c: c.address - m.decoded(c).base,
    "perms": lambda m, g, c: m.perms(c),
    "type": lambda m, g, c: m.otype(c).to(m.width),
    "upper": _upper,
    "tag": lambda m, g, c: c.tag,
    "sealed": lambda m, g, c: m.sealed(c),
    "subset": _subset,
    "identical": _identical,
    "+": lambda m, g, x, y: x + y,
    "-": lambda m, g, x, y: x - y,
    "&": lambda m, g, x, y: x & y,
    "|": lambda m, g, x, y: x | y,
    "^": lambda m, g, x, y: x ^ y,
    "rounded": _rounded,
    "mask": _mask,
    "==": lambda m, g, x, y: x.eq(y),
    "!=": lambda m, g, x, y: x.ne(y),
    "<": lambda m, g, x, y: x < y,
    "<=": lambda m, g, x, y: x <= y,
    ">": lambda m, g, x, y: y < x,
    ">=": lambda m, g, x, y: y <= x,
    "true": lambda m, g: TRUE,
    "false": lambda m, g: FALSE,
    "not": lambda m, g, x: ~x,
    "all": lambda m, g, x, y: x & y,
    "any": lambda m, g, x, y: x | y,
    "load": _load,
    "store": _store,
    "loadcap": _load_cap,
    "storecap": _store_cap,
    "revoke": _revoke,
    "within": lambda m, g, c, a, n: m.within(c, a, n),
    "settable": _settable,
    "derivable": lambda m, g, c: m.derivable(c),
    "depends": lambda m, g, c: m.codec.depends(m.bounds_bits(c)),
    "same_sign": _same_sign,
    "canonical": _canonical,
    "can_seal": lambda m, g, k: m.has(k, m.layout.rights.seal),
    "can_unseal": lambda m, g, k: m.has(k, m.layout.rights.unseal),
    "can_execute": lambda m, g, c: m.has(c, m.layout.rights.execute),
    "is_global": lambda m, g, c: m.has(c, m.layout.rights.is_global),
    "points_to_otype": lambda m, g, k: _may_seal(m, k.address) & k.address.ne(m.layout.unsealed),
}
"""Each takes the machine, the guard under which it runs, and its operands."""
