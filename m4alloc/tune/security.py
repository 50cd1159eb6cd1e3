"""What a strategy promises against misuse and attack, as axes that can be compared, and the floor a candidate keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from math import log2
from operator import attrgetter
from typing import Any, Self

from m4alloc.strategy import CLASS_MAX, GRANULE, LIMITS, SMALL_MAX, UNIT, Strategy, StrategyError
from m4alloc.tune.security_sizes import (
    BEYOND,
    CLEAR,
    Steps,
    large_wait,
    mean,
    merged,
    over_sizes,
    pool,
    reuse_distance,
    served_by,
    short,
    sizes_told,
    slab_of,
    slot_wait,
    slots_of,
)

__all__ = ["FLOORS", "Floor", "Security", "reuse_distance"]

PROMISED_SIZE = 1024
"""Bytes of slots up to which a promise is meant when nobody says: the default strategy keeps its own that far."""

GUARDED_BYTES = 8 * SMALL_MAX
"""Bytes of slabs of which the share that is followed by a guard is: those of a slab of the default's largest class."""

FLOORS = ("default", "hardened", "any")
"""The floors that have a name."""

CONCERNED = attrgetter(
    "classes",
    "slab_bytes",
    "delay_line",
    "delay_bytes",
    "quarantine",
    "quarantine_bytes",
    "quarantine_random",
    "large_delay",
    "large_quarantine",
    "randomise",
    "guards",
    "guard_slabs",
    "guard_empty",
    "canaries",
    "check_copies",
    "check_on_reuse",
    "zero_on_free",
    "sample_rate",
    "sample_slots",
    "representable",
    "tags",
)
"""The knobs that security is about; the others change nothing about it."""

REMEMBERED = 4096
"""How many combinations of them have their axes remembered: searches change other knobs mostly."""

