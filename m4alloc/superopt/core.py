"""What the core's own invariants promise, as facts for proofs about its code, each with the place that keeps it.

A fact of the core's source is read from that source; a fact of a Strategy names it, and `broken` checks it anew for any
other, which is what is asked of a Strategy that is loaded.  A piece of code that rests on a fact is in core_pieces.
"""

from __future__ import annotations

import re
from pathlib import Path

from m4alloc import _build
from m4alloc.strategy import CLASS_MAX, GRANULE, SLAB_MAX, SMALL_MAX, UNIT, Strategy
from m4alloc.superopt.facts import Fact

CORE = Path(_build.__file__).parent / "_core"
"""The core's source."""
WORD = 1 << 64
EIGHT = 0x0101010101010101
"""1 in each of eight bytes."""

_ENUM = re.compile(r"cdef enum SlotState:.*?\n((?: {4}\w+ = \d+.*\n)+)")


class CoreError(ValueError):
    """The core's source has not got what a fact is read from; the message says what was looked for."""


def slot_states(types: str | None = None) -> dict[str, int]:
    """The states of a slot and their numbers, as the core's types.pxd has them.

    types: the text, the core's own by default.  Raises CoreError.

    >>> slot_states()["FREE"], slot_states()["REMOTE"]
    (0, 4)
    """
    text = (CORE / "types.pxd").read_text() if types is None else types
    found = _ENUM.search(text)
    if found is None:
        raise CoreError("types.pxd has no `cdef enum SlotState:` with a state a line")
    lines = (line.split("#")[0] for line in found.group(1).splitlines())
    return {name: int(number) for line in lines for name, number in re.findall(r"(\w+) = (\d+)", line)}


def states_fact(name: str, types: str | None = None) -> Fact:
    """That each byte of the argument `name` is a state of a slot, as a mask of bits that no state has.

    Whatever a racing read of eight states sees, each byte is what some thread has written, and that is a SlotState.

    >>> states_fact("states").text
    'states & 0xf8f8f8f8f8f8f8f8 == 0'
    """
    states = slot_states(types)
    most = max(states.values())
    unused = (0xFF << most.bit_length() & 0xFF) * EIGHT
    last = next(word for word, number in states.items() if number == most)
    return Fact(f"{name} & {unused:#x} == 0", f"core: every slot state is at most {most} ({last}), types.pxd")


def alignment_facts(name: str = "alignment") -> tuple[Fact, ...]:
    """Of an alignment that reaches the choice of a class: whoever takes one from outside has refused all others."""
    return (
        Fact(f"popcount({name}) == 1", "core: request_aligned, _malloc_names.h and aligned_alloc refuse others"),
        Fact(f"{name} <= {UNIT}", "core: aligned_class returns before"),
    )


def small_fact(name: str = "size") -> Fact:
    """Of a request that the hot path knows."""
    return Fact(f"{name} <= {SMALL_MAX}", "core: allocate takes the slow path above SMALL_MAX")


def class_facts(strategy: Strategy, name: str, variable: str = "slot") -> tuple[Fact, ...]:
    """Of a slot size of the strategy called `name`, the fact's origin.

    >>> [fact.text for fact in class_facts(Strategy.default(), "default")]
    ['16 <= slot <= 32768', 'slot % 16 == 0']
    """
    origin = f"strategy {name}: its {len(strategy.classes)} classes"
    return (
        Fact(f"{strategy.classes[0]} <= {variable} <= {strategy.classes[-1]}", origin),
        Fact(f"{variable} % {GRANULE} == 0", origin),
    )


def slab_of(strategy: Strategy, place: int) -> int:
    """Bytes of a slab of the class at that place: as given, else the least power of two that holds eight slots."""
    if strategy.slab_bytes:
        return strategy.slab_bytes[place]
    return max(UNIT, 1 << (8 * strategy.classes[place] - 1).bit_length())


def broken(strategy: Strategy) -> list[str]:
    """What of the class tables' facts does not hold for the strategy; [] for all that holds.  Cost: O(classes).

    Each class is a multiple of a granule up to CLASS_MAX, and its reciprocal r = ceil(2**64 / slot) finds a slot and
    rejects every other address of the slab, by the inequalities that slot_state's comment derives: with
    e = slot * r - 2**64 and q the last slot, q * e < r and (slot - 1) * r + q * e < 2**64.

    >>> broken(Strategy.hardened())
    []
    """
    wrong = []
    for place, slot in enumerate(strategy.classes):
        if slot % GRANULE or not 0 < slot <= CLASS_MAX:
            wrong.append(f"class {slot}: a multiple of {GRANULE} up to {CLASS_MAX} was expected")
            continue
        slab = slab_of(strategy, place)
        if slab > SLAB_MAX:
            wrong.append(f"class {slot}: its slabs have {slab} bytes, more than {SLAB_MAX}")
        if not reciprocal_holds(slot, slab):
            wrong.append(f"class {slot}: its reciprocal does not tell slots of a slab of {slab} bytes")
    return wrong


def reciprocal_holds(slot: int, slab: int) -> bool:
    """The product of a distance below `slab` and ceil(2**64 / slot) tells the slot, and whether one starts there.

    >>> reciprocal_holds(48, 1 << 16), reciprocal_holds(48, 1 << 62)
    (True, False)
    """
    reciprocal = -(-WORD // slot)
    excess = slot * reciprocal - WORD
    last = (slab - 1) // slot
    return last * excess < reciprocal and (slot - 1) * reciprocal + last * excess < WORD
