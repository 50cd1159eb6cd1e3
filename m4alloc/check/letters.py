"""The letters of a recorded trace as columns: what goes to which address, block and thread, in order.

While nobody accesses memory, they follow from the columns of the trace, and from the acceptor what only a heap can tell
of a reply. A trace with accesses, or with labels about blocks, goes through `spec.propositions`, which takes tens of
microseconds a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m4alloc.check.accept import accept_records, events_of
from m4alloc.check.lives import Booleans, Integers, Lives
from m4alloc.trace.read import Records, Trace
from spec.acceptor import Acceptor
from spec.contract import Rule
from spec.error import Finding
from spec.event import ACCESSING, ALLOCATING, FREEING, NEVER_RETURNED, RESIZING, Function
from spec.heap import Block, Heap
from spec.judge import Call, Judge, hands_out
from spec.ltl.word import Letter
from spec.propositions import ALLOCATE_END, ALLOCATE_START, FREE, FREE_END, MALLOC, NOTHING, Delivery, Sort, Words
from spec.standard import ReallocZero

Key = tuple[Letter, Sort, bool]
"""What deliveries of one code share: the letter, its sort, and whether it is about a block."""

PLAIN: tuple[Key, ...] = (
    (MALLOC, Sort.EVENT, True),
    (FREE, Sort.EVENT, True),
    (ALLOCATE_START, Sort.CALL, False),
    (ALLOCATE_END, Sort.CALL, False),
    (FREE_END, Sort.CALL, True),
    (NOTHING, Sort.RESIZE, True),
)
_MALLOC, _FREE, _ALLOCATE_START, _ALLOCATE_END, _FREE_END, _RESIZE, _LABEL = range(7)
_PLACE = np.array((3, 1, 0, 3, 2, 2, 0))
"""By code: letters of one call that fall on one number stand in this order."""
_CODES = np.arange(len(PLAIN) + 1)
_AT_BEGIN, _SIZED, _FREED = (
    np.isin(_CODES, codes) for codes in ((_FREE, _ALLOCATE_START, _LABEL), (_MALLOC, _RESIZE), (_FREE, _FREE_END))
)
_NUMBERS = ("early", "overlap", "dirty")
_KEYS = PLAIN + tuple(
    (MALLOC | {name for bit, name in enumerate(_NUMBERS) if bits >> bit & 1}, Sort.EVENT, True) for bits in range(1, 8)
)
"""PLAIN, then a malloc with each combination of numbers: bits b have code _RESIZE + b. A trace's labels follow."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Deliveries in order, as columns of equal length, and what there was to be seen.

    code: an index into `keys`. base, size: modulo 2**64, as signed numbers; 0 where the letter is about no block.
    by_base: the places by base, and by time where that is equal.
    The other columns, `observed` and `cut` are as in `spec.propositions`.
    """

    keys: Sequence[Key]
    code: Integers
    number: Integers
    thread: Integers
    base: Integers
    generation: Integers
    size: Integers
    by_base: Integers
    observed: frozenset[str]
    cut: frozenset[int]

    def delivery(self, place: int) -> Delivery:
        """The delivery at one place."""
        letter, sort, about = self.keys[self.code[place]]
        return Delivery(
            letter,
            sort,
            int(self.number[place]),
            int(self.thread[place]),
            int(self.base[place]) % (1 << 64) if about else None,
            int(self.generation[place]),
            int(self.size[place]) % (1 << 64),
        )


def columns_of(trace: Trace, acceptor: Acceptor, inherited: Lives | None = None) -> Columns:
    """The letters of one process image, after `acceptor` has judged it.

    inherited: the parent's blocks that were alive when this process was forked.
    Raises: ValueError when the records are out of order, KeyError when one has a function that there is not.
    Cost: some tenths of a microsecond a call; tens of microseconds where there are accesses, or labels about blocks.
    """
    if not is_plain(trace.records):
        return from_words(words_of(trace, inherited))
    return from_trace(trace, noted(trace, acceptor, inherited), inherited)


def is_plain(records: Records) -> bool:
    """Whether the letters follow from the columns: no access, no label about a block, all calls numbered, or none."""
    function = records["function"]
    if _among(function, ACCESSING).any() or ((function == Function.LABEL) & (records["extra"] > 0)).any():
        return False
    begins = records["begin"][function > 0]
    return bool((begins > 0).all() or not begins.any())


class Noting(Acceptor):
    """An acceptor that keeps the numbers of the replies that reused bytes early, or shared them with a live block."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.early: set[int] = set()
        self.overlap: set[int] = set()

    def _judge(self, judges: list[tuple[Rule, Judge]], call: Call) -> list[Finding]:
        # All that is known of a reply comes by here; a finding names only the first of the rules that it broke.
        if hands_out(call.event):
            if call.young is not None:
                self.early.add(self.number(call.event))
            if call.overlapping:
                self.overlap.add(self.number(call.event))
        return super()._judge(judges, call)


