"""Addresses for requests: a history's calls made again, one after another, on the reference policy or on a library.

Some formats name a block by a number, or not at all. Where the blocks of such a history lay is for an allocator to say,
so one is run. The same puts the requests of any history on another allocator.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from m4alloc.check.progress import Progress, Silent
from m4alloc.trace.format import RECORD
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.problem import FormatError
from m4alloc.trace.operations import Operations, compile_trace
from m4alloc.trace.preload import AllocatorError
from m4alloc.trace.read import Records
from m4alloc.view.quantity import plural
from spec.event import RESIZING, Function
from spec.free import FreeRanges
from spec.policy import FirstFit

REFERENCE = "reference"
"""The name of the reference policy: first fit, no headers, in one arena from 4 GiB on."""
BASE = 1 << 32
UNIT = 16
PAGE = 4096
NAMES = (REFERENCE, "m4alloc", "system")
STEP = 1 << 15
"""Calls between two words to the progress."""

_ALIGNED = frozenset({Function.ALIGNED_ALLOC, Function.MEMALIGN, Function.POSIX_MEMALIGN})
_PAGED = frozenset({Function.VALLOC, Function.PVALLOC})


def check_allocator(allocator: str | os.PathLike[str]) -> None:
    """Raises AllocatorError: the name is none of NAMES, and no file.

    >>> check_allocator("reference")
    """
    name = os.fspath(allocator)
    if name not in NAMES and not Path(name).is_file():
        raise AllocatorError(f"no allocator {name}; it is {', '.join(NAMES)}, or the path of a library")


def placed(
    history: History,
    allocator: str | os.PathLike[str] = REFERENCE,
    progress: Progress | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> History:
    """The history with the replies that `allocator` gives to its requests, made one after another in their order.

    allocator: "reference", "m4alloc", "system", or the path of a library, which runs in a process of its own.
    environment: variables added to those of that process.
    Threads, times, sites and labels stay as they were; begin and end numbers are dropped. Calls that cannot be made
    again (failed ones, those that never returned, those on pointers that were no block) are left out, as are accesses;
    a note says how many.
    Raises FormatError: the library crashed or hung, and where; the reference policy's arena is full. AllocatorError:
    there is none of that name.
    Cost: reference: 3 to 5 us a call; library: 1.5 us.
    """
    check_allocator(allocator)
    told = progress or Silent()
    whole = history.whole()
    trace = whole.trace
    operations = compile_trace(trace)
    name = os.fspath(allocator)
    if name == REFERENCE:
        replies = _on_reference(history.source, operations, told)
    else:
        replies = _on_library(history.source, operations, name, told, environment)
    records = _merged(trace.records, operations, replies)
    labels = int(np.count_nonzero(trace.records["function"] == Function.LABEL))
    left = trace.used - labels - len(operations.array)
    header = trace.header.copy()
    header["allocator"] = os.fsencode("" if name == REFERENCE else os.path.realpath(name) if "/" in name else name)[
        :511
    ]
    header["quarantine"] = header["quarantine_limit"] = 0
    made = replace(whole, trace=replace(trace, header=header, records=records), placed_by=name, addressed=True)
    where = "the reference policy (first fit)" if name == REFERENCE else name
    return made.note(
        f"addresses are those that {where} gives to the same requests, one after another",
        f"{plural(left, 'call')} could not be made again and {'is' if left == 1 else 'are'} left out" if left else "",
    )


def _merged(old: Records, operations: Operations, replies: Records) -> Records:
    """The replies with what is kept of the calls that they are to, and the labels in their places."""
    told = operations.index
    for field in ("thread", "time_ns", "site", "function"):
        replies[field] = old[field][told]
    size, extra = old["size"][told], old["extra"][told]
    replies["size"], replies["extra"] = size, extra
    marks = np.flatnonzero(old["function"] == Function.LABEL)
    kept = old[marks].copy()
    kept["begin"] = kept["end"] = kept["extra"] = 0  # what lay at an address is elsewhere now
    order = np.argsort(np.concatenate([told, marks]), kind="stable")
    merged: Records = np.concatenate([replies, kept])[order]
    return merged


def _on_reference(source: Path, operations: Operations, progress: Progress) -> Records:
    """First fit, as `spec.allocator.ReferenceAllocator` does it without protection, but no contents."""
    array = operations.array
    policy = FirstFit()
    free = FreeRanges(BASE, 1 << 52)
    base, usable = [0] * operations.slots, [0] * operations.slots
    rows: list[tuple[int, int, int]] = []  # address handed in, result, usable
    progress.phase("placing blocks", len(array))
    columns = (array[name].tolist() for name in ("kind", "slot", "size", "extra"))
    for count, (kind, slot, size, extra) in enumerate(zip(*columns, strict=True)):
        if not count % STEP:
            progress.advance(count)
        old = base[slot]
        if kind == Function.FREE:
            if old:
                free.give(old, usable[slot])
                base[slot] = 0
            rows.append((old, 0, -1))
        elif kind == Function.USABLE_SIZE:
            rows.append((old, usable[slot] if old else 0, -1))
        else:
            resizes = kind in RESIZING
            wanted = size * extra if kind in (Function.CALLOC, Function.REALLOCARRAY) else size
            unit = max(UNIT, extra if kind in _ALIGNED else PAGE if kind in _PAGED else 0)
            room = policy.usable(-(-wanted // PAGE) * PAGE if kind == Function.PVALLOC else wanted, unit)
            if resizes and old and usable[slot] == room:
                rows.append((old, old, room))
                continue
            at = policy.place(free, room, unit)
            if at is None:
                raise FormatError(
                    source, f"{wanted:,} bytes do not fit into the arena of 4 PiB that blocks are placed in"
                )
            free.take(at, room)
            if resizes and old:
                free.give(old, usable[slot])
            base[slot], usable[slot] = at, room
            rows.append((old if resizes else 0, at, room))
    replies = np.zeros(len(rows), RECORD)
    columns_made = np.array(rows, np.int64).reshape(-1, 3)
    replies["address"], replies["result"], replies["usable"] = columns_made.T
    replies["intact"] = -1
    return replies


def _on_library(
    source: Path, operations: Operations, name: str, progress: Progress, environment: Mapping[str, str] | None
) -> Records:
    """What the library answers in a child of its own, which the driver of `m4alloc check` runs."""
    from m4alloc.check.check_library import place_of
    from m4alloc.check.foreign import Foreign, WorkerError
    from m4alloc.check.instruction import SLOTS
    from m4alloc.check.target import EndedError

    if operations.slots > SLOTS:
        raise FormatError(source, f"{operations.slots:,} blocks at once; a library is driven with {SLOTS:,} at most")
    pages: list[Records] = []

    def take(page: Records) -> bool:
        pages.append(page.copy())
        progress.advance(sum(map(len, pages)))
        return True

    instructions = _instructions(operations)
    progress.phase(f"running {name}", len(instructions))
    try:
        with (
            Foreign(place_of(name), timeout=60.0, environment=environment) as foreign,
            foreign.begin() as session,
        ):
            session.carry_out(instructions, take, looking=False)
    except WorkerError as error:
        raise AllocatorError(str(error)) from error
    except EndedError as error:
        raise FormatError(source, f"{name} did not get through it: {error}") from error
    replies = np.concatenate(pages) if pages else np.zeros(0, RECORD)
    replies = replies[~np.isin(replies["function"], (Function.LOAD, Function.STORE, Function.FILL))]
    if len(replies) != len(operations.array):
        raise FormatError(source, f"{name} answered {len(replies):,} of {len(operations.array):,} requests")
    replies["begin"] = replies["end"] = 0
    return replies


def _instructions(operations: Operations) -> npt.NDArray[np.void]:
    from m4alloc.check.instruction import INSTRUCTION
    from m4alloc.check.operation import Aim

    array = operations.array
    kind, slot = array["kind"], array["slot"].astype(np.int64)
    made = np.zeros(len(array), INSTRUCTION)
    made["function"] = kind
    counted = np.isin(kind, (Function.CALLOC, Function.REALLOCARRAY))
    named = slot > 0
    made["slot"] = np.where(named, slot - 1, 0)
    made["aim"] = np.where(named & ~operations.fresh, int(Aim.LIVE), int(Aim.NULL))
    made["size"] = array["size"]
    made["count"] = np.where(counted, array["extra"], 1)
    made["alignment"] = np.where(np.isin(kind, [*_ALIGNED]), array["extra"], 0)
    made["uses_slot"] = named
    return made
