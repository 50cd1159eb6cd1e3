"""The model of an allocator that is made from its shape.

The model says what the strategy promises and nothing else: any free slot may be handed out. So it admits what any
placement does, and what is proved of it holds of every allocator that it admits.
"""

from __future__ import annotations

from typing import NamedTuple

from spec.ltl.parser import parse
from spec.model.program import (
    Assign,
    Binary,
    Cell,
    Choice,
    Command,
    Constant,
    Element,
    Expression,
    Guard,
    Named,
    Process,
    Program,
    Raise,
    Read,
    Statement,
    Symmetry,
)
from spec.model.shape import Shape

PROPERTIES = {
    "access_only_while_allocated": "(!access W malloc) && [](free -> X(!access W malloc))",
    "no_double_allocation": "[](malloc -> X(!malloc W free))",
    "no_early_reuse": "[]!early",
    "freed_eventually": "[](malloc -> <>free)",
}
"""What a generated model is asked; all but the last hold of every shape, and that one needs clients that free."""


class Action(NamedTuple):
    """What a command of a generated model means.

    kind: malloc, free, access, pass (one client gives a block to another) or null (malloc found no free slot).
    client: who does it. slot: which, over all classes; -1 of null. to: who is given the block.
    """

    kind: str
    client: int
    slot: int
    to: int = -1


class Generated(NamedTuple):
    """A program and, for each of its commands, what it means."""

    program: Program
    actions: tuple[Action, ...]


def generated(shape: Shape) -> Generated:
    """The model of `shape`: each client allocates, uses, passes on and frees blocks, correctly and in any order.

    A slot is free, waits in a line, or is held by a client. What enters a random quarantine takes the place of any slot
    in it, or an empty one; so all but one of those in it may have left, and which have is settled when they are handed
    out. Propositions of the tracked slot: malloc, access, free (and the labels that mean them), and `early` together
    with a malloc that comes too soon.
    Cost: clients * slots * (clients + 3) commands.

    >>> made = generated(Shape(slots=2, clients=2, threads=2, delay_line=1))
    >>> len(made.program.commands), made.actions[0]
    (18, Action(kind='malloc', client=0, slot=0, to=-1))
    """
    return _Generator(shape).generated()


