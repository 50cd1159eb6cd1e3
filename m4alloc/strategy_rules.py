"""What a strategy has to do with hardware: sizes that a capability bounds exactly, and policies of tags by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from m4alloc.strategy import CLASS_MAX, GRANULE, PAGE, SMALL_MAX, UNIT, StrategyError

if TYPE_CHECKING:
    from capability.architecture import Architecture
    from capability.cheri.format import Format

SHORT = {"morello": "128m", "isav9": "128", "riscv": "128r"}
"""Names of formats that their users know, besides those of capability.cheri.formats.FORMATS."""
SWEPT = 16 << 20
"""Bytes freed between two sweeps of the reference's revocation, as CheriBSD's quarantine is of that order."""


def format_names() -> tuple[str, ...]:
    """Every name that `representable` may have.

    >>> format_names()
    ('128', '128m', '128r', '64', '64r', 'cheriot', 'isav9', 'morello', 'riscv')
    """
    from capability.cheri.formats import FORMATS

    return tuple(sorted({*FORMATS, *SHORT}))


def format_named(name: str) -> Format:
    """The capability format of that name.

    Raises: StrategyError, with the names there are.
    """
    from capability.cheri.formats import FORMATS

    found = FORMATS.get(SHORT.get(name, name))
    if found is None:
        raise StrategyError(f"representable is {name!r}; there are {', '.join(format_names())}")
    return found


def tag_names() -> tuple[str, ...]:
    """Every name that `tags` may have: the policies of memory tagging, and adi.

    >>> tag_names()
    ('adi', 'glibc', 'hardened_malloc', 'partition_alloc', 'random', 'scudo', 'scudo-odd-even', 'xzone')
    """
    from capability.mte.policy import POLICIES

    return tuple(sorted({*POLICIES, "adi"}))


def tag_policy(name: str) -> str:
    """The name as capability has it: "hardened-malloc" is hardened_malloc.

    Raises: StrategyError, with the names there are.

    >>> tag_policy("partition-alloc")
    'partition_alloc'
    """
    for known in tag_names():
        if name.replace("-", "_") == known.replace("-", "_"):
            return known
    raise StrategyError(f"tags is {name!r}; there are {', '.join(tag_names())}")


def next_representable(size: int, format: str) -> int | None:
    """The least class size from `size` on that a capability bounds exactly in every slot of every slab; None: none is.

    A slot starts at a multiple of its size from a multiple of 65,536. Its bounds are exact when the alignment that the
    format wants of that length divides both, so that it divides the start and the end.

    >>> next_representable(16400, "morello"), next_representable(16400, "cheriot")
    (16400, 16448)
    >>> next_representable(1 << 20, "64")  # would have to lie at multiples of 131,072
    """
    from capability.cheri.narrow import required_alignment

    bounds = format_named(format)
    while size <= CLASS_MAX:
        step = max(required_alignment(bounds, size), GRANULE if size <= SMALL_MAX else PAGE)
        if step > UNIT:
            return None
        if size % step == 0:
            return size
        size += -size % step
    return None


def representable_classes(classes: Iterable[int], format: str) -> tuple[int, ...]:
    """The classes, each rounded up to what a capability of the format bounds exactly wherever a slab puts it.

    Sizes that become one are one class; the result increases. Cost: a few steps a class.
    Raises: StrategyError where the format has no such size up to 1,048,576, or is none that is known.

    >>> representable_classes((16, 16416, 16424, 40000), "cheriot")
    (16, 16448, 40960)
    """
    rounded = set()
    for size in classes:
        found = next_representable(size, format)
        if found is None:
            raise StrategyError(f"class {size}: {format} bounds no slot of {size} to {CLASS_MAX} bytes exactly")
        rounded.add(found)
    return tuple(sorted(rounded))


def check_representable(classes: Iterable[int], format: str) -> None:
    """Raise StrategyError unless a capability of the format bounds every slot exactly; it says what would be right.

    >>> check_representable((16, 16416), "cheriot")
    Traceback (most recent call last):
    m4alloc.strategy.StrategyError: class 16416 is not representable by cheriot; the next size that is: 16448
    """
    for size in classes:
        found = next_representable(size, format)
        if found is None:
            raise StrategyError(f"class {size} is not representable by {format}, nor is any larger size")
        if found != size:
            raise StrategyError(f"class {size} is not representable by {format}; the next size that is: {found}")


def architecture_of(representable: str, tags: str) -> Architecture:
    """The hardware that a strategy is for, as the reference allocator wants it: CHERI, MTE, ADI, or none.

    CHERI sweeps after each 16 MiB freed. Raises: StrategyError, also for both at once.

    >>> [architecture_of(*names).granule for names in (("", "scudo"), ("morello", ""), ("", "adi"))]
    [16, 16, 64]
    """
    from capability.flat import Flat

    if representable and tags:
        raise StrategyError(f"representable is {representable!r} and tags is {tags!r}; no machine has both")
    if representable:
        from capability.cheri.isa import ISAS
        from capability.cheri.protection import Cheri

        bounds = format_named(representable)
        return Cheri(next(isa for isa in ISAS if isa.format is bounds), sweep_at=SWEPT)
    if tags:
        policy = tag_policy(tags)
        if policy == "adi":
            from capability.adi.protection import Adi

            return Adi()
        from capability.mte.policy import POLICIES
        from capability.mte.protection import MTE

        return MTE(POLICIES[policy])
    return Flat()
