"""The two searches, compiled by numba: breadth first, and nested depth first. They run in slices.

A slice ends when its share of transitions is used up, when an array has to grow, when something is found, or when all
is explored; between slices Python looks at clocks, bounds and interrupts. What a search knows is in `registers` (by the
names R_...) and in its arrays; the machine code of the program's steps is called by its address.

A state here is one of the product: the words of the program's state, with the automaton's state, and the number of the
copy when the search is fair, in the bits that the packing leaves to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from m4alloc.model.native import call1, call3, inlined, kept
from m4alloc.model.table import (
    BLUE,
    COLOUR_SHIFT,
    CYAN,
    KEY_MASK,
    RED,
    WHITE,
    Keys,
    find,
    home,
    insert,
    prefetch,
)

Numbers = NDArray[np.int64]

# Registers.
(
    R_STATES,
    R_TRANSITIONS,
    R_DEPTH,
    R_HEAD,
    R_TAIL,
    R_LEVEL,
    R_TODO,
    R_FOUND,
    R_RED,
    R_NEXT_INITIAL,
    R_COUNT,
) = range(11)

# Columns of the frames: of each state on the path its table entry, where its part of `todo` begins, and whether all
# successors so far are red.
F_ENTRY, F_BEGIN, F_ALL_RED = range(3)


class Shape(NamedTuple):
    """What does not change during a search.

    words: of a state. successors, letter, ended: addresses of machine code. extra_word, extra_shift, extra_mask: where
    the search has its bits; the lowest state_bits of them are the automaton's. letters: how many the automaton knows.
    sets: acceptance sets to be counted through, 0 without fairness. deadlock: stop at one. stutter: states without
    successors stay as they are. decided: stop at accepting states of the automaton. most: successors in the product.
    """

    words: int
    successors: int
    letter: int
    ended: int
    extra_word: int
    extra_shift: np.uint64
    extra_mask: int
    state_bits: int
    letters: int
    sets: int
    deadlock: int
    stutter: int
    decided: int
    most: int


class Arrays(NamedTuple):
    """The automaton, and room for the successors of one state.

    edges, ends: the automaton's successors of state q on letter number n are ends[edges[q * letters + n]] .. up to
    edges[... + 1]. accepting: by the automaton's state. fair: for each command the number of its process among the fair
    ones, or -1. source: the state without the search's bits; targets, commands: what `successors` writes, and once more
    room for as many commands; product, homes: the successors in the product, and where the table has them.
    """

    edges: Numbers
    ends: Numbers
    accepting: Numbers
    fair: Numbers
    source: Keys
    targets: Keys
    commands: Numbers
    product: Keys
    homes: Numbers


# Why a slice ended.
RUNNING, DONE, GROW_TABLE, GROW_ROOM, BOUND, FAULT, DEADLOCK, BAD, CYCLE = range(9)

FAILED: Final = 1 << 40
"""Is added to the number of a command whose step fails: `m4alloc.model.codegen.FAILED`."""


@kept
def expand(shape: Shape, keys: Keys, at: int, arrays: Arrays) -> tuple[int, int, int]:
    """Write the successors of the state keys[at] .. into `arrays.product`.

    Returns how many they are, how many of the program they come from, and why to stop, or RUNNING.
    """
    scratch, targets, commands, product = arrays.source, arrays.targets, arrays.commands, arrays.product
    edges, ends, accepting, fair = arrays.edges, arrays.ends, arrays.accepting, arrays.fair
    words, extra_word, extra_shift = shape.words, shape.extra_word, shape.extra_shift
    for word in range(words):
        scratch[word] = keys[at + word]
    scratch[0] &= KEY_MASK
    extra = np.int64(scratch[extra_word] >> extra_shift) & shape.extra_mask
    scratch[extra_word] &= ~(np.uint64(shape.extra_mask) << extra_shift)
    state = extra & ((1 << shape.state_bits) - 1)
    copy = extra >> shape.state_bits

    letter = 0
    if shape.letters > 1:
        letter = call1(shape.letter, scratch.ctypes.data)
    row = state * shape.letters + letter
    first, last = edges[row], edges[row + 1]
    if shape.decided:
        if accepting[state]:
            return 0, 0, BAD
        for edge in range(first, last):
            if accepting[ends[edge]]:
                return 0, 0, BAD
    if first == last:
        return 0, 0, RUNNING
    count = call3(shape.successors, scratch.ctypes.data, targets.ctypes.data, commands.ctypes.data)
    for number in range(count):
        if commands[number] >= FAILED:
            commands[0] = commands[number] - FAILED
            return 0, 0, FAULT
    stuttering = count == 0
    if stuttering:
        if shape.deadlock and call1(shape.ended, scratch.ctypes.data) == 0:
            return 0, 0, DEADLOCK
        if not shape.stutter:
            return 0, 0, RUNNING
        for word in range(words):
            targets[word] = scratch[word]
        commands[0] = -1
        count = 1
    sets = shape.sets
    enabled = 0
    if sets and not stuttering:
        # Who can go on after an idle step could before it: else any event would count as having blocked everybody.
        able, begin = count, 0
        if commands[0] < 0:
            begin = commands.size // 2
            behind = commands.ctypes.data + 8 * begin
            able = call3(shape.successors, targets.ctypes.data, product.ctypes.data, behind)
        for number in range(begin, begin + able):
            process = fair[commands[number] % FAILED]
            if process >= 0:
                enabled |= 1 << process
    made = 0
    for number in range(count):
        after = 0
        if sets:
            # Copy c waits for set c: 0 is the automaton's, c > 0 that fair process c - 1 moves or cannot move.
            after = int(copy) if copy < sets else 0
            mover = fair[commands[number] % FAILED] if commands[number] >= 0 else -1
            while after < sets:
                if after == 0 and not accepting[state]:
                    break
                if after > 0 and mover != after - 1 and (enabled >> (after - 1)) & 1:
                    break
                after += 1
            after <<= shape.state_bits
        for edge in range(first, last):
            place = made * words
            for word in range(words):
                product[place + word] = targets[number * words + word]
            product[place + extra_word] |= np.uint64(ends[edge] | after) << extra_shift
            made += 1
    return made, count, RUNNING


@inlined
def accepts(shape: Shape, keys: Keys, at: int, accepting: Numbers) -> bool:
    """Whether the state keys[at] .. of the product accepts: in the last copy, or by the automaton's state."""
    extra = np.int64(keys[at + shape.extra_word] >> shape.extra_shift) & shape.extra_mask
    if shape.sets:
        return bool(extra >> shape.state_bits == shape.sets)
    return bool(accepting[extra & ((1 << shape.state_bits) - 1)] != 0)


