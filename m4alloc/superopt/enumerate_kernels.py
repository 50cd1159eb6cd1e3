"""Compiled loops over pairs of terms: which results are new, and which equal what is looked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from m4alloc.superopt.enumerate_operations import kernel, one

LANES = 64
"""Inputs on which terms are compared; a term's poison is one word, a bit for each."""

_0, _1 = np.uint64(0), np.uint64(1)
_MIX, _FOLD = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


@kernel
def signature(row: Any, poison: Any) -> Any:
    """64 bits that are equal for equal rows: the lanes that are poison count as 0."""
    h = poison * _MIX + _1
    for k in range(row.shape[0]):
        v = row[k] if (poison >> np.uint64(k)) & _1 == _0 else _0
        h = (h ^ v) * _MIX
        h ^= h >> _FOLD
    return h | _1


@kernel
def find(table: Any, places: Any, h: Any) -> Any:
    """(place, slot): where a signature's row is, -1 for nowhere, and the slot where it may be put."""
    slot = np.int64((h * _MIX) & np.uint64(table.shape[0] - 1))
    while table[slot] != _0:
        if table[slot] == h:
            return places[slot], slot
        slot = (slot + 1) & (table.shape[0] - 1)
    return np.int64(-1), slot


@kernel
def expand(
    op: Any, w: Any, m: Any, left: Any, left_poison: Any, right: Any, right_poison: Any,
    symmetric: Any, unary: Any,
    values: Any, poison: Any, origin: Any, size: Any, table: Any, places: Any, limit: Any,
) -> Any:  # fmt: skip
    """Append op(a, b) for every a of `left` and b of `right` that is new; gives the new number of rows.

    values, poison, origin: rows from `size` on are filled; `origin` gets the numbers of a and b.
    symmetric: both sides are the same list and the operation commutes, so that one order is enough.  unary: `right` is
    not looked at.  It stops at `limit` rows.  A result that is UB in some lane is dropped.
    """
    lanes = values.shape[1]
    for i in range(left.shape[0]):
        for j in range(i if symmetric else 0, 1 if unary else right.shape[0]):
            if size >= limit:
                return size
            bad = left_poison[i] if unary else left_poison[i] | right_poison[j]
            undefined = False
            for k in range(lanes):
                v, state = one(op, w, m, left[i, k], _0 if unary else right[j, k])
                if state != 0:
                    bad |= _1 << np.uint64(k)
                    if state == 2:
                        undefined = True
                        break
                    v = _0
                values[size, k] = v
            if undefined or bad == ~_0:
                continue
            h = signature(values[size], bad)
            place, slot = find(table, places, h)
            if place < 0:
                table[slot] = h
                places[slot] = size
                poison[size] = bad
                origin[size, 0] = i
                origin[size, 1] = j
                size += 1
    return size


@kernel
def choose(
    conditions: Any, condition_poison: Any, left: Any, left_poison: Any,
    values: Any, poison: Any, origin: Any, size: Any, table: Any, places: Any, limit: Any,
) -> Any:  # fmt: skip
    """Append select(c, a, b) for every condition c and every a and b of `left` that differ; as `expand`."""
    lanes = values.shape[1]
    for i in range(conditions.shape[0]):
        for j in range(left.shape[0]):
            for n in range(left.shape[0]):
                if size >= limit:
                    return size
                if j == n:
                    continue
                bad = condition_poison[i]
                for k in range(lanes):
                    if conditions[i, k] != _0:
                        values[size, k] = left[j, k]
                        bad |= left_poison[j] & (_1 << np.uint64(k))
                    else:
                        values[size, k] = left[n, k]
                        bad |= left_poison[n] & (_1 << np.uint64(k))
                h = signature(values[size], bad)
                place, slot = find(table, places, h)
                if place < 0:
                    table[slot] = h
                    places[slot] = size
                    poison[size] = bad
                    origin[size, 0] = i
                    origin[size, 1] = j
                    origin[size, 2] = n
                    size += 1
    return size


