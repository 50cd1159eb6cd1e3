"""What a term does: its value, or the trap that ended it, and what it left in memory, by `capability.cheri`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from capability.architecture import Access
from capability.cheri.access import check_access
from capability.cheri.capability import Capability
from capability.cheri.concentrate import Concentrate, OutOfRange
from capability.cheri.isa import Illegal, Isa, Rebuild
from capability.cheri.move import increment, set_address, set_offset
from capability.cheri.narrow import representable_length, representable_mask, set_bounds, set_bounds_exactly
from capability.cheri.permit import and_perms
from capability.cheri.rebuild import build_cap, is_identical, test_subset
from capability.cheri.revocation import Revocation
from capability.cheri.seal import seal, seal_entry, unseal
from capability.cheri.transfer import load_capability, store_capability
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import Perms
from capability.word import mask
from m4alloc.superopt.cheri.term import Apply, Let, Number, Sort, Term, TermError, Variable, operators

Value: TypeAlias = "Capability | int | bool | tuple[Value, ...] | None"
Environment: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True)
class Observation:
    """What can be seen of one evaluation.

    value: of the term, None if it trapped. trap: the neutral kind of the fault. detail: the fault in words, for people.
    memory: afterwards, also after a trap.
    """

    value: Value
    trap: FaultKind | None = None
    detail: str = ""
    memory: TaggedMemory = field(default_factory=TaggedMemory, compare=False)

    def __str__(self) -> str:
        return f"a trap ({self.trap.value}: {self.detail})" if self.trap else described(self.value)


def described(value: Value) -> str:
    """A value for people: capabilities as they print, numbers in hexadecimal."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(described, value))})"
    return str(value)


def supported(term: Term, isa: Isa) -> str:
    """Why the instruction set has no instruction for part of the term; "" if it has.

    >>> from capability.cheri.isa import RISCV_128
    >>> from m4alloc.superopt.cheri.notation import parsed
    >>> supported(parsed("seal(c, k)"), RISCV_128)
    'RISC-V draft, 128r seals with sentries only'
    """
    used = operators(term)
    if not isa.seals and used & {"seal", "unseal", "points_to_otype"}:
        return f"{isa} seals with sentries only"
    if isa.rebuild is Rebuild.ABSENT and "build" in used:
        return f"{isa} builds no capability from bits"
    return ""


def evaluated(term: Term, environment: Environment, isa: Isa, memory: TaggedMemory | None = None) -> Observation:
    """One evaluation on one input; `memory` is copied first.

    environment: a value for each free variable, of its sort; integers from 0 to below the address space.
    Raises TermError for what the instruction set has no instruction for, and for a variable without a value.
    Cost: some microseconds an operator.

    >>> from capability.cheri.isa import ISAV8_128, ISAV9_128
    >>> from m4alloc.superopt.cheri.notation import parsed
    >>> c = {"c": Capability.null(ISAV9_128.format, 0x1000)}
    >>> [str(evaluated(parsed("set(c, 64)"), c, isa)) for isa in (ISAV9_128, ISAV8_128)][0]
    '0x1000 [,0x1000-0x1040] (invalid)'
    >>> evaluated(parsed("set(c, 64)"), c, ISAV8_128).trap
    <FaultKind.TAG: 'tag'>
    """
    reason = supported(term, isa)
    if reason:
        raise TermError(reason)
    machine = _Machine(isa, _memory(isa) if memory is None else memory.copy())
    try:
        return Observation(machine.value(term, environment), memory=machine.memory)
    except Fault as fault:
        return Observation(None, fault.kind, fault.message, machine.memory)


def holds(condition: Term, environment: Environment, isa: Isa) -> bool:
    """The condition on this input; a condition that traps does not hold."""
    seen = evaluated(condition, environment, isa)
    return seen.trap is None and seen.value is True


def _memory(isa: Isa) -> TaggedMemory:
    return TaggedMemory(0, 1 << isa.format.address_bits, capability_granule=isa.format.capability_bytes)