_remembered: dict[Any, Security] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What a strategy promises, one axis a field; on each of them more is better.

    Those of type Steps have a value for every size of a block, by the class that serves it, or above the last class by
    its span: see `m4alloc.tune.security_sizes`.
    reuse: how many other blocks of the size are freed before a freed one is used again, at least: by a delay line and
    an ordered quarantine, or by what is held of large blocks. waiting: bytes of freed blocks of more than 1 MiB that
    wait.
    randomise: no number of bits but a level: 0: addresses are given out in order; 1: a batch from a random place of its
    slab, in random order; 2: from all over the slab. entropy_fresh: where addresses are random, bits of the place in
    its slab at which a batch begins. entropy_reused: bits of the slot that a random quarantine gives out.
    guards: whether blocks are large ones that are guarded. guard_slabs: guards for each 256 KiB of slabs, at least.
    guard_empty: whether blocks of no bytes are inaccessible. canaries, check_copies: whether there are any.
    check_on_reuse: bytes in which a write after free shows. poison: slots of the class that wait filled with a pattern.
    erasure: whether all of a freed block is zeroed. Where a freed large block is inaccessible, it is taken for erased,
    and for checked and poisoned as much as can be. held: bytes of such blocks.
    samples: share of allocations on guarded pages; sample_slots: how many such pages there are.
    representable, tags: the names that the strategy gives; a name is comparable only with itself and with none.

    >>> Security.of(Strategy()).reuse[:3]
    ((1024, 16), (2048, 8), (4096, 4))
    """

    reuse: Steps
    waiting: int
    randomise: int
    entropy_fresh: Steps
    entropy_reused: Steps
    guards: Steps
    guard_slabs: float
    guard_empty: bool
    canaries: bool
    check_copies: bool
    check_on_reuse: Steps
    poison: Steps
    erasure: Steps
    held: Steps
    samples: float
    sample_slots: int
    representable: str
    tags: str

    @classmethod
    def of(cls, strategy: Strategy) -> Security:
        """The axes of a strategy: a function of its knobs alone, not of what any program does.

        Cost: a fifth of a millisecond; a few microseconds for a strategy that has all knobs of CONCERNED as one before.

        >>> Security.of(Strategy.hardened()).at_least(Security.of(Strategy()))
        True
        """
        key = CONCERNED(strategy)
        found = _remembered.get(key)
        if found is None:
            if len(_remembered) >= REMEMBERED:
                _remembered.clear()
            found = _remembered[key] = _axes(strategy)
        return found

    def at_least(self, other: Security) -> bool:
        """Whether no axis falls short of the other's: a partial order.

        >>> default, sampled = Security.of(Strategy()), Security.of(Strategy.sampled())
        >>> sampled.at_least(default), default.at_least(sampled)
        (True, False)
        """
        return next(self._short_of(other), None) is None

    def missing(self, other: Security) -> tuple[str, ...]:
        """One line for each axis that falls short of the other's, and by how much; none exactly when `at_least`.

        Of an axis by size the first sizes at which it does; of `reuse` all of them.

        >>> Security.of(Strategy(guard_empty=False)).missing(Security.of(Strategy()))
        ('guard_empty is off; on is wanted',)
        >>> Security.of(Strategy(delay_line=8)).missing(Security.of(Strategy()))
        ('reuse of 1 to 1024 bytes after 8 frees; 16 are wanted',)
        >>> Security.of(Strategy(classes=(16, 1024))).missing(Security.of(Strategy()))
        ()
        """
        return tuple(self._short_of(other))

    def _short_of(self, other: Security) -> Iterator[str]:
        for name in AXES:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine == theirs:
                continue
            if isinstance(mine, tuple):
                for count, (first, last, have, want) in enumerate(short(mine, theirs)):
                    sizes = sizes_told(first, last)
                    if name == "reuse":
                        yield f"reuse of {sizes} after {have} frees; {want} are wanted"
                    elif count:
                        break
                    else:
                        yield f"{name} of {sizes} is {have:.9g}; {want:.9g} is wanted"
            elif isinstance(mine, str):
                if theirs:
                    yield f"{name} is {mine or 'none'}; {theirs} is wanted"
            elif isinstance(mine, bool):
                if theirs:
                    yield f"{name} is off; on is wanted"
            elif mine < theirs - CLEAR:
                yield f"{name} is {mine:.9g}; {theirs:.9g} is wanted"

    @property
    def score(self) -> float:
        """Points: one number for an axis of a picture, monotone under the partial order and no measure of risk.

        A bit of entropy, and a doubling of the distance of reuse, is a point; POINTS says what the rest counts for. Of
        an axis that depends on the size of the block, the mean counts, where each doubling of the size counts the same.

        >>> [round(Security.of(Strategy.named(name)).score, 1) for name in ("default", "sampled", "hardened")]
        [3.7, 4.5, 34.7]
        """
        points = 0.0
        for name, (weight, unit) in POINTS.items():
            value = getattr(self, name)
            if isinstance(value, tuple):
                points += weight * mean(value, lambda one, unit=unit: _doublings(one, unit))  # type: ignore[misc]
            else:
                points += weight * _doublings(value, unit)
        return points


AXES = tuple(field.name for field in fields(Security))
"""The names of the axes."""

POINTS: dict[str, tuple[float, float]] = {
    "reuse": (1.0, 1),
    "waiting": (0.25, UNIT),
    "randomise": (1.0, 0.0),
    "entropy_fresh": (1.0, 0.0),
    "entropy_reused": (1.0, 0.0),
    "guards": (6.0, 0.0),
    "guard_slabs": (4.0, 0.0),
    "guard_empty": (1.0, 0.0),
    "canaries": (4.0, 0.0),
    "check_copies": (2.0, 0.0),
    "check_on_reuse": (0.25, 16),
    "poison": (0.25, 1),
    "erasure": (4.0, 0.0),
    "held": (0.75, UNIT),
    "samples": (0.25, 2**-16),
    "sample_slots": (1 / 16, 1),
    "representable": (2.0, 0.0),
    "tags": (4.0, 0.0),
}
"""Axis to points and unit: a share, a level, a bit or a switch counts for so many points when it is 1, a number for so
many a doubling beyond the unit."""


def _doublings(value: object, unit: float) -> float:
    number = float(bool(value)) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
    return log2(1 + number / unit) if unit else number


def _axes(strategy: Strategy) -> Security:
    """The axes, computed."""
    one, held = strategy, strategy.large_quarantine
    slots = slots_of(one)
    last = slots[-1] if slots else 0
    wait = held or one.large_delay
    fresh, densest = _slabs(slots, tuple(slab_of(one, slot) for slot in slots))
    pooled, reused = _pools(slots, one.quarantine, one.quarantine_bytes)

    def by_size(of_slots: Steps, of_large: float) -> Steps:
        """Of slots, and of large blocks that are inaccessible when they are freed; of others it is nothing."""
        reach = BEYOND if held > CLASS_MAX else held // UNIT * UNIT
        large = [(reach, of_large)] if reach > last else []
        return merged([*of_slots, *large, *([(BEYOND, 0)] if reach < BEYOND else [])])

    def of_slots(value: float) -> Steps:
        return ((last, value),) if slots else ()

    erased = merged((slot, int(slot <= one.zero_on_free)) for slot in slots)
    return Security(
        reuse=over_sizes(one, lambda slot: slot_wait(one, slot), lambda span: large_wait(one, span), CLASS_MAX),
        waiting=wait if wait > CLASS_MAX else 0,
        randomise=one.randomise,
        entropy_fresh=by_size(fresh if one.randomise else of_slots(0), 0),
        entropy_reused=by_size(reused if one.quarantine_random else of_slots(0), 0),
        guards=merged([*of_slots(0), (BEYOND, int(one.guards))]),
        guard_slabs=GUARDED_BYTES / (one.guard_slabs * densest) if one.guard_slabs and densest else 0.0,
        guard_empty=bool(one.guard_empty),
        canaries=bool(one.canaries),
        check_copies=bool(one.check_copies),
        check_on_reuse=by_size(of_slots(one.check_on_reuse & ~15), SMALL_MAX),
        poison=by_size(pooled, LIMITS["quarantine"][1]),
        erasure=by_size(erased, 1),
        held=by_size(of_slots(0), held),
        samples=1 / one.sample_rate if one.sample_rate else 0.0,
        sample_slots=one.sample_slots if one.sample_rate else 0,
        representable=one.representable,
        tags=one.tags,
    )


@lru_cache(maxsize=REMEMBERED)
def _slabs(slots: tuple[int, ...], slabs: tuple[int, ...]) -> tuple[Steps, int]:
    """Bits of the place of a slot in its slab, and bytes of the largest slab."""
    bits = ((slot, log2(slab // slot)) for slot, slab in zip(slots, slabs, strict=True))
    return merged(bits), max(slabs, default=0)


@lru_cache(maxsize=REMEMBERED)
def _pools(slots: tuple[int, ...], quarantine: int, held: int) -> tuple[Steps, Steps]:
    """Slots that a quarantine holds, and bits of one of them."""
    held_of = [(slot, pool(quarantine, held, slot)) for slot in slots]
    return merged(held_of), merged((slot, log2(count) if count else 0) for slot, count in held_of)


@dataclass(frozen=True, slots=True)
class Floor:
    """What a candidate may not fall below: the axes of some strategy, and a promise.

    name: for messages. least: the axes; None: any. promise: frees of its class between the free of a block and the
    reuse of its memory, for every block that takes up to `up_to` bytes, be it a slot or a large one.
    """

    name: str = "any"
    least: Security | None = None
    promise: int = 0
    up_to: int = PROMISED_SIZE

    @classmethod
    def of(cls, floor: Strategy | Security | str | Floor, promise: int | None = None, up_to: int | None = None) -> Self:
        """A floor by name ("default", "hardened", "any"), or at a strategy; or another one with a promise added.

        Raises: StrategyError for another name, a negative promise, and a promise of no size.

        >>> Floor.of("default").missing(Strategy(large_delay=0))[0]
        'reuse of 32769 to 65536 bytes after 0 frees; 8 are wanted'
        >>> Floor.of("any", promise=32).missing(Strategy())
        ('promise of 32 frees up to 1024 bytes: class 16 keeps a freed slot for 16',)
        >>> Floor.of("high")
        Traceback (most recent call last):
        m4alloc.strategy.StrategyError: floor 'high'; there are default, hardened, any
        """
        least: Security | None
        if isinstance(floor, Floor):
            name, least, had, reach = floor.name, floor.least, floor.promise, floor.up_to
        else:
            name, least, had, reach = "a strategy", None, 0, PROMISED_SIZE
            if isinstance(floor, Strategy):
                least = Security.of(floor)
            elif isinstance(floor, Security):
                least = floor
            elif floor not in FLOORS:
                raise StrategyError(f"floor {floor!r}; there are {', '.join(FLOORS)}")
            else:
                name = floor
                least = None if floor == "any" else Security.of(Strategy.named(floor))
        wanted = had if promise is None else promise
        reach = reach if up_to is None else up_to
        if wanted < 0:
            raise StrategyError(f"promise is {wanted}; it must be at least 0")
        if reach < GRANULE:
            raise StrategyError(f"a promise up to {reach} bytes; it must be at least {GRANULE}")
        return cls(name, least, wanted, reach)

    def missing(self, strategy: Strategy) -> tuple[str, ...]:
        """One line for each thing in which the strategy falls below; none exactly when it is admitted."""
        lines = () if self.least is None else Security.of(strategy).missing(self.least)
        broken = self.breaks_promise(strategy)
        return lines if broken is None else (*lines, broken)

    def admits(self, strategy: Strategy) -> bool:
        """Whether the strategy keeps to the floor.

        >>> Floor.of("default").admits(Strategy.sampled()), Floor.of("hardened").admits(Strategy.sampled())
        (True, False)
        """
        if self.least is not None and not Security.of(strategy).at_least(self.least):
            return False
        return self.first_short(strategy) is None

    def breaks_promise(self, strategy: Strategy) -> str | None:
        """What does not keep the promise first, in words: a class, or the large blocks.

        >>> Floor.of("any", promise=16).breaks_promise(Strategy(classes=(16, 512)))
        'promise of 16 frees up to 1024 bytes: a block of more than 512 bytes is used again after 8'
        """
        broken = self.first_short(strategy)
        if broken is None:
            return None
        size, kept = broken
        head = f"promise of {self.promise} frees up to {self.up_to} bytes"
        if size > strategy.classes[-1]:
            return f"{head}: a block of more than {strategy.classes[-1]} bytes is used again after {kept}"
        why = ""
        if strategy.quarantine_random and strategy.quarantine:
            why = f" (its quarantine of {strategy.quarantine} gives out random slots, which counts for nothing)"
        return f"{head}: class {size} keeps a freed slot for {kept}{why}"

    def first_short(self, strategy: Strategy) -> tuple[int, int] | None:
        """The least class that does not keep the promise, and for how many frees it does keep a slot.

        Where all do, `up_to` itself, when blocks of so many bytes are large ones and wait too short.
        """
        for size in self.asked_of(strategy):
            kept = slot_wait(strategy, size)
            if kept < self.promise:
                return size, kept
        if served_by(strategy, self.up_to) is None:
            kept = large_wait(strategy, self.up_to)
            if kept < self.promise:
                return self.up_to, kept
        return None

    def asked_of(self, strategy: Strategy) -> tuple[int, ...]:
        """The classes that have to keep the promise: up to the one that serves blocks of `up_to` bytes.

        >>> Floor(promise=16, up_to=100).asked_of(Strategy(classes=(48, 144, 512)))
        (48, 144)
        """
        slots = slots_of(strategy)
        last = served_by(strategy, self.up_to)
        return slots if last is None else slots[: slots.index(last) + 1]