@kernel
def pairs(
    op: Any, w: Any, m: Any, left: Any, right: Any, ordered: Any, unary: Any, goal: Any, hits: Any, start: Any
) -> Any:
    """Fill `hits` with the pairs (i, j) for which op(left[i], right[j]) is the goal in every lane; gives how many.

    ordered: j >= i only.  It begins at left[start]; a full `hits` ends the scan.  Most pairs end at the first lane.
    """
    count = 0
    lanes = goal.shape[0]
    first = goal[0]
    for i in range(start, left.shape[0]):
        a = left[i, 0]
        for j in range(i if ordered else 0, 1 if unary else right.shape[0]):
            v, state = one(op, w, m, a, right[j, 0])
            if v != first or state != 0:
                continue
            k = 1
            while k < lanes:
                v, state = one(op, w, m, left[i, k], right[j, k])
                if v != goal[k] or state != 0:
                    break
                k += 1
            if k == lanes:
                hits[count, 0] = i
                hits[count, 1] = j
                count += 1
                if count == hits.shape[0]:
                    return count
    return count


@kernel
def join(how: Any, m: Any, right: Any, goal: Any, table: Any, places: Any, low: Any, high: Any, hits: Any) -> Any:
    """Fill `hits` with (i, j): the row i of a bank, from `low` to `high`, that makes the goal with right[j].

    how: 0 add, 1 subtract right[j] from it, 4 xor, 5 subtract it from right[j].  table, places: of the bank.
    """
    count = 0
    row = np.zeros(goal.shape[0], np.uint64)
    for j in range(right.shape[0]):
        for k in range(goal.shape[0]):
            if how == 0:
                row[k] = (goal[k] - right[j, k]) & m
            elif how == 1:
                row[k] = (goal[k] + right[j, k]) & m
            elif how == 4:
                row[k] = goal[k] ^ right[j, k]
            else:
                row[k] = (right[j, k] - goal[k]) & m
        place, _ = find(table, places, signature(row, _0))
        if low <= place < high:
            hits[count, 0] = place
            hits[count, 1] = j
            count += 1
            if count == hits.shape[0]:
                return count
    return count


@kernel
def sieve(how: Any, w: Any, rows: Any, goal: Any, out: Any) -> Any:
    """Mark in `out` the rows that, lane by lane, could be an operand of what makes the goal.

    how: 0 has all bits of the goal, 1 none but those, 2 at least the goal, 3 at most, 4 and 5 the same signed.
    """
    top = _1 << (w - _1)
    for i in range(rows.shape[0]):
        fits = True
        for k in range(goal.shape[0]):
            a, g = rows[i, k], goal[k]
            if how == 0:
                fits = g & ~a == _0
            elif how == 1:
                fits = a & ~g == _0
            elif how == 2:
                fits = a >= g
            elif how == 3:
                fits = a <= g
            elif how == 4:
                fits = a ^ top >= g ^ top
            else:
                fits = a ^ top <= g ^ top
            if not fits:
                break
        out[i] = fits


@kernel
def agreements(values: Any, poison: Any, goal: Any, out: Any) -> Any:
    """For each row the lanes, as bits, in which it is the goal and not poison."""
    for i in range(values.shape[0]):
        same = _0
        for k in range(goal.shape[0]):
            if values[i, k] == goal[k]:
                same |= _1 << np.uint64(k)
        out[i] = same & ~poison[i]


@kernel
def arms(conditions: Any, agree_left: Any, agree_right: Any, every: Any, hits: Any, each: Any) -> Any:
    """Fill `hits` with (c, a, b) such that select(c, a, b) is the goal; gives how many.

    conditions: a word each, its bit set in the lanes where it holds.  agree_*: as `agreements` gives it.  every: the
    lanes there are.  each: at most so many arms a side for one condition.
    """
    count = 0
    for i in range(conditions.shape[0]):
        holds = conditions[i]
        fails = every & ~holds
        if holds == _0 or fails == _0:
            continue
        found = 0
        for a in range(agree_left.shape[0]):
            if holds & ~agree_left[a] != _0:
                continue
            others = 0
            for b in range(agree_right.shape[0]):
                if fails & ~agree_right[b] == _0:
                    hits[count, 0] = i
                    hits[count, 1] = a
                    hits[count, 2] = b
                    count += 1
                    others += 1
                    if count == hits.shape[0]:
                        return count
                    if others == each:
                        break
            if others == 0:
                break
            found += 1
            if found == each:
                break
    return count


