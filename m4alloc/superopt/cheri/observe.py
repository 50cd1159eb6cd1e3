"""How two observations compare: what a rewrite must keep, and what it means where it does not.

Widening is a vulnerability, narrowing is a bug, and a trap that is gone is a finding of its own: security code relies
on traps, so that no trap is ever undefined behaviour here.
"""

from __future__ import annotations

from enum import Enum

from capability.cheri.capability import Capability
from capability.cheri.rebuild import is_within
from m4alloc.superopt.cheri.model import Observation, Value


class Effect(Enum):
    """What is wrong with a target, the gravest first."""

    GAINS_TAG = "gains a tag"
    SUBSTITUTES = "substitutes other authority"
    WIDENS_BOUNDS = "widens bounds"
    GAINS_PERMISSION = "gains a permission"
    UNSEALS = "loses a seal"
    REMOVES_TRAP = "removes a trap"
    ADDS_TRAP = "adds a trap"
    OTHER_TRAP = "traps for another reason"
    LOSES_TAG = "loses a tag"
    NARROWS = "narrows authority"
    OTHER_VALUE = "yields another value"
    OTHER_MEMORY = "leaves other memory"

    @property
    def verdict(self) -> str:
        """What the effect is called: a vulnerability, a finding, or a bug."""
        if self in _VULNERABILITIES:
            return "vulnerability"
        return "finding" if self is Effect.REMOVES_TRAP else "bug"


_VULNERABILITIES = frozenset(
    {Effect.GAINS_TAG, Effect.SUBSTITUTES, Effect.WIDENS_BOUNDS, Effect.GAINS_PERMISSION, Effect.UNSEALS}
)


def difference(source: Observation, target: Observation, *, strict: bool = True) -> Effect | None:
    """The gravest thing that the target does and the source does not; None for a refinement.

    strict: untagged values and the bits of tagged ones count in every field; else only the address of an untagged
    value counts, and of a tagged one what its getters tell.
    """
    if source.trap is not None or target.trap is not None:
        if target.trap is None:
            return Effect.REMOVES_TRAP
        if source.trap is None:
            return Effect.ADDS_TRAP
        if source.trap is not target.trap:
            return Effect.OTHER_TRAP
    else:
        found = value_difference(source.value, target.value, strict=strict)
        if found is not None:
            return found
    return None if source.memory.key() == target.memory.key() else Effect.OTHER_MEMORY


def value_difference(source: Value, target: Value, *, strict: bool = True) -> Effect | None:
    """`difference` of two values; of tuples the gravest."""
    if isinstance(source, Capability) and isinstance(target, Capability):
        return _authority(source, target) or _fields(source, target, strict)
    if isinstance(source, tuple) and isinstance(target, tuple) and len(source) == len(target):
        effects = [value_difference(one, other, strict=strict) for one, other in zip(source, target, strict=True)]
        order = list(Effect)
        return min((effect for effect in effects if effect), key=order.index, default=None)
    return None if type(source) is type(target) and source == target else Effect.OTHER_VALUE


def _authority(source: Capability, target: Capability) -> Effect | None:
    if not target.tag:
        return None
    if not source.tag:
        return Effect.GAINS_TAG
    if not is_within(target, source):
        if target.perms & ~source.perms:
            return Effect.GAINS_PERMISSION
        return Effect.WIDENS_BOUNDS if is_within(source, target) else Effect.SUBSTITUTES
    return Effect.UNSEALS if source.sealed and not target.sealed else None


def _fields(source: Capability, target: Capability, strict: bool) -> Effect | None:
    if source.tag and not target.tag:
        return Effect.LOSES_TAG
    if source.tag and (source.decoded != target.decoded or source.perms != target.perms):
        return Effect.NARROWS
    if source.address != target.address:
        return Effect.OTHER_VALUE
    if strict:
        return None if source.pesbt == target.pesbt else Effect.OTHER_VALUE
    same = not source.tag or (source.otype, source.flags) == (target.otype, target.flags)
    return None if same else Effect.OTHER_VALUE
