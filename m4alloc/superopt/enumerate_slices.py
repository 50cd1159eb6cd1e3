"""Windows into a function: pure integer computations inside it, cut off at values that are taken as given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from m4alloc.superopt.enumerate_bank import Space, Term
from m4alloc.superopt.enumerate_build import Writer
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.interpret_facts import names
from m4alloc.superopt.ir import (
    BINARY,
    VOID,
    Argument,
    Block,
    Function,
    Instruction,
    Int,
    Local,
    Value,
)
from m4alloc.superopt.simplify import cleaned

LEAVES = 4
"""Values that a window may be cut off at."""
LARGEST = 12
"""Instructions in a window; a larger one is seldom met by a program of five."""
CUTS = 60
"""Cuts that are followed for one result."""

COVERED = BINARY | {"icmp", "select", "zext", "sext", "trunc", "extractvalue", "call", "freeze"}


@dataclass(frozen=True)
class Window:
    """A computation of `root` inside `whole` from the arguments of `function`, which bear the names of its values.

    dies: instructions of `whole` that nothing would need if `root` were computed otherwise.
    """

    whole: Function
    root: str
    function: Function
    dies: int

    def put_back(self, term: Term, space: Space, leaves: dict[int, list[Value]]) -> Function:
        """The whole function with the term in the root's place, cleaned."""
        taken = {one.name for one in self.whole} | {argument.name for argument in self.whole.arguments}
        writer = Writer(space, leaves, taken)
        value = writer.value(term)
        blocks = []
        for block in self.whole.blocks:
            body: list[Instruction] = []
            for one in block.instructions:
                if one.name == self.root:
                    body += writer.body
                else:
                    body.append(one.with_operands(tuple(value if _is(old, self.root) else old for old in one.operands)))
            blocks.append(replace(block, instructions=tuple(body)))
        return cleaned(replace(self.whole, blocks=tuple(blocks)))


def _is(value: Value, name: str) -> bool:
    return isinstance(value, Local) and value.name == name


def is_covered(instruction: Instruction) -> bool:
    """A pure computation on integers of up to 64 bits, which may be part of a window."""
    if instruction.opcode not in COVERED or instruction.metadata or instruction.attributes:
        return False
    if instruction.opcode == "call" and not instruction.is_pure:
        return False
    types = [instruction.type, *(operand.type for operand in instruction.operands)]
    if instruction.opcode == "extractvalue" or ".with.overflow" in instruction.callee:
        types = [operand.type for operand in instruction.operands if isinstance(operand.type, Int)]
    return all(isinstance(type, Int) and type.width <= 64 for type in types)


def windows(whole: Function) -> list[Window]:
    """The windows of a function, those first whose replacement could save most, then the smaller ones.

    Each result of an integer operation is a root, cut at up to 4 values in up to 60 ways.  Cost: about 1 ms a root.
    """
    found: list[Window] = []
    defined = {one.name: one for one in whole if one.name}
    uses = _users(whole)
    for one in whole:
        if one.name and isinstance(one.type, Int) and one.type.width <= 64 and is_covered(one):
            seen: set[frozenset[str]] = set()
            for cut, inside in _cuts(one.name, defined):
                if cut not in seen and len(cut) <= LEAVES:
                    seen.add(cut)
                    dies = _dying(one.name, inside, uses)
                    if dies >= 2:
                        found.append(Window(whole, one.name, _function(whole, one, cut, inside), dies))
    return sorted(found, key=lambda one: (-one.dies, one.function.size, len(one.function.arguments)))


def _users(whole: Function) -> dict[str, set[str | None]]:
    """Name of a value to the names of the instructions that use it; None stands for one without a name."""
    users: dict[str, set[str | None]] = {}
    for one in whole:
        for operand in one.operands:
            if isinstance(operand, Local):
                users.setdefault(operand.name, set()).add(one.name or None)
    return users


def _operands(one: Instruction) -> Iterator[str]:
    for operand in one.operands:
        if isinstance(operand, Local):
            yield operand.name


def _cuts(root: str, defined: dict[str, Instruction]) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """(values cut off at, instructions inside) by ever larger insides, each leaf in turn being taken inside."""
    first = frozenset({root})
    queue = [first]
    seen = {first}
    for inside in queue:
        cut = frozenset(name for one in inside for name in _operands(defined[one]) if name not in inside)
        if all(_is_integer(name, defined) for name in cut):
            yield cut, inside
        if len(inside) >= LARGEST:
            continue
        grown = {inside | {name} for name in cut if name in defined and is_covered(defined[name])}
        for larger in sorted(grown - seen, key=lambda some: sorted(some)):
            if len(seen) < CUTS:
                seen.add(larger)
                queue.append(larger)
    # All that can be inside, however large: the cut then is arguments, loads and the like.
    every = {root}
    work = [root]
    while work:
        for name in _operands(defined[work.pop()]):
            if name not in every and name in defined and is_covered(defined[name]):
                every.add(name)
                work.append(name)
    yield frozenset(name for one in every for name in _operands(defined[one]) if name not in every), frozenset(every)


def _is_integer(name: str, defined: dict[str, Instruction]) -> bool:
    one = defined.get(name)
    return one is None or isinstance(one.type, Int)


def _dying(root: str, inside: frozenset[str], users: dict[str, set[str | None]]) -> int:
    """How many of the instructions inside serve the root only."""
    dead = {root}
    changed = True
    while changed:
        changed = False
        for name in inside - dead:
            if all(user is not None and user in dead for user in users.get(name, ())):
                dead.add(name)
                changed = True
    return len(dead)


def _function(whole: Function, root: Instruction, cut: frozenset[str], inside: frozenset[str]) -> Function:
    given = {argument.name: argument for argument in whole.arguments}
    types = {operand.name: operand.type for one in whole for operand in one.operands if isinstance(operand, Local)}
    arguments = tuple(given.get(name, Argument(name, types[name])) for name in sorted(cut))
    body = tuple(one for one in whole if one.name in inside)
    block = Block("start", (*_in_order(body), Instruction("ret", VOID, (root.result,))))
    assert isinstance(root.type, Int)
    return Function(whole.name, root.type, arguments, (block,))


def _in_order(body: Sequence[Instruction]) -> Iterator[Instruction]:
    """Definitions before uses; blocks of a function may stand in any order."""
    inside = {one.name: one for one in body}
    done: set[str] = set()

    def visit(one: Instruction) -> Iterator[Instruction]:
        if one.name not in done:
            done.add(one.name)
            for name in _operands(one):
                if name in inside:
                    yield from visit(inside[name])
            yield one

    for one in body:
        yield from visit(one)


def facts_of(function: Function, facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """Those of the facts that speak of nothing but the window's arguments.

    >>> facts_of(Function("f", Int(8), (Argument("x", Int(8)),), ()), (Fact("x > 1"), Fact("x < y")))
    (Fact(text='x > 1', origin='given'),)
    """
    arguments = {argument.name for argument in function.arguments}
    return tuple(fact for fact in facts if names(fact) <= arguments)