@kernel
def chains(
    op: Any, w: Any, m: Any, left: Any, right: Any, ordered: Any, unary: Any, wanted: Any, care: Any, mode: Any,
    hits: Any, start: Any, stop: Any
) -> Any:  # fmt: skip
    """Fill `hits` with (i, j, g): op(left[i], right[j]) is what the sub-goal g wants, in the bits that it cares for.

    wanted, care: (sub-goals, lanes).  `mode[g]`: 0 as it stands; 1 plus some constant, 2 xor some constant, 3 some
    constant minus it, 4 and some constant, 5 or some constant, 6 compared with some constant (all bits cared for).
    Rows from `start` to `stop` of `left`.  A lane is computed when the first sub-goal asks for it.
    """
    count = 0
    lanes = wanted.shape[1]
    row = np.zeros(lanes, np.uint64)
    top = m ^ (m >> _1)
    for i in range(start, stop):
        for j in range(i if ordered else 0, 1 if unary else right.shape[0]):
            done = 0
            for g in range(wanted.shape[0]):
                how = mode[g]
                apart = _nothing()
                offset = _0
                k = 0
                while k < lanes:
                    if k == done:
                        v, state = one(op, w, m, left[i, k], _0 if unary else right[j, k])
                        if state != 0:
                            break
                        row[k] = v
                        done += 1
                    if how == 0:
                        if (row[k] ^ wanted[g, k]) & care[g, k] != _0:
                            break
                    elif how <= 3:
                        difference = _difference(how, m, wanted[g, k], row[k])
                        if k == 0:
                            offset = difference
                        elif difference != offset:
                            break
                    elif how == 4:
                        if wanted[g, k] & ~row[k] != _0:
                            break
                    elif how == 5:
                        if row[k] & ~wanted[g, k] != _0:
                            break
                    else:
                        apart = _widened(apart, row[k], top, wanted[g, k] != _0)
                        if k >= 3 and not _are_apart(apart) and apart[0] != apart[1] and apart[2] != apart[3]:
                            break
                    k += 1
                if k == lanes and _holds(how, m, row, wanted[g], apart):
                    hits[count, 0] = i
                    hits[count, 1] = j
                    hits[count, 2] = g
                    count += 1
                    if count == hits.shape[0]:
                        return count
    return count


@kernel
def _difference(how: Any, m: Any, wanted: Any, value: Any) -> Any:
    """The constant that makes `wanted` of the value."""
    if how == 1:
        return (wanted - value) & m
    if how == 2:
        return wanted ^ value
    return (wanted + value) & m


@kernel
def _nothing() -> Any:
    """The largest and least value where the goal holds, and where it does not; the same with the sign bit turned."""
    return (_0, ~_0, _0, ~_0, _0, ~_0, _0, ~_0)


@kernel
def _widened(apart: Any, value: Any, top: Any, holds: Any) -> Any:
    a, b, c, d, e, f, g, h = apart
    turned = value ^ top
    if holds:
        return max(a, value), min(b, value), c, d, max(e, turned), min(f, turned), g, h
    return a, b, max(c, value), min(d, value), e, f, max(g, turned), min(h, turned)


@kernel
def _are_apart(apart: Any) -> Any:
    """Some threshold, unsigned or signed, tells the values where the goal holds from the others."""
    a, b, c, d, e, f, g, h = apart
    return a < d or c < b or e < h or g < f


@kernel
def _holds(how: Any, m: Any, row: Any, wanted: Any, apart: Any) -> Any:
    """What the lanes one by one have not shown: that one mask, or one constant to compare with, does for all."""
    if how < 4:
        return True
    if how < 6:
        must = _0 if how == 4 else m
        for k in range(row.shape[0]):
            must = must | wanted[k] if how == 4 else must & wanted[k]
        wrong = 0
        for k in range(row.shape[0]):
            wrong += (row[k] & must if how == 4 else row[k] | must) != wanted[k]
        return wrong == 0
    if _are_apart(apart):
        return True
    equal = apart[0] == apart[1]
    value = apart[0] if equal else apart[2]
    for k in range(row.shape[0]):
        if (row[k] == value) != ((wanted[k] != _0) == equal):
            return False
    return equal or apart[2] == apart[3]
