"""The values that a search tries of each knob: ladders, class sets, and rules for what is one number a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from m4alloc.strategy import CLASS_MAX, CLASSES_MAX, GRANULE, SLAB_MAX, SMALL_MAX, UNIT, Strategy
from m4alloc.tune.security_sizes import served_by, slab_of, slots_of

PAGE: Final = 4096
SLAB_MOST: Final = 4 << 20
"""Bytes of the largest slab that a rule gives."""


@dataclass(frozen=True, slots=True)
class SlabRule:
    """Slabs that hold at least so many slots and have at least so many bytes; whole units of 64 KiB, up to 4 MiB.

    >>> SlabRule(4)((16, 32768))
    (65536, 131072)
    """

    slots: int
    least: int = UNIT

    def __call__(self, classes: Sequence[int]) -> tuple[int, ...]:
        units = (max(size, min(SLAB_MOST, max(self.least, self.slots * size))) for size in classes)
        return tuple(-(-one // UNIT) * UNIT for one in units)


@dataclass(frozen=True, slots=True)
class ByClass:
    """What was found for one class set; another set's classes get the number of the next larger class there.

    >>> ByClass((16, 64, 256), (100, 50, 25))((16, 32, 64, 512))
    (100, 50, 50, 25)
    """

    classes: tuple[int, ...]
    values: tuple[int, ...]

    def __call__(self, classes: Sequence[int]) -> tuple[int, ...]:
        if tuple(classes) == self.classes:
            return self.values
        found = []
        for size in classes:
            at = next((i for i, own in enumerate(self.classes) if own >= size), len(self.classes) - 1)
            found.append(self.values[at])
        return tuple(found)


@dataclass(frozen=True, slots=True)
class SlabsByClass(ByClass):
    """The same for bytes of slabs, which must hold a slot of whichever class at least.

    >>> SlabsByClass((16, 65536), (65536, 65536))((16, 131072))
    (65536, 131072)
    """

    def __call__(self, classes: Sequence[int]) -> tuple[int, ...]:
        found = ByClass.__call__(self, classes)
        return tuple(max(value, -(-size // UNIT) * UNIT) for value, size in zip(found, classes, strict=True))


@dataclass(frozen=True, slots=True)
class SlabsAsRandom:
    """Slabs with as many slots as those have, in another strategy, that serve the blocks of a class.

    So a block has as many places at random as it has there.

    >>> SlabsAsRandom(Strategy())((16, 64, 8192, 32768))
    (65536, 131072, 6750208, 393216)
    """

    other: Strategy

    def __call__(self, classes: Sequence[int]) -> tuple[int, ...]:
        found = []
        for below, size in zip((0, *classes), classes, strict=False):
            last = served_by(self.other, size) or CLASS_MAX
            served = [slot for slot in slots_of(self.other) if below < slot <= last]
            slots = max((slab_of(self.other, slot) // slot for slot in served), default=8)
            found.append(min(SLAB_MAX, -(-slots * size // UNIT) * UNIT))
        return tuple(found)


def found_for(name: str, classes: Sequence[int], values: Sequence[int]) -> ByClass:
    """The rule that gives these values of slab_bytes or stack_depths for these classes."""
    return (SlabsByClass if name == "slab_bytes" else ByClass)(tuple(classes), tuple(values))


PER_CLASS: Final = frozenset({"slab_bytes", "stack_depths"})
"""Fields of Strategy with one number a class; in a menu they are rules, called with the classes, or ()."""

LADDERS: Final[Mapping[str, Sequence[Any]]] = {
    "large": (0, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576),
    "slab_bytes": (
        (),
        SlabRule(1),
        SlabRule(2),
        SlabRule(4),
        SlabRule(16),
        SlabRule(8, 2 * UNIT),
        SlabRule(8, 4 * UNIT),
    ),
    "stack_depths": ((),),
    "stack_depth": (16, 64, 256, 1024, 4096, 16384, 65536),
    "stack_bytes": (64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20),
    "refill_batch": (8, 16, 32, 64, 128, 256, 1024),
    "retain_bytes": (0, 1 << 20, 8 << 20, 32 << 20, 128 << 20, 1 << 30),
    "retain_share": (0, 10, 25, 50, 100, 200, 1000),
    "retain_ms": (0, 10, 100, 1000, 10_000, 1_000_000),
    "placement": (0, 1, 2),
    "prefault": (0, 16 << 10, 64 << 10, 256 << 10, 1 << 20),
    "huge_pages": (0, 1, 2),
    "delay_line": (0, 4, 8, 16, 32, 64, 256),
    "delay_bytes": (0, 4 << 10, 16 << 10, 20 << 10, 32 << 10, 64 << 10, 512 << 10, 2 << 20),
    "quarantine": (0, 8, 32, 128, 512),
    "quarantine_bytes": (32 << 10, 256 << 10, 1 << 20),
    "quarantine_random": (False, True),
    "large_delay": (0, 128 << 10, 512 << 10, 2 << 20, 8 << 20),
    "large_quarantine": (0, 16 << 20, 64 << 20, 1 << 30),
    "randomise": (0, 1, 2),
    "guards": (False, True),
    "guard_slabs": (0, 16, 4, 1),
    "guard_empty": (False, True),
    "zero_on_free": (0, 1024, SMALL_MAX),
    "check_on_reuse": (0, 64, 1024),
    "canaries": (False, True),
}
"""Of each knob its sensible values in an order in which neighbours are alike. Knobs that only observe (history,
side_bytes, samples), and those that the program's surroundings decide (check_copies, reserve, representable, tags), are
not searched."""

SAFER: Final[Mapping[str, Callable[[Sequence[Any]], Any]]] = {
    "delay_line": max,
    "delay_bytes": max,
    "quarantine": max,
    "quarantine_bytes": max,
    "quarantine_random": min,
    "large_delay": max,
    "large_quarantine": max,
    "randomise": max,
    "guards": max,
    "guard_slabs": lambda values: min(filter(None, values), default=0),
    "guard_empty": max,
    "zero_on_free": max,
    "check_on_reuse": max,
    "canaries": max,
}
"""How the value that promises the most is picked from a menu; other knobs promise nothing."""

LIFTS: Final = ("delay_bytes", "large_delay", "delay_line")
"""Knobs of which more may make up for what others took from security: a class of 64 KiB instead of a large block needs
a delay line of as many bytes."""

LIFTS_TOGETHER: Final = ("delay_bytes", "large_delay", "quarantine_bytes", "guard_slabs", "slab_bytes")
"""And knobs that may do so together: with fewer classes, a random quarantine needs more bytes to hold as many slots of
the larger ones, and a slab to have as many, and with larger slabs more of them need a guard."""

NEEDS: Final[Mapping[str, tuple[str, bool]]] = {
    "delay_bytes": ("delay_line", True),
    "quarantine_bytes": ("quarantine", True),
    "quarantine_random": ("quarantine", True),
    "stack_depth": ("stack_depths", False),
    "stack_bytes": ("stack_depths", False),
}
"""A knob on the left means nothing unless the other is set (True), or is not (False)."""


def spaced(steps: int, fine: int = SMALL_MAX, coarse: int = 0) -> tuple[int, ...]:
    """Classes up to 32,768 with so many steps a doubling, above `fine` bytes with `coarse` steps.

    >>> spaced(1)
    (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
    >>> len(spaced(2)), len(spaced(4)), len(spaced(8, 2048, 4))
    (22, 40, 56)
    """
    sizes = [GRANULE]
    low = GRANULE
    while low < SMALL_MAX:
        count = steps if low < fine else coarse or steps
        for part in range(1, count + 1):
            size = low + low * part // count
            sizes.append(-(-size // GRANULE) * GRANULE)
        low *= 2
    return tuple(sorted(set(sizes)))


def class_sets(own: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Class sets worth trying whatever the program: the one given, and geometric ones from 12 to 64 classes."""
    return [spaced(1), spaced(2), spaced(4), spaced(8, 2048, 4), own]


def ending_at(classes: Sequence[int], end: int) -> tuple[int, ...]:
    """The class set made to end at `end` bytes; 0: as it is.

    Cut off, or gone on above with two classes a doubling, in whole pages, as far as there may be so many classes.

    >>> ending_at((16, 1024, 32768), 8192), ending_at((16, 32768), 131072)
    ((16, 1024, 8192), (16, 32768, 49152, 65536, 98304, 131072))
    """
    if not end or classes[-1] == end:
        return tuple(classes)
    kept = [size for size in classes if size < end]
    if end > SMALL_MAX and classes[-1] < end:
        size = max(SMALL_MAX, classes[-1])
        if classes[-1] < SMALL_MAX:
            kept.append(SMALL_MAX)
        above = []
        for step in _halves(size, min(end, CLASS_MAX)):
            above.append(step)
        kept.extend(above[max(0, len(above) - (CLASSES_MAX - 1 - len(kept))) :] if above else [])
    return (*kept, end)


def _halves(low: int, end: int) -> list[int]:
    """Between both: the powers of two, and one size halfway between two of them."""
    found = []
    power = 1 << (low.bit_length() - 1)
    while power < end:
        for size in (power, power + power // 2):
            if low < size < end:
                found.append(-(-size // PAGE) * PAGE)
        power *= 2
    return found
