"""Random small programs, and a few that are written down."""

from __future__ import annotations

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
    Symmetry,
)


def comparisons(cells: list[int]) -> st.SearchStrategy[Expression]:
    """A cell compared with a small number."""
    return st.builds(
        lambda cell, operator, value: Binary(operator, Read(cell), Constant(value)),
        st.sampled_from(cells),
        st.sampled_from(["==", "!=", "<"]),
        st.integers(0, 2),
    )


@st.composite
def programs(draw: st.DrawFn, faults: bool = True) -> Program:
    """Two or three processes of up to three locations over shared and local cells, with two events and two predicates.

    Cells 0 and 1 are shared, 2 and 3 are an array, 4 holds the event; then a local and a location of each process.
    """
    count = draw(st.integers(2, 3))
    cells = [
        Cell("a", 0, 1, 0),
        Cell("b", 0, 2, 0),
        Cell("c[0]", 0, 1, 0),
        Cell("c[1]", 0, 1, 1),
        Cell("event", 0, 3, 0),
    ]
    processes, commands = [], []
    for process in range(count):
        local = len(cells)
        cells += [Cell(f"p{process}.x", 0, 1, 0, process), Cell(f"p{process}@", 0, 2, 0, process)]
        locations = draw(st.integers(1, 3))
        ends = draw(st.frozensets(st.integers(0, locations - 1), max_size=1))
        names = ("l0", "l1", "l2")[:locations]
        processes.append(Process(f"p{process}", local + 1, names, ends))
        mine = [0, 1, 2, 3, local, local]
        for source in range(locations):
            for _ in range(draw(st.integers(0, 2))):
                body = draw(bodies(mine, local, faults))
                target = draw(st.integers(0, locations - 1))
                commands.append(Command(process, source, target, body, f"command {len(commands)}"))
    predicates = (
        ("p", draw(comparisons([0, 1, 2]))),
        ("q", Binary("==", Read(draw(st.sampled_from([6, 8]))), Constant(draw(st.integers(0, 2))))),
    )
    letters = (frozenset[str](), frozenset({"e"}), frozenset({"f"}), frozenset({"e", "f"}))
    return Program("random", tuple(cells), tuple(processes), tuple(commands), 4, letters, predicates=predicates)


@st.composite
def loose_programs(draw: st.DrawFn) -> Program:
    """Two or three processes that seldom meet: each goes round a few commands on cells of its own, or raises events.

    Cells 0 and 1 are those of processes 0 and 1 that p and q are about; cell 2 is everybody's; cell 3 holds the event.
    """
    count = draw(st.integers(2, 3))
    cells = [Cell("a", 0, 1, 0), Cell("b", 0, 1, 0), Cell("shared", 0, 1, 0), Cell("event", 0, 3, 0)]
    processes, commands = [], []
    for process in range(count):
        counter = len(cells)
        cells.append(Cell(f"p{process}@", 0, 2, 0, process))
        locations = draw(st.integers(1, 3))
        processes.append(Process(f"p{process}", counter, ("l0", "l1", "l2")[:locations], frozenset({0, 1, 2})))
        for source in range(locations):
            for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
                own = Read(min(process, 2))
                body: tuple[Statement, ...] = draw(
                    st.sampled_from(
                        [
                            (),
                            (),
                            (Assign(own, Constant(1)),),
                            (Assign(own, Binary("-", Constant(1), own)),),
                            (Raise("e"),),
                            (Raise("f"),),
                            (Guard(Read(2)),),
                            (Assign(Read(2), Constant(1)),),
                        ]
                    )
                )
                target = draw(st.sampled_from([source, (source + 1) % locations, (source + 1) % locations]))
                commands.append(Command(process, source, target, body, f"command {len(commands)}"))
    letters = (frozenset[str](), frozenset({"e"}), frozenset({"f"}), frozenset({"e", "f"}))
    predicates = (("p", Read(0)), ("q", Read(1)))
    return Program("loose", tuple(cells), tuple(processes), tuple(commands), 3, letters, predicates=predicates)