def noted(trace: Trace, acceptor: Acceptor, inherited: Lives | None = None) -> Noting:
    """Which replies of the trace were early, and which overlapped: none, where `acceptor` refused nothing.

    But for a realloc to 0 bytes where that is undefined: no rule judges its reply.
    """
    found = Noting(
        heap=_heap_of(inherited), quarantine=trace.quarantine, quarantine_limit=trace.quarantine_limit, limit=0
    )
    if acceptor.refused or acceptor.contract.realloc_zero is ReallocZero.UNDEFINED:
        accept_records(trace.records, found, labels=trace.labels, order=trace.order())
    return found


def _heap_of(inherited: Lives | None) -> Heap:
    heap = Heap()
    if inherited is not None:
        columns = (inherited.base, inherited.size, inherited.usable)
        for base, size, usable in zip(*(column.tolist() for column in columns), strict=True):
            if not heap.overlapping(base, base + max(usable, 1)):
                heap.insert(Block(base, size, usable))
    return heap


def words_of(trace: Trace, inherited: Lives | None = None) -> Words:
    """The letters of one process image by the specification."""
    return Words(
        events_of(trace.records, trace.order(), trace.labels),
        heap=_heap_of(inherited),
        quarantine=trace.quarantine,
        quarantine_limit=trace.quarantine_limit,
    )


def from_words(words: Words) -> Columns:
    """The letters that the specification gives, as columns.  Cost: some microseconds an event."""
    codes: dict[Key, int] = {}
    rows = [
        (
            codes.setdefault((one.letter, one.sort, one.base is not None), len(codes)),
            one.number,
            one.thread,
            _signed(one.base or 0),
            one.generation,
            _signed(one.size),
        )
        for one in words
    ]
    code, number, thread, base, generation, size = np.array(rows, np.int64).reshape(len(rows), 6).T
    observed, cut = frozenset(words.observed), frozenset(words.cut)
    by_base = np.argsort(base, kind="stable")
    return Columns(tuple(codes), code, number, thread, base, generation, size, by_base, observed, cut)


