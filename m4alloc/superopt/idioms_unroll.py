"""Writes loops out: copies of a loop's blocks one after another, where constants decide that it ends in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from m4alloc.superopt.idioms_constants import Table, read
from m4alloc.superopt.ir import VOID, Block, Function, Instruction, Local, Value
from m4alloc.superopt.known import dominators
from m4alloc.superopt.simplify import cleaned


class NotBoundedError(ValueError):
    """A loop that may run longer than the bound, or of a shape that is not written out."""


_MARK = Instruction("opaque", VOID, text="call void @a.loop.went.on()")
"""Where a loop would go on: an effect that nothing simplifies away while it can be reached, unlike `unreachable`."""


@dataclass(frozen=True)
class Loop:
    """A natural loop with one back edge: `latch` branches to `header`; `blocks` holds both."""

    header: str
    latch: str
    blocks: frozenset[str]


def loops(function: Function) -> tuple[Loop, ...]:
    """The loops of a function, inner ones first; NotBoundedError for several back edges or a second entry."""
    for one in function:
        if one.opcode == "opaque" and one.labels:
            raise NotBoundedError(f"`{one.text}` ends a block")
    before = function.predecessors()
    backward: list[tuple[str, str]] = []
    open_: list[str] = []
    seen: set[str] = set()

    stack = [(function.blocks[0].name, iter(function.blocks[0].successors))]
    open_.append(function.blocks[0].name)
    seen.add(function.blocks[0].name)
    while stack:
        name, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            stack.pop()
            open_.pop()
        elif following in open_:
            backward.append((name, following))
        elif following not in seen:
            seen.add(following)
            open_.append(following)
            stack.append((following, iter(function.block(following).successors)))
    headers = [header for _, header in backward]
    for header in headers:
        if headers.count(header) > 1:
            raise NotBoundedError(f"the loop at %{header} has {headers.count(header)} back edges")
    found = [_natural(latch, header, before) for latch, header in backward]
    for loop in found:
        for name in loop.blocks - {loop.header}:
            if name == function.blocks[0].name or set(before[name]) - loop.blocks:
                raise NotBoundedError(f"the loop at %{loop.header} has a second entry at %{name}")
    return tuple(sorted(found, key=lambda loop: len(loop.blocks)))


def _natural(latch: str, header: str, before: Mapping[str, tuple[str, ...]]) -> Loop:
    blocks, work = {header}, [latch]
    while work:
        name = work.pop()
        if name not in blocks:
            blocks.add(name)
            work.extend(before[name])
    return Loop(header, latch, frozenset(blocks))


def numbered(function: Function, word: str) -> Function:
    """The function with its results and blocks named anew, by `word` and numbers: a name that is made of such a one by
    adding to it is none that was there.  No argument's name begins with the word, which is made longer until it is so.
    """
    while any(argument.name.startswith(word) for argument in function.arguments):
        word += "_"
    names = {one.name: f"{word}{number}" for number, one in enumerate(function) if one.name}
    labels = {block.name: f"{word}b{number}" for number, block in enumerate(function.blocks)}

    def renamed(value: Value) -> Value:
        return Local(names[value.name], value.type) if isinstance(value, Local) and value.name in names else value

    def change(one: Instruction) -> Instruction:
        return replace(
            one,
            name=names.get(one.name, ""),
            operands=tuple(map(renamed, one.operands)),
            labels=tuple(labels[label] for label in one.labels),
        )

    blocks = [Block(labels[block.name], tuple(map(change, block.instructions))) for block in function.blocks]
    return replace(function, blocks=tuple(blocks))


def written_out(function: Function, bound: int, known: Mapping[str, Table] | None = None) -> Function:
    """The function without loops: each is repeated at most `bound` times, which constants have to decide.

    known: constant tables that it reads; a search that would run past the end of its table is undefined, so it ends.
    What comes of it may stand in for the function, in both directions but for what `simplify.cleaned` settles.
    Raises NotBoundedError where a loop may run longer, or its end depends on the input (equivalence.refines, which
    takes a bound too, proves such ends).  About 10 ms for 64 copies of 8 instructions.
    """
    function = numbered(function, "v")
    while found := loops(function):
        function = _without(_closed(function, found[0]), found[0], bound, known or {})
    return function


def _exits(function: Function, loop: Loop) -> dict[str, list[str]]:
    """Blocks outside that the loop leads to, with the blocks inside that lead there."""
    found: dict[str, list[str]] = {}
    for block in function.blocks:
        if block.name in loop.blocks:
            for successor in dict.fromkeys(block.successors):
                if successor not in loop.blocks:
                    found.setdefault(successor, []).append(block.name)
    return found


def _closed(function: Function, loop: Loop) -> Function:
    """The same with phis at the exits for what the loop computes, so that outside only phis name what is inside."""
    home = {one.name: block.name for block in function.blocks for one in block.instructions if one.name}
    types = {one.name: one.type for one in function if one.name and home[one.name] in loop.blocks}
    exits, above = _exits(function, loop), dominators(function)
    before = function.predecessors()
    added: dict[tuple[str, str], Local] = {}

    def closed(name: str, at: str) -> Local:
        """The phi for a value of the loop that is used in block `at`."""
        for block in above[at]:
            if block in exits and not set(before[block]) - loop.blocks and home[name] in above[block]:
                return added.setdefault((name, block), Local(f"{name}.at.{block}", types[name]))
        raise NotBoundedError(f"%{name} of the loop at %{loop.header} is used after several ways out of it")

    def change(one: Instruction, at: str) -> Instruction:
        operands = list(one.operands)
        for place, operand in enumerate(operands):
            if isinstance(operand, Local) and operand.name in types:
                where = one.labels[place] if one.opcode == "phi" else at
                if where not in loop.blocks:
                    operands[place] = closed(operand.name, where)
        return one.with_operands(tuple(operands))

    blocks = [
        block
        if block.name in loop.blocks or block.name not in above
        else Block(block.name, tuple(change(one, block.name) for one in block.instructions))
        for block in function.blocks
    ]
    phis: dict[str, list[Instruction]] = {}
    for (name, place), local in added.items():
        sources = exits[place]
        value = Local(name, local.type)
        phi = Instruction("phi", local.type, (value,) * len(sources), local.name, labels=tuple(sources))
        phis.setdefault(place, []).append(phi)
    blocks = [Block(block.name, (*phis.get(block.name, ()), *block.instructions)) for block in blocks]
    return replace(function, blocks=tuple(blocks))


def _without(function: Function, loop: Loop, bound: int, known: Mapping[str, Table]) -> Function:
    """The loop's blocks `bound` + 1 times; NotBoundedError where the last copy's back edge remains when cleaned."""
    end = f"{loop.header}.beyond"
    inside = [block for block in function.blocks if block.name in loop.blocks]
    copies: list[Block] = []
    every: list[dict[str, Value]] = []
    for copy in range(bound + 1):
        names: dict[str, Value] = {}
        following = f"{loop.header}.{copy + 1}" if copy < bound else end
        for block in inside:
            for one in block.instructions:
                if one.name:
                    names[one.name] = Local(f"{one.name}.{copy}", one.type)
        if copy:
            header = function.block(loop.header)
            for phi in header.instructions:
                if phi.opcode == "phi":
                    value = phi.operands[phi.labels.index(loop.latch)]
                    names[phi.name] = every[-1].get(value.name, value) if isinstance(value, Local) else value
        copies.extend(_copied(block, loop, copy, names, following) for block in inside)
        every.append(names)
    blocks: list[Block] = []
    for block in function.blocks:
        if block.name == loop.header:
            blocks.extend(copies)
        if block.name not in loop.blocks:
            blocks.append(_led_to(block, loop, every))
    blocks.append(Block(end, (_MARK, Instruction("unreachable", VOID))))
    made = read(cleaned(replace(function, blocks=tuple(blocks))), known)
    if _MARK in made:
        raise NotBoundedError(f"no constant ends the loop at %{loop.header} within {bound} repetitions")
    return made


def _copied(block: Block, loop: Loop, copy: int, names: Mapping[str, Value], following: str) -> Block:
    def label(name: str) -> str:
        if name == loop.header and block.name == loop.latch:
            return following
        return f"{name}.{copy}" if name in loop.blocks else name

    made = []
    for one in block.instructions:
        if one.opcode == "phi" and block.name == loop.header:
            if copy:
                continue
            kept = [(v, at) for v, at in zip(one.operands, one.labels, strict=True) if at not in loop.blocks]
            values, labels = tuple(v for v, _ in kept), tuple(at for _, at in kept)
        else:
            values = tuple(names.get(v.name, v) if isinstance(v, Local) else v for v in one.operands)
            labels = tuple(
                (f"{at}.{copy}" if at in loop.blocks else at) if one.opcode == "phi" else label(at) for at in one.labels
            )
        made.append(
            replace(one, operands=values, labels=labels, name=f"{one.name}.{copy}" if one.name else "")
        )  # fmt: skip
    return Block(f"{block.name}.{copy}", tuple(made))


def _led_to(block: Block, loop: Loop, every: list[dict[str, Value]]) -> Block:
    """A block outside: its phis get a value from every copy, and its branches to the loop lead to the first one."""
    made = []
    for one in block.instructions:
        if one.opcode == "phi":
            pairs: list[tuple[Value, str]] = []
            for value, at in zip(one.operands, one.labels, strict=True):
                if at in loop.blocks:
                    for copy, names in enumerate(every):
                        pairs.append(
                            (names.get(value.name, value) if isinstance(value, Local) else value, f"{at}.{copy}")
                        )
                else:
                    pairs.append((value, at))
            made.append(replace(one, operands=tuple(v for v, _ in pairs), labels=tuple(at for _, at in pairs)))
        else:
            labels = tuple(f"{at}.0" if at == loop.header else at for at in one.labels)
            made.append(replace(one, labels=labels))
    return Block(block.name, tuple(made))
