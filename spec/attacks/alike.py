"""Alike: tags are names. A policy that only asks whether two of them are equal treats a renaming as the same state.

Going through every draw of three blocks takes thousands of states, but under renaming they are a handful. What may be
renamed is stated here for each policy, and nothing is for one that this file does not know; a test compares the result
with that of going through everything.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from capability.adi.protection import Adi
from capability.architecture import Architecture
from capability.fault import Fault
from capability.mte.policy import Glibc, HardenedMalloc, PartitionAlloc, RandomTags, Scudo, Xzone
from capability.mte.protection import MTE
from capability.mte.site import LatestTags
from capability.mte.tag import TAGS, members
from spec.attacks.pointers import visible_tag
from spec.attacks.seam import Derived, Entry, Made, State

_ITSELF = -1
_COUNTED = -2


def kinds(architecture: Architecture, fixed: Iterable[int] = ()) -> tuple[int, ...]:
    """For each tag the kind of it; tags of a kind are alike, and a kind of -1 is like no other tag.

    fixed: the tags that an attack names. Where tags are counted up, -2, only how far apart they are is the same.

    >>> kinds(MTE(Scudo(odd_even=True)), fixed=[5])
    (-1, 1, 0, 1, 0, -1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1)
    """
    found, named = _kinds(architecture), {*fixed} - {0}
    if named and _COUNTED in found:
        return (_ITSELF,) * TAGS
    return tuple(_ITSELF if tag in named else kind for tag, kind in enumerate(found))


def _kinds(architecture: Architecture) -> list[int]:
    policy = architecture.policy if isinstance(architecture, MTE | Adi) else None
    match policy:
        case RandomTags():
            return _all_but(*members(policy.exclude))
        case Scudo() if policy.odd_even:
            return [_ITSELF, *(tag & 1 for tag in range(1, TAGS))]
        case Glibc() | Scudo() | Xzone():
            return _all_but(0)
        case HardenedMalloc():
            return _all_but(0, policy.reserved)
        case PartitionAlloc():
            return [_ITSELF, *[_COUNTED] * (TAGS - 1)]
    if isinstance(architecture, Adi):
        return _all_but(*{*range(TAGS)} - {*architecture.policy.live})
    return [_ITSELF] * TAGS


def _all_but(*apart: int) -> list[int]:
    return [_ITSELF if tag in apart else 0 for tag in range(TAGS)]


def renamed(tags: Iterable[int | None], kinds: Sequence[int]) -> tuple[Hashable, ...]:
    """The tags with those of each kind numbered in the order in which they appear; where they count, from the first.

    >>> renamed([3, 9, 3, 0], kinds(MTE())) == renamed([7, 1, 7, 0], kinds(MTE()))
    True
    """
    names: dict[int, tuple[int, int]] = {}
    found: list[Hashable] = []
    first: int | None = None
    for tag in tags:
        if tag is None or kinds[tag] == _ITSELF:
            found.append(tag)
        elif kinds[tag] == _COUNTED:
            first = tag if first is None else first
            found.append((_COUNTED, (tag - first) % (TAGS - 1)))
        else:
            found.append(names.setdefault(tag, (kinds[tag], len(names))))
    return tuple(found)


class Likeness:
    """Which states of one log no later entry tells apart but by the names of tags."""

    def __init__(self, log: Sequence[Entry], architecture: Architecture) -> None:
        derived = [entry for entry in log if isinstance(entry, Derived)]
        self._kinds = kinds(architecture, [entry.make.tag for entry in log if isinstance(entry, Made)])
        # Tags are written for whole blocks: between two ends of blocks all granules have the same.
        unit = architecture.granule
        ends = sorted({end for entry in derived for end in (entry.base, -(-(entry.base + entry.size) // unit) * unit)})
        self._granules = ends[:-1]
        self._base, self._size = (ends[0], ends[-1] - ends[0]) if ends else (0, 0)
        self._remembers = isinstance(architecture, MTE) and isinstance(architecture.policy, HardenedMalloc)

    def key(self, state: State) -> Hashable:
        """Equal for two states that are alike.  Cost: O(bytes of the blocks)."""
        memory = state.memory
        tags = [visible_tag(pointer) for _, pointer in sorted(state.pointers.items())]
        tags += [memory.allocation_tag(at) for at in self._granules]
        if self._remembers:
            latest = memory.state(LatestTags)
            tags += [latest.of(at) for at in self._granules]
        try:
            memory.copy().synchronise()
            pending = None
        except Fault as fault:
            pending = fault.kind
        failed = None if state.fault is None else state.fault[0]
        contents = memory.load(self._base, self._size)
        data = tuple(sorted(state.data.items()))
        return renamed(tags, self._kinds), tuple(sorted(state.pointers)), contents, data, state.skip, pending, failed
