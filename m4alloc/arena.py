"""The allocator from Python: Arena, Block, Stats, and malloc and free on addresses, on whichever backend is here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from m4alloc import _backend

if TYPE_CHECKING:
    from m4alloc import _fast as core
    from spec.event import Event
elif _backend.backend == "fast":
    from m4alloc import _fast as core
else:
    from m4alloc import _pure as core

    _backend.announce_pure()

Block = core.Block
malloc, calloc, realloc = core.malloc, core.calloc, core.realloc
aligned_alloc, free, usable_size = core.aligned_alloc, core.free, core.usable_size


@dataclass(frozen=True, slots=True)
class Stats:
    """What an arena holds, in bytes unless the name says otherwise.

    live: usable size of all live blocks. spans: memory in slabs and large blocks, live or not. misuses: calls refused.
    """

    live_blocks: int
    live: int
    spans: int
    spans_peak: int
    committed: int
    misuses: int

    def _repr_html_(self) -> str:
        from spec.picture import table

        rows = [[field.name.replace("_", " "), f"{getattr(self, field.name):,}"] for field in fields(self)]
        return table(rows, right=[1])


class ArenaFace:
    """What an Arena can do on every backend beyond the backend's own methods: statistics, and recording."""

    if TYPE_CHECKING:

        def totals(self) -> dict[str, int]: ...
        def classes(self) -> list[dict[str, int]]: ...
        @property
        def closed(self) -> bool: ...

    def stats(self) -> Stats:
        """What the arena holds now. Cost: O(slots).

        >>> with Arena(1 << 20) as arena:
        ...     block = arena.malloc(100)
        ...     arena.stats().live_blocks
        1
        """
        totals = self.totals()
        return Stats(**{field.name: totals[field.name] for field in fields(Stats)})

    @contextmanager
    def record(self) -> Iterator[list[Event]]:
        """The requests made of this arena while the `with` block runs, as events with their replies and evidence.

        Blocks that close() takes back give no event: nobody asked for them. Costs nothing when not in use; while
        recording, calls also scan calloc's zeros and compare realloc's kept bytes. Recordings may be nested.

        >>> with Arena(1 << 20) as arena, arena.record() as events:
        ...     arena.free(arena.malloc(24))
        >>> [event.function.name for event in events]
        ['MALLOC', 'FREE']
        """
        from m4alloc._recording import Recording  # which needs the specification's events; an Arena alone does not

        recording = Recording(self)
        recording.begin()
        try:
            yield recording.events
        finally:
            recording.end()

    def _repr_html_(self) -> str:
        """For notebooks: its figures, and how the slots of each size class are divided."""
        from m4alloc.view.notebook import arena

        return arena(self)

    def __repr__(self) -> str:
        if self.closed:
            return "<Arena, closed>"
        totals = self.totals()
        return f"<Arena with {totals['live_blocks']} live blocks, {totals['live']} bytes>"


class Arena(ArenaFace, core.Arena):
    __doc__ = core.Arena.__doc__