@st.composite
def bodies(draw: st.DrawFn, cells: list[int], local: int, faults: bool) -> tuple[Statement, ...]:
    """A guard, assignments, and now and then an event, an array element or an assertion."""
    body: list[Statement] = []
    if draw(st.booleans()):
        body.append(Guard(draw(comparisons(cells))))
    for _ in range(draw(st.integers(0, 2))):
        kind = draw(st.integers(0, 5))
        if kind <= 1:
            body.append(Assign(Read(draw(st.sampled_from(cells))), Constant(draw(st.integers(0, 1)))))
        elif kind == 2:
            body.append(Assign(Read(local), Read(draw(st.sampled_from([0, 2, 3])))))
        elif kind == 3:
            cell = draw(st.sampled_from([0, 2, 3, local]))
            body.append(Assign(Read(cell), Binary("-", Constant(1), Read(cell))))
        elif kind == 4:
            body.append(Assign(Element(2, 2, Read(local)), Constant(draw(st.integers(0, 1)))))
        else:
            body.append(Raise(draw(st.sampled_from(["e", "f"])), draw(comparisons([0, local]))))
    if faults and draw(st.integers(0, 9)) == 0:
        body.append(Assert(draw(comparisons([0, 1])), "asserted"))
    return tuple(body)


def failing_bodies(cells: list[int]) -> st.SearchStrategy[tuple[Statement, ...]]:
    """Up to three statements most of which fail in some state: of wrong indices, divisors, values and assertions.

    The array is cells 2 and 3, and cell 1 goes beyond its end.
    """
    several: st.SearchStrategy[Expression] = st.sampled_from(cells).map(Read)
    numbers: st.SearchStrategy[Expression] = several | st.integers(0, 2).map(Constant)
    elements: st.SearchStrategy[Expression] = several.map(lambda index: Element(2, 2, index))
    terms = numbers | elements | st.builds(Binary, st.sampled_from("/%-+"), numbers, numbers)
    tests: st.SearchStrategy[Expression] = st.builds(Binary, st.sampled_from(["==", "!=", "<"]), terms, terms)
    conditions = tests | st.builds(Binary, st.sampled_from(["&&", "||"]), tests, tests)
    conditions |= st.builds(Choice, tests, terms, terms)
    targets: st.SearchStrategy[Read | Element] = st.one_of(
        st.sampled_from(cells).map(Read), several.map(lambda index: Element(2, 2, index))
    )
    statement: st.SearchStrategy[Statement] = st.one_of(
        conditions.map(Guard),
        conditions.map(Guard),
        st.builds(Assert, conditions, st.just("asserted")),
        st.builds(Raise, st.sampled_from("ef"), conditions),
        st.builds(Assign, targets, terms),
    )
    return st.lists(statement, max_size=3).map(tuple)


def philosophers(count: int, *, ordered: bool = True) -> Program:
    """Dining philosophers: take a fork, take the other, put both down; `ordered`: the last begins with the other."""
    cells = [Cell(f"fork[{i}]", 0, 1, 0) for i in range(count)]
    processes, commands = [], []
    for i in range(count):
        counter = len(cells)
        cells.append(Cell(f"philosopher[{i}]@", 0, 3, 0, i))
        processes.append(Process(f"philosopher[{i}]", counter, ("thinks", "waits", "eats", "leaves"), frozenset()))
        one, other = (i, (i + 1) % count) if not ordered or i < count - 1 else ((i + 1) % count, i)
        commands += [
            Command(i, 0, 1, _take(one), f"take fork {one}"),
            Command(i, 1, 2, _take(other), f"take fork {other}"),
            Command(i, 2, 3, (Assign(Read(other), Constant(0)),), f"put down fork {other}"),
            Command(i, 3, 0, (Assign(Read(one), Constant(0)),), f"put down fork {one}"),
        ]
    eats = (("eats0", Binary("==", Read(count), Constant(2))), ("eats1", Binary("==", Read(count + 1), Constant(2))))
    return Program("philosophers", tuple(cells), tuple(processes), tuple(commands), predicates=eats)


def _take(fork: int) -> tuple[Statement, ...]:
    return Guard(Binary("==", Read(fork), Constant(0))), Assign(Read(fork), Constant(1))


def counters(count: int, *, named: bool = False) -> Program:
    """Processes that enter a section under a lock, which holds a truth, or the number of the process that is inside."""
    low, free = (-1, -1) if named else (0, 0)
    cells = [Cell("lock", low, count - 1 if named else 1, free)]
    processes, commands, rows = [], [], []
    for i in range(count):
        counter = len(cells)
        cells += [Cell(f"p[{i}]@", 0, 2, 0, i), Cell(f"p[{i}].x", 0, 1, 0, i)]
        rows.append((counter, counter + 1))
        processes.append(Process(f"p[{i}]", counter, ("out", "in", "done"), frozenset({0, 2})))
        enter = Guard(Binary("==", Read(0), Constant(free))), Assign(Read(0), Constant(i if named else 1))
        commands += [
            Command(i, 0, 1, enter, "enter"),
            Command(i, 1, 2, (Assign(Read(0), Constant(free)), Assign(Read(counter + 1), Constant(1))), "leave"),
            Command(i, 2, 0, (), "again"),
        ]
    inside = [Binary("==", Read(row[0]), Constant(1)) for row in rows]
    some: Expression = inside[0]
    for expression in inside[1:]:
        some = Binary("||", some, expression)
    predicates = (("some", some), ("first", inside[0]))
    symmetry = Symmetry(tuple(range(count)), tuple(rows), (0,) if named else ())
    return Program(
        "counters", tuple(cells), tuple(processes), tuple(commands), predicates=predicates, symmetries=(symmetry,)
    )