class _Generator:
    """Lays the cells out and writes the commands."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.cells: list[Cell] = []
        self.total = shape.slots * shape.sizes
        self.free, self.waits, self.pooled = shape.clients, shape.clients + 1, shape.clients + 2
        self.random = shape.quarantine_random and shape.quarantine > 0
        self.event = self._cell("event", 0, 4, 0)
        self.tracked = self._cell("tracked", 0, self.total - 1, 0)
        self.since = self._cell("since", 0, max(1, shape.wait), shape.wait)
        highest = self.waits + (shape.threads if self.random else 0)
        slots = [self._cell(f"slot[{s}]", 0, highest, self.free) for s in range(self.total)]
        self.slot = slots[0]
        self.lines: dict[tuple[int, int], list[int]] = {}
        self.pools: dict[tuple[int, int], int] = {}
        for t in range(shape.threads):
            for c in range(shape.sizes):
                self.lines[t, c] = [
                    self._cell(f"line[{t}][{c}][{i}]", -1, self.total - 1, -1) for i in range(shape.wait)
                ]
                if self.random:
                    self.pools[t, c] = self._cell(f"quarantined[{t}][{c}]", 0, shape.slots, 0)
        self.counters = [self._cell(f"client[{i}]", 0, 0, 0, i) for i in range(shape.clients)]
        self.commands: list[Command] = []
        self.actions: list[Action] = []

    def generated(self) -> Generated:
        shape = self.shape
        for client in range(shape.clients):
            for s in range(self.total):
                self._malloc(client, s)
                if self.random:
                    for thread in range(shape.threads):
                        self._malloc(client, s, thread)
                self._access(client, s)
                self._free(client, s)
                for other in range(shape.clients):
                    if other != client:
                        self._pass(client, s, other)
            for c in range(shape.sizes):
                self._null(client, c)
        malloc = {"malloc", "mem_allocate_end"}
        program = Program(
            name="generated",
            cells=tuple(self.cells),
            processes=tuple(
                Process(f"client[{i}]", counter, ("serves",), frozenset({0})) for i, counter in enumerate(self.counters)
            ),
            commands=tuple(self.commands),
            event_cell=self.event,
            event_letters=(
                frozenset(),
                frozenset(malloc),
                frozenset({*malloc, "early"}),
                frozenset({"access", "client_access_mem"}),
                frozenset({"free", "mem_free_start"}),
            ),
            tracked=self.tracked,
            properties=tuple(Named(name, parse(text), "block") for name, text in PROPERTIES.items()),
            fair=frozenset(range(shape.clients)),
            symmetries=self._symmetries(),
        )
        return Generated(program, tuple(self.actions))

    def _cell(self, name: str, low: int, high: int, initial: int, owner: int = -1) -> int:
        self.cells.append(Cell(name, low, high, initial, owner))
        return len(self.cells) - 1

    def _command(self, action: Action, text: str, *body: Statement) -> None:
        self.commands.append(Command(action.client, 0, 0, body, text))
        self.actions.append(action)

    def _is(self, cell: int, value: int) -> Expression:
        return Binary("==", Read(cell), Constant(value))

    def _slots_of(self, c: int) -> range:
        return range(c * self.shape.slots, (c + 1) * self.shape.slots)

    def _malloc(self, client: int, s: int, pool: int | None = None) -> None:
        """A free slot, or one that may have left the quarantine of thread `pool`."""
        tracked = self._is(self.tracked, s)
        early = Binary("&&", tracked, Binary("<", Read(self.since), Constant(self.shape.wait)))
        self._command(
            Action("malloc", client, s),
            f"client {client}: malloc returns slot {s}",
            *self._available(s, pool),
            Assign(Read(self.slot + s), Constant(client)),
            Raise("malloc", tracked),
            Raise("mem_allocate_end", tracked),
            Raise("early", early),
        )

    def _available(self, s: int, pool: int | None) -> list[Statement]:
        if pool is None:
            return [Guard(self._is(self.slot + s, self.free))]
        count = self.pools[pool, s // self.shape.slots]
        return [
            Guard(self._is(self.slot + s, self.pooled + pool)),
            Guard(Binary(">", Read(count), Constant(1))),
            Assign(Read(count), Binary("-", Read(count), Constant(1))),
        ]

    def _access(self, client: int, s: int) -> None:
        self._command(
            Action("access", client, s),
            f"client {client}: accesses slot {s}",
            Guard(self._is(self.slot + s, client)),
            Guard(self._is(self.tracked, s)),
            Raise("access"),
            Raise("client_access_mem"),
        )

    def _pass(self, client: int, s: int, other: int) -> None:
        self._command(
            Action("pass", client, s, other),
            f"client {client}: passes slot {s} to client {other}",
            Guard(self._is(self.slot + s, client)),
            Assign(Read(self.slot + s), Constant(other)),
        )

    def _null(self, client: int, c: int) -> None:
        self._command(
            Action("null", client, -1),
            f"client {client}: malloc of size {c} returns NULL",
            *(Guard(Binary("!=", Read(self.slot + s), Constant(self.free))) for s in self._slots_of(c)),
            *(Guard(Binary("<=", Read(count), Constant(1))) for (_, size), count in self.pools.items() if size == c),
        )

    def _free(self, client: int, s: int) -> None:
        """The slot enters the line; what leaves it is free, or in the quarantine."""
        c, thread = s // self.shape.slots, client % self.shape.threads
        line, pool = self.lines[thread, c], self.pools.get((thread, c))
        tracked = self._is(self.tracked, s)
        body: list[Statement] = [
            Guard(self._is(self.slot + s, client)),
            Raise("free", tracked),
            Raise("mem_free_start", tracked),
        ]
        if self.shape.wait:
            body.append(self._age(s))
        after = self.free if pool is None else self.pooled + thread
        if line:
            # Nothing leaves a line that is not full (-1): then the slot itself, which waits, is set to wait.
            none = Binary("<", Read(line[0]), Constant(0))
            leaving = Element(self.slot, self.total, Choice(none, Constant(s), Read(line[0])))
            body.append(Assign(Read(self.slot + s), Constant(self.waits)))
            body.append(Assign(leaving, Choice(none, Constant(self.waits), Constant(after))))
            if pool is not None:
                body.append(Assign(Read(pool), Binary("+", Read(pool), Choice(none, Constant(0), Constant(1)))))
            body += [Assign(Read(line[i]), Read(line[i + 1])) for i in range(len(line) - 1)]
            body.append(Assign(Read(line[-1]), Constant(s)))
        else:
            body.append(Assign(Read(self.slot + s), Constant(after)))
            if pool is not None:
                body.append(Assign(Read(pool), Binary("+", Read(pool), Constant(1))))
        self._command(Action("free", client, s), f"client {client}: frees slot {s}", *body)

    def _age(self, s: int) -> Statement:
        """How many others of its class have been freed since the tracked slot was, as far as that matters."""
        sibling: Expression = Constant(0)
        for other in self._slots_of(s // self.shape.slots):
            if other != s:
                sibling = Binary("||", sibling, self._is(self.tracked, other))
        older = Binary("+", Read(self.since), Constant(1))
        capped = Choice(Binary("<", Read(self.since), Constant(self.shape.wait)), older, Read(self.since))
        tracked = self._is(self.tracked, s)
        return Assign(Read(self.since), Choice(tracked, Constant(0), Choice(sibling, capped, Read(self.since))))

    def _symmetries(self) -> tuple[Symmetry, ...]:
        """Clients are alike when each has a thread of its own, or all share one."""
        shape = self.shape
        if shape.clients == 1 or shape.threads not in (1, shape.clients) or (self.random and shape.threads > 1):
            return ()
        rows = []
        for client in range(shape.clients):
            row = [self.counters[client]]
            if shape.threads > 1:
                for c in range(shape.sizes):
                    row += self.lines[client, c]
            rows.append(tuple(row))
        names = tuple(range(self.slot, self.slot + self.total))
        return (Symmetry(tuple(range(shape.clients)), tuple(rows), names),)