class _Machine:
    """Registers are the Python values of one evaluation; memory is shared by all of it."""

    def __init__(self, isa: Isa, memory: TaggedMemory) -> None:
        self.isa = isa
        self.memory = memory
        self.ones = mask(isa.format.address_bits)

    def value(self, term: Term, environment: Environment) -> Value:
        """The term's value.  Raises Fault."""
        if isinstance(term, Number):
            return term.value & self.ones
        if isinstance(term, Variable):
            if term.name not in environment:
                raise TermError(f"{term.name} has no value; there are {', '.join(environment) or 'none'}")
            return environment[term.name]
        if isinstance(term, Let):
            bound = self.value(term.bound, environment)
            return self.value(term.body, {**environment, term.name: bound})
        return self.applied(term, environment)

    def applied(self, term: Apply, environment: Environment) -> Value:
        """An operator on the values of its operands."""
        if term.operator == "if":
            chosen = 1 if self.value(term.operands[0], environment) else 2
            return self.value(term.operands[chosen], environment)
        operands = tuple(self.value(operand, environment) for operand in term.operands)
        if term.operator == "tuple":
            return operands
        if term.operator == "do":
            return operands[-1]
        if term.operator == "select":
            return operands[1] if operands[0] else operands[2]
        if term.sort is Sort.BOOL and term.operator in _ON_BOOLEANS:
            return _ON_BOOLEANS[term.operator](*(operand is True for operand in operands))
        if all(type(operand) is int for operand in operands) and term.operator in _ON_INTEGERS:
            result = _ON_INTEGERS[term.operator](*operands)  # type: ignore[arg-type]  # all of them are int
            return result if isinstance(result, bool) else result & self.ones
        return _ON_CAPABILITIES[term.operator](self, *operands)

    def data(self, capability: Capability, size: int, access: Access) -> int:
        """The address of a data access that was let through.  Raises Fault."""
        check_access(capability, capability.address, size, access, self.isa)
        self.memory.check_mapped(capability.address, size)
        return capability.address

    def load(self, capability: Capability, size: int) -> int:
        """Little-endian, zero-extended."""
        at = self.data(capability, size, Access.LOAD)
        return int.from_bytes(self.memory.load(at, size), "little") & self.ones

    def store(self, capability: Capability, value: int, size: int) -> None:
        """The low `size` bytes."""
        at = self.data(capability, size, Access.STORE)
        self.memory.store(at, (value & mask(8 * size)).to_bytes(size, "little"))

    def revoke(self, capability: Capability) -> None:
        """A sweep of memory for capabilities whose base is in the bounds; registers follow later."""
        registers = self.memory.state(Revocation)
        registers.paint(capability.issued(registers.issue(capability.bounds)))
        registers.sweep(self.memory)

    def settable(self, capability: Capability, length: int) -> bool:
        """Would setting bounds, rounded or not, keep the tag?"""
        if not capability.tag:
            return False
        try:
            return set_bounds(capability, length, self.isa).tag
        except Fault:
            return False

    def derivable(self, capability: Capability) -> bool:
        """Bits such as instructions make, whatever the tag: bounds that do not wrap, an exponent that is used, and
        permissions that make sense."""
        format = capability.format
        codec, bounds = format.bounds, capability.decoded
        in_range = True
        if isinstance(codec, Concentrate) and codec.out_of_range is OutOfRange.CLAMPED:
            in_range = codec.split(capability.pesbt & mask(codec.width)).exponent <= codec.largest
        legal = format.permissions.legalise(int(capability.perms)) == capability.perms
        return in_range and legal and bounds.valid and bounds.base <= bounds.top <= self.ones + 1

    def with_address(self, address: int) -> Capability:
        """An integer in a capability register."""
        return Capability.null(self.isa.format, address)

    def points_to_otype(self, authority: Capability) -> bool:
        """Is the address a type that seals?  Morello lets one seal with the type that means unsealed."""
        otypes = self.isa.format.otypes
        return otypes.may_seal(authority.address, False) and authority.address != otypes.unsealed

    def same_sign(self, first: int, second: int) -> bool:
        """No move between the two changes the bit that the format extends addresses from."""
        signed = getattr(self.isa.format.bounds, "signed_bits", 0)
        return not signed or not ((first ^ second) >> (signed - 1)) & 1