def lines(*processes: list[tuple[int, int, tuple[Statement, ...]]]) -> Program:
    """Processes that are lists of commands (source, target, body); cells 0 to 2 are a, b, c, events are e, f, g."""
    cells = [Cell(name, 0, 1, 0) for name in "abc"] + [Cell("event", 0, 3, 0)]
    found, commands = [], []
    for number, process in enumerate(processes):
        cells.append(Cell(f"p{number}@", 0, 3, 0, number))
        found.append(Process(f"p{number}", 4 + number, ("l0", "l1", "l2", "l3"), frozenset(range(4))))
        commands += [Command(number, source, target, body) for source, target, body in process]
    letters = (frozenset[str](), *(frozenset({name}) for name in "efg"))
    predicates = tuple((name, Read(cell)) for cell, name in enumerate("abc"))
    return Program("lines", tuple(cells), tuple(found), tuple(commands), 3, letters, predicates=predicates)


def alternating() -> Program:
    """Two symmetric processes of which one never moves twice in a row; `last` names the one that did."""
    cells = Cell("last", -1, 1, -1), Cell("p[0]@", 0, 0, 0, 0), Cell("p[1]@", 0, 0, 0, 1)
    processes = tuple(Process(f"p[{i}]", i + 1, ("l",), frozenset()) for i in range(2))
    commands = tuple(
        Command(i, 0, 0, (Guard(Binary("!=", Read(0), Constant(i))), Assign(Read(0), Constant(i))), "move")
        for i in range(2)
    )
    begun = (("begun", Binary("!=", Read(0), Constant(-1))),)
    symmetry = Symmetry((0, 1), ((1,), (2,)), (0,))
    return Program("alternating", cells, processes, commands, predicates=begun, symmetries=(symmetry,))


@st.composite
def symmetric_programs(draw: st.DrawFn) -> Program:
    """Two or three processes with the same commands; cell 0 is a truth, cell 1 names a process or none, 2 the event."""
    count = draw(st.integers(2, 3))
    cells = [Cell("a", 0, 1, 0), Cell("who", -1, count - 1, -1), Cell("event", 0, 1, 0)]
    locations = draw(st.integers(1, 3))
    shapes = [
        (source, draw(st.integers(0, locations - 1)), draw(st.lists(st.integers(0, 8), max_size=2)))
        for source in range(locations)
        for _ in range(draw(st.integers(0, 2)))
    ]
    processes, commands, rows = [], [], []
    for me in range(count):
        counter = len(cells)
        cells += [Cell(f"p[{me}]@", 0, 2, 0, me), Cell(f"p[{me}].x", 0, 1, 0, me)]
        rows.append((counter, counter + 1))
        processes.append(Process(f"p[{me}]", counter, ("l0", "l1", "l2")[:locations], frozenset({0})))
        statements: list[Statement] = [
            Guard(Read(0)),
            Guard(Binary("==", Read(1), Constant(me))),
            Guard(Binary("!=", Read(1), Constant(me))),
            Guard(Binary("==", Read(1), Constant(-1))),
            Assign(Read(1), Constant(me)),
            Assign(Read(1), Constant(-1)),
            Assign(Read(0), Binary("-", Constant(1), Read(0))),
            Assign(Read(counter + 1), Read(0)),
            Raise("e", Read(counter + 1)),
        ]
        for source, target, body in shapes:
            commands.append(Command(me, source, target, tuple(statements[i] for i in body), f"shape {len(commands)}"))
    some: Expression = Read(rows[0][1])
    for row in rows[1:]:
        some = Binary("||", some, Read(row[1]))
    predicates = (("p", some), ("q", Binary("==", Read(1), Constant(-1))))
    letters = (frozenset[str](), frozenset({"e"}))
    symmetry = Symmetry(tuple(range(count)), tuple(rows), (1,))
    return Program(
        "same",
        tuple(cells),
        tuple(processes),
        tuple(commands),
        2,
        letters,
        predicates=predicates,
        symmetries=(symmetry,),
    )
