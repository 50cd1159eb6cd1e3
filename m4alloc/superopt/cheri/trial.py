"""The first tier: both terms run on thousands of edge-biased inputs, on which the condition holds, and are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from capability.cheri.capability import Capability
from capability.cheri.isa import Isa
from capability.memory import TaggedMemory
from m4alloc.superopt.cheri.model import Observation, Value, described, evaluated, holds, supported
from m4alloc.superopt.cheri.observe import Effect, difference
from m4alloc.superopt.cheri.states import States
from m4alloc.superopt.cheri.term import MEMORY, Term, operators, variables
from m4alloc.superopt.verdict import Counterexample


@dataclass(frozen=True)
class Failure:
    """An input on which the target does what the source does not, and what that means."""

    environment: Mapping[str, Value]
    memory: TaggedMemory
    source: Observation
    target: Observation
    effect: Effect

    @property
    def counterexample(self) -> Counterexample:
        """In the form that verdicts carry."""
        inputs = tuple((name, described(value)) for name, value in self.environment.items())
        held = [(at, self.memory.load_capability(at)) for at in self.memory.capability_addresses(0, self.memory.top)]
        memory = tuple((hex(at), str(value)) for at, value in held)
        return Counterexample(inputs, str(self.source), f"{self.target}, which {self.effect.value}", memory)


@dataclass(frozen=True)
class Trial:
    """How many inputs were drawn, on how many the condition held, and the first that shows a difference."""

    drawn: int
    tried: int
    failure: Failure | None = None


def trial(
    source: Term,
    target: Term,
    condition: Term,
    isa: Isa,
    *,
    count: int = 2000,
    draws: int = 40,
    seed: int = 0,
    strict: bool = True,
) -> Trial:
    """Run both on `count` inputs on which the condition holds, drawing at most `draws` times as many.

    Cost: about 0.1 ms an input.  Raises TermError for what the instruction set has no instruction for.
    """
    names = {**variables(source), **variables(target), **variables(condition)}
    states = States(isa, names, seed)
    through_memory = bool((operators(source) | operators(target)) & MEMORY)
    tried = 0
    for drawn in range(1, count * draws + 1):
        environment = states.next()
        memory = _memory(isa)
        if through_memory:
            environment = _aligned(environment, isa)
            _fill(memory, environment, states)
        if not holds(condition, environment, isa):
            continue
        tried += 1
        failure = replayed(source, target, environment, isa, memory, strict=strict)
        if failure is not None or tried == count:
            return Trial(drawn, tried, failure)
    return Trial(count * draws, tried)


def replayed(
    source: Term,
    target: Term,
    environment: Mapping[str, Value],
    isa: Isa,
    memory: TaggedMemory | None = None,
    *,
    strict: bool = True,
) -> Failure | None:
    """What one input shows: a failure, or None where the target refines the source on it."""
    memory = _memory(isa) if memory is None else memory
    before = evaluated(source, environment, isa, memory)
    after = evaluated(target, environment, isa, memory)
    effect = difference(before, after, strict=strict)
    return Failure(environment, memory, before, after, effect) if effect else None


def comparable(source: Term, target: Term, isa: Isa) -> str:
    """Why the two cannot be compared on this instruction set; "" if they can."""
    reason = supported(source, isa) or supported(target, isa)
    if not reason and source.sort is not target.sort:
        reason = f"one yields {source.sort.value}, the other {target.sort.value}"
    return reason


def _memory(isa: Isa) -> TaggedMemory:
    return TaggedMemory(0, 1 << isa.format.address_bits, capability_granule=isa.format.capability_bytes)


def _aligned(environment: Mapping[str, Value], isa: Isa) -> dict[str, Value]:
    """The capabilities pointing at granules, where that keeps them valid."""
    found = dict(environment)
    for name, value in environment.items():
        if isinstance(value, Capability) and not value.sealed and value.tag:
            moved = value.with_bits(value.pesbt, value.address & -isa.format.capability_bytes, True)
            found[name] = moved if moved.decoded == value.decoded else value
    return found


def _fill(memory: TaggedMemory, environment: Mapping[str, Value], states: States) -> None:
    """Put something where the capabilities point: another capability of the input, a fresh one, or bytes."""
    random: Random = states.random
    granule = memory.capability_granule
    held = [value for value in environment.values() if isinstance(value, Capability)]
    for capability in held:
        at = capability.address & -granule
        value = random.choice(held) if random.random() < 0.5 else states.capability(held)
        if random.random() < 0.3 or not value.tag:
            memory.store(at, random.randbytes(granule))
        else:
            memory.store_capability(at, value, value.to_memory())