_ON_BOOLEANS: Mapping[str, Callable[..., bool]] = {
    "true": lambda: True,
    "false": lambda: False,
    "not": lambda x: not x,
    "all": lambda x, y: x and y,
    "any": lambda x, y: x or y,
}
_ON_INTEGERS: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "^": lambda x, y: x ^ y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
_ON_CAPABILITIES: Mapping[str, Callable[..., Value]] = {
    "set": lambda m, c, n: set_bounds(c, n, m.isa),
    "setexact": lambda m, c, n: set_bounds_exactly(c, n, m.isa),
    "and": lambda m, c, p: and_perms(c, p, m.isa),
    "addrset": lambda m, c, a: set_address(c, a, m.isa),
    "inc": lambda m, c, i: increment(c, i, m.isa),
    "offsetset": lambda m, c, i: set_offset(c, i, m.isa),
    "cleartag": lambda m, c: c.clear_tag(),
    "seal": lambda m, c, k: seal(c, k, m.isa),
    "unseal": lambda m, c, k: unseal(c, k, m.isa),
    "sentry": lambda m, c: seal_entry(c, m.isa),
    "build": lambda m, a, c: build_cap(a, c, m.isa),
    "null": lambda m, a: m.with_address(a),
    "frombits": lambda m, high, low: Capability(m.isa.format, high ^ m.isa.format.xor, low, False),
    "addr": lambda m, c: c.address,
    "base": lambda m, c: c.base,
    "length": lambda m, c: min(c.length, m.ones),
    "top": lambda m, c: min(c.top, m.ones),
    "offset": lambda m, c: c.offset,
    "perms": lambda m, c: int(c.perms),
    "type": lambda m, c: c.otype,
    "upper": lambda m, c: c.pesbt ^ m.isa.format.xor,
    "tag": lambda m, c: c.tag,
    "sealed": lambda m, c: c.sealed,
    "subset": lambda m, c, d: test_subset(c, d, m.isa),
    "identical": lambda m, c, d: is_identical(c, d),
    "rounded": lambda m, n: representable_length(n, m.isa),
    "mask": lambda m, n: representable_mask(n, m.isa),
    "load": _Machine.load,
    "store": _Machine.store,
    "loadcap": lambda m, c: load_capability(m.memory, c, c.address, m.isa),
    "storecap": lambda m, c, v: store_capability(m.memory, c, c.address, v, m.isa),
    "revoke": _Machine.revoke,
    "within": lambda m, c, a, n: c.covers(a, n),
    "settable": _Machine.settable,
    "derivable": _Machine.derivable,
    "depends": lambda m, c: c.format.bounds.depends_on_address(c.pesbt & mask(c.format.bounds.width)),
    "same_sign": _Machine.same_sign,
    "canonical": lambda m, a: m.isa.format.bounds.counted(a) == a,
    "can_seal": lambda m, k: Perms.PERMIT_SEAL in k.rights,
    "can_unseal": lambda m, k: Perms.PERMIT_UNSEAL in k.rights,
    "can_execute": lambda m, c: Perms.PERMIT_EXECUTE in c.rights,
    "is_global": lambda m, c: Perms.GLOBAL in c.rights,
    "points_to_otype": lambda m, k: m.points_to_otype(k),
}


def traps(isa: Isa) -> bool:
    """True for an instruction set that refuses a manipulation by a trap, and not by clearing the tag."""
    return isa.illegal is Illegal.TRAPS
