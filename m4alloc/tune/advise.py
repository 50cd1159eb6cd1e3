"""Settings of other allocators for a program, from its behaviour: what each can be told, and what it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from m4alloc.bench.peer import GLIBC, Peer
from m4alloc.tune.advise_features import LARGE, SMALL, Features
from m4alloc.view.quantity import binary_size, number, plural, size
from m4alloc.view.text import printable

__all__ = ["TUNED", "Advice", "Features", "Goal", "advise", "advised_peers", "text"]

Goal = Literal["time", "memory"]
TUNED = "tuned"
DEEP = {"jemalloc": 64, GLIBC: 7}
"""Free blocks of a size that a thread keeps unless it is told otherwise; of jemalloc's it depends on the size."""
JEMALLOC_SLOTS, GLIBC_SLOTS = 8190, 65535
"""The most that they take: CACHE_BIN_NCACHED_MAX of jemalloc 5.3, even; MAX_TCACHE_COUNT of glibc 2.31 and later."""
JEMALLOC_CACHED, GLIBC_CACHED = 8 << 20, 1032
"""The largest blocks that they can be told to keep in the caches of threads."""
TCMALLOC_CACHES = 32 << 20
OVERSIZE = 8 << 20
"""From here on jemalloc serves a block from an arena that gives freed pages back at once."""
AGAIN, OFTEN = 2.0, 16
"""Large memory is used over and over: so many times over, and in so many calls."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Settings of an allocator. variables: of the environment, with their values; none: its defaults fit.

    why: a reason for each setting, in words. absent: what the program would want and this allocator cannot be told.
    """

    allocator: str
    variables: tuple[tuple[str, str], ...]
    why: tuple[str, ...]
    absent: tuple[str, ...] = ()

    def peer(self, base: Peer) -> Peer:
        """The allocator with these settings, under a name of its own.

        >>> Advice("glibc", (("GLIBC_TUNABLES", "glibc.malloc.arena_max=1"),), ()).peer(Peer("glibc", "")).name
        'glibc:tuned'
        """
        return Peer(f"{base.name}:{TUNED}", base.preload, base.strategy, (*base.settings, *self.variables))

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def advise(features: Features, *, goal: Goal = "time") -> tuple[Advice, ...]:
    """What jemalloc 5.3, mimalloc 2.0.9, glibc 2.36 and gperftools' tcmalloc could be told for such a program.

    goal: "time" keeps memory so that it need not be asked for again; "memory" gives it back. Nothing of this is known
    to help before it is measured: see m4alloc.tune.measure.

    >>> small = Features(threads=1, live=1 << 20, hot=(64,), depth=1000, cached=64000)
    >>> {one.allocator: dict(one.variables) for one in advise(small)}["glibc"]
    {'GLIBC_TUNABLES': 'glibc.malloc.tcache_count=1000'}
    """
    makers: Sequence[Callable[[Features, Goal], Advice]] = (_glibc, _jemalloc, _mimalloc, _tcmalloc)
    return tuple(make(features, goal) for make in makers)


def advised_peers(found: Sequence[Peer], advice: Sequence[Advice]) -> list[Peer]:
    """The allocators among `found` that have been advised something, with it."""
    by_name: Mapping[str, Peer] = {peer.name: peer for peer in found}
    return [one.peer(by_name[one.allocator]) for one in advice if one.variables and one.allocator in by_name]


def text(advice: Sequence[Advice]) -> str:
    """The advice as lines for a terminal: what to set, why, and what cannot be set.

    >>> print(text([Advice("glibc", (("GLIBC_TUNABLES", "glibc.malloc.arena_max=1"),), ("one thread",))]))
    glibc: GLIBC_TUNABLES=glibc.malloc.arena_max=1
      one thread
    """
    lines = []
    for one in advice:
        settings = " ".join(f"{name}={printable(value)}" for name, value in one.variables)
        lines.append(f"{one.allocator}: {settings or 'nothing to set: the defaults fit'}")
        lines += [f"  {reason}" for reason in one.why]
        lines += [f"  cannot be set: {what}" for what in one.absent]
    return "\n".join(lines)


@dataclass(slots=True)
class _Draft:
    """Settings and their reasons, as they are thought of."""

    settings: list[tuple[str, str]]
    why: list[str]
    absent: list[str]

    def set(self, why: str, **settings: object) -> None:
        self.settings += [(name, str(value)) for name, value in settings.items()]
        self.why.append(f"{', '.join(settings)}: {why}")

    def advice(self, allocator: str, named: Callable[[list[tuple[str, str]]], list[tuple[str, str]]]) -> Advice:
        return Advice(
            allocator, tuple(named(self.settings) if self.settings else ()), tuple(self.why), tuple(self.absent)
        )


def _churns(features: Features) -> bool:
    """Whether large memory is used over and over, so that giving it back costs faults."""
    return features.reused >= AGAIN and features.large >= OFTEN


def _deep(features: Features) -> str:
    return f"up to {plural(features.depth, 'block')} of one size are freed and soon needed again"


def _churn(features: Features) -> str:
    blocks = f"blocks of {binary_size(LARGE)} and more"
    return f"{size(features.large_live)} in {blocks} are used {features.reused:,.0f} times over"