@kept
def place(table: Keys, shift: np.uint64, words: int, key: Keys) -> int:
    """The entry that holds a state, or the free one where it belongs."""
    return find(table, home(key, 0, words, shift), table.size // words, words, key, 0)


@kept
def breadth(
    registers: Numbers,
    shape: Shape,
    table: Keys,
    shift: np.uint64,
    limit: int,
    queue: Keys,
    parents: NDArray[np.uint32],
    arrays: Arrays,
    bound: int,
    share: int,
) -> int:
    """A slice of the breadth-first search from the states in the queue; parents: by place in it."""
    words, product, homes = shape.words, arrays.product, arrays.homes
    capacity = table.size // words
    room = parents.size
    head, tail = registers[R_HEAD], registers[R_TAIL]
    level, depth = registers[R_LEVEL], registers[R_DEPTH]
    tried = 0
    why = DONE
    while head < tail:
        if tail > bound:
            why = BOUND
            break
        if tail + shape.most > room:
            why = GROW_ROOM
            break
        if tail + shape.most > limit:
            why = GROW_TABLE
            break
        if tried >= share:
            why = RUNNING
            break
        if head == level:
            level = tail
            depth += 1
        made, _, why = expand(shape, queue, head * words, arrays)
        if why != RUNNING:
            registers[R_FOUND] = head
            break
        for number in range(made):
            homes[number] = home(product, number * words, words, shift)
            prefetch(table.ctypes.data + homes[number] * words * 8)
        tried += made
        for number in range(made):
            at = number * words
            entry = find(table, homes[number], capacity, words, product, at)
            if table[entry * words] >> COLOUR_SHIFT == WHITE:
                insert(table, entry, words, product, at, BLUE)
                for word in range(words):
                    queue[tail * words + word] = product[at + word]
                parents[tail] = head
                tail += 1
        head += 1
        why = DONE
    registers[R_HEAD], registers[R_TAIL] = head, tail
    registers[R_LEVEL], registers[R_DEPTH] = level, depth
    registers[R_STATES] = tail
    registers[R_TRANSITIONS] += tried
    return why


@kept
def nested(
    registers: Numbers,
    shape: Shape,
    table: Keys,
    shift: np.uint64,
    limit: int,
    initial: Keys,
    frames: Numbers,
    todo: Keys,
    arrays: Arrays,
    bound: int,
    share: int,
) -> int:
    """A slice of the nested depth-first search.

    frames: a row for each state on the path. todo: successors that were not visited when their state was expanded; the
    path's last state has the last ones. Frames from registers[R_RED] on belong to the inner search; it is -1 while
    there is none.
    Source: Gaiser and Schwoon, Comparison of algorithms for checking emptiness on Buchi automata (2009), section 3.
    """
    words, product, homes = shape.words, arrays.product, arrays.homes
    capacity = table.size // words
    initials = initial.size // words
    top, waiting, red = registers[R_TAIL], registers[R_TODO], registers[R_RED]
    states, depth = registers[R_STATES], registers[R_DEPTH]
    tried = 0
    why = DONE
    while True:
        if top + 1 >= frames.shape[0] or (waiting + shape.most + 1) * words > todo.size:
            why = GROW_ROOM
            break
        if states > bound:
            why = BOUND
            break
        if states + 1 > limit:
            why = GROW_TABLE
            break
        if tried >= share:
            why = RUNNING
            break
        if top == 0:
            if registers[R_NEXT_INITIAL] == initials:
                why = DONE
                break
            place = registers[R_NEXT_INITIAL] * words
            registers[R_NEXT_INITIAL] += 1
            for word in range(words):
                todo[waiting * words + word] = initial[place + word]
            waiting += 1
            start = waiting
        else:
            start = frames[top - 1, F_BEGIN]
        if waiting > start or top == 0:
            # The next successor of the path's last state: push it, if it still needs a visit.
            waiting -= 1
            at = waiting * words
            entry = find(table, home(todo, at, words, shift), capacity, words, todo, at)
            colour = table[entry * words] >> COLOUR_SHIFT
            if red >= 0:
                if colour != BLUE:
                    continue
                table[entry * words] |= RED << COLOUR_SHIFT
            else:
                if colour != WHITE:
                    # Visited since its state was expanded, and left again: what is on the path now was so then.
                    if colour == BLUE and top:
                        frames[top - 1, F_ALL_RED] = 0
                    continue
                insert(table, entry, words, todo, at, CYAN)
                states += 1
            frames[top, F_ENTRY] = entry
            frames[top, F_BEGIN] = waiting
            frames[top, F_ALL_RED] = 1
            top += 1
            if red < 0:
                depth = max(depth, top)
            made, _, why = expand(shape, table, entry * words, arrays)
            if why != RUNNING:
                break
            for number in range(made):
                homes[number] = home(product, number * words, words, shift)
                prefetch(table.ctypes.data + homes[number] * words * 8)
            tried += made
            final = accepts(shape, table, entry * words, arrays.accepting)
            for number in range(made - 1, -1, -1):
                at = number * words
                entry = find(table, homes[number], capacity, words, product, at)
                colour = table[entry * words] >> COLOUR_SHIFT
                if colour == CYAN:
                    if red >= 0 or final or accepts(shape, product, at, arrays.accepting):
                        registers[R_FOUND] = entry
                        why = CYCLE
                        break
                    frames[top - 1, F_ALL_RED] = 0
                elif colour == BLUE:
                    if red < 0:
                        frames[top - 1, F_ALL_RED] = 0
                        continue
                    for word in range(words):
                        todo[waiting * words + word] = product[at + word]
                    waiting += 1
                elif colour == WHITE:
                    for word in range(words):
                        todo[waiting * words + word] = product[at + word]
                    waiting += 1
            if why == CYCLE:
                break
            continue
        # The path's last state has no successor left.
        entry = frames[top - 1, F_ENTRY]
        if red >= 0:
            if top > red:
                top -= 1
            else:
                # The inner search is over, and its seed, which is still on the path, is red.
                red = -1
                frames[top - 1, F_ALL_RED] = 1
            continue
        if frames[top - 1, F_ALL_RED] == 0 and accepts(shape, table, entry * words, arrays.accepting):
            # Search inside from the seed: its successors once more, of which the blue ones are to be visited.
            red = top
            made, _, why = expand(shape, table, entry * words, arrays)
            tried += made
            for number in range(made - 1, -1, -1):
                at = number * words
                entry = find(table, home(product, at, words, shift), capacity, words, product, at)
                colour = table[entry * words] >> COLOUR_SHIFT
                if colour == CYAN:
                    registers[R_FOUND] = entry
                    why = CYCLE
                    break
                if colour == BLUE:
                    for word in range(words):
                        todo[waiting * words + word] = product[at + word]
                    waiting += 1
            if why == CYCLE:
                break
            continue
        place = entry * words
        if frames[top - 1, F_ALL_RED] == 0:
            table[place] = (table[place] & KEY_MASK) | (BLUE << COLOUR_SHIFT)
            if top > 1:
                frames[top - 2, F_ALL_RED] = 0
        else:
            table[place] = (table[place] & KEY_MASK) | (RED << COLOUR_SHIFT)
        top -= 1
    registers[R_TAIL], registers[R_TODO], registers[R_RED] = top, waiting, red
    registers[R_STATES], registers[R_DEPTH] = states, depth
    registers[R_TRANSITIONS] += tried
    return why


def _forget_stale() -> None:
    """Remove what numba has kept of this file if it was made before one of the files that are compiled into it.

    numba looks at the time of the file that a function stands in, and at no other.
    """
    newest = max((Path(__file__).parent / name).stat().st_mtime for name in ("engine.py", "native.py", "table.py"))
    folder = getattr(nested, "stats").cache_path  # noqa: B009  (what numba returns is no function to type checkers)
    for index in Path(folder).glob("engine.*.nbi") if folder else ():
        if index.stat().st_mtime < newest:
            index.unlink(missing_ok=True)


_forget_stale()
