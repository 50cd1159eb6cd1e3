"""Random small programs with everything in them that a program may have, and the hand-built ones of the tests."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Choice,
    Command,
    Constant,
    Element,
    Expression,
    Guard,
    Process,
    Program,
    Raise,
    Read,
    Statement,
    Unary,
)

EVENTS = ("e", "f")
LETTERS = (frozenset(), frozenset({"e"}), frozenset({"f"}), frozenset({"e", "f"}))
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
WIDE = 1 << 40
"""Cells of this range make the state more than one word long."""

# The cells of every program: numbers, an array of equal ranges, one of unequal ranges, one that never changes.
CELLS = (
    Cell("x", 0, 2, 0),
    Cell("y", -2, 1, -1),
    Cell("a[0]", -1, 1, 0),
    Cell("a[1]", -1, 1, 1),
    Cell("a[2]", -1, 1, -1),
    Cell("b[0]", 0, 1, 0),
    Cell("b[1]", 0, 3, 2),
    Cell("fixed", 5, 5, 5),
    Cell("track", 0, 1, 0),
    Cell("event", 0, 3, 0),
)
X, Y, A, B, FIXED, TRACK, EVENT = 0, 1, 2, 5, 7, 8, 9


@cache
def expressions(depth: int = 2, tame: bool = False) -> st.SearchStrategy[Expression]:
    """Expressions over the cells; unless they are tame, some of them fail in some states."""
    leaves = st.one_of(
        st.integers(-2, 3).map(Constant),
        st.sampled_from([X, Y, A, A + 1, B, B + 1, FIXED, TRACK]).map(Read),
    )
    if depth == 0:
        return leaves
    inner = expressions(depth - 1, tame)
    operators = st.sampled_from(["+", "-", "*", *COMPARISONS, "&&", "||", *(() if tame else "/%")])
    index = st.sampled_from([Read(X), Read(B), Constant(1)]) if tame else inner
    return st.one_of(
        leaves,
        st.builds(Binary, operators, inner, inner),
        st.builds(Unary, st.sampled_from("-!"), inner),
        st.builds(Choice, inner, inner, inner),
        index.map(lambda index: Element(A, 3, index)),
        st.sampled_from([Read(B), Read(TRACK)]).map(lambda index: Element(B, 2, index)),
    )


@cache
def statements(tame: bool = False) -> st.SearchStrategy[Statement]:
    """Guards, assignments, events and, unless they are tame, assertions; most assignments stay in range."""
    condition = expressions(1, tame)
    value: st.SearchStrategy[Expression] = st.one_of(
        st.integers(0, 1).map(Constant),
        st.just(Binary("%", Binary("+", Read(X), Constant(1)), Constant(2))),
        st.builds(Binary, st.sampled_from(COMPARISONS), condition, condition),
    )
    places: list[st.SearchStrategy[Read | Element]] = [
        st.sampled_from([X, X, Y, A, A + 2, B, B + 1]).map(Read),
        st.builds(Element, st.just(A), st.just(3), st.sampled_from([Read(X), Read(B), Constant(2)])),
        st.builds(Element, st.just(B), st.just(2), st.sampled_from([Read(B), Read(TRACK)])),
    ]
    several = [
        st.builds(Guard, condition),
        st.builds(Assign, st.one_of(places), value),
        st.builds(Assign, st.one_of(places), value),
        st.builds(Raise, st.sampled_from(EVENTS), st.one_of(st.just(Constant(1)), condition)),
    ]
    if not tame:
        wrong = st.builds(Element, st.just(A), st.just(3), condition)
        several += [st.builds(Assign, st.one_of(*places, wrong), condition)]
        several += [st.builds(Assert, condition, st.just("asserted"))]
        # Guards that fail in some states, alone and before others that are false.
        ratio = st.builds(Binary, st.sampled_from("/%"), st.just(Constant(2)), st.sampled_from([X, Y, B + 1]).map(Read))
        failing = st.builds(
            Binary, st.sampled_from(COMPARISONS), st.one_of(wrong, ratio), st.integers(0, 1).map(Constant)
        )
        several += [st.builds(Guard, failing), st.builds(Raise, st.sampled_from(EVENTS), failing)]
    return st.one_of(several)


@st.composite
def programs(draw: st.DrawFn, tame: bool | None = None, wide: bool | None = None) -> Program:
    """Programs of up to three processes and some ten commands.

    No step of a tame one fails; a wide one has states of several words.
    """
    cells = list(CELLS)
    tame = draw(st.booleans()) if tame is None else tame
    wide = draw(st.booleans()) if wide is None else wide
    if wide:
        cells += [Cell("wide", -5, WIDE, -5), Cell("wider", 0, WIDE, 7)]
    processes, commands = [], []
    for number in range(draw(st.integers(1, 3))):
        locations = draw(st.integers(1, 3))
        counter = len(cells)
        cells.append(Cell(f"p{number}@", 0, locations - 1, draw(st.integers(0, locations - 1)), number))
        own = Read(len(cells))
        cells.append(Cell(f"p{number}.own", 0, 1, 0, number))
        flip = Assign(own, Unary("!", own))
        private = st.sampled_from([(), (flip,), (Guard(own), flip), (Raise("e", own), flip), (Guard(Unary("!", own)),)])
        ends = draw(st.frozensets(st.integers(0, locations - 1)))
        processes.append(Process(f"p{number}", counter, tuple(f"l{i}" for i in range(locations)), ends))
        for source in (*range(locations), draw(st.integers(0, locations - 1))):
            body = draw(private) if draw(st.booleans()) else tuple(draw(st.lists(statements(tame), max_size=3)))
            if wide and draw(st.booleans()):
                body = (*body, Assign(Read(len(CELLS)), Choice(Read(X), Constant(WIDE), Constant(3))))
            target = draw(st.integers(0, locations - 1))
            commands.append(Command(number, source, target, body, f"command {len(commands)}"))
    predicates = (
        ("p", draw(st.sampled_from([Binary("==", Read(X), Constant(1)), Binary("<", Read(Y), Read(A))]))),
        ("q", Binary("||", Element(A, 3, Read(X)), Unary("!", Read(B)))),
    )
    return Program("random", tuple(cells), tuple(processes), tuple(commands), EVENT, LETTERS, TRACK, predicates)


def philosophers(count: int, *, asymmetric: bool) -> Program:
    """Dining philosophers: five steps a round; one picks its forks up in the other order if `asymmetric`."""
    cells = [Cell(f"fork[{i}]", 0, 1, 0) for i in range(count)]
    cells += [Cell(f"phil[{i}]@", 0, 4, 0, i) for i in range(count)]
    processes, commands = [], []
    for i in range(count):
        first, second = i, (i + 1) % count
        if asymmetric and i == count - 1:
            first, second = second, first
        processes.append(Process(f"phil[{i}]", count + i, ("think", "one", "both", "eat", "drop"), frozenset()))

        def free(fork: int) -> Guard:
            return Guard(Unary("!", Read(fork)))

        def put(fork: int, value: int) -> Assign:
            return Assign(Read(fork), Constant(value))

        bodies = ((free(first), put(first, 1)), (free(second), put(second, 1)), (), (put(second, 0),), (put(first, 0),))
        for source, body in enumerate(bodies):
            commands.append(Command(i, source, (source + 1) % 5, body, f"step {source}"))
    eats = tuple((f"eat{i}", Binary("==", Read(count + i), Constant(3))) for i in range(count))
    return Program("philosophers", tuple(cells), tuple(processes), tuple(commands), predicates=eats)