def _power(value: int) -> int:
    """The next power of two.

    >>> _power(5), _power(8)
    (8, 8)
    """
    return 1 << max(0, value - 1).bit_length()


def _glibc(features: Features, goal: Goal) -> Advice:
    draft = _Draft([], [], [])
    if goal == "memory":
        draft.set("free memory at the top of the heap is given back sooner", trim_threshold=65536, top_pad=0)
        if features.threads > 1:
            draft.set("an arena a thread keeps what the others could use", arena_max=1)
    else:
        if features.depth > DEEP[GLIBC]:
            keep = min(GLIBC_SLOTS, features.depth)
            draft.set(f"{_deep(features)}, 7 are kept; before glibc 2.31 it takes 127 at most", tcache_count=keep)
        if _churns(features):
            draft.set(
                f"{_churn(features)}: not mapped anew each time, nor given back",
                mmap_threshold=_power(features.largest + 4096),
                trim_threshold=2 * _power(max(features.live, features.largest)),
            )
        if features.threads > 1:
            draft.absent.append("what the caches of threads keep of all sizes together")
    if any(one > GLIBC_CACHED for one in features.hot):
        draft.absent.append(f"caches of threads for blocks of more than {number(GLIBC_CACHED)} bytes")
    draft.absent.append("size classes; how long free pages are kept")

    def named(settings: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [("GLIBC_TUNABLES", ":".join(f"glibc.malloc.{name}={value}" for name, value in settings))]

    return draft.advice(GLIBC, named)


def _jemalloc(features: Features, goal: Goal) -> Advice:
    draft = _Draft([], [], [])
    few = "one thread needs one arena" if features.threads == 1 else "an arena a thread is enough"
    if 0 < features.threads <= 8:
        draft.set(few, narenas=features.threads if goal == "time" else 1)
    if goal == "memory":
        draft.set("free pages are given back at once", dirty_decay_ms=0, muzzy_decay_ms=0)
        draft.set("threads keep few blocks", lg_tcache_nslots_mul=-1)
    else:
        if features.depth > DEEP["jemalloc"]:
            keep = min(JEMALLOC_SLOTS, _power(features.depth))
            draft.set(
                f"{_deep(features)}, 20 to 200 are kept, by size",
                tcache_nslots_small_min=keep,
                tcache_nslots_small_max=keep,
            )
        if features.middle > OFTEN and features.largest > SMALL:
            most = min(JEMALLOC_CACHED, _power(features.largest))
            draft.set(f"{plural(features.middle, 'call')} for more than {binary_size(SMALL)}", tcache_max=most)
        if _churns(features):
            draft.set(f"{_churn(features)}: pages are kept", dirty_decay_ms=-1, muzzy_decay_ms=-1)
            if features.largest >= OVERSIZE:
                draft.set(
                    f"blocks from {binary_size(OVERSIZE)} on would come from an arena that gives pages back at once",
                    oversize_threshold=0,
                )
    draft.absent.append("size classes; a bound on free pages by amount: they leave by time only")

    def named(settings: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [("MALLOC_CONF", ",".join(f"{name}:{value}" for name, value in settings))]

    return draft.advice("jemalloc", named)


def _mimalloc(features: Features, goal: Goal) -> Advice:
    draft = _Draft([], [], [])
    if goal == "memory":
        draft.set(
            "free pages are given back at once; since 2.1 it is PURGE_DELAY",
            PAGE_RESET=1,
            DECOMMIT_DELAY=0,
            SEGMENT_DECOMMIT_DELAY=0,
            PURGE_DELAY=0,
        )
    elif _churns(features):
        reserve = -(-2 * features.large_live // 2**20)
        draft.set(
            f"{_churn(features)}: they stay in one area reserved at the start, instead of being mapped and unmapped",
            RESERVE_OS_MEMORY=f"{reserve}MiB",
        )
        draft.set("and keep their pages; since 2.1 it is PURGE_DELAY", ALLOW_DECOMMIT=0, PURGE_DELAY=-1)
    draft.absent.append("depth of thread caches (its free lists have no end); arenas; size classes")

    def named(settings: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(f"MIMALLOC_{name}", value) for name, value in settings]

    return draft.advice("mimalloc", named)


def _tcmalloc(features: Features, goal: Goal) -> Advice:
    draft = _Draft([], [], [])
    if goal == "memory":
        draft.set("free pages are given back at once", AGGRESSIVE_DECOMMIT=1, RELEASE_RATE=10)
        least = max(1 << 20, features.threads << 19)
        draft.set(
            f"threads keep little; the default is {binary_size(TCMALLOC_CACHES)}", MAX_TOTAL_THREAD_CACHE_BYTES=least
        )
    else:
        wanted = _power(2 * features.cached)
        if wanted > TCMALLOC_CACHES:
            told = f"{_deep(features)}, {size(features.cached)} of the hot sizes together"
            draft.set(told, MAX_TOTAL_THREAD_CACHE_BYTES=min(1 << 30, wanted))
        if _churns(features):
            draft.set(f"{_churn(features)}: pages are kept", RELEASE_RATE=0)
    draft.absent.append("depth of thread caches by size; size classes; arenas (there are none)")

    def named(settings: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(f"TCMALLOC_{name}", value) for name, value in settings]

    return draft.advice("tcmalloc", named)