def from_trace(trace: Trace, replies: Noting, inherited: Lives | None = None) -> Columns:
    """The letters of a plain trace, with what is known of its replies.

    Cost: O(n log n), some tenths of a microsecond a call.
    """
    records = trace.records[trace.order()]
    function = np.ascontiguousarray(records["function"])
    begin, end = records["begin"].astype(np.int64), records["end"].astype(np.int64)
    number_of = begin
    if not begin.any():
        number_of = np.arange(1, len(begin) + 1, dtype=np.int64)
        begin, end = 2 * number_of - 1, 2 * number_of
    address, result = records["address"].astype(np.int64), records["result"].astype(np.int64)
    counted = _among(function, (Function.CALLOC, Function.REALLOCARRAY))
    count = np.where(counted, records["extra"], np.uint64(1))
    granted = (records["size"] * count).astype(np.int64)
    never = (records["flags"] & NEVER_RETURNED) != 0

    resizing, allocating, freeing = (_among(function, family) for family in (RESIZING, ALLOCATING, FREEING))
    asks = resizing | allocating
    came_back = (end > 0) & ~never
    failed = (function == Function.POSIX_MEMALIGN) & (records["errno"] != 0)
    vanished = (granted == 0) & (records["errno"] == 0)
    moved = ~came_back | np.where(result != 0, result != address, vanished)
    releases = (address != 0) & (freeing | (resizing & moved))
    hands_out = asks & came_back & (result != 0) & ~failed
    resizes = hands_out & resizing & (result == address)
    acquires = hands_out & ~resizes

    named = np.array([False, *(text != "" for text in trace.labels)])
    text = np.where((function == Function.LABEL) & (records["address"] < len(named)), records["address"], 0)
    said = named[text]

    chosen = (acquires, releases, asks, asks & came_back & ~acquires, releases & came_back, resizes, said)
    rows = [np.flatnonzero(mask) for mask in chosen]
    code = np.repeat(np.arange(len(rows)), [len(found) for found in rows])
    row = np.concatenate(rows)
    when = np.where(_AT_BEGIN[code], begin[row], end[row]) * 4 + _PLACE[code]
    order = np.argsort(when, kind="stable")
    code, row = code[order], row[order]
    sized, freed = _SIZED[code], _FREED[code]
    base = np.where(sized, result[row], np.where(freed, address[row], 0))
    columns = [
        code,
        number_of[row],
        records["thread"].astype(np.int64)[row],
        base,
        np.where(sized, granted[row], 0),
        np.where(code == _LABEL, text[row], 0).astype(np.int64),
    ]
    if inherited is not None and len(inherited):
        first = np.argsort(inherited.base, kind="stable")
        none = np.zeros(len(inherited), np.int64)
        start = (none + _MALLOC, none, none, inherited.base[first], inherited.size[first], none)
        columns = [np.concatenate(both) for both in zip(start, columns, strict=True)]
    code, number, thread, base, size, text = columns

    scanned = acquires & (function == Function.CALLOC) & (records["intact"] >= 0)
    wraps = (records["size"] > 0) & (granted.astype(np.uint64) // np.maximum(records["size"], 1) != count)
    dirty = scanned & (wraps | (records["intact"].astype(np.uint64) < granted.astype(np.uint64)))
    born = code == _MALLOC
    told = (list(replies.early), list(replies.overlap), number_of[dirty])
    bits = np.zeros(len(number), np.int64)
    for bit, numbers in enumerate(told):
        if len(numbers):
            bits |= np.isin(number, numbers).astype(np.int64) << bit
    observed = {"overlap"} | ({"early"} if trace.quarantine else set()) | ({"dirty"} if scanned.any() else set())
    observed |= {trace.labels[which - 1] for which in np.unique(text).tolist() if which}
    cut = (records["begin"] > 0) & (end == 0) & ~never
    by_base = np.argsort(base, kind="stable")
    return Columns(
        _KEYS + tuple((frozenset({label}), Sort.LABEL, False) for label in trace.labels),
        np.where(text > 0, text + len(_KEYS) - 1, np.where(born & (number > 0) & (bits > 0), bits + _RESIZE, code)),
        number,
        thread,
        base,
        generations(base, born, by_base),
        size,
        by_base,
        frozenset(observed),
        frozenset(records["thread"][cut].tolist()),
    )


def _signed(number: int) -> int:
    """The signed number of 64 bits that stands for `number`, 0 <= number < 2**64."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _among(function: NDArray[Any], family: Iterable[Function]) -> Booleans:
    """Whether each function is one of the family."""
    table = np.zeros(256, np.bool_)
    table[[int(one) for one in family]] = True
    found: Booleans = table[function]
    return found


def generations(base: Integers, born: Booleans, by_base: Integers) -> Integers:
    """For each place, how many blocks were handed out at its address so far, it included.  Cost: O(n).

    by_base: the places by address, and by time where that is equal.

    >>> base = np.array([7, 7, 9, 7])
    >>> generations(base, np.array([True, False, False, True]), np.argsort(base, kind="stable")).tolist()
    [1, 1, 0, 2]
    """
    there, born = base[by_base], born[by_base]
    count = np.cumsum(born)
    starts = np.flatnonzero(np.concatenate(([True], there[1:] != there[:-1]))) if len(there) else np.zeros(0, np.int64)
    before: NDArray[np.int64] = count[starts] - born[starts]
    lengths = np.diff(np.concatenate((starts, [len(there)])))
    found: NDArray[np.int64] = np.empty(len(base), np.int64)
    found[by_base] = count - np.repeat(before, lengths)
    return found
