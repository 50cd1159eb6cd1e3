"""Counterexamples that count: what z3 says is only believed once the concrete model does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from capability.cheri.capability import Capability
from capability.cheri.isa import Illegal, Isa
from capability.cheri.move import set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import and_perms
from capability.cheri.seal import with_otype
from m4alloc.superopt.cheri.layout import layout_of
from m4alloc.superopt.cheri.model import Value, holds
from m4alloc.superopt.cheri.smt import Question, ask
from m4alloc.superopt.cheri.term import Term
from m4alloc.superopt.cheri.trial import Failure, replayed, trial


def environment_of(model: Mapping[str, tuple[int, int, bool] | int | bool], isa: Isa) -> dict[str, Value]:
    """The values that z3's model gives to variables."""
    return {
        name: Capability(isa.format, *value) if isinstance(value, tuple) else value for name, value in model.items()
    }


def is_derived(capability: Capability, isa: Isa) -> bool:
    """Can instructions make it from a root: bounds, then permissions, then a seal, then the address?

    What is untagged can be anything.  A seal is put on last, so that a sealed one is made at its own address.
    """
    if not capability.tag:
        return True
    clearing = replace(isa, illegal=Illegal.CLEARS_TAG)
    format = isa.format
    for which in format.roots:
        root = Capability.root(format, which)
        if capability.base >> format.address_bits:
            return False
        length = capability.top - capability.base
        made = set_bounds(set_address(root, capability.base, clearing), max(0, length), clearing)
        if length == 1 << format.address_bits:
            made = root
        made = set_address(and_perms(made, capability.perms, clearing), capability.address, clearing)
        made = with_otype(made, capability.otype)
        free = format.reserved_mask | (format.flags.mask if format.flags else 0)  # neither is authority
        if made.tag and made.address == capability.address and not (made.pesbt ^ capability.pesbt) & ~free:
            return True
    return False


def refuted(
    source: Term,
    target: Term,
    condition: Term,
    isa: Isa,
    *,
    strict: bool = True,
    count: int = 1000,
    seconds: float = 20.0,
) -> Failure | None:
    """An input that shows that the target is no refinement: tried first, then asked of z3 and replayed; None for none.

    Raises TermError for instruction sets without formulas, once trying has found nothing.
    """
    tried = trial(source, target, condition, isa, count=count, strict=strict)
    if tried.failure is not None:
        return tried.failure
    answer = ask(Question(source, target, condition, layout_of(isa), strict), seconds=seconds)
    if answer.model is None:
        return None
    environment = environment_of(answer.model, isa)
    if not holds(condition, environment, isa):
        return None
    return replayed(source, target, environment, isa, strict=strict)
